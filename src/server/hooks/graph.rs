//! Graph's change notifications: `/hooks/graph/{source}`.
//!
//! One address for word of changes and for word about the subscriptions. It answers at once:
//! Graph sends less to whoever takes seconds.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};

use super::{Hook, Hooks};
use crate::server::Shared;
use crate::server::input::Path;
use crate::server::problem::Problem;
use crate::sources::graph::notice::{self, Notice};

pub fn graph() -> MethodRouter<Shared> {
    post(notified)
}

impl Hooks {
    fn graph(&self, source: &str) -> Result<blake3::Hash, Problem> {
        match self.0.get(source) {
            Some(Hook::Graph(_, secret)) => Ok(*secret),
            _ => Err(Problem::not_there(
                "no source of this name has 'notifications' switched on, so it has no hook",
            )),
        }
    }
}

/// Repeats a token that Graph asks to be repeated, or takes a notice.
async fn notified(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let secret = shared.access().hooks.graph(&source)?;
    if let Some(token) = notice::challenge(request.uri().query()) {
        shared.metrics.ping(&source, "validated");
        return Ok(repeated(token));
    }
    let broken = |problem| {
        shared.metrics.ping(&source, "broken");
        problem
    };
    let body = super::body(request.into_body()).await.map_err(broken)?;
    let notice = notice::read(&body, secret).map_err(|_| {
        broken(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body is no notification of Graph's",
        ))
    })?;
    if notice == Notice::default() {
        shared.metrics.ping(&source, "forged");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the 'clientState' is not the one that this source's subscriptions were made with",
        ));
    }
    let mut result = "subscription";
    if notice.subscriptions {
        shared.nudge.look();
    }
    if notice.changed {
        result = shared.pings.take(&source, &shared.conductor);
    }
    shared.metrics.ping(&source, result);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The token as it came, and as nothing but text: anybody may send one.
fn repeated(token: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, token).into_response()
}
