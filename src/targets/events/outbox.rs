//! The queue of one target: events are put in by runs, and taken out by whoever delivers.
//!
//! Putting in is all that a run does, so a receiver that is down fails no action. What is put
//! in is durable before the run hears that it is, and before anybody else hears of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::json::Node;
use super::post::Receiver;
use super::schedule::Schedule;
use crate::config::Glob;
use crate::store::events::{self, EventKind, EventRow, LastTold, OutboxState, Ties, Waiting};
use crate::store::{Op, Store, StoreError, TRANSACTION_OPS};

/// How many events one transaction takes: three rows each, the head, and two more rows for
/// each account of a batch that is handed over.
const TOGETHER: usize = TRANSACTION_OPS / 6;

/// How many events are put back at a time.
const PIECE: usize = TOGETHER;

/// How many rows are forgotten at a time: a moment's work, so that deliveries go on meanwhile.
const PRUNED: usize = 3000;

/// What the settings say of a queue.
pub struct Options {
    /// The target's name.
    pub name: String,
    pub receiver: Receiver,
    pub schedule: Schedule,
    /// Kinds of event that are delivered, as globs; none given: all.
    pub wanted: Vec<Glob>,
    /// How long events can be looked up.
    pub keep: Duration,
    pub concurrency: usize,
}

pub struct Outbox {
    pub store: Store,
    pub options: Options,
    /// Held while sequence numbers are given.
    pen: Mutex<()>,
    /// Rung when something was put in.
    pub(super) rung: Notify,
}

/// An event before it has its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    pub kind: EventKind,
    pub portal: String,
    pub subject: String,
    pub group: Option<String>,
    pub data: Node,
    pub previous: Option<Node>,
}

/// Which events are put back to be delivered again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replay {
    /// From a sequence number on.
    From(u64),
    /// Those that happened at a time or later.
    Since(Timestamp),
    /// Those that were given up.
    Dead,
}

