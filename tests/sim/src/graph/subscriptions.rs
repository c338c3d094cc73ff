//! `/subscriptions`: kept, validated and notified over plain HTTP.
//!
//! Creation waits for the validation handshake, as the real service does. Only `http://` URLs are
//! called; others are stored without a word. `clientState` is in notifications and in no answer.

use std::sync::Mutex;

use axum::http::Method;
use serde_json::{Value, json};

use super::denied::Denied;
use super::tenant::TENANT_ID;
use super::{Outcome, may};
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::control::{Answer, fail};
use crate::ids::Guid;
use crate::notify;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

/// The longest life of a subscription on directory objects.
const LONGEST_MINUTES: u64 = 41_760;

/// The subscriptions of the tenant.
#[derive(Debug, Default)]
pub struct Subscriptions(Mutex<Vec<Value>>);

impl Subscriptions {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends word of a change to whoever subscribed to `Users/…` or `Groups/…`.
    pub fn tell(&self, now: Millis, change_type: &str, collection: &str, id: &str) {
        let kind = match collection {
            "Users" => "#Microsoft.Graph.User",
            _ => "#Microsoft.Graph.Group",
        };
        for one in self.lock().iter() {
            let resource = one["resource"]
                .as_str()
                .unwrap_or_default()
                .trim_matches('/');
            let whole = resource.eq_ignore_ascii_case(collection);
            let single = resource.eq_ignore_ascii_case(&format!("{collection}/{id}"));
            let types = one["changeType"].as_str().unwrap_or_default();
            let wanted = types.split(',').any(|one| one.trim() == change_type);
            let alive = one["expirationDateTime"]
                .as_str()
                .and_then(clock::parse)
                .is_some_and(|end| end > now);
            if !(whole || single) || !wanted || !alive {
                continue;
            }
            let body = json!({"value": [{
                "subscriptionId": one["id"],
                "subscriptionExpirationDateTime": one["expirationDateTime"],
                "clientState": one["clientState"],
                "changeType": change_type,
                "resource": format!("{collection}/{id}"),
                "tenantId": TENANT_ID,
                "resourceData": {
                    "@odata.type": kind,
                    "@odata.id": format!("{collection}/{id}"),
                    "id": id,
                    "organizationId": TENANT_ID,
                    "sequenceNumber": now,
                },
            }]});
            if let Some(url) = one["notificationUrl"].as_str() {
                notify::send(url, body.to_string());
            }
        }
    }

    /// Drops those that have run out.
    fn sweep(&self, now: Millis) {
        self.lock().retain(|one| {
            one["expirationDateTime"]
                .as_str()
                .and_then(clock::parse)
                .is_some_and(|end| end > now)
        });
    }
}

/// Answers any request under `/subscriptions`.
pub fn answer(world: &World, settings: &Settings, call: &Call, rest: &[&str]) -> Outcome {
    let now = world.clock.now();
    let all = &world.graph.subscriptions;
    all.sweep(now);
    let found = |id: &str| all.lock().iter().position(|one| one["id"] == id);
    match (call.method.clone(), rest) {
        (Method::GET, []) => {
            let value: Vec<Value> = all.lock().iter().map(shown).collect();
            Ok(Reply::json(200, &json!({ "value": value })))
        }
        (Method::POST, []) => create(world, settings, call, now),
        (Method::GET, [id]) => {
            let at = found(id).ok_or_else(|| Denied::not_found(id))?;
            Ok(Reply::json(200, &shown(&all.lock()[at])))
        }
        (Method::PATCH, [id]) => {
            let at = found(id).ok_or_else(|| Denied::not_found(id))?;
            let body = call.json().unwrap_or(Value::Null);
            let end = expiration(settings, &body, now)?;
            let mut list = all.lock();
            list[at]["expirationDateTime"] = end.into();
            Ok(Reply::json(200, &shown(&list[at])))
        }
        (Method::POST, [id, "reauthorize"]) => {
            found(id).ok_or_else(|| Denied::not_found(id))?;
            Ok(Reply::empty(204))
        }
        (Method::DELETE, [id]) => {
            let at = found(id).ok_or_else(|| Denied::not_found(id))?;
            all.lock().remove(at);
            Ok(Reply::empty(204))
        }
        _ => Err(Denied::new(
            405,
            "BadRequest",
            "Specified HTTP method is not allowed.",
        )),
    }
}

/// A subscription as the API shows it.
fn shown(one: &Value) -> Value {
    let mut shown = one.clone();
    shown["clientState"] = Value::Null;
    shown
}

