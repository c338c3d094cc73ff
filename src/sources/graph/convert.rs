//! Graph's properties and the model's attributes: which are asked for, and how they read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::directory::{User, UserId, UserPatch, Value};

/// How a property is spelled for an attribute, and what it must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Flag,
    /// A text or a list of them.
    Texts,
    /// The id of another user, in the three shapes that lists and deltas give it.
    Manager,
    /// Whatever it is.
    Any,
}

#[derive(Clone, PartialEq, Debug)]
struct Rule {
    property: String,
    /// The name inside the property, where that is an object.
    inside: Option<String>,
    attribute: String,
    kind: Kind,
}

/// The attributes that one source reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Attributes {
    rules: Vec<Rule>,
    /// What the settings ask for, whether or not Graph has it: the cursor is good for these.
    fingerprint: String,
}

/// Attribute, property, name inside it.
const TABLE: &[(&str, &str, &str, Kind)] = &[
    ("active", "accountEnabled", "", Kind::Flag),
    ("userName", "userPrincipalName", "", Kind::Text),
    ("emails.work", "mail", "", Kind::Text),
    ("displayName", "displayName", "", Kind::Text),
    ("name.givenName", "givenName", "", Kind::Text),
    ("name.familyName", "surname", "", Kind::Text),
    ("userType", "userType", "", Kind::Text),
    ("title", "jobTitle", "", Kind::Text),
    ("department", "department", "", Kind::Text),
    ("preferredLanguage", "preferredLanguage", "", Kind::Text),
    ("employeeNumber", "employeeId", "", Kind::Text),
    ("organization", "companyName", "", Kind::Text),
    ("division", "employeeOrgData", "division", Kind::Text),
    ("costCenter", "employeeOrgData", "costCenter", Kind::Text),
    ("manager", "manager", "", Kind::Manager),
    ("phoneNumbers.work", "businessPhones", "", Kind::Texts),
    ("phoneNumbers.mobile", "mobilePhone", "", Kind::Texts),
    ("addresses.streetAddress", "streetAddress", "", Kind::Text),
    ("addresses.locality", "city", "", Kind::Text),
    ("addresses.region", "state", "", Kind::Text),
    ("addresses.postalCode", "postalCode", "", Kind::Text),
    ("addresses.country", "country", "", Kind::Text),
];

/// Carried whatever the settings say. They lead [`TABLE`].
const ALWAYS: usize = 6;

/// Where on-premises extension attributes are kept: `source.extensionAttribute5`.
const EXTENSIONS: &str = "onPremisesExtensionAttributes";

/// Properties that Graph keeps elsewhere: a collection that selects one is answered 501.
const ELSEWHERE: &[&str] = &[
    "aboutMe",
    "birthday",
    "hireDate",
    "interests",
    "mailboxSettings",
    "mySite",
    "pastProjects",
    "preferredName",
    "responsibilities",
    "schools",
    "signInActivity",
    "skills",
];

impl Attributes {
    /// What to ask for, and those names that Graph has nothing for.
    pub fn of(wanted: &BTreeSet<String>) -> (Attributes, Vec<String>) {
        let mut rules: Vec<Rule> = TABLE[..ALWAYS].iter().map(Rule::of).collect();
        let mut unknown = Vec::new();
        for name in wanted {
            let found = Rule::named(name);
            if found.is_empty() {
                unknown.push(name.clone());
            }
            for rule in found {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.attribute.as_str()).collect();
        names.sort_unstable();
        let fingerprint = names.join(",");
        (Attributes { rules, fingerprint }, unknown)
    }

    /// The same without a property that Graph turned out not to have. None when it was not
    /// asked for, or is one that is always carried.
    pub fn without(&self, property: &str) -> Option<(Attributes, Vec<String>)> {
        let gone =
            |rule: &Rule| rule.property == property && TABLE.iter().all(|row| row.1 != property);
        let names: Vec<String> = self
            .rules
            .iter()
            .filter(|rule| gone(rule))
            .map(|rule| rule.attribute.clone())
            .collect();
        if names.is_empty() {
            return None;
        }
        let mut kept = self.clone();
        kept.rules.retain(|rule| !gone(rule));
        Some((kept, names))
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// `$select` for lists and single reads, where a manager is expanded instead.
    pub fn select(&self) -> Vec<&str> {
        let mut names = self.select_delta();
        names.retain(|name| *name != "manager");
        names
    }

    /// `$select` for deltas.
    pub fn select_delta(&self) -> Vec<&str> {
        let mut names = vec!["id"];
        for rule in &self.rules {
            if !names.contains(&rule.property.as_str()) {
                names.push(&rule.property);
            }
        }
        names
    }

    pub fn has_manager(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind == Kind::Manager)
    }

    /// The properties that are present, cleared ones included; absent ones are left alone.
    pub fn patch(&self, id: &str, fields: &Map<String, Json>) -> Result<UserPatch, String> {
        let mut set = BTreeMap::new();
        for rule in &self.rules {
            if let Some(value) = rule.read(fields)? {
                set.insert(rule.attribute.clone(), value);
            }
        }
        Ok(UserPatch {
            id: UserId::new(id),
            set,
        })
    }

    /// The whole user. One of whom Graph does not say whether the account is enabled is not
    /// taken for a disabled one: a permission that was withdrawn looks like that.
    pub fn user(&self, id: &str, fields: &Map<String, Json>) -> Result<User, String> {
        if !fields.get("accountEnabled").is_some_and(Json::is_boolean) {
            return Err("Graph does not say whether this account is enabled".into());
        }
        Ok(self.patch(id, fields)?.onto(None))
    }
}

impl Rule {
    fn of(row: &(&str, &str, &str, Kind)) -> Rule {
        let (attribute, property, inside, kind) = *row;
        Rule {
            property: property.into(),
            inside: (!inside.is_empty()).then(|| inside.into()),
            attribute: attribute.into(),
            kind,
        }
    }

