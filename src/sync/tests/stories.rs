//! One change at a time, told as stories.

use std::sync::Arc;

use super::world::*;
use crate::plan::{Role, Section, Status};
use crate::store::Way;
use crate::sync::{Intent, RunError};

const ALL: &str = r#"scope = "all""#;

const STORE: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a", "b"]
on_deactivate = "remove"
[safety]
max_deactivations = "100%"
max_membership_removals = "100%"
max_group_deletes = "100%"
"#;

fn group(world: &World, source: &str, id: &str, name: &str, members: &[&str]) {
    let members = members.iter().map(|id| user_member(id)).collect();
    world
        .company(source)
        .groups
        .insert(id.into(), (name.into(), members));
}

#[test]
fn a_first_run_makes_groups_accounts_and_memberships_in_that_order() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    group(&world, "a", "g1", "Sales", &["u1", "u2"]);
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "store create_group Sales",
            "store create_account ada@corp",
            "store create_account bob@corp",
            "store add_members Sales [ada@corp bob@corp]",
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn a_leaver_goes_once_and_a_return_is_a_new_account() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales", &["u1"]);
    world.settle();
    world.company("a").users.get_mut("u1").unwrap().active = false;
    assert_eq!(lines(&world.settle()), ["store remove_account ada@corp"]);
    world.company("a").users.get_mut("u1").unwrap().active = true;
    assert_eq!(
        lines(&world.settle()),
        [
            "store create_account ada@corp",
            "store add_members Sales [ada@corp]"
        ]
    );
    world.company("a").users.remove("u1");
    assert_eq!(lines(&world.settle()), ["store remove_account ada@corp"]);
    hire(&world, "a", "u1", "ada");
    assert_eq!(
        lines(&world.settle()),
        [
            "store create_account ada@corp",
            "store add_members Sales [ada@corp]"
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn renames_are_updates() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales", &["u1"]);
    world.settle();
    hire(&world, "a", "u1", "adele");
    group(&world, "a", "g1", "Sellers", &["u1"]);
    assert_eq!(
        lines(&world.settle()),
        [
            "store update_group Sellers",
            "store update_account adele@corp"
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn two_users_swap_their_addresses() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    world.settle();
    hire(&world, "a", "u1", "bob");
    hire(&world, "a", "u2", "ada");
    world.settle();
    let links = world.links("store");
    assert_eq!(links["ada@corp"].user, "u2");
    assert_eq!(links["bob@corp"].user, "u1");
    world.assert_target_agrees();
}

#[test]
fn a_leavers_address_may_be_taken_in_the_same_run() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    world.settle();
    world.company("a").users.remove("u1");
    hire(&world, "a", "u2", "ada");
    world.settle();
    let links = world.links("store");
    assert_eq!(links.keys().collect::<Vec<_>>(), ["ada@corp"]);
    assert_eq!(links["ada@corp"].user, "u2");
    world.assert_target_agrees();
}

#[test]
fn the_first_source_takes_an_account_over_and_gives_it_back() {
    let world = World::new(STORE, ALL);
    hire(&world, "b", "x1", "ada");
    world.settle();
    hire(&world, "a", "u1", "ada");
    let plan = world.settle();
    assert_eq!(lines(&plan), ["store adopt_account ada@corp"]);
    assert_eq!(listed(&plan, Section::Conflicts), ["ada@corp: u1 over x1"]);
    world.company("a").users.remove("u1");
    assert_eq!(lines(&world.settle()), ["store adopt_account ada@corp"]);
    assert_eq!(world.links("store")["ada@corp"].user, "x1");
}

#[test]
fn a_blocked_user_gets_the_key_when_it_is_free() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    world.settle();
    hire(&world, "a", "u2", "ada");
    let plan = world.settle();
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(listed(&plan, Section::Conflicts), ["ada@corp: u1 over u2"]);
    hire(&world, "a", "u1", "zoe");
    assert_eq!(
        lines(&world.settle()),
        [
            "store update_account ada@corp",
            "store update_account zoe@corp"
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn a_user_without_a_key_is_skipped() {
    let world = World::new(STORE, ALL);
    let mut nameless = user("u1", "x");
    nameless.emails.clear();
    nameless.user_name = None;
    world.company("a").users.insert("u1".into(), nameless);
    let plan = world.settle();
    assert_eq!(listed(&plan, Section::Skipped), ["u1: no email"]);
}

#[test]
fn half_a_picture_changes_nothing() {
    let world = World::new(STORE, ALL);
    for n in 0..20 {
        hire(&world, "a", &format!("u{n}"), &format!("n{n}"));
    }
    world.settle();
    for cut in 0..20 {
        *world.sources["a"].cut_after.lock().unwrap() = Some(cut);
        let plan = world.full_sync();
        assert_eq!(lines(&plan), Vec::<String>::new());
        assert!(plan.head.sources["a"].error.is_some());
    }
    world.assert_quiet();
}

#[test]
fn who_a_full_round_misses_is_looked_at_a_second_time() {
    let world = World::new(STORE, ALL);
    for n in 0..20 {
        hire(&world, "a", &format!("u{n}"), &format!("n{n}"));
    }
    world.settle();
    world.sources["a"]
        .hidden
        .lock()
        .unwrap()
        .extend(["u3".to_owned(), "u4".to_owned()]);
    assert_eq!(lines(&world.full_sync()), Vec::<String>::new());
    world.company("a").users.remove("u3");
    assert_eq!(lines(&world.full_sync()), ["store remove_account n3@corp"]);
}

#[test]
fn a_source_that_is_suddenly_empty_holds_the_plan() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    world.settle();
    world.sources["a"]
        .hidden
        .lock()
        .unwrap()
        .insert("u1".into());
    let held = world.full_sync();
    assert_eq!(held.head.status, Status::Held);
    let again = world.full_sync();
    assert_eq!(
        again.head.run, held.head.run,
        "the same held plan keeps its id"
    );
    world.sources["a"].hidden.lock().unwrap().clear();
    world.assert_quiet();
}

const GUARDED: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a", "b"]
on_deactivate = "remove"
[safety]
max_deactivations = 2
"#;

/// One more than the guard lets go.
fn three_of_ten_leave() -> World {
    let world = World::new(GUARDED, ALL);
    for n in 0..10 {
        hire(&world, "a", &format!("u{n}"), &format!("n{n}"));
    }
    world.settle();
    for n in 0..3 {
        world.company("a").users.remove(&format!("u{n}"));
    }
    world
}

#[test]
fn a_held_plan_keeps_nothing_and_is_released_once_exactly_as_shown() {
    let world = three_of_ten_leave();
    let held = world.sync();
    assert_eq!(held.head.status, Status::Held);
    assert_eq!(held.head.guard.limits[0].count, 3);
    assert_eq!(held.head.guard.limits[0].allowed, 2);
    assert_eq!(world.links("store").len(), 10);
    let approve = |digest: &str| Intent::Approve {
        run: held.head.run.clone(),
        digest: digest.to_owned(),
    };
    world.company("a").users.remove("u5");
    let moved = world.run(false, approve(&held.head.digest)).unwrap();
    assert!(moved.moved);
    assert_eq!(world.links("store").len(), 10);
    hire(&world, "a", "u5", "n5");
    let done = world.run(false, approve(&held.head.digest)).unwrap();
    assert_eq!(done.plan.head.status, Status::Applied);
    assert_eq!(world.links("store").len(), 7);
    world.assert_quiet();
}

/// It was asked for while the plan was held: what counts is when it decides.
#[test]
fn an_approval_that_a_discarding_overtakes_does_nothing() {
    let world = three_of_ten_leave();
    let held = world.sync().head;
    let approve = Intent::Approve {
        run: held.run.clone(),
        digest: held.digest.clone(),
    };
    let record = world.sync.store.run(&held.run).unwrap().unwrap();
    world.sync.discard(record, Way::Api, world.now).unwrap();
    let refused = world.run(false, approve).err().unwrap();
    assert!(matches!(refused, RunError::NotHeld { .. }), "{refused}");
    assert_eq!(world.links("store").len(), 10);
    let again = world.sync().head;
    assert_eq!(again.status, Status::Held);
    assert_ne!(again.run, held.run);
    assert_eq!(again.digest, held.digest);
}

#[test]
fn deactivations_after_a_change_of_the_rules_are_held() {
    let mut world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    let mut sales = user("u2", "bob");
    sales.department = Some("Sales".into());
    world.company("a").users.insert("u2".into(), sales);
    world.settle();
    let filtered = STORE.replace(
        "on_deactivate = \"remove\"",
        "on_deactivate = \"remove\"\ninclude = { attributes = [\"department = sales\"] }",
    );
    world.change_settings(&filtered, ALL);
    let held = world.sync();
    assert_eq!(held.head.status, Status::Held);
    assert_eq!(held.head.guard.limits[0].limit, "settings_changed");
    assert_eq!(lines(&held), ["store remove_account ada@corp"]);
    let approve = Intent::Approve {
        run: held.head.run.clone(),
        digest: held.head.digest.clone(),
    };
    assert_eq!(
        world.run(false, approve).unwrap().plan.head.status,
        Status::Applied
    );
    world.assert_quiet();
}

const DASHBOARD: &str = r#"
[portals.dash]
kind = "dashboard"
target = "local"
sources = ["a", "b"]
on_deactivate = "remove"
role_updates = "ROLES"
[safety]
max_deactivations = "100%"
max_membership_removals = "100%"
max_group_deletes = "100%"
protect = ["Root@corp"]
"#;

#[test]
fn the_highest_role_wins_at_first_and_stays_under_initial() {
    let world = World::new(&DASHBOARD.replace("ROLES", "initial"), ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    group(&world, "a", "g1", "Applivery-Admin", &["u1"]);
    group(&world, "a", "g2", "applivery-viewer", &["u1"]);
    let plan = world.settle();
    assert_eq!(listed(&plan, Section::NeedsRole), ["bob@corp"]);
    assert_eq!(
        world.links("dash")["ada@corp"].account.role,
        Some(Role::Admin)
    );
    assert_eq!(world.links("dash")["bob@corp"].account.role, None);
    group(&world, "a", "g1", "Applivery-Admin", &[]);
    world.sync();
    assert_eq!(
        world.links("dash")["ada@corp"].account.role,
        Some(Role::Admin)
    );
    world.assert_quiet();
}

#[test]
fn roles_follow_nested_groups_under_continuous() {
    let world = World::new(&DASHBOARD.replace("ROLES", "continuous"), ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "applivery-editor", &[]);
    group(&world, "a", "g2", "Team", &["u1"]);
    world.settle();
    world
        .company("a")
        .groups
        .get_mut("g1")
        .unwrap()
        .1
        .insert(group_member("g2"));
    // A cycle is legal and ends.
    world
        .company("a")
        .groups
        .get_mut("g2")
        .unwrap()
        .1
        .insert(group_member("g1"));
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "dash set_role ada@corp",
            "dash add_members applivery-editor [ada@corp]"
        ]
    );
    world.company("a").groups.get_mut("g1").unwrap().1.clear();
    world.settle();
    assert_eq!(world.links("dash")["ada@corp"].account.role, None);
}

#[test]
fn the_last_admin_is_spared_until_there_is_another() {
    let world = World::new(&DASHBOARD.replace("ROLES", "initial"), ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    group(&world, "a", "g1", "applivery-admin", &["u1", "u2"]);
    world.settle();
    world.company("a").users.clear();
    let plan = world.sync();
    assert_eq!(lines(&plan), ["dash remove_account bob@corp"]);
    assert_eq!(listed(&plan, Section::Spared), ["ada@corp: last admin"]);
    let again = world.sync();
    assert_eq!(lines(&again), Vec::<String>::new());
    assert_eq!(listed(&again, Section::Spared), ["ada@corp: last admin"]);
    hire(&world, "a", "u3", "eve");
    group(&world, "a", "g1", "applivery-admin", &["u3"]);
    let plan = world.sync();
    assert!(
        lines(&plan).contains(&"dash remove_account ada@corp".to_owned()),
        "{:?}",
        lines(&plan)
    );
    world.assert_quiet();
}

#[test]
fn the_address_of_an_admin_who_goes_is_taken_in_the_same_run() {
    let world = World::new(&DASHBOARD.replace("ROLES", "continuous"), ALL);
    for (id, name) in [("u1", "ada"), ("u2", "bob"), ("u3", "eve")] {
        hire(&world, "a", id, name);
    }
    group(&world, "a", "g1", "applivery-admin", &["u1", "u3"]);
    world.settle();
    world.company("a").users.remove("u1");
    hire(&world, "a", "u2", "ada");
    world.settle();
    let links = world.links("dash");
    assert_eq!(links.keys().collect::<Vec<_>>(), ["ada@corp", "eve@corp"]);
    assert_eq!(links["ada@corp"].user, "u2");
    world.assert_target_agrees();
    // The last one keeps the address, and whoever is after it waits.
    world.company("a").users.remove("u3");
    hire(&world, "a", "u2", "eve");
    let plan = world.sync();
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(listed(&plan, Section::Spared), ["eve@corp: last admin"]);
    assert_eq!(listed(&plan, Section::Conflicts), ["eve@corp: u3 over u2"]);
    hire(&world, "a", "u4", "zoe");
    group(&world, "a", "g1", "applivery-admin", &["u4"]);
    world.settle();
    assert_eq!(world.links("dash")["eve@corp"].user, "u2");
    world.assert_target_agrees();
}

#[test]
fn a_protected_account_stays() {
    let world = World::new(&DASHBOARD.replace("ROLES", "initial"), ALL);
    hire(&world, "a", "u1", "root");
    world.settle();
    world.company("a").users.remove("u1");
    let plan = world.sync();
    assert_eq!(lines(&plan), Vec::<String>::new());
    assert_eq!(listed(&plan, Section::Spared), ["root@corp: protected"]);
}

#[test]
fn a_leaver_keeps_the_account_until_the_grace_ends() {
    let portals = STORE.replace(
        "on_deactivate = \"remove\"",
        "on_deactivate = \"remove\"\ndeactivate_after = \"24h\"",
    );
    let mut world = World::new(&portals, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales", &["u1"]);
    world.settle();
    world.company("a").users.get_mut("u1").unwrap().active = false;
    let plan = world.settle();
    assert_eq!(
        listed(&plan, Section::Pending),
        ["ada@corp: disabled 2026-01-02T00:00:00Z"]
    );
    world.now += jiff::SignedDuration::from_hours(23);
    world.company("a").users.get_mut("u1").unwrap().active = true;
    assert_eq!(lines(&world.settle()), Vec::<String>::new());
    world.company("a").users.get_mut("u1").unwrap().active = false;
    world.settle();
    world.now += jiff::SignedDuration::from_hours(24);
    assert_eq!(lines(&world.settle()), ["store remove_account ada@corp"]);
}

const DIRECTORY: &str = r#"
[portals.dir]
kind = "directory"
target = "local"
sources = ["a", "b"]
on_deactivate = "disable"
groups = { push = ["Sales*"] }
[safety]
max_deactivations = "100%"
max_membership_removals = "100%"
max_group_deletes = "100%"
"#;

#[test]
fn a_disabled_account_departs_from_its_groups_and_returns_to_them() {
    let world = World::new(DIRECTORY, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales EMEA", &["u1"]);
    group(&world, "a", "g2", "Private", &["u1"]);
    world.settle();
    world.company("a").users.get_mut("u1").unwrap().active = false;
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "dir remove_members Sales EMEA [ada@corp]",
            "dir disable_account ada@corp"
        ]
    );
    assert_eq!(listed(&plan, Section::Departed), ["ada@corp: disabled"]);
    world.company("a").users.get_mut("u1").unwrap().active = true;
    world.company("a").users.get_mut("u1").unwrap().title = Some("Lead".into());
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "dir enable_account ada@corp",
            "dir add_members Sales EMEA [ada@corp]"
        ]
    );
    assert_eq!(listed(&plan, Section::Returned), ["ada@corp"]);
    world.assert_target_agrees();
}

#[test]
fn a_group_that_leaves_the_selection_goes_and_comes_back_whole() {
    let world = World::new(DIRECTORY, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales", &["u1"]);
    world.settle();
    group(&world, "a", "g1", "Private", &["u1"]);
    assert_eq!(lines(&world.settle()), ["dir delete_group Sales"]);
    world.assert_target_agrees();
    group(&world, "a", "g1", "Sales", &["u1"]);
    assert_eq!(
        lines(&world.settle()),
        ["dir create_group Sales", "dir add_members Sales [ada@corp]"]
    );
    world.assert_target_agrees();
}

#[test]
fn a_departed_account_is_adopted_by_whoever_has_its_key_next() {
    let world = World::new(DIRECTORY, ALL);
    hire(&world, "a", "u1", "ada");
    world.settle();
    world.company("a").users.remove("u1");
    world.settle();
    hire(&world, "a", "u9", "ada");
    assert_eq!(lines(&world.settle()), ["dir adopt_account ada@corp"]);
    assert!(world.links("dir")["ada@corp"].account.active);
}

const MDM: &str = r#"
[portals.mdm]
kind = "mdm"
target = "local"
sources = ["a", "b"]
on_deactivate = "OPTION"
[safety]
max_deactivations = "100%"
max_membership_removals = "100%"
"#;

fn with_devices(option: &str) -> World {
    let option = match option {
        "change_policy" => "change_policy\"\npolicy = \"Quarantine",
        other => other,
    };
    let world = World::new(&MDM.replace("OPTION", option), ALL);
    hire(&world, "a", "u1", "ada");
    world.settle();
    let local = crate::targets::local::Local::new(world.sync.store.clone());
    for id in ["d1", "d2"] {
        let device = crate::store::portals::LocalDevice {
            id: id.into(),
            name: id.into(),
            assigned_to: Some("ada@corp".into()),
            policy: Some("Standard".into()),
        };
        local.set_device("mdm", &device).unwrap();
    }
    world.company("a").users.remove("u1");
    world
}

fn devices(world: &World) -> Vec<String> {
    world
        .sync
        .store
        .devices("mdm")
        .map(|device| device.unwrap())
        .map(|device| {
            let assigned = device.assigned_to.unwrap_or("–".into());
            format!(
                "{} {assigned} {}",
                device.id,
                device.policy.unwrap_or_default()
            )
        })
        .collect()
}

/// What an application sets and what a run does to a device meet: neither undoes the other.
#[test]
fn a_device_that_is_set_while_a_run_moves_it_keeps_both() {
    use crate::answers::devices::{Change, DeviceChange, Mdm, Noting};
    for round in 0..25 {
        let world = with_devices("unassign_devices");
        let store = world.sync.store.clone();
        let start = Arc::new(std::sync::Barrier::new(2));
        let go = start.clone();
        let log = crate::audit::AuditLog::new(world.sync.audit.place().join("of-devices"));
        let at = world.now;
        let application = std::thread::spawn(move || {
            let mdm = Mdm::new(&store, "mdm", crate::config::PortalKind::Mdm, None).unwrap();
            let noting = Noting {
                log: &log,
                by: crate::store::Way::Api,
                at,
            };
            go.wait();
            for _ in 0..20 {
                let change = DeviceChange {
                    name: Some(format!("Phone {round}")),
                    ..DeviceChange::default()
                };
                let id = "d1".to_owned();
                mdm.change(Change::SetDevice { id, change }, &noting)
                    .unwrap();
            }
        });
        start.wait();
        world.settle();
        application.join().unwrap();
        let device = world.sync.store.device("mdm", "d1").unwrap().unwrap();
        assert_eq!(device.name, format!("Phone {round}"));
        assert_eq!(device.assigned_to, None, "round {round}");
    }
}

#[test]
fn devices_are_unassigned_once() {
    let world = with_devices("unassign_devices");
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "mdm unassign_devices ada@corp (d1)",
            "mdm unassign_devices ada@corp (d2)"
        ]
    );
    assert_eq!(devices(&world), ["d1 – Standard", "d2 – Standard"]);
    assert!(world.links("mdm")["ada@corp"].is_departed());
}

