//! `[portals.NAME]`: one audience of a target, and the rules for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::duration;
use super::filter::{Filter, Glob};
use super::mapping::Mapping;
use super::names::{PortalName, SourceName, TargetName};
use super::section::Section;
use super::words::words;

words! {
    /// The kind of a portal.
    PortalKind {
        /// Enterprise Store: employees.
        Store = "store",
        /// Collaborators with roles.
        Dashboard = "dashboard",
        /// Users with devices under policies.
        Mdm = "mdm",
        /// Plain users and groups.
        Directory = "directory",
    }
}

words! {
    /// What tells that an account and a user are the same.
    MatchOn {
        /// The email address.
        Email = "email",
        /// The login.
        UserName = "userName",
        /// The source's id of a pulled user, the client's `externalId` of a pushed one.
        ExternalId = "externalId",
    }
}

words! {
    /// What happens when a user comes into scope.
    OnCreate {
        /// No account is made; one that exists is adopted.
        Nothing = "nothing",
        /// An account is made.
        Create = "create",
    }
}

words! {
    /// What happens when a user is no longer present. The kind of the portal decides which
    /// are possible.
    OnDeactivate {
        /// The account stays as it is.
        Nothing = "nothing",
        /// The account is removed.
        Remove = "remove",
        /// The account is disabled.
        Disable = "disable",
        /// The user's devices are unassigned and stay enrolled.
        UnassignDevices = "unassign_devices",
        /// The user's devices come under the portal's `policy`.
        ChangePolicy = "change_policy",
        /// The devices are unassigned, then the user is removed.
        RemoveUser = "remove_user",
        /// The devices are removed, then the user.
        RemoveUserAndDevices = "remove_user_and_devices",
    }
}

words! {
    /// A dashboard role. The order is the order of power, least first.
    Role {
        /// No access yet.
        Unassigned = "unassigned",
        /// Reads.
        Viewer = "viewer",
        /// Reads and writes; shown as Developer / Editor.
        Editor = "editor",
        /// Everything.
        Admin = "admin",
    }
}

words! {
    /// When a role is decided.
    RoleUpdates {
        /// Once, when the account is made.
        Initial = "initial",
        /// In every run, from the groups.
        Continuous = "continuous",
    }
}

/// The role map of a dashboard that gives none.
pub(super) const DEFAULT_ROLES: [(&str, Role); 4] = [
    ("applivery-admin", Role::Admin),
    ("applivery-editor", Role::Editor),
    ("applivery-viewer", Role::Viewer),
    ("applivery-unassigned", Role::Unassigned),
];

/// A portal.
#[derive(Clone, Debug, PartialEq)]
pub struct Portal {
    /// Its name.
    pub name: PortalName,
    /// What it is.
    pub kind: PortalKind,
    /// The target it lives in.
    pub target: TargetName,
    /// The sources that feed it, the first before the later ones; each once.
    pub sources: Vec<SourceName>,
    /// What tells that an account and a user are the same. Default: `email`.
    pub match_on: MatchOn,
    /// What happens when a user comes into scope. Default: `create`.
    pub on_create: OnCreate,
    /// What happens when a user is no longer present. Default: `nothing`.
    pub on_deactivate: OnDeactivate,
    /// The policy of `change_policy`; given then and only then.
    pub policy: Option<String>,
    /// Grace before a deactivation. Default: none.
    pub deactivate_after: Duration,
    /// Role of a new account without a mapped group. Default: none.
    pub default_role: Option<Role>,
    /// When a role is decided. Default: `initial`.
    pub role_updates: RoleUpdates,
    /// Role by group display name, as written. Default for a dashboard: the four
    /// `applivery-*` groups; always empty for other kinds.
    pub roles: BTreeMap<String, Role>,
    /// The pushed groups. Default: all.
    pub push: Vec<Glob>,
    /// Who is let in. Default: everyone.
    pub include: Filter,
    /// Who is kept out. Default: nobody.
    pub exclude: Filter,
    /// What fills which attribute, by target attribute. Default: none.
    pub attributes: BTreeMap<String, Mapping>,
}

