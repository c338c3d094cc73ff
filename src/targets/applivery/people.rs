//! The three kinds of people that Applivery knows, read into one shape: users of devices,
//! collaborators of the dashboard, employees of the store.
//!
//! Applivery's words stop here. What it does not keep of an account is not read either; see
//! [`Kind::keeps`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::client::Failure;
use crate::directory::Value;
use crate::directory::fold::fold;
use crate::plan::{Account, AttributeChange, Role};
use crate::rules::PortalKind;

/// What a portal's accounts are at Applivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `mdmUser`, of an `mdm` portal.
    DeviceUser,
    /// `collaborator`, of a `dashboard` portal.
    Collaborator,
    /// `employee`, of a `store` portal.
    Employee,
}

/// One of them, as it stands there.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub tags: BTreeSet<String>,
    /// A collaborator's, in Applivery's word: it may be `owner`.
    pub role: Option<String>,
    pub language: Option<String>,
    pub managed_apple_id: Option<String>,
    pub metadata: Map<String, Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: String,
    email: Option<String>,
    name: Option<String>,
    role: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    language: Option<String>,
    managed_apple_id: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Json>>,
    /// Of a collaborator.
    user: Option<Named>,
    /// Of an employee.
    employee: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

impl Kind {
    pub fn of(portal: PortalKind) -> Option<Kind> {
        match portal {
            PortalKind::Mdm => Some(Kind::DeviceUser),
            PortalKind::Dashboard => Some(Kind::Collaborator),
            PortalKind::Store => Some(Kind::Employee),
            PortalKind::Directory => None,
        }
    }

