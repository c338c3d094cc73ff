//! The narrow trait behind which an ordered key-value engine stands.
//!
//! Everything here blocks: async callers come through `spawn_blocking`. There is one writing
//! process for a store, and inside it writers take turns; readers never wait for long.
//!
//! Two ways to write, on purpose. [`Engine::write`] is for bulk: fast, not one unit, and only
//! right when doing it again is harmless. [`Engine::transact`] is for the few rows that must
//! be one: all or none, across all trees. Neither is durable before [`Engine::flush`] returns.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{KeyRange, Tree};

/// How many operations of one tree a bulk write hands to the engine at a time.
///
/// 100: sled's memory stays flat up to there and grows without bound at 1,000 (400,000 rows
/// of 20 bytes, overwritten four times: 60 MB against 2 GB).
pub const BATCH_OPS: usize = 100;

/// The most operations one transaction may hold, over all its trees; more is refused.
///
/// 1,000: a transaction stops every reader while it commits, and what is larger is bulk and
/// belongs in [`Engine::write`]. Memory stayed flat at 10, 100 and 1,000 alike (66 to 76 MB,
/// 200,000 rows of 300 bytes and as many of 20 overwritten at random, a 16 MiB cache).
pub const TRANSACTION_OPS: usize = 1000;

/// Bytes that an engine handed out: a key or a value.
///
/// They are the reader's own; keeping them pins nothing inside the engine. `Debug` shows only
/// the length, because rows hold people.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(Box<[u8]>);

impl Value {
    /// The bytes as a vector, without copying.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_vec()
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value(bytes.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value(bytes.into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.0.len())
    }
}

/// One change to one key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Tree, key, value.
    Put(Tree, Vec<u8>, Vec<u8>),
    /// Tree, key. Deleting what is not there is fine.
    Delete(Tree, Vec<u8>),
}

impl Op {
    pub fn put(tree: Tree, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Op {
        Op::Put(tree, key.into(), value.into())
    }

    pub fn delete(tree: Tree, key: impl Into<Vec<u8>>) -> Op {
        Op::Delete(tree, key.into())
    }

    /// How many bytes of key and value it carries: for who gathers operations up to a size.
    pub fn bytes(&self) -> usize {
        match self {
            Op::Put(_, key, value) => key.len() + value.len(),
            Op::Delete(_, key) => key.len(),
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Put(tree, key, value) => {
                let (key, value) = (key.len(), value.len());
                write!(f, "Put({tree:?}, {key} bytes, {value} bytes)")
            }
            Op::Delete(tree, key) => write!(f, "Delete({tree:?}, {} bytes)", key.len()),
        }
    }
}

/// The final say on each key, by tree and in key order: `None` deletes.
pub(super) type Settled = BTreeMap<Tree, BTreeMap<Vec<u8>, Option<Vec<u8>>>>;

/// Sorts operations; of several on one key, the last one stands.
pub(super) fn settle(ops: Vec<Op>) -> Settled {
    let mut settled = Settled::new();
    for op in ops {
        let (tree, key, value) = match op {
            Op::Put(tree, key, value) => (tree, key, Some(value)),
            Op::Delete(tree, key) => (tree, key, None),
        };
        settled.entry(tree).or_default().insert(key, value);
    }
    settled
}

/// A key with its value.
pub type Entry = (Value, Value);

/// Entries in ascending key order. After an error there is nothing more.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<Entry, EngineError>> + Send + 'a>;

/// Named ordered maps of bytes.
pub trait Engine: Send + Sync {
    /// Where the store is, in words for a message.
    fn place(&self) -> &str;

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Value>, EngineError>;

    /// Reads a range in key order.
    ///
    /// Not a snapshot: what is written meanwhile may or may not be seen. Every key that was
    /// there throughout is seen, once.
    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_>;

    /// The greatest key that is not above `key`, which it may equal.
    fn last_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Entry>, EngineError>;

