//! What is wrong with the settings, all of it, a line each.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a setting comes from. Later ones win over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// A settings file, and the line (from 1; 0 is the file as a whole).
    File(PathBuf, usize),
    /// An environment variable.
    Env(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, 0) => write!(f, "{}", path.display()),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Env(variable) => f.write_str(variable),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong: where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct SettingsError {
    /// The line or the variable at fault.
    pub origin: Origin,
    /// What is wrong there and what to do, in one line.
    pub message: String,
}

/// Everything that is wrong, in the order of files and lines; printed a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct SettingsErrors(pub Vec<SettingsError>);

impl SettingsErrors {
    fn lines(&self) -> String {
        self.0
            .iter()
            .map(SettingsError::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Collects errors and warnings while the settings are read.
#[derive(Default)]
pub(super) struct Problems {
    errors: Vec<SettingsError>,
    warnings: Vec<String>,
    /// Keys that were given, but badly: nobody should call them missing as well.
    spoilt: BTreeSet<String>,
}

impl Problems {
    /// Notes that the value of `key` cannot be used.
    pub fn refuse(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        self.spoilt.insert(key.to_owned());
        self.error(origin, message);
    }

    /// Notes an error that spoils no value.
    pub fn error(&mut self, origin: &Origin, message: impl Into<String>) {
        // One line, whatever a cause may have brought along.
        let message = message.into().lines().collect::<Vec<_>>().join(" ");
        self.errors.push(SettingsError {
            origin: origin.clone(),
            message,
        });
    }

    /// Notes what is worth a look but lets rosterd start.
    pub fn warn(&mut self, origin: &Origin, message: impl fmt::Display) {
        self.warnings.push(match origin {
            Origin::Default => message.to_string(),
            _ => format!("{origin}: {message}"),
        });
    }

    /// Whether `key`, or something in it, was refused.
    pub fn spoilt(&self, key: &str) -> bool {
        self.spoilt.iter().any(|spoilt| {
            spoilt == key
                || spoilt
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// The warnings, or the errors if there is any: sorted, each once.
    pub fn verdict(mut self) -> Result<Vec<String>, SettingsErrors> {
        if self.errors.is_empty() {
            return Ok(self.warnings);
        }
        self.errors
            .sort_by(|a, b| (&a.origin, &a.message).cmp(&(&b.origin, &b.message)));
        self.errors.dedup();
        Err(SettingsErrors(self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_in_the_order_of_files_and_lines_and_each_once() {
        let mut problems = Problems::default();
        let line = |n| Origin::File("a.toml".into(), n);
        problems.error(&Origin::Env("ROSTERD__X".into()), "last");
        problems.error(&line(10), "second\nand more");
        problems.error(&line(2), "first");
        problems.error(&line(2), "first");
        assert_eq!(
            problems.verdict().unwrap_err().to_string(),
            "a.toml:2: first\na.toml:10: second and more\nROSTERD__X: last"
        );
    }

    #[test]
    fn a_section_with_a_spoilt_key_is_spoilt_but_not_its_namesake() {
        let mut problems = Problems::default();
        problems.refuse(&Origin::Default, "portals.store.target", "bad");
        assert!(problems.spoilt("portals.store"));
        assert!(problems.spoilt("portals.store.target"));
        assert!(!problems.spoilt("portals.stor"));
        assert!(!problems.spoilt("portals.store.target.x"));
    }
}
