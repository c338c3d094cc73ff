//! A portal's and a source's settings, as the rules use them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::attributes::Mapping;
use crate::config::Glob;
pub use crate::config::{MatchOn, OnCreate, PortalKind, RoleUpdates};
use crate::directory::User;
use crate::directory::fold::fold;
use crate::plan::Role;

#[derive(Clone, Debug)]
pub struct Portal {
    pub name: String,
    pub kind: PortalKind,
    pub target: String,
    /// In order of precedence.
    pub sources: Vec<String>,
    pub on_create: OnCreate,
    pub on_deactivate: OnDeactivate,
    pub match_on: MatchOn,
    /// By folded display name.
    pub roles: BTreeMap<String, Role>,
    pub default_role: Option<Role>,
    pub role_updates: RoleUpdates,
    /// How long a deactivation is held back.
    pub grace: SignedDuration,
    pub push: Vec<Glob>,
    pub include: Option<Filter>,
    pub exclude: Option<Filter>,
    pub mapping: Mapping,
    /// Folded keys that are never deactivated.
    pub protect: BTreeSet<String>,
}

impl Portal {
    /// The place of a source in the order of precedence; None when it does not feed this portal.
    pub fn precedence(&self, source: &str) -> Option<usize> {
        self.sources.iter().position(|name| name == source)
    }
}

/// What the rules know of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRules {
    pub name: String,
    /// Only who is assigned to the application is in scope.
    pub assigned_only: bool,
    pub nested_groups: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OnDeactivate {
    Nothing,
    Remove,
    Disable,
    UnassignDevices,
    ChangePolicy(String),
    RemoveUser,
    RemoveUserAndDevices,
}

impl OnDeactivate {
    /// The rule's word in the settings, if it is about devices and so needs a target that has
    /// some.
    pub fn about_devices(&self) -> Option<&'static str> {
        use crate::config::OnDeactivate as Word;
        let word = match self {
            OnDeactivate::UnassignDevices => Word::UnassignDevices,
            OnDeactivate::ChangePolicy(_) => Word::ChangePolicy,
            OnDeactivate::RemoveUserAndDevices => Word::RemoveUserAndDevices,
            OnDeactivate::Nothing
            | OnDeactivate::Remove
            | OnDeactivate::Disable
            | OnDeactivate::RemoveUser => return None,
        };
        Some(word.as_str())
    }
}

/// Every kind of match key.
pub const MATCH_KINDS: [MatchOn; 3] = [MatchOn::Email, MatchOn::UserName, MatchOn::ExternalId];

/// The user's key of one kind, folded; None when the user has none.
pub fn key_of(kind: MatchOn, user: &User) -> Option<String> {
    let text = match kind {
        MatchOn::Email => user.email(),
        MatchOn::UserName => user.user_name.as_deref(),
        MatchOn::ExternalId => Some(user.external_id()),
    };
    text.map(fold).filter(|key| !key.is_empty())
}

/// One side of a portal's filters: it holds when any group or any attribute matches.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub groups: Vec<Glob>,
    /// Attribute name and folded value.
    pub attributes: Vec<(String, String)>,
}

/// Whether one of the globs fits a folded name.
pub fn any_fits(globs: &[Glob], folded_name: &str) -> bool {
    globs.iter().any(|glob| glob.fits_folded(folded_name))
}
