//! The first page: how the sources stand, what waits, and the latest runs.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::layout;
use super::runs::table;
use super::session::{Form, Visitor};
use crate::answers::AnswerError;
use crate::answers::runs::RunRow;
use crate::answers::status::{self, Status};
use crate::clock;
use crate::plan::Asked;
use crate::server::Shared;
use crate::server::problem::Problem;
use crate::server::stream::blocking;
use crate::sync::Intent;

/// How many of the latest runs are shown.
const RUNS: usize = 8;

/// A portal, and how many accounts are linked in it.
type Portals = Vec<(String, String, usize)>;

pub async fn page(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    match blocking(move || look(&shared)).await {
        Ok((status, runs, portals)) => {
            let content = content(&status, &runs, &portals, &visitor);
            layout::page(StatusCode::OK, "Overview", Some(&visitor), content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn look(shared: &Shared) -> Result<(Status, Vec<RunRow>, Portals), Problem> {
    let sync = shared.conductor.sync();
    let names = sync.rules.iter().map(|rules| rules.name.as_str());
    let next_run = |source: &str| (shared.next_run)(source);
    let status = status::status(&sync.store, names, next_run, clock::now())?;
    let runs = sync.store.runs_before(None).take(RUNS);
    let runs = runs
        .map(|record| Ok(RunRow::from(record?)))
        .collect::<Result<_, AnswerError>>()?;
    let mut portals = Portals::new();
    for portal in &sync.portals {
        let accounts = sync
            .store
            .link_count(&portal.name)
            .map_err(AnswerError::from)?;
        portals.push((portal.name.clone(), portal.kind.to_string(), accounts));
    }
    Ok((status, runs, portals))
}

fn content(status: &Status, runs: &[RunRow], portals: &Portals, visitor: &Visitor) -> Markup {
    html! {
        h1 { "Overview" }
        @for run in &status.held {
            section.banner {
                h2 { "A plan waits for approval" }
                p { "The guard holds it, and all that comes after it. Look at it before you say yes." }
                p { a.button href={ "/runs/" (run) } { "Look at the plan" } }
            }
        }
        section {
            h2 { "Sources" }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "Source" } th scope="col" { "State" }
                    th scope="col" { "Last complete" } th scope="col" { "Next run" }
                    th.number scope="col" { "Users" } th.number scope="col" { "Groups" }
                } }
                tbody {
                    @for (name, source) in &status.sources { tr {
                        th scope="row" { (name) }
                        td {
                            @if source.quarantined.is_some() { span class="pill bad" { "quarantined" } }
                            @else if source.failures > 0 { span class="pill warn" { "failing" } }
                            @else if source.last_complete.is_some() { span class="pill good" { "well" } }
                            @else { span class="pill calm" { "not read yet" } }
                            @if let Some(error) = &source.last_error { p.small { (error) } }
                        }
                        td {
                            @match source.cursor_age_seconds {
                                Some(age) => { (layout::age(age)) " ago" },
                                None => span.none { "never" },
                            }
                        }
                        td { (layout::maybe(source.next_run)) }
                        td.number { (source.users) } td.number { (source.groups) }
                    } }
                }
            } }
            @if status.sources.is_empty() { p.empty { "The settings name no source." } }
        }
        section {
            h2 { "Portals" }
            div.cards {
                @for (name, kind, accounts) in portals { article {
                    h3 { (name) }
                    p { b { (accounts) } " accounts" }
                    p.small { (kind) }
                } }
                article { h3 { "Owed" } p { b { (status.owed) } " people and groups" } p.small { "an action failed and is tried again" } }
                article { h3 { "Watched" } p { b { (status.watched) } " people and groups" } p.small { "in grace, or spared" } }
                article { h3 { "Quarantined" } p { b { (status.quarantined) } " records" } p.small { "could not be read" } }
            }
        }
        section {
            h2 { "Latest runs" }
            (table(runs))
            form.row method="post" action="/sync" {
                (layout::token(visitor))
                button { "Sync now" }
                label.check { input type="checkbox" name="full" value="yes"; "read everything" }
            }
        }
    }
}

/// Asks for a run, and shows it.
pub async fn sync(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    form: Form,
) -> Response {
    let asked = Asked {
        full: form.0.contains_key("full"),
        ..Asked::default()
    };
    let ticket = visitor
        .check(&form)
        .and_then(|()| Ok(shared.conductor.ask(asked, Intent::Apply)?));
    match ticket {
        Ok(ticket) => {
            let run = ticket.run.clone();
            shared.recent.watch(ticket);
            Redirect::to(&format!("/runs/{run}")).into_response()
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}
