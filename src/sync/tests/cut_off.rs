//! What a run leaves behind that was cut off, or never heard of what it had done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::world::{World, hire, lines, user_member};
use crate::plan::{Op, Status};
use crate::rules::lifecycle::Device;
use crate::targets::local::Local;
use crate::targets::{Finding, Found, Step, Target, TargetError};

const ALL: &str = r#"scope = "all""#;

fn portals(on_deactivate: &str) -> String {
    format!(
        r#"
[portals.p]
kind = "directory"
target = "local"
sources = ["a"]
on_deactivate = "{on_deactivate}"
[safety]
max_deactivations = "100%"
max_membership_removals = "100%"
max_group_deletes = "100%"
"#
    )
}

/// A local target whose word that it made accounts can be lost.
struct Unheard {
    local: Local,
    lost: AtomicBool,
    /// Accounts it was asked for.
    asked: AtomicUsize,
}

impl Target for Unheard {
    fn check(&self) -> Vec<Finding> {
        self.local.check()
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.local.find(portal, key)
    }

    fn knows_owners(&self, of_many: bool) -> bool {
        self.local.knows_owners(of_many)
    }

    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        self.local.devices(portal)
    }

    fn creates_with_groups(&self) -> bool {
        true
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let done = self.local.execute(steps);
        match steps[0].action.op == Op::CreateAccount && self.lost.load(Ordering::SeqCst) {
            true => steps
                .iter()
                .map(|_| Err(TargetError::Away("the line is cut".to_owned())))
                .collect(),
            false => done,
        }
    }
}

/// Ada, a member of Sales, has an account, and rosterd does not know.
fn unheard(on_deactivate: &str) -> (World, Arc<Unheard>) {
    let mut world = World::new(&portals(on_deactivate), ALL);
    let target = Arc::new(Unheard {
        local: Local::new(world.sync.store.clone()),
        lost: AtomicBool::new(true),
        asked: AtomicUsize::new(0),
    });
    let sync = Arc::get_mut(&mut world.sync).unwrap();
    sync.targets.insert("local".to_owned(), target.clone());
    hire(&world, "a", "u1", "ada");
    sales(&world, &["u1"]);
    assert_eq!(world.sync().head.status, Status::PartlyApplied);
    assert!(world.links("p").is_empty());
    assert_eq!(world.sync.store.local_accounts("p").count(), 1);
    target.lost.store(false, Ordering::SeqCst);
    (world, target)
}

fn sales(world: &World, members: &[&str]) {
    let members = members.iter().map(|id| user_member(id)).collect();
    let groups = &mut world.company("a").groups;
    groups.insert("g1".into(), ("Sales".into(), members));
}

fn leaves(world: &World) {
    world.company("a").users.get_mut("u1").unwrap().active = false;
}

#[test]
fn an_account_that_was_made_unheard_goes_when_its_user_has_left_meanwhile() {
    let (world, _) = unheard("remove");
    leaves(&world);
    assert_eq!(lines(&world.settle()), ["p remove_account ada@corp"]);
    world.assert_target_agrees();
}

#[test]
fn it_is_disabled_and_leaves_its_groups_where_the_rules_say_so() {
    let (world, _) = unheard("disable");
    leaves(&world);
    assert_eq!(
        lines(&world.settle()),
        [
            "p remove_members Sales [ada@corp]",
            "p disable_account ada@corp"
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn it_goes_to_whoever_has_its_key_by_then() {
    let (world, _) = unheard("remove");
    world.company("a").users.remove("u1");
    sales(&world, &[]);
    hire(&world, "a", "u2", "ada");
    world.settle();
    assert_eq!(world.links("p")["ada@corp"].user, "u2");
    world.assert_target_agrees();
}

#[test]
fn it_leaves_the_groups_that_its_user_has_left_meanwhile() {
    let (world, _) = unheard("remove");
    sales(&world, &[]);
    assert_eq!(
        lines(&world.settle()),
        [
            "p adopt_account ada@corp",
            "p remove_members Sales [ada@corp]"
        ]
    );
    world.assert_target_agrees();
}

#[test]
fn an_account_that_others_made_stays_when_somebody_who_was_owed_one_leaves() {
    let (world, _) = unheard("remove");
    let store = &world.sync.store;
    let mut foreign = store.local_account("p", "ada@corp").unwrap().unwrap();
    foreign.source_id = String::new();
    let put = crate::store::portals::put_local_account("p", &foreign);
    store.write(vec![put]).unwrap();
    leaves(&world);
    assert_eq!(lines(&world.settle()), Vec::<String>::new());
    assert!(store.local_account("p", "ada@corp").unwrap().is_some());
}

#[test]
fn one_that_is_disabled_already_is_left_alone() {
    let (world, _) = unheard("remove");
    let store = &world.sync.store;
    let mut account = store.local_account("p", "ada@corp").unwrap().unwrap();
    account.account.active = false;
    let put = crate::store::portals::put_local_account("p", &account);
    store.write(vec![put]).unwrap();
    leaves(&world);
    assert_eq!(lines(&world.settle()), Vec::<String>::new());
}

#[test]
fn the_target_is_not_asked_for_those_who_never_were_to_have_an_account() {
    let (world, target) = unheard("remove");
    world.settle();
    target.asked.store(0, Ordering::SeqCst);
    for number in 0..20 {
        let id = format!("v{number}");
        hire(&world, "a", &id, &id);
        world.company("a").users.get_mut(&id).unwrap().active = false;
    }
    world.settle();
    assert_eq!(target.asked.load(Ordering::SeqCst), 0);
}
