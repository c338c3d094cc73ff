//! What may be done about a held run: it is approved, or discarded. Each asks once more, with
//! the numbers, before anything happens.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::layout::{self, Place};
use super::session::{Form, Visitor};
use crate::answers::approval;
use crate::plan::Head;
use crate::plan::report::words;
use crate::server::Shared;
use crate::server::api::runs::{dropped, released};
use crate::server::input::Path;
use crate::server::problem::Problem;
use crate::server::stream::blocking;
use crate::store::Way;

/// Shown on the page of a held run, and on the way to both answers.
pub fn why(head: &Head) -> Markup {
    html! { ul { @for limit in &head.guard.limits { li { (limit.text) } } } }
}

/// The ways on from a held run.
pub fn ways(head: &Head) -> Markup {
    html! {
        p.row {
            a.button href={ "/runs/" (head.run) "/approve" } { "Approve…" }
            a.button.second href={ "/runs/" (head.run) "/discard" } { "Discard…" }
        }
    }
}

/// How many of which actions the plan has.
fn numbers(head: &Head) -> Markup {
    html! {
        table.narrow {
            thead { tr { th scope="col" { "Portal" } th scope="col" { "Action" } th.number scope="col" { "How many" } } }
            tbody {
                @for (portal, ops) in &head.summary { @for (op, count) in ops { tr {
                    th scope="row" { (portal) }
                    td { (words::label(*op)) }
                    td.number { (words::number(*count)) }
                } } }
            }
        }
    }
}

/// What an operator may say to a held run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Approve,
    Discard,
}

/// Asks whether the plan is to be carried out.
pub async fn ask_approval(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
) -> Response {
    ask(Word::Approve, shared, &visitor, run).await
}

/// Asks whether the plan is to be dropped.
pub async fn ask_discarding(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
) -> Response {
    ask(Word::Discard, shared, &visitor, run).await
}

async fn ask(word: Word, shared: Shared, visitor: &Visitor, run: String) -> Response {
    let held = blocking(move || Ok(approval::waiting(&shared.conductor.sync().store, &run)?));
    match held.await {
        Ok(record) => {
            let title = match word {
                Word::Approve => "Approve?",
                Word::Discard => "Discard?",
            };
            let content = question(word, &record.head, visitor);
            layout::page(Place::Runs, title, visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(visitor)),
    }
}

fn question(word: Word, head: &Head, visitor: &Visitor) -> Markup {
    let (verb, before, after, button) = match word {
        Word::Approve => (
            "Approve",
            "It is read and decided once more. If it comes out exactly so, this is done:",
            None,
            "Approve and apply",
        ),
        Word::Discard => (
            "Discard",
            "None of this is done, and this run can be approved no longer:",
            Some(
                "Discarding mends no cause. The next run decides anew; if it comes to the same, \
                 it is held and announced as a new run.",
            ),
            "Discard the plan",
        ),
    };
    html! {
        h1 { (verb) " run " code { (head.run) } "?" }
        section.banner.bad { h2 { "Why it is held" } (why(head)) }
        p { (before) }
        (numbers(head))
        @if let Some(after) = after { p { (after) } }
        form.row.answer method="post" {
            (layout::token(visitor))
            button.danger { (button) }
            a href={ "/runs/" (head.run) } { "Back to the plan" }
        }
    }
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

pub async fn discard(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    form: Form,
) -> Response {
    let done = match visitor.check(&form) {
        Ok(()) => dropped(&shared, run.clone(), Way::Console).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(_) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}
