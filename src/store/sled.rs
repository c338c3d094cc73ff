//! The engine daemons run on: sled 0.34.
//!
//! sled is fast and small but must be handled as measured, and this is the one place that
//! handles it: a small cache, seldom tidied, sorted batches of at most [`BATCH_OPS`] (larger ones
//! make its memory grow without bound), and one transaction over all trees for what must be
//! one. sled's own flush leaves file length and device cache to chance on Linux, so ours ends
//! with an fsync.
//!
//! Nor does it give back the memory it takes for what is written, short of being closed: so it
//! is closed and opened after much was written, when nobody is at it.
//!
//! Opening a damaged store may panic instead of failing; that is caught here and said plainly.
//! Or it may not fail at all and be an older store than it was: see `waterline.rs`.

use std::convert::Infallible;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ::sled::transaction::{TransactionError, Transactional};
use ::sled::{Batch, IVec};

use super::engine::{
    BATCH_OPS, Engine, EngineError, Entry, Op, Scan, Snapshot, TRANSACTION_OPS, Value, settle,
};
use super::format;

mod errors;
mod files;
mod handles;
mod waterline;
use super::{KeyRange, Tree};
use errors::{engine_error, io_error, panic_is_damage};
use files::{disk_bytes, gone_is_fine, sync_dir};
use handles::Handles;
use waterline::Waterline;

/// How many flushes may pass before the waterline is raised; opening and closing do so as well.
/// 64: it doubles the cost of a flush, and this spreads that to nothing.
const FLUSHES_PER_MARK: u64 = 64;

/// How much may be written before the memory that sled keeps of it is worth a reopening.
///
/// 4 MiB: each half of a first run of 10,000 people writes more, a day of changes less.
const REFRESH_AFTER_BYTES: u64 = 4 * 1024 * 1024;

/// And what part of the store that must be. Opening takes the longer the larger it is, most of a
/// second with a million people, and everybody waits for it.
const REFRESH_AFTER_PART: u64 = 64;