#[test]
fn devices_move_to_the_policy_of_the_settings() {
    let world = with_devices("change_policy");
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "mdm change_device_policy ada@corp (d1)",
            "mdm change_device_policy ada@corp (d2)"
        ]
    );
    assert_eq!(
        devices(&world),
        ["d1 ada@corp Quarantine", "d2 ada@corp Quarantine"]
    );
}

#[test]
fn a_removed_mdm_user_leaves_its_devices_enrolled() {
    let world = with_devices("remove_user");
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "mdm unassign_devices ada@corp (d1)",
            "mdm unassign_devices ada@corp (d2)",
            "mdm remove_account ada@corp",
        ]
    );
    assert_eq!(devices(&world), ["d1 – Standard", "d2 – Standard"]);
    assert!(world.links("mdm").is_empty());
}

#[test]
fn a_removed_mdm_user_may_take_the_devices_along() {
    let world = with_devices("remove_user_and_devices");
    world.settle();
    assert!(devices(&world).is_empty());
    assert!(world.links("mdm").is_empty());
}

#[test]
fn a_preview_leaves_everything_as_it_is_and_shows_what_the_sync_does() {
    let world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    group(&world, "a", "g1", "Sales", &["u1"]);
    let shown = world.preview();
    let again = world.preview();
    assert_eq!(shown.head.digest, again.head.digest);
    assert!(world.links("store").is_empty());
    assert_eq!(world.sync.store.users("a").count(), 0);
    let done = world.sync();
    assert_eq!(done.head.digest, shown.head.digest);
}

