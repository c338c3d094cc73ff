//! The directory of one Entra ID tenant.
//!
//! Objects never move: each keeps its position for good, also when deleted, and a member that
//! leaves a group leaves a hole. So a page link is just a position, and a walk under way misses
//! nothing however the directory changes meanwhile.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::log::{GroupChange, UserChange};
use super::{fields, group_fields};
use crate::clock::Millis;
use crate::company::people::Person;
use crate::ids::Guid;
use crate::json::Val;

/// The tenant's id.
pub const TENANT_ID: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
/// The tenant's initial domain.
pub const TENANT_DOMAIN: &str = "contoso.onmicrosoft.com";
/// The application id of the enterprise application.
pub const APP_ID: &str = "11111111-2222-3333-4444-555555555555";
/// The object id of its service principal.
pub const APP_OBJECT: Guid = Guid(0x8e88_1353_1735_45af_af21_ee13_4458_2a4d);
/// An app role with a name, beside the default access of all zeros.
pub const APP_ROLE: Guid = Guid(0x5a7c_1b90_22f1_4c0e_9d3b_6f10_aa55_0001);

/// An object of the directory, by kind and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(u32);

/// The kinds of objects that can be members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    User,
    Group,
    Device,
    ServicePrincipal,
}

impl Ref {
    /// A hole where a member was.
    pub const HOLE: Self = Self(u32::MAX);

    pub fn new(kind: Kind, position: u32) -> Self {
        Self((kind as u32) << 28 | position)
    }

    pub fn user(position: u32) -> Self {
        Self::new(Kind::User, position)
    }

    pub fn group(position: u32) -> Self {
        Self::new(Kind::Group, position)
    }

    pub fn kind(self) -> Kind {
        match self.0 >> 28 {
            0 => Kind::User,
            1 => Kind::Group,
            2 => Kind::Device,
            _ => Kind::ServicePrincipal,
        }
    }

    pub fn position(self) -> usize {
        (self.0 & 0x0fff_ffff) as usize
    }
}

impl Kind {
    /// The type as `@odata.type` names it.
    pub fn odata(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::Device => "#microsoft.graph.device",
            Self::ServicePrincipal => "#microsoft.graph.servicePrincipal",
        }
    }
}

/// Whether an object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Present,
    /// In the recycle bin since.
    Binned(Millis),
    Purged,
}

/// No manager, or no seeded person behind a user.
pub const NONE: u32 = u32::MAX;

/// One user: a seeded person, or none, and what was changed by hand.
#[derive(Debug)]
pub struct User {
    pub id: Guid,
    pub base: u32,
    pub manager: u32,
    pub life: Life,
    pub patch: Option<Box<Map<String, Value>>>,
}

/// What a group is, before changes by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    Security,
    Unified,
    Dynamic,
    MailSecurity,
    Distribution,
    Hidden,
}

/// One group.
#[derive(Debug)]
pub struct Group {
    pub id: Guid,
    pub kind: GroupKind,
    pub name: String,
    pub life: Life,
    pub patch: Option<Box<Map<String, Value>>>,
    /// Direct members in order of joining, with holes.
    pub slots: Vec<Ref>,
}

impl Group {
    /// Direct members, holes skipped.
    pub fn members(&self) -> impl Iterator<Item = Ref> + '_ {
        self.slots
            .iter()
            .copied()
            .filter(|&member| member != Ref::HOLE)
    }
}

/// A device or a service principal: only here to be a member.
#[derive(Debug)]
pub struct Thing {
    pub id: Guid,
    pub name: String,
}

/// A principal's assignment to the enterprise application.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub id: String,
    pub principal: Ref,
    pub role: Guid,
    pub created: Millis,
}

/// The whole directory.
#[derive(Debug)]
pub struct Tenant {
    pub seed: u64,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub devices: Vec<Thing>,
    pub principals: Vec<Thing>,
    pub assignments: Vec<Assignment>,
    pub by_id: HashMap<Guid, Ref>,
    pub user_log: Vec<UserChange>,
    pub group_log: Vec<GroupChange>,
    /// Raised to make every delta token given out before void.
    pub token_epoch: u32,
    /// Made when first asked for: sign-in names, lower-cased.
    pub(super) by_name: OnceLock<HashMap<String, u32>>,
}

impl Tenant {
    /// A directory without anybody in it; the enterprise application exists.
    pub fn empty(seed: u64) -> Self {
        let mut tenant = Self {
            seed,
            users: Vec::new(),
            groups: Vec::new(),
            devices: Vec::new(),
            principals: Vec::new(),
            assignments: Vec::new(),
            by_id: HashMap::new(),
            user_log: Vec::new(),
            group_log: Vec::new(),
            token_epoch: 0,
            by_name: OnceLock::new(),
        };
        tenant.add_thing(Kind::ServicePrincipal, APP_OBJECT, "rosterd".to_owned());
        tenant
    }

