//! Which attributes an answer has (RFC 7644 §3.9): those returned by default without those that
//! were excluded, or those that were asked for, and what is always returned.

use serde_json::Value;

use super::schema::{ResourceType, Returned};
use super::{Object, Query};

/// The choice of attributes, by declared names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// None: all that are returned by default.
    asked: Option<Vec<Choice>>,
    excluded: Vec<Choice>,
}

/// An attribute, a part of one, or a whole extension.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Choice {
    extension: Option<String>,
    attribute: Option<String>,
    sub: Option<String>,
}

impl Selection {
    /// Names that stand for nothing choose nothing.
    pub fn new(query: &Query, kind: &ResourceType) -> Selection {
        let choices = |names: &[String]| -> Vec<Choice> {
            names.iter().filter_map(|name| choice(name, kind)).collect()
        };
        Selection {
            asked: (!query.attributes.is_empty()).then(|| choices(&query.attributes)),
            excluded: choices(&query.excluded),
        }
    }

    /// Whether the client said which attributes it wants.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether any of a core attribute is in the answer: if not, it need not be loaded.
    pub fn wants(&self, attribute: &str) -> bool {
        let names = |choice: &Choice| {
            choice.extension.is_none() && choice.attribute.as_deref() == Some(attribute)
        };
        match &self.asked {
            Some(asked) => asked.iter().any(names),
            None => !self.excluded.iter().any(|c| names(c) && c.sub.is_none()),
        }
    }

    /// Takes out what is not chosen.
    pub fn apply(&self, resource: &mut Object, kind: &ResourceType) {
        if self.asked.is_none() && self.excluded.is_empty() {
            return;
        }
        resource.retain(|name, value| {
            if kind
                .core_attribute(name)
                .is_some_and(|a| a.returned == Returned::Always)
            {
                return true;
            }
            match (kind.extension(name), value) {
                (Some(extension), Value::Object(inside)) => {
                    inside.retain(|name, value| self.keeps(Some(&extension.urn), name, value));
                    !inside.is_empty()
                }
                (_, value) => self.keeps(None, name, value),
            }
        });
    }

    fn keeps(&self, extension: Option<&str>, name: &str, value: &mut Value) -> bool {
        let about = |choice: &&Choice| {
            choice.extension.as_deref() == extension
                && choice
                    .attribute
                    .as_deref()
                    .is_none_or(|attribute| attribute == name)
        };
        if let Some(asked) = &self.asked {
            let about: Vec<&Choice> = asked.iter().filter(about).collect();
            let parts: Option<Vec<&str>> = about.iter().map(|c| c.sub.as_deref()).collect();
            return match parts {
                // Some choice is the attribute as a whole.
                None => true,
                Some(parts) if parts.is_empty() => false,
                Some(parts) => {
                    each_part(value, |name| parts.contains(&name));
                    !is_empty(value)
                }
            };
        }
        for choice in self.excluded.iter().filter(about) {
            match &choice.sub {
                None => return false,
                Some(sub) => each_part(value, |name| name != sub),
            }
        }
        !is_empty(value)
    }
}

fn choice(name: &str, kind: &ResourceType) -> Option<Choice> {
    if let Some(extension) = kind.extension(name) {
        return Some(Choice {
            extension: Some(extension.urn.clone()),
            attribute: None,
            sub: None,
        });
    }
    let found = kind.resolve(name)?;
    Some(Choice {
        extension: found.extension.map(|extension| extension.urn.clone()),
        attribute: Some(found.attribute.name.clone()),
        sub: found.sub.map(|sub| sub.name.clone()),
    })
}

fn each_part(value: &mut Value, keep: impl Fn(&str) -> bool) {
    match value {
        Value::Object(parts) => parts.retain(|name, _| keep(name)),
        Value::Array(items) => {
            for item in items.iter_mut() {
                if let Value::Object(parts) = item {
                    parts.retain(|name, _| keep(name));
                }
            }
            items.retain(|item| !is_empty(item));
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(parts) => parts.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::scim::schema::{Kind, Types, urn};

    fn shown(attributes: &[&str], excluded: &[&str]) -> Value {
        let types = Types::new(&BTreeMap::new());
        let kind = types.of(Kind::User);
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let query = Query {
            attributes: owned(attributes),
            excluded: owned(excluded),
            ..Query::default()
        };
        let resource = json!({
            "schemas": [urn::USER], "id": "1", "userName": "jane",
            "name": { "givenName": "Jane", "familyName": "Doe" },
            "emails": [{ "value": "a", "type": "work" }, { "type": "home" }],
            (urn::ENTERPRISE): { "department": "Sales", "division": "EU" },
            "meta": { "version": "W/\"1\"" }
        });
        let mut resource = resource.as_object().unwrap().clone();
        Selection::new(&query, kind).apply(&mut resource, kind);
        resource
            .remove("schemas")
            .expect("schemas are always there");
        resource.remove("id").expect("the id is always there");
        Value::Object(resource)
    }

    #[test]
    fn what_is_asked_for_is_all_there_is() {
        assert_eq!(shown(&["USERNAME"], &[]), json!({ "userName": "jane" }));
        assert_eq!(
            shown(&["name.familyName", "emails.value", "nothing"], &[]),
            json!({ "name": { "familyName": "Doe" }, "emails": [{ "value": "a" }] })
        );
        let department = format!("{}:department", urn::ENTERPRISE);
        assert_eq!(
            shown(&[&department], &[]),
            json!({ (urn::ENTERPRISE): { "department": "Sales" } })
        );
        assert_eq!(
            shown(&[urn::ENTERPRISE], &[]),
            json!({ (urn::ENTERPRISE): { "department": "Sales", "division": "EU" } })
        );
    }

    #[test]
    fn what_is_excluded_is_not_there_but_for_what_always_is() {
        let left = shown(
            &[],
            &[
                "id",
                "schemas",
                "meta",
                "name.givenName",
                "emails",
                urn::ENTERPRISE,
            ],
        );
        let expected = json!({ "userName": "jane", "name": { "familyName": "Doe" } });
        assert_eq!(left, expected);
    }
}
