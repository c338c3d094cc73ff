//! The actions for a spreadsheet (RFC 4180): a row for each change of an action and for each
//! member of a membership action; an action with neither has one row.
//!
//! | column | holds |
//! | --- | --- |
//! | `action` | the action's number in the plan, from 1; the same on all its rows |
//! | `portal`, `op`, `key` | as in the JSON document |
//! | `kind`, `source`, `id`, `display` | the subject |
//! | `device`, `member` | of a device action, of a membership action |
//! | `attribute`, `before`, `after` | one change; empty where there was or will be nothing |
//! | `reason` | why |
//! | `outcome`, `error`, `attempts` | after apply |
//!
//! A cell that a spreadsheet would take for a formula (it starts with `=`, `+`, `-` or `@`)
//! gets an apostrophe in front; control characters are spelled out (`\n`), so that a row is a
//! line. A program that needs a value to the letter reads the JSON document, which also has
//! the plan's lists.

use std::borrow::Cow;
use std::io::{self, Write};

use super::ReportError;
use super::words::visible;
use crate::directory::Value;
use crate::plan::{Action, Outcome, Plan};

const COLUMNS: [&str; 17] = [
    "action",
    "portal",
    "op",
    "key",
    "kind",
    "source",
    "id",
    "display",
    "device",
    "member",
    "attribute",
    "before",
    "after",
    "reason",
    "outcome",
    "error",
    "attempts",
];

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut rows = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out);
    rows.write_record(COLUMNS).map_err(io::Error::from)?;
    for (number, row) in (1u64..).zip(plan.actions_with_outcomes()) {
        let (action, outcome) = row?;
        let number = number.to_string();
        for detail in details(&action) {
            let record = record(&number, &action, outcome.as_ref(), detail);
            rows.write_record(record.iter().map(|cell| cell.as_bytes()))
                .map_err(io::Error::from)?;
        }
    }
    Ok(rows.flush()?)
}

/// Member, attribute, before, after.
type Detail<'a> = [Cow<'a, str>; 4];

fn details(action: &Action) -> Vec<Detail<'_>> {
    let none = Cow::Borrowed("");
    let mut details: Vec<Detail<'_>> = Vec::new();
    for change in &action.changes {
        details.push([
            none.clone(),
            Cow::Borrowed(&change.attribute),
            cell(&change.before),
            cell(&change.after),
        ]);
    }
    for member in &action.members {
        details.push([
            Cow::Borrowed(member),
            none.clone(),
            none.clone(),
            none.clone(),
        ]);
    }
    if details.is_empty() {
        details.push([none.clone(), none.clone(), none.clone(), none]);
    }
    details
}

fn cell(value: &Option<Value>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed(""),
        Some(value) => Cow::Owned(value.plain()),
    }
}

fn record<'a>(
    number: &'a str,
    action: &'a Action,
    outcome: Option<&'a Outcome>,
    [member, attribute, before, after]: Detail<'a>,
) -> [Cow<'a, str>; COLUMNS.len()] {
    let Action {
        portal,
        op,
        key,
        subject,
        changes: _,
        reason,
        members: _,
        device,
        joins: _,
    } = action;
    let (status, error, attempts) = match outcome {
        Some(outcome) => (
            outcome.status.as_str(),
            outcome.error.as_deref().unwrap_or_default(),
            outcome.attempts.to_string(),
        ),
        None => ("", "", String::new()),
    };
    [
        number.into(),
        portal.into(),
        op.as_str().into(),
        key.into(),
        subject.kind.as_str().into(),
        (&subject.source).into(),
        (&subject.id).into(),
        (&subject.display).into(),
        device.as_deref().unwrap_or_default().into(),
        member,
        attribute,
        before,
        after,
        reason.into(),
        status.into(),
        error.into(),
        attempts.into(),
    ]
    .map(harmless)
}

fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    match visible(&cell) {
        shown if shown.starts_with(['=', '+', '-', '@']) => Cow::Owned(format!("'{shown}")),
        Cow::Owned(shown) => Cow::Owned(shown),
        Cow::Borrowed(_) => cell,
    }
}