    pub fn add_thing(&mut self, kind: Kind, id: Guid, name: String) -> Ref {
        let things = match kind {
            Kind::Device => &mut self.devices,
            _ => &mut self.principals,
        };
        let made = Ref::new(kind, things.len() as u32);
        things.push(Thing { id, name });
        self.by_id.insert(id, made);
        made
    }

    /// The object with that id, whatever became of it.
    pub fn find(&self, id: &str) -> Option<Ref> {
        self.by_id.get(&Guid::parse(id)?).copied()
    }

    /// The user with that id or sign-in name, whatever became of them.
    pub fn find_user(&self, id_or_name: &str) -> Option<u32> {
        if let Some(found) = self.find(id_or_name) {
            return (found.kind() == Kind::User).then(|| found.position() as u32);
        }
        self.names().get(&id_or_name.to_lowercase()).copied()
    }

    /// The group with that id, whatever became of it.
    pub fn find_group(&self, id: &str) -> Option<u32> {
        self.find(id)
            .filter(|found| found.kind() == Kind::Group)
            .map(|found| found.position() as u32)
    }

    fn names(&self) -> &HashMap<String, u32> {
        self.by_name.get_or_init(|| {
            (0..self.users.len() as u32)
                .filter(|&at| self.users[at as usize].life != Life::Purged)
                .filter_map(|at| {
                    Some((self.user_text(at, "userPrincipalName")?.to_lowercase(), at))
                })
                .collect()
        })
    }

    pub fn id_of(&self, object: Ref) -> Guid {
        let at = object.position();
        match object.kind() {
            Kind::User => self.users[at].id,
            Kind::Group => self.groups[at].id,
            Kind::Device => self.devices[at].id,
            Kind::ServicePrincipal => self.principals[at].id,
        }
    }

    pub fn life_of(&self, object: Ref) -> Life {
        match object.kind() {
            Kind::User => self.users[object.position()].life,
            Kind::Group => self.groups[object.position()].life,
            Kind::Device | Kind::ServicePrincipal => Life::Present,
        }
    }

    pub fn name_of(&self, object: Ref) -> String {
        let at = object.position();
        match object.kind() {
            Kind::User => self.user_text(at as u32, "displayName").unwrap_or_default(),
            Kind::Group => self
                .group_text(at as u32, "displayName")
                .unwrap_or_default(),
            Kind::Device => self.devices[at].name.clone(),
            Kind::ServicePrincipal => self.principals[at].name.clone(),
        }
    }

    /// The person a user was seeded from.
    pub fn person(&self, user: &User) -> Option<Person> {
        (user.base != NONE).then(|| Person::at(self.seed, user.base))
    }

    /// One property of a user.
    pub fn user_value<'a>(&self, user: &'a User, person: Option<&Person>, field: &str) -> Val<'a> {
        if field == "id" {
            return Val::Text(user.id.to_string().into());
        }
        if let Some(given) = user.patch.as_ref().and_then(|patch| patch.get(field)) {
            return Val::Given(given);
        }
        match (field, user.life) {
            ("deletedDateTime", Life::Binned(at)) => {
                Val::Text(crate::clock::iso_seconds(at).into())
            }
            _ => person.map_or(Val::Unset, |person| fields::seeded(person, field)),
        }
    }

    /// One property of a user as text; nothing if unset or no text.
    pub fn user_text(&self, at: u32, field: &str) -> Option<String> {
        let user = &self.users[at as usize];
        match self.user_value(user, self.person(user).as_ref(), field) {
            Val::Text(text) => Some(text.into_owned()),
            Val::Given(Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// One property of a group.
    pub fn group_value<'a>(&self, group: &'a Group, field: &str) -> Val<'a> {
        if let Some(given) = group.patch.as_ref().and_then(|patch| patch.get(field)) {
            return Val::Given(given);
        }
        group_fields::seeded(group, field)
    }

    /// One property of a group as text.
    pub fn group_text(&self, at: u32, field: &str) -> Option<String> {
        match self.group_value(&self.groups[at as usize], field) {
            Val::Text(text) => Some(text.into_owned()),
            Val::Given(Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// The present manager of a user.
    pub fn manager_of(&self, user: &User) -> Option<u32> {
        (user.manager != NONE && self.users[user.manager as usize].life == Life::Present)
            .then_some(user.manager)
    }
}
