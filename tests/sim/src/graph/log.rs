//! The record of changes that delta queries read.
//!
//! Two logs, only ever appended to; a delta token is a place in one of them. What an object looks
//! like is read from the directory when the page is made, so the log says only what was touched.

use serde_json::{Map, Value};

use super::tenant::Ref;
use crate::clock::Millis;

/// A change of one user.
#[derive(Debug)]
pub struct UserChange {
    pub at: Millis,
    pub user: u32,
    pub what: UserWhat,
}

/// What happened to a user.
#[derive(Debug)]
pub enum UserWhat {
    /// Came, went or came back: shown whatever is selected.
    Whole,
    /// Properties changed; these are their values from before.
    Properties(Box<Map<String, Value>>),
    /// The manager changed from that one, if there was one.
    Manager(Option<u32>),
}

/// A change of one group.
#[derive(Debug)]
pub struct GroupChange {
    pub at: Millis,
    pub group: u32,
    pub what: GroupWhat,
}

/// What happened to a group.
#[derive(Debug)]
pub enum GroupWhat {
    Whole,
    Properties(Box<[String]>),
    Joined(Ref),
    Left(Ref),
}
