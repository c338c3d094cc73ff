//! Pretend SCIM 2.0 service providers: what rosterd tells things to.
//!
//! `/scim/NAME/…` is a provider with the habits of the known one that NAME begins with, up to a
//! dot: `/scim/slack.two/Users` is a second Slack. Each remembers what it was told, refuses what
//! the real one's documentation says it refuses, and keeps a list of what no client should have
//! sent (`odd`).

pub mod control;
mod filter;
mod groups;
mod habits;
mod patch;
mod state;
mod users;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use axum::http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::Reply;
use habits::Habits;
use state::Provider;

/// Where all providers are.
pub const ROOT: &str = "/scim/";

/// The bearer token they take.
pub const TOKEN: &str = "sim-scim-token";

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Every provider that was ever asked, by name.
#[derive(Debug, Default)]
pub struct Service(Mutex<BTreeMap<String, Provider>>);

impl Service {
    /// Does something with a provider; it begins empty.
    pub fn with<T>(&self, name: &str, work: impl FnOnce(&mut Provider) -> T) -> T {
        let mut all = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let provider = all
            .entry(name.to_owned())
            .or_insert_with(|| Provider::new(Habits::of(name)));
        work(provider)
    }
}

/// A refusal, on its way to be an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct No {
    pub status: u16,
    pub scim_type: Option<&'static str>,
    pub detail: String,
}

impl No {
    pub fn new(status: u16, detail: impl Into<String>) -> No {
        No {
            status,
            scim_type: None,
            detail: detail.into(),
        }
    }

    pub fn typed(status: u16, scim_type: &'static str, detail: impl Into<String>) -> No {
        No {
            scim_type: Some(scim_type),
            ..No::new(status, detail)
        }
    }

    fn reply(self) -> Reply {
        let mut body = json!({
            "schemas": [ERROR], "status": self.status.to_string(), "detail": self.detail,
        });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.into();
        }
        Reply::json(self.status, &body)
    }
}

/// The error of a spoiled answer.
pub fn error(status: u16) -> Reply {
    No::new(status, "Spoiled on purpose.").reply()
}

/// The endpoint class of a request.
pub fn class(method: &Method, path: &str) -> &'static str {
    let reads = method == Method::GET;
    let list = path.split('/').nth(3).unwrap_or_default();
    match (list, reads) {
        ("Users", true) => "scim.users.read",
        ("Users", false) => "scim.users.write",
        ("Groups", true) => "scim.groups.read",
        ("Groups", false) => "scim.groups.write",
        _ => "scim.other",
    }
}

pub fn answer(service: &Service, call: &Call) -> Reply {
    let parts = call.parts(ROOT);
    let Some((name, rest)) = parts.split_first() else {
        return No::new(404, "No such path.").reply();
    };
    service.with(name, |provider| {
        provider.watch(call);
        if call.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return No::new(401, "The token is not known here.").reply();
        }
        if provider.habits.wants_user_agent && call.header("user-agent").is_none() {
            return No::new(403, "Requests need a User-Agent.").reply();
        }
        if let Some(wait) = provider.limited(&call.method, rest, Instant::now()) {
            return No::new(429, "Too many requests.")
                .reply()
                .with("Retry-After", wait.to_string());
        }
        let body = match (call.method.clone(), call.body.is_empty()) {
            (Method::POST | Method::PUT | Method::PATCH, _) => match call.json() {
                Some(body @ Value::Object(_)) => body,
                _ => return No::typed(400, "invalidSyntax", "The body is no object.").reply(),
            },
            _ => Value::Null,
        };
        match route(provider, call, rest, body) {
            Ok(reply) => reply,
            Err(no) => no.reply(),
        }
    })
}

fn route(provider: &mut Provider, call: &Call, parts: &[&str], body: Value) -> Result<Reply, No> {
    if parts.first() == Some(&"Groups") && !provider.habits.groups {
        return Err(No::new(404, "Group sync is not enabled."));
    }
    match (call.method.as_str(), parts) {
        ("GET", ["ServiceProviderConfig"]) if provider.habits.config => Ok(Reply::json(
            200,
            &json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": {"supported": provider.habits.patch},
                "filter": {"supported": true, "maxResults": 1000},
            }),
        )),
        ("GET", ["Users"]) => users::list(provider, call),
        ("POST", ["Users"]) => users::create(provider, &body),
        ("GET", ["Users", id]) => users::read(provider, id),
        ("PUT", ["Users", id]) => users::replace(provider, id, &body),
        ("PATCH", ["Users", id]) => users::patch(provider, id, &body),
        ("DELETE", ["Users", id]) => users::delete(provider, id),
        ("GET", ["Groups"]) => groups::list(provider, call),
        ("POST", ["Groups"]) => groups::create(provider, &body),
        ("GET", ["Groups", id]) => groups::read(provider, id, call),
        ("PUT", ["Groups", id]) => groups::replace(provider, id, &body),
        ("PATCH", ["Groups", id]) => groups::patch(provider, id, &body),
        ("DELETE", ["Groups", id]) => groups::delete(provider, id),
        _ => Err(No::new(404, "No such path.")),
    }
}

/// A page of a list.
fn page(provider: &Provider, call: &Call, all: Vec<Value>) -> Reply {
    let number = |name: &str| {
        call.option(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let total = all.len();
    let (start, count) = match provider.habits.pages {
        // It takes no notice of where the client wants to begin.
        false => (1, 50),
        true => (
            number("startIndex").unwrap_or(1).max(1),
            number("count")
                .unwrap_or(100)
                .min(provider.habits.longest_page),
        ),
    };
    let items: Vec<Value> = all.into_iter().skip(start - 1).take(count).collect();
    let mut list = json!({
        "schemas": [LIST], "totalResults": total, "startIndex": start,
        "itemsPerPage": items.len(),
    });
    // Some leave the list out where it is empty.
    if !items.is_empty() || provider.habits.pages {
        list["Resources"] = items.into();
    }
    Reply::json(200, &list)
}
