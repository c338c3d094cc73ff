//! Making a right answer wrong, as a fault rule asks.
//!
//! What changes the JSON or the status happens here and also inside batches; what tears the
//! connection is left to the server, which owns it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::call::Call;
use crate::faults::{Kind, Trouble};
use crate::reply::Reply;
use crate::world::World;
use crate::{applivery, graph, okta, provider};

/// Which vendor a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    Graph,
    Okta,
    Applivery,
    Scim,
}

impl Vendor {
    pub fn of(path: &str) -> Self {
        if path.starts_with(provider::ROOT) {
            Self::Scim
        } else if path.starts_with(okta::ROOT) || path.starts_with("/oauth2/v1/") {
            Self::Okta
        } else if path.starts_with(applivery::ROOT) {
            Self::Applivery
        } else {
            Self::Graph
        }
    }
}

/// Answers a request under a fault that changes the answer itself. `right` gives the right one.
pub fn inner(
    world: &World,
    call: &Call,
    trouble: &Trouble,
    right: impl FnOnce() -> Reply,
) -> Reply {
    let vendor = Vendor::of(&call.path);
    match trouble.kind {
        Kind::Status => status(world, call, trouble, vendor),
        Kind::Belated => {
            let _ = right();
            status(world, call, trouble, vendor)
        }
        Kind::ExpireToken => match vendor {
            Vendor::Graph => {
                graph::Denied::token("Lifetime validation failed, the token is expired.")
                    .reply(call, world.clock.now())
            }
            Vendor::Okta => okta::error(401, "E0000011", "Invalid token provided"),
            Vendor::Applivery => applivery::error(401, 4001, "Unauthorized"),
            Vendor::Scim => provider::error(401),
        },
        Kind::Gone => graph::gone(world, call),
        Kind::Html => Reply::bytes(
            200,
            "text/html; charset=utf-8",
            Bytes::from_static(
                b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>",
            ),
        ),
        Kind::Truncate => {
            let mut reply = right();
            let half = reply.body.len() / 2;
            reply.body.truncate(half);
            reply
        }
        Kind::Short | Kind::Empty | Kind::Endless => collection(world, call, trouble, right()),
        Kind::Drop | Kind::Drip | Kind::Stall | Kind::ResetConn => right(),
    }
}

fn status(world: &World, call: &Call, trouble: &Trouble, vendor: Vendor) -> Reply {
    let status = trouble.status.unwrap_or(503);
    let mut reply = match trouble.body.as_deref() {
        Some("html") => Reply::bytes(
            status,
            "text/html",
            format!("<html><body><h1>{status}</h1></body></html>").into(),
        ),
        Some("empty") => Reply::empty(status),
        _ => match vendor {
            Vendor::Graph => {
                let code = trouble.code.as_deref().unwrap_or(match status {
                    400 => "Request_BadRequest",
                    401 => "InvalidAuthenticationToken",
                    403 => "Authorization_RequestDenied",
                    404 => "Request_ResourceNotFound",
                    410 => "syncStateNotFound",
                    429 => "TooManyRequests",
                    503 => "serviceNotAvailable",
                    504 => "UnknownError",
                    _ => "generalException",
                });
                graph::Denied::new(status, code, "Spoiled on purpose.")
                    .reply(call, world.clock.now())
            }
            Vendor::Okta => {
                let code = trouble.code.as_deref().unwrap_or(match status {
                    400 => "E0000001",
                    401 => "E0000011",
                    403 => "E0000006",
                    404 => "E0000007",
                    429 => "E0000047",
                    503 => "E0000010",
                    _ => "E0000009",
                });
                okta::error(status, code, "Spoiled on purpose.")
            }
            Vendor::Applivery => {
                let code = trouble.code.as_deref().and_then(|code| code.parse().ok());
                applivery::error(status, code.unwrap_or(9999), "Spoiled on purpose.")
            }
            Vendor::Scim => provider::error(status),
        },
    };
    if let Some(wait) = &trouble.retry_after {
        reply = reply.with("Retry-After", wait.clone());
    }
    reply
}

fn collection(world: &World, call: &Call, trouble: &Trouble, mut reply: Reply) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else {
        return reply;
    };
    let here = format!("{}{}", call.base, call.target);
    let items = match &mut body {
        Value::Array(items) => Some(items),
        Value::Object(object) => object.get_mut("value").and_then(Value::as_array_mut),
        _ => None,
    };
    let Some(items) = items else {
        return reply;
    };
    match trouble.kind {
        Kind::Short => {
            let keep = trouble.keep.unwrap_or(items.len() / 2);
            items.truncate(keep);
        }
        Kind::Empty => {
            items.clear();
            reply.headers.retain(|(name, value)| {
                !(name.eq_ignore_ascii_case("link") && value.contains("rel=\"next\""))
            });
            if let Some(object) = body.as_object_mut()
                && object.remove("@odata.nextLink").is_some()
                && let Some(link) = graph::latest_link(world, call)
            {
                object.insert("@odata.deltaLink".to_owned(), link.into());
            }
        }
        Kind::Endless => {
            if let Some(object) = body.as_object_mut() {
                object.remove("@odata.deltaLink");
                object.insert("@odata.nextLink".to_owned(), json!(here));
            } else {
                reply.headers.retain(|(name, value)| {
                    !(name.eq_ignore_ascii_case("link") && value.contains("rel=\"next\""))
                });
                reply = reply.with("link", format!("<{here}>; rel=\"next\""));
            }
        }
        _ => {}
    }
    reply.body = body.to_string().into();
    reply
}
