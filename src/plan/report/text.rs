//! The plan for a terminal, like a good diff: a sign in front, what changes under it, why
//! last. In plan order, with a heading for each phase and for each portal in it.

use std::fmt::{self, Display};
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::words::{self, Tone, visible};
use super::{ReportError, Style};
use crate::plan::{Action, Entry, Head, Op, Outcome, OutcomeStatus, Plan, Section, SourceStatus};

/// Wide enough for most addresses; a longer key pushes its line.
const KEY_WIDTH: usize = 32;

/// Members named on the line of a membership action. JSON and CSV have all.
const MEMBERS_SHOWN: usize = 5;

/// A value longer than this many columns is cut.
const VALUE_WIDTH: usize = 100;

pub(super) fn write(plan: &Plan, style: Style, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut text = Text {
        out,
        style,
        phase: None,
        portal: None,
        section: Section::Actions,
    };
    text.header(&plan.head)?;
    for row in plan.entries_with_outcomes() {
        match row? {
            (Entry::Action(action), outcome) => text.action(&action, outcome.as_ref())?,
            (entry, _) => text.listed(&plan.head, entry)?,
        }
    }
    text.warnings(&plan.head)?;
    text.guard(&plan.head)?;
    text.totals(&plan.head)?;
    Ok(writeln!(text.out, "\n{}", visible(&words::verdict(plan)))?)
}

struct Text<'a> {
    out: &'a mut dyn Write,
    style: Style,
    phase: Option<u8>,
    portal: Option<String>,
    section: Section,
}

