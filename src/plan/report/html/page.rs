//! The page around the tables: head, totals, guard, filter, foot.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::escape::Text;
use super::{CSS, JS, Place, ROWS, content_security_policy};
use crate::plan::report::words::{self, Tone};
use crate::plan::{Head, Op, Plan, SourceStatus, Status};

pub fn top(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let head = &plan.head;
    let actions = words::counted(plan.action_count(), "action");
    let tone = match head.status {
        Status::Planned | Status::Discarded => "calm",
        Status::Applied => "adds",
        Status::PartlyApplied => "changes",
        Status::Held | Status::Failed => "removes",
    };
    write!(
        out,
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta name=color-scheme content=\"light dark\">\n\
         <meta name=robots content=noindex>\n\
         <meta http-equiv=Content-Security-Policy content=\"{policy}\">\n\
         <title>Plan {run}: {actions}</title>\n<style>{CSS}</style>\n\
         <header><p class=brand>rosterd</p>\n\
         <h1>Plan <code>{run}</code></h1>\n\
         <p class=facts><span class=\"pill {tone}\">{status}</span>",
        policy = content_security_policy(),
        run = Text(&head.run),
        status = words::status(head.status),
    )?;
    if head.dry_run {
        out.write_all(b"<span class=pill>dry run</span>")?;
    }
    writeln!(
        out,
        "<span>{}</span><time datetime=\"{}\">{}</time></p>\n<p class=verdict>{}</p></header>\n<main>",
        words::mode(head.mode),
        head.created_at,
        words::time(head.created_at),
        Text(&words::verdict(plan)),
    )?;
    guard(head, out)?;
    warnings(head, out)?;
    totals(head, out)?;
    sources(head, out)?;
    contents(plan, out)?;
    filter(head, out)
}

fn guard(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if !head.guard.held {
        return Ok(());
    }
    out.write_all(b"<section class=\"banner removes\"><h2>Held by the guard</h2><ul>")?;
    for limit in &head.guard.limits {
        write!(out, "<li>{}</li>", Text(&limit.text))?;
    }
    // The sentence has its command between backticks.
    let release = words::release(head);
    let mut parts = release.split('`');
    write!(out, "</ul><p>{}", Text(parts.next().unwrap_or_default()))?;
    if let (Some(command), Some(end)) = (parts.next(), parts.next()) {
        write!(out, "<code>{}</code>{}", Text(command), Text(end))?;
    }
    writeln!(out, "</p></section>")
}

fn warnings(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if head.warnings.is_empty() {
        return Ok(());
    }
    out.write_all(b"<section class=\"banner changes\"><h2>Warnings</h2><ul>")?;
    for warning in &head.warnings {
        write!(out, "<li>{}</li>", Text(warning))?;
    }
    writeln!(out, "</ul></section>")
}

fn totals(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if head.summary.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section class=cards aria-label=Totals>")?;
    for (portal, ops) in &head.summary {
        let total: u64 = ops.values().sum();
        let actions = match total {
            1 => "action",
            _ => "actions",
        };
        write!(
            out,
            "<article class=card><h2>{}</h2><p class=total><b>{}</b> {actions}</p>",
            Text(portal),
            words::number(total),
        )?;
        bar(ops, total, out)?;
        out.write_all(b"<ul>")?;
        for (&op, &count) in ops {
            write!(
                out,
                "<li><span class={tone}><b>{sign}</b></span> {label} <b class=count>{count}</b></li>",
                tone = Tone::of(op).as_str(),
                sign = words::sign(op),
                label = words::label(op),
                count = words::number(count),
            )?;
        }
        writeln!(out, "</ul></article>")?;
    }
    writeln!(out, "</section>")
}

