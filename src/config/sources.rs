//! `[sources.NAME]`: where people come from. What is common to all kinds stands here,
//! what only one has in `graph`, `okta` and `scim`.

mod graph;
mod okta;
mod scim;

use std::path::PathBuf;
use std::time::Duration;

use super::names::SourceName;
use super::schedule::Schedule;
use super::section::Section;
use super::words::words;
use super::{address, duration};

pub use graph::{Cloud, Graph, GraphSignIn, Identity};
pub use okta::{Okta, OktaSignIn, PendingUsers};
pub use scim::{Scim, ScimLog};

words! {
    /// The kinds of source the settings know.
    SourceWord {
        /// Microsoft Graph: Entra ID.
        Graph = "graph",
        /// The Okta API.
        Okta = "okta",
        /// A client that pushes over SCIM.
        Scim = "scim",
    }
}

words! {
    /// Who is in scope, as one word.
    ScopeWord {
        /// Those assigned to the application.
        Assigned = "assigned",
        /// Everyone.
        All = "all",
    }
}

/// A source.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// What it is, and how to sign in there.
    pub kind: SourceKind,
    /// Who is in scope. Default: `assigned`, which needs `application`.
    pub scope: Scope,
    /// Whether members of groups within groups count. Default: true.
    pub nested_groups: bool,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// Microsoft Graph.
    Graph(Graph),
    /// Okta.
    Okta(Okta),
    /// A client that pushes over SCIM.
    Scim(Scim),
}

/// Who is in scope of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those assigned to this application, directly or through a group.
    Assigned {
        /// Entra: the application (client) id. Okta: the app's id.
        application: String,
    },
    /// The whole directory.
    All,
}

/// When and how gently a source is pulled.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// When changes are fetched, in the source's `timezone`. Default: `5m`.
    pub schedule: Schedule,
    /// When everything is fetched, likewise. Default: `0 0 3 * * *`.
    pub full_schedule: Schedule,
    /// Longest random delay of a start. Default: none, see [`Schedule::default_jitter`].
    pub jitter: Option<Duration>,
    /// Share of the service's rate limit to use, above 0, at most 1. Default: 0.5.
    pub rate_share: f64,
    /// Most requests under way at once. Default: 8.
    pub concurrency: usize,
    /// How long one request may take. Default: 30 s.
    pub timeout: Duration,
    /// Further certificate authorities to trust, PEM. Default: none.
    pub ca_file: Option<PathBuf>,
}

impl Source {
    /// How this source is pulled; none if it is pushed.
    pub fn pull(&self) -> Option<&Pull> {
        match &self.kind {
            SourceKind::Graph(graph) => Some(&graph.pull),
            SourceKind::Okta(okta) => Some(&okta.pull),
            SourceKind::Scim(_) => None,
        }
    }

    pub(super) fn read(name: SourceName, section: &mut Section) -> Option<Self> {
        let kind = match section.word("kind")? {
            SourceWord::Graph => Graph::read(section).map(SourceKind::Graph),
            SourceWord::Okta => Okta::read(section).map(SourceKind::Okta),
            // Whoever is pushed is in scope: the client decides whom it pushes.
            SourceWord::Scim => {
                return Some(Self {
                    name,
                    kind: SourceKind::Scim(Scim::read(section)?),
                    scope: Scope::All,
                    nested_groups: true,
                });
            }
        };
        let scope = Scope::read(section);
        let nested_groups = section.flag("nested_groups");
        Some(Self {
            name,
            kind: kind?,
            scope: scope?,
            nested_groups: nested_groups?,
        })
    }
}

impl Scope {
    fn read(section: &mut Section) -> Option<Self> {
        match (section.word("scope")?, section.text("application")) {
            (ScopeWord::All, _) => Some(Scope::All),
            (ScopeWord::Assigned, Some(application)) => Some(Scope::Assigned { application }),
            (ScopeWord::Assigned, None) => {
                let message = format!(
                    "'{}' must be given when scope is assigned: name the application, or set scope = \"all\"",
                    section.key("application")
                );
                section.lacks(&["application", "scope"], message);
                None
            }
        }
    }
}

impl Pull {
    fn read(section: &mut Section) -> Option<Self> {
        let timeout = section.read("timeout", duration::parse)?;
        if timeout.is_zero() {
            let message = format!("'{}' must be longer than nothing", section.key("timeout"));
            section.refuse("timeout", message);
        }
        let zone = section.read("timezone", address::timezone)?;
        Some(Self {
            schedule: section.word::<Schedule>("schedule")?.in_zone(zone.clone()),
            full_schedule: section.word::<Schedule>("full_schedule")?.in_zone(zone),
            jitter: section.read("jitter", duration::parse),
            rate_share: section.fraction("rate_share")?,
            concurrency: section.count("concurrency")?,
            timeout,
            ca_file: section.path("ca_file"),
        })
    }
}
