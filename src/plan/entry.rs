//! A line of the plan: an action, or something worth knowing about somebody.

use serde::{Deserialize, Serialize};

use super::action::{Action, Subject};

/// The parts of a plan, in the order in which they are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    Actions,
    NeedsRole,
    Departed,
    Returned,
    Pending,
    Spared,
    Skipped,
    Conflicts,
    Quarantined,
}

impl Section {
    /// Everything but the actions.
    pub const LISTS: [Section; 8] = [
        Section::NeedsRole,
        Section::Departed,
        Section::Returned,
        Section::Pending,
        Section::Spared,
        Section::Skipped,
        Section::Conflicts,
        Section::Quarantined,
    ];

    /// The name of the list in the JSON document.
    pub fn as_str(self) -> &'static str {
        match self {
            Section::Actions => "actions",
            Section::NeedsRole => "needs_role",
            Section::Departed => "departed",
            Section::Returned => "returned",
            Section::Pending => "pending",
            Section::Spared => "spared",
            Section::Skipped => "skipped",
            Section::Conflicts => "conflicts",
            Section::Quarantined => "quarantined",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Entry {
    Action(Action),
    /// An account that stands without a role.
    NeedsRole {
        portal: String,
        key: String,
    },
    /// An account that outlives its user, listed in the plan that departed it.
    Departed {
        portal: String,
        key: String,
        cause: String,
    },
    /// A departed account, or one in grace, whose user came back. `note` says what stays as
    /// it is (devices).
    Returned {
        portal: String,
        key: String,
        note: Option<String>,
    },
    /// A deactivation held back for its grace period.
    Pending {
        portal: String,
        key: String,
        cause: String,
        due_at: jiff::Timestamp,
    },
    Spared {
        portal: String,
        key: String,
        reason: String,
    },
    Skipped {
        portal: String,
        subject: Subject,
        reason: String,
    },
    Conflict {
        portal: String,
        key: String,
        kept: Subject,
        dropped: Subject,
    },
    Quarantined {
        source: String,
        id: String,
        reason: String,
        next_try: jiff::Timestamp,
    },
}

impl Entry {
    pub fn section(&self) -> Section {
        match self {
            Entry::Action(_) => Section::Actions,
            Entry::NeedsRole { .. } => Section::NeedsRole,
            Entry::Departed { .. } => Section::Departed,
            Entry::Returned { .. } => Section::Returned,
            Entry::Pending { .. } => Section::Pending,
            Entry::Spared { .. } => Section::Spared,
            Entry::Skipped { .. } => Section::Skipped,
            Entry::Conflict { .. } => Section::Conflicts,
            Entry::Quarantined { .. } => Section::Quarantined,
        }
    }

    /// Bytes that sort as the plan does: section, then for actions phase, portal, key,
    /// subject, device, op. A device comes before the account it belongs to.
    pub fn sort_key(&self) -> Vec<u8> {
        let mut key = begun(self.section());
        let mut text = |part: &str| push_text(&mut key, part);
        match self {
            Entry::Action(action) => return action.sort_key(),
            Entry::NeedsRole { portal, key: k }
            | Entry::Departed { portal, key: k, .. }
            | Entry::Returned { portal, key: k, .. }
            | Entry::Pending { portal, key: k, .. }
            | Entry::Spared { portal, key: k, .. } => {
                text(portal);
                text(k);
            }
            Entry::Skipped {
                portal, subject, ..
            } => {
                text(portal);
                text(&subject.source);
                text(&subject.id);
            }
            Entry::Conflict {
                portal,
                key: k,
                dropped,
                ..
            } => {
                text(portal);
                text(k);
                text(&dropped.source);
                text(&dropped.id);
            }
            Entry::Quarantined { source, id, .. } => {
                text(source);
                text(id);
            }
        }
        key
    }
}

impl Action {
    /// See [`Entry::sort_key`].
    pub fn sort_key(&self) -> Vec<u8> {
        let mut key = begun(Section::Actions);
        key.push(b'0' + self.op.phase());
        key.push(0);
        for part in [
            &*self.portal,
            &self.key,
            &self.subject.id,
            &self.subject.source,
            self.device.as_deref().unwrap_or("\u{10FFFF}"),
        ] {
            push_text(&mut key, part);
        }
        key.push(self.op as u8);
        key
    }
}

fn begun(section: Section) -> Vec<u8> {
    // Most keys fit, a member's address at the end included.
    let mut key = Vec::with_capacity(192);
    key.push(section as u8);
    key
}

/// A NUL inside a text is followed by 0xFF, which UTF-8 never holds; one that ends it is not:
/// "a" stays before "a\0".
fn push_text(key: &mut Vec<u8>, part: &str) {
    for (number, run) in part.as_bytes().split(|byte| *byte == 0).enumerate() {
        if number > 0 {
            key.extend_from_slice(&[0, 0xFF]);
        }
        key.extend_from_slice(run);
    }
    key.push(0);
}
