//! What a plan says about itself: the run, its sources, totals, warnings and the guard's word.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::Op;
use super::entry::Section;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    pub run: String,
    pub mode: Mode,
    pub asked: Asked,
    pub dry_run: bool,
    pub created_at: jiff::Timestamp,
    pub status: Status,
    pub sources: BTreeMap<String, SourceReport>,
    /// Actions by portal and op. A membership action counts once here, however many members.
    pub summary: BTreeMap<String, BTreeMap<Op, u64>>,
    /// How many entries each list has.
    pub lists: BTreeMap<Section, u64>,
    pub warnings: Vec<String>,
    pub guard: Guard,
    /// The digest of every action: two plans with one digest would do the same.
    pub digest: String,
}

/// How a run was asked for: what an approval, or a saved plan, asks again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Asked {
    /// None named: every source.
    pub sources: Vec<String>,
    pub full: bool,
    pub users: Vec<String>,
    pub groups: Vec<String>,
}

impl Asked {
    /// Only some users and groups, by name, at once.
    pub fn is_on_demand(&self) -> bool {
        !self.users.is_empty() || !self.groups.is_empty()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Full,
    Incremental,
    OnDemand,
    Push,
    /// No source was asked: what others changed in the targets was mended.
    Drift,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Incremental => "incremental",
            Mode::OnDemand => "on_demand",
            Mode::Push => "push",
            Mode::Drift => "drift",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Planned,
    Applied,
    PartlyApplied,
    Held,
    /// It was held, and somebody said no. Only the history's record says so: the kept plan
    /// stays as it was shown.
    Discarded,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Planned => "planned",
            Status::Applied => "applied",
            Status::PartlyApplied => "partly_applied",
            Status::Held => "held",
            Status::Discarded => "discarded",
            Status::Failed => "failed",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SourceReport {
    pub status: SourceStatus,
    pub users: u64,
    pub groups: u64,
    pub changed_users: u64,
    pub changed_groups: u64,
    pub requests: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceStatus {
    Ok,
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Guard {
    pub held: bool,
    /// The limits that this plan trips, and why.
    pub limits: Vec<Limit>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// `max_deactivations`, `max_group_deletes`, `max_membership_removals`, `empty_source`,
    /// `settings_changed`.
    pub limit: String,
    /// The portal, or the source of an empty one.
    pub scope: String,
    pub count: u64,
    /// What there was before the run.
    pub population: u64,
    /// The highest count that would have passed.
    pub allowed: u64,
    /// The same in one sentence.
    pub text: String,
}
