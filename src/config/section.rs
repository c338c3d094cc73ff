//! Reading one table of the effective settings into its type.
//!
//! By the time a section is read its values were checked where they stand, so a value
//! that is not there was either optional or has been complained about.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::layer::Origins;
use super::node::dotted;
use super::problems::{Origin, Problems};
use super::secret::Secret;

/// A table, where it stands, and who to tell what is wrong with it.
pub(super) struct Section<'a> {
    /// The dotted key of the table.
    pub path: String,
    pub body: &'a Map<String, Value>,
    pub origins: &'a Origins,
    pub problems: &'a mut Problems,
}

impl Section<'_> {
    /// What stands at `key`, which may reach into tables: `"tls.cert"`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.body.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Whether `key` was given, be it badly.
    pub fn gives(&self, key: &str) -> bool {
        self.value(key).is_some() || self.problems.spoilt(&self.key(key))
    }

    /// The text at `key`.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key)?.as_str().map(str::to_owned)
    }

    /// The path at `key`.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// The flag at `key`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.value(key)?.as_bool()
    }

    /// The whole number at `key`.
    pub fn count(&self, key: &str) -> Option<usize> {
        self.value(key)?.as_u64()?.try_into().ok()
    }

    /// The fraction at `key`.
    pub fn fraction(&self, key: &str) -> Option<f64> {
        self.value(key)?.as_f64()
    }

    /// What `read` makes of the text at `key`.
    pub fn read<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        read(self.value(key)?.as_str()?).ok()
    }

    /// The word at `key`.
    pub fn word<T: FromStr<Err = String>>(&self, key: &str) -> Option<T> {
        self.read(key, str::parse)
    }

    /// The list at `key`; an absent one is empty.
    pub fn list<T: FromStr<Err = String>>(&self, key: &str) -> Vec<T> {
        let items = self
            .value(key)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        items
            .iter()
            .filter_map(|item| item.as_str()?.parse().ok())
            .collect()
    }

    /// The list of plain texts at `key`; an absent one is empty.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let items = self
            .value(key)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    }

    /// The table at `key`, if there is one.
    pub fn table(&self, key: &str) -> Option<&Map<String, Value>> {
        self.value(key)?.as_object()
    }

    /// The secret at `key`. One that is written out is taken with a warning.
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        let full = self.key(key);
        match self.value(key)? {
            Value::String(text) => {
                let secret = Secret::literal(&full, text);
                let advice = format!(
                    "'{full}' is written out in the settings: keep it in a file and give {{ file = PATH }}"
                );
                self.problems.warn(&self.origin(key), advice);
                Some(secret)
            }
            Value::Object(table) => {
                let (kind, place) = table.iter().next()?;
                let place = place.as_str()?;
                match kind.as_str() {
                    "file" => Some(Secret::in_file(full, place)),
                    "env" => Some(Secret::in_env(full, place)),
                    _ => Some(Secret::in_credential(full, place)),
                }
            }
            _ => None,
        }
    }

    /// Refuses the value of `key`.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        self.problems
            .refuse(&self.origin(key), &self.key(key), message);
    }

    /// Notes that something is wrong with the whole section, unless the keys in question
    /// were refused already.
    pub fn lacks(&mut self, keys: &[&str], message: impl Into<String>) {
        if !keys.iter().any(|key| self.problems.spoilt(&self.key(key))) {
            self.problems.error(&self.origin(""), message);
        }
    }

    /// The full name of a key of this section.
    pub fn key(&self, key: &str) -> String {
        let parts = key.split('.').filter(|part| !part.is_empty());
        parts.fold(self.path.clone(), |path, part| dotted(&path, part))
    }

    /// Where `key` was given, else where the section was.
    pub fn origin(&self, key: &str) -> Origin {
        let found = self
            .origins
            .get(&self.key(key))
            .or_else(|| self.origins.get(&self.path));
        found.cloned().unwrap_or(Origin::Default)
    }
}
