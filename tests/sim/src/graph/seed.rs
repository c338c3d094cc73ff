//! Founding a tenant.
//!
//! The first groups are there for what clients get wrong, whatever the size of the company; the
//! rest share the wanted number of memberships, a few of them large.

use super::tenant::{APP_ROLE, Assignment, Group, GroupKind, Kind, Life, NONE, Ref, Tenant, User};
use crate::clock;
use crate::company::{groups, people::Person};
use crate::ids::{self, Guid};

const USERS: u64 = 1;
const GROUPS: u64 = 2;
const DEVICES: u64 = 3;
const PRINCIPALS: u64 = 4;

/// The id of the user at a position, seeded or made later.
pub fn user_id(seed: u64, position: usize) -> Guid {
    Guid::seeded(seed, USERS, position as u64)
}

/// The id of the group at a position, seeded or made later.
pub fn group_id(seed: u64, position: usize) -> Guid {
    Guid::seeded(seed, GROUPS, position as u64)
}

/// A tenant of that size. Fewer groups than the special ones are never made.
pub fn found(seed: u64, users: usize, groups: usize, memberships: usize) -> Tenant {
    let mut tenant = Tenant::empty(seed);
    tenant.by_id.reserve(users + groups);
    tenant.users.reserve(users);
    for at in 0..users {
        let id = user_id(seed, at);
        let person = Person::at(seed, at as u32);
        tenant.by_id.insert(id, Ref::user(at as u32));
        tenant.users.push(User {
            id,
            base: at as u32,
            manager: person.manager().unwrap_or(NONE),
            life: Life::Present,
            patch: None,
        });
    }
    for at in 0..(users / 50 + 2) {
        let id = Guid::seeded(seed, DEVICES, at as u64);
        tenant.add_thing(Kind::Device, id, format!("LAPTOP-{at:05}"));
    }
    for at in 0..3 {
        let id = Guid::seeded(seed, PRINCIPALS, at);
        tenant.add_thing(Kind::ServicePrincipal, id, format!("automation-{at}"));
    }
    special_groups(&mut tenant, users);
    let used: usize = tenant.groups.iter().map(|group| group.slots.len()).sum();
    let rest = groups.saturating_sub(tenant.groups.len());
    let sizes = groups::sizes(rest, memberships.saturating_sub(used), users);
    for (nth, size) in sizes.into_iter().enumerate() {
        let kind = match nth % 9 {
            1 => GroupKind::Unified,
            4 => GroupKind::MailSecurity,
            6 => GroupKind::Distribution,
            _ => GroupKind::Security,
        };
        let group = add(&mut tenant, &format!("Team {:05}", nth + 1), kind);
        let people = groups::pick(seed, nth as u64, size, users).map(Ref::user);
        tenant.groups[group].slots = people.collect();
    }
    tenant
}

fn add(tenant: &mut Tenant, name: &str, kind: GroupKind) -> usize {
    let at = tenant.groups.len();
    let id = group_id(tenant.seed, at);
    tenant.by_id.insert(id, Ref::group(at as u32));
    tenant.groups.push(Group {
        id,
        kind,
        name: name.to_owned(),
        life: Life::Present,
        patch: None,
        slots: Vec::new(),
    });
    at
}

