//! Writers who wait for the disk together: one flush is for all who wrote before it began.
//!
//! A flush takes milliseconds, whatever it carries. With one for each write, durability would
//! decide how many writes a second there can be; so who comes while one is under way waits for
//! the next, and whoever is first makes it for all.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::StoreError;

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
            let for_all = state.asked;
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
    fn who_waits_hears_of_a_failure_and_the_next_one_tries_again() {
        let commit = Commit::default();
        let failed = commit.wait(|| Err(StoreError::damaged("flush")));
        assert!(failed.is_err());
        assert!(commit.wait(|| Ok(())).is_ok());
    }
}
