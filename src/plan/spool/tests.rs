use super::{Plan, PlanError};
use crate::plan::OutcomeTally;
use crate::plan::report::sample;

fn kept(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    plan.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_kept_plan_comes_back_with_its_outcomes() {
    let plan = sample::partly_applied();
    let back = Plan::read(kept(&plan).as_slice()).unwrap();
    assert!(back.head == plan.head);
    let rows = |plan: &Plan| {
        let rows = plan.entries_with_outcomes();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert!(rows(&back) == rows(&plan));
    assert_eq!(kept(&back), kept(&plan));
}

#[test]
fn outcomes_belong_to_actions_alone() {
    let plan = sample::partly_applied();
    let rows = plan.entries_with_outcomes().map(Result::unwrap);
    let with_outcome = rows.filter(|(_, outcome)| outcome.is_some()).count();
    assert_eq!(with_outcome as u64, plan.action_count());
    let tally = OutcomeTally {
        done: plan.action_count() - 2,
        failed: 1,
        skipped: 1,
    };
    assert_eq!(plan.tally(), Some(tally));
    assert_eq!(sample::held().tally(), None);
}

#[test]
fn a_plan_cut_short_anywhere_is_refused() {
    let bytes = kept(&sample::held());
    for length in 0..bytes.len() {
        assert!(Plan::read(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_plan_without_its_last_entry_says_what_is_missing() {
    let plan = sample::held();
    let whole = kept(&plan);
    let last = plan.entries().last().unwrap().unwrap();
    let last = 4 + postcard::to_stdvec(&last).unwrap().len();
    match Plan::read(&whole[..whole.len() - last]) {
        Err(PlanError::CutShort { found, expected }) => assert_eq!(found + 1, expected),
        _ => panic!("a plan cut short was read"),
    }
}

#[test]
fn two_readers_of_a_spooled_plan_do_not_move_each_other() {
    let plan = Plan::read(kept(&sample::held()).as_slice()).unwrap();
    let (mut one, mut two) = (plan.entries(), plan.entries());
    one.next();
    one.next();
    let first = two.next().unwrap().unwrap();
    assert!(Some(first) == plan.entries().next().map(Result::unwrap));
}
