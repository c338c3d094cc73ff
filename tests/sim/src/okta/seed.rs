//! Founding an org.

use serde_json::{Map, Value};

use super::org::{Group, GroupKind, Org, Status, User};
use crate::clock::{self, Millis};
use crate::company::groups;
use crate::ids;

const USERS: u64 = 0x6f75;
const GROUPS: u64 = 0x6f67;

/// Seeded people were last changed one second apart, in order of position.
const STEP: Millis = 1_000;

/// The number in the id of the user at a position.
pub fn user_number(seed: u64, position: usize) -> u64 {
    ids::draw(seed, USERS, position as u64)
}

/// The number in the id of the group at a position.
pub fn group_number(seed: u64, position: usize) -> u64 {
    ids::draw(seed, GROUPS, position as u64)
}

fn status(seed: u64, position: usize) -> Status {
    match position {
        2 => Status::Staged,
        3 => Status::Suspended,
        4 => Status::Provisioned,
        6 => Status::Recovery,
        8 => Status::PasswordExpired,
        10 => Status::LockedOut,
        12 => Status::Deprovisioned,
        0..=19 => Status::Active,
        _ => match ids::draw(seed, 0x7374, position as u64) % 100 {
            0 => Status::Staged,
            1 => Status::Provisioned,
            2 => Status::Recovery,
            3 => Status::PasswordExpired,
            4 => Status::LockedOut,
            5 => Status::Suspended,
            6..=8 => Status::Deprovisioned,
            _ => Status::Active,
        },
    }
}

/// An org of that size.
pub fn found(seed: u64, users: usize, groups: usize, memberships: usize) -> Org {
    let mut org = Org::empty(seed);
    org.users.reserve(users);
    org.user_by_number.reserve(users);
    for at in 0..users {
        let number = user_number(seed, at);
        let created = clock::SEEDED + at as Millis * STEP;
        org.user_by_number.insert(number, at as u32);
        org.users.push(User {
            number,
            base: at as u32,
            status: status(seed, at),
            created,
            updated: created + 60_000,
            status_changed: created + 30_000,
            before: None,
            gone: false,
            patch: None,
        });
    }
    org.by_updated = org
        .users
        .iter()
        .enumerate()
        .map(|(at, user)| (user.updated, at as u32))
        .collect();
    let people = |range: std::ops::Range<u32>| -> Vec<u32> {
        range.filter(|&at| (at as usize) < users).collect()
    };
    built_in(&mut org);
    let admins = add(&mut org, "applivery-admin", GroupKind::Okta, people(0..3));
    let editors = add(&mut org, "applivery-editor", GroupKind::Okta, people(2..7));
    let viewers = add(&mut org, "applivery-viewer", GroupKind::Okta, people(2..14));
    add(
        &mut org,
        "applivery-unassigned",
        GroupKind::Okta,
        people(2..4),
    );
    add(&mut org, "West Coast users", GroupKind::Okta, people(4..14));
    add(&mut org, "Nobody yet", GroupKind::Okta, Vec::new());
    // Groups brought in from elsewhere may share a name.
    add(&mut org, "Projekt Übermut", GroupKind::App, people(0..4));
    add(&mut org, "Projekt Übermut", GroupKind::App, people(3..8));
    let assigned = add(&mut org, "Portal users", GroupKind::Okta, people(9..17));
    for group in [admins, editors, viewers, assigned] {
        org.assigned_groups.push((group, clock::SEEDED));
    }
    for user in people(17..20) {
        org.direct.insert(user, clock::SEEDED);
    }
    // One who is assigned directly and by a group counts as direct.
    if users > 2 {
        org.direct.insert(2, clock::SEEDED);
    }
    let used: usize = org.groups.iter().map(|group| group.slots.len()).sum();
    let rest = groups.saturating_sub(org.groups.len());
    let sizes = groups::sizes(rest, memberships.saturating_sub(used), users);
    for (nth, size) in sizes.into_iter().enumerate() {
        let kind = if nth % 7 == 3 {
            GroupKind::App
        } else {
            GroupKind::Okta
        };
        let members = groups::pick(seed ^ 0x6f6b, nth as u64, size, users).collect();
        add(&mut org, &format!("Team {:05}", nth + 1), kind, members);
    }
    org
}

/// The groups every org is born with.
pub fn built_in(org: &mut Org) {
    let everyone = add(org, "Everyone", GroupKind::BuiltIn, Vec::new());
    org.groups[everyone as usize].everyone = true;
    add(org, "Okta Administrators", GroupKind::BuiltIn, Vec::new());
}

fn add(org: &mut Org, name: &str, kind: GroupKind, slots: Vec<u32>) -> u32 {
    let at = org.groups.len();
    let number = group_number(org.seed, at);
    let mut profile = Map::new();
    profile.insert("name".to_owned(), name.into());
    let description = match name {
        "Everyone" => Value::from("All users in your organization"),
        _ => Value::from(format!("All of {name}")),
    };
    profile.insert("description".to_owned(), description);
    org.group_by_number.insert(number, at as u32);
    org.groups.push(Group {
        number,
        kind,
        created: clock::SEEDED,
        updated: clock::SEEDED + at as Millis,
        membership_updated: clock::SEEDED + at as Millis,
        gone: false,
        profile,
        slots,
        everyone: false,
    });
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_org_shows_every_status() {
        let org = found(1, 20, 0, 0);
        let mut statuses: Vec<_> = org.users.iter().map(|user| user.status.text()).collect();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(statuses.len(), 8);
    }

    #[test]
    fn a_direct_assignment_outranks_one_by_group() {
        let org = found(1, 20, 0, 0);
        let effective = org.effective();
        assert!(effective.contains(&(2, true)) && !effective.contains(&(2, false)));
        assert!(effective.iter().all(|&(at, _)| org.is_listed(at)));
    }
}
