//! The history, and one run with its report.

use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::held;
use super::layout::{self, Place};
use super::session::Visitor;
use crate::answers::AnswerError;
use crate::answers::runs::{DiscardedOut, RunRow};
use crate::plan::report::{Format, words};
use crate::plan::{Plan, Status};
use crate::server::Shared;
use crate::server::api::runs::{Kept, kept, write_report};
use crate::server::input::{Path, Query};
use crate::server::problem::Problem;
use crate::server::stream::blocking;
use crate::store::Way;

/// How many runs a page shows.
const RUNS: usize = 50;

#[derive(Deserialize)]
pub struct Before {
    before: Option<String>,
}

pub async fn list(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(which): Query<Before>,
) -> Response {
    let first = which.before.is_none();
    let runs = blocking(move || {
        let store = &shared.conductor.sync().store;
        let runs = store.runs_before(which.before.as_deref()).take(RUNS + 1);
        let runs = runs.map(|record| Ok(RunRow::from(record?)));
        Ok(runs.collect::<Result<Vec<_>, AnswerError>>()?)
    });
    match runs.await {
        Ok(mut runs) => {
            let more = runs.len() > RUNS;
            runs.truncate(RUNS);
            let last = runs.last().filter(|_| more).map(|row| row.run.clone());
            let content = html! {
                h1 #runs { "Runs" }
                (table(&runs, "runs"))
                nav.turn aria-label="Pages" {
                    @if !first { a href="/runs" { "← The latest" } }
                    @if let Some(last) = last { a rel="next" href={ "/runs?before=" (last) } { "Earlier →" } }
                }
            };
            layout::page(Place::Runs, "Runs", &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

/// Runs as a table that the heading of this id names.
pub fn table(runs: &[RunRow], heading: &str) -> Markup {
    if runs.is_empty() {
        return html! { p.empty { "No run yet. The first one comes by the schedule, or with “Sync now”." } };
    }
    html! {
        table.stack aria-labelledby=(heading) {
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "At" } th scope="col" { "Kind" }
                th scope="col" { "Status" } th.number scope="col" { "Actions" }
            } }
            tbody {
                @for row in runs { tr {
                    th scope="row" { a href={ "/runs/" (row.run) } { code { (row.run) } } }
                    td data-label="At" { (layout::time(row.created_at)) }
                    td data-label="Kind" { (layout::mode(row.mode)) }
                    td data-label="Status" { (layout::status(row.status)) }
                    td.number data-label="Actions" { (words::number(actions(row))) }
                } }
            }
        }
    }
}

fn actions(row: &RunRow) -> u64 {
    row.summary.values().flat_map(|ops| ops.values()).sum()
}

pub async fn one(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
) -> Response {
    let plan = match kept(&shared, run.clone()).await {
        Ok(Kept::Plan(plan)) => plan,
        Ok(Kept::GoingOn(run)) => return going_on(&run, &visitor),
        Err(problem) => return layout::problem(&problem, Some(&visitor)),
    };
    let discarded = {
        let run = plan.head.run.clone();
        blocking(move || {
            let record = shared.conductor.sync().store.run(&run);
            let record = record.map_err(AnswerError::from)?;
            Ok(record.and_then(|record| record.discarded))
        })
    };
    match discarded.await {
        Ok(discarded) => {
            let title = format!("Run {}", plan.head.run);
            let content = whole(&plan, discarded.map(Into::into));
            layout::page(Place::Runs, &title, &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn whole(plan: &Plan, discarded: Option<DiscardedOut>) -> Markup {
    let head = &plan.head;
    let report = format!("/runs/{}/report", head.run);
    html! {
        h1 { "Run " code { (head.run) } }
        p.facts { (layout::status(head.status)) span { (words::mode(head.mode)) } (layout::time(head.created_at)) }
        @if head.status == Status::Held {
            section.banner.bad aria-labelledby="held" {
                h2 #held { "Held by the guard" }
                (held::why(head))
                (held::ways(head))
            }
        }
        @if let Some(DiscardedOut { at, by }) = discarded {
            section.banner.calm { p { "Discarded " (layout::time(at)) " " (from_where(by)) ". None of it was done, and it can be approved no longer." } }
        }
        nav.formats aria-label="The report in other formats" {
            a href=(report) { "The report by itself" }
            @for format in Format::ALL { @if format != Format::Html {
                a href={ (report) "?format=" (format.as_str()) } { (format.as_str()) }
            } }
        }
        iframe.report src=(report) title="The run's report" sandbox="allow-scripts" {}
    }
}

fn from_where(way: Way) -> &'static str {
    match way {
        Way::Api => "over the API",
        Way::Command => "on the command line",
        Way::Console => "in the console",
    }
}

fn going_on(run: &str, visitor: &Visitor) -> Response {
    let content = html! {
        h1 { "Run " code { (run) } }
        p.banner.calm role="status" { "It goes on, or waits for another run to end. This page looks again every two seconds." }
    };
    let page = layout::page(Place::Runs, "A run goes on", visitor, content);
    ([(header::REFRESH, "2")], page).into_response()
}

#[derive(Deserialize)]
pub struct Which {
    format: Option<String>,
}

pub async fn report(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Query(form): Query<Which>,
) -> Response {
    let format = match form.format.as_deref().unwrap_or("html").parse() {
        Ok(format) => format,
        Err(error) => {
            let error: crate::plan::report::UnknownFormat = error;
            let problem = Problem::unprocessable(error.to_string());
            return layout::problem(&problem, Some(&visitor));
        }
    };
    match kept(&shared, run).await {
        Ok(Kept::Plan(plan)) => write_report(*plan, format).await,
        Ok(Kept::GoingOn(run)) => going_on(&run, &visitor),
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}
