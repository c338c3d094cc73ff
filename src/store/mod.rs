//! What rosterd remembers between runs, on disk.
//!
//! At the bottom is one narrow trait, [`Engine`]: named ordered maps of bytes, with bulk
//! writes, small transactions and a flush that keeps its promise. [`SledEngine`] is the one
//! daemons run on, [`MemoryEngine`] the one tests run on; both pass the same claims in
//! `conformance.rs`, and so must any engine that follows. Nothing outside this room knows
//! which engine it is, and no engine's type is in a signature.
//!
//! On top of the bytes: [`codec`] says how rows and keys are spelled, [`backup`] carries a
//! whole store from one place to another.

pub mod backup;
pub mod codec;
mod engine;
mod format;
mod memory;
mod range;
mod sled;
mod tree;

#[cfg(test)]
mod conformance;

pub use engine::{BATCH_OPS, TRANSACTION_OPS};
pub use engine::{Engine, EngineError, Entry, Op, Scan, Snapshot, Value};
pub use format::FORMAT;
pub use memory::MemoryEngine;
pub use range::KeyRange;
pub use sled::{DEFAULT_CACHE_BYTES, SledEngine};
pub use tree::Tree;
