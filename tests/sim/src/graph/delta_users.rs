//! `/users/delta`.

use std::collections::HashMap;

use super::Outcome;
use super::delta::{self, Stage, Step, Ticket};
use super::log::{UserChange, UserWhat};
use super::select::{self, Missing, Of, Shape};
use super::tenant::{Life, NONE, Tenant, User};
use crate::call::Call;
use crate::json;
use crate::settings::Settings;
use crate::world::World;

/// What a round tracks.
struct Tracked {
    shape: Shape,
    manager: bool,
}

/// What happened to one user on this page.
#[derive(Default)]
struct Touched {
    whole: bool,
    /// Names of changed properties, with the value before the first change on this page.
    before: serde_json::Map<String, serde_json::Value>,
    /// Managers they had and lost.
    managers: Vec<Option<u32>>,
}

/// Answers a request to `/users/delta`.
pub fn answer(world: &World, tenant: &Tenant, settings: &Settings, call: &Call) -> Outcome {
    let now = world.clock.now();
    let log_end = delta::visible(&tenant.user_log, |change| change.at, settings, now);
    let step = delta::begin("users", call, settings, tenant.token_epoch, log_end, now)?;
    let ticket = match step {
        Step::Latest(ticket) => {
            tracked(&ticket)?;
            return Ok(delta::page(call, settings, ticket, b"", None));
        }
        Step::Walk(ticket) => ticket,
    };
    let tracked = tracked(&ticket)?;
    if ticket.is_blank(settings) {
        let stage = ticket.stage;
        return Ok(delta::page(call, settings, ticket, b"", Some(stage)));
    }
    match ticket.stage {
        Stage::First { at, .. } => {
            let (items, next) = first(world, tenant, settings, &ticket, &tracked, at);
            Ok(delta::page(call, settings, ticket, &items, next))
        }
        Stage::Log { at, to } => {
            let minimal = call
                .header("prefer")
                .is_some_and(|value| value.contains("return=minimal"));
            let (items, next) = walk(tenant, settings, &ticket, &tracked, at, to, minimal);
            Ok(delta::page(call, settings, ticket, &items, next))
        }
        Stage::Rest => Ok(delta::page(call, settings, ticket, b"", None)),
    }
}

fn tracked(ticket: &Ticket) -> Result<Tracked, super::Denied> {
    let mut manager = false;
    let select = ticket.select.as_ref().map(|text| {
        let mut names: Vec<&str> = text.split(',').map(str::trim).collect();
        let before = names.len();
        names.retain(|name| *name != "manager");
        manager = names.len() != before;
        names.push("id");
        names.join(",")
    });
    Ok(Tracked {
        shape: Shape::read(Of::Users, select.as_deref(), None)?,
        manager,
    })
}

fn first(
    world: &World,
    tenant: &Tenant,
    settings: &Settings,
    ticket: &Ticket,
    tracked: &Tracked,
    at: u32,
) -> (Vec<u8>, Option<Stage>) {
    if !ticket.ids.is_empty() {
        let mut out = Vec::new();
        for id in &ticket.ids {
            if let Some(at) = tenant.find_user(id) {
                shown_first(tenant, &tenant.users[at as usize], tracked, &mut out);
            }
        }
        return (out, None);
    }
    let size = settings.delta_page_users.max(1) as u32;
    let end = at.saturating_add(size);
    let view = format!("delta|{size}|{}|{}", tracked.manager, tracked.shape.key());
    let (_, body) = world.graph.user_pages.get(&view, at, || {
        let mut out = Vec::new();
        for user in tenant.users.iter().skip(at as usize).take(size as usize) {
            shown_first(tenant, user, tracked, &mut out);
        }
        (end, out)
    });
    let mut items = Vec::with_capacity(body.len() + 1_024);
    if settings.delta_duplicates && at > 0 {
        shown_first(tenant, &tenant.users[at as usize - 1], tracked, &mut items);
        if !items.is_empty() && !body.is_empty() {
            items.push(b',');
        }
    }
    items.extend_from_slice(&body);
    let more = (end as usize) < tenant.users.len();
    (items, more.then_some(Stage::First { pass: 0, at: end }))
}

/// Appends a user as the first round shows them. Users in the recycle bin show as removed.
fn shown_first(tenant: &Tenant, user: &User, tracked: &Tracked, out: &mut Vec<u8>) {
    match user.life {
        Life::Purged => {}
        Life::Binned(_) => {
            json::comma(out);
            delta::removed(user.id, "changed", out);
        }
        Life::Present => {
            json::comma(out);
            open(tenant, user, &tracked.shape, out);
            if tracked.manager && user.manager != NONE {
                managers(tenant, Some(user.manager), &[], out);
            }
            out.push(b'}');
        }
    }
}

