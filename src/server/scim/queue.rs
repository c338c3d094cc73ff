//! Where writes are done, one after the other, and made durable together.
//!
//! They take turns anyway, by the store's pen. With a thread for each, most of the work is to
//! put threads to sleep and wake them: for the pen, then for the disk. So one thread does the
//! writes for as long as there are any, and another makes them durable and has them answered;
//! while the disk is busy with some, the next ones are done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::reply::{self, Reply};
use crate::store::Store;
use crate::sync::push::PushError;

/// How long a flush waits for each write that was in the one before: where many come, many are
/// in the next one too. A flush also costs what could be writing.
const PATIENCE: Duration = Duration::from_micros(250);

/// How long it waits at most.
const PATIENCE_AT_MOST: Duration = Duration::from_millis(10);

/// What a write came to.
pub struct Outcome<T> {
    pub value: T,
    /// Whether it has to be on the disk before it is answered.
    pub durable: bool,
}

#[derive(Default)]
pub struct WriteQueue {
    asked: Line<Job>,
    done: Line<Done>,
}

/// Does a write, and says what remains if it is to be made durable.
type Job = Box<dyn FnOnce() -> Option<Done> + Send>;

/// Answers a write, which is durable now or never.
type Done = Box<dyn FnOnce(bool) + Send>;

impl WriteQueue {
    /// Does the work when it is its turn.
    pub async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        store: &Store,
        work: impl FnOnce() -> Result<Outcome<T>, PushError> + Send + 'static,
    ) -> Result<T, Reply> {
        let (answer, answered) = oneshot::channel();
        if self.asked.join(job(work, answer)) {
            let (queue, store) = (self.clone(), store.clone());
            spawn_blocking(move || queue.do_all(&store));
        }
        // Nobody answers where the process is about to end.
        answered.await.unwrap_or_else(|_| Err(reply::ours()))
    }

    fn do_all(self: &Arc<Self>, store: &Store) {
        while let Some(jobs) = self.asked.all() {
            for done in jobs.into_iter().filter_map(|job| job()) {
                if self.done.join(done) {
                    let (queue, store) = (self.clone(), store.clone());
                    spawn_blocking(move || queue.make_durable(&store));
                }
            }
        }
    }

    fn make_durable(&self, store: &Store) {
        let mut before = 1;
        loop {
            let wait = patience(before);
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            let Some(done) = self.done.all() else {
                return;
            };
            before = done.len();
            let flushed = store.flush_together();
            if let Err(error) = &flushed {
                tracing::error!("SCIM requests failed: {error}");
            }
            for done in done {
                done(flushed.is_ok());
            }
        }
    }
}

fn job<T: Send + 'static>(
    work: impl FnOnce() -> Result<Outcome<T>, PushError> + Send + 'static,
    answer: oneshot::Sender<Result<T, Reply>>,
) -> Job {
    Box::new(move || {
        // One that panics must not take with it those that wait behind it. What it leaves is
        // the store's, and whole: it writes at the end, all or nothing.
        let worked = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(worked) => worked.map_err(Reply::from),
            Err(_) => {
                tracing::error!("the handling of a SCIM request panicked; this is a bug");
                Err(reply::ours())
            }
        };
        // Who has gone away needs no answer.
        match worked {
            Ok(Outcome { value, durable }) if durable => {
                return Some(Box::new(move |durable| {
                    let value = durable.then_some(value).ok_or_else(reply::ours);
                    answer.send(value).ok();
                }));
            }
            Ok(Outcome { value, .. }) => answer.send(Ok(value)).ok(),
            Err(error) => answer.send(Err(error)).ok(),
        };
        None
    })
}

/// A lone writer waits for nobody.
fn patience(before: usize) -> Duration {
    let others = u32::try_from(before.saturating_sub(1)).unwrap_or(u32::MAX);
    PATIENCE.saturating_mul(others).min(PATIENCE_AT_MOST)
}

/// What waits to be taken care of, by one thread while there is anything.
struct Line<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    things: Vec<T>,
    /// Somebody takes care of them.
    attended: bool,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line(Mutex::new(Waiting {
            things: Vec::new(),
            attended: false,
        }))
    }
}

impl<T> Line<T> {
    /// True when nobody takes care of the line: from now on the caller has to.
    fn join(&self, thing: T) -> bool {
        let mut waiting = self.waiting();
        waiting.things.push(thing);
        !std::mem::replace(&mut waiting.attended, true)
    }

    /// All that wait, for who takes care of them; with nobody there it is no longer theirs to.
    fn all(&self) -> Option<Vec<T>> {
        let mut waiting = self.waiting();
        waiting.attended = !waiting.things.is_empty();
        waiting
            .attended
            .then(|| std::mem::take(&mut waiting.things))
    }

    // Nothing is done while it is held that could panic.
    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::store::MemoryEngine;

    fn outcome(value: u32, durable: bool) -> Result<Outcome<u32>, PushError> {
        Ok(Outcome { value, durable })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_write_is_done_once_and_by_itself_and_hears_its_own_answer() {
        let queue = Arc::new(WriteQueue::default());
        let store = Store::new(Arc::new(MemoryEngine::default()));
        let at_work = Arc::new(AtomicU32::new(0));
        let writes = (0..200_u32).map(|number| {
            let (queue, store, at_work) = (queue.clone(), store.clone(), at_work.clone());
            tokio::spawn(async move {
                let work = move || {
                    assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    at_work.fetch_sub(1, Ordering::SeqCst);
                    outcome(number, !number.is_multiple_of(3))
                };
                queue
                    .write(&store, work)
                    .await
                    .map_err(|reply| reply.status())
            })
        });
        let writes: Vec<_> = writes.collect();
        for (number, write) in (0..).zip(writes) {
            assert_eq!(write.await.unwrap(), Ok(number));
        }
    }

    #[tokio::test]
    async fn one_that_panics_is_answered_and_the_next_ones_are_done() {
        let queue = Arc::new(WriteQueue::default());
        let store = Store::new(Arc::new(MemoryEngine::default()));
        let broken = queue.write(&store, || -> Result<Outcome<u32>, _> { panic!("a bug") });
        let whole = queue.write(&store, || outcome(7, true));
        let (broken, whole) = tokio::join!(broken, whole);
        assert_eq!(broken.map_err(|reply| reply.status()), Err(500));
        assert_eq!(whole.map_err(|reply| reply.status()), Ok(7));
    }

    #[test]
    fn a_flush_waits_for_as_many_as_came_last_time_but_not_long() {
        assert_eq!(patience(0), Duration::ZERO);
        assert_eq!(patience(1), Duration::ZERO);
        assert_eq!(patience(9), Duration::from_millis(2));
        assert_eq!(patience(10_000), PATIENCE_AT_MOST);
    }
}
