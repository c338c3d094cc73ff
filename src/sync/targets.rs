//! Carries a plan out, each target on a thread of its own.
//!
//! A target that is away or slow keeps nobody waiting: where there are several, one that is
//! not through when its turn ends leaves the rest owed, and the next run goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Span;

use super::RunError;
use super::apply::{Applied, Applying, Limits};
use super::order::{Order, Step};
use super::population::Populations;
use crate::plan::Plan;
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::Target;

/// How long one target may keep a run going while there are others.
const TURN: Duration = Duration::from_secs(60);

/// What became of a plan, all targets together; and which of them were away, with the reason.
#[derive(Default)]
pub struct Outcome {
    pub applied: Applied,
    pub away: BTreeMap<String, String>,
}

pub fn apply(
    store: &Store,
    portals: &[Portal],
    targets: &BTreeMap<String, Arc<dyn Target>>,
    order: &Order,
    populations: &mut Populations<'_>,
    plan: &Plan,
) -> Result<Outcome, RunError> {
    let mut by_target: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for portal in portals {
        let has_actions = plan.head.summary.contains_key(&portal.name);
        if has_actions {
            let there = by_target.entry(&portal.target).or_default();
            there.insert(portal.name.clone());
        }
    }
    let total = plan.action_count();
    let done = AtomicU64::new(0);
    let progress = |more: u64| {
        let actions = done.fetch_add(more, Ordering::Relaxed) + more;
        order.progress.step(Step::Applied { actions, of: total });
    };
    let several = by_target.len() > 1;
    let mut shares: Vec<(&str, BTreeSet<String>, Populations<'_>)> = Vec::new();
    for (target, portals) in by_target {
        let lent = populations.lend(portals.iter().cloned());
        shares.push((target, portals, lent));
    }
    let work = |target: &str, portals: &BTreeSet<String>, populations: &mut Populations<'_>| {
        let until = several.then(|| Instant::now() + TURN);
        let limits = Limits {
            stop: &order.stop,
            until,
        };
        let target = &*targets[target];
        Applying::new(store, target, portals, populations, limits, &progress).run(plan)
    };
    let mut applied = Vec::new();
    if let [(target, portals, populations)] = &mut shares[..] {
        applied.push((*target, work(target, portals, populations)));
    } else {
        let span = Span::current();
        std::thread::scope(|scope| {
            let workers: Vec<_> = shares
                .iter_mut()
                .map(|(target, portals, populations)| {
                    let (work, span, target) = (&work, &span, *target);
                    let worker = move || span.in_scope(|| work(target, portals, populations));
                    (target, scope.spawn(worker))
                })
                .collect();
            for (target, worker) in workers {
                let ended = worker.join().unwrap_or_else(|panic| {
                    // As the run would have ended, had it been on this thread.
                    std::panic::resume_unwind(panic)
                });
                applied.push((target, ended));
            }
        });
    }
    let mut outcome = Outcome::default();
    let mut failed = None;
    for (target, ended) in applied {
        match ended {
            Ok(ended) => {
                if let Some(reason) = ended.away {
                    outcome.away.insert(target.to_owned(), (*reason).to_owned());
                }
                outcome.applied.exceptions.extend(ended.exceptions);
                outcome.applied.owed.extend(ended.owed);
                outcome.applied.stopped |= ended.stopped;
            }
            Err(error) => failed = Some(error),
        }
    }
    for (.., lent) in shares {
        populations.take_back(lent);
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(outcome),
    }
}
