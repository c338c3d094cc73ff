//! Takes events out of a queue and delivers them: all the time beside a daemon, or for a moment
//! after a run that has no daemon.
//!
//! An event is struck off after it was taken. Whoever is killed in between delivers it again,
//! with the same id: at least once. All of it blocks its thread, which must be one of its own;
//! only the requests are elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::outbox::Outbox;
use super::post::Refusal;
use super::rest::{Rest, after};
use super::window::{Next, Window};
use crate::clock;
use crate::store::StoreError;
use crate::store::events::{self, Dead, OutboxState, RefusedForGood, Waiting};

/// How often it is looked whether another process has put something back, and what was struck
/// off is made durable.
const LOOK: Duration = Duration::from_secs(1);

/// How often old events are forgotten.
const PRUNING: Duration = Duration::from_secs(3600);

/// How long requests that are under way get to be answered when it ends. What is cut off is
/// delivered again.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How long a drain may take: an operator may be waiting.
const DRAINING: Duration = Duration::from_secs(60);

/// When to end.
#[derive(Clone)]
pub enum Until {
    /// When it is told to: true is sent, or the sender is gone.
    Told(watch::Receiver<bool>),
    /// When nothing is due any more, when the receiver takes nothing, or after a minute.
    Drained,
}

/// Delivers until the end. What fails is logged and tried again when it is due.
pub async fn deliver(outbox: Arc<Outbox>, until: Until) -> Result<(), StoreError> {
    let began = tokio::time::Instant::now();
    let state = outbox.state()?;
    let mut delivering = Delivering {
        window: Window::default(),
        rest: Rest::default(),
        bell: outbox.store.outbox_bell(outbox.name())?,
        looked: began,
        noted: false,
        under_way: JoinSet::new(),
        pruned: None,
        // It may have been until just now, and nobody was here to see.
        was_away: matches!(until, Until::Told(_)),
        ended: false,
        state,
        outbox,
    };
    let mut told = match &until {
        Until::Told(told) => Some(told.clone()),
        Until::Drained => None,
    };
    loop {
        let now = clock::now();
        delivering.prune(now)?;
        delivering.look_around()?;
        delivering.begin_what_may_go(now)?;
        if told.is_none() {
            let spent = began.elapsed() >= DRAINING;
            if delivering.under_way.is_empty() && (spent || !delivering.has_work(now)) {
                return Ok(());
            }
            delivering.ended |= spent || delivering.rest.is_worn();
        }
        let wait = delivering.until_next(now);
        tokio::select! {
            Some(answer) = delivering.under_way.join_next() => delivering.note(answer)?,
            () = delivering.outbox.rung.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = is_told(&mut told) => break,
        }
    }
    delivering.ended = true;
    let last = tokio::time::Instant::now() + LAST_ANSWERS;
    while let Ok(Some(answer)) =
        tokio::time::timeout_at(last, delivering.under_way.join_next()).await
    {
        delivering.note(answer)?;
    }
    Ok(())
}

async fn is_told(told: &mut Option<watch::Receiver<bool>>) {
    match told {
        // Nobody left to tell it is as good as being told.
        Some(told) => drop(told.wait_for(|told| *told).await),
        None => std::future::pending().await,
    }
}

/// An event that was tried.
struct Tried {
    next: Next,
    /// None: the event is not there any more.
    answer: Option<Result<(), Refusal>>,
}

struct Delivering {
    outbox: Arc<Outbox>,
    window: Window,
    rest: Rest,
    bell: u64,
    looked: tokio::time::Instant,
    /// Something was written since.
    noted: bool,
    under_way: JoinSet<Tried>,
    pruned: Option<tokio::time::Instant>,
    /// What waits for its next attempt may do so because the receiver was away.
    was_away: bool,
    /// Nothing more is begun.
    ended: bool,
    state: OutboxState,
}

impl Delivering {
    fn begin_what_may_go(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.window.due().is_some_and(|due| due <= now) {
            self.window.rewind();
        }
        while self.may_begin(now) {
            self.read_on(now)?;
            let Some(next) = self.window.next() else {
                return Ok(());
            };
            let (name, sequence) = (self.outbox.name(), next.sequence);
            let row = self.outbox.store.event(name, sequence)?;
            let outbox = self.outbox.clone();
            self.under_way.spawn(async move {
                let answer = match row {
                    Some(row) => {
                        let receiver = &outbox.options.receiver;
                        Some(receiver.post(sequence, &row, clock::now()).await)
                    }
                    None => None,
                };
                Tried { next, answer }
            });
        }
        Ok(())
    }

    fn may_begin(&self, now: Timestamp) -> bool {
        let allowed = self.rest.allows(self.outbox.options.concurrency);
        !self.ended
            && self.state.refused.is_none()
            && self.rest.until(now).is_none()
            && self.under_way.len() < allowed
    }

    fn read_on(&mut self, now: Timestamp) -> Result<(), StoreError> {
        // Rows that are passed over take no room: there may be any number of them.
        while let Some(after) = self.window.wants() {
            let room = self.window.room();
            let name = self.outbox.name();
            let rows = self.outbox.store.waiting_after(name, after).take(room);
            let rows: Vec<(u64, Waiting)> = rows.collect::<Result<_, _>>()?;
            if rows.is_empty() {
                return Ok(());
            }
            for (sequence, waiting) in rows {
                self.window.read(sequence, &waiting, now);
            }
        }
        Ok(())
    }

