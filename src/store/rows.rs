//! What the rows are: how the directory, links and marks are kept, and under which keys.
//!
//! Within a source every user and group has a *number*, given once and never again, so that a
//! membership is four bytes. A user's row holds the numbers of the groups it is directly in;
//! a group's members are in sorted chunks of their own (`members.rs`).

use serde::{Deserialize, Serialize};

use super::codec::KeyWriter;
use crate::directory::{Cursor, Group, User};

/// The version of every row below. A changed row takes the next number and its reader learns
/// both.
pub const VERSION: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RowState {
    Known,
    /// Deleted at the source. Memberships are kept: a restored user comes back with them, and
    /// no source says so again.
    Gone,
    /// Named by a group, not yet seen itself.
    Unseen,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UserRow {
    pub number: u32,
    pub state: RowState,
    pub digest: [u8; 16],
    /// The numbers of the groups that hold this user directly, sorted.
    pub parents: Vec<u32>,
    /// Keys the user had before, under which its accounts may still stand.
    pub old_keys: Vec<String>,
    pub user: User,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupRow {
    pub number: u32,
    pub state: RowState,
    pub parents: Vec<u32>,
    pub group: Group,
}

/// What a source's last complete fetch left behind.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SourceState {
    pub cursor: Option<Cursor>,
    pub next_number: u32,
    pub users: u64,
    pub groups: u64,
    pub last_run: Option<jiff::Timestamp>,
    pub last_full: Option<jiff::Timestamp>,
    pub last_complete: Option<jiff::Timestamp>,
    pub failures: u32,
    pub last_error: Option<String>,
}

/// How many failures in a row quarantine a source: five, so that a bad hour is none yet. It is
/// still tried, and said to need somebody's eye.
pub const QUARANTINED_AFTER: u32 = 5;

impl SourceState {
    /// Why the source is quarantined, if it is.
    pub fn quarantined(&self) -> Option<&str> {
        (self.failures >= QUARANTINED_AFTER)
            .then(|| self.last_error.as_deref().unwrap_or("it could not be read"))
    }
}

/// How a target took what it was told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TargetState {
    /// When it last took something.
    pub last_told: Option<jiff::Timestamp>,
    /// Since when nothing can be told to it.
    pub away_since: Option<jiff::Timestamp>,
    pub last_error: Option<String>,
}

/// Somebody to look at again: an action is owed, a grace period runs, or something was spared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    pub attempts: u32,
    pub last_error: Option<String>,
}

/// A record that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Quarantined {
    pub reason: String,
    pub next_try: jiff::Timestamp,
}

pub fn of_source(source: &str) -> Vec<u8> {
    KeyWriter::new().text(source).finish()
}

/// Users, group ids, quarantine: by source and id.
pub fn by_id(source: &str, id: &str) -> Vec<u8> {
    KeyWriter::new().text(source).text(id).finish()
}

/// Groups and id blocks: by source and number.
pub fn by_number(source: &str, number: u32) -> Vec<u8> {
    KeyWriter::new().text(source).u32(number).finish()
}

/// Member chunks: by source, group and first member.
pub fn chunk(source: &str, group: u32, first: u32) -> Vec<u8> {
    KeyWriter::new().text(source).u32(group).u32(first).finish()
}

/// The users who have a key: by kind, key, source and id.
pub fn holder(kind: &str, key: &str, source: &str, id: &str) -> Vec<u8> {
    KeyWriter::new()
        .text(kind)
        .text(key)
        .text(source)
        .text(id)
        .finish()
}

pub fn holders(kind: &str, key: &str) -> Vec<u8> {
    KeyWriter::new().text(kind).text(key).finish()
}

/// Links, accounts, admins, devices: by portal and key.
pub fn of_portal(portal: &str, key: &str) -> Vec<u8> {
    KeyWriter::new().text(portal).text(key).finish()
}

/// Group links and local groups: by portal, source and the group's number.
pub fn portal_group(portal: &str, source: &str, group: u32) -> Vec<u8> {
    KeyWriter::new()
        .text(portal)
        .text(source)
        .u32(group)
        .finish()
}

/// Marks: by kind (`u` or `g`), source and id.
pub fn mark(kind: u8, source: &str, id: &str) -> Vec<u8> {
    KeyWriter::new().byte(kind).text(source).text(id).finish()
}
