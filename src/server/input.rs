//! What a request carries, taken strictly: whatever does not fit is answered with a problem.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::BODY_BYTES;
use super::body::{self, NoBody};
use super::problem::Problem;

/// How long a body may take to arrive. A megabyte takes a slow line less.
const BODY_WAIT: Duration = Duration::from_secs(15);

/// A JSON body. No body at all is an empty object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let body = body::read(&head.headers, body, BODY_BYTES, BODY_WAIT).await;
        let body = body.map_err(|none| match none {
            NoBody::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {BODY_BYTES} bytes"),
            ),
            NoBody::TooSlow => {
                let detail = format!("the body did not arrive within {} s", BODY_WAIT.as_secs());
                Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
            }
            NoBody::BrokenOff => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
        })?;
        if body.is_empty() {
            return read(b"{}");
        }
        if !is_json(&head.headers) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON; send it with 'Content-Type: application/json'",
            ));
        }
        read(&body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Json<T>, Problem> {
    let unusable = |error: serde_json::Error| {
        let status = match error.classify() {
            Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            Category::Syntax | Category::Eof | Category::Io => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, format!("the body cannot be used: {error}"))
    };
    let found = serde_json::from_slice(body).map_err(unusable)?;
    // A list of a struct's values would do for it too, and mean what nobody has written down.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::unprocessable("the body must be a JSON object"));
    }
    Ok(Json(found))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next();
    kind.unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/json")
}

/// The query of a URL.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Query(query))
            .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))
    }
}

/// The parts of the path that a route leaves open.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Path(path))
            .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))
    }
}
