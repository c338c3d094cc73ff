//! From Okta's records to the model.
//!
//! Okta's names for statuses and profile attributes end here. What nobody asked for is
//! skipped while the profile is decoded, so that the row and its digest hold only what can
//! make a difference.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::wire::{GroupRecord, UserRecord, without_values};
use crate::directory::{Address, Email, Group, GroupId, PhoneNumber, User, UserId, Value};

/// The profile attributes behind each attribute of the model.
const MODEL: &[(&str, &[&str])] = &[
    ("userName", &["login"]),
    ("emails", &["email"]),
    ("name", &["firstName", "lastName"]),
    ("displayName", &["displayName"]),
    ("userType", &["userType"]),
    ("title", &["title"]),
    ("department", &["department"]),
    ("division", &["division"]),
    ("organization", &["organization"]),
    ("costCenter", &["costCenter"]),
    ("employeeNumber", &["employeeNumber"]),
    ("manager", &["managerId"]),
    ("phoneNumbers", &["primaryPhone", "mobilePhone"]),
    (
        "addresses",
        &["streetAddress", "city", "state", "zipCode", "countryCode"],
    ),
    ("preferredLanguage", &["preferredLanguage"]),
    ("locale", &["locale"]),
    ("timezone", &["timezone"]),
];

/// Carried whether a mapping names them or not: matching and display need them.
const ALWAYS: [&str; 4] = ["userName", "emails", "name", "displayName"];

/// How users of this source are read.
#[derive(Debug)]
pub struct Reading {
    /// Attributes of the model that matter, without their sub-attributes.
    model: BTreeSet<&'static str>,
    /// Profile attributes that mappings reach as `source.<name>`.
    custom: BTreeSet<String>,
    /// All profile attributes to decode.
    profile: HashSet<String>,
    pending_users_active: bool,
}

impl Reading {
    /// Reads the attributes that are named as in the model, with or without a sub-attribute
    /// (`addresses`, `addresses.locality`), or as `source.<name>`.
    pub fn new(attributes: &BTreeSet<String>, pending_users_active: bool) -> Reading {
        let custom: BTreeSet<String> = attributes
            .iter()
            .filter_map(|name| name.strip_prefix("source."))
            .map(str::to_owned)
            .collect();
        let roots: BTreeSet<&str> = attributes
            .iter()
            .map(|name| name.split(['.', '[']).next().unwrap_or(name))
            .chain(ALWAYS)
            .collect();
        let wanted = || MODEL.iter().filter(|(name, _)| roots.contains(name));
        Reading {
            model: wanted().map(|(name, _)| *name).collect(),
            profile: wanted()
                .flat_map(|(_, sources)| sources.iter().map(|name| (*name).to_owned()))
                .chain(custom.iter().cloned())
                .collect(),
            custom,
            pending_users_active,
        }
    }

    /// What would make two readings of one record differ, as text.
    pub fn fingerprint(&self) -> String {
        let Reading {
            model,
            custom,
            profile: _,
            pending_users_active,
        } = self;
        format!("{model:?}{custom:?}{pending_users_active}")
    }

    /// The profile attributes that mappings name, for a warning about those nobody has.
    pub fn custom(&self) -> &BTreeSet<String> {
        &self.custom
    }

