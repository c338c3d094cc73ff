//! Okta's event hooks: `/hooks/okta/{source}`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::{Hook, Hooks};
use crate::server::Shared;
use crate::server::input::Path;
use crate::server::problem::Problem;

/// The header of the one request by which Okta asks whether the hook is ours.
const CHALLENGE: &str = "x-okta-verification-challenge";

/// The longest challenge that is sent back; Okta's are a fraction of it.
const CHALLENGE_BYTES: usize = 512;

pub fn okta() -> MethodRouter<Shared> {
    get(verify).post(ping)
}

impl Hooks {
    fn okta(&self, source: &str) -> Result<blake3::Hash, Problem> {
        match self.0.get(source) {
            Some(Hook::Okta(secret)) => Ok(*secret),
            _ => Err(Problem::not_there(
                "no source of this name has a 'hook_secret', so it has no hook",
            )),
        }
    }
}

/// Answers the request that Okta sends once, when the hook is verified.
async fn verify(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    shared.access().hooks.okta(&source)?;
    let challenge = headers.get(CHALLENGE).and_then(|text| text.to_str().ok());
    match challenge.filter(|text| text.len() <= CHALLENGE_BYTES) {
        Some(challenge) => Ok(Json(json!({ "verification": challenge }))),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "this is for Okta's verification, and the request has no usable challenge",
        )),
    }
}

/// Takes a ping.
async fn ping(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let secret = shared.access().hooks.okta(&source)?;
    let sent = request.headers().get(AUTHORIZATION);
    if sent.map(|value| blake3::hash(value.as_bytes())) != Some(secret) {
        shared.metrics.ping(&source, "forged");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the Authorization header is not this source's 'hook_secret'",
        ));
    }
    // Nothing in the body is used; it is taken so that the connection can go on.
    if let Err(problem) = super::body(request.into_body()).await {
        shared.metrics.ping(&source, "broken");
        return Err(problem);
    }
    let result = shared.pings.take(&source, &shared.conductor);
    shared.metrics.ping(&source, result);
    Ok(StatusCode::NO_CONTENT)
}
