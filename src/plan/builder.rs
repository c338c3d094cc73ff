//! Sorts what the rules decide into a plan: an external merge sort over entries.
//!
//! Up to [`IN_MEMORY`] entries stay where they are. Beyond, sorted runs go to temporary files
//! and are merged at the end, so that a first run of a large company takes no more memory
//! than a small one. Members come out as one sorted action a group, whether they are pushed
//! one at a time or many at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
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

/// At this many sorted runs they are merged into one: each is an open file, and a process may
/// have no more than 1024.
const RUNS: usize = 64;

type Keyed = (Vec<u8>, Entry);

pub struct Builder {
    recent: Vec<Keyed>,
    /// What `recent` weighs, in entries of the usual size.
    weight: usize,
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
            weight: 0,
            limit: limit.max(1),
            runs: Vec::new(),
        }
    }

    pub fn push(&mut self, entry: Entry) -> Result<(), PlanError> {
        let Entry::Action(mut action) = entry else {
            return self.keep(entry.sort_key(), 1, entry);
        };
        sort_members(&mut action.members);
        if action.members.len() <= MEMBERS_PER_ACTION {
            return self.keep_action(action);
        }
        for members in std::mem::take(&mut action.members).chunks(MEMBERS_PER_ACTION) {
            self.keep_action(Action {
                members: members.to_vec(),
                ..action.clone()
            })?;
        }
        Ok(())
    }

    fn keep_action(&mut self, action: Action) -> Result<(), PlanError> {
        let weight = 1 + action.members.len() / MEMBERS_PER_ENTRY;
        let first = action.members.first().cloned().unwrap_or_default();
        let entry = Entry::Action(action);
        let mut key = entry.sort_key();
        key.extend_from_slice(first.as_bytes());
        self.keep(key, weight, entry)
    }

    fn keep(&mut self, key: Vec<u8>, weight: usize, entry: Entry) -> Result<(), PlanError> {
        self.recent.push((key, entry));
        self.weight += weight;
        if self.weight >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), PlanError> {
        self.recent.sort_by(|a, b| a.0.cmp(&b.0));
        self.weight = 0;
        let run = spooled(self.recent.drain(..).map(Ok))?;
        self.runs.push(run);
        if self.runs.len() >= RUNS {
            let merged = spooled(Merge::new(&self.runs)?)?;
            self.runs = vec![merged];
        }
        Ok(())
    }

    /// Sorts, joins members and counts. The totals and the digest of `head` are filled in.
    pub fn finish(mut self, mut head: Head) -> Result<Plan, PlanError> {
        self.recent.sort_by(|a, b| a.0.cmp(&b.0));
        let mut totals = Totals::default();
        let entries = if self.runs.is_empty() {
            let mut entries = Vec::with_capacity(self.recent.len());
            let sorted = self.recent.into_iter().map(|(_, entry)| Ok(entry));
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
    for record in records {
        write_record(&mut out, &record?).map_err(PlanError::Spool)?;
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
                let bytes = postcard::to_stdvec(&shown).expect("an action serialises into memory");
                self.digest.update(&(bytes.len() as u64).to_le_bytes());
                self.digest.update(&bytes);
            }
            other => *self.lists.entry(other.section()).or_default() += 1,
        }
    }
}

/// Joins neighbouring membership entries of one group into one action.
struct Joined<I> {
    sorted: I,
    open: Option<Action>,
    ready: Option<Result<Entry, PlanError>>,
}

impl<I> Joined<I> {
    fn new(sorted: I) -> Self {
        Joined {
            sorted,
            open: None,
            ready: None,
        }
    }
}

impl<I: Iterator<Item = Result<Entry, PlanError>>> Iterator for Joined<I> {
    type Item = Result<Entry, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(ready) = self.ready.take() {
            return Some(ready);
        }
        loop {
            match self.sorted.next() {
                Some(Ok(Entry::Action(action))) if !action.members.is_empty() => {
                    match &mut self.open {
                        Some(open) if joins(open, &action) => open.members.extend(action.members),
                        open => {
                            if let Some(before) = open.replace(action) {
                                return Some(Ok(closed(before)));
                            }
                        }
                    }
                }
                other => {
                    let Some(open) = self.open.take() else {
                        return other;
                    };
                    self.ready = other;
                    return Some(Ok(closed(open)));
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
        && open.members.len() + next.members.len() <= MEMBERS_PER_ACTION
}

fn closed(mut action: Action) -> Entry {
    sort_members(&mut action.members);
    Entry::Action(action)
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
