//! What a client asks, taken apart: the method, where, and a body that is JSON.
//!
//! What a client can make us hold or wait for is bounded here.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, Method};
use bytes::Bytes;
use serde_json::Value;

use crate::scim::{Query, ScimError};
use crate::server::body::{self, NoBody};
use crate::sync::push::IfMatch;

/// The largest body: a group of some 50,000 members in one request, or a large bulk.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;

/// How long a client may take to send a body.
const BODY_WAIT: Duration = Duration::from_secs(20);

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    /// What stands between the slashes, behind the base.
    pub path: Vec<String>,
    pub query: Query,
    pub if_match: IfMatch,
    /// Versions that the client has already; a star is any.
    pub if_none_match: Option<IfMatch>,
    pub body: Option<Value>,
    /// Whether it is answered by itself, and what it wrote has to be durable before.
    pub alone: bool,
}

/// Reads a request whole. The outer error is one before there is a body; the inner one comes
/// with what was sent.
pub async fn read(
    rest: &str,
    query: &str,
    request: Request,
) -> Result<(Result<Call, ScimError>, Bytes), ScimError> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let sent = match body::read(headers, body, BODY_BYTES, BODY_WAIT).await {
        Ok(sent) => sent,
        // Who is gone hears no answer.
        Err(NoBody::TooLarge | NoBody::BrokenOff) => {
            let text = format!("a body is at most {BODY_BYTES} bytes");
            return Err(ScimError::new(413, text));
        }
        Err(NoBody::TooSlow) => {
            let text = format!("the body did not come within {} s", BODY_WAIT.as_secs());
            return Err(ScimError::new(408, text));
        }
    };
    let call = understood(rest, query, &head.method, headers, &sent);
    Ok((call, sent))
}

fn understood(
    rest: &str,
    query: &str,
    method: &Method,
    headers: &HeaderMap,
    sent: &[u8],
) -> Result<Call, ScimError> {
    let body = match sent.is_empty() {
        true => None,
        false => {
            is_json(headers)?;
            Some(serde_json::from_slice(sent).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                let text = format!("the body is no JSON: line {line}, column {column}");
                ScimError::syntax(text)
            })?)
        }
    };
    let none_match = headers
        .get(IF_NONE_MATCH)
        .map(|_| versions(headers, &IF_NONE_MATCH));
    Ok(Call {
        method: method.clone(),
        path: rest
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        query: Query::from_pairs(url::form_urlencoded::parse(query.as_bytes()))?,
        if_match: versions(headers, &IF_MATCH),
        if_none_match: none_match,
        body,
        alone: true,
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), ScimError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/scim+json" | "application/json" => Ok(()),
        _ => Err(ScimError::new(
            415,
            "a body is application/scim+json, and its Content-Type says so",
        )),
    }
}

/// The versions in a header of entity tags. One that is none of ours fits nothing.
fn versions(headers: &HeaderMap, name: &HeaderName) -> IfMatch {
    let mut found = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        let Ok(text) = value.to_str() else { continue };
        given = true;
        for tag in text.split(',').map(str::trim) {
            if tag == "*" {
                return IfMatch(None);
            }
            found.extend(version(tag));
        }
    }
    IfMatch(given.then_some(found))
}

/// The version that an entity tag stands for. Weak and strong ones compare alike here: a
/// version is a number that goes up.
pub fn version(tag: &str) -> Option<u64> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}
