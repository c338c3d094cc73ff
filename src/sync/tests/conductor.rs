//! Who may run when: wishes that join, sources that do not wait for each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::*;
use crate::plan::{Asked, SourceStatus, Status};
use crate::sync::{Busy, Conductor, Intent, Order, Progress, RunError, Step, Stop, Ticket};

const PORTAL: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a", "b"]
"#;

/// Longer than any of this takes, so that what would hang fails.
const SOON: Duration = Duration::from_secs(20);

fn world() -> World {
    let world = World::new(PORTAL, r#"scope = "all""#);
    for source in ["a", "b"] {
        let id = format!("u-{source}");
        let person = user(&id, &id);
        world.company(source).users.insert(id, person);
    }
    world
}

fn only(source: &str) -> Asked {
    Asked {
        sources: vec![source.to_owned()],
        ..Asked::default()
    }
}

fn for_user(id: &str) -> Asked {
    Asked {
        users: vec![id.to_owned()],
        ..only("a")
    }
}

fn apply(conductor: &Conductor, asked: Asked) -> Ticket {
    conductor.ask(asked, Intent::Apply).unwrap()
}

async fn status(ticket: Ticket) -> Status {
    let run = tokio::time::timeout(SOON, ticket.finished()).await;
    run.expect("it ends").unwrap().plan.head.status
}

async fn is_inside(source: &Pretend) {
    let mut inside = source.inside.subscribe();
    let inside = inside.wait_for(|inside| *inside == 1);
    tokio::time::timeout(SOON, inside)
        .await
        .expect("it is fetched")
        .unwrap();
}

#[tokio::test]
async fn ten_thousand_wishes_at_once_are_two_runs() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    let tickets: Vec<Ticket> = (0..10_000)
        .map(|_| apply(&conductor, Asked::default()))
        .collect();
    let runs: BTreeSet<String> = tickets.iter().map(|ticket| ticket.run.clone()).collect();
    assert_eq!(runs.len(), 2);
    for ticket in tickets {
        assert_eq!(status(ticket).await, Status::Applied);
    }
    assert_eq!(world.sources["a"].fetches.load(Ordering::SeqCst), 2);
    assert_eq!(world.sync.store.runs().unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_source_wishes_still_are_two_runs() {
    let mut world = world();
    let sync = Arc::get_mut(&mut world.sync).expect("nobody else has it yet");
    (sync.rules, sync.sources) = Default::default();
    let conductor = Conductor::new(world.sync.clone());
    let tickets: Vec<Ticket> = (0..100)
        .map(|_| apply(&conductor, Asked::default()))
        .collect();
    for ticket in tickets {
        assert_eq!(status(ticket).await, Status::Applied);
    }
    assert_eq!(world.sync.store.runs().unwrap().len(), 2);
}

#[tokio::test]
async fn wishes_during_a_run_make_one_more_and_a_full_one_if_either_is() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    let door = &world.sources["a"].open;
    door.send_replace(false);
    let first = apply(&conductor, Asked::default());
    is_inside(&world.sources["a"]).await;
    let second = apply(&conductor, Asked::default());
    let full = Asked {
        full: true,
        ..Asked::default()
    };
    let third = apply(&conductor, full);
    assert_ne!(first.run, second.run);
    assert_eq!(second.run, third.run);
    door.send_replace(true);
    assert_eq!(status(first).await, Status::Applied);
    let second = second.finished().await.unwrap();
    assert!(second.plan.head.asked.full);
    assert_eq!(
        third.finished().await.unwrap().plan.head.run,
        second.plan.head.run
    );
    assert_eq!(world.sources["a"].fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn two_sources_are_fetched_side_by_side_and_neither_waits_for_the_other() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    for source in world.sources.values() {
        source.open.send_replace(false);
    }
    let a = apply(&conductor, only("a"));
    let b = apply(&conductor, only("b"));
    is_inside(&world.sources["a"]).await;
    is_inside(&world.sources["b"]).await;
    world.sources["b"].open.send_replace(true);
    assert_eq!(status(b).await, Status::Applied);
    assert_eq!(*world.sources["a"].inside.borrow(), 1);
    world.sources["a"].open.send_replace(true);
    assert_eq!(status(a).await, Status::Applied);
    let keys: Vec<String> = world.links("store").into_keys().collect();
    assert_eq!(keys, ["u-a@corp", "u-b@corp"]);
}

#[tokio::test]
async fn a_source_that_fails_does_not_stop_another() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    *world.sources["a"].cut_after.lock().unwrap() = Some(0);
    let run = apply(&conductor, Asked::default())
        .finished()
        .await
        .unwrap();
    let head = &run.plan.head;
    assert_eq!(head.sources["a"].status, SourceStatus::Failed);
    assert_eq!(head.sources["b"].status, SourceStatus::Ok);
    assert_eq!(lines(&run.plan), ["store create_account u-b@corp"]);
}

#[tokio::test]
async fn people_asked_for_on_demand_join_each_other_and_not_a_plain_run() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    world.sources["a"].open.send_replace(false);
    let first = apply(&conductor, only("a"));
    let plain = apply(&conductor, only("a"));
    let one = apply(&conductor, for_user("u-1"));
    let other = apply(&conductor, for_user("u-2"));
    let preview = conductor.ask(for_user("u-1"), Intent::Preview).unwrap();
    assert_eq!(one.run, other.run);
    let runs = BTreeSet::from([&first.run, &plain.run, &one.run, &preview.run]);
    assert_eq!(runs.len(), 4);
    world.sources["a"].open.send_replace(true);
    let run = one.finished().await.unwrap();
    assert_eq!(run.plan.head.asked.users, ["u-1", "u-2"]);
}

