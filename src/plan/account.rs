//! A user's presence in one portal, and the difference between two states of it.
//!
//! A difference is a list of [`AttributeChange`]s, and applying that list gives the other
//! state back: what a plan shows is all that is needed to carry it out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::action::AttributeChange;
pub use crate::config::Role;
use crate::directory::Value;

#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Account {
    pub user_name: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub active: bool,
    pub role: Option<Role>,
    /// Mapped attributes; a URN attribute stands under its whole URN.
    pub attributes: BTreeMap<String, Value>,
    pub metadata: BTreeMap<String, Value>,
}

impl Account {
    /// The attributes by the names that plans use, in a fixed order.
    pub fn named(&self) -> Vec<(String, Value)> {
        let Account {
            user_name,
            email,
            display_name,
            given_name,
            family_name,
            active,
            role,
            attributes,
            metadata,
        } = self;
        let mut named = Vec::with_capacity(8 + attributes.len() + metadata.len());
        let texts = [
            ("userName", user_name),
            ("email", email),
            ("displayName", display_name),
            ("name.givenName", given_name),
            ("name.familyName", family_name),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                named.push((name.to_owned(), Value::Text(text.clone())));
            }
        }
        named.push(("active".to_owned(), Value::Bool(*active)));
        if let Some(role) = role {
            named.push(("role".to_owned(), Value::from(role.as_str())));
        }
        for (name, value) in attributes {
            named.push((name.clone(), value.clone()));
        }
        for (name, value) in metadata {
            named.push((format!("metadata.{name}"), value.clone()));
        }
        named
    }

    /// What would have to change for `self` to become `after`.
    pub fn changes_to(&self, after: &Account) -> Vec<AttributeChange> {
        if self == after {
            return Vec::new();
        }
        let mut before: BTreeMap<String, Value> = self.named().into_iter().collect();
        let mut changes = Vec::new();
        for (attribute, value) in after.named() {
            let before = before.remove(&attribute);
            if before.as_ref() != Some(&value) {
                changes.push(AttributeChange {
                    attribute,
                    before,
                    after: Some(value),
                });
            }
        }
        for (attribute, value) in before {
            changes.push(AttributeChange {
                attribute,
                before: Some(value),
                after: None,
            });
        }
        changes
    }

    /// What creating this account means: every attribute, from nothing.
    pub fn changes_from_nothing(&self) -> Vec<AttributeChange> {
        self.named()
            .into_iter()
            .map(|(attribute, value)| AttributeChange {
                attribute,
                before: None,
                after: Some(value),
            })
            .collect()
    }

    pub fn apply(&mut self, changes: &[AttributeChange]) {
        for change in changes {
            self.set(&change.attribute, change.after.clone());
        }
    }

    /// Sets one attribute by the name that plans and mappings use.
    pub fn set(&mut self, attribute: &str, value: Option<Value>) {
        let text = |value: Option<Value>| value.map(|value| value.plain());
        match attribute {
            "userName" => self.user_name = text(value),
            "email" => self.email = text(value),
            "displayName" => self.display_name = text(value),
            "name.givenName" => self.given_name = text(value),
            "name.familyName" => self.family_name = text(value),
            "active" => self.active = value == Some(Value::Bool(true)),
            "role" => {
                self.role = value
                    .as_ref()
                    .and_then(Value::as_text)
                    .and_then(|role| role.parse().ok())
            }
            _ => {
                let (map, name) = match attribute.strip_prefix("metadata.") {
                    Some(name) => (&mut self.metadata, name),
                    None => (&mut self.attributes, attribute),
                };
                match value {
                    Some(value) => map.insert(name.to_owned(), value),
                    None => map.remove(name),
                };
            }
        }
    }
}

/// Personal data stays out of logs.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("active", &self.active)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account() -> impl Strategy<Value = Account> {
        let text = || proptest::option::of("[a-z]{1,4}");
        let map =
            || proptest::collection::btree_map("[a-c]", "[x-z]{1,2}".prop_map(Value::from), 0..3);
        let role = proptest::option::of(prop_oneof![
            Just(Role::Unassigned),
            Just(Role::Viewer),
            Just(Role::Admin)
        ]);
        (
            text(),
            text(),
            text(),
            text(),
            any::<bool>(),
            role,
            map(),
            map(),
        )
            .prop_map(
                |(
                    user_name,
                    email,
                    display_name,
                    given_name,
                    active,
                    role,
                    attributes,
                    metadata,
                )| Account {
                    user_name,
                    email,
                    display_name,
                    given_name,
                    family_name: None,
                    active,
                    role,
                    attributes,
                    metadata,
                },
            )
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_the_other_state(before in account(), after in account()) {
            let mut account = before.clone();
            account.apply(&before.changes_to(&after));
            prop_assert_eq!(&account, &after);
            prop_assert!(account.changes_to(&after).is_empty());
            let mut made = Account::default();
            made.apply(&after.changes_from_nothing());
            prop_assert_eq!(&made, &after);
        }
    }
}
