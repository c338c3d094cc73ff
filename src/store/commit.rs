//! Writers who wait for the disk together: one flush is for all who wrote before it began.
//!
//! A flush takes milliseconds, whatever it carries. With one for each write, durability would
//! decide how many writes a second there can be; so who comes while one is under way waits for
//! the next, and whoever is first makes it for all. Where many were in the last one, the next
//! waits for a moment, so that many are in it too: a flush also costs what could be writing.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::StoreError;

/// How long a flush waits for each writer that was in the one before.
const PATIENCE: Duration = Duration::from_micros(250);

/// How long it waits at most.
const PATIENCE_AT_MOST: Duration = Duration::from_millis(10);

#[derive(Default)]
pub struct Commit {
    state: Mutex<State>,
    flushed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many have asked.
    asked: u64,
    /// Up to which of them everything is durable.
    durable: u64,
    flushing: bool,
    /// How many were in the last flush.
    together: u64,
}

impl Commit {
    /// Comes back when what the caller wrote before is durable.
    pub fn wait(&self, flush: impl Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut state = self.state();
        state.asked += 1;
        let mine = state.asked;
        while state.durable < mine {
            if state.flushing {
                state = self
                    .flushed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.flushing = true;
            let wait = patience(state.together);
            if !wait.is_zero() {
                drop(state);
                std::thread::sleep(wait);
                state = self.state();
            }
            let for_all = state.asked;
            state.together = for_all - state.durable;
            drop(state);
            let outcome = flush();
            state = self.state();
            state.flushing = false;
            // Those who wait for a flush that failed try for themselves, and hear why.
            self.flushed.notify_all();
            outcome?;
            state.durable = state.durable.max(for_all);
        }
        Ok(())
    }

    // Some numbers, each set at once.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lone writer waits for nobody.
fn patience(together: u64) -> Duration {
    let others = u32::try_from(together.saturating_sub(1)).unwrap_or(u32::MAX);
    PATIENCE.saturating_mul(others).min(PATIENCE_AT_MOST)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn all_who_come_during_a_flush_share_the_next() {
        const WRITERS: u64 = 32;
        let commit = Commit::default();
        let flushes = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    let flush = || {
                        flushes.fetch_add(1, Ordering::SeqCst);
                        // The first one lasts until everybody has come.
                        while commit.state().asked < WRITERS {
                            std::thread::yield_now();
                        }
                        Ok(())
                    };
                    commit.wait(flush).unwrap();
                });
            }
        });
        assert_eq!(flushes.into_inner(), 2);
    }

    #[test]
    fn a_flush_waits_for_as_many_as_came_last_time_but_not_long() {
        assert_eq!(patience(0), Duration::ZERO);
        assert_eq!(patience(1), Duration::ZERO);
        assert_eq!(patience(9), Duration::from_millis(2));
        assert_eq!(patience(10_000), PATIENCE_AT_MOST);
    }

    #[test]
    fn who_waits_hears_of_a_failure_and_the_next_one_tries_again() {
        let commit = Commit::default();
        let failed = commit.wait(|| Err(StoreError::damaged("flush")));
        assert!(failed.is_err());
        assert!(commit.wait(|| Ok(())).is_ok());
    }
}
