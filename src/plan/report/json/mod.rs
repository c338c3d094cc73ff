//! The plan as one JSON document, the interface that programs rely on, and its reader.
//!
//! The field order is fixed and maps are sorted: two equal plans are equal bytes. The lists
//! are taken from the plan while they are written, each entry once.

mod lines;
mod read;

use std::cell::RefCell;
use std::io::{self, Write};
use std::iter::Peekable;

use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use self::lines::Lines;
use super::ReportError;
use crate::plan::{Action, Entry, Head, Outcome, Plan, PlanError, Section};

pub use read::{ReadError, SavedPlan, read_actions};

/// The version of the document. A reader refuses a newer one.
pub const VERSION: u64 = 1;

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> Result<(), ReportError> {
    let document = Document {
        head: &plan.head,
        rows: RefCell::new((Box::new(plan.entries_with_outcomes()) as Rows<'_>).peekable()),
        failed: RefCell::new(None),
    };
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Lines::default());
    let written = document.serialize(&mut serializer);
    if let Some(cause) = document.failed.take() {
        return Err(cause.into());
    }
    written.map_err(io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

type Row = Result<(Entry, Option<Outcome>), PlanError>;
type Rows<'a> = Box<dyn Iterator<Item = Row> + 'a>;

struct Document<'a> {
    head: &'a Head,
    rows: RefCell<Peekable<Rows<'a>>>,
    /// A serializer's error cannot carry this one.
    failed: RefCell<Option<PlanError>>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Head {
            run,
            mode,
            asked,
            dry_run,
            created_at,
            status,
            sources,
            summary,
            lists: _, // their lengths show
            warnings,
            guard,
            digest,
        } = self.head;
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("version", &VERSION)?;
        document.serialize_entry("run", run)?;
        document.serialize_entry("mode", mode)?;
        document.serialize_entry("asked", asked)?;
        document.serialize_entry("dry_run", dry_run)?;
        document.serialize_entry("created_at", created_at)?;
        document.serialize_entry("status", status)?;
        document.serialize_entry("digest", digest)?;
        document.serialize_entry("sources", sources)?;
        document.serialize_entry("summary", summary)?;
        for section in [Section::Actions].into_iter().chain(Section::LISTS) {
            let list = List {
                document: self,
                section,
            };
            document.serialize_entry(section.as_str(), &list)?;
        }
        document.serialize_entry("warnings", warnings)?;
        document.serialize_entry("guard", guard)?;
        document.end()
    }
}

/// Takes the entries of one section, which come next.
struct List<'a, 'plan> {
    document: &'a Document<'plan>,
    section: Section,
}

impl List<'_, '_> {
    fn next(&self) -> Option<Row> {
        self.document.rows.borrow_mut().next_if(|row| match row {
            Ok((entry, _)) => entry.section() == self.section,
            Err(_) => true,
        })
    }
}

impl Serialize for List<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        while let Some(row) = self.next() {
            match row {
                Ok((entry, outcome)) => list.serialize_element(&Item(&entry, outcome.as_ref()))?,
                Err(cause) => {
                    self.document.failed.replace(Some(cause));
                    return Err(S::Error::custom("the plan cannot be read"));
                }
            }
        }
        list.end()
    }
}

struct Item<'a>(&'a Entry, Option<&'a Outcome>);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_map(None)?;
        match self.0 {
            Entry::Action(action) => {
                let Action {
                    portal,
                    op,
                    key,
                    subject,
                    changes,
                    reason,
                    members,
                    device,
                    joins: _, // the membership actions say it
                } = action;
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("op", op)?;
                item.serialize_entry("key", key)?;
                item.serialize_entry("subject", subject)?;
                item.serialize_entry("changes", changes)?;
                if op.is_membership() {
                    item.serialize_entry("members", members)?;
                }
                if let Some(device) = device {
                    item.serialize_entry("device", device)?;
                }
                item.serialize_entry("reason", reason)?;
                item.serialize_entry("outcome", &self.1)?;
            }
            Entry::NeedsRole { portal, key } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
            }
            Entry::Departed { portal, key, cause } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
                item.serialize_entry("cause", cause)?;
            }
            Entry::Returned { portal, key, note } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
                if let Some(note) = note {
                    item.serialize_entry("note", note)?;
                }
            }
            Entry::Pending {
                portal,
                key,
                cause,
                due_at,
            } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
                item.serialize_entry("cause", cause)?;
                item.serialize_entry("due_at", due_at)?;
            }
            Entry::Spared {
                portal,
                key,
                reason,
            } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
                item.serialize_entry("reason", reason)?;
            }
            Entry::Skipped {
                portal,
                subject,
                reason,
            } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("subject", subject)?;
                item.serialize_entry("reason", reason)?;
            }
            Entry::Conflict {
                portal,
                key,
                kept,
                dropped,
            } => {
                item.serialize_entry("portal", portal)?;
                item.serialize_entry("key", key)?;
                item.serialize_entry("kept", kept)?;
                item.serialize_entry("dropped", dropped)?;
            }
            Entry::Quarantined {
                source,
                id,
                reason,
                next_try,
            } => {
                item.serialize_entry("source", source)?;
                item.serialize_entry("id", id)?;
                item.serialize_entry("reason", reason)?;
                item.serialize_entry("next_try", next_try)?;
            }
        }
        item.end()
    }
}

#[cfg(test)]
mod tests;
