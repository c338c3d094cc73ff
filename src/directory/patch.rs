//! What an incremental round says about a user: some attributes, the others left alone.
//!
//! Attributes are named as in the model, sub-attributes with a dot: `name.givenName`,
//! `emails.work`, `phoneNumbers.mobile`, `addresses.locality`, `source.<name>`. A value of
//! `None` clears.

use std::collections::BTreeMap;

use super::ids::UserId;
use super::user::{Address, Email, PhoneNumber, User};
use super::value::Value;

#[derive(Clone, PartialEq, Debug)]
pub struct UserPatch {
    pub id: UserId,
    pub set: BTreeMap<String, Option<Value>>,
}

impl UserPatch {
    /// Applies the patch to what was known, or to an empty user. A name that the model does
    /// not have is kept under `source`, so that nothing a source says is lost.
    pub fn onto(self, known: Option<User>) -> User {
        let mut user = known.unwrap_or_else(|| User::new(self.id.clone()));
        for (attribute, value) in self.set {
            set(&mut user, &attribute, value);
        }
        user
    }
}

fn set(user: &mut User, attribute: &str, value: Option<Value>) {
    let text = |value: Option<Value>| value.map(|value| value.plain());
    match attribute {
        "externalId" => user.external_id = text(value),
        "userName" => user.user_name = text(value),
        "name.givenName" => user.name.given_name = text(value),
        "name.familyName" => user.name.family_name = text(value),
        "name.formatted" => user.name.formatted = text(value),
        "displayName" => user.display_name = text(value),
        "active" => user.active = value == Some(Value::Bool(true)),
        "userType" => user.user_type = text(value),
        "title" => user.title = text(value),
        "department" => user.department = text(value),
        "division" => user.division = text(value),
        "organization" => user.organization = text(value),
        "costCenter" => user.cost_center = text(value),
        "employeeNumber" => user.employee_number = text(value),
        "manager" => user.manager = text(value),
        "preferredLanguage" => user.preferred_language = text(value),
        "locale" => user.locale = text(value),
        "timezone" => user.timezone = text(value),
        _ => match attribute.split_once('.') {
            Some(("emails", kind)) => set_email(user, kind, text(value)),
            Some(("phoneNumbers", kind)) => set_phones(user, kind, value),
            Some(("addresses", part)) => set_address(user, part, text(value)),
            Some(("source", name)) => set_source(user, name, value),
            _ => set_source(user, attribute, value),
        },
    }
}

fn set_source(user: &mut User, name: &str, value: Option<Value>) {
    match value {
        Some(value) => user.source.insert(name.to_owned(), value),
        None => user.source.remove(name),
    };
}

/// The pulled sources know one address, which is the primary.
fn set_email(user: &mut User, kind: &str, value: Option<String>) {
    user.emails
        .retain(|email| email.kind.as_deref() != Some(kind));
    if let Some(value) = value {
        user.emails.insert(
            0,
            Email {
                value,
                kind: Some(kind.to_owned()),
                primary: true,
            },
        );
    }
}

/// One number, or a list of them (Graph's `businessPhones`). Numbers stay sorted by kind, so
/// that the order in which a source names them does not look like a change.
fn set_phones(user: &mut User, kind: &str, value: Option<Value>) {
    user.phone_numbers.retain(|phone| phone.kind != kind);
    let numbers = match value {
        None => Vec::new(),
        Some(Value::List(items)) => items.iter().map(Value::plain).collect(),
        Some(one) => vec![one.plain()],
    };
    user.phone_numbers
        .extend(numbers.into_iter().map(|value| PhoneNumber {
            value,
            kind: kind.to_owned(),
        }));
    user.phone_numbers.sort_by(|a, b| a.kind.cmp(&b.kind));
}

fn set_address(user: &mut User, part: &str, value: Option<String>) {
    let mut address = user.addresses.pop().unwrap_or_default();
    match part {
        "streetAddress" => address.street_address = value,
        "locality" => address.locality = value,
        "region" => address.region = value,
        "postalCode" => address.postal_code = value,
        "country" => address.country = value,
        _ => {}
    }
    if address != Address::default() {
        user.addresses.push(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_patch_does_not_name_stays() {
        let mut user = User::new(UserId::new("u1"));
        user.title = Some("Engineer".into());
        user.department = Some("Sales".into());
        let patch = UserPatch {
            id: UserId::new("u1"),
            set: BTreeMap::from([("department".into(), None)]),
        };
        let user = patch.onto(Some(user));
        assert_eq!(user.title.as_deref(), Some("Engineer"));
        assert_eq!(user.department, None);
    }

    #[test]
    fn parts_of_an_address_come_one_at_a_time() {
        let patch = |part: &str, value: Option<&str>| UserPatch {
            id: UserId::new("u1"),
            set: BTreeMap::from([(format!("addresses.{part}"), value.map(Value::from))]),
        };
        let user = patch("locality", Some("Oslo")).onto(None);
        let user = patch("country", Some("NO")).onto(Some(user));
        assert_eq!(user.addresses.len(), 1);
        assert_eq!(user.addresses[0].locality.as_deref(), Some("Oslo"));
        let user = patch("locality", None).onto(Some(user));
        let user = patch("country", None).onto(Some(user));
        assert!(user.addresses.is_empty());
    }
}
