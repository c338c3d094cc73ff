//! Okta: people, groups and assignments over the management API.
//!
//! A full round (`full`) lists everything. An incremental one (`incremental`) asks for what
//! moved, reads the System Log (`log`) for deletions and looks at what it names (`hints`),
//! from a position (`cursor`) that holds only times of Okta's own. `lookup` reads single
//! users and groups, `assigned` who has the application.
//!
//! `client` asks and follows pages; `auth`, `service_app` and `key` sign in; `errors` say what
//! to mend.
//! `wire` holds Okta's words and `convert` ends them: beyond it there is only the model.
//!
//! The group Everyone is a group like any other, in every scope; its members are derived
//! from the users and never read.

mod assigned;
mod auth;
mod check;
mod client;
mod convert;
mod cursor;
mod errors;
mod full;
mod groups;
mod hints;
mod incremental;
mod key;
mod links;
mod log;
mod lookup;
mod members;
mod options;
mod service_app;
mod users;
mod wire;

use async_trait::async_trait;

pub use options::{Credential, Options, Scope};

use crate::directory::{Change, GroupId, Member, User, UserId};
use crate::http::Load;
use crate::sources::{Ask, FetchError, Fetched, Finding, Sink, Source};
use client::Client;
use convert::Reading;

/// One Okta organisation.
pub struct OktaSource {
    options: Options,
    client: Client,
    reading: Reading,
    /// A digest of all that decides what is read: a position taken under another one would
    /// leave out what was not wanted then.
    settings: String,
}

impl OktaSource {
    /// Checks the settings and the key. Nothing is sent yet.
    pub fn open(options: Options) -> Result<OktaSource, FetchError> {
        let client = Client::open(&options)?;
        let reading = Reading::new(&options.attributes, options.pending_users_active);
        let scope = options.scope.application().unwrap_or("all").to_owned();
        let what = [client.base().as_str(), &scope, &reading.fingerprint()].join("\n");
        let settings = blake3::hash(what.as_bytes()).to_hex()[..32].to_owned();
        Ok(OktaSource {
            options,
            client,
            reading,
            settings,
        })
    }
}

#[async_trait]
impl Source for OktaSource {
    async fn fetch(&self, ask: Ask, sink: Sink) -> Result<Fetched, FetchError> {
        let before = self.client.requests();
        let mut fetched = match &ask {
            Ask::Full => self.full(&sink).await,
            Ask::Since(cursor) => self.incremental(cursor, &sink).await,
            Ask::Just { users, groups } => self.just(users, groups, &sink).await,
        }?;
        fetched.requests = self.client.requests() - before;
        Ok(fetched)
    }

    async fn read_users(&self, ids: &[UserId]) -> Result<Vec<User>, FetchError> {
        self.users_by_id(ids).await
    }

    async fn group_exists(&self, id: &GroupId) -> Result<bool, FetchError> {
        Ok(!self.group_deleted(id.as_str()).await?)
    }

    async fn read_members(&self, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError> {
        self.members_of(id).await
    }

    async fn read_assigned(&self) -> Result<Vec<Member>, FetchError> {
        let Some(application) = self.options.scope.application() else {
            return Ok(Vec::new());
        };
        match self.assignments(application).await? {
            Some(assignments) => Ok(assignments.members()),
            None => Err(FetchError::Unavailable(assigned::illegible(application))),
        }
    }

    async fn check(&self) -> Vec<Finding> {
        self.findings().await
    }

    fn requests(&self) -> u64 {
        self.client.requests()
    }

    fn load(&self) -> Load {
        self.client.load()
    }
}

/// Hands a batch over; an error means that nobody wants the round any more.
async fn send(sink: &Sink, changes: Vec<Change>) -> Result<(), FetchError> {
    if changes.is_empty() {
        return Ok(());
    }
    sink.send(changes).await.map_err(|_| FetchError::Stopped)
}