    /// The rules that fill an attribute: several for `addresses`, none for one that Graph
    /// does not have.
    fn named(name: &str) -> Vec<Rule> {
        if let Some(property) = name.strip_prefix("source.") {
            return Rule::source(name, property).into_iter().collect();
        }
        if matches!(name, "id" | "externalId" | "email") {
            // The id itself, and what is always carried.
            return vec![Rule::of(&TABLE[0])];
        }
        TABLE
            .iter()
            .filter(|row| {
                row.0 == name
                    || row
                        .0
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('.'))
            })
            .map(Rule::of)
            .collect()
    }

    fn source(attribute: &str, property: &str) -> Option<Rule> {
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let head = property.split('.').next().unwrap_or_default();
        if !is_word(head) || ELSEWHERE.contains(&head) {
            return None;
        }
        let extension = head
            .strip_prefix("extensionAttribute")
            .is_some_and(|n| matches!(n.parse::<u8>(), Ok(1..=15)));
        let (property, inside, kind) = match property.split_once('.') {
            Some((head, inside)) => (head, Some(inside), Kind::Any),
            None if extension => (EXTENSIONS, Some(property), Kind::Any),
            None if property == "manager" => (property, None, Kind::Manager),
            None => (property, None, Kind::Any),
        };
        Some(Rule {
            property: property.into(),
            inside: inside.map(Into::into),
            attribute: attribute.into(),
            kind,
        })
    }

    /// None: the object does not say. Some(None): cleared.
    fn read(&self, fields: &Map<String, Json>) -> Result<Option<Option<Value>>, String> {
        if self.kind == Kind::Manager {
            return Ok(manager(fields));
        }
        let Some(mut json) = fields.get(&self.property) else {
            return Ok(None);
        };
        if let Some(inside) = &self.inside {
            json = json.get(inside).unwrap_or(&Json::Null);
        }
        let fits = match self.kind {
            Kind::Text => json.is_string() || json.is_null(),
            Kind::Texts => {
                let texts = |items: &Vec<Json>| items.iter().all(Json::is_string);
                json.is_string() || json.is_null() || json.as_array().is_some_and(texts)
            }
            // A flag that is null says as little as one that is absent.
            Kind::Flag if json.is_null() => return Ok(None),
            Kind::Flag => json.is_boolean(),
            Kind::Manager | Kind::Any => true,
        };
        match fits {
            true => Ok(Some(Value::from_json(json.clone()))),
            false => Err(format!(
                "Graph sent `{}` in a shape that cannot be read",
                self.property
            )),
        }
    }
}

/// `manager` in lists, where it is missing when there is none; `manager@delta` in deltas,
/// where it is missing when it did not change and the manager before is marked as removed.
fn manager(fields: &Map<String, Json>) -> Option<Option<Value>> {
    let id = |json: &Json| Some(Value::from(json.get("id")?.as_str()?));
    if let Some(entries) = fields.get("manager@delta") {
        let entries = entries.as_array()?;
        let here = |entry: &&Json| entry.get("@removed").is_none_or(Json::is_null);
        return Some(entries.iter().rev().find(here).and_then(id));
    }
    fields.get("manager").map(id)
}

#[cfg(test)]
mod tests;
