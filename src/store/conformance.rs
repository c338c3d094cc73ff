//! What every engine must keep, as claims that run on each of them.
//!
//! [`holds_for`] makes one test of each claim; it is given a way to make an empty engine,
//! together with whatever must live as long as that engine (its directory).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::engine::{BATCH_OPS, Engine, EngineError, Op, Scan, TRANSACTION_OPS};
use super::format;
use super::{KeyRange, Tree};

type Row = (Vec<u8>, Vec<u8>);

/// Makes a test of every claim: `holds_for!(|| (engine, guard), cases = 100)`.
macro_rules! holds_for {
    ($make:expr, cases = $cases:expr) => {
        $crate::store::conformance::holds_for!(@claims $make,
            a_value_reads_back_until_it_is_deleted
            trees_do_not_share_keys
            empty_keys_and_values_are_allowed
            large_values_read_back
            a_scan_gives_its_range_in_key_order
            a_scan_may_outlive_changes_to_what_it_reads
            the_last_key_before_is_found
            a_bulk_write_of_any_size_lands_whole
            the_last_operation_on_a_key_stands
            a_transaction_covers_all_its_trees
            an_empty_write_is_nothing
            a_transaction_that_is_too_large_is_refused_whole
            a_reader_never_sees_half_a_transaction
            a_snapshot_stands_still
            a_new_store_is_stamped_and_empty
        );

        #[test]
        fn random_operations_do_what_a_map_does() {
            $crate::store::conformance::behaves_like_a_map($make, $cases);
        }
    };
    (@claims $make:expr, $($claim:ident)*) => {
        $(
            #[test]
            fn $claim() {
                let (engine, _guard) = $make();
                $crate::store::conformance::$claim(&engine);
            }
        )*
    };
}
pub(super) use holds_for;

fn collect(scan: Scan<'_>) -> Vec<Row> {
    scan.map(|entry| entry.map(|(key, value)| (key.into_vec(), value.into_vec())))
        .collect::<Result<_, _>>()
        .unwrap()
}

fn rows(engine: &dyn Engine, tree: Tree, range: KeyRange) -> Vec<Row> {
    collect(engine.scan(tree, range))
}

