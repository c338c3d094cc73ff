//! The rows of the page's tables.

use std::io::{self, Write};

use super::escape::Text;
use crate::plan::report::words::{self, Line, Tone};
use crate::plan::{Action, Outcome, OutcomeStatus};

/// Members listed in a row. JSON and CSV have all.
const MEMBERS: usize = 200;

/// A list no longer than this is shown at once.
const OPEN_MEMBERS: usize = 5;

const NOTHING: &[u8] = "<span class=nothing role=img aria-label=nothing>–</span>".as_bytes();

pub fn action_row(
    action: &Action,
    outcome: Option<&Outcome>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(
        out,
        "<tr data-portal=\"{portal}\" data-op=\"{op}\">\
         <td data-label=Action><span class=\"op {tone}\"><b aria-hidden=true>{sign}</b> {label}</span></td>\
         <td data-label=Portal>{portal}</td><td data-label=Who>",
        portal = Text(&action.portal),
        op = action.op.as_str(),
        tone = Tone::of(action.op).as_str(),
        sign = words::sign(action.op),
        label = words::label(action.op),
    )?;
    who(action, out)?;
    out.write_all(b"</td><td data-label=Changes>")?;
    changes(action, out)?;
    write!(
        out,
        "</td><td data-label=Why class=why>{}</td>",
        Text(&action.reason)
    )?;
    if let Some(outcome) = outcome {
        let (class, mark) = match outcome.status {
            OutcomeStatus::Done => ("adds", "✓"),
            OutcomeStatus::Failed => ("removes", "✗"),
            OutcomeStatus::Skipped => ("changes", "·"),
        };
        let status = outcome.status.as_str();
        let said = words::mishap(outcome).unwrap_or_else(|| status.to_owned());
        write!(
            out,
            "<td data-label=Outcome class=outcome><span class=\"mark {class}\" aria-hidden=true>{mark}</span> {}</td>",
            Text(&said)
        )?;
    }
    out.write_all(b"</tr>\n")
}

fn who(action: &Action, out: &mut dyn Write) -> io::Result<()> {
    if let Some(device) = &action.device {
        write!(
            out,
            "<bdi class=name>{}</bdi> <small>of</small> ",
            Text(device)
        )?;
    } else if let Some(name) = words::display(action) {
        write!(out, "<bdi class=name>{}</bdi> ", Text(name))?;
    }
    write!(out, "<bdi class=key>{}</bdi>", Text(&action.key))
}

fn changes(action: &Action, out: &mut dyn Write) -> io::Result<()> {
    if !action.changes.is_empty() {
        out.write_all(b"<ul class=diff>")?;
        for change in &action.changes {
            let (before, after) = words::before_and_after(change);
            write!(
                out,
                "<li><span class=attribute>{}</span> ",
                Text(&change.attribute)
            )?;
            match change.before {
                Some(_) => write!(out, "<del>{}</del>", Text(&before))?,
                None => out.write_all(NOTHING)?,
            }
            out.write_all(" <span class=arrow role=img aria-label=becomes>→</span> ".as_bytes())?;
            match change.after {
                Some(_) => write!(out, "<ins>{}</ins>", Text(&after))?,
                None => out.write_all(NOTHING)?,
            }
            out.write_all(b"</li>")?;
        }
        out.write_all(b"</ul>")?;
    }
    if action.op.is_membership() {
        let count = action.members.len();
        let noun = words::counted(count as u64, "member");
        let open = if count <= OPEN_MEMBERS { " open" } else { "" };
        write!(
            out,
            "<details{open}><summary>{noun}</summary><ul class=members>"
        )?;
        for member in action.members.iter().take(MEMBERS) {
            write!(out, "<li><bdi>{}</bdi></li>", Text(member))?;
        }
        if count > MEMBERS {
            let more = words::number((count - MEMBERS) as u64);
            write!(out, "<li>and {more} more</li>")?;
        }
        out.write_all(b"</ul></details>")?;
    }
    Ok(())
}

pub fn list_row(line: &Line, out: &mut dyn Write) -> io::Result<()> {
    let Line { place, who, detail } = line;
    writeln!(
        out,
        "<tr data-portal=\"{place}\"><td data-label=Where>{place}</td>\
         <td data-label=Who><bdi class=key>{}</bdi></td>\
         <td data-label=What class=why>{}</td></tr>",
        Text(who),
        Text(detail),
        place = Text(place),
    )
}
