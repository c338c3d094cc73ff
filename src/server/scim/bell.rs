//! Has a run follow what was pushed.
//!
//! A client that pushes a thousand users sends a thousand requests; a run for each would be
//! busy with itself. So a write waits a moment for those behind it, for as long as they follow
//! close upon each other, and one run is for all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::Asked;
use crate::server::Shared;
use crate::sync::Intent;
use crate::sync::conductor::Busy;

/// How long a write waits for another before a run is asked for.
const GATHER: Duration = Duration::from_millis(50);

/// How long the first of many waits at most.
const GATHER_AT_MOST: Duration = Duration::from_secs(1);

/// How long until a run is asked for again where too many wait.
const AGAIN: Duration = Duration::from_secs(5);

/// The sources for which a run will be asked, with the time of the last write.
#[derive(Default)]
pub struct Bell(Mutex<BTreeMap<String, Instant>>);

impl Bell {
    /// Notes a write. True when nobody was going to ask for this source yet.
    fn is_first(&self, source: &str, now: Instant) -> bool {
        self.rung().insert(source.to_owned(), now).is_none()
    }

    /// How long to wait for further writes, of which the first was at `first`; None when it is
    /// time to ask.
    fn wait(&self, source: &str, first: Instant, now: Instant) -> Option<Duration> {
        let last = *self.rung().get(source)?;
        let until = (last + GATHER).min(first + GATHER_AT_MOST);
        until
            .checked_duration_since(now)
            .filter(|wait| !wait.is_zero())
    }

    fn asks(&self, source: &str) {
        self.rung().remove(source);
    }

    // A map of times is whole whenever somebody holds it.
    fn rung(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Something of this source was written.
    pub(super) fn ring(&self, source: &str) {
        let first = Instant::now();
        if !self.scim.bell.is_first(source, first) {
            return;
        }
        let (shared, source) = (self.clone(), source.to_owned());
        tokio::spawn(async move {
            let bell = &shared.scim.bell;
            while let Some(wait) = bell.wait(&source, first, Instant::now()) {
                tokio::time::sleep(wait).await;
            }
            loop {
                // Before the run is asked for: what is written from now on rings again.
                bell.asks(&source);
                let asked = Asked {
                    sources: vec![source.clone()],
                    ..Asked::default()
                };
                match shared.conductor.ask(asked, Intent::Apply) {
                    Ok(_) | Err(Busy::Stopping) => return,
                    Err(busy @ Busy::Full) => {
                        tracing::warn!("what was pushed to {source} waits: {busy}");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        });
    }
}

/// Rings for what was pushed and not decided when the daemon last ended.
pub fn ring_for_what_is_owed(shared: &Shared) {
    let sync = shared.conductor.sync();
    match sync.store.marks() {
        Ok(marks) => {
            for source in sync.inboxes.keys() {
                if marks.iter().any(|(_, of, ..)| of == source) {
                    shared.ring(source);
                }
            }
        }
        Err(error) => tracing::error!("the marks cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_waits_for_those_that_follow_it_but_not_for_ever() {
        let bell = Bell::default();
        let first = Instant::now();
        let after = |millis| first + Duration::from_millis(millis);
        let waits = |now| bell.wait("push", first, now).map(|wait| wait.as_millis());
        assert!(bell.is_first("push", first));
        assert_eq!(waits(first), Some(50));
        assert!(!bell.is_first("push", after(30)));
        assert_eq!(waits(after(50)), Some(30));
        assert_eq!(waits(after(80)), None);
        assert!(!bell.is_first("push", after(990)));
        assert_eq!(waits(after(995)), Some(5));
        assert_eq!(waits(after(1_000)), None);
        bell.asks("push");
        assert!(bell.is_first("push", after(1_001)));
    }
}