/// How long a reopening waits for the lock on the store that it has just let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store in a directory, held by this process alone.
pub struct SledEngine {
    /// None after a reopening that failed: whoever comes next tries again, and hears why not.
    handles: RwLock<Option<Arc<Handles>>>,
    cache_bytes: u64,
    /// Written since sled was opened.
    written: AtomicU64,
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
        panic_is_damage(&place, || Self::open_at(dir, &place, cache_bytes))
    }

    fn open_at(dir: &Path, place: &str, cache_bytes: u64) -> Result<SledEngine, EngineError> {
        let failed = |doing| move |cause| io_error(doing, place, cause);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("make a directory for"))?;

        let (handles, waterline, stamp) = Handles::open(dir, place, cache_bytes)?;
        let engine = SledEngine {
            handles: RwLock::new(Some(Arc::new(handles))),
            cache_bytes,
            written: AtomicU64::new(0),
            log: File::open(dir.join("db")).map_err(failed("open"))?,
            dir: dir.to_owned(),
            place: place.to_owned(),
            writer: Mutex::new(()),
            waterline: Mutex::new(waterline),
            flushes: AtomicU64::new(0),
            writes: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        format::settle(&engine, stamp)?;
        engine.raise_waterline(&*engine.handles()?)?;
        // The names of new files are durable only once their directory is. The parent is
        // somebody else's and may be unreadable; then its own name has to take its chance.
        sync_dir(dir).map_err(failed("make durable"))?;
        sync_dir(dir.parent().unwrap_or(dir)).ok();
        Ok(engine)
    }

    fn handles(&self) -> Result<Arc<Handles>, EngineError> {
        let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handles) = &*handles {
            return Ok(handles.clone());
        }
        drop(handles);
        self.open_again(&mut self.handles.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes and opens sled, and says whether it did: not while somebody writes or reads on.
    fn reopen(&self) -> Result<bool, EngineError> {
        let Ok(_turn) = self.writer.try_lock() else {
            return Ok(false);
        };
        // Before anybody has to wait: what is left to write when it is closed is little then.
        self.raise_waterline(&*self.handles()?)?;
        let mut slot = self.handles.write().unwrap_or_else(PoisonError::into_inner);
        let Some(handles) = slot.take() else {
            return Ok(false);
        };
        match Arc::try_unwrap(handles) {
            Ok(handles) => drop(handles),
            Err(in_use) => {
                *slot = Some(in_use);
                return Ok(false);
            }
        }
        self.written.store(0, Ordering::Relaxed);
        self.open_again(&mut slot)?;
        Ok(true)
    }

    /// Fills an empty slot.
    fn open_again(&self, slot: &mut Option<Arc<Handles>>) -> Result<Arc<Handles>, EngineError> {
        if let Some(handles) = slot {
            return Ok(handles.clone());
        }
        let opened = patiently(|| {
            panic_is_damage(&self.place, || {
                Handles::open(&self.dir, &self.place, self.cache_bytes)
            })
        })?;
        // The height counted so far goes on being counted: it is the same store.
        let handles = Arc::new(opened.0);
        *slot = Some(handles.clone());
        Ok(handles)
    }

    // Poisoned by a panic of another writer: sled keeps its own house in order, the lock
    // only says whose turn it is.
    fn my_turn(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_bytes(&self, ops: &[Op]) {
        let bytes = ops.iter().map(Op::bytes).sum::<usize>() as u64;
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// After the write, whether or not it went well: who sees the new count sees what was written.
    fn count_write(&self, tree: Tree) {
        self.writes[tree as usize].fetch_add(1, Ordering::Release);
    }

    fn failed(&self, doing: &'static str) -> impl Fn(::sled::Error) -> EngineError + Send + '_ {
        move |cause| engine_error(doing, &self.place, cause)
    }

    fn flush_all(&self, handles: &Handles) -> Result<(), EngineError> {
        handles.db.flush().map_err(self.failed("flush"))?;
        self.sync_blobs()
            .and_then(|()| self.log.sync_all())
            .map_err(|cause| io_error("flush", &self.place, cause))
    }

    /// Flushes, and makes sure that a loss of all this would be noticed.
    fn raise_waterline(&self, handles: &Handles) -> Result<(), EngineError> {
        let mut waterline = self
            .waterline
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waterline
            .raise(&handles.waterline)
            .map_err(self.failed("flush"))?;
        self.flush_all(handles)?;
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
        let found = self.handles()?.tree(tree).get(key);
        let found = found.map_err(self.failed("read"))?;
        Ok(found.map(value))
    }

    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let handles = match self.handles() {
            Ok(handles) => handles,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let mut rows = match range.to() {
            Some(to) => handles.tree(tree).range(range.from()..to),
            None => handles.tree(tree).range(range.from()..),
        };
        let failed = self.failed("read");
        let mut ended = false;
        Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            // Held as long as the rows are, which are of no use once it is closed.
            let _open = &handles;
            let next = rows.next();
            ended = !matches!(next, Some(Ok(_)));
            Some(next?.map(entry).map_err(&failed))
        }))
    }

    fn last_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        let handles = self.handles()?;
        let found = handles.tree(tree).range(..=key).next_back().transpose();
        Ok(found.map_err(self.failed("read"))?.map(entry))
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        self.count_bytes(&ops);
        let settled = settle(ops);
        let _turn = self.my_turn();
        let handles = self.handles()?;
        for (tree, changes) in settled {
            let mut changes = changes.into_iter().peekable();
            while changes.peek().is_some() {
                let batch = batch(changes.by_ref().take(BATCH_OPS));
                let written = handles.tree(tree).apply_batch(batch);
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
        self.count_bytes(&ops);
        let settled = settle(ops);
        let touched: Vec<Tree> = settled.keys().copied().collect();
        let _turn = self.my_turn();
        let handles = self.handles()?;
        let (trees, batches): (Vec<_>, Vec<_>) = settled
            .into_iter()
            .map(|(tree, changes)| (handles.tree(tree), batch(changes)))
            .unzip();
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
        let handles = self.handles()?;
        let flushes = self.flushes.fetch_add(1, Ordering::Relaxed) + 1;
        if flushes.is_multiple_of(FLUSHES_PER_MARK) {
            self.raise_waterline(&handles)
        } else {
            self.flush_all(&handles)
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

    fn give_back_memory(&self) -> Result<(), EngineError> {
        let size = self.log.metadata().map_or(0, |log| log.len());
        let worth_it = REFRESH_AFTER_BYTES.max(size / REFRESH_AFTER_PART);
        if self.written.load(Ordering::Relaxed) < worth_it {
            return Ok(());
        }
        let began = Instant::now();
        if self.reopen()? {
            tracing::debug!(took = ?began.elapsed(), "the store was closed and opened");
        }
        Ok(())
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure, and what was promised is flushed already.
        if let Ok(handles) = self.handles() {
            self.raise_waterline(&handles).ok();
        }
    }
}

/// Opens what was closed just now: a thread of sled's may be about to drop the last it has of the
/// lock.
fn patiently<T>(open: impl Fn() -> Result<T, EngineError>) -> Result<T, EngineError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(EngineError::InUse { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
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

#[cfg(test)]
mod tests;
