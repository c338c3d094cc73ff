//! `/sim/applivery/…`: what somebody else does in the organization.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::org::{Device, Org, PLATFORMS};
use super::people::{Collaborator, Employee, User};
use crate::control::{Answer, fail};
use crate::world::World;

/// Answers a control request; `parts` is the path after `/sim/applivery`.
pub fn answer(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let mut org = world.applivery.lock();
    let fields = body.as_object().cloned().unwrap_or_default();
    match (method.as_str(), parts) {
        ("GET", ["truth"]) => Ok(truth(&org)),
        ("POST", ["rules"]) => {
            org.rules = serde_json::from_value(body).map_err(|error| fail(error.to_string()))?;
            Ok(json!({}))
        }
        ("POST", ["policies", platform]) if PLATFORMS.contains(platform) => {
            let named = (text(&fields, "id"), text(&fields, "name"));
            let (Some(id), name) = named else {
                return Err(fail("a policy has an id"));
            };
            let policies = org.policies.entry((*platform).to_owned()).or_default();
            policies.push((id, name.unwrap_or_default()));
            Ok(json!({}))
        }
        ("POST", ["devices", platform]) if PLATFORMS.contains(platform) => {
            let user = match text(&fields, "user") {
                Some(email) => Some(user_at(&org, &email)?),
                None => None,
            };
            let id = org.new_id();
            let device = Device {
                id: id.clone(),
                platform: (*platform).to_owned(),
                user: user.map(|place| org.users[place].id.clone()),
                policy: text(&fields, "policy"),
            };
            org.devices.push(device);
            Ok(json!({ "id": id }))
        }
        ("POST", ["tokens", email]) => {
            let place = user_at(&org, email)?;
            let id = org.users[place].id.clone();
            let pending = fields.get("pending").and_then(Value::as_u64);
            org.tokens.insert(id, pending.unwrap_or(0));
            Ok(json!({}))
        }
        ("POST", ["users"]) => {
            let mut user = User {
                id: org.new_id(),
                email: text(&fields, "email").ok_or_else(|| fail("a user has an email"))?,
                ..User::default()
            };
            user.write(&fields);
            let id = user.id.clone();
            org.users.push(user);
            Ok(json!({ "id": id }))
        }
        ("PATCH", ["users", email]) => {
            let place = user_at(&org, email)?;
            org.users[place].write(&fields);
            // What no client can do may happen all the same.
            if let Some(email) = text(&fields, "email") {
                org.users[place].email = email;
            }
            Ok(json!({}))
        }
        ("DELETE", ["users", email]) => {
            let place = user_at(&org, email)?;
            org.users.remove(place);
            Ok(json!({}))
        }
        ("POST", ["collaborators"]) => {
            let collaborator = Collaborator {
                id: org.new_id(),
                email: text(&fields, "email").ok_or_else(|| fail("one has an email"))?,
                first_name: text(&fields, "firstName"),
                last_name: text(&fields, "lastName"),
                role: text(&fields, "role").unwrap_or_else(|| "viewer".to_owned()),
                tags: Vec::new(),
            };
            org.collaborators.push(collaborator);
            Ok(json!({}))
        }
        ("PATCH", ["collaborators", email]) => {
            let found = org.collaborators.iter_mut().find(|one| one.email == *email);
            let one = found.ok_or_else(|| (404, format!("no collaborator {email}")))?;
            if let Some(role) = text(&fields, "role") {
                one.role = role;
            }
            Ok(json!({}))
        }
        ("POST", ["employees"]) => {
            let employee = Employee {
                id: org.new_id(),
                email: text(&fields, "email").ok_or_else(|| fail("one has an email"))?,
                tags: Vec::new(),
            };
            org.employees.push(employee);
            Ok(json!({}))
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn user_at(org: &Org, email: &str) -> Result<usize, (u16, String)> {
    let place = org.users.iter().position(|user| user.email == email);
    place.ok_or_else(|| (404, format!("no MDM user {email}")))
}

fn truth(org: &Org) -> Value {
    let devices: Vec<Value> = org
        .devices
        .iter()
        .map(|device| {
            let user = device.user.as_ref().and_then(|id| {
                let user = org.users.iter().find(|user| user.id == *id)?;
                Some(user.email.clone())
            });
            json!({"id": device.id, "platform": device.platform, "user": user,
                   "policy": device.policy})
        })
        .collect();
    json!({
        "users": org.mdm_users(),
        "collaborators": org.collaborators(),
        "employees": org.employees(),
        "devices": devices,
    })
}