    /// A noun for errors.
    pub fn list_name(self) -> &'static str {
        match self {
            Kind::DeviceUser => "the list of MDM users",
            Kind::Collaborator => "the list of collaborators",
            Kind::Employee => "the list of employees",
        }
    }

    /// Where they are listed. The slash at the end is Applivery's own.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Kind::DeviceUser => &["mdm", "users"],
            Kind::Collaborator => &["collaborators", ""],
            Kind::Employee => &["employees", ""],
        }
    }

    /// Where a new one is posted to.
    pub fn create_path(self) -> &'static [&'static str] {
        match self {
            Kind::Collaborator => &["oem", "users"],
            Kind::DeviceUser | Kind::Employee => self.path(),
        }
    }

    pub fn path_of(self, id: &str) -> Vec<&str> {
        let list = self.path().iter().filter(|part| !part.is_empty());
        list.copied().chain([id]).collect()
    }

    /// Whether an attribute of an account can be written again later, and so stays as it is
    /// given. A collaborator's and an employee's names are their own affair; an address is
    /// fixed everywhere, but someone may find a way to change it.
    pub fn keeps(self, attribute: &str) -> bool {
        match (self, attribute) {
            (_, "email") => true,
            (Kind::DeviceUser, "displayName" | "managedAppleId" | "preferredLanguage") => true,
            (Kind::DeviceUser, _) => attribute.starts_with("metadata."),
            (Kind::Collaborator, "role") => true,
            _ => false,
        }
    }

    /// Whether it has a place for a mapped attribute at all.
    pub fn carries(self, attribute: &str) -> bool {
        let at_creation = match self {
            Kind::DeviceUser => false,
            Kind::Collaborator => matches!(attribute, "name.givenName" | "name.familyName"),
            Kind::Employee => false,
        };
        at_creation || self.keeps(attribute)
    }

    pub fn read(self, json: Json) -> Result<Person, Failure> {
        let wire: Wire = serde_json::from_value(json).map_err(|error| {
            Failure::Away(format!(
                "{} holds something that cannot be read: {error}",
                self.list_name()
            ))
        })?;
        let named = wire.user.or(wire.employee).unwrap_or_default();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Person {
            id: wire.id,
            email: wire.email.or(named.email).unwrap_or_default(),
            name: given(wire.name),
            first_name: given(named.first_name),
            last_name: given(named.last_name),
            tags: wire.tags.unwrap_or_default().into_iter().collect(),
            role: given(wire.role),
            language: given(wire.language),
            managed_apple_id: given(wire.managed_apple_id),
            metadata: wire.metadata.unwrap_or_default(),
        })
    }

    /// What an answer to a creation holds of the new one. Some come wrapped.
    pub fn read_created(self, data: Json) -> Result<Person, Failure> {
        let one = match (self, data) {
            (Kind::Employee, Json::Array(mut all)) if !all.is_empty() => all.swap_remove(0),
            (Kind::Collaborator, Json::Object(mut fields)) => match fields.remove("collaborator") {
                Some(collaborator) => collaborator,
                None => Json::Object(fields),
            },
            (_, data) => data,
        };
        self.read(one)
    }

    /// The body that makes one.
    pub fn create_body(self, account: &Account, tags: &BTreeSet<String>) -> Json {
        let email = account.email.as_deref().unwrap_or_default();
        let mut body = Map::new();
        match self {
            Kind::Employee => body.insert("email".to_owned(), json!([email])),
            _ => body.insert("email".to_owned(), json!(email)),
        };
        if !tags.is_empty() {
            body.insert("tags".to_owned(), json!(tags));
        }
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        };
        match self {
            Kind::Employee => {}
            Kind::Collaborator => {
                put("firstName", account.given_name.as_deref());
                put("lastName", account.family_name.as_deref());
            }
            Kind::DeviceUser => {
                put("name", account.display_name.as_deref());
                let mapped = |name: &str| account.attributes.get(name).map(Value::plain);
                put("language", mapped("preferredLanguage").as_deref());
                put("managedAppleId", mapped("managedAppleId").as_deref());
                if !account.metadata.is_empty() {
                    let metadata = account.metadata.iter();
                    let metadata = metadata.map(|(key, value)| (key.clone(), value.plain().into()));
                    body.insert("metadata".to_owned(), Json::Object(metadata.collect()));
                }
            }
        }
        Json::Object(body)
    }

    /// The body that makes changes so, on one that stands there; None where nothing of them
    /// is kept. Roles and addresses are not among what it writes.
    pub fn update_body(self, person: &Person, changes: &[AttributeChange]) -> Option<Json> {
        if self != Kind::DeviceUser {
            return None;
        }
        let mut body = Map::new();
        let mut metadata = person.metadata.clone();
        for change in changes {
            let after = change.after.as_ref().map(Value::plain);
            let field = match change.attribute.as_str() {
                "displayName" => "name",
                "managedAppleId" => "managedAppleId",
                "preferredLanguage" => "language",
                attribute => {
                    if let Some(key) = attribute.strip_prefix("metadata.") {
                        // Null takes a key away whether what is written is merged with what
                        // was there, or stands in its place: the documentation does not say.
                        metadata.insert(key.to_owned(), after.into());
                        body.insert("metadata".to_owned(), Json::Object(metadata.clone()));
                    }
                    continue;
                }
            };
            body.insert(field.to_owned(), after.into());
        }
        (!body.is_empty()).then_some(Json::Object(body))
    }
}

impl Person {
    /// The match key it stands under.
    pub fn key(&self) -> String {
        fold(&self.email)
    }

    /// The owner of the organization is never touched.
    pub fn is_owner(&self) -> bool {
        self.role.as_deref() == Some("owner")
    }

