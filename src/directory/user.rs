//! A person, in SCIM's words (RFC 7643 §4.1).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::UserId;
use super::value::Value;

/// A user of one source. `source` holds every other attribute the source gave, by its own name.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub external_id: Option<String>,
    pub user_name: Option<String>,
    pub name: Name,
    pub display_name: Option<String>,
    pub emails: Vec<Email>,
    pub active: bool,
    pub user_type: Option<String>,
    pub title: Option<String>,
    pub department: Option<String>,
    pub division: Option<String>,
    pub organization: Option<String>,
    pub cost_center: Option<String>,
    pub employee_number: Option<String>,
    pub manager: Option<String>,
    pub phone_numbers: Vec<PhoneNumber>,
    pub addresses: Vec<Address>,
    pub preferred_language: Option<String>,
    pub locale: Option<String>,
    pub timezone: Option<String>,
    pub source: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Name {
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub formatted: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    pub value: String,
    pub kind: Option<String>,
    pub primary: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    pub value: String,
    /// `work`, `mobile`, …
    pub kind: String,
}

#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    pub street_address: Option<String>,
    pub locality: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

impl User {
    /// A user of whom nothing but the id is known yet.
    pub fn new(id: UserId) -> User {
        User {
            id,
            external_id: None,
            user_name: None,
            name: Name::default(),
            display_name: None,
            emails: Vec::new(),
            active: false,
            user_type: None,
            title: None,
            department: None,
            division: None,
            organization: None,
            cost_center: None,
            employee_number: None,
            manager: None,
            phone_numbers: Vec::new(),
            addresses: Vec::new(),
            preferred_language: None,
            locale: None,
            timezone: None,
            source: BTreeMap::new(),
        }
    }

    /// The one address that matching uses: the primary, else the work, else the first,
    /// else the `userName`.
    pub fn email(&self) -> Option<&str> {
        let pick = |test: fn(&Email) -> bool| self.emails.iter().find(|email| test(email));
        pick(|email| email.primary)
            .or_else(|| pick(|email| email.kind.as_deref() == Some("work")))
            .or_else(|| self.emails.first())
            .map(|email| email.value.as_str())
            .or(self.user_name.as_deref())
    }

    /// The client's own id where one was pushed, else the source's.
    pub fn external_id(&self) -> &str {
        self.external_id.as_deref().unwrap_or(self.id.as_str())
    }

    /// What to call this person: `displayName`, else formatted, else given and family
    /// name, else `userName`.
    pub fn shown_name(&self) -> Option<String> {
        if let Some(name) = self.display_name.as_ref().or(self.name.formatted.as_ref()) {
            return Some(name.clone());
        }
        let parts: Vec<&str> = [&self.name.given_name, &self.name.family_name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        match parts.is_empty() {
            false => Some(parts.join(" ")),
            true => self.user_name.clone(),
        }
    }

    /// The content as a digest. Two users with one digest are the same to every rule.
    pub fn digest(&self) -> [u8; 16] {
        let bytes = postcard::to_stdvec(self).expect("a user always serialises into memory");
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        digest
    }
}

/// Names, addresses and numbers stay out of logs, even by accident.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
