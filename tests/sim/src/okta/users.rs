//! `/users` and `/users/{id}`.
//!
//! The plain list leaves deactivated users out; `search` and `filter` do not. Both are answered
//! from an index that may lag: until the lag has passed, a changed user is found by what it was.

use serde_json::Value;

use super::org::{Org, Status, User};
use super::page::{self, Cursor};
use super::profile::{self, Detail};
use super::{Outcome, error, not_found};
use crate::call::Call;
use crate::clock::Millis;
use crate::expr::{self, Answer, Case, Expr, Op};
use crate::graph::answer_of as answer;
use crate::ids;
use crate::json;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

const LARGEST: usize = 200;

/// A page of users.
pub fn list(world: &World, org: &Org, settings: &Settings, call: &Call) -> Outcome {
    let detail = detail(call);
    if let Some(prefix) = call.option("q") {
        return Ok(lookup(org, call, prefix, detail));
    }
    let limit = page::limit(call, LARGEST, LARGEST)?;
    let reply = if let Some(text) = call.option("search") {
        let expr = read(text)?;
        if expr.negates() {
            return Err(invalid("search", text));
        }
        find(world, org, settings, call, &expr, Case::Ignored, limit)?
    } else if let Some(text) = call.option("filter") {
        let expr = read(text)?;
        check_filter(&expr, text)?;
        find(world, org, settings, call, &expr, Case::Matters, limit)?
    } else {
        plain(world, org, call, limit, detail)?
    };
    project(call, reply)
}

/// Credentials may be left out by a parameter of the content type.
fn detail(call: &Call) -> Detail {
    let lean = call
        .header("content-type")
        .is_some_and(|value| value.contains("okta-response") && value.contains("omitCredentials"));
    if lean { Detail::Lean } else { Detail::List }
}

fn plain(
    world: &World,
    org: &Org,
    call: &Call,
    limit: usize,
    detail: Detail,
) -> Result<Reply, Reply> {
    let start = page::position(call)?;
    let view = format!("{limit}|{detail:?}|{}", call.base);
    let (end, items) = world.okta.user_pages.get(&view, start as u32, || {
        let mut out = Vec::new();
        let mut shown = 0;
        let mut at = start;
        while at < org.users.len() && shown < limit {
            if org.is_listed(at as u32) {
                json::comma(&mut out);
                profile::write(org, &org.users[at], &call.base, detail, &mut out);
                shown += 1;
            }
            at += 1;
        }
        (at as u32, out)
    });
    let more = (end as usize..org.users.len()).any(|at| org.is_listed(at as u32));
    Ok(page::page(
        call,
        items.to_vec(),
        more.then_some(Cursor::At(end)),
        limit,
    ))
}

/// `q`: starts with, in names and addresses; no pages, no links.
fn lookup(org: &Org, call: &Call, prefix: &str, detail: Detail) -> Reply {
    let prefix = prefix.to_lowercase();
    let limit = page::limit(call, 10, LARGEST).unwrap_or(10);
    let mut out = vec![b'['];
    let fits = |user: &User| {
        ["firstName", "lastName", "email", "login"]
            .iter()
            .any(|name| {
                profile::text(org, user, name)
                    .is_some_and(|text| text.to_lowercase().starts_with(&prefix))
            })
    };
    let found = org
        .users
        .iter()
        .filter(|user| !user.gone && user.status != Status::Deprovisioned && fits(user))
        .take(limit);
    for user in found {
        json::comma(&mut out);
        profile::write(org, user, &call.base, detail, &mut out);
    }
    out.push(b']');
    Reply::bytes(200, "application/json", out.into())
}

fn invalid(kind: &str, text: &str) -> Reply {
    error(400, "E0000031", &format!("Invalid {kind} criteria: {text}"))
}

fn read(text: &str) -> Result<Expr, Reply> {
    expr::parse(text).ok_or_else(|| invalid("search", text))
}

fn check_filter(expr: &Expr, text: &str) -> Result<(), Reply> {
    for test in expr.tests() {
        let allowed = match test.field.as_str() {
            "lastUpdated" => matches!(test.op, Op::Eq | Op::Gt | Op::Ge | Op::Lt | Op::Le),
            "status" | "id" | "profile.login" | "profile.email" | "profile.firstName"
            | "profile.lastName" => test.op == Op::Eq,
            _ => false,
        };
        if !allowed {
            return Err(invalid("filter", text));
        }
    }
    if expr.negates() {
        return Err(invalid("filter", text));
    }
    Ok(())
}

/// What the index says of a user: status and `lastUpdated`, or nothing yet.
fn indexed(user: &User, settings: &Settings, now: Millis) -> Option<(Millis, Status)> {
    if settings.okta_search_lag_ms > 0 && now < user.updated + settings.okta_search_lag_ms {
        user.before
    } else {
        Some((user.updated, user.status))
    }
}

fn matches(org: &Org, user: &User, seen: (Millis, Status), expr: &Expr, case: Case) -> bool {
    let person = org.person(user);
    expr.holds(case, &|field| match field {
        "id" => Answer::Text(ids::okta_id("00u", user.number).into()),
        "status" => Answer::Text(seen.1.text().into()),
        "lastUpdated" => Answer::Time(seen.0),
        "created" => Answer::Time(user.created),
        "statusChanged" => Answer::Time(user.status_changed),
        "type.id" => Answer::Text("otysm00000000000S697".into()),
        _ => match field.strip_prefix("profile.") {
            Some(name) => answer(profile::value(org, user, person.as_ref(), name)),
            None => Answer::Missing,
        },
    })
}

