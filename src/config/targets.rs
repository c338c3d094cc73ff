//! `[targets.NAME]`: where portals live.

mod applivery;
mod events;
mod postgres;
mod scim;

use super::names::TargetName;
use super::section::Section;
use super::words::words;

pub use applivery::{Android, Applivery, EmailChange, Policies, UnassignValue};
pub use events::Events;
pub use postgres::Postgres;
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
        /// Both at once: one body that carries both signatures.
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
    /// Signed webhooks.
    Events(Box<Events>),
    /// Tables in the application's database.
    Postgres(Box<Postgres>),
    /// Applivery, through its REST API.
    Applivery(Box<Applivery>),
}

impl Target {
    pub(super) fn read(name: TargetName, section: &mut Section) -> Option<Self> {
        let kind = match section.word("kind")? {
            TargetWord::Local => TargetKind::Local,
            TargetWord::Scim => TargetKind::Scim(Box::new(ScimTarget::read(section)?)),
            TargetWord::Events => TargetKind::Events(Box::new(Events::read(section)?)),
            TargetWord::Postgres => TargetKind::Postgres(Box::new(Postgres::read(section)?)),
            TargetWord::Applivery => TargetKind::Applivery(Box::new(Applivery::read(section)?)),
        };
        Some(Self { name, kind })
    }
}
