//! A local target that somebody wrote to behind our back.

use super::*;
use crate::plan::{Link, LinkState};
use crate::store::portals::{
    delete_local_account, delete_local_group, put_link, put_local_account,
};
use crate::sync::tests::world::{World, hire, user_member};

const PORTALS: &str = r#"
[portals.people]
kind = "directory"
target = "local"
sources = ["a"]
on_deactivate = "disable"
[portals.people.attributes]
title = "title"
[portals.board]
kind = "dashboard"
target = "local"
sources = ["a"]
default_role = "viewer"
"#;

/// Ada and Bo, both in a group of two.
fn world() -> World {
    let world = World::new(PORTALS, r#"scope = "all""#);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bo");
    let members = [user_member("u1"), user_member("u2")].into();
    let group = ("Makers".to_owned(), members);
    world.company("a").groups.insert("g1".to_owned(), group);
    world.settle();
    world
}

fn drift(world: &World, then: Then) -> Report {
    world.sync.drift(&[], then, world.now).unwrap()
}

/// Changes an account in the target alone.
fn meddle(world: &World, portal: &str, key: &str, attribute: &str, value: Option<Value>) {
    let store = &world.sync.store;
    let mut account = store.local_account(portal, key).unwrap().unwrap();
    account.account.set(attribute, value);
    store
        .write(vec![put_local_account(portal, &account)])
        .unwrap();
}

fn change_link(world: &World, key: &str, change: impl FnOnce(&mut Link)) {
    let store = &world.sync.store;
    let mut link = store.link("people", key).unwrap().unwrap();
    change(&mut link);
    store
        .write(put_link("people", &link).into_iter().collect())
        .unwrap();
}

#[test]
fn what_was_applied_is_no_drift() {
    let world = world();
    let report = drift(&world, Then::Repair);
    assert!(!report.has_drift() && report.repair.is_none(), "{report:?}");
}

#[test]
fn a_repair_makes_everything_as_it_was_applied() {
    let world = world();
    let store = &world.sync.store;
    meddle(
        &world,
        "people",
        "ada@corp",
        "displayName",
        Some(Value::from("X")),
    );
    // Mapped, and taken away because the source has none.
    meddle(
        &world,
        "people",
        "ada@corp",
        "title",
        Some(Value::from("Boss")),
    );
    // Nobody's business.
    meddle(
        &world,
        "people",
        "ada@corp",
        "nickName",
        Some(Value::from("Al")),
    );
    store
        .write(vec![delete_local_account("people", "bo@corp")])
        .unwrap();
    let group = store.group_number("a", "g1").unwrap().unwrap();
    store
        .write(vec![delete_local_group("board", "a", group)])
        .unwrap();
    let report = drift(&world, Then::Show);
    let people = &report.portals["people"];
    let names: Vec<_> = people.accounts[0]
        .differs
        .iter()
        .map(|d| &d.attribute)
        .collect();
    assert_eq!(names, ["displayName", "title"]);
    assert!(people.accounts[1].missing);
    assert_eq!(people.groups[0].members_missing, ["bo@corp"]);
    assert!(report.portals["board"].groups[0].missing);
    let report = drift(&world, Then::Repair);
    assert_eq!(report.repair.unwrap().status, "applied");
    assert!(!drift(&world, Then::Show).has_drift());
    world.assert_quiet();
    meddle(&world, "people", "ada@corp", "nickName", None);
    world.assert_target_agrees();
}

#[test]
fn a_role_that_is_given_once_is_the_targets_afterwards() {
    let world = world();
    meddle(
        &world,
        "board",
        "ada@corp",
        "role",
        Some(Value::from("admin")),
    );
    assert!(!drift(&world, Then::Show).has_drift());
}

#[test]
fn who_departed_is_left_alone_but_stays_disabled() {
    let world = world();
    world.company("a").users.get_mut("u1").unwrap().active = false;
    world.settle();
    meddle(
        &world,
        "people",
        "ada@corp",
        "displayName",
        Some(Value::from("X")),
    );
    assert!(!drift(&world, Then::Show).has_drift());
    meddle(
        &world,
        "people",
        "ada@corp",
        "active",
        Some(Value::Bool(true)),
    );
    let report = drift(&world, Then::Repair);
    assert_eq!(
        report.portals["people"].accounts[0].differs[0].attribute,
        "active"
    );
    let account = world
        .sync
        .store
        .local_account("people", "ada@corp")
        .unwrap();
    assert!(!account.unwrap().account.active);
}

#[test]
fn who_is_leaving_is_not_given_an_account_again() {
    let world = world();
    let since = world.now;
    change_link(&world, "bo@corp", |link| {
        let cause = "disabled".to_owned();
        link.state = LinkState::Leaving { since, cause };
    });
    let gone = delete_local_account("people", "bo@corp");
    world.sync.store.write(vec![gone]).unwrap();
    let report = drift(&world, Then::Repair);
    assert!(report.portals["people"].accounts[0].missing);
    assert_eq!(report.repair.unwrap().actions, 0);
    let account = world.sync.store.local_account("people", "bo@corp").unwrap();
    assert_eq!(account, None);
}

#[test]
fn what_nobody_is_linked_to_is_named_and_never_touched() {
    let world = world();
    let store = &world.sync.store;
    let mut foreign = store.local_account("people", "ada@corp").unwrap().unwrap();
    foreign.key = "eve@corp".to_owned();
    store
        .write(vec![put_local_account("people", &foreign)])
        .unwrap();
    let report = drift(&world, Then::Repair);
    assert_eq!(report.portals["people"].not_ours, ["eve@corp"]);
    assert!(report.repair.is_none());
    assert_eq!(
        store.local_account("people", "eve@corp").unwrap(),
        Some(foreign)
    );
}
