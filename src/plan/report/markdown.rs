//! The plan for a ticket or a pull request: a table for each phase and each list.

use std::io::{self, Write};

use super::ReportError;
use super::words::{self, visible};
use crate::plan::{Action, Entry, Head, Outcome, OutcomeStatus, Plan, Section};

/// Members named in a cell. JSON and CSV have all.
const MEMBERS_SHOWN: usize = 20;

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> Result<(), ReportError> {
    let head = &plan.head;
    header(plan, out)?;
    let applied = plan.tally().is_some();
    let mut phase = None;
    let mut section = Section::Actions;
    for row in plan.entries_with_outcomes() {
        match row? {
            (Entry::Action(action), outcome) => {
                if phase != Some(action.op.phase()) {
                    phase = Some(action.op.phase());
                    let title = words::phase_title(action.op.phase());
                    let mut columns = vec!["Portal", "Action", "Who", "Changes", "Why"];
                    columns.extend(applied.then_some("Outcome"));
                    table(out, title, &columns)?;
                }
                action_row(&action, outcome.as_ref(), out)?;
            }
            (entry, _) => {
                let next = entry.section();
                let Some(line) = words::line(entry, head.created_at) else {
                    continue;
                };
                if section != next {
                    section = next;
                    let (title, meaning) = words::section_title(section);
                    let count = head.lists.get(&section).copied().unwrap_or(0);
                    let title = format!("{title} ({}): {meaning}", words::number(count));
                    table(out, &title, &["Where", "Who", "What"])?;
                }
                let cells = [line.place, line.who, line.detail].map(|cell| escaped(&cell));
                writeln!(out, "| {} |", cells.join(" | "))?;
            }
        }
    }
    if !head.warnings.is_empty() {
        writeln!(out, "\n## Warnings\n")?;
    }
    for warning in &head.warnings {
        writeln!(out, "- {}", escaped(warning))?;
    }
    Ok(())
}

fn header(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let head = &plan.head;
    let dry = if head.dry_run { ", dry run" } else { "" };
    writeln!(
        out,
        "# Plan {}\n\n{}{dry}, {}\n\n**{}**",
        escaped(&head.run),
        words::mode(head.mode),
        words::time(head.created_at),
        escaped(&words::verdict(plan)),
    )?;
    guard(head, out)?;
    if !head.sources.is_empty() {
        table(out, "Sources", &["Source", "Read"])?;
    }
    for (name, source) in &head.sources {
        let line = escaped(&words::source_line(source));
        writeln!(out, "| {} | {line} |", escaped(name))?;
    }
    if !head.summary.is_empty() {
        table(out, "Totals", &["Portal", "Action", "Count"])?;
    }
    for (portal, ops) in &head.summary {
        for (&op, &count) in ops {
            let (label, count) = (words::label(op), words::number(count));
            writeln!(out, "| {} | {label} | {count} |", escaped(portal))?;
        }
    }
    Ok(())
}

fn guard(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if !head.guard.held {
        return Ok(());
    }
    writeln!(out, "\n> **Held by the guard**\n>")?;
    for limit in &head.guard.limits {
        writeln!(out, "> - {}", escaped(&limit.text))?;
    }
    writeln!(out, ">\n> {}", words::release(head))
}

fn table(out: &mut dyn Write, title: &str, columns: &[&str]) -> io::Result<()> {
    writeln!(out, "\n## {title}\n\n| {} |", columns.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(columns.len()))
}

fn action_row(action: &Action, outcome: Option<&Outcome>, out: &mut dyn Write) -> io::Result<()> {
    let mut who = escaped(&action.key);
    if let Some(name) = words::display(action) {
        who = format!("{who}<br>{}", escaped(name));
    }
    if let Some(device) = &action.device {
        who = format!("{} of {who}", escaped(device));
    }
    let mut changes: Vec<String> = action
        .changes
        .iter()
        .map(|change| {
            let (before, after) = words::before_and_after(change);
            let attribute = escaped(&change.attribute);
            format!("{attribute}: {} → {}", escaped(&before), escaped(&after))
        })
        .collect();
    changes.extend(members(&action.members));
    write!(
        out,
        "| {} | {} {} | {who} | {} | {} |",
        escaped(&action.portal),
        escaped(&words::sign(action.op).to_string()),
        words::label(action.op),
        changes.join("<br>"),
        escaped(&action.reason),
    )?;
    if let Some(outcome) = outcome {
        let mark = match outcome.status {
            OutcomeStatus::Done => "✓",
            OutcomeStatus::Failed => "✗",
            OutcomeStatus::Skipped => "·",
        };
        match words::mishap(outcome) {
            Some(mishap) => write!(out, " {mark} {} |", escaped(&mishap))?,
            None => write!(out, " {mark} |")?,
        }
    }
    writeln!(out)
}

fn members(keys: &[String]) -> Option<String> {
    let shown: Vec<String> = keys
        .iter()
        .take(MEMBERS_SHOWN)
        .map(|k| escaped(k))
        .collect();
    let count = words::counted(keys.len() as u64, "member");
    let more = match keys.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {} more", words::number(more as u64)),
    };
    (!keys.is_empty()).then(|| format!("{count}: {}{more}", shown.join(", ")))
}

/// The text as itself: no markup, no HTML, no end of the cell.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}
