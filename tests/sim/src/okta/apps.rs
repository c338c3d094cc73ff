//! `/apps/{id}`, and who has the application.

use serde_json::{Value, json};

use super::org::{APP_ID, Org, Status};
use super::page::{self, Cursor};
use super::{Outcome, not_found, profile};
use crate::call::Call;
use crate::clock;
use crate::ids;
use crate::json as text;
use crate::reply::Reply;

fn application(call: &Call) -> Value {
    json!({
        "id": APP_ID,
        "name": "rosterd",
        "label": "rosterd",
        "status": "ACTIVE",
        "created": clock::iso(clock::SEEDED),
        "lastUpdated": clock::iso(clock::SEEDED),
        "signOnMode": "SAML_2_0",
        "features": ["GROUP_PUSH", "PUSH_NEW_USERS"],
        "_links": {
            "users": {"href": format!("{}/api/v1/apps/{APP_ID}/users", call.base)},
            "groups": {"href": format!("{}/api/v1/apps/{APP_ID}/groups", call.base)},
        },
    })
}

fn check(id: &str) -> Result<(), Reply> {
    if id == APP_ID {
        Ok(())
    } else {
        Err(not_found(id, "AppInstance"))
    }
}

/// All applications: one.
pub fn list(call: &Call) -> Reply {
    Reply::json(200, &json!([application(call)]))
}

/// The application.
pub fn single(call: &Call, id: &str) -> Outcome {
    check(id)?;
    Ok(Reply::json(200, &application(call)))
}

/// A page of those who have the application, directly or by a group.
pub fn users(org: &Org, call: &Call, id: &str) -> Outcome {
    check(id)?;
    let limit = page::limit(call, 50, 500)?;
    let start = page::position(call)? as u32;
    let expand = call.option("expand").is_some_and(|expand| expand == "user");
    let effective = org.effective();
    // The cursor is a user's position: entries that come or go do not move it.
    let first = effective.partition_point(|&(at, _)| at < start);
    let mut out = Vec::new();
    for &(at, direct) in effective.iter().skip(first).take(limit) {
        text::comma(&mut out);
        text::value_into(&app_user(org, call, at, direct, expand), &mut out);
    }
    let next = effective.get(first + limit).map(|&(at, _)| Cursor::At(at));
    Ok(page::page(call, out, next, limit))
}

fn app_user(org: &Org, call: &Call, at: u32, direct: bool, expand: bool) -> Value {
    let user = &org.users[at as usize];
    let id = ids::okta_id("00u", user.number);
    let since = org.direct.get(&at).copied().unwrap_or(clock::SEEDED);
    let attribute = |name: &str| profile::text(org, user, name);
    let status = match user.status {
        Status::Suspended => "SUSPENDED",
        _ if direct => "PROVISIONED",
        _ => "ACTIVE",
    };
    let mut object = json!({
        "id": id,
        "externalId": null,
        "created": clock::iso(since),
        "lastUpdated": clock::iso(since.max(user.updated)),
        "scope": if direct { "USER" } else { "GROUP" },
        "status": status,
        "statusChanged": clock::iso(since),
        "passwordChanged": null,
        "syncState": "SYNCHRONIZED",
        "lastSync": clock::iso(since),
        "credentials": {"userName": attribute("login")},
        "profile": {
            "displayName": attribute("displayName"),
            "email": attribute("email"),
            "firstName": attribute("firstName"),
            "lastName": attribute("lastName"),
        },
        "_links": {
            "app": {"href": format!("{}/api/v1/apps/{APP_ID}", call.base)},
            "user": {"href": format!("{}/api/v1/users/{id}", call.base)},
        },
    });
    if expand {
        object["_embedded"] = json!({"user": profile::as_value(org, user, &call.base)});
    }
    object
}

/// A page of the groups assigned to the application.
pub fn groups(org: &Org, call: &Call, id: &str) -> Outcome {
    check(id)?;
    let limit = page::limit(call, 20, 200)?;
    let start = page::position(call)?;
    let mut out = Vec::new();
    for (priority, &(at, since)) in org
        .assigned_groups
        .iter()
        .enumerate()
        .skip(start)
        .take(limit)
    {
        let group = &org.groups[at as usize];
        let id = group.id();
        let app = format!("{}/api/v1/apps/{APP_ID}", call.base);
        let mut object = json!({
            "id": id,
            "lastUpdated": clock::iso(since),
            "priority": priority + 1,
            "profile": {},
            "_links": {
                "app": {"href": app},
                "self": {"href": format!("{app}/groups/{id}")},
                "group": {"href": format!("{}/api/v1/groups/{id}", call.base)},
            },
        });
        if call
            .option("expand")
            .is_some_and(|expand| expand == "group")
        {
            object["_embedded"] = json!({"group": {
                "id": id, "type": group.kind.text(), "profile": group.profile}});
        }
        text::comma(&mut out);
        text::value_into(&object, &mut out);
    }
    let end = start + limit;
    let next = (end < org.assigned_groups.len()).then_some(Cursor::At(end as u32));
    Ok(page::page(call, out, next, limit))
}
