//! Whether the process is well, and whether it can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Shared;
use super::problem::Problem;
use super::stream::blocking;
use crate::store::runs::HELD_NOTE;

/// The process is there and answers.
pub async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The store can be read: everything else follows from it, or is the world's affair.
pub async fn readyz(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let store = &shared.conductor.sync().store;
        store.note(HELD_NOTE).map_err(|error| {
            let detail = format!("the store cannot be read: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })
    })
    .await?;
    Ok(Json(json!({ "status": "ready" })))
}
