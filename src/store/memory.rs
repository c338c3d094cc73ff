//! The engine that forgets: for tests, and for trying things out.
//!
//! It keeps every promise of [`Engine`] except the disk's.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::engine::{
    Engine, EngineError, Entry, Op, Scan, Snapshot, TRANSACTION_OPS, Value, settle,
};
use super::format::{self, Stamp};
use super::{KeyRange, Tree};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
type Trees = [Rows; Tree::ALL.len()];

/// Ordered maps in memory.
#[derive(Default)]
pub struct MemoryEngine {
    trees: RwLock<Trees>,
    flushes: AtomicU64,
}

impl MemoryEngine {
    /// An empty store, stamped with the current format.
    pub fn new() -> MemoryEngine {
        let engine = MemoryEngine::default();
        format::settle(&engine, Stamp::Missing).expect("memory neither fills up nor tears");
        engine
    }

    /// How often it was asked to make what was written durable.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::SeqCst)
    }

    // A lock is poisoned by a panic elsewhere; no write below can stop half way, so what it
    // guards is whole.
    fn read(&self) -> RwLockReadGuard<'_, Trees> {
        self.trees.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Trees> {
        self.trees.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, ops: Vec<Op>) {
        let settled = settle(ops);
        let mut trees = self.change();
        for (tree, changes) in settled {
            let rows = &mut trees[tree as usize];
            for (key, value) in changes {
                match value {
                    Some(value) => drop(rows.insert(key, value)),
                    None => drop(rows.remove(&key)),
                }
            }
        }
    }
}

fn entry((key, value): (&Vec<u8>, &Vec<u8>)) -> Entry {
    (Value::from(key.as_slice()), Value::from(value.as_slice()))
}

/// The first entry of the range.
fn first_in(rows: &Rows, range: &KeyRange) -> Option<Entry> {
    rows.range::<[u8], _>((Bound::Included(range.from()), Bound::Unbounded))
        .next()
        .filter(|(key, _)| range.contains(key))
        .map(entry)
}

impl Engine for MemoryEngine {
    fn place(&self) -> &str {
        "(memory)"
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Value>, EngineError> {
        let value = self.read()[tree as usize]
            .get(key)
            .map(|v| Value::from(v.as_slice()));
        Ok(value)
    }

    fn scan(&self, tree: Tree, mut range: KeyRange) -> Scan<'_> {
        Box::new(std::iter::from_fn(move || {
            let found = first_in(&self.read()[tree as usize], &range)?;
            range = std::mem::replace(&mut range, KeyRange::all()).after(&found.0);
            Some(Ok(found))
        }))
    }

    fn last_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        let trees = self.read();
        let mut below =
            trees[tree as usize].range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
        Ok(below.next_back().map(entry))
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        self.apply(ops);
        Ok(())
    }

    fn transact(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        if ops.len() > TRANSACTION_OPS {
            return Err(EngineError::TransactionTooLarge { ops: ops.len() });
        }
        self.apply(ops);
        Ok(())
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        Ok(Box::new(Copied(self.read().clone())))
    }

    fn size_on_disk(&self) -> u64 {
        0
    }
}

struct Copied(Trees);

impl Snapshot for Copied {
    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        let rows = self.0[tree as usize]
            .range::<[u8], _>((Bound::Included(range.from()), Bound::Unbounded));
        let rows = rows.take_while(move |(key, _)| range.contains(key));
        Box::new(rows.map(|row| Ok(entry(row))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    conformance::holds_for!(|| (MemoryEngine::new(), ()), cases = 256);
}