#[tokio::test]
async fn a_flood_that_cannot_join_is_turned_away() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    world.sources["a"].open.send_replace(false);
    let _first = apply(&conductor, only("a"));
    let wish = |number: usize| {
        let digest = number.to_string();
        conductor.ask(only("a"), Intent::Exactly { digest })
    };
    let taken = (0..1000).take_while(|number| wish(*number).is_ok()).count();
    assert_eq!(taken, 256);
    assert_eq!(wish(0).err(), None);
    assert_eq!(wish(1000).err(), Some(Busy::Full));
}

#[tokio::test]
async fn a_stop_ends_a_slow_fetch_and_lets_nothing_begin() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    world.sources["a"].open.send_replace(false);
    let slow = apply(&conductor, only("a"));
    let waiting = apply(&conductor, Asked::default());
    is_inside(&world.sources["a"]).await;
    tokio::time::timeout(SOON, conductor.stop())
        .await
        .expect("it stops");
    for ticket in [slow, waiting] {
        let error = ticket.finished().await.err().unwrap();
        assert!(matches!(*error, RunError::Stopped), "{error}");
    }
    let refused = conductor.ask(Asked::default(), Intent::Apply);
    assert_eq!(refused.err(), Some(Busy::Stopping));
    assert!(world.sync.store.runs().unwrap().is_empty());
}

#[tokio::test]
async fn every_run_is_told_to_who_watches() {
    let world = world();
    let conductor = Conductor::new(world.sync.clone());
    let mut runs = conductor.watch_runs();
    let ticket = apply(&conductor, only("b"));
    let run = ticket.run.clone();
    assert_eq!(status(ticket).await, Status::Applied);
    let finished = tokio::time::timeout(SOON, runs.recv()).await.unwrap();
    assert_eq!(finished.unwrap().run, run);
}

/// Asks for a stop once so many actions are done.
struct StopsAt(u64, Stop);

impl Progress for StopsAt {
    fn step(&self, step: Step) {
        if matches!(step, Step::Applied { actions, .. } if actions >= self.0) {
            self.1.ask();
        }
    }
}

#[test]
fn a_stop_while_applying_keeps_what_is_owed_and_the_next_run_goes_on() {
    let world = World::new(PORTAL, r#"scope = "all""#);
    for number in 0..3000 {
        let id = format!("u{number:04}");
        let person = user(&id, &id);
        world.company("a").users.insert(id, person);
    }
    let stop = Stop::default();
    let mut order = Order::new(Asked::default(), Intent::Apply, world.now);
    order.progress = Arc::new(StopsAt(1024, stop.clone()));
    order.stop = stop;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plan = runtime.block_on(world.sync.run(order)).unwrap().plan;
    assert_eq!(plan.head.status, Status::PartlyApplied);
    let tally = plan.tally().unwrap();
    assert!(tally.done >= 1000 && tally.skipped >= 1000, "{tally:?}");
    assert_eq!(tally.failed, 0);
    let done = world.links("store").len() as u64;
    assert_eq!(done, tally.done);
    let rest = world.settle();
    assert_eq!(rest.action_count(), 3000 - done);
    world.assert_target_agrees();
}
