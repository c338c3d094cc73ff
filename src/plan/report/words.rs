//! What every format says alike: names of actions and lists, sentences, values, times.

use std::borrow::Cow;
use std::fmt::Write;

use crate::directory::Value;
use crate::plan::{
    Action, AttributeChange, Entry, Head, Mode, Op, Outcome, OutcomeStatus, OutcomeTally, Plan,
    Section, SourceReport, SourceStatus, Status, Subject,
};

/// What an action does to what is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tone {
    Adds,
    Changes,
    Removes,
}

impl Tone {
    pub const ALL: [Tone; 3] = [Tone::Adds, Tone::Changes, Tone::Removes];

    /// Also the class in HTML.
    pub fn as_str(self) -> &'static str {
        match self {
            Tone::Adds => "adds",
            Tone::Changes => "changes",
            Tone::Removes => "removes",
        }
    }

    pub fn of(op: Op) -> Tone {
        match op {
            Op::CreateGroup | Op::CreateAccount | Op::AddMembers => Tone::Adds,
            Op::UpdateGroup
            | Op::AdoptAccount
            | Op::EnableAccount
            | Op::UpdateAccount
            | Op::SetRole
            | Op::ChangeDevicePolicy => Tone::Changes,
            Op::RemoveMembers
            | Op::UnassignDevices
            | Op::RemoveDevices
            | Op::DisableAccount
            | Op::RemoveAccount
            | Op::DeleteGroup => Tone::Removes,
        }
    }
}

pub fn sign(op: Op) -> char {
    match op {
        Op::AdoptAccount => '=',
        Op::EnableAccount => '>',
        other => match Tone::of(other) {
            Tone::Adds => '+',
            Tone::Changes => '~',
            Tone::Removes => '-',
        },
    }
}

pub fn label(op: Op) -> &'static str {
    match op {
        Op::CreateGroup => "create group",
        Op::UpdateGroup => "update group",
        Op::CreateAccount => "create account",
        Op::AdoptAccount => "adopt account",
        Op::EnableAccount => "enable account",
        Op::UpdateAccount => "update account",
        Op::SetRole => "set role",
        Op::AddMembers => "add members",
        Op::RemoveMembers => "remove members",
        Op::UnassignDevices => "unassign device",
        Op::ChangeDevicePolicy => "change policy",
        Op::RemoveDevices => "remove device",
        Op::DisableAccount => "disable account",
        Op::RemoveAccount => "remove account",
        Op::DeleteGroup => "delete group",
    }
}

pub fn phase_title(phase: u8) -> &'static str {
    match phase {
        0 => "Groups",
        1 => "Accounts",
        2 => "Memberships",
        3 => "Deactivations",
        _ => "Groups removed",
    }
}

/// The heading of a list, and what it means to be on it.
pub fn section_title(section: Section) -> (&'static str, &'static str) {
    match section {
        Section::Actions => ("Actions", "what is to be done"),
        Section::NeedsRole => ("Needs a role", "the account stands without one"),
        Section::Departed => ("Departed", "the account stays, its user is gone"),
        Section::Returned => ("Returned", "the user of a departed account is back"),
        Section::Pending => ("Pending", "to be deactivated when the grace period ends"),
        Section::Spared => ("Spared", "not deactivated, for a reason"),
        Section::Skipped => ("Skipped", "no account can be made"),
        Section::Conflicts => ("Conflicts", "two users, one key"),
        Section::Quarantined => (
            "Quarantined",
            "a record that could not be read, left as it is",
        ),
    }
}

pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Full => "full run",
        Mode::Incremental => "incremental run",
        Mode::OnDemand => "run on demand",
        Mode::Push => "push",
    }
}

pub fn status(status: Status) -> &'static str {
    match status {
        Status::Planned => "planned",
        Status::Applied => "applied",
        Status::PartlyApplied => "partly applied",
        Status::Held => "held",
        Status::Failed => "failed",
    }
}

/// A line of a list: where, who, and what about it.
pub struct Line {
    pub place: String,
    pub who: String,
    pub detail: String,
}

/// None for an action, which has more to say than a line.
pub fn line(entry: Entry, now: jiff::Timestamp) -> Option<Line> {
    let (place, who, detail) = match entry {
        Entry::Action(_) => return None,
        Entry::NeedsRole { portal, key } => (portal, key, String::new()),
        Entry::Departed { portal, key, cause } => (portal, key, cause),
        Entry::Returned { portal, key, note } => (portal, key, note.unwrap_or_default()),
        Entry::Pending {
            portal,
            key,
            cause,
            due_at,
        } => {
            let left = countdown(now, due_at);
            (
                portal,
                key,
                format!("{cause}; due {left} ({})", time(due_at)),
            )
        }
        Entry::Spared {
            portal,
            key,
            reason,
        } => (portal, key, reason),
        Entry::Skipped {
            portal,
            subject,
            reason,
        } => (portal, named(&subject), reason),
        Entry::Conflict {
            portal,
            key,
            kept,
            dropped,
        } => {
            let detail = format!("{} keeps it, not {}", named(&kept), named(&dropped));
            (portal, key, detail)
        }
        Entry::Quarantined {
            source,
            id,
            reason,
            next_try,
        } => {
            let left = countdown(now, next_try);
            (source, id, format!("{reason}; next try {left}"))
        }
    };
    Some(Line { place, who, detail })
}

