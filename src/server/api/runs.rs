//! The history, one run's plan and its report, and the approval of a held run.

use std::io::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sync::Taken;
use crate::answers::document::PlanDocument;
use crate::answers::runs::{self, RunRow};
use crate::answers::{AnswerError, approval};
use crate::plan::Plan;
use crate::plan::report::{self, Format, ReportError, Style};
use crate::server::Shared;
use crate::server::input::{Path, Query};
use crate::server::page::{self, Page};
use crate::server::problem::{Document, Problem};
use crate::server::recent::Known;
use crate::server::stream::{self, blocking};
use crate::sync::{Intent, Run};

/// Which page of the history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Before {
    /// `next` of the page before: runs older than this one.
    before: Option<String>,
    /// The most runs, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The history, the newest run first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(Before),
    responses(
        (status = 200, description = "A page of runs", body = Page<RunRow>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(shared): State<Shared>,
    Query(which): Query<Before>,
) -> Result<Response, Problem> {
    let limit = page::limit(which.limit)?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let rows = sync
            .store
            .runs_before(which.before.as_deref())
            .map(|record| Ok(RunRow::from(record?)));
        page::write(out, rows, limit, |row| row.run.clone())
    })
    .await)
}

/// One run: its plan, with what became of it.
///
/// A run that was asked for here and did not end yet is answered with its id, and 202.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The plan", body = PlanDocument),
        (status = 202, description = "The run did not end yet", body = Taken),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    State(shared): State<Shared>,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    Ok(match kept(&shared, run).await? {
        Kept::Plan(plan) => document(*plan).await,
        Kept::GoingOn(run) => going_on(run),
    })
}

/// The form of a report.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Form {
    /// `html` (unless given), `markdown`, `csv`, `text` or `json`.
    format: Option<String>,
}

/// One run's report.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/report", tag = "runs",
    params(("id" = String, Path, description = "The run's id"), Form),
    responses(
        (status = 200, description = "The report", content(
            (String = "text/html"), (String = "text/markdown"), (String = "text/csv"),
            (String = "text/plain"), (PlanDocument = "application/json"),
        )),
        (status = 202, description = "The run did not end yet", body = Taken),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn report(
    State(shared): State<Shared>,
    Path(run): Path<String>,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    let format: Format = match form.format {
        Some(name) => name
            .parse()
            .map_err(|error: report::UnknownFormat| Problem::unprocessable(error.to_string()))?,
        None => Format::Html,
    };
    Ok(match kept(&shared, run).await? {
        Kept::Plan(plan) => write_report(*plan, format).await,
        Kept::GoingOn(run) => going_on(run),
    })
}

/// Releases a held run, exactly as it was shown and once.
///
/// It is fetched and decided again; if it comes out otherwise, nothing is applied.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/approve", tag = "runs", params(("id" = String, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The plan, with what became of it", body = PlanDocument),
        (status = 409, description = "The run is not held, or it came out otherwise: then with the new plan as `plan`",
            body = Document, content_type = "application/problem+json"),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn approve(
    State(shared): State<Shared>,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    let run = released(&shared, run).await?;
    let plan = run.plan.clone();
    if !run.moved {
        return Ok(document(plan).await);
    }
    let problem = Problem::new(
        StatusCode::CONFLICT,
        "nothing was applied: the plan comes out otherwise than the held one; look at the new one, then sync again",
    );
    Ok(
        stream::answer(problem.status, Problem::headers(), move |out| {
            let gone = |cause| unwritten(ReportError::Write(cause));
            out.write_all(&problem.opened()).map_err(gone)?;
            out.write_all(b",\"plan\":").map_err(gone)?;
            write(&plan, Format::Json, out)?;
            out.write_all(b"}\n").map_err(gone)
        })
        .await,
    )
}

/// Fetches and decides a held run again, and carries it out if it comes out as it was shown.
pub async fn released(shared: &Shared, run: String) -> Result<Arc<Run>, Problem> {
    let record = {
        let (conductor, run) = (shared.conductor.clone(), run.clone());
        blocking(move || Ok(approval::waiting(&conductor.sync().store, &run)?)).await?
    };
    let intent = Intent::Approve {
        run,
        digest: record.head.digest,
    };
    let ticket = shared.conductor.ask(record.head.asked, intent)?;
    let ended = ticket.finished().await;
    ended.map_err(|error| Problem::from(&*error))
}

/// A plan as JSON.
pub async fn document(plan: Plan) -> Response {
    write_report(plan, Format::Json).await
}

pub enum Kept {
    Plan(Box<Plan>),
    GoingOn(String),
}

/// The plan of a run: of the history, or of the latest that were asked for here. The history
/// goes first, since a run that was held and then approved is there as it ended.
pub async fn kept(shared: &Shared, run: String) -> Result<Kept, Problem> {
    let recent = shared.recent.get(&run);
    if let Some(Known::GoingOn) = recent {
        return Ok(Kept::GoingOn(run));
    }
    let conductor = shared.conductor.clone();
    let kept = blocking(move || {
        let sync = conductor.sync();
        let plan = runs::plan(&sync.store, &sync.history, &run)?;
        Ok(Kept::Plan(Box::new(plan)))
    });
    match (kept.await, recent) {
        (Err(problem), Some(Known::Ended(outcome))) if problem.status == StatusCode::NOT_FOUND => {
            let run = outcome.map_err(|error| Problem::from(&*error))?;
            Ok(Kept::Plan(Box::new(run.plan.clone())))
        }
        (kept, _) => kept,
    }
}

fn going_on(run: String) -> Response {
    let later = [(header::RETRY_AFTER, "1")];
    (StatusCode::ACCEPTED, later, Json(Taken { run })).into_response()
}

pub async fn write_report(plan: Plan, format: Format) -> Response {
    let kind = HeaderValue::from_static(format.content_type());
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    if format == Format::Html {
        // The page has everything in it; names in it are from outside.
        headers.insert(
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_str(&format!(
                "{}; frame-ancestors 'self'",
                report::html::content_security_policy()
            ))
            .expect("a policy is plain text"),
        );
    }
    stream::answer(StatusCode::OK, headers, move |out| {
        write(&plan, format, out)
    })
    .await
}

fn write(plan: &Plan, format: Format, out: &mut dyn Write) -> Result<(), Problem> {
    report::write(plan, format, Style::Plain, out).map_err(unwritten)
}

/// A reader who is gone is nobody's fault, and hears nothing of it.
fn unwritten(error: ReportError) -> Problem {
    match error {
        ReportError::Write(cause) => Problem::new(StatusCode::REQUEST_TIMEOUT, cause.to_string()),
        ReportError::Plan(cause) => AnswerError::Plan(cause).into(),
    }
}