impl Text<'_> {
    fn header(&mut self, head: &Head) -> io::Result<()> {
        let title = format!("Plan {}", head.run);
        let dry = if head.dry_run { ", dry run" } else { "" };
        writeln!(
            self.out,
            "{}  {}{dry}, {}",
            self.ink(Ink::Bold, &title),
            words::mode(head.mode),
            words::time(head.created_at),
        )?;
        let width = head.sources.keys().map(|name| name.width()).max();
        for (name, source) in &head.sources {
            let ink = match source.status {
                SourceStatus::Ok => Ink::Plain,
                SourceStatus::Failed => Ink::Red,
            };
            let line = words::source_line(source);
            writeln!(
                self.out,
                "  {}  {}",
                Padded(name, width.unwrap_or(0)),
                self.ink(ink, &visible(&line)),
            )?;
        }
        Ok(())
    }

    fn action(&mut self, action: &Action, outcome: Option<&Outcome>) -> io::Result<()> {
        self.place(action)?;
        let ink = match Tone::of(action.op) {
            Tone::Adds => Ink::Green,
            Tone::Changes => Ink::Yellow,
            Tone::Removes => Ink::Red,
        };
        let mark = match outcome.map(|outcome| outcome.status) {
            None => self.ink(Ink::Plain, "  "),
            Some(OutcomeStatus::Done) => self.ink(Ink::Green, "✓ "),
            Some(OutcomeStatus::Failed) => self.ink(Ink::Red, "✗ "),
            Some(OutcomeStatus::Skipped) => self.ink(Ink::Dim, "· "),
        };
        let sign = words::sign(action.op);
        if action.op.is_membership() {
            let (verb, to) = match action.op {
                Op::AddMembers => ("add", "to"),
                _ => ("remove", "from"),
            };
            let count = words::counted(action.members.len() as u64, "member");
            let what = format!("{sign} {verb} {count} {to} \"{}\"", visible(&action.key));
            let who = members(&action.members);
            writeln!(self.out, "  {mark}{}: {who}", self.ink(ink, &what))?;
        } else {
            let label = format!("{sign} {}", words::label(action.op));
            write!(
                self.out,
                "  {mark}{}",
                self.ink(ink, &Padded(&label, label_width(action.op)).to_string())
            )?;
            let key = visible(&action.key);
            match (&action.device, words::display(action)) {
                (Some(device), _) => writeln!(
                    self.out,
                    "  {}  of {key}",
                    Padded(&visible(device), KEY_WIDTH)
                )?,
                (None, Some(name)) => writeln!(
                    self.out,
                    "  {}  {}",
                    Padded(&key, KEY_WIDTH),
                    self.ink(Ink::Dim, &visible(name))
                )?,
                (None, None) => writeln!(self.out, "  {key}")?,
            }
        }
        for change in &action.changes {
            let (before, after) = words::before_and_after(change);
            writeln!(
                self.out,
                "        {}: {} → {}",
                visible(&change.attribute),
                cut(&before),
                cut(&after)
            )?;
        }
        if !action.reason.is_empty() {
            let reason = visible(&action.reason);
            writeln!(self.out, "        {}", self.ink(Ink::Dim, &reason))?;
        }
        if let Some(mishap) = outcome.and_then(words::mishap) {
            let ink = match outcome.map(|outcome| outcome.status) {
                Some(OutcomeStatus::Failed) => Ink::Red,
                _ => Ink::Yellow,
            };
            writeln!(self.out, "        {}", self.ink(ink, &visible(&mishap)))?;
        }
        Ok(())
    }

    /// Writes the headings that an action stands under, where they change.
    fn place(&mut self, action: &Action) -> io::Result<()> {
        let phase = action.op.phase();
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.portal = None;
            self.heading(words::phase_title(phase), "")?;
        }
        if self.portal.as_ref() != Some(&action.portal) {
            writeln!(self.out, "  {}", self.ink(Ink::Bold, &action.portal))?;
            self.portal = Some(action.portal.clone());
        }
        Ok(())
    }

    fn listed(&mut self, head: &Head, entry: Entry) -> io::Result<()> {
        let section = entry.section();
        let Some(line) = words::line(entry, head.created_at) else {
            return Ok(());
        };
        if self.section != section {
            self.section = section;
            let (title, meaning) = words::section_title(section);
            let count = head.lists.get(&section).copied().unwrap_or(0);
            let title = format!("{title} ({})", words::number(count));
            self.heading(&title, meaning)?;
        }
        let who = visible(&line.who);
        let place = format!("{}  ", Padded(&visible(&line.place), 10));
        match line.detail.as_str() {
            "" => writeln!(self.out, "  {place}{who}"),
            detail => writeln!(
                self.out,
                "  {place}{}  {}",
                Padded(&who, KEY_WIDTH),
                visible(detail)
            ),
        }
    }

    fn warnings(&mut self, head: &Head) -> io::Result<()> {
        if !head.warnings.is_empty() {
            self.heading("Warnings", "")?;
        }
        for warning in &head.warnings {
            writeln!(
                self.out,
                "  {} {}",
                self.ink(Ink::Yellow, "!"),
                visible(warning)
            )?;
        }
        Ok(())
    }

    fn guard(&mut self, head: &Head) -> io::Result<()> {
        if !head.guard.held {
            return Ok(());
        }
        writeln!(self.out, "\n{}", self.ink(Ink::Red, "HELD by the guard"))?;
        for limit in &head.guard.limits {
            let sign = self.ink(Ink::Red, "✗");
            writeln!(self.out, "  {sign} {}", visible(&limit.text))?;
        }
        writeln!(self.out, "  {}", visible(&words::release(head)))
    }

    fn totals(&mut self, head: &Head) -> io::Result<()> {
        if head.summary.is_empty() {
            return Ok(());
        }
        self.heading("Totals", "")?;
        let width = head.summary.keys().map(|name| name.width()).max();
        for (portal, ops) in &head.summary {
            let ops: Vec<String> = ops
                .iter()
                .map(|(&op, &count)| format!("{} {}", words::number(count), words::label(op)))
                .collect();
            let portal = Padded(portal, width.unwrap_or(0));
            writeln!(self.out, "  {portal}  {}", ops.join(", "))?;
        }
        Ok(())
    }

    fn heading(&mut self, title: &str, meaning: &str) -> io::Result<()> {
        write!(self.out, "\n{}", self.ink(Ink::Bold, title))?;
        match meaning {
            "" => writeln!(self.out),
            meaning => writeln!(self.out, "  {}", self.ink(Ink::Dim, meaning)),
        }
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match (self.style, ink) {
            (Style::Plain, _) | (_, Ink::Plain) => return text.to_owned(),
            (Style::Coloured, Ink::Bold) => "1",
            (Style::Coloured, Ink::Dim) => "2",
            (Style::Coloured, Ink::Red) => "31",
            (Style::Coloured, Ink::Green) => "32",
            (Style::Coloured, Ink::Yellow) => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[derive(Clone, Copy)]
enum Ink {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// The text, and spaces up to a width in terminal columns.
struct Padded<'a>(&'a str, usize);

impl Display for Padded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let spaces = self.1.saturating_sub(self.0.width());
        write!(f, "{}{:spaces$}", self.0, "")
    }
}

/// The widest label of the phase, with its sign.
fn label_width(op: Op) -> usize {
    let beside = Op::ALL
        .iter()
        .filter(|other| other.phase() == op.phase() && !other.is_membership());
    2 + beside.map(|&op| words::label(op).len()).max().unwrap_or(0)
}

fn members(keys: &[String]) -> String {
    // One more is not worth "and 1 more".
    let shown = match keys.len() {
        all if all <= MEMBERS_SHOWN + 1 => all,
        _ => MEMBERS_SHOWN,
    };
    let names: Vec<_> = keys[..shown].iter().map(|key| visible(key)).collect();
    match keys.len() - shown {
        0 => names.join(", "),
        more => {
            let more = words::number(more as u64);
            format!("{} … and {more} more", names.join(", "))
        }
    }
}

fn cut(text: &str) -> String {
    if text.width() <= VALUE_WIDTH {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() >= VALUE_WIDTH {
            break;
        }
    }
    kept + "…"
}