/// How much is added, changed and removed, as one bar.
fn bar(ops: &BTreeMap<Op, u64>, total: u64, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        b"<svg class=bar viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true>",
    )?;
    let mut from = 0;
    for tone in Tone::ALL {
        let here = ops.iter().filter(|(op, _)| Tone::of(**op) == tone);
        let count: u64 = here.map(|(_, count)| count).sum();
        let width = (count as f64 / total.max(1) as f64 * 1000.0).round() as u64;
        if width > 0 {
            let tone = tone.as_str();
            write!(
                out,
                "<rect class={tone} x={from} width={width} height=10 />"
            )?;
        }
        from += width;
    }
    out.write_all(b"</svg>")
}

fn sources(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if head.sources.is_empty() {
        return Ok(());
    }
    out.write_all(b"<section class=sources aria-label=Sources><dl>")?;
    for (name, source) in &head.sources {
        let class = match source.status {
            SourceStatus::Ok => "ok",
            SourceStatus::Failed => "removes",
        };
        let line = words::source_line(source);
        write!(
            out,
            "<div><dt>{}</dt><dd class={class}>{}</dd></div>",
            Text(name),
            Text(&line)
        )?;
    }
    writeln!(out, "</dl></section>")
}

fn contents(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<nav aria-label=Contents>")?;
    for place in Place::all() {
        let total = place.total(plan);
        if total > 0 {
            let (id, title, total) = (place.id(), place.title(), words::number(total));
            write!(out, "<a href=\"#{id}\">{title} <b>{total}</b></a>")?;
        }
    }
    writeln!(out, "</nav>")
}

/// Hidden until the script, without which it does nothing, shows it.
fn filter(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    if head.summary.is_empty() && head.lists.is_empty() {
        return Ok(());
    }
    out.write_all(
        b"<form id=filter role=search hidden>\
          <label>Search <input type=search name=text placeholder=\"name, address, attribute\" autocomplete=off></label>\
          <label>Portal <select name=portal><option value=\"\">all</option>",
    )?;
    for portal in head.summary.keys() {
        write!(out, "<option>{}</option>", Text(portal))?;
    }
    out.write_all(
        b"</select></label><label>Action <select name=op><option value=\"\">all</option>",
    )?;
    let ops: BTreeSet<Op> = head.summary.values().flatten().map(|(&op, _)| op).collect();
    for op in ops {
        let (value, label) = (op.as_str(), words::label(op));
        write!(out, "<option value={value}>{label}</option>")?;
    }
    writeln!(
        out,
        "</select></label><button type=reset>Clear</button><output aria-live=polite></output></form>"
    )
}

pub fn table_top(place: Place, total: u64, applied: bool, out: &mut dyn Write) -> io::Result<()> {
    let (id, title, count) = (place.id(), place.title(), words::number(total));
    write!(
        out,
        "<section class=part id=\"{id}\"><h2>{title} <span class=count>{count}</span>"
    )?;
    let columns: &[&str] = match place {
        Place::Phase(_) if applied => &["Action", "Portal", "Who", "Changes", "Why", "Outcome"],
        Place::Phase(_) => &["Action", "Portal", "Who", "Changes", "Why"],
        Place::List(section) => {
            write!(out, " <small>{}</small>", words::section_title(section).1)?;
            &["Where", "Who", "What"]
        }
    };
    let class = match place {
        Place::Phase(_) if applied => "\"actions applied\"",
        Place::Phase(_) => "actions",
        Place::List(_) => "list",
    };
    write!(out, "</h2><table class={class}><thead><tr>")?;
    for column in columns {
        write!(out, "<th scope=col>{column}</th>")?;
    }
    writeln!(out, "</tr></thead><tbody>")
}

pub fn table_bottom(left_out: u64, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"</tbody></table>")?;
    if left_out > 0 {
        write!(
            out,
            "<p class=more>This page shows the first {}. {} more are in the JSON and CSV reports.</p>",
            words::number(ROWS),
            words::number(left_out),
        )?;
    }
    writeln!(out, "</section>")
}

pub fn bottom(head: &Head, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "</main>\n<footer>Digest of the actions <code>{}</code></footer>\n<script>{JS}</script>\n</html>",
        Text(&head.digest)
    )
}
