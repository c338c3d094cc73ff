//! From a pushed resource to the directory's model. Nothing else knows both.
//!
//! What the model has no place for stays reachable for mappings as `source.<name>`: other
//! attributes under their own names, those of extensions under the short one and the whole URN.

use serde_json::Value as Json;

use super::Object;
use super::schema::urn;
use crate::directory::{Address, Email, Group, GroupId, Name, PhoneNumber, User, UserId, Value};

fn text(object: &Object, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn items<'o>(object: &'o Object, name: &str) -> impl Iterator<Item = &'o Object> {
    let items = object.get(name).and_then(Json::as_array);
    items.into_iter().flatten().filter_map(Json::as_object)
}

/// Core attributes with a place of their own in the model.
const PLACED: [&str; 16] = [
    "schemas",
    "id",
    "meta",
    "externalId",
    "userName",
    "name",
    "displayName",
    "userType",
    "title",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "emails",
    "phoneNumbers",
    "groups",
];

pub fn user(id: &str, resource: &Object) -> User {
    let mut user = User::new(UserId::new(id));
    user.external_id = text(resource, "externalId");
    user.user_name = text(resource, "userName");
    if let Some(Json::Object(name)) = resource.get("name") {
        user.name = Name {
            given_name: text(name, "givenName"),
            family_name: text(name, "familyName"),
            formatted: text(name, "formatted"),
        };
    }
    user.display_name = text(resource, "displayName");
    user.user_type = text(resource, "userType");
    user.title = text(resource, "title");
    user.preferred_language = text(resource, "preferredLanguage");
    user.locale = text(resource, "locale");
    user.timezone = text(resource, "timezone");
    // A client that says nothing means an account that may be used.
    user.active = resource
        .get("active")
        .and_then(Json::as_bool)
        .unwrap_or(true);
    user.emails = items(resource, "emails")
        .filter_map(|email| {
            Some(Email {
                value: text(email, "value")?,
                kind: text(email, "type"),
                primary: super::accept::is_primary(&Json::Object(email.clone())),
            })
        })
        .collect();
    user.phone_numbers = items(resource, "phoneNumbers")
        .filter_map(|phone| {
            Some(PhoneNumber {
                value: text(phone, "value")?,
                kind: text(phone, "type").unwrap_or_else(|| "other".to_owned()),
            })
        })
        .collect();
    user.addresses = items(resource, "addresses")
        .map(|address| Address {
            street_address: text(address, "streetAddress"),
            locality: text(address, "locality"),
            region: text(address, "region"),
            postal_code: text(address, "postalCode"),
            country: text(address, "country"),
        })
        .filter(|address| *address != Address::default())
        .collect();
    for (name, value) in resource {
        let Json::Object(extension) = value else {
            if !PLACED.contains(&name.as_str())
                && let Some(value) = Value::from_json(value.clone())
            {
                user.source.insert(name.clone(), value);
            }
            continue;
        };
        if name == urn::ENTERPRISE {
            user.employee_number = text(extension, "employeeNumber");
            user.cost_center = text(extension, "costCenter");
            user.organization = text(extension, "organization");
            user.division = text(extension, "division");
            user.department = text(extension, "department");
            let manager = extension.get("manager").and_then(Json::as_object);
            user.manager = manager.and_then(|manager| text(manager, "value"));
        } else if name.starts_with("urn:") || name.contains(':') {
            for (attribute, value) in extension {
                if let Some(value) = Value::from_json(value.clone()) {
                    user.source
                        .insert(format!("{name}:{attribute}"), value.clone());
                    user.source.entry(attribute.clone()).or_insert(value);
                }
            }
        }
    }
    user
}

pub fn group(id: &str, resource: &Object) -> Group {
    Group {
        id: GroupId::new(id),
        external_id: text(resource, "externalId"),
        display_name: text(resource, "displayName").unwrap_or_default(),
    }
}
