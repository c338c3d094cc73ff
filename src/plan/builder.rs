//! Sorts what the rules decide into a plan: an external merge sort over entries.
//!
//! Up to [`IN_MEMORY`] entries stay where they are. Beyond, sorted runs go to temporary files
//! and are merged at the end, so that a first run of a large company takes no more memory
//! than a small one. Members come out as one sorted action a group, whether they are pushed
//! one at a time or many at once: they are gathered by group as they come, leave memory in
//! sorted pieces, and are put together again from the pieces.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use serde::Serialize;

use super::action::{Action, Op};
use super::entry::{Entry, Section};
use super::head::Head;
use super::spool::{At, Entries, Plan, PlanError, Records, rewound, write_record};

/// About 20 MB of entries of the usual size.
const IN_MEMORY: usize = 40_000;

/// A membership action takes at most this many members, so that no single entry is huge.
const MEMBERS_PER_ACTION: usize = 50_000;

/// So many members take the room of one entry.
const MEMBERS_PER_ENTRY: usize = 8;

/// So many changes, too.
const CHANGES_PER_ENTRY: usize = 3;

/// Gathered members go to disk in pieces of this many. Small, so that few of them wait for
/// smaller ones in another run; large enough that what they share weighs nothing.
const PIECE: usize = 512;

/// At this many sorted runs they are merged into one: each is an open file, and a process may
/// have no more than 1024.
const RUNS: usize = 64;

type Keyed = (Vec<u8>, Entry);

/// What tells one membership action from another while they are gathered: portal, op, source
/// and group, in numbers that the caller keeps to.
pub type Slot = (usize, Op, usize, u32);

pub struct Builder {
    recent: Vec<Keyed>,
    /// Membership actions that take further members, without those: by their sort key.
    gathered: HashMap<Vec<u8>, Action>,
    /// The same, of those that come member by member.
    by_slot: HashMap<Slot, Action>,
    /// What both weigh, in entries of the usual size.
    weight: usize,
    /// Members gathered that do not make up the weight of an entry yet.
    loose: usize,
    limit: usize,
    runs: Vec<Arc<File>>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::with_capacity_limit(IN_MEMORY)
    }
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// A builder that goes to disk beyond `limit` entries.
    pub fn with_capacity_limit(limit: usize) -> Builder {
        Builder {
            recent: Vec::new(),
            gathered: HashMap::new(),
            by_slot: HashMap::new(),
            weight: 0,
            loose: 0,
            limit: limit.max(1),
            runs: Vec::new(),
        }
    }

    pub fn push(&mut self, entry: Entry) -> Result<(), PlanError> {
        let key = entry.sort_key();
        match entry {
            Entry::Action(action) if !action.members.is_empty() => self.gather(key, action),
            Entry::Action(action) => {
                self.weight += action.changes.len() / CHANGES_PER_ENTRY;
                self.keep(key, Entry::Action(action))
            }
            entry => self.keep(key, entry),
        }
    }

    /// Adds one member to the action of `slot`, which `action` makes without members when it
    /// is the first.
    pub fn member(
        &mut self,
        slot: Slot,
        action: impl FnOnce() -> Action,
        member: &str,
    ) -> Result<(), PlanError> {
        let weight = &mut self.weight;
        let gathered = self.by_slot.entry(slot).or_insert_with(|| {
            *weight += 1;
            action()
        });
        gathered.members.push(member.to_owned());
        self.loose += 1;
        self.weight += self.loose / MEMBERS_PER_ENTRY;
        self.loose %= MEMBERS_PER_ENTRY;
        self.spill_if_full()
    }

    /// Adds members to those of the same group.
    fn gather(&mut self, key: Vec<u8>, mut action: Action) -> Result<(), PlanError> {
        self.loose += action.members.len();
        match self.gathered.get_mut(&key) {
            Some(before) if same_but_members(before, &action) => {
                before.members.append(&mut action.members);
            }
            Some(_) => self.recent.extend(pieces(&key, action)),
            None => {
                self.weight += 1;
                self.gathered.insert(key, action);
            }
        }
        self.weight += self.loose / MEMBERS_PER_ENTRY;
        self.loose %= MEMBERS_PER_ENTRY;
        self.spill_if_full()
    }

    fn keep(&mut self, key: Vec<u8>, entry: Entry) -> Result<(), PlanError> {
        self.recent.push((key, entry));
        self.weight += 1;
        self.spill_if_full()
    }

    fn spill_if_full(&mut self) -> Result<(), PlanError> {
        match self.weight >= self.limit {
            true => self.spill(),
            false => Ok(()),
        }
    }

    /// What is in memory, in order.
    fn sorted(&mut self) -> Vec<Keyed> {
        let mut recent = std::mem::take(&mut self.recent);
        for (key, action) in self.gathered.drain() {
            recent.extend(pieces(&key, action));
        }
        for (_, action) in self.by_slot.drain() {
            recent.extend(pieces(&action.sort_key(), action));
        }
        (self.weight, self.loose) = (0, 0);
        recent.sort_by(|a, b| a.0.cmp(&b.0));
        recent
    }

    fn spill(&mut self) -> Result<(), PlanError> {
        let run = spooled(self.sorted().into_iter().map(Ok))?;
        self.runs.push(run);
        if self.runs.len() >= RUNS {
            let merged = spooled(Merge::new(&self.runs)?)?;
            self.runs = vec![merged];
        }
        Ok(())
    }

    /// Sorts, joins members and counts. The totals and the digest of `head` are filled in.
    pub fn finish(mut self, mut head: Head) -> Result<Plan, PlanError> {
        let mut totals = Totals::default();
        let entries = if self.runs.is_empty() {
            let sorted = self.sorted();
            let mut entries = Vec::with_capacity(sorted.len());
            let sorted = sorted.into_iter().map(|(_, entry)| Ok(entry));
            for entry in Joined::new(sorted) {
                let entry = entry?;
                totals.count(&entry);
                entries.push(entry);
            }
            Entries::Memory(Arc::new(entries))
        } else {
            self.spill()?;
            let sorted = Merge::new(&self.runs)?.map(|keyed| Ok(keyed?.1));
            let counted = Joined::new(sorted).inspect(|entry| {
                if let Ok(entry) = entry {
                    totals.count(entry);
                }
            });
            Entries::File(spooled(counted)?)
        };
        head.summary = totals.summary;
        head.lists = totals.lists;
        head.digest = totals.digest.finalize().to_hex()[..32].to_owned();
        Ok(Plan::new(head, entries))
    }
}