fn open(tenant: &Tenant, user: &User, shape: &Shape, out: &mut Vec<u8>) {
    let names = shape.names.iter().map(String::as_str);
    select::open_user(tenant, user, names, Missing::Absent, out);
}

fn managers(tenant: &Tenant, present: Option<u32>, lost: &[u32], out: &mut Vec<u8>) {
    json::name("manager@delta", out);
    out.push(b'[');
    let entry = |at: u32, tail: &[u8], out: &mut Vec<u8>| {
        json::comma(out);
        out.extend_from_slice(br##"{"@odata.type":"#microsoft.graph.user","id":""##);
        tenant.users[at as usize].id.write(out);
        out.extend_from_slice(tail);
    };
    for &at in lost {
        entry(at, br#"","@removed":{"reason":"deleted"}}"#, out);
    }
    if let Some(at) = present {
        entry(at, br#""}"#, out);
    }
    out.push(b']');
}

fn walk(
    tenant: &Tenant,
    settings: &Settings,
    ticket: &Ticket,
    tracked: &Tracked,
    at: usize,
    to: usize,
    minimal: bool,
) -> (Vec<u8>, Option<Stage>) {
    let mut order: Vec<u32> = Vec::new();
    let mut touched: HashMap<u32, Touched> = HashMap::new();
    let mut stopped = None;
    for (place, change) in tenant.user_log.iter().enumerate().take(to).skip(at) {
        if !is_tracked(change, tracked) || !ticket.wants(tenant.users[change.user as usize].id) {
            continue;
        }
        if !touched.contains_key(&change.user) {
            if order.len() >= settings.delta_page_users.max(1) {
                stopped = Some(place);
                break;
            }
            order.push(change.user);
        }
        let entry = touched.entry(change.user).or_default();
        match &change.what {
            UserWhat::Whole => entry.whole = true,
            UserWhat::Properties(before) => {
                for (name, value) in before.iter() {
                    entry
                        .before
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
            }
            UserWhat::Manager(before) => entry.managers.push(*before),
        }
    }
    let mut out = Vec::new();
    for at in order {
        let user = &tenant.users[at as usize];
        let Some(what) = touched.get(&at) else {
            continue;
        };
        if settings.delta_duplicates && user.life == Life::Present && !what.before.is_empty() {
            stale(tenant, user, tracked, what, &mut out);
        }
        json::comma(&mut out);
        match user.life {
            Life::Binned(_) => delta::removed(user.id, "changed", &mut out),
            Life::Purged => delta::removed(user.id, "deleted", &mut out),
            Life::Present => shown_again(tenant, user, tracked, what, minimal, &mut out),
        }
    }
    (out, stopped.map(|at| Stage::Log { at, to }))
}

fn is_tracked(change: &UserChange, tracked: &Tracked) -> bool {
    match &change.what {
        UserWhat::Whole => true,
        UserWhat::Manager(_) => tracked.manager,
        UserWhat::Properties(before) => {
            before.keys().any(|name| tracked.shape.names.contains(name))
        }
    }
}

/// Appends a changed user: all tracked properties, or only the changed ones when asked so.
fn shown_again(
    tenant: &Tenant,
    user: &User,
    tracked: &Tracked,
    what: &Touched,
    minimal: bool,
    out: &mut Vec<u8>,
) {
    let names = tracked
        .shape
        .names
        .iter()
        .map(String::as_str)
        .filter(|name| !minimal || what.whole || *name == "id" || what.before.contains_key(*name));
    select::open_user(tenant, user, names, Missing::Absent, out);
    let present = (user.manager != NONE).then_some(user.manager);
    if tracked.manager && what.whole && present.is_some() {
        managers(tenant, present, &[], out);
    } else if tracked.manager && !what.managers.is_empty() {
        let lost: Vec<u32> = what
            .managers
            .iter()
            .flatten()
            .copied()
            .filter(|&at| Some(at) != present)
            .collect();
        managers(tenant, present, &lost, out);
    }
    out.push(b'}');
}

/// Appends a user as they were before the changes of this page.
fn stale(tenant: &Tenant, user: &User, tracked: &Tracked, what: &Touched, out: &mut Vec<u8>) {
    let mut old = user.patch.clone().unwrap_or_default();
    old.extend(what.before.clone());
    let ghost = User {
        id: user.id,
        base: user.base,
        manager: user.manager,
        life: user.life,
        patch: Some(old),
    };
    json::comma(out);
    open(tenant, &ghost, &tracked.shape, out);
    out.push(b'}');
}
