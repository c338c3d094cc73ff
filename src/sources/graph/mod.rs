//! Microsoft Graph: people, groups and assignments of an Entra ID tenant.
//!
//! `full` reads everything, `delta` what changed, `lookup` what is named. `wire` is what
//! Graph sends, `convert` what it means in the model's words, `client` how a request gets
//! there, `auth` as whom, `errors` what a refusal means. `subscriptions` asks for word of changes,
//! `notice` reads it.
//!
//! Two things Graph does not tell, and that only a full round mends. A group that was
//! restored comes back without its members, like one that was renamed. And a soft-deleted
//! user keeps all memberships without a word, so that they are there when the user returns.

mod assigned;
mod auth;
mod batch;
mod check;
mod client;
mod convert;
mod cursor;
mod delta;
mod errors;
mod full;
mod lookup;
mod members;
pub mod notice;
mod options;
mod output;
mod subscriptions;
mod wire;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

pub use options::{Cloud, Credential, OnProgress, Options, Progress, Scope, Secret};

use self::client::Graph;
use self::convert::Attributes;
use self::errors::{Area, fetch_error};
use crate::directory::{GroupId, Member, User, UserId};
use crate::http::Load;
use crate::sources::{Ask, FetchError, Fetched, Finding, Notifier, Sink, Source};

pub struct GraphSource {
    name: String,
    tenant: String,
    graph: Graph,
    scope: Scope,
    concurrency: usize,
    progress: Option<OnProgress>,
    /// What is asked for; a property that Graph turns out not to have is taken out.
    attributes: RwLock<Arc<Attributes>>,
    /// What the settings name and Graph does not have.
    warnings: RwLock<Vec<String>>,
}

impl GraphSource {
    /// Prepares everything that needs no network.
    pub fn open(options: Options) -> Result<GraphSource, FetchError> {
        let graph = Graph::open(&options).map_err(|error| fetch_error(error, Area::Users))?;
        let (attributes, unknown) = Attributes::of(&options.attributes);
        if let Scope::Assigned { application } = &options.scope
            && !wire::is_guid(application)
        {
            return Err(FetchError::Refused(format!(
                "`application` is {application:?}, which is no app id (8-4-4-4-12 hexadecimal \
                 digits); copy the application (client) id of the enterprise application"
            )));
        }
        Ok(GraphSource {
            name: options.name,
            tenant: options.tenant,
            graph,
            scope: options.scope,
            concurrency: options.concurrency.max(1),
            progress: options.progress,
            attributes: RwLock::new(Arc::new(attributes)),
            warnings: RwLock::new(unknown.iter().map(|name| not_there(name)).collect()),
        })
    }

    fn attributes(&self) -> Arc<Attributes> {
        Arc::clone(
            &self
                .attributes
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes out a property that Graph does not have. False when it was not asked for, and
    /// the complaint is about something else.
    fn drop_property(&self, property: &str) -> bool {
        let Some((fewer, names)) = self.attributes().without(property) else {
            return false;
        };
        *self
            .attributes
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(fewer);
        self.warnings
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(names.iter().map(|name| not_there(name)));
        true
    }
}

fn not_there(name: &str) -> String {
    format!("Graph has no attribute for `{name}`: it counts as absent")
}

#[async_trait]
impl Source for GraphSource {
    async fn fetch(&self, ask: Ask, sink: Sink) -> Result<Fetched, FetchError> {
        let before = self.graph.http.requests();
        let mut fetched = match ask {
            Ask::Full => full::fetch(self, &sink).await?,
            Ask::Since(cursor) => delta::fetch(self, &cursor, &sink).await?,
            Ask::Just { users, groups } => lookup::fetch(self, &users, &groups, &sink).await?,
        };
        fetched.requests = self.graph.http.requests() - before;
        let mut warnings = self.warnings();
        warnings.append(&mut fetched.warnings);
        fetched.warnings = warnings;
        tracing::debug!(
            source.name = self.name,
            requests = fetched.requests,
            "the round is complete"
        );
        Ok(fetched)
    }

    async fn read_users(&self, ids: &[UserId]) -> Result<Vec<User>, FetchError> {
        lookup::read_users(self, ids).await
    }

    async fn group_exists(&self, id: &GroupId) -> Result<bool, FetchError> {
        Ok(lookup::group(self, id.as_str()).await?.is_some())
    }

    async fn read_members(&self, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError> {
        members::read(self, id).await
    }

    async fn read_assigned(&self) -> Result<Vec<Member>, FetchError> {
        Ok(assigned::list(self).await?.unwrap_or_default())
    }

    async fn check(&self) -> Vec<Finding> {
        check::check(self).await
    }

    fn requests(&self) -> u64 {
        self.graph.http.requests()
    }

    fn load(&self) -> Load {
        self.graph.http.load()
    }

    fn notifier(&self) -> Option<&dyn Notifier> {
        Some(self)
    }
}
