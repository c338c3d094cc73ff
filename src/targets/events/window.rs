//! Which of the waiting events may go now, so that each object's events arrive in order.
//!
//! Waiting events are read page by page, in their sequence, into a window of bounded size. An
//! event may go when nothing before it in the window is tied to it (see [`Ties`]). One that
//! waits for its next attempt leaves the window, and what is tied to it is passed over until
//! the queue is read again from its beginning: so one object that fails holds up itself and
//! nobody else, and what is remembered of it is a number.

use std::collections::{BTreeMap, HashSet, VecDeque};

use jiff::Timestamp;

use crate::store::events::{Ties, Waiting};

/// How many events are looked at together. Far more than are under way at once, and few enough
/// that looking through them costs nothing.
const SIZE: usize = 500;

/// One event of the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    pub sequence: u64,
    pub attempts: u32,
    pub ties: Ties,
}

#[derive(Default)]
pub struct Window {
    rows: VecDeque<(Next, bool)>,
    /// What is under way and was not reached again since the last rewind.
    beyond: BTreeMap<u64, Next>,
    /// Up to where the queue was read.
    read_to: u64,
    /// What events that wait are about: as their own object, and as their group.
    held: HashSet<u64>,
    held_groups: HashSet<u64>,
    /// When the first of those is due again.
    due: Option<Timestamp>,
}

impl Window {
    /// After which sequence number to read on; None while there is no room.
    pub fn wants(&self) -> Option<u64> {
        (self.rows.len() < SIZE).then_some(self.read_to)
    }

    /// How many events there is room for.
    pub fn room(&self) -> usize {
        SIZE - self.rows.len().min(SIZE)
    }

    /// Takes in the next event of the queue.
    pub fn read(&mut self, sequence: u64, waiting: &Waiting, now: Timestamp) {
        self.read_to = sequence;
        if let Some(next) = self.beyond.remove(&sequence) {
            self.rows.push_back((next, true));
            return;
        }
        let next = Next {
            sequence,
            attempts: waiting.attempts,
            ties: waiting.ties,
        };
        if self.is_held(next.ties) {
            self.hold(next.ties);
        } else if waiting.due > now {
            self.hold_until(next.ties, waiting.due);
        } else {
            self.rows.push_back((next, false));
        }
    }

    /// The next event that may go. It is under way until [`Window::done`] or
    /// [`Window::put_off`].
    pub fn next(&mut self) -> Option<Next> {
        let mut before = HashSet::new();
        let mut groups_before = HashSet::new();
        for (next, under_way) in &mut self.rows {
            let ties = next.ties;
            if !*under_way && !is_tied(ties, &before, &groups_before) {
                *under_way = true;
                return Some(*next);
            }
            before.insert(ties.own);
            groups_before.extend(ties.group);
        }
        None
    }

    /// Whether nothing is left of what was read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// An event was delivered, or given up.
    pub fn done(&mut self, sequence: u64) {
        self.remove(sequence);
    }

    /// An event is to be tried again later; what is tied to it waits with it.
    pub fn put_off(&mut self, sequence: u64, due: Timestamp) {
        let Some(failed) = self.remove(sequence) else {
            return;
        };
        self.hold_until(failed.ties, due);
        let rows = std::mem::take(&mut self.rows);
        for (next, under_way) in rows {
            // What is under way was tied to nothing before it.
            if !under_way && next.sequence > sequence && self.is_held(next.ties) {
                self.hold(next.ties);
            } else {
                self.rows.push_back((next, under_way));
            }
        }
    }

    /// When the queue is to be read again from its beginning.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Reads from the beginning again. What is under way stays so.
    pub fn rewind(&mut self) {
        let rows = std::mem::take(&mut self.rows).into_iter();
        let under_way = rows.filter(|(_, under_way)| *under_way);
        let mut beyond = std::mem::take(&mut self.beyond);
        beyond.extend(under_way.map(|(next, _)| (next.sequence, next)));
        *self = Window {
            beyond,
            ..Window::default()
        };
    }

    fn remove(&mut self, sequence: u64) -> Option<Next> {
        if let Some(next) = self.beyond.remove(&sequence) {
            return Some(next);
        }
        let place = self
            .rows
            .iter()
            .position(|(next, _)| next.sequence == sequence)?;
        self.rows.remove(place).map(|(next, _)| next)
    }

    fn is_held(&self, ties: Ties) -> bool {
        is_tied(ties, &self.held, &self.held_groups)
    }

    fn hold(&mut self, ties: Ties) {
        self.held.insert(ties.own);
        self.held_groups.extend(ties.group);
    }

    fn hold_until(&mut self, ties: Ties, due: Timestamp) {
        self.hold(ties);
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }
}

/// Whether an event has to wait for events of these objects, and of these groups' members.
fn is_tied(ties: Ties, objects: &HashSet<u64>, groups: &HashSet<u64>) -> bool {
    objects.contains(&ties.own)
        || ties.group.is_some_and(|group| objects.contains(&group))
        || groups.contains(&ties.own)
}

#[cfg(test)]
mod tests;
