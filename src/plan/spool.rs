//! Sorted entries, in memory while they are few and in a temporary file when they are many.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
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
    #[error("the kept plan cannot be read; it is damaged or of another version")]
    Decode(#[source] postcard::Error),
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
            Entries::File(file) => match rewound(file) {
                Ok(reader) => Box::new(Records::new(reader)),
                Err(cause) => Box::new(std::iter::once(Err(PlanError::Spool(cause)))),
            },
        }
    }

    /// The actions, in the order in which they are to be carried out.
    pub fn actions(&self) -> impl Iterator<Item = Result<Action, PlanError>> + Send + '_ {
        self.entries()
            .take_while(|entry| {
                entry
                    .as_ref()
                    .map_or(true, |entry| entry.section() == Section::Actions)
            })
            .filter_map(|entry| match entry {
                Ok(Entry::Action(action)) => Some(Ok(action)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
    }

    /// The actions with what became of them; None for a plan that was not applied.
    pub fn actions_with_outcomes(
        &self,
    ) -> impl Iterator<Item = Result<(Action, Option<Outcome>), PlanError>> + Send + '_ {
        self.actions().enumerate().map(|(number, action)| {
            let outcome = self.outcomes.as_ref().map(|exceptions| {
                exceptions
                    .get(&(number as u64))
                    .cloned()
                    .unwrap_or(Outcome {
                        status: OutcomeStatus::Done,
                        error: None,
                        attempts: 1,
                    })
            });
            Ok((action?, outcome))
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
            head: serde_json::to_string(&self.head).map_err(|e| PlanError::Spool(e.into()))?,
            outcomes: self.outcomes.as_deref().cloned(),
        };
        write_record(&mut out, &prologue)?;
        for entry in self.entries() {
            write_record(&mut out, &entry?)?;
        }
        out.flush().map_err(PlanError::Spool)
    }

    /// Reads a plan that [`Plan::write`] wrote.
    pub fn read(input: impl Read) -> Result<Plan, PlanError> {
        let mut input = BufReader::new(input);
        let prologue: Prologue = read_record(&mut input)?.ok_or_else(|| {
            PlanError::Spool(io::Error::new(io::ErrorKind::UnexpectedEof, "empty plan"))
        })?;
        let head = serde_json::from_str(&prologue.head)
            .map_err(|e| PlanError::Spool(io::Error::other(e)))?;
        let mut file = tempfile::tempfile().map_err(PlanError::Spool)?;
        io::copy(&mut input, &mut file).map_err(PlanError::Spool)?;
        let mut plan = Plan::new(head, Entries::File(Arc::new(file)));
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
pub(super) fn rewound(file: &Arc<File>) -> io::Result<BufReader<At>> {
    Ok(BufReader::with_capacity(
        64 * 1024,
        At {
            file: file.clone(),
            offset: 0,
        },
    ))
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

impl Seek for At {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match position {
            SeekFrom::Start(offset) => self.offset = offset,
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
        Ok(self.offset)
    }
}

/// Length-prefixed postcard records, to the end of the input.
pub(super) struct Records<R, T> {
    input: R,
    of: std::marker::PhantomData<T>,
}

impl<R: Read, T: DeserializeOwned> Records<R, T> {
    pub(super) fn new(input: R) -> Self {
        Records {
            input,
            of: std::marker::PhantomData,
        }
    }
}

impl<R: Read, T: DeserializeOwned> Iterator for Records<R, T> {
    type Item = Result<T, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        read_record(&mut self.input).transpose()
    }
}

pub(super) fn write_record<T: Serialize>(
    out: &mut impl Write,
    record: &T,
) -> Result<(), PlanError> {
    let bytes = postcard::to_stdvec(record).map_err(PlanError::Decode)?;
    let length = u32::try_from(bytes.len()).expect("no entry reaches 4 GiB");
    out.write_all(&length.to_le_bytes())
        .map_err(PlanError::Spool)?;
    out.write_all(&bytes).map_err(PlanError::Spool)
}

fn read_record<T: DeserializeOwned>(input: &mut impl Read) -> Result<Option<T>, PlanError> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(cause) => return Err(PlanError::Spool(cause)),
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut bytes).map_err(PlanError::Spool)?;
    postcard::from_bytes(&bytes)
        .map(Some)
        .map_err(PlanError::Decode)
}
