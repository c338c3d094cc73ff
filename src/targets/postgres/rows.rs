//! The rows of the tables, and what is made of the directory and of accounts to fill them.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::ids::RowId;
use crate::directory::{User, Value};
use crate::plan::{Account, AttributeChange};
use crate::store::rows::{RowState, UserRow as Known};

/// A user as the directory has it.
#[derive(Clone, PartialEq)]
pub struct UserRow {
    pub directory: String,
    pub idp_id: String,
    pub external_id: Option<String>,
    pub user_name: Option<String>,
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    /// As the source says.
    pub active: bool,
    /// The source has it no longer.
    pub deleted: bool,
    pub attributes: Json,
    pub raw: Json,
}

/// A group that is pushed to a portal, or was.
#[derive(Clone, PartialEq)]
pub struct GroupRow {
    pub directory: String,
    pub idp_id: String,
    pub external_id: String,
    pub name: String,
    pub portals: BTreeSet<String>,
}

/// A user in a group.
#[derive(Clone, PartialEq, Debug)]
pub struct MembershipRow {
    pub direct: bool,
    pub portals: BTreeSet<String>,
}

/// A user's account in one portal.
#[derive(Clone, PartialEq)]
pub struct AccountRow {
    pub key: String,
    pub state: State,
    pub account: Account,
    pub reason: String,
    /// Whose it is, for the events.
    pub directory: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Active,
    Disabled,
    Removed,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Disabled => "disabled",
            State::Removed => "removed",
        }
    }

    pub fn named(name: &str) -> State {
        match name {
            "active" => State::Active,
            "disabled" => State::Disabled,
            _ => State::Removed,
        }
    }
}

impl UserRow {
    pub fn of(directory: &str, known: &Known) -> UserRow {
        let user = &known.user;
        UserRow {
            directory: directory.to_owned(),
            idp_id: user.id.as_str().to_owned(),
            external_id: user.external_id.clone(),
            user_name: user.user_name.clone(),
            email: user.email().map(str::to_owned),
            given_name: user.name.given_name.clone(),
            family_name: user.name.family_name.clone(),
            display_name: user.shown_name(),
            active: user.active,
            deleted: known.state == RowState::Gone,
            attributes: further(user),
            raw: json_of(user.source.iter()),
        }
    }

    fn json(&self) -> Map<String, Json> {
        fields(json!({
            "directory": self.directory, "idp_id": self.idp_id, "external_id": self.external_id,
            "user_name": self.user_name, "email": self.email, "given_name": self.given_name,
            "family_name": self.family_name, "display_name": self.display_name,
            "active": self.active, "deleted": self.deleted, "attributes": self.attributes,
        }))
    }
}

/// What SCIM has a name for and the table no column, under that name.
fn further(user: &User) -> Json {
    let phones = user.phone_numbers.iter();
    let phones: Vec<Json> = phones
        .map(|phone| json!({ "value": phone.value, "type": phone.kind }))
        .collect();
    let addresses = user.addresses.iter();
    let addresses: Vec<Json> = addresses
        .map(|address| {
            given(json!({
                "streetAddress": address.street_address, "locality": address.locality,
                "region": address.region, "postalCode": address.postal_code,
                "country": address.country,
            }))
        })
        .collect();
    given(json!({
        "formatted": user.name.formatted, "userType": user.user_type, "title": user.title,
        "department": user.department, "division": user.division,
        "organization": user.organization, "costCenter": user.cost_center,
        "employeeNumber": user.employee_number, "manager": user.manager,
        "phoneNumbers": phones, "addresses": addresses,
        "preferredLanguage": user.preferred_language, "locale": user.locale,
        "timezone": user.timezone,
    }))
}

/// An object without what is absent.
fn given(object: Json) -> Json {
    let there = |value: &Json| !value.is_null() && value.as_array().is_none_or(|a| !a.is_empty());
    let fields = fields(object).into_iter();
    Json::Object(fields.filter(|(_, value)| there(value)).collect())
}

