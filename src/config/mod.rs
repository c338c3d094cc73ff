//! What an operator can set.
//!
//! Settings come in layers (built-in defaults, files, environment), are checked against
//! one table of keys, and end up as the types here: one file a section. Everything is
//! plain data, loaded once and handed down; nothing here reaches for the network, and
//! secrets are only read when somebody asks for their text.
//!
//! Start with [`load`](load()) for how the layers meet, with `keys/table.rs` for what
//! there is to set, and with `check` for what must fit together.

pub mod duration;
pub mod keys;

mod address;
mod check;
mod defaults;
mod document;
mod environment;
mod filter;
mod fingerprint;
mod kinds;
mod layer;
mod limit;
mod load;
mod log;
mod mapping;
mod names;
mod node;
mod notify;
mod portals;
mod problems;
mod retention;
mod safety;
mod schedule;
mod secret;
mod section;
mod server;
mod show;
mod size;
mod sources;
mod state;
mod targets;
mod validate;
mod words;

use std::collections::BTreeMap;

pub use address::is_loopback;
pub use filter::{Condition, Filter, Glob};
pub use limit::Limit;
pub use load::{FURTHER_FILES, Loaded, MAIN_FILE, load, parse, parse_layers};
pub use log::{Log, LogFormat, LogLevel};
pub use mapping::{Mapping, Template, template_environment};
pub use names::{PortalName, SourceName, TargetName};
pub use notify::{Notify, WebhookError, webhook};
pub use portals::{MatchOn, OnCreate, OnDeactivate, Portal, PortalKind, Role, RoleUpdates};
pub use problems::{Origin, SettingsError, SettingsErrors};
pub use retention::Retention;
pub use safety::Safety;
pub use schedule::{Cron, Schedule};
pub use secret::{MASK, Secret, SecretError, SecretText};
pub use server::{Server, Tls};
pub use show::{ShowFormat, render};
pub use sources::{
    Cloud, Graph, GraphSignIn, Identity, Okta, OktaSignIn, PendingUsers, Pull, Scim, ScimLog,
    Scope, Source, SourceKind,
};
pub use state::State;
pub use targets::{
    ActiveStyle, ContentType, DeleteMeans, FilterOps, GroupsWord, Knobs, MatchGroup, MatchUser,
    MemberRemove, OnRemove, Paging, ProfileWord, ReadMembers, RoleAs, ScimTarget, UpdateBy,
};
pub use targets::{Target, TargetKind};

/// All settings, in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where rosterd keeps what it knows.
    pub state: State,
    /// What the daemon serves.
    pub server: Server,
    /// How much is logged.
    pub log: Log,
    /// How long past runs are kept.
    pub history: Retention,
    /// How long the audit log is kept.
    pub audit: Retention,
    /// Who is told when something needs an eye.
    pub notify: Notify,
    /// What holds a plan.
    pub safety: Safety,
    /// Where people come from.
    pub sources: BTreeMap<SourceName, Source>,
    /// Where portals live.
    pub targets: BTreeMap<TargetName, Target>,
    /// The audiences, and the rules for each.
    pub portals: BTreeMap<PortalName, Portal>,
}
