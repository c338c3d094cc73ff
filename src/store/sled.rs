//! The engine daemons run on: sled 0.34.
//!
//! sled is fast and small but must be handled as measured, and this is the one place that
//! handles it: a small cache, a timed flush, sorted batches of at most [`BATCH_OPS`] (larger
//! ones make its memory grow without bound), and one transaction over all trees for what must
//! be one. sled's own flush leaves file length and device cache to chance on Linux, so ours
//! ends with an fsync.
//!
//! Opening a damaged store may panic instead of failing; that is caught here and said plainly.
//! Or it may not fail at all and be an older store than it was: see `waterline.rs`.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::sled::transaction::{TransactionError, Transactional};
use ::sled::{Batch, Db, IVec};

use self::waterline::{Level, Waterline};
use super::engine::{
    BATCH_OPS, Engine, EngineError, Entry, Op, Scan, Snapshot, TRANSACTION_OPS, Value, settle,
};
use super::format;

mod waterline;
use super::{KeyRange, Tree};

/// 64 MiB: a million small rows stayed at 150 to 210 MB of memory in all with it; sled's own
/// default is 1 GiB.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Half a second between sled's own flushes. Without them, random overwrites pile up in memory.
/// Nothing relies on them for durability.
const FLUSH_EVERY_MS: u64 = 500;

/// How many flushes may pass before the waterline is raised; opening and closing do so as well.
/// 64: it doubles the cost of a flush, and this spreads that to nothing.
const FLUSHES_PER_MARK: u64 = 64;

/// A store in a directory, held by this process alone.
pub struct SledEngine {
    db: Db,
    trees: [::sled::Tree; Tree::ALL.len()],
    /// sled's log, opened a second time to fsync it.
    log: File,
    dir: PathBuf,
    place: String,
    /// Held by who writes, and by a snapshot so that nobody does.
    writer: Mutex<()>,
    waterline: Mutex<Waterline>,
    flushes: AtomicU64,
    /// Writes to each tree.
    writes: [AtomicU64; Tree::ALL.len()],
}

impl fmt::Debug for SledEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SledEngine({})", self.place)
    }
}

impl SledEngine {
    /// Opens the store in `dir`, which is made with mode 0700 if it is not there.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<SledEngine, EngineError> {
        let place = dir.display().to_string();
        // Nothing is shared with the closure: what it leaves behind when it panics is dropped.
        catch_unwind(AssertUnwindSafe(|| Self::open_at(dir, &place, cache_bytes))).unwrap_or_else(
            |panic| {
                let why = message_of(panic.as_ref());
                Err(EngineError::Damaged { place, why })
            },
        )
    }

    fn open_at(dir: &Path, place: &str, cache_bytes: u64) -> Result<SledEngine, EngineError> {
        let failed = |doing| move |cause| io_error(doing, place, cause);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("make a directory for"))?;

        let failed_to_open = |cause| open_error(place, cause);
        let db = ::sled::Config::default()
            .path(dir)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()
            .map_err(failed_to_open)?;
        let open = |tree: Tree| db.open_tree(tree.name()).map_err(failed_to_open);
        // Judged first: nothing is added to a store that is not ours to use.
        let stamp = open(Tree::Meta)?
            .get(format::STAMP)
            .map_err(failed_to_open)?;
        let stamp = format::judge(stamp.as_deref(), place)?;
        let waterline = db.open_tree(waterline::TREE).map_err(failed_to_open)?;
        let waterline = match Waterline::read(waterline, dir).map_err(failed_to_open)? {
            Level::Whole(waterline) => waterline,
            Level::Fallen => {
                return Err(EngineError::Damaged {
                    place: place.to_owned(),
                    why: "what was last written to it is gone".to_owned(),
                });
            }
        };
        let mut trees = Vec::with_capacity(Tree::ALL.len());
        for tree in Tree::ALL {
            trees.push(open(tree)?);
        }
        let engine = SledEngine {
            trees: trees.try_into().expect("one was pushed for each"),
            db,
            log: File::open(dir.join("db")).map_err(failed("open"))?,
            dir: dir.to_owned(),
            place: place.to_owned(),
            writer: Mutex::new(()),
            waterline: Mutex::new(waterline),
            flushes: AtomicU64::new(0),
            writes: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        format::settle(&engine, stamp)?;
        engine.raise_waterline()?;
        // The names of new files are durable only once their directory is. The parent is
        // somebody else's and may be unreadable; then its own name has to take its chance.
        sync_dir(dir).map_err(failed("make durable"))?;
        sync_dir(dir.parent().unwrap_or(dir)).ok();
        Ok(engine)
    }

    fn tree(&self, tree: Tree) -> &::sled::Tree {
        &self.trees[tree as usize]
    }

    // Poisoned by a panic of another writer: sled keeps its own house in order, the lock
    // only says whose turn it is.
    fn my_turn(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the write, whether or not it went well: who sees the new count sees what was written.
    fn count_write(&self, tree: Tree) {
        self.writes[tree as usize].fetch_add(1, Ordering::Release);
    }

    fn failed(&self, doing: &'static str) -> impl Fn(::sled::Error) -> EngineError + Send + '_ {
        move |cause| engine_error(doing, &self.place, cause)
    }

    fn flush_all(&self) -> Result<(), EngineError> {
        self.db.flush().map_err(self.failed("flush"))?;
        self.sync_blobs()
            .and_then(|()| self.log.sync_all())
            .map_err(|cause| io_error("flush", &self.place, cause))
    }

    /// Flushes, and makes sure that a loss of all this would be noticed.
    fn raise_waterline(&self) -> Result<(), EngineError> {
        let mut waterline = self
            .waterline
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waterline.raise().map_err(self.failed("flush"))?;
        self.flush_all()?;
        waterline
            .draw()
            .map_err(|cause| io_error("flush", &self.place, cause))
    }

    /// Values too large for sled's log lie in files of their own, which it does not sync.
    fn sync_blobs(&self) -> io::Result<()> {
        let blobs = self.dir.join("blobs");
        let mut any = false;
        for blob in fs::read_dir(&blobs)? {
            any = true;
            gone_is_fine(File::open(blob?.path()).and_then(|file| file.sync_all()))?;
        }
        if any { sync_dir(&blobs) } else { Ok(()) }
    }
}

impl Engine for SledEngine {
    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Value>, EngineError> {
        let found = self.tree(tree).get(key).map_err(self.failed("read"))?;
        Ok(found.map(value))
    }

    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let tree = self.tree(tree);
        let mut rows = match range.to() {
            Some(to) => tree.range(range.from()..to),
            None => tree.range(range.from()..),
        };
        let failed = self.failed("read");
        let mut ended = false;
        Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = rows.next();
            ended = !matches!(next, Some(Ok(_)));
            Some(next?.map(entry).map_err(&failed))
        }))
    }

    fn last_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        let found = self.tree(tree).range(..=key).next_back().transpose();
        Ok(found.map_err(self.failed("read"))?.map(entry))
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        let settled = settle(ops);
        let _turn = self.my_turn();
        for (tree, changes) in settled {
            let mut changes = changes.into_iter().peekable();
            while changes.peek().is_some() {
                let batch = batch(changes.by_ref().take(BATCH_OPS));
                let written = self.tree(tree).apply_batch(batch);
                self.count_write(tree);
                written.map_err(self.failed("write to"))?;
            }
        }
        Ok(())
    }

    fn transact(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        if ops.len() > TRANSACTION_OPS {
            return Err(EngineError::TransactionTooLarge { ops: ops.len() });
        }
        if ops.is_empty() {
            return Ok(());
        }
        let settled = settle(ops);
        let touched: Vec<Tree> = settled.keys().copied().collect();
        let (trees, batches): (Vec<_>, Vec<_>) = settled
            .into_iter()
            .map(|(tree, changes)| (self.tree(tree), batch(changes)))
            .unzip();
        let _turn = self.my_turn();
        let outcome = trees.as_slice().transaction(|views| {
            for (view, batch) in views.iter().zip(&batches) {
                view.apply_batch(batch)?;
            }
            Ok(())
        });
        touched.into_iter().for_each(|tree| self.count_write(tree));
        match outcome {
            Ok(()) => Ok(()),
            Err(TransactionError::Storage(cause)) => Err(self.failed("write to")(cause)),
            Err(TransactionError::Abort(never)) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }

    fn flush(&self) -> Result<(), EngineError> {
        let flushes = self.flushes.fetch_add(1, Ordering::Relaxed) + 1;
        if flushes.is_multiple_of(FLUSHES_PER_MARK) {
            self.raise_waterline()
        } else {
            self.flush_all()
        }
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        Ok(Box::new(Still {
            engine: self,
            _turn: self.my_turn(),
        }))
    }

    fn size_on_disk(&self) -> u64 {
        disk_bytes(&self.dir)
    }

    fn writes_to(&self, tree: Tree) -> Option<u64> {
        Some(self.writes[tree as usize].load(Ordering::Acquire))
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure, and what was promised is flushed already.
        self.raise_waterline().ok();
    }
}

