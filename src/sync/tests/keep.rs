//! How long past runs can be looked up.

use super::world::{World, hire};
use crate::plan::Status;
use crate::sync::Intent;

const STORE: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a"]
on_deactivate = "remove"
"#;

fn days(world: &mut World, days: i64) {
    world.now += jiff::SignedDuration::from_hours(24 * days);
}

fn runs(world: &World) -> Vec<String> {
    let runs = world.sync.store.runs().unwrap();
    runs.into_iter().map(|record| record.head.run).collect()
}

#[test]
fn old_runs_go_with_their_plans_and_a_held_one_stays() {
    let safety = format!("{STORE}[safety]\nmax_deactivations = 0\n");
    let mut world = World::new(&safety, "scope = \"all\"");
    hire(&world, "a", "u1", "ada");
    hire(&world, "a", "u2", "bob");
    let first = world.sync().head.run;
    world.company("a").users.remove("u1");
    days(&mut world, 1);
    let held = world.run(false, Intent::Apply).unwrap().plan;
    assert_eq!(held.head.status, Status::Held);
    days(&mut world, 60);
    let again = world.run(false, Intent::Apply).unwrap().plan;
    assert_eq!(again.head.run, held.head.run, "it came out the same");
    assert_eq!(runs(&world), [held.head.run.clone(), first.clone()]);
    days(&mut world, 40);
    world.run(false, Intent::Apply).unwrap();
    assert_eq!(runs(&world), std::slice::from_ref(&held.head.run));
    assert!(world.sync.history.read(&first).unwrap().is_none());
    assert!(world.sync.history.read(&held.head.run).unwrap().is_some());
}

#[test]
fn the_oldest_plans_make_room_and_their_runs_stay_listed() {
    let settings = format!("{STORE}[history]\nmax_size = \"0KiB\"\n");
    let mut world = World::new(&settings, "scope = \"all\"");
    hire(&world, "a", "u1", "ada");
    let first = world.sync().head.run;
    hire(&world, "a", "u2", "bob");
    days(&mut world, 2);
    let second = world.sync().head.run;
    assert_eq!(runs(&world), [second, first.clone()]);
    assert!(world.sync.history.read(&first).unwrap().is_none());
}
