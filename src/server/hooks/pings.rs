//! Many pings are few runs: the first asks for a run shortly, and those that come until then
//! are answered by it. However many come, a source is asked every few seconds at most.
//!
//! A ping can be quicker than what it speaks of: services show a change in their lists some
//! seconds after they sent word of it. So the last run is followed by a second look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::Asked;
use crate::sync::{Conductor, Intent};

/// How long a ping waits for others: one change at a source is often several.
const GATHER: Duration = Duration::from_millis(500);

/// The least time between two runs that pings ask for. A flood costs no more than this.
const APART: Duration = Duration::from_secs(3);

/// How long after a run that a ping asked for the second look comes.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// When each source's latest run was due that a ping asked for.
#[derive(Default)]
pub struct Pings(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Pings {
    /// Takes a ping; says what became of it, as the metrics have it. It must be called within
    /// the runtime.
    pub fn take(&self, source: &str, conductor: &Conductor) -> &'static str {
        let now = Instant::now();
        let due = {
            // Times are whole whenever somebody holds them.
            let mut due_of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match next_due(due_of.get(source).copied(), now) {
                Some(due) => {
                    due_of.insert(source.to_owned(), due);
                    due
                }
                None => return "joined",
            }
        };
        let (source, conductor) = (source.to_owned(), conductor.clone());
        let due_of = self.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            ask(&source, &conductor);
            tokio::time::sleep(SECOND_LOOK).await;
            // A later ping has a second look of its own.
            let latest = {
                let due_of = due_of.lock().unwrap_or_else(PoisonError::into_inner);
                due_of.get(&source).copied()
            };
            if latest == Some(due) {
                ask(&source, &conductor);
            }
        });
        "taken"
    }
}

/// Asks for a run, which goes on without its ticket. One that is refused is made up for by the
/// schedule.
fn ask(source: &str, conductor: &Conductor) {
    let asked = Asked {
        sources: vec![source.to_owned()],
        ..Asked::default()
    };
    if let Err(busy) = conductor.ask(asked, Intent::Apply) {
        tracing::warn!(source.name = %source, "a ping of {source} led to no run: {busy}");
    }
}

/// When the run is due that a ping at `now` asks for; none if one is due already.
fn next_due(latest: Option<Instant>, now: Instant) -> Option<Instant> {
    match latest {
        Some(latest) if latest > now => None,
        Some(latest) => Some((now + GATHER).max(latest + APART)),
        None => Some(now + GATHER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_asks_for_a_run_every_few_seconds() {
        let start = Instant::now();
        let mut due: Vec<Instant> = Vec::new();
        for ping in 0..10_000 {
            let now = start + Duration::from_millis(ping);
            due.extend(next_due(due.last().copied(), now));
        }
        let after = due.iter().map(|due| (*due - start).as_millis());
        let after: Vec<u128> = after.collect();
        assert_eq!(after, [500, 3500, 6500, 9500, 12500]);
    }
}
