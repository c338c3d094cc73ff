//! `/sim/scim/NAME/…`: what tests see of a provider, and do to it behind its clients' backs.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::Service;
use super::state::{Group, Provider, group_id, number, user_id};
use super::users;
use crate::control::{Answer, fail};

pub fn answer(service: &Service, method: &Method, parts: &[&str], body: Value) -> Answer {
    let Some((name, rest)) = parts.split_first() else {
        return Err((404, "no such control".to_owned()));
    };
    service.with(name, |provider| match (method.as_str(), rest) {
        ("GET", ["truth"]) => Ok(truth(provider)),
        // Counts begin anew.
        ("DELETE", ["counts"]) => {
            (provider.requests, provider.writes) = (0, 0);
            Ok(json!({}))
        }
        // Somebody who was there before.
        ("POST", ["users"]) => {
            let Value::Object(user) = body else {
                return Err(fail("a user is an object"));
            };
            let id = provider.next_id();
            provider.users.insert(id, user);
            Ok(json!({ "id": user_id(id) }))
        }
        ("PATCH", ["users", id]) => {
            let user = number(id, "u-").and_then(|id| provider.users.get_mut(&id));
            let (Some(user), Value::Object(more)) = (user, body) else {
                return Err((404, "no such user".to_owned()));
            };
            user.extend(more);
            Ok(json!({}))
        }
        ("DELETE", ["users", id]) => {
            let id = number(id, "u-").unwrap_or_default();
            let gone = provider.users.remove(&id);
            for group in provider.groups.values_mut() {
                group.members.remove(&id);
            }
            gone.map(|_| json!({}))
                .ok_or((404, "no such user".to_owned()))
        }
        ("POST", ["groups"]) => {
            let id = provider.next_id();
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            let group = Group {
                display_name: text("displayName").unwrap_or_default(),
                external_id: text("externalId"),
                members: Default::default(),
            };
            provider.groups.insert(id, group);
            Ok(json!({ "id": group_id(id) }))
        }
        ("DELETE", ["groups", id]) => {
            let gone = number(id, "g-").and_then(|id| provider.groups.remove(&id));
            gone.map(|_| json!({}))
                .ok_or((404, "no such group".to_owned()))
        }
        // A user whom no group takes.
        ("POST", ["unwelcome", id]) => {
            provider.unwelcome.insert((*id).to_owned());
            Ok(json!({}))
        }
        ("DELETE", ["unwelcome"]) => {
            provider.unwelcome.clear();
            Ok(json!({}))
        }
        _ => Err((404, "no such control".to_owned())),
    })
}

fn truth(provider: &Provider) -> Value {
    let name_of = |id: &u64| {
        let user: Option<&Map<String, Value>> = provider.users.get(id);
        user.and_then(|user| user["externalId"].as_str())
            .map_or_else(|| user_id(*id), str::to_owned)
    };
    let users: Vec<Value> = provider
        .users
        .iter()
        .map(|(id, user)| users::shown(*id, user))
        .collect();
    let groups: Vec<Value> = provider
        .groups
        .iter()
        .map(|(id, group)| {
            let members: Vec<String> = group.members.iter().map(name_of).collect();
            json!({
                "id": group_id(*id), "displayName": group.display_name,
                "externalId": group.external_id, "members": members,
            })
        })
        .collect();
    json!({
        "users": users, "groups": groups, "requests": provider.requests,
        "writes": provider.writes, "odd": provider.odd,
    })
}
