//! The bearer tokens of SCIM clients. What opens the door is not here: only its hash is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codec::encode;
use super::directory::put_note;
use super::rows::{self, VERSION};
use super::{KeyRange, Op, Store, StoreError, Tree};

/// A token, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// A name for it that is no secret.
    pub id: String,
    /// SHA-256 of the token. It is 256 random bits, so that nothing slower is needed.
    pub hash: [u8; 32],
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
}

impl TokenRow {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

impl Store {
    /// A source's tokens, the oldest first.
    pub fn tokens(&self, source: &str) -> Result<Vec<TokenRow>, StoreError> {
        let range = KeyRange::prefix(rows::of_source(source));
        self.scan_rows(Tree::Tokens, range, "token").collect()
    }

    /// When a token was last used, to the minute.
    pub fn token_last_used(&self, source: &str, id: &str) -> Result<Option<Timestamp>, StoreError> {
        let note = self.note(&used(source, id))?;
        Ok(note.and_then(|at| at.parse().ok()))
    }
}

/// Beside the token's row, so that noting its use never brings a revoked one back.
fn used(source: &str, id: &str) -> String {
    format!("token used {source} {id}")
}

pub fn put_last_used(source: &str, id: &str, at: Timestamp) -> Op {
    put_note(&used(source, id), &at.to_string())
}

pub fn put_token(source: &str, row: &TokenRow) -> Op {
    let key = rows::by_id(source, &row.id);
    Op::Put(Tree::Tokens, key, encode(VERSION, row))
}

pub fn delete_token(source: &str, id: &str) -> Op {
    Op::Delete(Tree::Tokens, rows::by_id(source, id))
}
