//! Where an attribute of an account stands in a SCIM user.
//!
//! Plans call attributes by short names (`email`, `department`); a service provider has them in
//! lists, in the enterprise extension, or in an extension of its own.

use serde_json::{Map, Value as Json, json};

use super::profile::Profile;
use crate::config::RoleAs;
use crate::directory::Value;
use crate::scim::schema::urn;
use crate::scim::{member, same};

/// A place in the JSON of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// `title`, or `name.givenName` as two parts.
    Core {
        name: String,
        sub: Option<String>,
    },
    /// One part of the value of a type: `emails[type eq "work"].value`.
    Typed {
        list: &'static str,
        kind: String,
        sub: String,
    },
    /// A list whose values are texts: `phoneNumbers`, or the one role in `roles`.
    List {
        name: &'static str,
    },
    Extension {
        urn: String,
        name: String,
    },
}

/// Core attributes of one value, beside those that every account carries.
const SINGLE: [&str; 12] = [
    "userName",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "externalId",
    "password",
];

const NAME: [&str; 6] = [
    "formatted",
    "familyName",
    "givenName",
    "middleName",
    "honorificPrefix",
    "honorificSuffix",
];

const ADDRESS: [&str; 6] = [
    "formatted",
    "streetAddress",
    "locality",
    "region",
    "postalCode",
    "country",
];

const ENTERPRISE: [&str; 5] = [
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
];

impl Place {
    /// The place of an attribute by the name that plans and mappings use; None where SCIM has
    /// none, or where it is not carried as an attribute.
    pub fn of(attribute: &str, role_as: RoleAs) -> Option<Place> {
        let core = |name: &str, sub: Option<&str>| {
            Some(Place::Core {
                name: name.to_owned(),
                sub: sub.map(str::to_owned),
            })
        };
        let typed = |list, kind: &str, sub: &str| {
            Some(Place::Typed {
                list,
                kind: kind.to_owned(),
                sub: sub.to_owned(),
            })
        };
        match attribute {
            "email" => return typed("emails", "work", "value"),
            "phoneNumbers" => {
                return Some(Place::List {
                    name: "phoneNumbers",
                });
            }
            "role" => {
                return match role_as {
                    RoleAs::Roles => Some(Place::List { name: "roles" }),
                    RoleAs::Entitlements => Some(Place::List {
                        name: "entitlements",
                    }),
                    RoleAs::Groups | RoleAs::Nothing => None,
                };
            }
            _ => {}
        }
        if attribute.contains(':') {
            let (urn, name) = attribute.rsplit_once(':')?;
            if name.is_empty() {
                return None;
            }
            return match same(urn, self::urn::USER) {
                true => Place::of(name, RoleAs::Nothing),
                false => Some(Place::Extension {
                    urn: urn.to_owned(),
                    name: name.to_owned(),
                }),
            };
        }
        if SINGLE.contains(&attribute) {
            return core(attribute, None);
        }
        if ENTERPRISE.contains(&attribute) {
            return Some(Place::Extension {
                urn: urn::ENTERPRISE.to_owned(),
                name: attribute.to_owned(),
            });
        }
        match attribute.split_once('.')? {
            ("name", sub) if NAME.contains(&sub) => core("name", Some(sub)),
            ("addresses", sub) if ADDRESS.contains(&sub) => typed("addresses", "work", sub),
            ("phoneNumbers", kind) if !kind.is_empty() && !kind.contains(['.', '"', '\\']) => {
                typed("phoneNumbers", kind, "value")
            }
            _ => None,
        }
    }

    /// The path of a patch.
    pub fn path(&self) -> String {
        match self {
            Place::Core { name, sub: None } => name.clone(),
            Place::Core {
                name,
                sub: Some(sub),
            } => format!("{name}.{sub}"),
            Place::Typed { list, kind, sub } => format!("{list}[type eq \"{kind}\"].{sub}"),
            Place::List { name } => (*name).to_owned(),
            Place::Extension { urn, name } => format!("{urn}:{name}"),
        }
    }

    /// The path of a patch that takes the value away: of a typed one the whole of it goes, as
    /// nothing is left of a phone number without its number.
    pub fn path_of_removal(&self) -> String {
        match self {
            Place::Typed { list, kind, sub } if sub == "value" => {
                format!("{list}[type eq \"{kind}\"]")
            }
            _ => self.path(),
        }
    }

