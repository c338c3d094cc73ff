//! What a SCIM client pushes, written into the directory: each write one small transaction of
//! the resource, its index, the directory's row and the mark of everybody it concerns. Whoever
//! wrote has the store flushed before it answers; a run then decides what is marked, as for
//! pulled users.
//!
//! `draft` gathers one write, `users` and `groups` know what belongs to it, `read` puts together
//! what is answered, `query` finds, by an `index` where it can. What a resource may look like is
//! decided in [`crate::scim`]; nothing here knows HTTP.

mod draft;
mod groups;
mod index;
mod places;
mod query;
mod read;
mod users;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

pub use query::{DEFAULT_PAGE, MAX_PAGE, Search};
pub use read::{Answer, tag};

use places::Places;

use crate::config::{Scim, ScimLog};
use crate::scim::{Kind, Object, ResourceType, ScimError, Types};
use crate::sources::Finding;
use crate::store::pushed::ResourceRow;
use crate::store::tokens::TokenRow;
use crate::store::{Store, StoreError, Tree};

/// One source's side of the store, for whoever serves its client.
pub struct Inbox {
    pub store: Store,
    pub source: String,
    pub types: Types,
    /// Names of the portals that may have accounts of its users.
    pub portals: Vec<String>,
    /// Where the client finds it all, as in `https://rosterd.example.com/scim/push/v2`.
    pub base: String,
    /// What of the client's requests is remembered.
    pub log: ScimLog,
    places: Places,
    /// When each token was last seen, by id: so that not every request has to look it up.
    tokens_used: Mutex<BTreeMap<String, Timestamp>>,
    /// The tokens, as they were at a count of writes to them.
    tokens_known: Mutex<Option<(u64, Arc<[TokenRow]>)>>,
}

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub id: String,
    /// The resource as it is after this write, whoever writes next.
    pub row: ResourceRow,
    /// Whether anything is different from before. What is not needs no run and no flush.
    pub changed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The client's mistake.
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which versions a change is meant for: one of these. None: any.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IfMatch(pub Option<Vec<u64>>);

impl IfMatch {
    /// Whether this version is one of those.
    pub fn allows(&self, version: u64) -> bool {
        self.0
            .as_ref()
            .is_none_or(|versions| versions.contains(&version))
    }

    fn check(&self, version: u64) -> Result<(), ScimError> {
        match self.allows(version) {
            true => Ok(()),
            false => Err(ScimError::new(
                412,
                "the resource is no longer what it was; read it again",
            )),
        }
    }
}

impl Inbox {
    pub fn new(
        store: Store,
        source: String,
        settings: &Scim,
        portals: Vec<String>,
        base: String,
    ) -> Inbox {
        Inbox {
            store,
            source,
            types: Types::new(&settings.extensions),
            portals,
            base,
            log: settings.log,
            places: Places::default(),
            tokens_used: Mutex::default(),
            tokens_known: Mutex::default(),
        }
    }

    /// The tokens of the source. They are read again whenever one was written, by whomever.
    pub fn tokens(&self) -> Result<Arc<[TokenRow]>, StoreError> {
        let count = self.store.engine().writes_to(Tree::Tokens);
        let mut known = self
            .tokens_known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let (Some(count), Some((then, tokens))) = (count, &*known)
            && *then == count
        {
            return Ok(tokens.clone());
        }
        let tokens: Arc<[TokenRow]> = self.store.tokens(&self.source)?.into();
        *known = count.map(|count| (count, tokens.clone()));
        Ok(tokens)
    }

    /// When a token was last seen, as far as this process knows.
    pub fn token_used(&self, id: &str) -> Option<Timestamp> {
        self.tokens_used().get(id).copied()
    }

    pub fn set_token_used(&self, id: &str, now: Timestamp) {
        self.tokens_used().insert(id.to_owned(), now);
    }

    // A map of times is whole whenever somebody holds it.
    fn tokens_used(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.tokens_used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The line of `rosterd check`.
    pub fn check(&self, now: Timestamp) -> Finding {
        let tokens = match self.store.tokens(&self.source) {
            Ok(tokens) => tokens,
            Err(error) => {
                return Finding {
                    ok: false,
                    text: error.to_string(),
                };
            }
        };
        let good = tokens.iter().filter(|token| !token.is_expired(now)).count();
        let base = &self.base;
        Finding {
            ok: good > 0,
            text: match good {
                0 => format!(
                    "no token opens {base}; make one with 'rosterd token create --source {}'",
                    self.source
                ),
                1 => format!("served at {base}, with one token"),
                good => format!("served at {base}, with {good} tokens"),
            },
        }
    }

    fn kind(&self, kind: Kind) -> &ResourceType {
        self.types.of(kind)
    }
}

fn not_there(kind: Kind) -> PushError {
    ScimError::not_found(format!("there is no such {}", kind.name())).into()
}

/// The attributes of a stored resource.
fn object(json: &str) -> Result<Object, StoreError> {
    serde_json::from_str(json).map_err(|_| {
        StoreError::Codec(crate::store::codec::CodecError::Damaged { what: "resource" })
    })
}
