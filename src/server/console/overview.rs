//! The first page: what waits for somebody, how sources and portals stand, the latest runs.

use std::collections::BTreeMap;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::layout::{self, Place, number, pill};
use super::runs::table;
use super::session::{Form, Visitor};
use super::sparkline::sparkline;
use crate::answers::AnswerError;
use crate::answers::changes::changes;
use crate::answers::runs::RunRow;
use crate::answers::status::{self, SourceStanding, Status};
use crate::clock;
use crate::config::PortalKind;
use crate::plan::{Asked, Head};
use crate::server::Shared;
use crate::server::problem::Problem;
use crate::server::stream::blocking;
use crate::sync::{Intent, Sync, population};

/// How many of the latest runs are shown.
const RUNS: usize = 8;

/// How many runs of a source its sparkline shows.
const BARS: usize = 30;

/// Everything on the page.
struct Sight {
    now: Timestamp,
    status: Status,
    /// What the held plan would do.
    held: Option<Head>,
    changes: BTreeMap<String, Vec<u64>>,
    portals: Vec<PortalSight>,
    runs: Vec<RunRow>,
}

struct PortalSight {
    name: String,
    kind: PortalKind,
    accounts: usize,
    /// Accounts that outlived their users; None while it would have to be counted.
    departed: Option<usize>,
    groups: usize,
    /// Of an MDM portal.
    devices: Option<usize>,
}