/// Keeps records in a temporary file.
fn spooled<T: Serialize>(
    records: impl Iterator<Item = Result<T, PlanError>>,
) -> Result<Arc<File>, PlanError> {
    let mut out = BufWriter::new(tempfile::tempfile().map_err(PlanError::Spool)?);
    let mut buffer = Vec::new();
    for record in records {
        write_record(&mut out, &record?, &mut buffer).map_err(PlanError::Spool)?;
    }
    let file = out
        .into_inner()
        .map_err(|e| PlanError::Spool(e.into_error()))?;
    Ok(Arc::new(file))
}

#[derive(Default)]
struct Totals {
    summary: BTreeMap<String, BTreeMap<Op, u64>>,
    lists: BTreeMap<Section, u64>,
    digest: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Totals {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Action(action) => {
                let ops = match self.summary.get_mut(&action.portal) {
                    Some(ops) => ops,
                    None => self.summary.entry(action.portal.clone()).or_default(),
                };
                *ops.entry(action.op).or_default() += 1;
                // What is shown is what counts; `joins` follows from the membership actions.
                let Action {
                    portal,
                    op,
                    key,
                    subject,
                    changes,
                    reason,
                    members,
                    device,
                    joins: _,
                } = action;
                let shown = (portal, op, key, subject, changes, reason, members, device);
                let mut bytes = std::mem::take(&mut self.buffer);
                bytes.clear();
                let bytes =
                    postcard::to_extend(&shown, bytes).expect("an action serialises into memory");
                self.digest.update(&(bytes.len() as u64).to_le_bytes());
                self.digest.update(&bytes);
                self.buffer = bytes;
            }
            other => *self.lists.entry(other.section()).or_default() += 1,
        }
    }
}

/// Puts the pieces of a group's members together, into actions of [`MEMBERS_PER_ACTION`].
struct Joined<I> {
    sorted: I,
    open: Option<Action>,
    ready: VecDeque<Result<Entry, PlanError>>,
}

impl<I> Joined<I> {
    fn new(sorted: I) -> Self {
        Joined {
            sorted,
            open: None,
            ready: VecDeque::new(),
        }
    }

