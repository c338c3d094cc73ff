//! The history, one run, and the approval of a held one.

use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout;
use super::session::{Form, Visitor};
use crate::answers::runs::RunRow;
use crate::answers::{AnswerError, approval};
use crate::plan::report::Format;
use crate::plan::{Head, Status};
use crate::server::Shared;
use crate::server::api::runs::{Kept, kept, released, write_report};
use crate::server::input::{Path, Query};
use crate::server::problem::Problem;
use crate::server::stream::blocking;

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
                h1 { "Runs" }
                (table(&runs))
                @if let Some(last) = last {
                    p { a href={ "/runs?before=" (last) } { "Earlier runs" } }
                }
            };
            layout::page(StatusCode::OK, "Runs", Some(&visitor), content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

/// Runs as a table.
pub fn table(runs: &[RunRow]) -> Markup {
    if runs.is_empty() {
        return html! { p.empty { "No run yet." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "At" } th scope="col" { "Kind" }
                th scope="col" { "Status" } th.number scope="col" { "Actions" }
            } }
            tbody {
                @for row in runs { tr {
                    th scope="row" { a href={ "/runs/" (row.run) } { code { (row.run) } } }
                    td { (layout::time(row.created_at)) }
                    td { (row.mode.as_str().replace('_', " ")) }
                    td { (layout::status(row.status)) }
                    td.number { (row.summary.values().flat_map(|ops| ops.values()).sum::<u64>()) }
                } }
            }
        } }
    }
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
    let head = &plan.head;
    let content = html! {
        h1 { "Run " code { (head.run) } }
        p { (layout::status(head.status)) " " (layout::time(head.created_at)) }
        @if head.status == Status::Held {
            section.banner {
                h2 { "Held by the guard" }
                (limits(head))
                p { a.button href={ "/runs/" (head.run) "/approve" } { "Approve…" } }
            }
        }
        p.row {
            @for format in Format::ALL {
                a href={ "/runs/" (run) "/report?format=" (format.as_str()) } { (format.as_str()) }
            }
        }
        iframe.report src={ "/runs/" (run) "/report" } title="The run's report" sandbox="allow-scripts" {}
    };
    let title = format!("Run {}", head.run);
    layout::page(StatusCode::OK, &title, Some(&visitor), content)
}

fn going_on(run: &str, visitor: &Visitor) -> Response {
    let content = html! {
        h1 { "Run " code { (run) } }
        p role="status" { "It goes on, or waits for another run to end. This page looks again every two seconds." }
    };
    let page = layout::page(StatusCode::OK, "A run goes on", Some(visitor), content);
    ([(header::REFRESH, "2")], page).into_response()
}

fn limits(head: &Head) -> Markup {
    html! { ul { @for limit in &head.guard.limits { li { (limit.text) } } } }
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

/// Asks once more, with the numbers.
pub async fn confirm(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
) -> Response {
    let record = blocking(move || Ok(approval::waiting(&shared.conductor.sync().store, &run)?));
    let head = match record.await {
        Ok(record) => record.head,
        Err(problem) => return layout::problem(&problem, Some(&visitor)),
    };
    let content = html! {
        h1 { "Approve run " code { (head.run) } "?" }
        section.banner { h2 { "Why it is held" } (limits(&head)) }
        p { "It is read and decided once more. If it comes out exactly so, this is done:" }
        div.scroll { table {
            thead { tr { th scope="col" { "Portal" } th scope="col" { "Action" } th.number scope="col" { "How many" } } }
            tbody {
                @for (portal, ops) in &head.summary { @for (op, count) in ops { tr {
                    th scope="row" { (portal) }
                    td { (op.as_str().replace('_', " ")) }
                    td.number { (count) }
                } } }
            }
        } }
        form.row method="post" {
            (layout::token(&visitor))
            button.danger { "Approve and apply" }
            a href={ "/runs/" (head.run) } { "Back" }
        }
    };
    layout::page(StatusCode::OK, "Approve?", Some(&visitor), content)
}

pub async fn approve(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    form: Form,
) -> Response {
    let ended = match visitor.check(&form) {
        Ok(()) => released(&shared, run.clone()).await,
        Err(problem) => Err(problem),
    };
    match ended {
        Ok(ended) if ended.moved => {
            let problem = Problem::new(
                StatusCode::CONFLICT,
                "Nothing was applied: the plan comes out otherwise than it was shown. Sync now, and look at the new one.",
            );
            layout::problem(&problem, Some(&visitor))
        }
        Ok(_) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}
