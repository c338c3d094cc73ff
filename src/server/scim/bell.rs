//! Has a run follow what was pushed.
//!
//! A client that pushes a thousand users sends a thousand requests; a run for each would be
//! busy with itself. So the first write waits a moment for those behind it, and one run is for
//! all of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::plan::Asked;
use crate::server::Shared;
use crate::sync::Intent;
use crate::sync::conductor::Busy;

/// How long a write waits for others before a run is asked for.
const GATHER: Duration = Duration::from_millis(50);

/// How long until a run is asked for again where too many wait.
const AGAIN: Duration = Duration::from_secs(5);

/// The sources for which a run will be asked.
#[derive(Default)]
pub struct Bell(Mutex<BTreeSet<String>>);

impl Bell {
    /// Whether nobody was going to ask for this source yet.
    fn is_first(&self, source: &str) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !asked.contains(source) && asked.insert(source.to_owned())
    }

    fn asks(&self, source: &str) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(source);
    }
}

impl Shared {
    /// Something of this source was written.
    pub(super) fn ring(&self, source: &str) {
        if !self.scim.bell.is_first(source) {
            return;
        }
        let (shared, source) = (self.clone(), source.to_owned());
        tokio::spawn(async move {
            let mut wait = GATHER;
            loop {
                tokio::time::sleep(wait).await;
                // Before the run is asked for: what is written from now on rings again.
                shared.scim.bell.asks(&source);
                let asked = Asked {
                    sources: vec![source.clone()],
                    ..Asked::default()
                };
                match shared.conductor.ask(asked, Intent::Apply) {
                    Ok(_) | Err(Busy::Stopping) => return,
                    Err(busy @ Busy::Full) => {
                        tracing::warn!("what was pushed to {source} waits: {busy}");
                        wait = AGAIN;
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