#[test]
fn only_assigned_groups_are_pushed_and_their_members_are_in_scope() {
    let scope = "scope = \"assigned\"\napplication = \"app\"";
    let world = World::new(STORE, scope);
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    hire(&world, "a", "u3", "eve");
    group(&world, "a", "g1", "Sales", &["u1"]);
    group(&world, "a", "g2", "Inner", &["u2"]);
    world
        .company("a")
        .groups
        .get_mut("g1")
        .unwrap()
        .1
        .insert(group_member("g2"));
    world.company("a").assigned.insert(group_member("g1"));
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "store create_group Sales",
            "store create_account ada@corp",
            "store create_account bob@corp",
            "store add_members Sales [ada@corp bob@corp]",
        ]
    );
    world.company("a").assigned.clear();
    world.company("a").assigned.insert(user_member("u3"));
    let plan = world.settle();
    assert_eq!(
        lines(&plan),
        [
            "store create_account eve@corp",
            "store remove_account ada@corp",
            "store remove_account bob@corp",
            "store delete_group Sales",
        ]
    );
}

#[test]
fn another_kind_of_key_finds_everybody_at_once() {
    let mut world = World::new(STORE, ALL);
    hire(&world, "a", "u1", "ada");
    hire(&world, "b", "x1", "bob");
    world.settle();
    let other = format!(
        "{STORE}\n[portals.dir]\nkind = \"directory\"\ntarget = \"local\"\nsources = [\"a\", \"b\"]\nmatch_on = \"userName\""
    );
    world.change_settings(&other, ALL);
    let mut same_login = user("u2", "eve");
    same_login.user_name = Some("BOB@corp".into());
    world.company("a").users.insert("u2".into(), same_login);
    let plan = world.settle();
    assert_eq!(listed(&plan, Section::Conflicts), ["bob@corp: u2 over x1"]);
    assert_eq!(world.links("dir")["bob@corp"].user, "u2");
}