/// `/sim/graph/subscriptions…`: shows them whole, removes them, sends lifecycle notifications.
pub fn control(world: &World, method: &Method, parts: &[&str], body: &Value) -> Answer {
    let all = &world.graph.subscriptions;
    all.sweep(world.clock.now());
    let (id, action) = match parts {
        [] if method == Method::GET => return Ok(Value::Array(all.lock().clone())),
        [id, action @ ..] => (*id, action),
        [] => return Err((404, "no such control".to_owned())),
    };
    let found = all.lock().iter().position(|one| one["id"] == id);
    let at = found.ok_or_else(|| (404, format!("no subscription {id}")))?;
    match (method.as_str(), action) {
        ("DELETE", []) => {
            all.lock().remove(at);
        }
        ("POST", ["lifecycle"]) => {
            let event = body["event"].as_str().ok_or_else(|| fail("no event"))?;
            let one = match event {
                "subscriptionRemoved" => all.lock().remove(at),
                _ => all.lock()[at].clone(),
            };
            let notice = json!({"value": [{
                "subscriptionId": one["id"],
                "subscriptionExpirationDateTime": one["expirationDateTime"],
                "clientState": one["clientState"],
                "lifecycleEvent": event,
                "tenantId": TENANT_ID,
            }]});
            if let Some(url) = one["lifecycleNotificationUrl"].as_str() {
                notify::send(url, notice.to_string());
            }
        }
        _ => return Err((404, "no such control".to_owned())),
    }
    Ok(json!({}))
}

fn expiration(settings: &Settings, body: &Value, now: Millis) -> Result<String, Denied> {
    let text = body["expirationDateTime"].as_str().unwrap_or_default();
    let end = clock::parse(text)
        .ok_or_else(|| Denied::new(400, "ValidationError", "expirationDateTime is missing."))?;
    if end <= now || end > now + LONGEST_MINUTES * 60_000 {
        return Err(Denied::new(
            400,
            "ValidationError",
            format!("Subscription expiration can only be {LONGEST_MINUTES} minutes in the future."),
        ));
    }
    let most = match settings.subscription_life_s {
        0 => end,
        seconds => now + seconds * 1_000,
    };
    Ok(clock::iso(end.min(most)))
}

fn create(world: &World, settings: &Settings, call: &Call, now: Millis) -> Outcome {
    let body = call
        .json()
        .ok_or_else(|| Denied::new(400, "ValidationError", "No JSON body."))?;
    let resource = body["resource"]
        .as_str()
        .unwrap_or_default()
        .trim_matches('/')
        .to_lowercase();
    match resource.split('/').next() {
        Some("users") => may(settings, &["User.Read.All"])?,
        Some("groups") => may(settings, &["Group.Read.All", "GroupMember.Read.All"])?,
        _ => {
            return Err(Denied::new(
                400,
                "ValidationError",
                "Resource is not supported.",
            ));
        }
    }
    let types = body["changeType"].as_str().unwrap_or_default();
    if types.is_empty()
        || !types
            .split(',')
            .all(|one| matches!(one.trim(), "updated" | "deleted"))
    {
        return Err(Denied::new(
            400,
            "ValidationError",
            "changeType is not supported here.",
        ));
    }
    if body["clientState"]
        .as_str()
        .is_some_and(|state| state.len() > 128)
    {
        return Err(Denied::new(
            400,
            "ValidationError",
            "clientState is too long.",
        ));
    }
    let end = expiration(settings, &body, now)?;
    for name in ["notificationUrl", "lifecycleNotificationUrl"] {
        let Some(url) = body[name].as_str() else {
            continue;
        };
        let token = format!("Validation: {} +/=", Guid::seeded(now, 12, 0));
        if url.starts_with("http://") && notify::validate(url, &token) != Some(token) {
            return Err(Denied::new(
                400,
                "ValidationError",
                "Subscription validation request failed. Response must exactly match validationToken query parameter.",
            ));
        }
    }
    let mut all = world.graph.subscriptions.lock();
    if all.len() >= 100 {
        return Err(Denied::new(
            403,
            "ExtensionError",
            "The limit of 100 subscriptions is reached.",
        ));
    }
    let mut made = body.clone();
    made["id"] = Guid::seeded(now, 11, all.len() as u64).to_string().into();
    made["applicationId"] = "sim-client".into();
    made["expirationDateTime"] = end.into();
    all.push(made.clone());
    Ok(Reply::json(201, &shown(&made)))
}
