//! How things stand, and why somebody has or has not an account: the documents of the
//! commands of the same names.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::portal_named;
use crate::answers::explain::{self, Explained};
use crate::answers::status::{self, Status};
use crate::clock;
use crate::server::Shared;
use crate::server::input::{Path, Query};
use crate::server::problem::{Document, Problem};
use crate::server::stream::blocking;

/// Sources, marks and held runs.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "directory",
    responses(
        (status = 200, description = "How things stand", body = Status),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn status(State(shared): State<Shared>) -> Result<Json<Status>, Problem> {
    blocking(move || {
        let sync = shared.conductor.sync();
        let names = sync.rules.iter().map(|rules| rules.name.as_str());
        let targets = sync.targets.keys().map(String::as_str);
        let next_run = |source: &str| (shared.next_run)(source);
        let status = status::status(&sync.store, names, targets, next_run, clock::now())?;
        Ok(Json(status))
    })
    .await
}

/// Which portals.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Where {
    /// Only this portal.
    portal: Option<String>,
}

/// Why whoever has this key or id has or has not an account and a role.
#[utoipa::path(
    get, path = "/api/v1/explain/{key}", tag = "directory",
    params(("key" = String, Path, description = "A match key, or an id of the source"), Where),
    responses(
        (status = 200, description = "What is known", body = Explained),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn explain(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Query(place): Query<Where>,
) -> Result<Json<Explained>, Problem> {
    blocking(move || {
        let sync = shared.conductor.sync();
        let portals = match &place.portal {
            Some(name) => std::slice::from_ref(portal_named(&sync, name)?),
            None => &sync.portals,
        };
        let sources = sync.rules.clone();
        let explained = explain::explain(&sync.store, &sync.history, sources, portals, &key)?;
        Ok(Json(explained))
    })
    .await
}
