//! Groups of a provider, and who is in them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::filter::Filter;
use super::habits::{ByList, Shows};
use super::patch::{Op, Operation, operations};
use super::state::{Group, Provider, group_id, number, user_id};
use super::{GROUP, No, page};
use crate::call::Call;
use crate::reply::Reply;

pub fn list(provider: &Provider, call: &Call) -> Result<Reply, No> {
    let filter = call.option("filter").map(Filter::read).transpose()?;
    let finds = |group: &Group| {
        let Some(filter) = &filter else {
            return true;
        };
        match filter.attribute.as_str() {
            "externalId" => group.external_id.as_ref() == Some(&filter.value),
            _ => group.display_name.eq_ignore_ascii_case(&filter.value),
        }
    };
    let all = provider.groups.iter().filter(|(_, group)| finds(group));
    let all = all
        .map(|(id, group)| shown(provider, *id, group, call))
        .collect();
    Ok(page(provider, call, all))
}

pub fn create(provider: &mut Provider, body: &Value) -> Result<Reply, No> {
    let schemas = body["schemas"].as_array();
    if !schemas.is_some_and(|all| all.iter().any(|schema| schema == GROUP)) {
        return Err(No::typed(
            400,
            "invalidSyntax",
            "The schemas lack the group's.",
        ));
    }
    let mut group = Group {
        display_name: String::new(),
        external_id: None,
        members: BTreeSet::new(),
    };
    name(&mut group, body)?;
    let id = provider.next_id();
    provider.groups.insert(id, group);
    Ok(answer(provider, 201, id))
}

pub fn read(provider: &Provider, id: &str, call: &Call) -> Result<Reply, No> {
    let id = find(provider, id)?;
    Ok(Reply::json(
        200,
        &shown(provider, id, &provider.groups[&id], call),
    ))
}

pub fn replace(provider: &mut Provider, id: &str, body: &Value) -> Result<Reply, No> {
    if !provider.habits.put_groups {
        return Err(No::new(501, "Groups cannot be replaced."));
    }
    let id = find(provider, id)?;
    let mut group = provider.groups[&id].clone();
    name(&mut group, body)?;
    if provider.habits.replaces_members {
        group.members = members(provider, &body["members"])?;
    }
    provider.groups.insert(id, group);
    Ok(answer(provider, 200, id))
}

pub fn patch(provider: &mut Provider, id: &str, body: &Value) -> Result<Reply, No> {
    if !provider.habits.patch && !names_members(body) {
        return Err(No::new(501, "There is no PATCH here."));
    }
    let id = find(provider, id)?;
    let mut group = provider.groups[&id].clone();
    let all = operations(body)?;
    if let Some(most) = provider.habits.members_a_request {
        let named = |one: &Operation| match &one.path {
            Some(path) if path.starts_with("members[") => 1,
            Some(path) if path == "members" => one.value.as_array().map_or(0, Vec::len),
            _ => 0,
        };
        if all.iter().map(named).sum::<usize>() > most {
            return Err(No::new(400, "Too many members in one request."));
        }
    }
    for operation in &all {
        apply(provider, &mut group, operation)?;
    }
    provider.groups.insert(id, group);
    Ok(Reply::empty(204))
}

pub fn delete(provider: &mut Provider, id: &str) -> Result<Reply, No> {
    let id = find(provider, id)?;
    provider.groups.remove(&id);
    Ok(Reply::empty(204))
}

/// Members have no other way in or out than PATCH, even where users have none.
fn names_members(body: &Value) -> bool {
    let all = body["Operations"].as_array();
    all.is_some_and(|all| {
        all.iter().all(|one| {
            one["path"]
                .as_str()
                .is_some_and(|path| path.starts_with("members"))
        })
    })
}

fn find(provider: &Provider, id: &str) -> Result<u64, No> {
    number(id, "g-")
        .filter(|id| provider.groups.contains_key(id))
        .ok_or_else(|| No::new(404, "There is no such group."))
}

