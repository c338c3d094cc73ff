//! What is done around every request: an id, a line in the log, a limit to how long it takes,
//! and an answer even where the code fails.
//!
//! The log names the route, not the path: paths hold the keys of people.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a proxy.
const ID_BYTES: usize = 64;

/// How long a request may take to be answered. Waiting for a run is another matter.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Gives the request an id, or keeps the one that a proxy gave it, and logs what came of it.
pub async fn log(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut answer = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = answer.status().as_u16();
    let took = began.elapsed();
    shared.metrics.request(&method, route, status, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let id_text = id.to_str().unwrap_or_default();
    // Who watches asks every few seconds, and a client that pushes thousands of times a second;
    // what it sent lately is with the inspector.
    let pushed = route.starts_with("/scim/") && status < 400;
    if pushed || matches!(route, "/healthz" | "/readyz" | "/metrics") {
        tracing::debug!(
            request.id = id_text,
            status,
            took_ms,
            "{method} {route} {status}"
        );
    } else {
        tracing::info!(
            request.id = id_text,
            status,
            took_ms,
            "{method} {route} {status}"
        );
    }
    answer.headers_mut().insert(REQUEST_ID, id);
    answer
}

fn id_of(request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID);
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        !bytes.is_empty() && bytes.len() <= ID_BYTES && bytes.iter().all(fits)
    };
    given.filter(plain).cloned().unwrap_or_else(|| {
        let id = ulid::Ulid::from_parts(
            u64::try_from(crate::clock::now().as_millisecond()).unwrap_or(0),
            rand::random(),
        );
        HeaderValue::from_str(&id.to_string()).expect("an id is plain text")
    })
}

/// Answers for a request that takes too long.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WAIT, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            let detail = format!("there was no answer within {} s", ANSWER_WAIT.as_secs());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
        }
    }
}

/// Answers for a request whose handling panicked. The panic's own text may hold anything.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("the handling of a request panicked; this is a bug");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "something went wrong in rosterd; the log says more").into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_problem_that_gives_nothing_away() {
        async fn fails() -> &'static str {
            panic!("jane@contoso.com")
        }
        let routes = Router::new()
            .route("/", get(fails))
            .layer(CatchPanicLayer::custom(panicked));
        let answer = routes.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(answer.into_body(), 10_000)
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains("jane"), "{text}");
    }
}
