//! The API: what programs ask for and may change. Every route is described where it is, and
//! `openapi` puts the descriptions together.

pub mod devices;
pub mod events;
pub mod portals;
pub mod runs;
pub mod status;
pub mod sync;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};

use super::problem::Problem;
use super::{Shared, access, openapi};
use crate::answers;
use crate::rules::Portal;
use crate::sync::Sync;

/// The routes below `/api`.
pub fn routes() -> Router<Shared> {
    let quick = Router::new()
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/runs", get(runs::list))
        .route("/v1/runs/{id}", get(runs::one))
        .route("/v1/runs/{id}/report", get(runs::report))
        .route("/v1/status", get(status::status))
        .route("/v1/explain/{key}", get(status::explain))
        .route("/v1/events", get(events::list))
        .route("/v1/portals/{portal}/accounts", get(portals::accounts))
        .route("/v1/portals/{portal}/accounts/{key}", get(portals::account))
        .route("/v1/portals/{portal}/groups", get(portals::groups))
        .route("/v1/portals/{portal}/devices", get(devices::list))
        .route(
            "/v1/portals/{portal}/devices/{id}",
            put(devices::set).delete(devices::remove),
        )
        .route("/v1/portals/{portal}/policies", get(devices::policies))
        .route(
            "/v1/portals/{portal}/policies/{name}",
            put(devices::set_policy).delete(devices::remove_policy),
        )
        .layer(from_fn(access::in_time));
    // These may wait for a run, which takes as long as it takes.
    Router::new()
        .route("/v1/sync", post(sync::sync))
        .route("/v1/runs/{id}/approve", post(runs::approve))
        .route("/v1/runs/{id}/discard", post(runs::discard))
        .merge(quick)
}

/// The portal of that name.
fn portal_named<'a>(sync: &'a Sync, name: &str) -> Result<&'a Portal, Problem> {
    let names = sync.portals.iter().map(|portal| portal.name.as_str());
    answers::known("portal", names, name)?;
    let found = sync.portals.iter().find(|portal| portal.name == name);
    Ok(found.expect("it is known"))
}
