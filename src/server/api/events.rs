//! The feed of events: everything that subscribers are told, to be read on and on.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::events::{self, EventOut};
use crate::server::Shared;
use crate::server::input::Query;
use crate::server::page::{self, Page};
use crate::server::problem::{Document, Problem};
use crate::server::stream;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The target of kind events; may be left out where there is one.
    target: Option<String>,
    /// The id or sequence number of the last event that was read: those after it follow.
    after: Option<String>,
    /// The most items, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Events in their order. A reader goes on after the last one it has, for ever.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(Which),
    responses(
        (status = 200, description = "A page of events", body = Page<EventOut>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(shared): State<Shared>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = page::limit(which.limit)?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let outboxes = sync.targets.iter();
        let names: Vec<&str> = outboxes
            .filter(|(_, target)| target.outbox().is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        let target = events::target(&names, which.target.as_deref())?;
        let after = match &which.after {
            Some(after) => events::place(&sync.store, target, after)?,
            None => 0,
        };
        let rows = events::events(&sync.store, target, after);
        page::write(out, rows, limit, |event| event.id.clone())
    })
    .await)
}
