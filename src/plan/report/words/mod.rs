//! What every format says alike: names of actions and lists, sentences, values, times.

mod sentences;
mod units;
mod visible;

use std::borrow::Cow;

use crate::directory::Value;
use crate::plan::{Action, AttributeChange, Entry, Mode, Op, Section, Status, Subject};

pub use sentences::{mishap, release, source_line, verdict};
pub use units::{countdown, counted, number, time};
pub use visible::{is_hidden, visible};

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
        Mode::Drift => "repair of drift",
    }
}

pub fn status(status: Status) -> &'static str {
    match status {
        Status::Planned => "planned",
        Status::Applied => "applied",
        Status::PartlyApplied => "partly applied",
        Status::Held => "held",
        Status::Discarded => "discarded",
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