fn find(
    world: &World,
    org: &Org,
    settings: &Settings,
    call: &Call,
    expr: &Expr,
    case: Case,
    limit: usize,
) -> Result<Reply, Reply> {
    let now = world.clock.now();
    let fits = |at: u32| -> bool {
        let user = &org.users[at as usize];
        !user.gone
            && indexed(user, settings, now).is_some_and(|seen| matches(org, user, seen, expr, case))
    };
    let sort = call.option("search").and(call.option("sortBy"));
    let descending = call
        .option("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("desc"));
    let mut found: Vec<u32> = Vec::new();
    let mut next = None;
    let from = expr.not_before("lastUpdated");
    let lagging = settings.okta_search_lag_ms > 0;
    if let Some(ids) = expr.only_ids() {
        found.extend(
            ids.iter()
                .filter_map(|id| org.find_user(id))
                .filter(|&at| fits(at)),
        );
    } else if !lagging && (sort == Some("lastUpdated") || (sort.is_none() && from.is_some())) {
        // In order of change, from the cursor or the earliest moment that can fit.
        let behind = match page::cursor(call)? {
            Some(Cursor::Behind(at, user)) => Some((at, user)),
            Some(Cursor::At(_)) => {
                return Err(error(400, "E0000054", "The after cursor is not valid"));
            }
            None => None,
        };
        let walk: Box<dyn Iterator<Item = &(Millis, u32)>> = if descending && sort.is_some() {
            match behind {
                Some(behind) => Box::new(org.by_updated.range(..behind).rev()),
                None => Box::new(org.by_updated.iter().rev()),
            }
        } else {
            match behind {
                Some(behind) => {
                    let bounds = (
                        std::ops::Bound::Excluded(behind),
                        std::ops::Bound::Unbounded,
                    );
                    Box::new(org.by_updated.range(bounds))
                }
                None => Box::new(org.by_updated.range((from.unwrap_or(0), 0)..)),
            }
        };
        let mut last = (0, 0);
        for &(updated, at) in walk {
            if !fits(at) {
                continue;
            }
            if found.len() == limit {
                next = Some(Cursor::Behind(last.0, last.1));
                break;
            }
            last = (updated, at);
            found.push(at);
        }
    } else {
        let start = page::position(call)?;
        let mut all: Vec<u32> = Vec::new();
        if let Some(name) = sort {
            all.extend((0..org.users.len() as u32).filter(|&at| fits(at)));
            all.sort_by_cached_key(|&at| sort_key(org, at, name, settings, now));
            if descending {
                all.reverse();
            }
            found.extend(all.iter().skip(start).take(limit));
            if start + limit < all.len() {
                next = Some(Cursor::At((start + limit) as u32));
            }
        } else {
            for at in start as u32..org.users.len() as u32 {
                if !fits(at) {
                    continue;
                }
                if found.len() == limit {
                    next = Some(Cursor::At(at));
                    break;
                }
                found.push(at);
            }
        }
    }
    let detail = detail(call);
    let mut out = Vec::new();
    for at in found {
        json::comma(&mut out);
        profile::write(org, &org.users[at as usize], &call.base, detail, &mut out);
    }
    Ok(page::page(call, out, next, limit))
}

fn sort_key(org: &Org, at: u32, name: &str, settings: &Settings, now: Millis) -> (String, u32) {
    let user = &org.users[at as usize];
    let text = match name {
        "lastUpdated" => {
            let seen = indexed(user, settings, now).map_or(0, |(updated, _)| updated);
            format!("{seen:020}")
        }
        "created" => format!("{:020}", user.created),
        "status" => user.status.text().to_owned(),
        "id" => ids::okta_id("00u", user.number),
        _ => name
            .strip_prefix("profile.")
            .and_then(|name| profile::text(org, user, name))
            .unwrap_or_default()
            .to_lowercase(),
    };
    (text, at)
}

/// `fields=id,status,profile:(login,email)`.
fn project(call: &Call, mut reply: Reply) -> Outcome {
    let Some(fields) = call.option("fields") else {
        return Ok(reply);
    };
    let Ok(Value::Array(mut items)) = serde_json::from_slice::<Value>(&reply.body) else {
        return Ok(reply);
    };
    let (outer, profile) = match fields.split_once("profile:(") {
        Some((before, rest)) => {
            let (inner, behind) = rest.split_once(')').unwrap_or((rest, ""));
            (format!("{before},{behind}"), Some(inner.to_owned()))
        }
        None => (fields.to_owned(), None),
    };
    let outer: Vec<&str> = outer
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect();
    for item in &mut items {
        let Some(object) = item.as_object_mut() else {
            continue;
        };
        object.retain(|name, _| {
            name == "id"
                || outer.contains(&name.as_str())
                || (name == "profile" && profile.is_some())
        });
        if let (Some(wanted), Some(Value::Object(inner))) = (&profile, object.get_mut("profile")) {
            let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
            inner.retain(|name, _| wanted.contains(&name.as_str()));
        }
    }
    reply.body = Value::Array(items).to_string().into();
    Ok(reply)
}

/// One user by id or login, deactivated or not.
pub fn single(org: &Org, call: &Call, id: &str) -> Outcome {
    let at = org.find_user(id).ok_or_else(|| not_found(id, "User"))?;
    let user = &org.users[at as usize];
    let mut out = Vec::new();
    profile::write(org, user, &call.base, Detail::Single, &mut out);
    let etag = format!("W/\"{:x}\"", ids::mix(user.updated));
    Ok(Reply::bytes(200, "application/json", out.into()).with("etag", etag))
}
