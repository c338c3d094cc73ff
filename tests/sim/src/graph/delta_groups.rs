//! `/groups/delta`, with `members@delta`.
//!
//! In the first round the groups are passed over again and again, each time with the next piece
//! of every group that has more members, so a large group comes back over several pages with
//! others in between. Links of users in the recycle bin are listed: nothing would announce them
//! if the user came back.

use std::collections::HashMap;

use super::Outcome;
use super::delta::{self, Stage, Step, Ticket};
use super::log::{GroupChange, GroupWhat};
use super::select::{self, Missing, Of, Shape};
use super::tenant::{Group, Life, Ref, Tenant};
use crate::call::Call;
use crate::json;
use crate::settings::Settings;
use crate::world::World;

/// What a round tracks.
struct Tracked {
    shape: Shape,
    members: bool,
}

/// Answers a request to `/groups/delta`.
pub fn answer(world: &World, tenant: &Tenant, settings: &Settings, call: &Call) -> Outcome {
    let now = world.clock.now();
    let log_end = delta::visible(&tenant.group_log, |change| change.at, settings, now);
    let step = delta::begin("groups", call, settings, tenant.token_epoch, log_end, now)?;
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
    let (items, next) = match ticket.stage {
        Stage::First { pass, at } => first(tenant, settings, &ticket, &tracked, pass, at),
        Stage::Log { at, to } => walk(tenant, settings, &ticket, &tracked, at, to),
        Stage::Rest => (Vec::new(), None),
    };
    Ok(delta::page(call, settings, ticket, &items, next))
}

fn tracked(ticket: &Ticket) -> Result<Tracked, super::Denied> {
    let mut members = ticket.select.is_none();
    let select = ticket.select.as_ref().map(|text| {
        let mut names: Vec<&str> = text.split(',').map(str::trim).collect();
        members = names.contains(&"members");
        names.retain(|name| !matches!(*name, "members" | "owners"));
        names.push("id");
        names.join(",")
    });
    Ok(Tracked {
        shape: Shape::read(Of::Groups, select.as_deref(), None)?,
        members,
    })
}

fn open(tenant: &Tenant, group: &Group, tracked: &Tracked, out: &mut Vec<u8>) {
    let names = tracked.shape.names.iter().map(String::as_str);
    select::open_group(tenant, group, names, Missing::Absent, out);
}

/// A member entry: joined, or left.
fn entry(tenant: &Tenant, member: Ref, joined: bool, out: &mut Vec<u8>) {
    json::comma(out);
    select::open_reference(tenant, member, out);
    if !joined {
        out.extend_from_slice(br#","@removed":{"reason":"deleted"}"#);
    }
    out.push(b'}');
}

fn first(
    tenant: &Tenant,
    settings: &Settings,
    ticket: &Ticket,
    tracked: &Tracked,
    pass: u32,
    at: u32,
) -> (Vec<u8>, Option<Stage>) {
    let chunk = settings.delta_group_chunk.max(1);
    let mut out = Vec::new();
    let (mut pass, mut at) = (pass as usize, at as usize);
    let (mut shown, mut listed) = (0, 0);
    loop {
        if at >= tenant.groups.len() {
            let more = |group: &Group| group.slots.len() > (pass + 1) * chunk;
            if !tracked.members || !tenant.groups.iter().any(more) {
                return (out, None);
            }
            (pass, at) = (pass + 1, 0);
        }
        if shown >= settings.delta_page_groups.max(1) || listed >= settings.delta_page_members {
            let stage = Stage::First {
                pass: pass as u32,
                at: at as u32,
            };
            return (out, Some(stage));
        }
        let group = &tenant.groups[at];
        at += 1;
        if !ticket.wants(group.id) || group.life == Life::Purged {
            continue;
        }
        if let Life::Binned(_) = group.life {
            if pass == 0 {
                json::comma(&mut out);
                delta::removed(group.id, "changed", &mut out);
                shown += 1;
            }
            continue;
        }
        let piece: Vec<Ref> = if tracked.members {
            let present = |slot: &Ref| *slot != Ref::HOLE;
            group
                .slots
                .iter()
                .skip(pass * chunk)
                .take(chunk)
                .copied()
                .filter(present)
                .collect()
        } else {
            Vec::new()
        };
        if pass > 0 && piece.is_empty() {
            continue;
        }
        json::comma(&mut out);
        open(tenant, group, tracked, &mut out);
        if !piece.is_empty() {
            json::name("members@delta", &mut out);
            out.push(b'[');
            for &member in &piece {
                entry(tenant, member, true, &mut out);
            }
            out.push(b']');
        }
        out.push(b'}');
        shown += 1;
        listed += piece.len();
    }
}

fn walk(
    tenant: &Tenant,
    settings: &Settings,
    ticket: &Ticket,
    tracked: &Tracked,
    at: usize,
    to: usize,
) -> (Vec<u8>, Option<Stage>) {
    let mut order: Vec<u32> = Vec::new();
    let mut touched: HashMap<u32, Vec<(Ref, bool)>> = HashMap::new();
    let mut listed = 0;
    let mut stopped = None;
    for (place, change) in tenant.group_log.iter().enumerate().take(to).skip(at) {
        let group = &tenant.groups[change.group as usize];
        if !is_tracked(change, tracked) || !ticket.wants(group.id) {
            continue;
        }
        let full = listed >= settings.delta_page_members.max(1)
            || (order.len() >= settings.delta_page_groups.max(1)
                && !touched.contains_key(&change.group));
        if full {
            stopped = Some(place);
            break;
        }
        let entries = touched.entry(change.group).or_insert_with(|| {
            order.push(change.group);
            Vec::new()
        });
        match change.what {
            GroupWhat::Joined(member) => entries.push((member, true)),
            GroupWhat::Left(member) => entries.push((member, false)),
            GroupWhat::Whole | GroupWhat::Properties(_) => continue,
        }
        listed += 1;
    }
    let mut out = Vec::new();
    for at in order {
        let group = &tenant.groups[at as usize];
        json::comma(&mut out);
        match group.life {
            Life::Binned(_) => delta::removed(group.id, "changed", &mut out),
            Life::Purged => delta::removed(group.id, "deleted", &mut out),
            Life::Present => {
                open(tenant, group, tracked, &mut out);
                let entries = touched
                    .get(&at)
                    .map(|all| last_of_each(all))
                    .unwrap_or_default();
                if tracked.members && !entries.is_empty() {
                    json::name("members@delta", &mut out);
                    out.push(b'[');
                    for (member, joined) in entries {
                        entry(tenant, member, joined, &mut out);
                    }
                    out.push(b']');
                }
                out.push(b'}');
            }
        }
    }
    (out, stopped.map(|at| Stage::Log { at, to }))
}

/// Who joined and left within a page counts once, as it ended.
fn last_of_each(entries: &[(Ref, bool)]) -> Vec<(Ref, bool)> {
    let last: HashMap<Ref, usize> = entries
        .iter()
        .enumerate()
        .map(|(at, &(member, _))| (member, at))
        .collect();
    entries
        .iter()
        .enumerate()
        .filter(|(at, (member, _))| last.get(member) == Some(at))
        .map(|(_, &entry)| entry)
        .collect()
}

fn is_tracked(change: &GroupChange, tracked: &Tracked) -> bool {
    match &change.what {
        GroupWhat::Whole => true,
        GroupWhat::Properties(names) => names.iter().any(|name| tracked.shape.names.contains(name)),
        GroupWhat::Joined(_) | GroupWhat::Left(_) => tracked.members,
    }
}
