//! The tenant as it really is, for tests to compare with.

use serde_json::{Map, Value, json};

use super::tenant::{GroupKind, Life, Tenant, User};
use super::{fields, group_fields};

/// The whole present state.
pub fn tell(tenant: &Tenant) -> Value {
    let of = |life: fn(Life) -> bool| -> Vec<Value> {
        tenant
            .users
            .iter()
            .filter(|user| life(user.life))
            .map(|user| Value::Object(describe(tenant, user)))
            .collect()
    };
    let groups: Vec<Value> = tenant
        .groups
        .iter()
        .filter(|group| group.life == Life::Present)
        .map(|group| {
            let mut object = Map::new();
            for name in group_fields::DEFAULT {
                object.insert(
                    (*name).to_owned(),
                    tenant.group_value(group, name).to_value(),
                );
            }
            for (name, value) in group.patch.iter().flat_map(|patch| patch.iter()) {
                object.insert(name.clone(), value.clone());
            }
            let members: Vec<Value> = group
                .members()
                .map(|member| {
                    let deleted = tenant.life_of(member) != Life::Present;
                    json!({
                        "id": tenant.id_of(member).to_string(),
                        "type": member.kind().odata().trim_start_matches("#microsoft.graph."),
                        "deleted": deleted,
                    })
                })
                .collect();
            object.insert("members".to_owned(), members.into());
            object.insert(
                "hidden".to_owned(),
                (group.kind == GroupKind::Hidden).into(),
            );
            Value::Object(object)
        })
        .collect();
    let assignments: Vec<Value> = tenant
        .assignments
        .iter()
        .map(|one| {
            json!({
                "id": one.id,
                "principalId": tenant.id_of(one.principal).to_string(),
                "principalType": one.principal.kind().odata().trim_start_matches("#microsoft.graph."),
                "appRoleId": one.role.to_string(),
            })
        })
        .collect();
    json!({
        "users": of(|life| life == Life::Present),
        "deletedUsers": of(|life| matches!(life, Life::Binned(_))),
        "groups": groups,
        "assignments": assignments,
    })
}

/// One user with every property, and the manager's id.
pub fn describe(tenant: &Tenant, user: &User) -> Map<String, Value> {
    let person = tenant.person(user);
    let mut object = Map::new();
    for name in fields::ALL {
        let value = tenant.user_value(user, person.as_ref(), name).to_value();
        object.insert((*name).to_owned(), value);
    }
    for (name, value) in user.patch.iter().flat_map(|patch| patch.iter()) {
        object.insert(name.clone(), value.clone());
    }
    let manager = tenant.manager_of(user).map_or(Value::Null, |at| {
        tenant.users[at as usize].id.to_string().into()
    });
    object.insert("manager".to_owned(), manager);
    object
}
