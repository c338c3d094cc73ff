//! Decide: what the directory should mean for a portal. Pure: everything a decision needs is
//! handed in, the time included.
//!
//! `scope` says who is present, `matching` who owns a key, `roles` and `attributes` what an
//! account should look like, `lifecycle` what to do about it, `groups` which groups are
//! pushed. `portal` holds the settings, compiled.

pub mod attributes;
pub mod groups;
pub mod lifecycle;
pub mod matching;
pub mod person;
pub mod portal;
pub mod scope;

pub use lifecycle::{Decision, LinkChange, Situation, decide};
pub use person::{Membership, Person};
pub use portal::{
    Filter, MATCH_KINDS, MatchOn, OnCreate, OnDeactivate, Portal, PortalKind, RoleUpdates,
    SourceRules, key_of,
};
