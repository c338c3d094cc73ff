//! Where pages of a list begin: after so many, behind a resource, or where a page before ended.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::scim::{Kind, Query, ScimError};

/// Where a page begins.
pub enum Start {
    /// After so many matches.
    Skip(u64),
    /// Behind this resource.
    After(Kind, String),
}

/// How many places in lists are remembered.
const PLACES: usize = 64;

/// Where pages ended, so that the next one of a list without a filter begins there and does not
/// count its way from the start. Good as long as nothing was created or deleted.
#[derive(Default)]
pub struct Places(Mutex<HashMap<(Kind, u64), (Generation, String)>>);

/// The next number, and how many users and groups there are: it changes with each that comes or
/// goes.
type Generation = (u32, u64, u64);

impl Places {
    pub fn get(&self, kind: Kind, start: u64, now: Generation) -> Option<String> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, id) = places.get(&(kind, start))?;
        (*then == now).then(|| id.clone())
    }

    pub fn put(&self, kind: Kind, start: u64, now: Generation, id: &str) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, (then, _)| *then == now);
        if places.len() >= PLACES {
            places.clear();
        }
        places.insert((kind, start), (now, id.to_owned()));
    }
}

/// What a cursor is good for: the same question.
pub fn mark_of(kinds: &[Kind], query: &Query) -> String {
    let asked = format!(
        "{kinds:?}{:?}{:?}{}",
        query.filter, query.sort_by, query.descending
    );
    blake3::hash(asked.as_bytes()).to_hex()[..8].to_owned()
}

pub fn write_cursor(mark: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{mark}{place}"))
}

pub fn read_cursor(cursor: &str, mark: &str) -> Result<Start, ScimError> {
    let wrong = || ScimError::cursor("the cursor is not one of this list's");
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let place = text.strip_prefix(mark)?;
        if let Some(skip) = place.strip_prefix('o') {
            return skip.parse().ok().map(Start::Skip);
        }
        if let Some(id) = place.strip_prefix("iu") {
            return Some(Start::After(Kind::User, id.to_owned()));
        }
        let id = place.strip_prefix("ig")?;
        Some(Start::After(Kind::Group, id.to_owned()))
    };
    read().ok_or_else(wrong)
}