    /// Converts a user, or says why it cannot be.
    pub fn user(&self, record: &UserRecord<'_>) -> Result<User, String> {
        let mut profile = self.profile(record)?;
        let mut user = User::new(UserId::new(&record.id));
        user.active = self.active(record.status.as_deref())?;
        for name in &self.custom {
            if let Some(value) = profile.get(name) {
                user.source.insert(name.clone(), value.clone());
            }
        }
        let mut text = |name: &str| profile.remove(name).map(|value| value.plain());
        for attribute in &self.model {
            match *attribute {
                "userName" => user.user_name = text("login"),
                "emails" => user.emails = text("email").map(work_email).into_iter().collect(),
                "name" => {
                    user.name.given_name = text("firstName");
                    user.name.family_name = text("lastName");
                }
                "displayName" => user.display_name = text("displayName"),
                "userType" => user.user_type = text("userType"),
                "title" => user.title = text("title"),
                "department" => user.department = text("department"),
                "division" => user.division = text("division"),
                "organization" => user.organization = text("organization"),
                "costCenter" => user.cost_center = text("costCenter"),
                "employeeNumber" => user.employee_number = text("employeeNumber"),
                "manager" => user.manager = text("managerId"),
                "phoneNumbers" => {
                    // Sorted by kind, as patches keep them.
                    let numbers = [("mobile", "mobilePhone"), ("work", "primaryPhone")];
                    user.phone_numbers = numbers
                        .into_iter()
                        .filter_map(|(kind, name)| {
                            Some(PhoneNumber {
                                value: text(name)?,
                                kind: kind.to_owned(),
                            })
                        })
                        .collect();
                }
                "addresses" => {
                    let address = Address {
                        street_address: text("streetAddress"),
                        locality: text("city"),
                        region: text("state"),
                        postal_code: text("zipCode"),
                        country: text("countryCode"),
                    };
                    if address != Address::default() {
                        user.addresses.push(address);
                    }
                }
                "preferredLanguage" => user.preferred_language = text("preferredLanguage"),
                "locale" => user.locale = text("locale"),
                "timezone" => user.timezone = text("timezone"),
                _ => {}
            }
        }
        Ok(user)
    }

    /// Whether a status counts as active. A status that is missing or new to us proves
    /// nothing either way, so the record is set aside rather than its owner deactivated.
    fn active(&self, status: Option<&str>) -> Result<bool, String> {
        match status {
            Some("ACTIVE" | "PASSWORD_EXPIRED" | "LOCKED_OUT" | "RECOVERY") => Ok(true),
            Some("PROVISIONED" | "STAGED") => Ok(self.pending_users_active),
            Some("SUSPENDED" | "DEPROVISIONED") => Ok(false),
            Some(other) => Err(format!("the status `{other}` is not known to this version")),
            None => Err("the record has no status".to_owned()),
        }
    }

    fn profile(&self, record: &UserRecord<'_>) -> Result<BTreeMap<String, Value>, String> {
        let Some(raw) = record.profile else {
            return Ok(BTreeMap::new());
        };
        let mut json = serde_json::Deserializer::from_str(raw.get());
        Wanted(&self.profile)
            .deserialize(&mut json)
            .map_err(|error| format!("profile: {}", without_values(&error)))
    }
}

fn work_email(value: String) -> Email {
    Email {
        value,
        kind: Some("work".to_owned()),
        primary: true,
    }
}

/// Whether a member or user is one no longer: Okta keeps the record until it is deleted.
pub fn deprovisioned(status: Option<&str>) -> bool {
    status == Some("DEPROVISIONED")
}

/// Converts a group. One without a name cannot be matched, shown or pushed.
pub fn group(record: &GroupRecord) -> Result<Group, String> {
    let name = record.name().filter(|name| !name.is_empty());
    Ok(Group {
        id: GroupId::new(&record.id),
        external_id: None,
        display_name: name.ok_or("the group has no name")?.to_owned(),
    })
}