/// A person or group that has no key to go by.
pub fn named(subject: &Subject) -> String {
    let Subject {
        kind: _,
        source,
        id,
        display,
    } = subject;
    match display.is_empty() {
        true => format!("{source} {id}"),
        false => format!("{display} ({source} {id})"),
    }
}

/// The subject's name, where it says more than the key.
pub fn display(action: &Action) -> Option<&str> {
    let name = action.subject.display.as_str();
    (!name.is_empty() && name != action.key).then_some(name)
}

pub fn before_and_after(change: &AttributeChange) -> (Cow<'_, str>, Cow<'_, str>) {
    let shown = |value: &Option<Value>| match value {
        None => Cow::Borrowed("–"),
        Some(value) => Cow::Owned(visible(&value.plain()).into_owned()),
    };
    (shown(&change.before), shown(&change.after))
}

/// What became of an action, when it is not simply done.
pub fn mishap(outcome: &Outcome) -> Option<String> {
    let Outcome {
        status,
        error,
        attempts,
    } = outcome;
    let what = match status {
        OutcomeStatus::Done => return None,
        OutcomeStatus::Failed if *attempts > 1 => format!("failed after {attempts} attempts"),
        OutcomeStatus::Failed => "failed".to_owned(),
        OutcomeStatus::Skipped => "skipped".to_owned(),
    };
    Some(match error {
        Some(error) => format!("{what}: {error}"),
        None => what,
    })
}

pub fn source_line(source: &SourceReport) -> String {
    let SourceReport {
        status,
        users,
        groups,
        changed_users,
        changed_groups,
        requests,
        error,
    } = source;
    let requests = counted(*requests, "request");
    match status {
        SourceStatus::Ok => format!(
            "{} ({} changed), {} ({} changed), {requests}",
            counted(*users, "user"),
            number(*changed_users),
            counted(*groups, "group"),
            number(*changed_groups),
        ),
        SourceStatus::Failed => {
            let error = error.as_deref().unwrap_or("no cause was given");
            format!("failed after {requests}: {error}")
        }
    }
}

/// The whole plan in one sentence or two.
pub fn verdict(plan: &Plan) -> String {
    let head = &plan.head;
    let actions = plan.action_count();
    let mut text = match (head.status, plan.tally()) {
        (Status::Held, _) => "Held: nothing was applied.".to_owned(),
        (Status::Planned, _) if actions > 0 => {
            let actions = counted(actions, "action");
            format!("Planned: {actions}. Nothing has been changed yet.")
        }
        (Status::Planned | Status::Applied, _) if actions == 0 => quiet(head),
        (Status::Applied, None) => format!("Applied: {}.", counted(actions, "action")),
        (Status::Failed, None) => "Failed: nothing was applied.".to_owned(),
        (status, tally) => {
            let tally = tally.unwrap_or_default();
            let mut word = self::status(status).to_owned();
            word[..1].make_ascii_uppercase();
            let done = number(tally.done);
            format!(
                "{word}: {done} of {} done{}.",
                counted(actions, "action"),
                rest(tally)
            )
        }
    };
    if plan.tally().is_some_and(|tally| tally.failed > 0) {
        text.push_str(" What failed is kept for the next run.");
    }
    for (name, source) in &head.sources {
        if source.status == SourceStatus::Failed {
            let _ = write!(
                text,
                " {name} could not be read; its people are left as they are."
            );
        }
    }
    text
}

fn rest(tally: OutcomeTally) -> String {
    let part = |count: u64, word: &str| match count {
        0 => String::new(),
        _ => format!(", {} {word}", number(count)),
    };
    part(tally.failed, "failed") + &part(tally.skipped, "skipped")
}

fn quiet(head: &Head) -> String {
    let read = || {
        let sources = head.sources.values();
        sources.filter(|source| source.status == SourceStatus::Ok)
    };
    match (head.sources.len(), read().count()) {
        (0, _) => "Nothing to do.".to_owned(),
        (_, 0) => "No source could be read.".to_owned(),
        _ => format!(
            "Nothing to do for {} and {}.",
            counted(read().map(|source| source.users).sum(), "user"),
            counted(read().map(|source| source.groups).sum(), "group"),
        ),
    }
}

/// How a held plan goes on. A preview keeps nothing that could be released.
pub fn release(head: &Head) -> String {
    match head.dry_run {
        true => "A run that comes to this is held until somebody releases it with \
                 `rosterd approve RUN`."
            .to_owned(),
        false => format!(
            "If all of it is meant, release it with `rosterd approve {}`.",
            head.run
        ),
    }
}

pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long until `then`, in its two largest units: `in 2 d 3 h`.
pub fn countdown(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
    let seconds = then.as_second() - now.as_second();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        _ if seconds <= 0 => "now".to_owned(),
        (0, 0, 0) => format!("in {seconds} s"),
        (0, 0, minutes) => format!("in {minutes} min"),
        (0, hours, 0) => format!("in {hours} h"),
        (0, hours, minutes) => format!("in {hours} h {minutes} min"),
        (days, 0, _) => format!("in {days} d"),
        (days, hours, _) => format!("in {days} d {hours} h"),
    }
}

pub fn counted(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(count))
}

/// `1,234,567`.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whether a character steers what shows it, instead of being shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{E0000}'..='\u{E007F}')
}

/// The text with everything spelled out that would move a cursor, colour a terminal or turn
/// the direction of reading: a name from a directory must not be able to rewrite the report.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_hidden(c) {
            true => spelled.extend(c.escape_default()),
            false => spelled.push(c),
        }
    }
    Cow::Owned(spelled)
}
