//! Sorts what the rules decide into a plan: an external merge sort over entries.
//!
//! Up to [`IN_MEMORY`] entries stay where they are. Beyond, sorted runs go to temporary files
//! and are merged at the end, so that a first run of a large company takes no more memory
//! than a small one. Members pushed one at a time come out as one action a group.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use super::action::{Action, Op};
use super::entry::{Entry, Section};
use super::head::Head;
use super::spool::{At, Entries, Plan, PlanError, Records, rewound, write_record};

/// About 20 MB of entries of the usual size.
const IN_MEMORY: usize = 40_000;

/// A membership action takes at most this many members, so that no single entry is huge.
const MEMBERS_PER_ACTION: usize = 50_000;

type Keyed = (Vec<u8>, Entry);

#[derive(Default)]
pub struct Builder {
    recent: Vec<Keyed>,
    runs: Vec<Arc<File>>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    pub fn push(&mut self, entry: Entry) -> Result<(), PlanError> {
        let mut key = entry.sort_key();
        if let Entry::Action(action) = &entry
            && let [member] = action.members.as_slice()
        {
            key.extend_from_slice(member.as_bytes());
        }
        self.recent.push((key, entry));
        if self.recent.len() >= IN_MEMORY {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), PlanError> {
        self.recent.sort_by(|a, b| a.0.cmp(&b.0));
        let file = tempfile::tempfile().map_err(PlanError::Spool)?;
        let mut out = BufWriter::new(file);
        for keyed in self.recent.drain(..) {
            write_record(&mut out, &keyed)?;
        }
        let file = out
            .into_inner()
            .map_err(|e| PlanError::Spool(e.into_error()))?;
        self.runs.push(Arc::new(file));
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
            let file = tempfile::tempfile().map_err(PlanError::Spool)?;
            let mut out = BufWriter::new(file);
            for entry in Joined::new(Merge::new(&self.runs)?) {
                let entry = entry?;
                totals.count(&entry);
                write_record(&mut out, &entry)?;
            }
            out.flush().map_err(PlanError::Spool)?;
            let file = out
                .into_inner()
                .map_err(|e| PlanError::Spool(e.into_error()))?;
            Entries::File(Arc::new(file))
        };
        head.summary = totals.summary;
        head.lists = totals.lists;
        head.digest = totals.digest.finalize().to_hex()[..32].to_owned();
        Ok(Plan::new(head, entries))
    }
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
                let bytes = postcard::to_stdvec(action).expect("an action serialises into memory");
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
            let next = self.sorted.next();
            if let Some(Ok(Entry::Action(action))) = &next
                && !action.members.is_empty()
            {
                match &mut self.open {
                    Some(open) if same_group(open, action) => {
                        open.members.extend(action.members.iter().cloned());
                        continue;
                    }
                    _ => {
                        let before = self.open.replace(action.clone());
                        match before {
                            Some(before) => return Some(Ok(Entry::Action(before))),
                            None => continue,
                        }
                    }
                }
            }
            return match self.open.take() {
                Some(open) => {
                    self.ready = next;
                    Some(Ok(Entry::Action(open)))
                }
                None => next,
            };
        }
    }
}

fn same_group(open: &Action, next: &Action) -> bool {
    open.op == next.op
        && open.portal == next.portal
        && open.subject.id == next.subject.id
        && open.subject.source == next.subject.source
        && open.members.len() < MEMBERS_PER_ACTION
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
            merge
                .runs
                .push(Records::new(rewound(file).map_err(PlanError::Spool)?));
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
    type Item = Result<Entry, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((_, run)) = self.heads.pop()?;
        let entry = self.waiting[run]
            .take()
            .expect("a run in the heap has an entry waiting");
        match self.advance(run) {
            Ok(()) => Some(Ok(entry)),
            Err(error) => Some(Err(error)),
        }
    }
}