/// The store while nobody may write.
struct Still<'a> {
    engine: &'a SledEngine,
    _turn: MutexGuard<'a, ()>,
}

impl Snapshot for Still<'_> {
    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        self.engine.scan(tree, range)
    }
}

// Copied out: sled's own bytes may be a slice of a whole page, which a kept row would pin.
fn value(bytes: IVec) -> Value {
    Value::from(bytes.as_ref())
}

fn entry((key, row): (IVec, IVec)) -> Entry {
    (value(key), value(row))
}

fn batch(changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// An error while opening: the one moment at which sled tells that the store is taken.
fn open_error(place: &str, cause: ::sled::Error) -> EngineError {
    match cause {
        // sled has no kind for this, only a text; the test for a second opener watches it.
        ::sled::Error::Io(cause) if cause.to_string().contains("could not acquire lock") => {
            EngineError::InUse {
                place: place.to_owned(),
            }
        }
        cause => engine_error("open", place, cause),
    }
}

fn engine_error(doing: &'static str, place: &str, cause: ::sled::Error) -> EngineError {
    let damaged = |why: String| EngineError::Damaged {
        place: place.to_owned(),
        why,
    };
    match cause {
        ::sled::Error::Io(cause) => io_error(doing, place, cause),
        ::sled::Error::Corruption { at: Some(at), .. } => {
            damaged(format!("a checksum does not match at {at:?}"))
        }
        ::sled::Error::Corruption { at: None, .. } => damaged("a checksum does not match".into()),
        ::sled::Error::Unsupported(why) | ::sled::Error::ReportableBug(why) => {
            damaged(one_line(&why))
        }
        ::sled::Error::CollectionNotFound(_) => damaged("a tree is missing".into()),
    }
}

fn io_error(doing: &'static str, place: &str, cause: io::Error) -> EngineError {
    let place = place.to_owned();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            EngineError::DiskFull { place, cause }
        }
        _ => EngineError::Io {
            doing,
            place,
            cause,
        },
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("opening it panicked");
    one_line(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    // The parent of a relative name is the empty path.
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)?.sync_all()
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Adds up the blocks of all files below. sled replaces files as it goes: one that is gone
/// before we look counts nothing.
fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            // 512: the unit of st_blocks, whatever the file system's own block size.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests;
