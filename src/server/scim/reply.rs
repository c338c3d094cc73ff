//! Answers, all in `application/scim+json`.

use std::any::Any;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use crate::scim::ScimError;
use crate::sync::push::{PushError, tag};

const TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Reply {
    pub fn empty(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub fn json(status: StatusCode, document: &impl Serialize) -> Reply {
        let body = serde_json::to_vec(document).expect("JSON is plain data");
        Reply {
            body: body.into(),
            ..Reply::empty(status)
        }
    }

    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What a client may compare.
    pub fn version(self, version: u64) -> Reply {
        self.with(ETAG, &tag(version))
    }

    pub fn location(self, location: &str) -> Reply {
        self.with(LOCATION, location)
    }

    pub fn allow(self, methods: &str) -> Reply {
        self.with(ALLOW, methods)
    }

    pub fn retry_after(self, seconds: u64) -> Reply {
        // Whole seconds: Okta takes nothing else.
        self.with(RETRY_AFTER, &seconds.to_string())
    }

    pub fn ask_for_token(self) -> Reply {
        self.with(WWW_AUTHENTICATE, "Bearer realm=\"rosterd SCIM\"")
    }

    fn with(mut self, name: HeaderName, value: &str) -> Reply {
        // Only ids, numbers and settings come here; what could not be a header is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// A header, for who takes an answer apart.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.to_str().ok())
    }

    pub fn into_response(self, method: &Method) -> Response {
        let body = match *method == Method::HEAD {
            true => Bytes::new(),
            false => self.body,
        };
        let empty = body.is_empty();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        if !empty {
            response.headers_mut().insert(CONTENT_TYPE, TYPE);
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<ScimError> for Reply {
    fn from(error: ScimError) -> Reply {
        let status = StatusCode::from_u16(error.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply::json(status, &error.document())
    }
}

impl From<PushError> for Reply {
    fn from(error: PushError) -> Reply {
        match error {
            PushError::Scim(error) => error.into(),
            PushError::Store(error) => {
                tracing::error!("a SCIM request failed: {error}");
                ours()
            }
        }
    }
}

/// What went wrong is ours, and none of the client's business.
pub fn ours() -> Reply {
    ScimError::new(500, "something went wrong in rosterd; its log says more").into()
}

/// Answers for a request whose handling panicked.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("the handling of a SCIM request panicked; this is a bug");
    ours().into_response(&Method::POST)
}
