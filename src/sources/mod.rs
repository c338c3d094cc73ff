//! Read: where people come from. A source streams what it knows and says when it is done.
//!
//! Everything a vendor calls by its own name stays inside its folder; what comes out is
//! [`Change`]. A round is whole or it is an error: half a picture would look like leavers.

pub mod graph;
mod notify;
pub mod okta;

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::directory::{Change, Collection, Cursor, GroupId, Member, User, UserId};
use crate::http::Load;

pub use crate::finding::Finding;
pub use notify::{Hook, Notifier, Subscribed};

/// What a round is to read.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Everything, to the last page of every collection.
    Full,
    /// What changed since the cursor.
    Since(Cursor),
    /// These, and for a group its members; by key or id, name or id.
    Just {
        users: Vec<String>,
        groups: Vec<String>,
    },
}

/// What a finished round leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Where the next incremental round starts. None after [`Ask::Just`].
    pub cursor: Option<Cursor>,
    /// Collections read to their last page: only in these can absence mean something.
    pub complete: BTreeSet<Collection>,
    pub requests: u64,
    pub warnings: Vec<String>,
}

/// Where a round's changes go, in batches, as they come. Bounded: a slow reader slows the
/// pull and memory stays flat.
pub type Sink = mpsc::Sender<Vec<Change>>;

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The cursor is no longer good (expired, reset, other attributes): only a full round helps.
    #[error("{0}")]
    Resync(String),
    /// A credential, permission, host or setting is wrong. Trying again will not help.
    #[error("{0}")]
    Refused(String),
    /// The service could not be read to the end this time.
    #[error("{0}")]
    Unavailable(String),
    /// The reader went away: the run was cancelled.
    #[error("the run was stopped")]
    Stopped,
}

impl FetchError {
    pub fn worth_retrying(&self) -> bool {
        matches!(self, FetchError::Unavailable(_))
    }
}

#[async_trait]
pub trait Source: Send + Sync {
    /// Reads one round into `sink`. Ok means complete; anything else is to be dropped whole.
    async fn fetch(&self, ask: Ask, sink: Sink) -> Result<Fetched, FetchError>;

    /// Reads users by id, for the second look: those that do not exist are left out.
    async fn read_users(&self, ids: &[UserId]) -> Result<Vec<User>, FetchError>;

    /// Whether a group still exists, for the second look.
    async fn group_exists(&self, id: &GroupId) -> Result<bool, FetchError>;

    /// Reads one group's members to the end; None when the group does not exist.
    async fn read_members(&self, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError>;

    /// Reads the application's assignments to the end, for the second look; asked only where
    /// they decide the scope.
    async fn read_assigned(&self) -> Result<Vec<Member>, FetchError>;

    /// Tests the connection and every permission the settings need.
    async fn check(&self) -> Vec<Finding>;

    /// Requests sent since this source was opened.
    fn requests(&self) -> u64;

    /// How near this source is to what its service allows.
    fn load(&self) -> Load {
        Load::default()
    }

    /// How its service is asked to send word of changes; None where it cannot be.
    fn notifier(&self) -> Option<&dyn Notifier> {
        None
    }
}