impl PortalKind {
    /// What `on_deactivate` may be for this kind.
    pub fn allowed_on_deactivate(self) -> &'static [OnDeactivate] {
        use OnDeactivate::{
            ChangePolicy, Disable, Nothing, Remove, RemoveUser, RemoveUserAndDevices,
            UnassignDevices,
        };
        match self {
            PortalKind::Store | PortalKind::Dashboard => &[Nothing, Remove],
            PortalKind::Mdm => &[
                Nothing,
                UnassignDevices,
                ChangePolicy,
                RemoveUser,
                RemoveUserAndDevices,
            ],
            PortalKind::Directory => &[Nothing, Disable, Remove],
        }
    }
}

impl Portal {
    pub(super) fn read(name: PortalName, section: &mut Section) -> Option<Self> {
        let kind: PortalKind = section.word("kind")?;
        let on_deactivate = section.word("on_deactivate")?;
        check_deactivation(kind, on_deactivate, section);
        let sources = sources(section);
        Some(Self {
            name,
            kind,
            target: section.word("target")?,
            sources,
            match_on: section.word("match_on")?,
            on_create: section.word("on_create")?,
            on_deactivate,
            policy: section.text("policy"),
            deactivate_after: section.read("deactivate_after", duration::parse)?,
            default_role: section.word("default_role"),
            role_updates: section.word("role_updates").unwrap_or(RoleUpdates::Initial),
            roles: roles(section),
            push: section.list("groups.push"),
            include: filter(section, "include.groups", "include.attributes"),
            exclude: filter(section, "exclude.groups", "exclude.attributes"),
            attributes: attributes(section),
        })
    }
}

fn check_deactivation(kind: PortalKind, chosen: OnDeactivate, section: &mut Section) {
    let allowed = kind.allowed_on_deactivate();
    let key = section.key("on_deactivate");
    if !allowed.contains(&chosen) {
        let allowed: Vec<_> = allowed.iter().map(|word| word.as_str()).collect();
        let message = format!(
            "'{key}' cannot be '{chosen}' on a portal of kind {kind}: use {}",
            allowed.join(", ")
        );
        section.refuse("on_deactivate", message);
    } else if kind == PortalKind::Mdm {
        let policy = section.key("policy");
        match (chosen, section.gives("policy")) {
            (OnDeactivate::ChangePolicy, false) => {
                let message = format!("'{key}' is change_policy, which needs '{policy}'");
                section.refuse("on_deactivate", message);
            }
            (OnDeactivate::ChangePolicy, true) | (_, false) => {}
            (_, true) => {
                let message = format!(
                    "'{policy}' is for on_deactivate = \"change_policy\", and '{key}' is '{chosen}'"
                );
                section.refuse("policy", message);
            }
        }
    }
}

fn sources(section: &mut Section) -> Vec<SourceName> {
    let mut sources: Vec<SourceName> = Vec::new();
    let given: Vec<SourceName> = section.list("sources");
    if given.is_empty() && section.value("sources").is_some() {
        let message = format!("'{}' names no source", section.key("sources"));
        section.refuse("sources", message);
    }
    for source in given {
        if sources.contains(&source) {
            let message = format!("'{}' names '{source}' twice", section.key("sources"));
            section.refuse("sources", message);
        } else {
            sources.push(source);
        }
    }
    sources
}

fn roles(section: &Section) -> BTreeMap<String, Role> {
    let table = section.table("roles").into_iter().flatten();
    table
        .filter_map(|(group, role)| Some((group.clone(), role.as_str()?.parse().ok()?)))
        .collect()
}

fn filter(section: &Section, groups: &str, attributes: &str) -> Filter {
    Filter {
        groups: section.list(groups),
        attributes: section.list(attributes),
    }
}

fn attributes(section: &Section) -> BTreeMap<String, Mapping> {
    let table = section.table("attributes").into_iter().flatten();
    table
        .filter_map(|(name, value)| Some((name.clone(), mapping(value)?)))
        .collect()
}

fn mapping(value: &Value) -> Option<Mapping> {
    if let Some(attribute) = value.as_str() {
        return Some(Mapping::From {
            attribute: attribute.to_owned(),
            default: None,
        });
    }
    let default = value.get("default").cloned();
    if let Some(constant) = value.get("constant") {
        return Some(Mapping::Constant(constant.clone()));
    }
    if let Some(attribute) = value.get("from").and_then(Value::as_str) {
        return Some(Mapping::From {
            attribute: attribute.to_owned(),
            default,
        });
    }
    let template = value.get("template")?.as_str()?.parse().ok()?;
    Some(Mapping::Template { template, default })
}
