//! What a run has to do with targets: whether they can do it, and carrying a plan out, each target
//! on a thread of its own.
//!
//! A target that is away or slow keeps nobody waiting: where there are several, one that is
//! not through when its turn ends leaves the rest owed, and the next run goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::Span;

use super::RunError;
use super::apply::{Applied, Applying, Limits};
use super::order::{Order, Step};
use super::population::Populations;
use super::run::Sync;
use crate::plan::Plan;
use crate::store::directory::put_target_state;
use crate::store::rows::TargetState;

/// How long one target may keep a run going while there are others.
const TURN: Duration = Duration::from_secs(60);

impl Sync {
    /// What the targets cannot do of what the rules ask. Nothing is run before it is mended.
    pub(super) fn cannot(&self) -> Result<(), RunError> {
        let missing: Vec<String> = self
            .portals
            .iter()
            .flat_map(|portal| {
                let texts = self.targets[&portal.target].cannot(portal);
                texts
                    .into_iter()
                    .map(|text| format!("portal '{}': {text}", portal.name))
            })
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(RunError::Asked(missing.join("; "))),
        }
    }

    /// Carries a plan out, and notes how the targets took it. Those that are `unasked` were away
    /// already when the plan was made.
    pub(super) fn tell(
        &self,
        plan: &Plan,
        order: &Order,
        populations: &mut Populations<'_>,
        unasked: &BTreeMap<String, String>,
    ) -> Result<Applied, RunError> {
        let mut applied = Applied::default();
        let mut away = BTreeMap::new();
        for (target, ended) in self.tell_each(plan, order, populations)? {
            if let Some(reason) = ended.away {
                away.insert(target, (*reason).to_owned());
            }
            applied.exceptions.extend(ended.exceptions);
            applied.owed.extend(ended.owed);
            applied.stopped |= ended.stopped;
        }
        self.note_standings(unasked, &away, plan, order.now)?;
        Ok(applied)
    }

    /// What became of each target's part. All of them end before an error of one is told.
    fn tell_each(
        &self,
        plan: &Plan,
        order: &Order,
        populations: &mut Populations<'_>,
    ) -> Result<Vec<(String, Applied)>, RunError> {
        let mut by_target: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for portal in &self.portals {
            if plan.head.summary.contains_key(&portal.name) {
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
        let mut shares: Vec<(&str, BTreeSet<String>, Populations<'_>)> = by_target
            .into_iter()
            .map(|(target, portals)| {
                let lent = populations.lend(portals.iter().cloned());
                (target, portals, lent)
            })
            .collect();
        let work = |target: &str, portals: &BTreeSet<String>, populations: &mut Populations<'_>| {
            let limits = Limits {
                stop: &order.stop,
                until: several.then(|| Instant::now() + TURN),
            };
            let target = &*self.targets[target];
            Applying::new(&self.store, target, portals, populations, limits, &progress).run(plan)
        };
        let span = Span::current();
        let ended: Vec<(String, Result<Applied, RunError>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = shares
                .iter_mut()
                .map(|(target, portals, populations)| {
                    let (work, span, target) = (&work, &span, *target);
                    let worker = move || span.in_scope(|| work(target, portals, populations));
                    (target.to_owned(), scope.spawn(worker))
                })
                .collect();
            let ended = workers.into_iter().map(|(target, worker)| {
                // A panic ends the run as it would have, had it been on this thread.
                let ended = worker.join();
                (target, ended.unwrap_or_else(|panic| resume_unwind(panic)))
            });
            ended.collect()
        });
        for (.., lent) in shares {
            populations.take_back(lent);
        }
        let told = ended
            .into_iter()
            .map(|(target, ended)| Ok((target, ended?)));
        told.collect()
    }

    /// Notes which targets were away, and which were not.
    fn note_standings(
        &self,
        unasked: &BTreeMap<String, String>,
        away: &BTreeMap<String, String>,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<(), RunError> {
        let mut ops = Vec::new();
        for name in self.targets.keys() {
            let before = self.store.target_state(name)?;
            let reason = away.get(name).or_else(|| unasked.get(name));
            let told = self.portals.iter().any(|portal| {
                portal.target == *name && plan.head.summary.contains_key(&portal.name)
            });
            let after = match reason {
                Some(reason) => TargetState {
                    away_since: before.away_since.or(Some(now)),
                    last_error: Some(reason.clone()),
                    ..before.clone()
                },
                None if told => TargetState {
                    last_told: Some(now),
                    ..TargetState::default()
                },
                None => continue,
            };
            if after != before {
                ops.push(put_target_state(name, &after));
            }
        }
        Ok(self.store.write(ops)?)
    }
}
