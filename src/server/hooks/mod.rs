//! `/hooks/okta/{source}`: a source says that something changed there.
//!
//! That is a ping and never data: it asks the conductor for a run of this source, and
//! `pings` sees to it that many pings are few runs. Who has not the secret is counted and sent
//! away before the body is read.

mod pings;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::input::Path;
use super::problem::Problem;
use super::{BODY_BYTES, Shared};
use crate::config::{SecretError, Settings, SourceKind};
pub use pings::Pings;

/// The header of the one request by which Okta asks whether the hook is ours.
const CHALLENGE: &str = "x-okta-verification-challenge";

/// The longest challenge that is sent back; Okta's are a fraction of it.
const CHALLENGE_BYTES: usize = 512;

/// How long a ping may take to arrive: Okta waits for its answer no longer.
const PING_WAIT: Duration = Duration::from_secs(3);

/// The sources that may ping, each with the digest of its secret. Digests are compared in
/// constant time.
pub struct Hooks(BTreeMap<String, blake3::Hash>);

impl Hooks {
    pub fn of(settings: &Settings) -> Result<Hooks, SecretError> {
        let mut hooks = BTreeMap::new();
        for (name, source) in &settings.sources {
            let SourceKind::Okta(okta) = &source.kind else {
                continue;
            };
            if let Some(secret) = &okta.hook_secret {
                let digest = blake3::hash(secret.read()?.expose().as_bytes());
                hooks.insert(name.to_string(), digest);
            }
        }
        Ok(Hooks(hooks))
    }

    fn of_source(&self, source: &str) -> Result<blake3::Hash, Problem> {
        let hook = self.0.get(source).copied();
        hook.ok_or_else(|| {
            Problem::not_there("no source of this name has a 'hook_secret', so it has no hook")
        })
    }
}

pub fn okta() -> MethodRouter<Shared> {
    get(verify).post(ping)
}

/// Answers the request that Okta sends once, when the hook is verified.
async fn verify(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    shared.access().hooks.of_source(&source)?;
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
    let secret = shared.access().hooks.of_source(&source)?;
    let sent = request.headers().get(AUTHORIZATION);
    if sent.map(|value| blake3::hash(value.as_bytes())) != Some(secret) {
        shared.metrics.ping(&source, "forged");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the Authorization header is not this source's 'hook_secret'",
        ));
    }
    // Nothing in the body is used; it is taken so that the connection can go on.
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES);
    if !matches!(tokio::time::timeout(PING_WAIT, body).await, Ok(Ok(_))) {
        shared.metrics.ping(&source, "broken");
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body is too large, too slow, or broken off",
        ));
    }
    let result = shared.pings.take(&source, &shared.conductor);
    shared.metrics.ping(&source, result);
    Ok(StatusCode::NO_CONTENT)
}
