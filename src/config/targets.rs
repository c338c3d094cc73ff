//! `[targets.NAME]`: where portals live.
//!
//! The keys of all kinds are known and checked. A kind that this version cannot write to
//! is refused when the settings are read, not at the first action.

mod scim;

use super::names::TargetName;
use super::section::Section;
use super::words::words;

pub use scim::{
    ActiveStyle, ContentType, DeleteMeans, FilterOps, GroupsWord, Knobs, MatchGroup, MatchUser,
    MemberRemove, OnRemove, Paging, ProfileWord, ReadMembers, RoleAs, ScimTarget, UpdateBy,
};

words! {
    /// The kinds of target the settings know.
    TargetWord {
        /// rosterd's own store, served over REST.
        Local = "local",
        /// A SCIM 2.0 service provider.
        Scim = "scim",
        /// Signed webhooks.
        Events = "events",
        /// Tables in the application's database.
        Postgres = "postgres",
        /// The Applivery REST API.
        Applivery = "applivery",
    }
}

words! {
    /// The shape of events.
    EventFormat {
        /// As Ory Polis sends them.
        Polis = "polis",
        /// Standard Webhooks.
        Standard = "standard",
        /// Both, one after the other.
        Both = "both",
    }
}

/// A target.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// What it is.
    pub kind: TargetKind,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetKind {
    /// rosterd's own store.
    Local,
    /// A SCIM 2.0 service provider.
    Scim(Box<ScimTarget>),
}

impl Target {
    pub(super) fn read(name: TargetName, section: &mut Section) -> Option<Self> {
        let kind = match section.word("kind")? {
            TargetWord::Local => TargetKind::Local,
            TargetWord::Scim => TargetKind::Scim(Box::new(ScimTarget::read(section)?)),
            later @ (TargetWord::Events | TargetWord::Postgres | TargetWord::Applivery) => {
                not_available(section, later.as_str());
                return None;
            }
        };
        Some(Self { name, kind })
    }
}

/// Refuses a kind that is known but cannot be used.
fn not_available(section: &mut Section, kind: &str) {
    let message = format!(
        "'{}': kind '{kind}' is not available in this version",
        section.key("kind")
    );
    section.refuse("kind", message);
}
