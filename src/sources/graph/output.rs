//! Where a round's changes go, and what is counted on the way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{GraphSource, Progress};
use crate::directory::Change;
use crate::sources::{FetchError, Sink};

/// Members in one [`Change::Members`].
pub const MEMBERS_AT_ONCE: usize = 1_000;

pub struct Output<'a> {
    source: &'a GraphSource,
    sink: &'a Sink,
    users: AtomicU64,
    groups: AtomicU64,
    /// An object without an id came: somebody may be missing, and nobody can say who.
    pub nameless_users: AtomicBool,
    pub nameless_groups: AtomicBool,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Output<'a> {
    pub fn new(source: &'a GraphSource, sink: &'a Sink) -> Output<'a> {
        Output {
            source,
            sink,
            users: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            nameless_users: AtomicBool::new(false),
            nameless_groups: AtomicBool::new(false),
            warnings: Mutex::new(Vec::new()),
        }
    }

    /// Hands a batch on. Waits while the reader is behind; that it went away ends the round.
    pub async fn send(&self, batch: Vec<Change>) -> Result<(), FetchError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.sink.send(batch).await.map_err(|_| FetchError::Stopped)
    }

    pub fn count(&self, users: usize, groups: usize) {
        let users = self.users.fetch_add(users as u64, Ordering::Relaxed) + users as u64;
        let groups = self.groups.fetch_add(groups as u64, Ordering::Relaxed) + groups as u64;
        if let Some(progress) = &self.source.progress {
            progress(Progress { users, groups });
        }
    }

    pub fn warn(&self, text: String) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(text);
        }
    }

    pub fn into_warnings(self) -> Vec<String> {
        let mut warnings = self.warnings.into_inner().unwrap_or_default();
        for (came, what) in [
            (self.nameless_users, "user"),
            (self.nameless_groups, "group"),
        ] {
            if came.into_inner() {
                warnings.push(format!(
                    "Graph sent a {what} without an id: nobody counts as gone for not being \
                     listed in this run"
                ));
            }
        }
        warnings
    }
}
