//! `/sim/okta/…`: changing the org from outside.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::org::{Org, Status};
use super::profile;
use crate::control::{Answer, fail};
use crate::ids;
use crate::world::{self, World};

/// Answers a control request; `parts` is the path after `/sim/okta`.
pub fn answer(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let service = &world.okta;
    match (method.as_str(), parts) {
        ("GET", ["truth"]) => Ok(truth(&world::read(&service.org))),
        ("GET", ["credentials"]) => serde_json::to_value(service.tokens.credentials())
            .map_err(|error| fail(error.to_string())),
        ("POST", ["credentials"]) => {
            let mut all = serde_json::to_value(service.tokens.credentials())
                .map_err(|error| fail(error.to_string()))?;
            for (name, value) in object(body)? {
                all[name] = value;
            }
            let credentials =
                serde_json::from_value(all).map_err(|error| fail(error.to_string()))?;
            service.tokens.set_credentials(credentials);
            Ok(json!({}))
        }
        ("POST", ["expire_access_tokens"]) => {
            service.tokens.expire_all();
            Ok(json!({}))
        }
        (_, ["users", rest @ ..]) => users(world, method, rest, body),
        (_, ["groups", rest @ ..]) => groups(world, method, rest, body),
        ("POST" | "DELETE", ["assignments", id]) => {
            let now = world.clock.now();
            let mut org = world::write(&service.org);
            let assign = method == Method::POST;
            let done = match (org.find_user(id), org.find_group(id)) {
                (Some(user), _) if assign => {
                    org.assign_user(now, user);
                    true
                }
                (Some(user), _) => org.unassign_user(now, user),
                (None, Some(group)) if assign => {
                    org.assign_group(now, group);
                    true
                }
                (None, Some(group)) => org.unassign_group(now, group),
                (None, None) => return Err((404, format!("no user or group {id}"))),
            };
            if done {
                Ok(json!({}))
            } else {
                Err((404, format!("{id} is not assigned")))
            }
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

fn object(body: Value) -> Result<Map<String, Value>, (u16, String)> {
    match body {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        _ => Err(fail("the body must be a JSON object")),
    }
}

fn list_of(body: Value) -> (Vec<Value>, bool) {
    match body {
        Value::Array(list) => (list, true),
        single => (vec![single], false),
    }
}

fn users(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let now = world.clock.now();
    let mut org = world::write(&world.okta.org);
    match (method.as_str(), parts) {
        ("POST", []) => {
            let (list, many) = list_of(body);
            let mut made = Vec::new();
            for one in list {
                let user = org.create_user(now, &object(one)?).map_err(fail)?;
                world.okta.user_pages.forget(user);
                made.push(profile::as_value(&org, &org.users[user as usize], ""));
            }
            Ok(if many {
                made.into()
            } else {
                made.pop().unwrap_or(Value::Null)
            })
        }
        (verb, [id]) => {
            let user = org
                .find_user(id)
                .ok_or_else(|| (404, format!("no user {id}")))?;
            match verb {
                "GET" => {}
                "PATCH" => org.patch_user(now, user, &object(body)?).map_err(fail)?,
                "DELETE" => org.delete_user(now, user).map_err(fail)?,
                _ => return Err((404, "no such control".to_owned())),
            }
            world.okta.user_pages.forget(user);
            Ok(profile::as_value(&org, &org.users[user as usize], ""))
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

fn groups(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let now = world.clock.now();
    let mut org = world::write(&world.okta.org);
    let [id, action @ ..] = parts else {
        if method != Method::POST {
            return Err((404, "no such control".to_owned()));
        }
        let (list, many) = list_of(body);
        let mut made = Vec::new();
        for one in list {
            let group = org.create_group(now, &object(one)?).map_err(fail)?;
            made.push(json!({"id": org.groups[group as usize].id()}));
        }
        return Ok(if many {
            made.into()
        } else {
            made.pop().unwrap_or(Value::Null)
        });
    };
    let group = org
        .find_group(id)
        .ok_or_else(|| (404, format!("no group {id}")))?;
    let members = match action {
        ["members"] => org.named_users(&body).map_err(fail)?,
        ["members", user] => org.named_users(&json!([user])).map_err(fail)?,
        _ => Vec::new(),
    };
    match (method.as_str(), action) {
        ("PATCH", []) => {
            org.patch_group(now, group, &object(body)?);
            Ok(json!({}))
        }
        ("DELETE", []) => {
            org.delete_group(now, group);
            Ok(json!({}))
        }
        ("POST", ["members", ..]) => Ok(json!({"added": org.add_members(now, group, &members)})),
        ("DELETE", ["members", ..]) => {
            Ok(json!({"removed": org.remove_members(now, group, &members)}))
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

/// The org as it really is.
fn truth(org: &Org) -> Value {
    let users: Vec<Value> = org
        .users
        .iter()
        .filter(|user| !user.gone)
        .map(|user| profile::as_value(org, user, ""))
        .collect();
    let id_of = |at: u32| ids::okta_id("00u", org.users[at as usize].number);
    let groups: Vec<Value> = org
        .groups
        .iter()
        .filter(|group| !group.gone)
        .map(|group| {
            let members: Vec<Value> = if group.everyone {
                (0..org.users.len() as u32)
                    .filter(|&at| org.is_listed(at))
                    .map(|at| json!({"id": id_of(at), "listed": true}))
                    .collect()
            } else {
                group
                    .members()
                    .map(|at| json!({"id": id_of(at), "listed": org.is_listed(at)}))
                    .collect()
            };
            json!({
                "id": group.id(),
                "type": group.kind.text(),
                "profile": group.profile,
                "members": members,
            })
        })
        .collect();
    let effective: Vec<Value> = org
        .effective()
        .iter()
        .map(|&(at, direct)| json!({"id": id_of(at), "scope": if direct { "USER" } else { "GROUP" }}))
        .collect();
    let direct: Vec<String> = org
        .direct
        .keys()
        .filter(|&&at| org.users[at as usize].status != Status::Deprovisioned)
        .map(|&at| id_of(at))
        .collect();
    let assigned: Vec<String> = org
        .assigned_groups
        .iter()
        .map(|&(at, _)| org.groups[at as usize].id())
        .collect();
    json!({
        "users": users,
        "groups": groups,
        "assignments": {"users": direct, "groups": assigned, "effective": effective},
    })
}
