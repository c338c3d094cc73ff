//! Errors as RFC 9457 has them: whatever goes wrong is answered in this one shape.

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::AnswerError;
use crate::sync::{Busy, RunError};

const TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong, as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What failed, where, and what to do.
    detail: String,
}

/// What went wrong.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            header: None,
        }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Problem {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// The caller did not say who they are, or said it wrong.
    pub fn unauthorized(detail: &str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, detail)
            .with(WWW_AUTHENTICATE, "Bearer realm=\"rosterd\"")
    }

    pub fn not_there(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// It is well-formed, but cannot be done.
    pub fn unprocessable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// What went wrong is ours. It is logged here.
    pub fn ours(error: &dyn std::error::Error) -> Problem {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            if !detail.contains(&next.to_string()) {
                detail = format!("{detail}: {next}");
            }
            cause = next.source();
        }
        tracing::error!("a request failed: {detail}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    fn document(&self) -> Document {
        Document {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
        }
    }

    /// The document without its last brace, for who adds a member to it.
    pub fn opened(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(&self.document()).expect("it is plain text");
        text.pop();
        text
    }

    /// The headers that a problem of any kind has.
    pub fn headers() -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, TYPE)])
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = (self.status, Json(self.document())).into_response();
        answer.headers_mut().insert(CONTENT_TYPE, TYPE);
        if let Some((name, value)) = self.header {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Problem {
        match error {
            AnswerError::NotThere(text) => Problem::not_there(text),
            AnswerError::InTheWay(text) => Problem::new(StatusCode::CONFLICT, text),
            AnswerError::LeadsNowhere(text) => Problem::unprocessable(text),
            AnswerError::Store(_)
            | AnswerError::Run(_)
            | AnswerError::Plan(_)
            | AnswerError::Target(_) => Problem::ours(&error),
        }
    }
}

impl From<&RunError> for Problem {
    fn from(error: &RunError) -> Problem {
        match error {
            RunError::Stopped => {
                let later = Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
                later.with(RETRY_AFTER, "5")
            }
            RunError::Asked(text) => Problem::unprocessable(text.clone()),
            RunError::NotHeld { .. } => Problem::new(StatusCode::CONFLICT, error.to_string()),
            // Whoever ran it has logged it.
            error => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, busy.to_string()).with(RETRY_AFTER, "5")
    }
}

/// The answer where there is no such route.
pub async fn no_route(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::not_there(detail)
}

/// The answer where a route has no such method. axum says beside it which it has.
pub async fn no_method(method: Method) -> Problem {
    let detail = format!("{method} is not possible here; the {ALLOW} header says what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
