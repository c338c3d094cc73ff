//! Several targets in one run: what goes to one does not hang on another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use super::world::{World, lines, user};
use crate::plan::{Outcome, OutcomeStatus, Status};
use crate::rules::lifecycle::Device;
use crate::sync::apply::{Applying, Limits};
use crate::sync::population::Populations;
use crate::sync::{Intent, Stop};
use crate::targets::local::Local;
use crate::targets::{Finding, Found, Step, Target, TargetError};

const PORTALS: &str = r#"
[targets.far]
kind = "local"
[portals.here]
kind = "directory"
target = "local"
sources = ["a"]
on_deactivate = "remove"
[portals.there]
kind = "directory"
target = "far"
sources = ["a"]
on_deactivate = "remove"
"#;

/// A local target behind a line that can be cut.
struct Far {
    local: Local,
    cut: AtomicBool,
    /// Batches it was handed.
    told: AtomicUsize,
    /// Accounts it was asked for.
    asked: AtomicUsize,
    /// Where it waits, once, for somebody else.
    meets: Mutex<Option<Arc<Barrier>>>,
}

impl Far {
    fn line<T>(&self, answer: T) -> Result<T, TargetError> {
        match self.cut.load(Ordering::SeqCst) {
            true => Err(TargetError::Away("the line is cut".to_owned())),
            false => Ok(answer),
        }
    }
}

impl Target for Far {
    fn check(&self) -> Vec<Finding> {
        vec![Finding::ok("there is a line")]
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.line(())?;
        self.local.find(portal, key)
    }

    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        self.line(())?;
        self.local.devices(portal)
    }

    fn batch(&self) -> usize {
        2
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        self.told.fetch_add(1, Ordering::SeqCst);
        let meets = self.meets.lock().unwrap().take();
        if let Some(meets) = meets {
            meets.wait();
        }
        match self.line(()) {
            Ok(()) => self.local.execute(steps),
            Err(_) => steps.iter().map(|_| self.line(())).collect(),
        }
    }
}

