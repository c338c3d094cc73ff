//! What a portal's accounts and groups are called in a target that gives names of its own.
//!
//! The links are the truth about who has an account. These rows only spare looking it up.

use serde::{Deserialize, Serialize};

use super::codec::{KeyWriter, encode};
use super::rows::{self, VERSION};
use super::{KeyRange, Op, Store, StoreError, Tree};
use crate::plan::SubjectKind;

/// The object that stands for a user or group in a portal's target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TargetId {
    pub kind: SubjectKind,
    pub source: String,
    /// The user's or group's id at the source.
    pub subject: String,
    /// The object's id at the target.
    pub id: String,
}

impl Store {
    pub fn target_id(
        &self,
        portal: &str,
        kind: SubjectKind,
        source: &str,
        subject: &str,
    ) -> Result<Option<String>, StoreError> {
        let key = place(portal, kind, source, subject);
        let row: Option<TargetId> = self.row(Tree::TargetIds, &key, "target id")?;
        Ok(row.map(|row| row.id))
    }

    /// Every object of a portal that has a name in its target.
    pub fn target_ids(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<TargetId, StoreError>> + '_ {
        let range = KeyRange::prefix(rows::of_source(portal));
        self.scan_rows(Tree::TargetIds, range, "target id")
    }
}

pub fn put_target_id(portal: &str, row: &TargetId) -> Op {
    let key = place(portal, row.kind, &row.source, &row.subject);
    Op::Put(Tree::TargetIds, key, encode(VERSION, row))
}

pub fn delete_target_id(portal: &str, kind: SubjectKind, source: &str, subject: &str) -> Op {
    Op::Delete(Tree::TargetIds, place(portal, kind, source, subject))
}

fn place(portal: &str, kind: SubjectKind, source: &str, subject: &str) -> Vec<u8> {
    let kind = match kind {
        SubjectKind::User => b'u',
        SubjectKind::Group => b'g',
    };
    KeyWriter::new()
        .text(portal)
        .byte(kind)
        .text(source)
        .text(subject)
        .finish()
}