    fn note(&mut self, tried: Result<Tried, JoinError>) -> Result<(), StoreError> {
        let Ok(Tried { next, answer }) = tried else {
            // It panicked, and which one it was is lost: all are read anew.
            tracing::error!("the delivery of an event broke off; this is a bug");
            self.under_way.abort_all();
            self.window = Window::default();
            self.rest
                .failed(&self.outbox.options.schedule, None, clock::now());
            return Ok(());
        };
        self.noted = true;
        let (now, name) = (clock::now(), self.outbox.name().to_owned());
        match answer {
            None => {
                self.window.done(next.sequence);
                let gone = events::delete_waiting(&name, next.sequence);
                self.outbox.store.write(vec![gone])
            }
            Some(Ok(())) => {
                if self.rest.is_worn() {
                    tracing::info!(target.name = %name, "the receiver of {name} is back");
                }
                self.rest.took_one();
                self.window.done(next.sequence);
                self.state.delivered += 1;
                self.outbox.store.write(vec![
                    events::delete_waiting(&name, next.sequence),
                    events::put_outbox_state(&name, &self.state),
                ])?;
                if std::mem::take(&mut self.was_away) {
                    // Else what was tried meanwhile, and all that is tied to it, would wait for
                    // hours yet.
                    self.outbox.hasten(now)?;
                    self.window.rewind();
                }
                Ok(())
            }
            Some(Err(refusal)) => self.note_refusal(next, refusal, now),
        }
    }

    fn note_refusal(
        &mut self,
        next: Next,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = self.outbox.name().to_owned();
        let options = &self.outbox.options;
        self.state.failed += 1;
        let was_worn = self.rest.is_worn();
        self.rest.failed(&options.schedule, refusal.pause, now);
        self.was_away |= self.rest.is_worn();
        if refusal.for_good {
            // The attempt is none: the event waits for other settings.
            self.window.put_off(next.sequence, now);
            if self.state.refused.is_none() {
                tracing::error!(
                    target.name = %name,
                    "the receiver of {name} wants no more events (410); they wait until its settings change, or for 'rosterd events replay'"
                );
                self.state.refused = Some(RefusedForGood {
                    since: now,
                    settings: options.receiver.fingerprint().to_owned(),
                });
            }
            let state = events::put_outbox_state(&name, &self.state);
            return self.outbox.store.write(vec![state]);
        }
        let attempts = next.attempts.saturating_add(1);
        let wait = options
            .schedule
            .wait(attempts, rand::random(), refusal.pause);
        let sequence = next.sequence;
        let mut ops = Vec::new();
        match wait {
            Some(wait) => {
                let own = after(now, wait);
                let look = self.rest.until(now).filter(|_| self.rest.is_worn());
                let (due, attempts) = match look {
                    // It is the receiver's failure: none of the event's attempts, and something
                    // must be there to look again with.
                    Some(look) if look < own => (look, next.attempts),
                    _ => (own, attempts),
                };
                tracing::debug!(
                    target.name = %name,
                    "event {sequence} of {name} was not taken, next try {due}: {}", refusal.why
                );
                self.window.put_off(sequence, due);
                let waiting = Waiting {
                    ties: next.ties,
                    attempts,
                    due,
                    last_error: Some(refusal.why.clone()),
                };
                ops.push(events::put_waiting(&name, sequence, &waiting));
            }
            None => {
                tracing::error!(
                    target.name = %name,
                    "event {sequence} of {name} is given up after {attempts} attempts; 'rosterd events replay' sends it again: {}", refusal.why
                );
                self.window.done(sequence);
                self.state.dead += 1;
                let dead = Dead {
                    at: now,
                    attempts,
                    error: refusal.why.clone(),
                };
                ops.push(events::put_dead(&name, sequence, &dead));
                ops.push(events::delete_waiting(&name, sequence));
            }
        }
        ops.push(events::put_outbox_state(&name, &self.state));
        if self.rest.is_worn() && !was_worn {
            tracing::warn!(
                target.name = %name,
                "the receiver of {name} takes nothing, it is asked now and again: {}", refusal.why
            );
        }
        self.outbox.store.transact(ops)
    }

    /// Makes durable what was struck off, and hears whether somebody else put something back.
    fn look_around(&mut self) -> Result<(), StoreError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = tokio::time::Instant::now();
        if std::mem::take(&mut self.noted) {
            self.outbox.store.flush_together()?;
        }
        let bell = self.outbox.store.outbox_bell(self.outbox.name())?;
        if bell != self.bell {
            self.bell = bell;
            self.state = self.outbox.state()?;
            self.rest = Rest::default();
            self.window.rewind();
        }
        Ok(())
    }

    /// How long nothing happens by itself.
    fn until_next(&self, now: Timestamp) -> Duration {
        let times = [self.rest.until(now), self.window.due()];
        let next = times.into_iter().flatten().filter(|time| *time > now).min();
        let wait = next.map(|time| Duration::try_from(time.duration_since(now)));
        let look = match self.pruned {
            Some(_) => LOOK,
            // There is more to forget.
            None => Duration::ZERO,
        };
        let wait = wait.and_then(Result::ok).unwrap_or(look).min(look);
        // A time between milliseconds is not reached too early.
        wait + Duration::from_millis(1)
    }

    /// Whether a drain has a reason to wait.
    fn has_work(&self, now: Timestamp) -> bool {
        let soon = self.window.due().is_some_and(|due| due <= now) || !self.window.is_empty();
        soon && self.may_go_on(now)
    }

    fn may_go_on(&self, now: Timestamp) -> bool {
        !self.ended && self.state.refused.is_none() && self.rest.until(now).is_none()
    }

    fn prune(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let due = self.pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNING);
        if due {
            let more = self.outbox.prune(now)?;
            self.pruned = (!more).then(tokio::time::Instant::now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