fn apply(provider: &Provider, group: &mut Group, operation: &Operation) -> Result<(), No> {
    let Operation { op, path, value } = operation;
    let invalid = |why: &str| No::typed(400, "invalidValue", why);
    match (op, path.as_deref()) {
        (Op::Replace | Op::Add, None) => name(group, value),
        (Op::Replace | Op::Add, Some("displayName")) => {
            name(group, &json!({ "displayName": value }))
        }
        (Op::Replace | Op::Add, Some("externalId")) => {
            group.external_id = value.as_str().map(str::to_owned);
            Ok(())
        }
        (Op::Add, Some("members")) => {
            group.members.extend(members(provider, value)?);
            Ok(())
        }
        (Op::Replace, Some("members")) if provider.habits.replaces_members => {
            group.members = members(provider, value)?;
            Ok(())
        }
        (Op::Remove, Some("members")) => match (value, provider.habits.remove_by_list) {
            (Value::Array(_), ByList::Takes) => {
                for member in listed(value) {
                    group.members.remove(&member);
                }
                Ok(())
            }
            _ if provider.habits.replaces_members => {
                group.members.clear();
                Ok(())
            }
            _ => Err(invalid("Everybody at once is not taken out.")),
        },
        (Op::Remove, Some(path)) if provider.habits.remove_by_filter => {
            let member = path
                .strip_prefix("members[value eq ")
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|text| serde_json::from_str::<String>(text).ok())
                .ok_or_else(|| No::typed(400, "invalidPath", "The path is not understood."))?;
            if let Some(id) = number(&member, "u-") {
                group.members.remove(&id);
            }
            Ok(())
        }
        _ => Err(invalid("This is not done to a group.")),
    }
}

fn name(group: &mut Group, body: &Value) -> Result<(), No> {
    if let Some(name) = body.get("displayName") {
        group.display_name = name
            .as_str()
            .ok_or_else(|| No::typed(400, "invalidValue", "displayName is a text."))?
            .to_owned();
    }
    if let Some(id) = body["externalId"].as_str() {
        group.external_id = Some(id.to_owned());
    }
    match group.display_name.is_empty() {
        true => Err(No::typed(400, "invalidValue", "displayName is missing.")),
        false => Ok(()),
    }
}

fn listed(value: &Value) -> Vec<u64> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(|item| number(item["value"].as_str()?, "u-"))
        .collect()
}

/// Members that there are; one who is not spoils them all.
fn members(provider: &Provider, value: &Value) -> Result<BTreeSet<u64>, No> {
    let mut members = BTreeSet::new();
    for item in value.as_array().into_iter().flatten() {
        let id = item["value"].as_str().unwrap_or_default();
        let known = number(id, "u-").filter(|id| provider.users.contains_key(id));
        match known {
            Some(number) if !provider.unwelcome.contains(id) => members.insert(number),
            _ => return Err(No::typed(400, "invalidValue", "A member is not known.")),
        };
    }
    Ok(members)
}

fn answer(provider: &Provider, status: u16, id: u64) -> Reply {
    let group = &provider.groups[&id];
    Reply::json(
        status,
        &json!({
            "schemas": [GROUP], "id": group_id(id), "displayName": group.display_name,
            "externalId": group.external_id,
        }),
    )
}

fn shown(provider: &Provider, id: u64, group: &Group, call: &Call) -> Value {
    let mut shown = json!({
        "schemas": [GROUP], "id": group_id(id), "displayName": group.display_name,
        "members": [],
    });
    if let Some(id) = &group.external_id {
        shown["externalId"] = json!(id);
    }
    let wanted = match provider.habits.shows_members {
        Shows::Always => call.option("excludedAttributes") != Some("members"),
        Shows::Never => false,
        Shows::WhenAsked => call.option("includeMembers") == Some("true"),
    };
    if wanted {
        let members = group.members.iter();
        let members = members.map(|id| json!({ "value": user_id(*id) }));
        shown["members"] = members.collect();
    }
    shown
}