impl Outbox {
    pub fn new(store: Store, options: Options) -> Outbox {
        Outbox {
            store,
            options,
            pen: Mutex::default(),
            rung: Notify::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Puts events in, in this order, together with further rows that belong to them. What was
    /// told already, by a run that could not note so, is left out.
    pub fn append(
        &self,
        drafts: Vec<Draft>,
        mut ops: Vec<Op>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Poisoned by a writer that panicked before its transaction: nothing is half done.
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name();
        let before = self.store.last_event(name)?;
        let mut sequence = before;
        let mut told = Told::default();
        let mut gathered = 0;
        for draft in drafts {
            let row = EventRow {
                id: event_id(sequence + 1),
                at: now,
                kind: draft.kind,
                portal: draft.portal,
                subject: draft.subject,
                group: draft.group,
                data: draft.data.spell(),
                previous: draft.previous.map(|previous| previous.spell()),
            };
            let ties = row.ties();
            let digest = digest(&row);
            if told.is_told(&self.store, name, ties, digest)? {
                continue;
            }
            sequence += 1;
            told.note(ties, LastTold { sequence, digest });
            ops.push(events::put_event(name, sequence, &row));
            ops.push(events::put_last_told(
                name,
                ties,
                &LastTold { sequence, digest },
            ));
            if self.is_wanted(row.kind) {
                let waiting = Waiting {
                    ties,
                    attempts: 0,
                    due: now,
                    last_error: None,
                };
                ops.push(events::put_waiting(name, sequence, &waiting));
            }
            gathered += 1;
            if gathered == TOGETHER {
                gathered = 0;
                ops.push(events::put_last_event(name, sequence));
                self.store.transact(std::mem::take(&mut ops))?;
            }
        }
        if sequence > before {
            ops.push(events::put_last_event(name, sequence));
        }
        if ops.is_empty() {
            return Ok(());
        }
        self.store.transact(ops)?;
        self.store.flush_together()?;
        self.rung.notify_one();
        Ok(())
    }

    fn is_wanted(&self, kind: EventKind) -> bool {
        let wanted = &self.options.wanted;
        wanted.is_empty() || wanted.iter().any(|glob| glob.fits_folded(kind.as_str()))
    }

    /// Makes due whatever waits for its next attempt.
    pub fn hasten(&self, now: Timestamp) -> Result<(), StoreError> {
        let name = self.name();
        let mut ops = Vec::new();
        for row in self.store.waiting_after(name, 0) {
            let (sequence, waiting) = row?;
            if waiting.due > now {
                let due = Waiting {
                    due: now,
                    ..waiting
                };
                ops.push(events::put_waiting(name, sequence, &due));
            }
        }
        self.store.write(ops)
    }

    /// Puts events back, to be delivered once more with the ids they had. A receiver that had
    /// refused for good is asked again. How many were put back.
    pub fn replay(&self, replay: Replay, now: Timestamp) -> Result<u64, StoreError> {
        let name = self.name();
        let mut after = match replay {
            Replay::From(sequence) => sequence.saturating_sub(1),
            Replay::Since(_) | Replay::Dead => 0,
        };
        let mut count = 0;
        loop {
            let rows = self.piece(replay, after)?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            after = *last;
            let mut ops = Vec::new();
            for (sequence, row) in rows {
                let too_early = matches!(replay, Replay::Since(since) if row.at < since);
                if too_early || !self.is_wanted(row.kind) {
                    continue;
                }
                let waiting = Waiting {
                    ties: row.ties(),
                    attempts: 0,
                    due: now,
                    last_error: None,
                };
                ops.push(events::put_waiting(name, sequence, &waiting));
                ops.push(events::delete_dead(name, sequence));
                count += 1;
            }
            self.store.transact(ops)?;
        }
        let mut state = self.store.outbox_state(name)?;
        if state.refused.take().is_some() {
            self.store
                .write(vec![events::put_outbox_state(name, &state)])?;
        }
        self.ring()?;
        Ok(count)
    }

    fn piece(&self, replay: Replay, after: u64) -> Result<Vec<(u64, EventRow)>, StoreError> {
        let name = self.name();
        if replay != Replay::Dead {
            return self.store.events_after(name, after).take(PIECE).collect();
        }
        let mut rows = Vec::new();
        for dead in self.store.dead_after(name, after).take(PIECE) {
            let (sequence, _) = dead?;
            rows.extend(self.store.event(name, sequence)?.map(|row| (sequence, row)));
        }
        Ok(rows)
    }

    /// Has whoever delivers look again, be it another process.
    fn ring(&self) -> Result<(), StoreError> {
        let bell = self.store.outbox_bell(self.name())?;
        let op = events::put_outbox_bell(self.name(), bell + 1);
        self.store.write(vec![op])?;
        self.store.flush_together()?;
        self.rung.notify_one();
        Ok(())
    }

    /// Forgets events that are older than they are kept, but for those that still wait. At
    /// most so many at a time; whether there may be more.
    pub fn prune(&self, now: Timestamp) -> Result<bool, StoreError> {
        let name = self.name();
        let keep = SignedDuration::try_from(self.options.keep).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let mut ops = Vec::new();
        for row in self.store.events_after(name, 0) {
            let (sequence, row) = row?;
            if row.at >= until || ops.len() >= PRUNED {
                break;
            }
            if self.store.waiting(name, sequence)?.is_some() {
                continue;
            }
            ops.push(events::delete_event(name, sequence));
            ops.push(events::delete_dead(name, sequence));
            let ties = row.ties();
            let last = self.store.last_told(name, ties)?;
            if last.is_some_and(|last| last.sequence == sequence) {
                ops.push(events::delete_last_told(name, ties));
            }
        }
        let more = ops.len() >= PRUNED;
        self.store.write(ops)?;
        Ok(more)
    }

    /// What is known of delivering. A refusal under other settings is none any more.
    pub fn state(&self) -> Result<OutboxState, StoreError> {
        let mut state = self.store.outbox_state(self.name())?;
        let ours = self.options.receiver.fingerprint();
        state.refused = state.refused.filter(|refused| refused.settings == ours);
        Ok(state)
    }
}

/// What was told in this batch, before the store knows it.
#[derive(Default)]
struct Told(std::collections::HashMap<(u64, Option<u64>), LastTold>);

impl Told {
    fn note(&mut self, ties: Ties, last: LastTold) {
        self.0.insert((ties.own, ties.group), last);
    }

    fn last(&self, store: &Store, name: &str, ties: Ties) -> Result<Option<LastTold>, StoreError> {
        match self.0.get(&(ties.own, ties.group)) {
            Some(last) => Ok(Some(*last)),
            None => store.last_told(name, ties),
        }
    }

    /// Whether just this was the last that was told. Of a membership only as long as nothing was
    /// told of its user and group since: these may have gone and come back.
    fn is_told(
        &self,
        store: &Store,
        name: &str,
        ties: Ties,
        digest: [u8; 16],
    ) -> Result<bool, StoreError> {
        let Some(last) = self.last(store, name, ties)? else {
            return Ok(false);
        };
        if last.digest != digest {
            return Ok(false);
        }
        let Some(group) = ties.group else {
            return Ok(true);
        };
        for own in [ties.own, group] {
            let whole = self.last(store, name, Ties { own, group: None })?;
            if whole.is_some_and(|whole| whole.sequence > last.sequence) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What an event leaves behind, as a digest. Being made and being changed leave the same.
fn digest(row: &EventRow) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::from(row.kind.takes_away())]);
    hasher.update(row.data.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// An id that sorts as the sequence does, and is another one where a sequence begins anew.
fn event_id(sequence: u64) -> String {
    format!("evt_{sequence:016x}{:08x}", rand::random::<u32>())
}

/// The sequence number that an id names.
pub fn sequence_of(id: &str) -> Option<u64> {
    let rest = id.strip_prefix("evt_").filter(|rest| rest.len() == 24)?;
    u64::from_str_radix(rest.get(..16)?, 16).ok()
}

#[cfg(test)]
pub(super) mod tests;
