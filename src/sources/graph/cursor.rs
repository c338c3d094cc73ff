//! Where the next incremental round starts: two delta links, and what they are good for.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::GraphSource;
use crate::directory::Cursor;
use crate::sources::FetchError;

/// Graph keeps a delta token for seven days. A day less leaves room for clocks and for the
/// round itself.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(6 * 24);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
pub struct Position {
    pub users: String,
    pub groups: String,
    /// Tenant and attributes that the links were made for.
    pub made_for: String,
    pub taken_at: Timestamp,
}

impl Position {
    pub fn new(source: &GraphSource, users: String, groups: String, taken_at: Timestamp) -> Self {
        Position {
            users,
            groups,
            made_for: made_for(source),
            taken_at,
        }
    }

    pub fn into_cursor(self) -> Cursor {
        Cursor(serde_json::to_string(&self).expect("a position serialises into memory"))
    }

    /// Reads a cursor; one that cannot be gone on from asks for a full round.
    pub fn read(source: &GraphSource, cursor: &Cursor, now: Timestamp) -> Result<Self, FetchError> {
        let resync = |why: &str| Err(FetchError::Resync(why.to_owned()));
        let Ok(position) = serde_json::from_str::<Position>(&cursor.0) else {
            return resync("the saved position cannot be read");
        };
        if position.made_for != made_for(source) {
            return resync("the tenant or the attributes in use have changed");
        }
        if now.duration_since(position.taken_at) > GOOD_FOR {
            return resync("the saved position is older than six days");
        }
        for link in [&position.users, &position.groups] {
            if source.graph.link("the saved position", link).is_err() {
                return resync("the saved position belongs to another host");
            }
        }
        Ok(position)
    }
}

fn made_for(source: &GraphSource) -> String {
    let text = format!("{}\n{}", source.tenant, source.attributes().fingerprint());
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