/// Six people, and a portal of theirs on each of two targets.
fn world() -> (World, Arc<Far>) {
    let mut world = World::new(PORTALS, r#"scope = "all""#);
    for number in 1..=6 {
        let id = format!("u{number}");
        let one = user(&id, &format!("name{number}"));
        world.company("a").users.insert(id, one);
    }
    let far = Arc::new(Far {
        local: Local::new(world.sync.store.clone()),
        cut: AtomicBool::new(false),
        told: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
        meets: Mutex::default(),
    });
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    sync.targets.insert("far".to_owned(), far.clone());
    (world, far)
}

#[test]
fn a_target_that_is_away_is_tried_once_a_run_and_catches_up_while_others_go_on() {
    let (world, far) = world();
    far.cut.store(true, Ordering::SeqCst);
    for attempts in 1..=2 {
        let plan = world.sync();
        assert_eq!(plan.head.status, Status::PartlyApplied);
        assert_eq!(
            far.told.swap(0, Ordering::SeqCst),
            1,
            "the rest is not tried"
        );
        assert_eq!(far.asked.swap(0, Ordering::SeqCst), 1, "nor asked for");
        for row in plan.actions_with_outcomes() {
            let (action, outcome) = row.unwrap();
            let outcome = outcome.unwrap();
            let done = outcome.status == OutcomeStatus::Done;
            assert_eq!(done, action.portal == "here", "{action:?}");
            if !done {
                assert_eq!(outcome.error.as_deref(), Some("the line is cut"));
                assert_eq!(outcome.attempts, attempts);
            }
        }
        let [warning] = &plan.head.warnings[..] else {
            panic!("{:?}", plan.head.warnings);
        };
        assert!(warning.contains("'far'") && warning.contains("the line is cut"));
        let state = world.sync.store.target_state("far").unwrap();
        assert_eq!(state.away_since, Some(world.now));
        assert_eq!(world.links("here").len(), 6);
        assert_eq!(world.links("there").len(), 0);
    }
    far.cut.store(false, Ordering::SeqCst);
    let plan = world.settle();
    assert_eq!(plan.action_count(), 6, "{:?}", lines(&plan));
    let state = world.sync.store.target_state("far").unwrap();
    assert_eq!((state.away_since, state.last_told), (None, Some(world.now)));
    world.assert_target_agrees();
}

#[test]
fn an_account_that_stands_in_a_target_that_was_away_is_adopted_later() {
    let (world, far) = world();
    world.settle();
    // The links are lost, the accounts stand.
    let store = &world.sync.store;
    for key in world.links("there").into_keys() {
        let gone = crate::store::portals::delete_link("there", &key);
        store.write(gone.into_iter().collect()).unwrap();
    }
    far.cut.store(true, Ordering::SeqCst);
    let plan = world.full_sync();
    assert_eq!(plan.head.status, Status::Applied, "{:?}", lines(&plan));
    world.company("a").users.get_mut("u1").unwrap().title = Some("Boss".to_owned());
    assert_eq!(world.sync().head.status, Status::PartlyApplied);
    far.cut.store(false, Ordering::SeqCst);
    let plan = world.sync();
    assert_eq!(plan.head.status, Status::Applied);
    assert!(
        lines(&plan).contains(&"there adopt_account name1@corp".to_owned()),
        "{:?}",
        lines(&plan)
    );
}

#[test]
fn targets_are_told_side_by_side() {
    let (mut world, far) = world();
    // Both wait for each other: one after the other, the run would never end.
    let meeting = Arc::new(Barrier::new(2));
    *far.meets.lock().unwrap() = Some(meeting.clone());
    let near = Far {
        local: Local::new(world.sync.store.clone()),
        cut: AtomicBool::new(false),
        told: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
        meets: Mutex::new(Some(meeting)),
    };
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    sync.targets.insert("local".to_owned(), Arc::new(near));
    world.settle();
    world.assert_target_agrees();
}

#[test]
fn a_target_whose_turn_is_over_leaves_the_rest_to_the_next_run() {
    let (world, far) = world();
    let plan = world.preview();
    let store = &world.sync.store;
    let mut populations = Populations::read(store, &world.sync.portals).unwrap();
    let limits = Limits {
        stop: &Stop::default(),
        until: Some(Instant::now()),
    };
    let portals = BTreeSet::from(["there".to_owned()]);
    let applying = Applying::new(store, &*far, &portals, &mut populations, limits, &|_| {});
    let applied = applying.run(&plan).unwrap();
    assert_eq!(far.told.load(Ordering::SeqCst), 0);
    assert_eq!(applied.exceptions.len(), 6);
    let skipped = |outcome: &Outcome| outcome.status == OutcomeStatus::Skipped;
    assert!(applied.exceptions.values().all(skipped));
    // It was not tried, so it does not count as one attempt more.
    assert!(applied.owed.len() == 6 && applied.owed.values().all(|owed| !owed.tried));
    assert_eq!(world.settle().action_count(), 12);
}

#[test]
fn what_a_target_cannot_do_ends_a_run_before_it_begins() {
    struct Small(Local);
    impl Target for Small {
        fn cannot(&self, portal: &crate::rules::Portal) -> Vec<String> {
            vec![format!("{} is too much", portal.kind)]
        }
        fn check(&self) -> Vec<Finding> {
            Vec::new()
        }
        fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
            self.0.find(portal, key)
        }
        fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
            self.0.devices(portal)
        }
        fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
            self.0.execute(steps)
        }
    }
    let (mut world, _) = world();
    let small = Small(Local::new(world.sync.store.clone()));
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    sync.targets.insert("far".to_owned(), Arc::new(small));
    let error = world.run(false, Intent::Apply).err().unwrap();
    assert_eq!(error.to_string(), "portal 'there': directory is too much");
    assert_eq!(world.links("here").len(), 0);
}