fn fields(object: Json) -> Map<String, Json> {
    match object {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

pub fn json_of<'a>(values: impl Iterator<Item = (&'a String, &'a Value)>) -> Json {
    let fields = values.map(|(name, value)| (name.clone(), value.to_json()));
    Json::Object(fields.collect())
}

impl GroupRow {
    /// A group of which no portal is left is deleted.
    pub fn is_deleted(&self) -> bool {
        self.portals.is_empty()
    }

    /// What an action says of the group.
    pub fn apply(&mut self, changes: &[AttributeChange]) {
        for change in changes {
            let text = change.after.as_ref().map(Value::plain).unwrap_or_default();
            match change.attribute.as_str() {
                "displayName" => self.name = text,
                "externalId" => self.external_id = text,
                _ => {}
            }
        }
    }

    fn json(&self) -> Map<String, Json> {
        fields(json!({
            "directory": self.directory, "idp_id": self.idp_id, "external_id": self.external_id,
            "name": self.name, "portals": self.portals, "deleted": self.is_deleted(),
        }))
    }
}

impl AccountRow {
    pub fn is_live(&self) -> bool {
        self.state != State::Removed
    }

    /// Whether the other one differs in more than why it is so.
    fn same(&self, other: &AccountRow) -> bool {
        let AccountRow {
            key,
            state,
            account,
            reason: _,
            directory: _,
        } = self;
        *key == other.key && *state == other.state && *account == other.account
    }

    fn json(&self) -> Map<String, Json> {
        let account = &self.account;
        fields(json!({
            "key": self.key, "state": self.state.as_str(),
            "role": account.role.map(|role| role.as_str()),
            "user_name": account.user_name, "email": account.email,
            "display_name": account.display_name, "given_name": account.given_name,
            "family_name": account.family_name, "attributes": json_of(account.attributes.iter()),
            "metadata": json_of(account.metadata.iter()), "reason": self.reason,
        }))
    }
}

/// One row that becomes another, with the event that tells.
pub enum Change<'a> {
    User(RowId, Option<&'a UserRow>, &'a UserRow),
    Group(RowId, Option<&'a GroupRow>, &'a GroupRow),
    Account(&'a str, RowId, Option<&'a AccountRow>, &'a AccountRow),
    /// A membership of which no portal is left goes.
    Membership(
        RowId,
        RowId,
        &'a str,
        Option<&'a MembershipRow>,
        &'a MembershipRow,
    ),
}

impl Change<'_> {
    /// Whether there is anything to write.
    pub fn is_one(&self) -> bool {
        match self {
            Change::User(_, before, after) => *before != Some(after),
            Change::Group(_, before, after) => *before != Some(after),
            Change::Account(_, _, before, after) => before.is_none_or(|before| !before.same(after)),
            Change::Membership(_, _, _, before, after) => match before {
                Some(before) => before != after,
                None => !after.portals.is_empty(),
            },
        }
    }

    /// The type of the event.
    pub fn event(&self) -> &'static str {
        match self {
            Change::User(_, None, _) => "user.created",
            Change::User(_, Some(before), after) if after.deleted && !before.deleted => {
                "user.deleted"
            }
            Change::User(..) => "user.updated",
            Change::Group(_, Some(before), after) if after.is_deleted() && !before.is_deleted() => {
                "group.deleted"
            }
            Change::Group(_, before, _) => match before.filter(|before| !before.is_deleted()) {
                Some(_) => "group.updated",
                None => "group.created",
            },
            Change::Account(_, _, before, after) => {
                match (before.filter(|before| before.is_live()), after.is_live()) {
                    (None, true) => "account.created",
                    (Some(_), true) => "account.updated",
                    (_, false) => "account.removed",
                }
            }
            Change::Membership(_, _, _, None, _) => "group.user_added",
            Change::Membership(_, _, _, _, after) if after.portals.is_empty() => {
                "group.user_removed"
            }
            Change::Membership(..) => "group.user_updated",
        }
    }

    pub fn directory(&self) -> &str {
        match self {
            Change::User(_, _, after) => &after.directory,
            Change::Group(_, _, after) => &after.directory,
            Change::Account(_, _, _, after) => &after.directory,
            Change::Membership(_, _, directory, _, _) => directory,
        }
    }

    /// The user or group it is about.
    pub fn object(&self) -> RowId {
        match self {
            Change::User(id, ..) | Change::Group(id, ..) | Change::Account(_, id, ..) => *id,
            Change::Membership(group, ..) => *group,
        }
    }

    /// What the event says: the row as it is now, and of the row before what is different.
    pub fn payload(&self) -> Json {
        let (mut now, before) = match self {
            Change::User(id, before, after) => {
                let now = with(after.json(), "id", id);
                (now, before.map(UserRow::json))
            }
            Change::Group(id, before, after) => {
                let now = with(after.json(), "id", id);
                (now, before.map(GroupRow::json))
            }
            Change::Account(portal, id, before, after) => {
                let now = with(after.json(), "user_id", id);
                (with(now, "portal", portal), before.map(AccountRow::json))
            }
            Change::Membership(group, user, _, _, after) => {
                let now = json!({
                    "group_id": group.to_string(), "user_id": user.to_string(),
                    "direct": after.direct, "portals": after.portals,
                });
                (fields(now), None)
            }
        };
        if let Some(before) = before {
            let differs = |(name, value): &(String, Json)| now.get(name) != Some(value);
            let previous = before.into_iter().filter(differs).collect();
            now.insert("previous_attributes".to_owned(), Json::Object(previous));
        }
        Json::Object(now)
    }
}

fn with(mut now: Map<String, Json>, name: &str, value: impl ToString) -> Map<String, Json> {
    now.insert(name.to_owned(), Json::String(value.to_string()));
    now
}
