//! Applivery's REST API, as far as it is public, with the refusals it is known for.
//!
//! A body with a field that the real one does not document is refused, so that a client that
//! guesses is found out. `org` is what there is, `control` how a test moves it.

pub mod control;
mod org;
mod people;

use std::sync::Mutex;
use std::time::Instant;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::reply::Reply;
use crate::world::World;
use org::{Org, PLATFORMS};

pub const ROOT: &str = "/v1/organizations";
pub const TOKEN: &str = "sim-applivery-token";
/// The organization's id and its slug: either names it.
pub const ORGANIZATION: &str = "5f00000000000000000000a1";
pub const SLUG: &str = "acme";

/// One organization.
#[derive(Debug, Default)]
pub struct Service {
    org: Mutex<Org>,
    bucket: Mutex<Option<Bucket>>,
}

/// Requests that may still be sent.
#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Service {
    fn lock(&self) -> std::sync::MutexGuard<'_, Org> {
        self.org
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Seconds to wait, if the budget is used up.
    fn throttle(&self, org: &Org) -> Option<u64> {
        let rate = org.rules.rate.as_ref()?;
        let mut bucket = self
            .bucket
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let bucket = bucket.get_or_insert(Bucket {
            left: rate.burst,
            filled: now,
        });
        let since = now.duration_since(bucket.filled).as_secs_f64();
        bucket.left = (bucket.left + since * rate.per_second).min(rate.burst);
        bucket.filled = now;
        if bucket.left < 1.0 {
            return Some(((1.0 - bucket.left) / rate.per_second).ceil() as u64);
        }
        bucket.left -= 1.0;
        None
    }
}

/// The class of a request: what it is about, and whether it writes.
pub fn class(method: &Method, path: &str) -> &'static str {
    let writes = method != Method::GET;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (parts.get(3..).unwrap_or_default(), writes) {
        (["mdm", "users", ..], false) => "applivery.users.read",
        (["mdm", "users", ..], true) => "applivery.users.write",
        (["mdm", _, "enterprise", "devices", ..], false) => "applivery.devices.read",
        (["mdm", _, "enterprise", "devices", ..], true) => "applivery.devices.write",
        (["mdm", _, "enterprise", "policies"], _) => "applivery.policies.read",
        (["collaborators", ..], false) => "applivery.collaborators.read",
        (["collaborators", ..] | ["oem", "users"], true) => "applivery.collaborators.write",
        (["employees", ..], false) => "applivery.employees.read",
        (["employees", ..], true) => "applivery.employees.write",
        _ => "applivery.other",
    }
}

/// A refusal in the API's shape.
pub fn error(status: u16, code: i64, message: &str) -> Reply {
    let body = json!({"status": false, "error": {"code": code, "message": message}});
    Reply::json(status, &body)
}

fn ok(data: Value) -> Reply {
    Reply::json(200, &json!({"status": true, "data": data}))
}

fn not_found() -> Reply {
    error(404, 3001, "Entity not found")
}

pub fn answer(world: &World, call: &Call) -> Reply {
    let service = &world.applivery;
    let mut org = service.lock();
    if let Some(seconds) = service.throttle(&org) {
        return error(429, 4290, "Too many requests").with("Retry-After", seconds.to_string());
    }
    match call.header("authorization") {
        None => return error(401, 4002, "No auth token"),
        Some(value) if value != format!("Bearer {TOKEN}") => {
            return error(401, 4001, "Unauthorized");
        }
        Some(_) => {}
    }
    let parts = call.parts(ROOT);
    let [organization, rest @ ..] = parts.as_slice() else {
        return not_found();
    };
    if ![ORGANIZATION, SLUG].contains(organization) {
        return not_found();
    }
    let body = || match call.json() {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(error(400, 5000, "The body is no JSON object")),
    };
    let written = match (call.method.as_str(), rest) {
        ("GET", ["mdm", "users"]) => Ok(list(call, org.mdm_users())),
        ("POST", ["mdm", "users"]) => body().and_then(|body| org.create_user(body)),
        ("PUT", ["mdm", "users", id]) => body().and_then(|body| org.update_user(id, body)),
        ("DELETE", ["mdm", "users", id]) => org.delete_user(id),
        ("GET", ["mdm", platform, "enterprise", "devices"]) if manages(&org, platform) => {
            Ok(list(call, org.devices(platform, call.option("mdm-user"))))
        }
        ("PUT", ["mdm", platform, "enterprise", "devices", id]) if manages(&org, platform) => {
            body().and_then(|body| org.update_device(platform, id, body))
        }
        ("DELETE", ["mdm", platform, "enterprise", "devices", id]) if manages(&org, platform) => {
            org.delete_device(platform, id)
        }
        ("GET", ["mdm", platform, "enterprise", "policies"]) if manages(&org, platform) => {
            Ok(list(call, org.policies(platform)))
        }
        ("GET", ["collaborators"]) => Ok(list(call, org.collaborators())),
        ("POST", ["oem", "users"]) => body().and_then(|body| org.create_collaborator(body)),
        ("PUT", ["collaborators", id]) => body().and_then(|body| org.update_collaborator(id, body)),
        ("DELETE", ["collaborators", id]) => org.delete_collaborator(id),
        ("GET", ["employees"]) => Ok(list(call, org.employees())),
        ("POST", ["employees"]) => body().and_then(|body| org.create_employees(body)),
        ("PUT", ["employees", id]) => body().and_then(|body| org.update_employee(id, body)),
        ("DELETE", ["employees", id]) => org.delete_employee(id),
        _ => Err(not_found()),
    };
    written.unwrap_or_else(|refusal| refusal)
}

fn manages(org: &Org, platform: &str) -> bool {
    PLATFORMS.contains(&platform) && !org.rules.without.iter().any(|other| other == platform)
}

/// One page of a list, by the query.
fn list(call: &Call, all: Vec<Value>) -> Reply {
    let number = |name: &str, default: usize| {
        let given = call.option(name).and_then(|text| text.parse().ok());
        given.unwrap_or(default).max(1)
    };
    let (page, limit) = (number("page", 1), number("limit", 10).min(100));
    let email = call.option("email").map(str::to_lowercase);
    let all: Vec<Value> = all
        .into_iter()
        .filter(|item| {
            let email_of = [
                &item["email"],
                &item["user"]["email"],
                &item["employee"]["email"],
            ]
            .into_iter()
            .find_map(Value::as_str)
            .map(str::to_lowercase);
            email.is_none() || email == email_of
        })
        .collect();
    let total = all.len();
    let pages = total.div_ceil(limit).max(1);
    let items: Vec<Value> = all
        .into_iter()
        .skip((page - 1) * limit)
        .take(limit)
        .collect();
    let (has_next, has_prev) = (page < pages, page > 1);
    ok(json!({
        "items": items, "totalDocs": total, "limit": limit, "page": page, "totalPages": pages,
        "hasPrevPage": has_prev, "hasNextPage": has_next,
        "prevPage": has_prev.then(|| page - 1), "nextPage": has_next.then(|| page + 1),
    }))
}

/// Refuses a body that has a field the documentation does not name.
fn only(body: &Map<String, Value>, names: &[&str]) -> Result<(), Reply> {
    match body.keys().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(error(
            400,
            5120,
            &format!("No field '{name}' can be written"),
        )),
    }
}
