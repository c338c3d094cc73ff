//! The plan as one page for whoever has to say yes to it: to read, to filter, to print.
//!
//! The page loads nothing and runs only its own script, which its policy names by digest. It
//! reads well without the script, which only filters. A browser does not carry millions of
//! rows: each table stops at a stated number, so that deactivations are seen however many
//! accounts are made, and says how many are left to the JSON and CSV reports.

mod escape;
mod page;
mod rows;

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::{ReportError, words};
use crate::plan::{Entry, Plan, Section};

use rows::{action_row, list_row};

const CSS: &str = include_str!("html/report.css");
const JS: &str = include_str!("html/report.js");

/// Rows of one table. Some 10,000 rows in all stay quick to scroll and filter.
const ROWS: u64 = 2_000;

/// What the page may do, also for the header of a server that sends it.
pub fn content_security_policy() -> String {
    let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'",
        digest(CSS),
        digest(JS)
    )
}

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> Result<(), ReportError> {
    let head = &plan.head;
    page::top(plan, out)?;
    let applied = plan.tally().is_some();
    let mut open: Option<Table> = None;
    for row in plan.entries_with_outcomes() {
        let (entry, outcome) = row?;
        let place = Place::of(&entry);
        let mut table = match open.take() {
            Some(table) if table.place == place => table,
            before => {
                close(before, out)?;
                let total = place.total(plan);
                page::table_top(place, total, applied, out)?;
                Table {
                    place,
                    rows: 0,
                    total,
                }
            }
        };
        table.rows += 1;
        if table.rows <= ROWS {
            match entry {
                Entry::Action(action) => action_row(&action, outcome.as_ref(), out)?,
                entry => {
                    if let Some(line) = words::line(entry, head.created_at) {
                        list_row(&line, out)?;
                    }
                }
            }
        }
        open = Some(table);
    }
    close(open, out)?;
    Ok(page::bottom(head, out)?)
}

/// A table of the page: one for the actions of a phase, one for each list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Phase(u8),
    List(Section),
}

impl Place {
    fn of(entry: &Entry) -> Place {
        match entry {
            Entry::Action(action) => Place::Phase(action.op.phase()),
            other => Place::List(other.section()),
        }
    }

    /// Every table that the plan may have, in order.
    fn all() -> impl Iterator<Item = Place> {
        (0..=4)
            .map(Place::Phase)
            .chain(Section::LISTS.map(Place::List))
    }

    fn title(self) -> &'static str {
        match self {
            Place::Phase(phase) => words::phase_title(phase),
            Place::List(section) => words::section_title(section).0,
        }
    }

    /// The anchor on the page.
    fn id(self) -> String {
        self.title().to_lowercase().replace(' ', "-")
    }

    fn total(self, plan: &Plan) -> u64 {
        let head = &plan.head;
        match self {
            Place::List(section) => head.lists.get(&section).copied().unwrap_or(0),
            Place::Phase(phase) => {
                let ops = head.summary.values().flatten();
                ops.filter(|(op, _)| op.phase() == phase)
                    .map(|(_, count)| count)
                    .sum()
            }
        }
    }
}

struct Table {
    place: Place,
    rows: u64,
    total: u64,
}

fn close(table: Option<Table>, out: &mut dyn Write) -> io::Result<()> {
    match table {
        Some(table) => page::table_bottom(table.total.saturating_sub(ROWS), out),
        None => Ok(()),
    }
}
