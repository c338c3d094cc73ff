//! Sorted entries, in memory while they are few and in a temporary file when they are many.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::action::{Action, Outcome, OutcomeStatus};
use super::entry::{Entry, Section};
use super::head::Head;

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("could not keep the plan in the temporary folder; is it full?")]
    Spool(#[source] io::Error),
    #[error("could not write the plan")]
    Write(#[source] io::Error),
    #[error("could not read the kept plan")]
    Read(#[source] io::Error),
    #[error("the kept plan cannot be read; it is damaged or of another version")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the kept plan is cut short: {found} of {expected} entries are there")]
    CutShort { found: u64, expected: u64 },
}

/// How many actions came to what end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutcomeTally {
    pub done: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// A head, and entries in order.
#[derive(Clone)]
pub struct Plan {
    pub head: Head,
    entries: Entries,
    /// None before apply. After it, every action is done but for these, by their number.
    outcomes: Option<Arc<BTreeMap<u64, Outcome>>>,
}

#[derive(Clone)]
pub(super) enum Entries {
    Memory(Arc<Vec<Entry>>),
    File(Arc<File>),
}

impl Plan {
    pub(super) fn new(head: Head, entries: Entries) -> Plan {
        Plan {
            head,
            entries,
            outcomes: None,
        }
    }

    /// Every entry, in order.
    pub fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, PlanError>> + Send + '_> {
        match &self.entries {
            Entries::Memory(entries) => Box::new(entries.iter().cloned().map(Ok)),
            Entries::File(file) => Box::new(Records::new(rewound(file))),
        }
    }

    /// The actions, in the order in which they are to be carried out.
    pub fn actions(&self) -> impl Iterator<Item = Result<Action, PlanError>> + Send + '_ {
        self.entries().map_while(|entry| match entry {
            Ok(Entry::Action(action)) => Some(Ok(action)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// Every entry, in order; an action with what became of it, None for a plan that was not
    /// applied.
    pub fn entries_with_outcomes(
        &self,
    ) -> impl Iterator<Item = Result<(Entry, Option<Outcome>), PlanError>> + Send + '_ {
        // Actions come before all else, so that an action's number is its place.
        self.entries().zip(0u64..).map(|(entry, number)| {
            let entry = entry?;
            let outcome = match &self.outcomes {
                Some(exceptions) if entry.section() == Section::Actions => {
                    Some(exceptions.get(&number).cloned().unwrap_or(Outcome {
                        status: OutcomeStatus::Done,
                        error: None,
                        attempts: 1,
                    }))
                }
                _ => None,
            };
            Ok((entry, outcome))
        })
    }

    /// The actions with what became of them; None for a plan that was not applied.
    pub fn actions_with_outcomes(
        &self,
    ) -> impl Iterator<Item = Result<(Action, Option<Outcome>), PlanError>> + Send + '_ {
        self.entries_with_outcomes().map_while(|row| match row {
            Ok((Entry::Action(action), outcome)) => Some(Ok((action, outcome))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// None for a plan that was not applied.
    pub fn tally(&self) -> Option<OutcomeTally> {
        let exceptions = self.outcomes.as_deref()?;
        let count = |status| {
            let found = exceptions.values().filter(|o| o.status == status).count();
            found as u64
        };
        let failed = count(OutcomeStatus::Failed);
        let skipped = count(OutcomeStatus::Skipped);
        Some(OutcomeTally {
            done: self.action_count().saturating_sub(failed + skipped),
            failed,
            skipped,
        })
    }

    /// The entries of one list.
    pub fn list(
        &self,
        section: Section,
    ) -> impl Iterator<Item = Result<Entry, PlanError>> + Send + '_ {
        self.entries().filter(move |entry| {
            entry
                .as_ref()
                .map_or(true, |entry| entry.section() == section)
        })
    }

    pub fn action_count(&self) -> u64 {
        self.head.summary.values().flat_map(BTreeMap::values).sum()
    }

    /// Notes what apply did: everything but the exceptions, numbered as [`Plan::actions`]
    /// iterates, is done.
    pub fn set_outcomes(&mut self, exceptions: BTreeMap<u64, Outcome>) {
        self.outcomes = Some(Arc::new(exceptions));
    }

    /// Writes the plan for the history, to be read again by [`Plan::read`].
    pub fn write(&self, out: impl Write) -> Result<(), PlanError> {
        let mut out = BufWriter::new(out);
        let prologue = Prologue {
            head: serde_json::to_string(&self.head).map_err(|e| PlanError::Write(e.into()))?,
            outcomes: self.outcomes.as_deref().cloned(),
        };
        let mut buffer = Vec::new();
        write_record(&mut out, &prologue, &mut buffer).map_err(PlanError::Write)?;
        match &self.entries {
            Entries::Memory(entries) => {
                for entry in entries.iter() {
                    write_record(&mut out, entry, &mut buffer).map_err(PlanError::Write)?;
                }
            }
            // The records are what is to be written already.
            Entries::File(file) => {
                io::copy(&mut rewound(file), &mut out).map_err(PlanError::Write)?;
            }
        }
        out.flush().map_err(PlanError::Write)
    }

    /// Reads a plan that [`Plan::write`] wrote, or says that it is not whole.
    pub fn read(input: impl Read) -> Result<Plan, PlanError> {
        let mut input = BufReader::new(input);
        let mut buffer = Vec::new();
        let prologue: Prologue =
            read_record(&mut input, &mut buffer)?.ok_or(PlanError::CutShort {
                found: 0,
                expected: 1,
            })?;
        let head: Head =
            serde_json::from_str(&prologue.head).map_err(|e| PlanError::Decode(e.into()))?;
        let mut out = BufWriter::new(tempfile::tempfile().map_err(PlanError::Spool)?);
        let mut found = 0;
        while let Some(bytes) = read_bytes(&mut input, &mut buffer)? {
            write_bytes(&mut out, bytes).map_err(PlanError::Spool)?;
            found += 1;
        }
        let file = out
            .into_inner()
            .map_err(|e| PlanError::Spool(e.into_error()))?;
        let mut plan = Plan::new(head, Entries::File(Arc::new(file)));
        let expected = plan.action_count() + plan.head.lists.values().sum::<u64>();
        if found != expected {
            return Err(PlanError::CutShort { found, expected });
        }
        plan.outcomes = prologue.outcomes.map(Arc::new);
        Ok(plan)
    }
}

/// The head goes as JSON, so that a field more in a later version does not make old plans
/// unreadable.
#[derive(Serialize, Deserialize)]
struct Prologue {
    head: String,
    outcomes: Option<BTreeMap<u64, Outcome>>,
}

/// A reader of its own from the start of a shared file: `pread`-like, so that two readers of
/// one plan do not move each other.
pub(super) fn rewound(file: &Arc<File>) -> BufReader<At> {
    BufReader::with_capacity(
        64 * 1024,
        At {
            file: file.clone(),
            offset: 0,
        },
    )
}

pub(super) struct At {
    file: Arc<File>,
    offset: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Length-prefixed postcard records, to the end of the input.
pub(super) struct Records<R, T> {
    input: R,
    buffer: Vec<u8>,
    of: std::marker::PhantomData<T>,
}

impl<R: BufRead, T: DeserializeOwned> Records<R, T> {
    pub(super) fn new(input: R) -> Self {
        Records {
            input,
            buffer: Vec::new(),
            of: std::marker::PhantomData,
        }
    }
}

impl<R: BufRead, T: DeserializeOwned> Iterator for Records<R, T> {
    type Item = Result<T, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        read_record(&mut self.input, &mut self.buffer).transpose()
    }
}

/// A plan has a record for every account and group: `buffer` is used again for each.
pub(super) fn write_record<T: Serialize>(
    out: &mut impl Write,
    record: &T,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    buffer.clear();
    *buffer = postcard::to_extend(record, std::mem::take(buffer)).map_err(io::Error::other)?;
    write_bytes(out, buffer)
}

fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).expect("no entry reaches 4 GiB");
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}

fn read_record<T: DeserializeOwned>(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
) -> Result<Option<T>, PlanError> {
    match read_bytes(input, buffer)? {
        Some(bytes) => postcard::from_bytes(bytes)
            .map(Some)
            .map_err(|e| PlanError::Decode(e.into())),
        None => Ok(None),
    }
}

/// The next record's bytes; None at the end, an error within a record.
fn read_bytes<'a>(
    input: &mut impl BufRead,
    buffer: &'a mut Vec<u8>,
) -> Result<Option<&'a [u8]>, PlanError> {
    if input.fill_buf().map_err(PlanError::Read)?.is_empty() {
        return Ok(None);
    }
    let ended = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => PlanError::Decode("a record ends too early".into()),
        _ => PlanError::Read(error),
    };
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(ended)?;
    let mut missing = u32::from_le_bytes(length) as usize;
    buffer.clear();
    // Grows as it reads: a damaged length does not ask for gigabytes.
    while missing > 0 {
        let begun = buffer.len();
        let part = missing.min(1024 * 1024);
        buffer.resize(begun + part, 0);
        input.read_exact(&mut buffer[begun..]).map_err(ended)?;
        missing -= part;
    }
    Ok(Some(buffer))
}

#[cfg(test)]
mod tests;
