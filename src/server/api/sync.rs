//! `POST /api/v1/sync`: asks for a run.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::runs;
use crate::answers;
use crate::answers::document::PlanDocument;
use crate::plan::Asked;
use crate::server::Shared;
use crate::server::input::Json;
use crate::server::problem::{Document, Problem};
use crate::sync::{Intent, Sync};

/// The most users and groups of one request; who has more to ask for wants a whole run.
const ON_DEMAND: usize = 1000;

/// What is asked for. Everything may be left out.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRequest {
    /// None named: every source.
    sources: Vec<String>,
    /// Read everything, not only what changed.
    full: bool,
    /// Show what would be done, and do nothing.
    dry_run: bool,
    /// Only these users, by key or id.
    users: Vec<String>,
    /// Only these groups and their members, by name or id.
    groups: Vec<String>,
    /// Answer with the plan when the run is done.
    wait: bool,
}

/// A run that was taken on.
#[derive(Serialize, ToSchema)]
pub struct Taken {
    /// Its id. A plan that the guard holds again keeps the id it was first held under.
    pub run: String,
}

/// Asks for a run.
///
/// While one goes on, the next one waits, and further wishes join that.
#[utoipa::path(
    post, path = "/api/v1/sync", tag = "runs",
    request_body = SyncRequest,
    responses(
        (status = 200, description = "With `wait`: the plan, with what became of it", body = PlanDocument),
        (status = 202, description = "The run will come", body = Taken,
            headers(("Location" = String, description = "Where the run is"))),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn sync(
    State(shared): State<Shared>,
    Json(request): Json<SyncRequest>,
) -> Result<Response, Problem> {
    let SyncRequest {
        sources,
        full,
        dry_run,
        users,
        groups,
        wait,
    } = request;
    let asked = Asked {
        sources,
        full,
        users,
        groups,
    };
    check(&asked, &shared.conductor.sync())?;
    let intent = match dry_run {
        true => Intent::Preview,
        false => Intent::Apply,
    };
    let ticket = shared.conductor.ask(asked, intent)?;
    if wait {
        return match ticket.finished().await {
            Ok(run) => Ok(runs::document(run.plan.clone()).await),
            Err(error) => Err((&*error).into()),
        };
    }
    let run = ticket.run.clone();
    shared.recent.watch(ticket);
    let location = [(header::LOCATION, format!("/api/v1/runs/{run}"))];
    Ok((StatusCode::ACCEPTED, location, Answer(Taken { run })).into_response())
}

fn check(asked: &Asked, sync: &Sync) -> Result<(), Problem> {
    for name in &asked.sources {
        let names = sync.rules.iter().map(|rules| rules.name.as_str());
        answers::known("source", names, name)
            .map_err(|error| Problem::unprocessable(error.to_string()))?;
    }
    let on_demand = asked.users.len() + asked.groups.len();
    if asked.full && on_demand > 0 {
        return Err(Problem::unprocessable(
            "'full' reads everybody, so it does not go with 'users' or 'groups'",
        ));
    }
    if on_demand > ON_DEMAND {
        return Err(Problem::unprocessable(format!(
            "at most {ON_DEMAND} users and groups can be asked for at once; ask for a whole run"
        )));
    }
    let mut names = asked.users.iter().chain(&asked.groups);
    match names.any(|name| name.trim().is_empty()) {
        true => Err(Problem::unprocessable(
            "a user or group to be asked for has no name",
        )),
        false => Ok(()),
    }
}
