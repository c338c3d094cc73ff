//! `/sim/graph/…`: changing the tenant from outside.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::tenant::{Life, Ref, Tenant};
use super::truth;
use crate::control::{Answer, fail};
use crate::ids::Guid;
use crate::world::{self, World};

/// Answers a control request; `parts` is the path after `/sim/graph`.
pub fn answer(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let service = &world.graph;
    match (method.as_str(), parts) {
        ("GET", ["truth"]) => Ok(truth::tell(&world::read(&service.tenant))),
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
        ("POST", ["expire_delta_tokens"]) => {
            world::write(&service.tenant).token_epoch += 1;
            Ok(json!({}))
        }
        (_, ["subscriptions", rest @ ..]) => {
            super::subscriptions::control(world, method, rest, &body)
        }
        (_, ["users", rest @ ..]) => users(world, method, rest, body),
        (_, ["groups", rest @ ..]) => groups(world, method, rest, body),
        ("POST" | "DELETE", ["assignments", id]) => {
            let mut tenant = world::write(&service.tenant);
            let principal = tenant
                .find(id)
                .filter(|&found| Tenant::can_be_assigned(found))
                .ok_or_else(|| (404, format!("no principal {id}")))?;
            if method == Method::POST {
                let role = match body["appRoleId"].as_str() {
                    None => Guid(0),
                    Some(text) => Guid::parse(text).ok_or_else(|| fail("appRoleId is no GUID"))?,
                };
                tenant.assign(world.clock.now(), principal, role);
            } else if !tenant.unassign(principal) {
                return Err((404, format!("{id} is not assigned")));
            }
            Ok(json!({}))
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

/// Forgets the pages that show a user, and those that show who reports to them.
fn forget(world: &World, tenant: &Tenant, user: u32) {
    world.graph.user_pages.forget(user);
    for (at, record) in tenant.users.iter().enumerate() {
        if record.manager == user {
            world.graph.user_pages.forget(at as u32);
        }
    }
}

fn told(world: &World, change_type: &str, collection: &str, id: Guid) {
    let now = world.clock.now();
    world
        .graph
        .subscriptions
        .tell(now, change_type, collection, &id.to_string());
}

fn users(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let now = world.clock.now();
    let mut tenant = world::write(&world.graph.tenant);
    match (method.as_str(), parts) {
        ("POST", []) => {
            let (list, many) = match body {
                Value::Array(list) => (list, true),
                single => (vec![single], false),
            };
            let mut made = Vec::new();
            for one in list {
                let user = tenant.create_user(now, object(one)?).map_err(fail)?;
                world.graph.user_pages.forget(user);
                made.push(Value::Object(truth::describe(
                    &tenant,
                    &tenant.users[user as usize],
                )));
                told(world, "updated", "Users", tenant.users[user as usize].id);
            }
            Ok(if many {
                made.into()
            } else {
                made.pop().unwrap_or(Value::Null)
            })
        }
        (verb, [id, action @ ..]) => {
            let user = tenant
                .find_user(id)
                .ok_or_else(|| (404, format!("no user {id}")))?;
            let mut word = "updated";
            match (verb, action) {
                ("GET", []) => {}
                ("PATCH", []) => tenant.patch_user(now, user, object(body)?).map_err(fail)?,
                ("DELETE", []) => tenant.delete_user(now, user).map_err(fail)?,
                ("POST", ["restore"]) => tenant.restore_user(now, user).map_err(fail)?,
                ("POST", ["purge"]) => {
                    tenant.purge_user(now, user).map_err(fail)?;
                    word = "deleted";
                }
                _ => return Err((404, "no such control".to_owned())),
            }
            if verb != "GET" {
                forget(world, &tenant, user);
                told(world, word, "Users", tenant.users[user as usize].id);
            }
            Ok(Value::Object(truth::describe(
                &tenant,
                &tenant.users[user as usize],
            )))
        }
        _ => Err((404, "no such control".to_owned())),
    }
}

fn groups(world: &World, method: &Method, parts: &[&str], body: Value) -> Answer {
    let now = world.clock.now();
    let mut tenant = world::write(&world.graph.tenant);
    let [id, action @ ..] = parts else {
        let (list, many) = match (method.as_str(), body) {
            ("POST", Value::Array(list)) => (list, true),
            ("POST", single) => (vec![single], false),
            _ => return Err((404, "no such control".to_owned())),
        };
        let mut made = Vec::new();
        for one in list {
            let group = tenant.create_group(now, object(one)?).map_err(fail)?;
            let id = tenant.groups[group as usize].id;
            made.push(json!({"id": id.to_string()}));
            told(world, "updated", "Groups", id);
        }
        return Ok(if many {
            made.into()
        } else {
            made.pop().unwrap_or(Value::Null)
        });
    };
    let group = tenant
        .find_group(id)
        .ok_or_else(|| (404, format!("no group {id}")))?;
    let present = tenant.groups[group as usize].life == Life::Present;
    let mut word = "updated";
    let answer = match (method.as_str(), action) {
        ("PATCH", []) => {
            tenant.patch_group(now, group, object(body)?);
            json!({})
        }
        ("DELETE", []) => {
            tenant.delete_group(now, group).map_err(fail)?;
            json!({})
        }
        ("POST", ["purge"]) => {
            tenant.purge_group(now, group).map_err(fail)?;
            word = "deleted";
            json!({})
        }
        ("POST", ["restore"]) => {
            tenant.restore_group(now, group).map_err(fail)?;
            json!({})
        }
        ("POST", ["members"]) if present => {
            let members = tenant.named_members(&body).map_err(fail)?;
            json!({"added": tenant.add_members(now, group, &members)})
        }
        ("DELETE", ["members"]) if present => {
            let members = tenant.named_members(&body).map_err(fail)?;
            let mut removed = 0;
            for member in members {
                removed += usize::from(tenant.remove_member(now, group, member));
            }
            json!({"removed": removed})
        }
        ("POST" | "DELETE", ["members", member]) if present => {
            let member: Ref = tenant
                .named_members(&json!([member]))
                .map_err(fail)?
                .first()
                .copied()
                .ok_or_else(|| fail("no member named"))?;
            if method == Method::POST {
                json!({"added": tenant.add_members(now, group, &[member])})
            } else if tenant.remove_member(now, group, member) {
                json!({"removed": 1})
            } else {
                return Err((404, "not a member".to_owned()));
            }
        }
        _ => return Err((404, "no such control".to_owned())),
    };
    told(world, word, "Groups", tenant.groups[group as usize].id);
    Ok(answer)
}
