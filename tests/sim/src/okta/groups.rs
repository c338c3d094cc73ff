//! `/groups`, `/groups/{id}`, `/groups/{id}/users`, `/users/{id}/groups`.

use serde_json::json;

use super::org::{Group, NONE, Org};
use super::page::{self, Cursor};
use super::profile::{self, Detail};
use super::{Outcome, error, not_found};
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::expr::{self, Answer, Case, Expr};
use crate::graph::answer_of as answer;
use crate::json as text;
use crate::json::Val;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

fn show(org: &Org, group: &Group, call: &Call) -> serde_json::Value {
    let id = group.id();
    let here = format!("{}/api/v1/groups/{id}", call.base);
    let class = match group.kind {
        super::org::GroupKind::App => "okta:windows_security_principal",
        _ => "okta:user_group",
    };
    let mut object = json!({
        "id": id,
        "created": clock::iso(group.created),
        "lastUpdated": clock::iso(group.updated),
        "lastMembershipUpdated": clock::iso(group.membership_updated),
        "objectClass": [class],
        "type": group.kind.text(),
        "profile": group.profile,
        "_links": {
            "logo": [],
            "users": {"href": format!("{here}/users")},
            "apps": {"href": format!("{here}/apps")},
        },
    });
    if call
        .option("expand")
        .is_some_and(|expand| expand.contains("stats"))
    {
        let count = if group.everyone {
            (0..org.users.len() as u32)
                .filter(|&at| org.is_listed(at))
                .count()
        } else {
            group.members().filter(|&at| org.is_listed(at)).count()
        };
        // The misspelling is the vendor's.
        object["_embedded"] = json!({"stats": {
            "usersCount": count, "appsCount": 0, "groupPushMappingsCount": 0,
            "hasAdminPrivlege": false}});
    }
    object
}

fn visible(group: &Group, settings: &Settings) -> bool {
    !group.gone
        && (settings.okta_hidden_groups.is_empty()
            || !settings.okta_hidden_groups.contains(&group.id()))
}

/// A page of groups.
pub fn list(world: &World, org: &Org, settings: &Settings, call: &Call) -> Outcome {
    let query = call.option("search").or_else(|| call.option("filter"));
    let case = match call.option("search") {
        Some(_) => Case::Ignored,
        None => Case::Matters,
    };
    let expr = match query {
        None => None,
        Some(text) => Some(
            expr::parse(text)
                .filter(|expr| !expr.negates())
                .ok_or_else(|| {
                    error(400, "E0000031", &format!("Invalid search criteria: {text}"))
                })?,
        ),
    };
    let limit = page::limit(call, 200, 10_000)?;
    let start = page::position(call)?;
    let now = world.clock.now();
    let prefix = call.option("q").map(str::to_lowercase);
    let fits = |group: &Group| {
        visible(group, settings)
            && prefix
                .as_ref()
                .is_none_or(|prefix| group.name().to_lowercase().starts_with(prefix))
            && expr
                .as_ref()
                .is_none_or(|expr| matches(group, expr, case, settings, now))
    };
    let mut found: Vec<&Group> = org.groups.iter().filter(|group| fits(group)).collect();
    if call.option("search").is_some() {
        match call.option("sortBy") {
            Some("lastUpdated") => found.sort_by_key(|group| group.updated),
            Some("lastMembershipUpdated") => found.sort_by_key(|group| group.membership_updated),
            Some("profile.name") => found.sort_by_key(|group| group.name().to_lowercase()),
            _ => {}
        }
        if call
            .option("sortOrder")
            .is_some_and(|order| order.eq_ignore_ascii_case("desc"))
        {
            found.reverse();
        }
    }
    let mut out = Vec::new();
    for group in found.iter().skip(start).take(limit) {
        text::comma(&mut out);
        text::value_into(&show(org, group, call), &mut out);
    }
    let end = start + limit;
    if prefix.is_some() {
        // Answers to `q` carry no links at all.
        let body = [b"[".as_slice(), &out, b"]"].concat();
        return Ok(Reply::bytes(200, "application/json", body.into()));
    }
    let next = (end < found.len()).then_some(Cursor::At(end as u32));
    Ok(page::page(call, out, next, limit))
}

fn matches(group: &Group, expr: &Expr, case: Case, settings: &Settings, now: Millis) -> bool {
    // A change younger than the lag is not in the index yet; the moment before it is not kept,
    // so the group is found by its creation.
    let seen = |at: Millis| {
        if settings.okta_search_lag_ms > 0 && now < at + settings.okta_search_lag_ms {
            group.created
        } else {
            at
        }
    };
    expr.holds(case, &|field| match field {
        "id" => Answer::Text(group.id().into()),
        "type" => Answer::Text(group.kind.text().into()),
        "created" => Answer::Time(group.created),
        "lastUpdated" => Answer::Time(seen(group.updated)),
        "lastMembershipUpdated" => Answer::Time(seen(group.membership_updated)),
        _ => match field
            .strip_prefix("profile.")
            .and_then(|name| group.profile.get(name))
        {
            Some(value) => answer(Val::Given(value)),
            None => Answer::Missing,
        },
    })
}

fn find<'o>(org: &'o Org, settings: &Settings, id: &str) -> Result<&'o Group, Reply> {
    org.find_group(id)
        .map(|at| &org.groups[at as usize])
        .filter(|group| visible(group, settings))
        .ok_or_else(|| not_found(id, "UserGroup"))
}

/// One group.
pub fn single(org: &Org, settings: &Settings, call: &Call, id: &str) -> Outcome {
    let group = find(org, settings, id)?;
    Ok(Reply::json(200, &show(org, group, call)))
}

/// A page of members, as full users; deactivated ones are not listed.
pub fn members(org: &Org, settings: &Settings, call: &Call, id: &str) -> Outcome {
    let group = find(org, settings, id)?;
    let limit = page::limit(call, 1_000, 1_000)?;
    let start = page::position(call)?;
    let count = if group.everyone {
        org.users.len()
    } else {
        group.slots.len()
    };
    let user_at = |place: usize| -> Option<u32> {
        let at = if group.everyone {
            place as u32
        } else {
            group.slots[place]
        };
        (at != NONE && org.is_listed(at)).then_some(at)
    };
    let mut out = Vec::new();
    let mut shown = 0;
    let mut next = None;
    for place in start..count {
        let Some(at) = user_at(place) else {
            continue;
        };
        if shown == limit {
            next = Some(Cursor::At(place as u32));
            break;
        }
        text::comma(&mut out);
        profile::write(
            org,
            &org.users[at as usize],
            &call.base,
            Detail::List,
            &mut out,
        );
        shown += 1;
    }
    Ok(page::page(call, out, next, limit))
}

/// The groups of a user, all at once.
pub fn of_user(org: &Org, settings: &Settings, call: &Call, id: &str) -> Outcome {
    let user = org.find_user(id).ok_or_else(|| not_found(id, "User"))?;
    let of = |group: &&Group| {
        visible(group, settings) && (group.everyone || group.slots.contains(&user))
    };
    let all: Vec<serde_json::Value> = org
        .groups
        .iter()
        .filter(of)
        .map(|group| show(org, group, call))
        .collect();
    Ok(Reply::json(200, &all.into()))
}
