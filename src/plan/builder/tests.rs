use proptest::prelude::*;

use super::Builder;
use crate::plan::report::sample;
use crate::plan::{Action, Entry, Op, Plan};

fn entry() -> impl Strategy<Value = Entry> {
    let name = "[ab\\x00Z]{0,2}";
    let op = prop::sample::select(Op::ALL.to_vec());
    let action = (
        op,
        "[pq]",
        name,
        "[12]",
        prop::collection::vec(name, 1..4),
        any::<bool>(),
    );
    prop_oneof![
        8 => action.prop_map(|(op, portal, key, id, names, device)| {
            let subject = sample::user(&id, "");
            let mut action = sample::action(&portal, op, &key, subject, "why");
            match op.is_membership() {
                true => action.members = names,
                false => action.device = device.then(|| names[0].clone()),
            }
            Entry::Action(action)
        }),
        1 => ("[pq]", name).prop_map(|(portal, key)| Entry::NeedsRole { portal, key }),
        1 => ("[pq]", name).prop_map(|(portal, key)| {
            Entry::Spared { portal, key, reason: "last admin".into() }
        }),
    ]
}

fn plan(entries: &[Entry], limit: usize) -> Plan {
    let mut builder = Builder::with_capacity_limit(limit);
    for entry in entries {
        builder.push(entry.clone()).unwrap();
    }
    builder.finish(sample::head()).unwrap()
}

fn all(plan: &Plan) -> Vec<Entry> {
    plan.entries().map(Result::unwrap).collect()
}

proptest! {
    #[test]
    fn disk_and_memory_come_to_the_same_plan(
        entries in prop::collection::vec(entry(), 0..200),
        limit in 1usize..40,
    ) {
        let small = plan(&entries, usize::MAX);
        let spilled = plan(&entries, limit);
        prop_assert!(all(&small) == all(&spilled));
        prop_assert!(small.head == spilled.head);
    }

    #[test]
    fn entries_are_sorted_as_promised(entries in prop::collection::vec(entry(), 0..100)) {
        let plan = plan(&entries, 10);
        let actions: Vec<Action> = plan.actions().map(Result::unwrap).collect();
        let order = |a: &Action| (
            a.op.phase(),
            a.portal.clone(),
            a.key.clone(),
            a.subject.id.clone(),
            // A device goes before its account.
            (a.device.is_none(), a.device.clone()),
            a.op,
        );
        prop_assert!(actions.is_sorted_by_key(order));
        prop_assert!(all(&plan).is_sorted_by_key(Entry::section));
        prop_assert_eq!(plan.action_count(), actions.len() as u64);
    }

    #[test]
    fn a_group_has_one_action_with_sorted_members(
        entries in prop::collection::vec(entry(), 0..100),
    ) {
        let plan = plan(&entries, 10);
        let mut seen = std::collections::BTreeMap::new();
        for action in plan.actions().map(Result::unwrap).filter(|a| a.op.is_membership()) {
            prop_assert!(action.members.is_sorted_by(|a, b| a < b));
            let group = (action.portal, action.op, action.key, action.subject.id);
            prop_assert!(seen.insert(group, action.members).is_none());
        }
        for entry in entries {
            if let Entry::Action(a) = entry && a.op.is_membership() {
                let members = &seen[&(a.portal, a.op, a.key, a.subject.id)];
                prop_assert!(a.members.iter().all(|member| members.contains(member)));
            }
        }
    }

    #[test]
    fn members_that_come_alone_make_the_same_plan(
        entries in prop::collection::vec(entry(), 0..200),
        limit in 1usize..40,
    ) {
        let mut groups = Vec::new();
        let mut alone = Builder::with_capacity_limit(limit);
        for entry in entries.clone() {
            let mut action = match entry {
                Entry::Action(action) if action.op.is_membership() => action,
                other => {
                    alone.push(other).unwrap();
                    continue;
                }
            };
            let members = std::mem::take(&mut action.members);
            let place = groups.iter().position(|group| *group == action).unwrap_or_else(|| {
                groups.push(action.clone());
                groups.len() - 1
            });
            for member in members {
                alone.member((0, action.op, 0, place as u32), || action.clone(), &member).unwrap();
            }
        }
        let alone = alone.finish(sample::head()).unwrap();
        let together = plan(&entries, usize::MAX);
        prop_assert!(all(&alone) == all(&together));
        prop_assert_eq!(alone.head.digest, together.head.digest);
    }

    #[test]
    fn a_plan_built_again_from_its_entries_is_the_same(
        entries in prop::collection::vec(entry(), 0..100),
    ) {
        let once = plan(&entries, usize::MAX);
        let again = plan(&all(&once), 7);
        prop_assert!(all(&once) == all(&again));
        prop_assert_eq!(once.head.digest, again.head.digest);
    }
}

#[test]
fn many_members_come_in_several_actions_in_order() {
    let group = || sample::group("g-1", "Everyone");
    let keys: Vec<String> = (0..120_000)
        .map(|n| format!("{n:06}@contoso.com"))
        .collect();
    let one_by_one = {
        let mut builder = Builder::new();
        for key in keys.iter().rev() {
            let mut action = sample::action("p", Op::AddMembers, "Everyone", group(), "why");
            action.members = vec![key.clone()];
            builder.push(Entry::Action(action)).unwrap();
        }
        builder.finish(sample::head()).unwrap()
    };
    let at_once = {
        let mut action = sample::action("p", Op::AddMembers, "Everyone", group(), "why");
        action.members = keys.clone();
        plan(&[Entry::Action(action)], 1_000)
    };
    for plan in [one_by_one, at_once] {
        let actions: Vec<Action> = plan.actions().map(Result::unwrap).collect();
        let sizes: Vec<usize> = actions.iter().map(|a| a.members.len()).collect();
        assert_eq!(sizes, [50_000, 50_000, 20_000]);
        let members: Vec<String> = actions.into_iter().flat_map(|a| a.members).collect();
        assert!(members == keys);
    }
}