    pub fn account(&self) -> Account {
        let metadata = self.metadata.iter();
        let mut attributes = BTreeMap::new();
        for (name, text) in [
            ("preferredLanguage", &self.language),
            ("managedAppleId", &self.managed_apple_id),
        ] {
            if let Some(text) = text {
                attributes.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        Account {
            user_name: None,
            email: Some(self.email.clone()),
            display_name: self.name.clone(),
            given_name: self.first_name.clone(),
            family_name: self.last_name.clone(),
            // There is no other state.
            active: true,
            role: match self.is_owner() {
                // Who may do everything counts as such.
                true => Some(Role::Admin),
                false => self.role.as_deref().and_then(|role| role.parse().ok()),
            },
            attributes,
            metadata: metadata
                .filter_map(|(key, value)| {
                    let value = Value::from_json(value.clone())?;
                    Some((key.clone(), Value::Text(value.plain())))
                })
                .collect(),
        }
    }
}

/// A collaborator without a role has the one that grants nothing.
pub fn role_word(role: Option<Role>) -> &'static str {
    role.unwrap_or(Role::Unassigned).as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(attribute: &str, after: Option<&str>) -> AttributeChange {
        AttributeChange {
            attribute: attribute.to_owned(),
            before: None,
            after: after.map(Value::from),
        }
    }

    fn ana() -> Person {
        let json = json!({
            "id": "0123456789abcdef01234567", "email": "Ana@acme.test", "name": "Ana",
            "tags": ["devs"], "metadata": {"code": 77, "gone": null, "theirs": "x"},
            "apple": {"devices": 1},
        });
        Kind::DeviceUser.read(json).unwrap()
    }

    #[test]
    fn each_kind_is_read_from_its_own_shape() {
        let person = ana();
        assert_eq!(person.key(), "ana@acme.test");
        let account = person.account();
        assert_eq!(account.display_name.as_deref(), Some("Ana"));
        assert_eq!(account.metadata["code"].plain(), "77");
        assert!(!account.metadata.contains_key("gone"));
        let user = json!({"email": "bo@acme.test", "firstName": "Bo", "lastName": ""});
        let wrapped = json!({"collaborator": {"id": "c", "role": "owner", "user": user}});
        let owner = Kind::Collaborator.read_created(wrapped).unwrap();
        assert!(owner.is_owner());
        assert_eq!(owner.account().role, Some(Role::Admin));
        assert_eq!(owner.first_name.as_deref(), Some("Bo"));
        assert_eq!(owner.last_name, None);
        let employees = json!([{"id": "e", "employee": {"email": "cy@acme.test"}, "tags": null}]);
        let employee = Kind::Employee.read_created(employees).unwrap();
        assert_eq!(employee.email, "cy@acme.test");
    }

    #[test]
    fn what_others_keep_in_the_metadata_is_written_back() {
        let changes = [
            change("metadata.code", None),
            change("metadata.badge", Some("7")),
            change("title", Some("x")),
        ];
        let body = Kind::DeviceUser.update_body(&ana(), &changes).unwrap();
        assert_eq!(
            body,
            json!({"metadata": {"badge": "7", "code": null, "gone": null, "theirs": "x"}})
        );
    }

    #[test]
    fn a_change_of_what_is_not_kept_needs_no_request() {
        let changes = [change("displayName", Some("Bo")), change("title", None)];
        assert!(Kind::Collaborator.update_body(&ana(), &changes).is_none());
        assert!(
            Kind::DeviceUser
                .update_body(&ana(), &changes[1..])
                .is_none()
        );
        assert_eq!(
            Kind::DeviceUser.update_body(&ana(), &changes).unwrap(),
            json!({"name": "Bo"})
        );
    }

    #[test]
    fn a_new_one_carries_what_its_kind_has_a_place_for() {
        let account = Account {
            email: Some("ana@acme.test".to_owned()),
            display_name: Some("Ana Ruiz".to_owned()),
            given_name: Some("Ana".to_owned()),
            metadata: [("n".to_owned(), Value::Integer(3))].into(),
            ..Account::default()
        };
        let tags = ["devs".to_owned()].into();
        assert_eq!(
            Kind::DeviceUser.create_body(&account, &tags),
            json!({"email": "ana@acme.test", "name": "Ana Ruiz", "tags": ["devs"],
                   "metadata": {"n": "3"}})
        );
        assert_eq!(
            Kind::Collaborator.create_body(&account, &BTreeSet::new()),
            json!({"email": "ana@acme.test", "firstName": "Ana"})
        );
        assert_eq!(
            Kind::Employee.create_body(&account, &BTreeSet::new()),
            json!({"email": ["ana@acme.test"]})
        );
    }
}