    /// Writes in bulk, sorted, at most [`BATCH_OPS`] of a tree at a time.
    ///
    /// Not one unit: after an error or a crash any part of it may have happened, so it is for
    /// what may be done again. Of several operations on one key, the last one stands.
    fn write(&self, ops: Vec<Op>) -> Result<(), EngineError>;

    /// Writes all or nothing, over all trees named.
    ///
    /// At most [`TRANSACTION_OPS`] operations. Of several on one key, the last one stands. A
    /// crash leaves all of it or none of it; only a flush makes it all.
    fn transact(&self, ops: Vec<Op>) -> Result<(), EngineError>;

    /// Makes everything written so far durable before it returns.
    fn flush(&self) -> Result<(), EngineError>;

    /// A view that does not change while it is held.
    ///
    /// Writers may have to wait until it is dropped, so the thread that holds one must not
    /// write, and nobody should hold one longer than a backup takes.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError>;

    /// Bytes taken on the disk, about.
    fn size_on_disk(&self) -> u64;

    /// How often the tree was written to since the store was opened, where that is counted:
    /// what was read at one count need not be read again as long as it stays.
    fn writes_to(&self, tree: Tree) -> Option<u64> {
        let _ = tree;
        None
    }

    /// Drops what is kept in memory of what was written, if that is much and nobody is using the
    /// store just now; readers and writers may have to wait for it. For after a long write.
    fn give_back_memory(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

/// A view of all trees at one moment. See [`Engine::snapshot`].
pub trait Snapshot {
    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_>;
}

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("another rosterd holds the store at {place}; wait until it is done, or stop it first")]
    InUse { place: String },

    #[error("no space left for the store at {place}; make room on its disk, then start again")]
    DiskFull {
        place: String,
        #[source]
        cause: io::Error,
    },

    #[error(
        "the store at {place} is damaged ({why}); move it aside and restore a backup, or run a full sync into a new one"
    )]
    Damaged { place: String, why: String },

    #[error(
        "the store at {place} was written by a newer rosterd (format {found}, this one knows {known}); install that version again"
    )]
    Newer {
        place: String,
        found: u32,
        known: u32,
    },

    #[error(
        "the store at {place} has format {found}, from which this rosterd knows no way to format {known}; go through the version in between"
    )]
    TooOld {
        place: String,
        found: u32,
        known: u32,
    },

    #[error(
        "an earlier restore into the store at {place} did not finish; delete the directory and restore again"
    )]
    HalfRestored { place: String },

    #[error("a transaction of {ops} operations is more than the {TRANSACTION_OPS} allowed")]
    TransactionTooLarge { ops: usize },

    /// The daemon that holds the store says so, in its own words.
    #[error("{0}")]
    Told(String),

    #[error(
        "the daemon that holds the store at {place} no longer answers; look whether it runs, then try again"
    )]
    DaemonGone {
        place: String,
        #[source]
        cause: io::Error,
    },

    #[error("could not {doing} the store at {place}")]
    Io {
        doing: &'static str,
        place: String,
        #[source]
        cause: io::Error,
    },
}

impl EngineError {
    /// Whether the same call may succeed later, with nothing changed but the surroundings.
    ///
    /// Even a disk that has room again needs a fresh open: an engine that failed to write
    /// stays closed for writing.
    pub fn worth_retrying(&self) -> bool {
        matches!(self, EngineError::InUse { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_operation_on_a_key_stands() {
        let settled = settle(vec![
            Op::put(Tree::Users, *b"b", *b"1"),
            Op::put(Tree::Users, *b"a", *b"1"),
            Op::delete(Tree::Users, *b"b"),
        ]);
        let rows: Vec<_> = settled[&Tree::Users].clone().into_iter().collect();
        assert_eq!(
            rows,
            [(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), None)]
        );
    }

    #[test]
    fn nothing_of_a_row_shows_in_debug_output() {
        let op = Op::put(Tree::Users, *b"ada", *b"ada@example.com");
        assert_eq!(format!("{op:?}"), "Put(Users, 3 bytes, 15 bytes)");
        assert_eq!(
            format!("{:?}", Value::from(b"ada".as_slice())),
            "Value(3 bytes)"
        );
    }
}