    /// The name of the list that a typed place or a list is in.
    pub fn list(&self) -> Option<&'static str> {
        match self {
            Place::Typed { list, .. } => Some(list),
            Place::List { name } => Some(name),
            Place::Core { .. } | Place::Extension { .. } => None,
        }
    }

    /// Puts a value in its place; None takes it out.
    pub fn set(&self, user: &mut Map<String, Json>, value: Option<Json>) {
        match self {
            Place::Core { name, sub: None } => put(user, name, value),
            Place::Core {
                name,
                sub: Some(sub),
            } => put(table(user, name), sub, value),
            Place::Extension { urn, name } => put(table(user, urn), name, value),
            Place::List { name } => put(user, name, value),
            Place::Typed { list, kind, sub } => {
                let items = user.entry(*list).or_insert_with(|| Json::Array(Vec::new()));
                if !items.is_array() {
                    *items = Json::Array(Vec::new());
                }
                let Json::Array(items) = items else {
                    return;
                };
                let of_kind =
                    |item: &Json| item["type"].as_str().is_some_and(|given| same(given, kind));
                let place = items.iter().position(of_kind);
                match (place, value) {
                    (Some(place), None) if sub == "value" => {
                        items.remove(place);
                    }
                    (Some(place), value) => {
                        if let Json::Object(item) = &mut items[place] {
                            put(item, sub, value);
                        }
                    }
                    (None, Some(value)) => {
                        let mut item = json!({ "type": kind });
                        item[sub.as_str()] = value;
                        // Whoever reads it takes the primary one first.
                        if *list == "emails" {
                            item["primary"] = true.into();
                        }
                        items.push(item);
                    }
                    (None, None) => {}
                }
            }
        }
    }

    /// What a user that was read has there.
    pub fn get(&self, user: &Map<String, Json>) -> Option<Value> {
        let value = match self {
            Place::Core { name, sub: None } => member(user, name)?,
            Place::Core {
                name,
                sub: Some(sub),
            } => member(member(user, name)?.as_object()?, sub)?,
            Place::Extension { urn, name } => member(member(user, urn)?.as_object()?, name)?,
            Place::Typed { list, kind, sub } => {
                let items = member(user, list)?.as_array()?;
                let item = items
                    .iter()
                    .filter_map(Json::as_object)
                    .find(|item| text_of(item, "type").is_some_and(|given| same(given, kind)))?;
                member(item, sub)?
            }
            Place::List { name } => {
                let items = member(user, name)?.as_array()?;
                let texts: Vec<Json> = items
                    .iter()
                    .filter_map(|item| match item {
                        Json::Object(item) => member(item, "value").cloned(),
                        plain => Some(plain.clone()),
                    })
                    .collect();
                // Of roles there is one; of phone numbers a list.
                return match (*name, texts.into_iter().next()) {
                    (_, None) => None,
                    ("phoneNumbers", _) => {
                        let items = items.iter().filter_map(|item| item["value"].as_str());
                        Some(Value::List(items.map(Value::from).collect()))
                    }
                    (_, first) => Value::from_json(first?),
                };
            }
        };
        Value::from_json(value.clone())
    }

    /// A value as it is sent.
    pub fn json(&self, value: &Value, profile: &Profile) -> Json {
        match self {
            Place::List { name } => {
                let texts = match value {
                    Value::List(items) => items.clone(),
                    one => vec![one.clone()],
                };
                let limit = profile.multi_valued_limit.unwrap_or(usize::MAX);
                let mut items = Vec::new();
                for text in texts.into_iter().take(limit) {
                    let mut item = json!({ "value": text.to_json() });
                    match *name {
                        "phoneNumbers" => item["type"] = "work".into(),
                        _ => item["primary"] = true.into(),
                    }
                    items.push(item);
                }
                Json::Array(items)
            }
            _ => value.to_json(),
        }
    }
}

fn put(object: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    // The provider may spell it otherwise.
    let known = object.keys().find(|key| same(key, name)).cloned();
    let name = known.unwrap_or_else(|| name.to_owned());
    match value {
        Some(value) => {
            object.insert(name, value);
        }
        None => {
            object.remove(&name);
        }
    }
}

/// The object at a name, made where there is none.
fn table<'o>(object: &'o mut Map<String, Json>, name: &str) -> &'o mut Map<String, Json> {
    let known = object.keys().find(|key| same(key, name)).cloned();
    let slot = object
        .entry(known.unwrap_or_else(|| name.to_owned()))
        .or_insert_with(|| Json::Object(Map::new()));
    if !slot.is_object() {
        *slot = Json::Object(Map::new());
    }
    slot.as_object_mut().expect("it was just made an object")
}

pub fn text_of<'o>(object: &'o Map<String, Json>, name: &str) -> Option<&'o str> {
    member(object, name)?
        .as_str()
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(attribute: &str) -> Option<String> {
        Place::of(attribute, RoleAs::Roles).map(|place| place.path())
    }

    #[test]
    fn every_attribute_has_the_path_that_most_providers_take() {
        let floor = "urn:ietf:params:scim:schemas:extension:appspace:2.0:User:floor";
        for (attribute, expected) in [
            ("email", r#"emails[type eq "work"].value"#),
            ("name.givenName", "name.givenName"),
            ("role", "roles"),
            ("title", "title"),
            (
                "phoneNumbers.mobile",
                r#"phoneNumbers[type eq "mobile"].value"#,
            ),
            ("addresses.country", r#"addresses[type eq "work"].country"#),
            (
                "department",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            ),
            (floor, floor),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:nickName",
                "nickName",
            ),
        ] {
            assert_eq!(path(attribute).as_deref(), Some(expected), "{attribute}");
        }
    }

    #[test]
    fn what_scim_has_no_place_for_has_none() {
        for attribute in [
            "metadata.badge",
            "manager",
            "name.nick",
            "badge",
            "addresses.floor",
        ] {
            assert_eq!(path(attribute), None, "{attribute}");
        }
        assert_eq!(Place::of("role", RoleAs::Groups), None);
    }

    #[test]
    fn what_is_set_is_read_back() {
        let mut user = Map::new();
        for attribute in [
            "email",
            "name.familyName",
            "title",
            "department",
            "phoneNumbers.work",
            "addresses.country",
            "urn:x:2.0:User:floor",
        ] {
            let place = Place::of(attribute, RoleAs::Roles).unwrap();
            place.set(&mut user, Some(json!("x")));
            assert!(place.get(&user) == Some(Value::from("x")), "{attribute}");
            place.set(&mut user, None);
            assert!(place.get(&user).is_none(), "{attribute}");
        }
    }
}