fn keys(engine: &dyn Engine, tree: Tree, range: KeyRange) -> Vec<String> {
    rows(engine, tree, range)
        .into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

fn get(engine: &dyn Engine, tree: Tree, key: &[u8]) -> Option<Vec<u8>> {
    let value = engine.get(tree, key).unwrap();
    value.map(|value| value.into_vec())
}

fn put(engine: &dyn Engine, tree: Tree, names: &[&str]) {
    let ops = names.iter().map(|name| Op::put(tree, *name, *name));
    engine.write(ops.collect()).unwrap();
}

pub fn a_value_reads_back_until_it_is_deleted(engine: &dyn Engine) {
    assert_eq!(get(engine, Tree::Users, b"ada"), None);
    put(engine, Tree::Users, &["ada"]);
    assert_eq!(get(engine, Tree::Users, b"ada"), Some(b"ada".to_vec()));
    let other = Op::put(Tree::Users, *b"ada", *b"lovelace");
    engine.transact(vec![other]).unwrap();
    assert_eq!(get(engine, Tree::Users, b"ada"), Some(b"lovelace".to_vec()));
    let gone = || vec![Op::delete(Tree::Users, *b"ada")];
    engine.write(gone()).unwrap();
    engine.write(gone()).unwrap();
    engine.transact(gone()).unwrap();
    assert_eq!(get(engine, Tree::Users, b"ada"), None);
}

pub fn trees_do_not_share_keys(engine: &dyn Engine) {
    for tree in Tree::ALL {
        let own = Op::put(tree, *b"key", tree.name());
        engine.write(vec![own]).unwrap();
    }
    for tree in Tree::ALL {
        let own = tree.name().as_bytes().to_vec();
        assert_eq!(get(engine, tree, b"key"), Some(own));
    }
}

pub fn empty_keys_and_values_are_allowed(engine: &dyn Engine) {
    let empty = Op::put(Tree::Users, [], []);
    engine.write(vec![empty]).unwrap();
    assert_eq!(get(engine, Tree::Users, b""), Some(vec![]));
    assert_eq!(
        rows(engine, Tree::Users, KeyRange::all()),
        [(vec![], vec![])]
    );
    let last = engine.last_before(Tree::Users, b"").unwrap();
    assert!(last.is_some());
}

pub fn large_values_read_back(engine: &dyn Engine) {
    let large: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    for key in [b"a", b"b"] {
        let op = Op::put(Tree::Runs, *key, large.clone());
        engine.transact(vec![op]).unwrap();
    }
    engine.flush().unwrap();
    for key in [b"a", b"b"] {
        assert!(get(engine, Tree::Runs, key).unwrap() == large);
    }
}

pub fn a_scan_gives_its_range_in_key_order(engine: &dyn Engine) {
    put(
        engine,
        Tree::Users,
        &["b", "a", "ab", "b\0", "ba", "c", "bb"],
    );
    let found = |range| keys(engine, Tree::Users, range);
    assert_eq!(
        found(KeyRange::all()),
        ["a", "ab", "b", "b\0", "ba", "bb", "c"]
    );
    assert_eq!(found(KeyRange::prefix("b")), ["b", "b\0", "ba", "bb"]);
    assert_eq!(found(KeyRange::starting_at("bb")), ["bb", "c"]);
    assert_eq!(found(KeyRange::between("ab", "b\0")), ["ab", "b"]);
    assert_eq!(
        found(KeyRange::prefix("b").after(b"b")),
        ["b\0", "ba", "bb"]
    );
    assert!(found(KeyRange::between("b", "b")).is_empty());
    assert!(found(KeyRange::between("c", "a")).is_empty());
    assert!(found(KeyRange::prefix("d")).is_empty());
}

pub fn a_scan_may_outlive_changes_to_what_it_reads(engine: &dyn Engine) {
    let name = |n: u32| format!("{n:05}");
    let ops = (0..2000).map(|n| Op::put(Tree::Users, name(n), []));
    engine.write(ops.collect()).unwrap();
    let mut seen = Vec::new();
    for entry in engine.scan(Tree::Users, KeyRange::all()) {
        let (key, _) = entry.unwrap();
        let delete = Op::delete(Tree::Users, key.to_vec());
        engine.write(vec![delete]).unwrap();
        seen.push(key.into_vec());
    }
    let all: Vec<_> = (0..2000).map(|n| name(n).into_bytes()).collect();
    assert_eq!(seen, all);
    assert!(keys(engine, Tree::Users, KeyRange::all()).is_empty());
}

pub fn the_last_key_before_is_found(engine: &dyn Engine) {
    put(engine, Tree::Runs, &["b", "d"]);
    let last = |key: &str| {
        let found = engine.last_before(Tree::Runs, key.as_bytes()).unwrap();
        found.map(|(key, _)| String::from_utf8(key.into_vec()).unwrap())
    };
    assert_eq!(last("a"), None);
    assert_eq!(last("b"), Some("b".into()));
    assert_eq!(last("c"), Some("b".into()));
    assert_eq!(last("d"), Some("d".into()));
    assert_eq!(last("zz"), Some("d".into()));
}

pub fn a_bulk_write_of_any_size_lands_whole(engine: &dyn Engine) {
    for (tree, size) in [
        (Tree::Users, BATCH_OPS - 1),
        (Tree::Groups, BATCH_OPS),
        (Tree::Links, BATCH_OPS + 1),
        (Tree::Members, 30 * BATCH_OPS + 7),
    ] {
        let backwards = (0..size as u32).rev();
        let ops = backwards.map(|n| Op::put(tree, n.to_be_bytes(), n.to_le_bytes()));
        engine.write(ops.collect()).unwrap();
        let expected: Vec<Row> = (0..size as u32)
            .map(|n| (n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec()))
            .collect();
        assert_eq!(rows(engine, tree, KeyRange::all()), expected);
    }
}

pub fn the_last_operation_on_a_key_stands(engine: &dyn Engine) {
    let ops = || {
        vec![
            Op::put(Tree::Users, *b"ada", *b"1"),
            Op::delete(Tree::Users, *b"bob"),
            Op::delete(Tree::Users, *b"ada"),
            Op::put(Tree::Users, *b"bob", *b"1"),
            Op::put(Tree::Users, *b"bob", *b"2"),
        ]
    };
    let expected = [(b"bob".to_vec(), b"2".to_vec())];
    engine.write(ops()).unwrap();
    assert_eq!(rows(engine, Tree::Users, KeyRange::all()), expected);
    engine.transact(ops()).unwrap();
    assert_eq!(rows(engine, Tree::Users, KeyRange::all()), expected);
}

pub fn a_transaction_covers_all_its_trees(engine: &dyn Engine) {
    put(engine, Tree::Marks, &["ada"]);
    let ops = Tree::ALL.map(|tree| match tree {
        Tree::Marks => Op::delete(tree, *b"ada"),
        other => Op::put(other, *b"ada", *b"1"),
    });
    engine.transact(ops.into()).unwrap();
    for tree in Tree::ALL {
        let there = get(engine, tree, b"ada").is_some();
        assert_eq!(there, tree != Tree::Marks, "{tree:?}");
    }
}

pub fn an_empty_write_is_nothing(engine: &dyn Engine) {
    engine.write(vec![]).unwrap();
    engine.transact(vec![]).unwrap();
    engine.flush().unwrap();
}

pub fn a_transaction_that_is_too_large_is_refused_whole(engine: &dyn Engine) {
    let ops = |count: usize| {
        (0..count as u32)
            .map(|n| Op::put(Tree::Users, n.to_be_bytes(), []))
            .collect::<Vec<_>>()
    };
    let refused = engine.transact(ops(TRANSACTION_OPS + 1));
    assert!(matches!(
        refused,
        Err(EngineError::TransactionTooLarge { .. })
    ));
    assert!(rows(engine, Tree::Users, KeyRange::all()).is_empty());
    engine.transact(ops(TRANSACTION_OPS)).unwrap();
    assert_eq!(
        rows(engine, Tree::Users, KeyRange::all()).len(),
        TRANSACTION_OPS
    );
}

/// Each transaction counts up in two trees. Whichever a reader looks at first, the other one,
/// looked at later, can not be behind.
pub fn a_reader_never_sees_half_a_transaction(engine: &dyn Engine) {
    const ROUNDS: u32 = 500;
    let count = |tree| {
        let bytes = get(engine, tree, b"count").unwrap();
        u32::from_be_bytes(bytes.try_into().unwrap())
    };
    let step = |round: u32| {
        let ops =
            [Tree::Links, Tree::Marks].map(|tree| Op::put(tree, *b"count", round.to_be_bytes()));
        engine.transact(ops.into()).unwrap();
    };
    step(0);
    thread::scope(|scope| {
        scope.spawn(|| (1..=ROUNDS).for_each(step));
        loop {
            let links = count(Tree::Links);
            let marks = count(Tree::Marks);
            assert!(marks >= links, "{links} links, then {marks} marks");
            let links = count(Tree::Links);
            assert!(links >= marks, "{marks} marks, then {links} links");
            if links == ROUNDS {
                break;
            }
        }
    });
}

pub fn a_snapshot_stands_still(engine: &dyn Engine) {
    put(engine, Tree::Users, &["ada"]);
    thread::scope(|scope| {
        let snapshot = engine.snapshot().unwrap();
        let before = collect(snapshot.scan(Tree::Users, KeyRange::all()));
        let writer = scope.spawn(|| {
            put(engine, Tree::Users, &["bob"]);
            let more = Op::put(Tree::Users, *b"eve", []);
            engine.transact(vec![more]).unwrap();
        });
        for _ in 0..100 {
            let now = collect(snapshot.scan(Tree::Users, KeyRange::all()));
            assert_eq!(now, before);
            thread::yield_now();
        }
        drop(snapshot);
        writer.join().unwrap();
    });
    assert_eq!(
        keys(engine, Tree::Users, KeyRange::all()),
        ["ada", "bob", "eve"]
    );
}

pub fn a_new_store_is_stamped_and_empty(engine: &dyn Engine) {
    let stamp = get(engine, Tree::Meta, format::STAMP);
    assert_eq!(stamp, Some(format::FORMAT.to_be_bytes().to_vec()));
    assert!(format::is_empty(engine).unwrap());
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Op>),
    Transact(Vec<Op>),
    Get(Tree, Vec<u8>),
    Scan(Tree, KeyRange),
    LastBefore(Tree, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let tree = || prop::sample::select(vec![Tree::Users, Tree::Members]);
    // Few distinct keys, so that they meet; 0, 1 and 255 are where order goes wrong.
    let byte = || prop::sample::select(vec![0, 1, b'a', b'b', 255]);
    let key = move || prop::collection::vec(byte(), 0..4);
    let op = move || {
        prop_oneof![
            3 => (tree(), key(), prop::collection::vec(any::<u8>(), 0..300))
                .prop_map(|(tree, key, value)| Op::Put(tree, key, value)),
            1 => (tree(), key()).prop_map(|(tree, key)| Op::Delete(tree, key)),
        ]
    };
    let range = move || {
        prop_oneof![
            key().prop_map(KeyRange::prefix),
            key().prop_map(KeyRange::starting_at),
            (key(), key()).prop_map(|(from, to)| KeyRange::between(from, to)),
            (key(), key()).prop_map(|(prefix, key)| KeyRange::prefix(prefix).after(&key)),
        ]
    };
    prop_oneof![
        prop::collection::vec(op(), 0..150).prop_map(Step::Write),
        prop::collection::vec(op(), 0..20).prop_map(Step::Transact),
        (tree(), key()).prop_map(|(tree, key)| Step::Get(tree, key)),
        (tree(), range()).prop_map(|(tree, range)| Step::Scan(tree, range)),
        (tree(), key()).prop_map(|(tree, key)| Step::LastBefore(tree, key)),
    ]
}

/// Plays random steps on an engine and on ordered maps, and compares every answer.
pub fn behaves_like_a_map<E: Engine, G>(make: impl Fn() -> (E, G), cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 0..60), |steps| {
            let (engine, _guard) = make();
            let mut model = BTreeMap::<Tree, BTreeMap<Vec<u8>, Vec<u8>>>::new();
            for step in steps {
                play(&engine, &mut model, step)?;
            }
            for (tree, expected) in model {
                let expected: Vec<_> = expected.into_iter().collect();
                prop_assert_eq!(rows(&engine, tree, KeyRange::all()), expected);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn play(
    engine: &dyn Engine,
    model: &mut BTreeMap<Tree, BTreeMap<Vec<u8>, Vec<u8>>>,
    step: Step,
) -> Result<(), TestCaseError> {
    match step {
        Step::Write(ops) => {
            change(model, &ops);
            engine.write(ops).unwrap();
        }
        Step::Transact(ops) => {
            change(model, &ops);
            engine.transact(ops).unwrap();
        }
        Step::Get(tree, key) => {
            let expected = model.entry(tree).or_default().get(&key).cloned();
            prop_assert_eq!(get(engine, tree, &key), expected);
        }
        Step::Scan(tree, range) => {
            let expected: Vec<Row> = model
                .entry(tree)
                .or_default()
                .iter()
                .filter(|(key, _)| range.contains(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            prop_assert_eq!(rows(engine, tree, range), expected);
        }
        Step::LastBefore(tree, key) => {
            let expected = model
                .entry(tree)
                .or_default()
                .range::<[u8], _>((Bound::Unbounded, Bound::Included(key.as_slice())))
                .next_back()
                .map(|(key, value)| (key.clone(), value.clone()));
            let found = engine.last_before(tree, &key).unwrap();
            let found = found.map(|(key, value)| (key.into_vec(), value.into_vec()));
            prop_assert_eq!(found, expected);
        }
    }
    Ok(())
}

fn change(model: &mut BTreeMap<Tree, BTreeMap<Vec<u8>, Vec<u8>>>, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Put(tree, key, value) => {
                let rows = model.entry(*tree).or_default();
                rows.insert(key.clone(), value.clone());
            }
            Op::Delete(tree, key) => {
                model.entry(*tree).or_default().remove(key);
            }
        }
    }
}
