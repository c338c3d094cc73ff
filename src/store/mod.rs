//! What rosterd remembers between runs, on disk.
//!
//! At the bottom is one narrow trait, [`Engine`]: named ordered maps of bytes, with bulk
//! writes, small transactions and a flush that keeps its promise. [`SledEngine`] is the one
//! daemons run on, [`MemoryEngine`] the one tests run on, [`RemoteEngine`] one that a daemon
//! holds; all pass the same claims in
//! `conformance.rs`, and so must any engine that follows. Nothing outside this room knows
//! which engine it is, and no engine's type is in a signature.
//!
//! On top of the bytes: [`codec`] says how rows and keys are spelled, [`backup`] carries a
//! whole store from one place to another.

pub mod backup;
pub mod codec;
mod commit;
pub mod directory;
mod engine;
pub mod events;
mod format;
pub mod ids;
mod members;
mod memory;
mod pen;
pub mod portals;
pub mod pushed;
mod range;
pub mod remote;
pub mod rows;
pub mod runs;
mod sled;
mod spool;
pub mod target_ids;
pub mod tokens;
mod tree;

#[cfg(test)]
mod conformance;

pub use engine::{BATCH_OPS, TRANSACTION_OPS};
pub use engine::{Engine, EngineError, Entry, Op, Scan, Snapshot, Value};
pub use format::FORMAT;
pub use memory::MemoryEngine;
pub use pen::Pen;
pub use range::KeyRange;
pub use remote::RemoteEngine;
pub use runs::{Discarded, RunRecord, Way};
pub use sled::SledEngine;
pub use tree::Tree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use codec::{CodecError, decode};
use commit::Commit;

/// The rows, whatever engine keeps them. Reading is here and in the files beside; what is to
/// be written is made there as [`Op`]s, so that the caller decides what is one unit.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    /// Held by the one run that decides and applies.
    turn: Arc<Mutex<()>>,
    /// Held while a device or policy is read and written back.
    devices: Arc<Mutex<()>>,
    /// Held by whoever changes what was pushed.
    pen: Arc<Mutex<Pen>>,
    commit: Arc<Commit>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl StoreError {
    fn damaged(what: &'static str) -> StoreError {
        StoreError::Codec(CodecError::Damaged { what })
    }
}

impl Store {
    pub fn new(engine: Arc<dyn Engine>) -> Store {
        Store {
            engine,
            turn: Arc::default(),
            devices: Arc::default(),
            pen: Arc::default(),
            commit: Arc::default(),
        }
    }

    /// Waits until no other run decides and applies on this store, and keeps others out while
    /// what it gives is held. It blocks, and must not be held across an `await`.
    pub fn my_turn(&self) -> MutexGuard<'_, ()> {
        // Poisoned by a run that panicked: like one that was killed, it left the store whole.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for a moment, between a run that moves devices and the application that does: what
    /// one of them read stays so until it has written. A run takes it for each batch.
    pub fn devices_turn(&self) -> MutexGuard<'_, ()> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the pen, without which nothing of a pushed source may be changed. It blocks,
    /// and is held for one write at a time.
    pub fn pen(&self) -> MutexGuard<'_, Pen> {
        // Poisoned by a writer that panicked before its one transaction: nothing is half done.
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything written so far durable, in one flush with whoever else waits for that.
    pub fn flush_together(&self) -> Result<(), StoreError> {
        self.commit.wait(|| self.flush())
    }

    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Bulk, not one unit: for what may be done again.
    pub fn write(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        Ok(self.engine.write(ops)?)
    }

    /// Rows that change places: one unit up to the size of a transaction. A larger set is
    /// written before what it replaces is deleted, so that a crash leaves a row twice rather
    /// than not at all.
    pub fn write_moves(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        if ops.len() <= TRANSACTION_OPS {
            return self.transact(ops);
        }
        let (puts, deletes): (Vec<Op>, Vec<Op>) =
            ops.into_iter().partition(|op| matches!(op, Op::Put(..)));
        self.write(puts)?;
        self.write(deletes)
    }

    /// All or nothing.
    pub fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        Ok(self.engine.transact(ops)?)
    }

    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.engine.flush()?)
    }

    /// For when what a run wrote need not be in memory any longer.
    pub fn give_back_memory(&self) -> Result<(), StoreError> {
        Ok(self.engine.give_back_memory()?)
    }

    fn row<T: DeserializeOwned>(
        &self,
        tree: Tree,
        key: &[u8],
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        match self.engine.get(tree, key)? {
            None => Ok(None),
            Some(bytes) => Ok(Some(decode(&bytes, what, rows::VERSION)?)),
        }
    }

    fn scan_rows<T: DeserializeOwned>(
        &self,
        tree: Tree,
        range: KeyRange,
        what: &'static str,
    ) -> impl Iterator<Item = Result<T, StoreError>> + '_ {
        self.engine.scan(tree, range).map(move |entry| {
            let (_, value) = entry?;
            Ok(decode(&value, what, rows::VERSION)?)
        })
    }
}