/// Decodes an object's wanted fields and skips the others without keeping them.
struct Wanted<'a>(&'a HashSet<String>);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = BTreeMap<String, Value>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut kept = BTreeMap::new();
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            if !self.0.contains(name.as_ref()) {
                fields.next_value::<IgnoredAny>()?;
            } else if let Some(value) = Value::from_json(fields.next_value()?) {
                kept.insert(name.into_owned(), value);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(attributes: &[&str]) -> Reading {
        Reading::new(&attributes.iter().map(|&it| it.to_owned()).collect(), false)
    }

    fn convert(reading: &Reading, json: serde_json::Value) -> Result<User, String> {
        let text = json.to_string();
        reading.user(&serde_json::from_str(&text).unwrap())
    }

    fn ada() -> serde_json::Value {
        serde_json::json!({"id": "00u1", "status": "ACTIVE", "profile": {
            "login": "ada@acme.com", "email": "ada.l@acme.com", "firstName": "Ada", "lastName": "L",
            "title": "Engineer", "managerId": "00u9", "city": "Oslo", "countryCode": "NO",
            "mobilePhone": "2", "primaryPhone": "1", "department": "", "employeeNumber": 1042,
            "badges": ["red", "blue"], "secondEmail": null}})
    }

    #[test]
    fn attributes_go_where_the_table_says() {
        let all = reading(&[
            "title",
            "manager",
            "addresses.locality",
            "phoneNumbers",
            "department",
            "employeeNumber",
            "source.badges",
            "source.department",
        ]);
        let user = convert(&all, ada()).unwrap();
        assert_eq!(user.user_name.as_deref(), Some("ada@acme.com"));
        assert_eq!(user.email(), Some("ada.l@acme.com"));
        assert_eq!(user.shown_name().as_deref(), Some("Ada L"));
        assert_eq!(user.title.as_deref(), Some("Engineer"));
        assert_eq!(user.manager.as_deref(), Some("00u9"));
        assert_eq!(user.department, None, "an empty string is an absence");
        assert_eq!(user.employee_number.as_deref(), Some("1042"));
        assert_eq!(user.addresses[0].locality.as_deref(), Some("Oslo"));
        assert_eq!(user.addresses[0].country.as_deref(), Some("NO"));
        let phones: Vec<_> = user.phone_numbers.iter().map(|it| &it.kind[..]).collect();
        assert_eq!(phones, ["mobile", "work"]);
        let badges = serde_json::json!(["red", "blue"]);
        assert_eq!(user.source["badges"].to_json(), badges);
        assert_eq!(user.source.len(), 1);
    }

    #[test]
    fn one_attribute_can_be_read_under_both_its_names() {
        let user = convert(&reading(&["title", "source.title"]), ada()).unwrap();
        assert_eq!(user.title.as_deref(), Some("Engineer"));
        assert_eq!(user.source["title"].as_text(), Some("Engineer"));
    }

    #[test]
    fn what_nobody_asked_for_leaves_no_trace_in_the_digest() {
        let mut later = ada();
        later["profile"]["title"] = "Countess".into();
        let plain = reading(&[]);
        assert_eq!(
            convert(&plain, ada()).unwrap().digest(),
            convert(&plain, later).unwrap().digest()
        );
    }

    #[test]
    fn status_decides_who_is_active() {
        let with = |status: &str, pending: bool| {
            let reading = Reading::new(&BTreeSet::new(), pending);
            convert(
                &reading,
                serde_json::json!({"id": "00u1", "status": status}),
            )
        };
        for status in ["ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"] {
            assert!(with(status, false).unwrap().active, "{status}");
        }
        for status in ["PROVISIONED", "STAGED"] {
            assert!(!with(status, false).unwrap().active, "{status}");
            assert!(with(status, true).unwrap().active, "{status}");
        }
        for status in ["SUSPENDED", "DEPROVISIONED"] {
            assert!(!with(status, true).unwrap().active, "{status}");
        }
    }

    #[test]
    fn a_status_that_proves_nothing_deactivates_nobody() {
        let plain = reading(&[]);
        for json in [r#"{"id":"00u1"}"#, r#"{"id":"00u1","status":"ASLEEP"}"#] {
            assert!(plain.user(&serde_json::from_str(json).unwrap()).is_err());
        }
    }

    #[test]
    fn a_profile_full_of_nulls_is_a_user_without_attributes() {
        let json = serde_json::json!({"id": "00u1", "status": "ACTIVE",
            "profile": {"login": null, "email": null, "firstName": null}});
        let user = convert(&reading(&[]), json).unwrap();
        assert_eq!(user.email(), None);
        assert_eq!(user.shown_name(), None);
    }
}
