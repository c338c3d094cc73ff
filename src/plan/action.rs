//! One thing to do to one account, group or device of one portal.

use serde::{Deserialize, Serialize};

use super::link::Groups;
use crate::directory::Value;

/// An action says *ensure*: doing it twice is harmless.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    pub portal: String,
    pub op: Op,
    /// The account's match key, or the group's `displayName`.
    pub key: String,
    pub subject: Subject,
    /// What differs, attribute by attribute; executing the action means making these so.
    pub changes: Vec<AttributeChange>,
    pub reason: String,
    /// Membership actions only: the accounts' keys, sorted.
    #[serde(default)]
    pub members: Vec<String>,
    /// Device actions only.
    pub device: Option<String>,
    /// A new account only: the groups that membership actions of this plan will put it in. A
    /// target that can make an account with its memberships need not touch it again.
    #[serde(default)]
    pub joins: Groups,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    CreateGroup,
    UpdateGroup,
    CreateAccount,
    AdoptAccount,
    EnableAccount,
    UpdateAccount,
    SetRole,
    AddMembers,
    RemoveMembers,
    UnassignDevices,
    ChangeDevicePolicy,
    RemoveDevices,
    DisableAccount,
    RemoveAccount,
    DeleteGroup,
}

impl Op {
    pub const ALL: [Op; 15] = [
        Op::CreateGroup,
        Op::UpdateGroup,
        Op::CreateAccount,
        Op::AdoptAccount,
        Op::EnableAccount,
        Op::UpdateAccount,
        Op::SetRole,
        Op::AddMembers,
        Op::RemoveMembers,
        Op::UnassignDevices,
        Op::ChangeDevicePolicy,
        Op::RemoveDevices,
        Op::DisableAccount,
        Op::RemoveAccount,
        Op::DeleteGroup,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Op::CreateGroup => "create_group",
            Op::UpdateGroup => "update_group",
            Op::CreateAccount => "create_account",
            Op::AdoptAccount => "adopt_account",
            Op::EnableAccount => "enable_account",
            Op::UpdateAccount => "update_account",
            Op::SetRole => "set_role",
            Op::AddMembers => "add_members",
            Op::RemoveMembers => "remove_members",
            Op::UnassignDevices => "unassign_devices",
            Op::ChangeDevicePolicy => "change_device_policy",
            Op::RemoveDevices => "remove_devices",
            Op::DisableAccount => "disable_account",
            Op::RemoveAccount => "remove_account",
            Op::DeleteGroup => "delete_group",
        }
    }

    /// Whether the action is about a group's members, and so carries them.
    pub fn is_membership(self) -> bool {
        matches!(self, Op::AddMembers | Op::RemoveMembers)
    }

    /// Groups are made before accounts, memberships come when both exist, and what takes
    /// away comes last.
    pub fn phase(self) -> u8 {
        match self {
            Op::CreateGroup | Op::UpdateGroup => 0,
            Op::CreateAccount
            | Op::AdoptAccount
            | Op::EnableAccount
            | Op::UpdateAccount
            | Op::SetRole => 1,
            Op::AddMembers | Op::RemoveMembers => 2,
            Op::UnassignDevices
            | Op::ChangeDevicePolicy
            | Op::RemoveDevices
            | Op::DisableAccount
            | Op::RemoveAccount => 3,
            Op::DeleteGroup => 4,
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Subject {
    pub kind: SubjectKind,
    pub source: String,
    pub id: String,
    pub display: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    User,
    Group,
}

impl SubjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            SubjectKind::User => "user",
            SubjectKind::Group => "group",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttributeChange {
    /// `userName`, `name.givenName`, `role`, `metadata.<key>`, a full URN, …
    pub attribute: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub status: OutcomeStatus,
    pub error: Option<String>,
    pub attempts: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeStatus {
    Done,
    Failed,
    Skipped,
}

impl OutcomeStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeStatus::Done => "done",
            OutcomeStatus::Failed => "failed",
            OutcomeStatus::Skipped => "skipped",
        }
    }
}
