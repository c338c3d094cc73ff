//! Refusals in Graph's error shape.

use serde_json::json;

use super::select::Of;
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::ids;
use crate::reply::Reply;

/// A refusal: status, code, message.
#[derive(Debug, Clone)]
pub struct Denied {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub headers: Vec<(String, String)>,
}

impl Denied {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    pub fn page_size() -> Self {
        Self::bad_request("Invalid page size specified. Must be between 1 and 999 inclusive.")
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub fn not_found(id: &str) -> Self {
        Self::new(
            404,
            "Request_ResourceNotFound",
            format!(
                "Resource '{id}' does not exist or one of its queried reference-property objects \
                 are not present."
            ),
        )
    }

    pub fn no_such_path(path: &str) -> Self {
        Self::bad_request(format!("Resource not found for the segment '{path}'."))
    }

    pub fn not_implemented(name: &str) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("'{name}' cannot be read from a collection."),
        )
    }

    pub fn unknown_property(name: &str, of: Of) -> Self {
        let kind = match of {
            Of::Users => "user",
            Of::Groups => "group",
        };
        Self::bad_request(format!(
            "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
        ))
    }

    pub fn bad_expand(text: &str) -> Self {
        Self::bad_request(format!("Expanding '{text}' is not supported here."))
    }

    pub fn permission() -> Self {
        Self::new(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    pub fn token(message: &str) -> Self {
        let mut denied = Self::new(401, "InvalidAuthenticationToken", message);
        denied.headers.push((
            "www-authenticate".to_owned(),
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\""
                .to_owned(),
        ));
        denied
    }

    pub fn stale_page() -> Self {
        Self::new(
            400,
            "Directory_ExpiredPageToken",
            "The specified page token value has expired and can no longer be included in your request.",
        )
    }

    /// As an answer to a request.
    pub fn reply(self, call: &Call, now: Millis) -> Reply {
        let stamp = clock::iso_seconds(now);
        let mut inner = json!({
            "date": stamp.trim_end_matches('Z'),
            "request-id": request_id(now),
        });
        if let Some(theirs) = call.header("client-request-id") {
            inner["client-request-id"] = theirs.into();
        }
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": inner,
        }});
        let mut reply = Reply::json(self.status, &body);
        reply.headers.extend(self.headers);
        reply
    }
}

/// A fresh id for an answer.
pub fn request_id(now: Millis) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    ids::Guid::seeded(now, 9, COUNT.fetch_add(1, Ordering::Relaxed)).to_string()
}