pub async fn page(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    match blocking(move || look(&shared)).await {
        Ok(sight) => {
            let content = content(&sight, &visitor);
            layout::page(Place::Overview, "Overview", &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn look(shared: &Shared) -> Result<Sight, Problem> {
    let sync = shared.conductor.sync();
    let now = clock::now();
    let names = sync.rules.iter().map(|rules| rules.name.as_str());
    let targets = sync.targets.keys().map(String::as_str);
    let next_run = |source: &str| (shared.next_run)(source);
    let status = status::status(&sync.store, names, targets, next_run, now)?;
    let runs = sync.store.runs_before(None).take(RUNS);
    let runs = runs
        .map(|record| Ok(RunRow::from(record?)))
        .collect::<Result<_, AnswerError>>()?;
    let held = sync.store.held_run().map_err(AnswerError::from)?;
    Ok(Sight {
        now,
        status,
        held: held.map(|record| record.head),
        changes: changes(&sync.store, BARS)?,
        portals: portals(&sync)?,
        runs,
    })
}

fn portals(sync: &Sync) -> Result<Vec<PortalSight>, AnswerError> {
    let mut sights = Vec::new();
    for portal in &sync.portals {
        let name = &portal.name;
        let accounts = sync.store.link_count(name)?;
        let noted = population::noted(&sync.store, name)?;
        let live = noted.and_then(|noted| usize::try_from(noted.accounts).ok());
        sights.push(PortalSight {
            name: name.clone(),
            kind: portal.kind,
            accounts,
            departed: live.map(|live| accounts.saturating_sub(live)),
            groups: sync.store.group_links(name).count(),
            devices: match portal.kind {
                PortalKind::Mdm => Some(sync.store.devices(name).count()),
                _ => None,
            },
        });
    }
    Ok(sights)
}

fn content(sight: &Sight, visitor: &Visitor) -> Markup {
    html! {
        div.head {
            h1 { "Overview" }
            form.row method="post" action="/sync" {
                (layout::token(visitor))
                label.check { input type="checkbox" name="full" value="yes"; "Read everything" }
                button { "Sync now" }
            }
        }
        @if let Some(held) = &sight.held { (waits(held)) }
        section {
            h2 #sources { "Sources" }
            @if sight.status.sources.is_empty() {
                p.empty { "The settings name no source, so there is nobody to keep in step. " code { "[sources.NAME]" } " adds one." }
            } @else { (sources(sight)) }
        }
        section {
            h2 #portals { "Portals" }
            @if sight.portals.is_empty() {
                p.empty { "The settings name no portal. " code { "[portals.NAME]" } " adds one." }
            }
            div.cards.full { @for portal in &sight.portals { (portal_card(portal)) } }
        }
        section {
            h2 #attention { "Attention" }
            div.cards.full { (attention(&sight.status)) }
        }
        section {
            h2 #runs { "Latest runs" }
            (table(&sight.runs, "runs"))
            @if !sight.runs.is_empty() { p { a href="/runs" { "All runs" } } }
        }
    }
}

fn waits(held: &Head) -> Markup {
    html! {
        section.banner.bad aria-labelledby="held" {
            h2 #held { "A plan waits for approval" }
            ul { @for limit in &held.guard.limits { li { (limit.text) } } }
            p { "Nothing of it was done, and what comes after it waits too." }
            p.row {
                a.button href={ "/runs/" (held.run) } { "Look at the plan" }
                a href={ "/runs/" (held.run) "/approve" } { "Approve…" }
                a href={ "/runs/" (held.run) "/discard" } { "Discard…" }
            }
        }
    }
}

fn sources(sight: &Sight) -> Markup {
    html! {
        table.stack aria-labelledby="sources" {
            thead { tr {
                th scope="col" { "Source" } th scope="col" { "State" }
                th scope="col" { "Last complete" } th scope="col" { "Next run" }
                th.number scope="col" { "Users" } th.number scope="col" { "Groups" }
                th scope="col" { "Changes" }
            } }
            tbody {
                @for (name, source) in &sight.status.sources { tr {
                    th scope="row" { a href={ "/groups?source=" (layout::in_path(name)) } title={ "Groups of " (name) } { (name) } }
                    td data-label="State" { (state(source)) }
                    td data-label="Last complete" {
                        @match source.last_complete {
                            Some(at) => (layout::away(sight.now, at)),
                            None => span.none { "never" },
                        }
                    }
                    td data-label="Next run" {
                        @match source.next_run {
                            Some(at) => (layout::away(sight.now, at)),
                            None => (layout::none()),
                        }
                    }
                    td.number data-label="Users" { (number(source.users as usize)) }
                    td.number data-label="Groups" { (number(source.groups as usize)) }
                    td data-label="Changes" { (sparkline(sight.changes.get(name).map_or(&[], Vec::as_slice))) }
                } }
            }
        }
    }
}

fn state(source: &SourceStanding) -> Markup {
    html! {
        div {
            @if source.quarantined.is_some() { (pill("bad", "quarantined")) }
            @else if source.failures > 0 { (pill("warn", "failing")) }
            @else if source.last_complete.is_some() { (pill("good", "well")) }
            @else { (pill("calm", "not read yet")) }
            @if let Some(error) = &source.last_error { p.small { (error) } }
        }
    }
}

fn portal_card(portal: &PortalSight) -> Markup {
    html! {
        article {
            h3 { a href={ "/groups?portal=" (layout::in_path(&portal.name)) } title={ "Groups of " (portal.name) } { (portal.name) } }
            p.small { (portal.kind) " portal" }
            p.count { b { (number(portal.accounts)) } @if portal.accounts == 1 { " account" } @else { " accounts" } }
            dl.counts {
                dt { "Groups" } dd { (number(portal.groups)) }
                @if let Some(devices) = portal.devices { dt { "Devices" } dd { (number(devices)) } }
                @if let Some(departed) = portal.departed.filter(|departed| *departed > 0) {
                    dt { "Departed" } dd { (number(departed)) }
                }
            }
        }
    }
}

fn attention(status: &Status) -> Markup {
    let card = |count: usize, tone: &'static str, what: &str, why: &str| {
        html! {
            article class={ @if count > 0 { (tone) } } {
                h3 { (what) }
                p.count { b { (number(count)) } }
                p.small { (why) }
            }
        }
    };
    html! {
        (card(status.owed, "warn", "Owed", "people and groups whose action failed; it is tried again"))
        (card(status.watched, "calm", "Watched", "people and groups in grace, or spared"))
        (card(status.quarantined, "warn", "Quarantined", "records that could not be read, left as they are"))
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