fn special_groups(tenant: &mut Tenant, users: usize) {
    use GroupKind::{Distribution, Dynamic, Hidden, MailSecurity, Security, Unified};
    // People by position, as far as the company has them.
    let people = |range: std::ops::Range<u32>| -> Vec<Ref> {
        range
            .filter(|&at| (at as usize) < users)
            .map(Ref::user)
            .collect()
    };
    let nested = |at: usize| Ref::group(at as u32);
    let mut group = |name: &str, kind: GroupKind, members: Vec<Ref>| -> usize {
        let at = add(tenant, name, kind);
        tenant.groups[at].slots = members;
        at
    };
    // Roles overlap: somebody is in all four.
    let admins = group("applivery-admin", Security, people(0..3));
    let editors = group("applivery-editor", Security, people(2..7));
    let viewers = group("applivery-viewer", Security, people(2..12));
    let unassigned = group("applivery-unassigned", Security, people(2..4));
    // A parent of a parent, with people of its own.
    let leaf = group("Sales Iberia", Security, people(4..9));
    let middle = group(
        "Sales Europe",
        Unified,
        [vec![nested(leaf)], people(9..11)].concat(),
    );
    let parent = group(
        "Sales Worldwide",
        Security,
        [people(0..1), vec![nested(middle)]].concat(),
    );
    // A ring of three, and a group that holds itself.
    let ring = group("Ring A", Security, people(10..12));
    let ring_b = group(
        "Ring B",
        Security,
        [vec![nested(ring)], people(12..14)].concat(),
    );
    let ring_c = group(
        "Ring C",
        Security,
        [vec![nested(ring_b)], people(14..15)].concat(),
    );
    let mirror = group("Mirror", Security, people(1..2));
    // One name, two groups, different people.
    group("Projekt Übermut", Security, people(0..4));
    group("Projekt Übermut", Unified, people(3..8));
    let mixed = group("Laptops and owners", Security, people(0..2));
    group("Nobody yet", Security, Vec::new());
    group("Engineers (dynamic)", Dynamic, people(5..15));
    group("Works council", Hidden, people(6..9));
    group("announce", Distribution, people(0..18));
    group("finance-mail", MailSecurity, people(8..12));
    group("sales iberia", Security, people(15..17));
    let assigned = group("Portal users", Security, people(12..18));
    tenant.groups[ring].slots.push(nested(ring_c));
    tenant.groups[mirror].slots.push(nested(mirror));
    tenant.groups[mixed].slots.extend([
        Ref::new(Kind::Device, 0),
        Ref::new(Kind::ServicePrincipal, 1),
        Ref::new(Kind::Device, 1),
    ]);
    for group in [admins, editors, viewers, unassigned, parent, assigned] {
        assign(tenant, nested(group), Guid(0));
    }
    for person in people(17..20) {
        assign(tenant, person, Guid(0));
    }
    // A second role for one who is assigned already, and a principal that is no person.
    for person in people(17..18) {
        assign(tenant, person, APP_ROLE);
    }
    assign(tenant, Ref::new(Kind::ServicePrincipal, 1), Guid(0));
}

fn assign(tenant: &mut Tenant, principal: Ref, role: Guid) {
    let id = assignment_id(tenant, principal, role);
    tenant.assignments.push(Assignment {
        id,
        principal,
        role,
        created: clock::SEEDED,
    });
}

/// The id of an assignment: opaque, and the same for the same principal and role.
pub fn assignment_id(tenant: &Tenant, principal: Ref, role: Guid) -> String {
    use base64::Engine;
    let principal = tenant.id_of(principal).0;
    let tail = ids::mix((principal ^ role.0) as u64);
    let mut bytes = principal.to_be_bytes().to_vec();
    bytes.extend_from_slice(&tail.to_be_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_company_has_one_of_each_kind() {
        let tenant = found(1, 20, 0, 0);
        let named = |name: &str| {
            tenant
                .groups
                .iter()
                .filter(|group| group.name == name)
                .count()
        };
        assert_eq!(named("Projekt Übermut"), 2);
        assert_eq!(named("applivery-admin"), 1);
        let mixed = tenant
            .groups
            .iter()
            .find(|group| group.name == "Laptops and owners");
        let kinds: Vec<_> = mixed.expect("seeded").members().map(Ref::kind).collect();
        assert!(kinds.contains(&Kind::Device) && kinds.contains(&Kind::ServicePrincipal));
        assert!(
            tenant
                .assignments
                .iter()
                .any(|one| one.principal.kind() == Kind::User)
        );
    }

    #[test]
    fn memberships_come_out_as_ordered() {
        let tenant = found(1, 1_000, 120, 5_000);
        assert_eq!(tenant.groups.len(), 120);
        let total: usize = tenant.groups.iter().map(|group| group.slots.len()).sum();
        assert_eq!(total, 5_000);
    }
}
