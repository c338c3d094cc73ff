use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::plan::Asked;
use crate::rules::lifecycle::Device;
use crate::sync::Run;
use crate::sync::tests::world::{World, user};
use crate::targets::{Finding, Found, Step, Target, TargetError};

const PORTAL: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a", "b"]
on_deactivate = "remove"
deactivate_after = "2h"
"#;

fn world() -> World {
    let world = World::new(PORTAL, r#"scope = "all""#);
    let ada = user("u1", "ada");
    world.company("a").users.insert("u1".into(), ada);
    world
}

fn after(world: &World, asked: Asked, intent: Intent, run: Result<Run, RunError>) -> Aftermath {
    let finished = Finished {
        run: "a run".to_owned(),
        asked,
        intent,
        began: world.now,
        took: Duration::ZERO,
        outcome: run.map(Arc::new).map_err(Arc::new),
    };
    Aftermath::of(&finished, &world.sync).unwrap()
}

fn applied(world: &World) -> Aftermath {
    let run = world.run(false, Intent::Apply);
    after(world, Asked::default(), Intent::Apply, run)
}

/// A target that does nothing it is told.
struct Down;

impl Target for Down {
    fn check(&self) -> Vec<Finding> {
        vec![Finding::wrong("it is down")]
    }

    fn find(&self, _: &str, _: &str) -> Result<Option<Found>, TargetError> {
        Ok(None)
    }

    fn devices(&self, _: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        Ok(BTreeMap::new())
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let down = |_| Err(TargetError::Refused("it is down".to_owned()));
        steps.iter().map(down).collect()
    }
}

#[test]
fn a_source_is_read_whole_at_first_then_by_its_changes_or_fails_with_a_reason() {
    let mut world = world();
    let read = |full| Verdict::Read { full };
    let verdicts = |aftermath: &Aftermath| {
        let verdicts = aftermath.verdicts.iter();
        verdicts
            .map(|(.., verdict, _)| verdict.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&applied(&world)), [read(true), read(true)]);
    world.now += jiff::SignedDuration::from_secs(60);
    *world.sources["a"].cut_after.lock().unwrap() = Some(0);
    let second = applied(&world);
    assert_eq!(verdicts(&second), [Verdict::Failed, read(false)]);
    let (source, _, reason) = &second.verdicts[0];
    assert_eq!(source, "a");
    assert_eq!(reason.as_deref(), Some("the connection was cut"));
}

#[test]
fn the_first_end_of_a_grace_period_is_found_in_every_run() {
    let mut world = world();
    applied(&world);
    assert_eq!(applied(&world).grace_ends, Some(None));
    world.company("a").users.get_mut("u1").unwrap().active = false;
    let end = world.now + jiff::SignedDuration::from_hours(2);
    assert_eq!(applied(&world).grace_ends, Some(Some(end)));
    world.now += jiff::SignedDuration::from_secs(60);
    assert_eq!(applied(&world).grace_ends, Some(Some(end)));
    world.now = end;
    assert_eq!(applied(&world).grace_ends, Some(None));
}

#[test]
fn how_often_an_owed_action_was_tried_is_told() {
    let mut world = world();
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    let up = sync.targets.insert("local".to_owned(), Arc::new(Down));
    for attempts in 1..4 {
        assert_eq!(applied(&world).attempts, Some(attempts));
    }
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    sync.targets.insert("local".to_owned(), up.unwrap());
    assert_eq!(applied(&world).attempts, Some(0));
}

#[test]
fn a_dry_run_tells_nothing_and_a_run_that_broke_off_counts_against_its_sources() {
    let world = world();
    let run = world.run(false, Intent::Preview);
    let dry = after(&world, Asked::default(), Intent::Preview, run);
    assert!(dry.verdicts.is_empty() && dry.grace_ends.is_none() && dry.attempts.is_none());
    let broken = |error| after(&world, Asked::default(), Intent::Apply, Err(error));
    let full = RunError::Staging(std::io::ErrorKind::StorageFull.into());
    assert_eq!(broken(full).verdicts.len(), 2);
    assert!(broken(RunError::Stopped).verdicts.is_empty());
}
