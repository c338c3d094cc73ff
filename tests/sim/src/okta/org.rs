//! The people, groups and application of one Okta org.
//!
//! As in the Graph tenant, objects keep their positions and members that leave leave holes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::Event;
use crate::clock::Millis;
use crate::company::people::Person;
use crate::ids;

/// The id of the application.
pub const APP_ID: &str = "0oasimapp";

/// The states of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Staged,
    Provisioned,
    Active,
    Recovery,
    PasswordExpired,
    LockedOut,
    Suspended,
    Deprovisioned,
}

impl Status {
    pub fn text(self) -> &'static str {
        match self {
            Self::Staged => "STAGED",
            Self::Provisioned => "PROVISIONED",
            Self::Active => "ACTIVE",
            Self::Recovery => "RECOVERY",
            Self::PasswordExpired => "PASSWORD_EXPIRED",
            Self::LockedOut => "LOCKED_OUT",
            Self::Suspended => "SUSPENDED",
            Self::Deprovisioned => "DEPROVISIONED",
        }
    }
}

/// No seeded person behind a user; also a hole among members.
pub const NONE: u32 = u32::MAX;

/// One user.
#[derive(Debug)]
pub struct User {
    pub number: u64,
    pub base: u32,
    pub status: Status,
    pub created: Millis,
    pub updated: Millis,
    pub status_changed: Millis,
    /// Status and `lastUpdated` before the last change, while an index may still show them;
    /// nothing before creation.
    pub before: Option<(Millis, Status)>,
    pub gone: bool,
    /// Profile attributes set by hand; `null` takes one away.
    pub patch: Option<Box<Map<String, Value>>>,
}

/// Where a group comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    BuiltIn,
    Okta,
    App,
}

impl GroupKind {
    pub fn text(self) -> &'static str {
        match self {
            Self::BuiltIn => "BUILT_IN",
            Self::Okta => "OKTA_GROUP",
            Self::App => "APP_GROUP",
        }
    }
}

/// One group.
#[derive(Debug)]
pub struct Group {
    pub number: u64,
    pub kind: GroupKind,
    pub created: Millis,
    pub updated: Millis,
    pub membership_updated: Millis,
    pub gone: bool,
    pub profile: Map<String, Value>,
    pub slots: Vec<u32>,
    /// The group of everybody: its members are worked out, never stored.
    pub everyone: bool,
}

impl Group {
    pub fn id(&self) -> String {
        ids::okta_id("00g", self.number)
    }

    pub fn name(&self) -> &str {
        self.profile
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Stored members, deactivated ones included.
    pub fn members(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().copied().filter(|&member| member != NONE)
    }
}

/// Who has the application: user positions in order, and whether directly.
pub type Effective = Vec<(u32, bool)>;

/// The whole org.
#[derive(Debug)]
pub struct Org {
    /// The company's seed, which the people are worked out from.
    pub seed: u64,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub user_by_number: HashMap<u64, u32>,
    pub group_by_number: HashMap<u64, u32>,
    /// Users by `lastUpdated`, for incremental queries.
    pub by_updated: BTreeSet<(Millis, u32)>,
    pub direct: BTreeMap<u32, Millis>,
    pub assigned_groups: Vec<(u32, Millis)>,
    pub log: Vec<Event>,
    pub(super) effective: Mutex<Option<Arc<Effective>>>,
    pub(super) by_login: Mutex<Option<Arc<HashMap<String, u32>>>>,
}

impl Org {
    pub fn empty(seed: u64) -> Self {
        Self {
            seed,
            users: Vec::new(),
            groups: Vec::new(),
            user_by_number: HashMap::new(),
            group_by_number: HashMap::new(),
            by_updated: BTreeSet::new(),
            direct: BTreeMap::new(),
            assigned_groups: Vec::new(),
            log: Vec::new(),
            effective: Mutex::default(),
            by_login: Mutex::default(),
        }
    }

    pub fn person(&self, user: &User) -> Option<Person> {
        (user.base != NONE).then(|| Person::at(self.seed, user.base))
    }

    /// The user with that id or login.
    pub fn find_user(&self, id_or_login: &str) -> Option<u32> {
        let at = match ids::okta_number("00u", id_or_login) {
            Some(number) => self.user_by_number.get(&number).copied(),
            None => self.logins().get(&id_or_login.to_lowercase()).copied(),
        };
        at.filter(|&at| !self.users[at as usize].gone)
    }

    fn logins(&self) -> Arc<HashMap<String, u32>> {
        let mut slot = self
            .by_login
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let map = slot.get_or_insert_with(|| {
            let login = |at: u32| {
                let user = &self.users[at as usize];
                let text = super::profile::text(self, user, "login")?;
                (!user.gone).then(|| (text.to_lowercase(), at))
            };
            Arc::new((0..self.users.len() as u32).filter_map(login).collect())
        });
        Arc::clone(map)
    }

    pub fn forget_logins(&self) {
        *self
            .by_login
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// The group with that id.
    pub fn find_group(&self, id: &str) -> Option<u32> {
        let number = ids::okta_number("00g", id)?;
        self.group_by_number
            .get(&number)
            .copied()
            .filter(|&at| !self.groups[at as usize].gone)
    }

    /// Whether a user shows in plain lists and groups.
    pub fn is_listed(&self, at: u32) -> bool {
        self.users
            .get(at as usize)
            .is_some_and(|user| !user.gone && user.status != Status::Deprovisioned)
    }

    /// Who has the application, worked out anew after a change.
    pub fn effective(&self) -> Arc<Effective> {
        let mut slot = self
            .effective
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let list = slot.get_or_insert_with(|| {
            let mut all: Effective = self.direct.keys().map(|&at| (at, true)).collect();
            for &(group, _) in &self.assigned_groups {
                let group = &self.groups[group as usize];
                if group.everyone {
                    all.extend((0..self.users.len() as u32).map(|at| (at, false)));
                } else {
                    all.extend(group.members().map(|at| (at, false)));
                }
            }
            all.retain(|&(at, _)| self.is_listed(at));
            // A direct assignment sorts before one by group and is the one that is kept.
            all.sort_unstable_by_key(|&(at, direct)| (at, !direct));
            all.dedup_by_key(|(at, _)| *at);
            Arc::new(all)
        });
        Arc::clone(list)
    }

    pub fn forget_effective(&self) {
        *self
            .effective
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}