    /// Makes actions ready of the members that are smaller than `until`: whatever follows is
    /// not. Without it, of all.
    fn settle(&mut self, open: &mut Action, until: Option<&str>) {
        sort_members(&mut open.members);
        let mut settled = match until {
            Some(until) => open.members.partition_point(|member| &**member < until),
            None => open.members.len(),
        };
        while settled >= MEMBERS_PER_ACTION {
            let rest = open.members.split_off(MEMBERS_PER_ACTION);
            let members = std::mem::replace(&mut open.members, rest);
            self.ready.push_back(Ok(Entry::Action(Action {
                members,
                ..open.clone()
            })));
            settled -= MEMBERS_PER_ACTION;
        }
    }

    /// Makes what is left of a group ready.
    fn close(&mut self, mut open: Action) {
        self.settle(&mut open, None);
        if !open.members.is_empty() {
            self.ready.push_back(Ok(Entry::Action(open)));
        }
    }
}

impl<I: Iterator<Item = Result<Entry, PlanError>>> Iterator for Joined<I> {
    type Item = Result<Entry, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            match self.sorted.next() {
                Some(Ok(Entry::Action(piece))) if !piece.members.is_empty() => {
                    match self.open.take() {
                        Some(mut open) if joins(&open, &piece) => {
                            if open.members.len() >= MEMBERS_PER_ACTION {
                                self.settle(&mut open, piece.members.first().map(String::as_str));
                            }
                            open.members.extend(piece.members);
                            self.open = Some(open);
                        }
                        before => {
                            if let Some(before) = before {
                                self.close(before);
                            }
                            self.open = Some(piece);
                        }
                    }
                }
                other => {
                    if let Some(open) = self.open.take() {
                        self.close(open);
                    }
                    match other {
                        Some(other) => self.ready.push_back(other),
                        None => return self.ready.pop_front(),
                    }
                }
            }
        }
    }
}

fn joins(open: &Action, next: &Action) -> bool {
    open.op == next.op
        && open.portal == next.portal
        && open.key == next.key
        && open.subject.id == next.subject.id
        && open.subject.source == next.subject.source
}

/// Whether two membership actions say the same of different members.
fn same_but_members(a: &Action, b: &Action) -> bool {
    let Action {
        portal,
        op,
        key,
        subject,
        changes,
        reason,
        members: _,
        device,
        joins,
    } = a;
    *portal == b.portal
        && *op == b.op
        && *key == b.key
        && *subject == b.subject
        && *changes == b.changes
        && *reason == b.reason
        && *device == b.device
        && *joins == b.joins
}

/// Members in sorted pieces, each under the key of its first.
fn pieces(key: &[u8], mut action: Action) -> impl Iterator<Item = Keyed> {
    sort_members(&mut action.members);
    let mut members = std::mem::take(&mut action.members).into_iter();
    std::iter::from_fn(move || {
        let piece: Vec<String> = members.by_ref().take(PIECE).collect();
        let mut key = key.to_vec();
        key.extend_from_slice(piece.first()?.as_bytes());
        let action = Action {
            members: piece,
            ..action.clone()
        };
        Some((key, Entry::Action(action)))
    })
}

fn sort_members(members: &mut Vec<String>) {
    if !members.is_sorted_by(|a, b| a < b) {
        members.sort();
        members.dedup();
    }
}

/// Merges sorted runs.
struct Merge {
    runs: Vec<Records<std::io::BufReader<At>, Keyed>>,
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    waiting: Vec<Option<Entry>>,
}

impl Merge {
    fn new(files: &[Arc<File>]) -> Result<Merge, PlanError> {
        let mut merge = Merge {
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            waiting: files.iter().map(|_| None).collect(),
        };
        for (number, file) in files.iter().enumerate() {
            merge.runs.push(Records::new(rewound(file)));
            merge.advance(number)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, run: usize) -> Result<(), PlanError> {
        if let Some((key, entry)) = self.runs[run].next().transpose()? {
            self.heads.push(Reverse((key, run)));
            self.waiting[run] = Some(entry);
        }
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = Result<Keyed, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((key, run)) = self.heads.pop()?;
        let entry = self.waiting[run]
            .take()
            .expect("a run in the heap has an entry waiting");
        match self.advance(run) {
            Ok(()) => Some(Ok((key, entry))),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests;
