//! The names operators give to sources, targets and portals.
//!
//! Names end up in URLs, log fields, file names and store keys, so they are kept to a
//! plain alphabet. Three types, so that a portal's name cannot stand where a source's
//! name is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 64: as long as the longest label a host name may carry, give or take one, and short
/// enough for a column of a table.
const LONGEST_NAME: usize = 64;

/// Says what is wrong with `text` as a name, if anything.
fn check(text: &str) -> Result<(), String> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let all_plain = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    if !starts_well || !all_plain {
        return Err(format!(
            "'{text}' cannot be a name: use a-z, 0-9, '_' and '-', and begin with a letter or digit"
        ));
    }
    if text.len() > LONGEST_NAME {
        return Err(format!(
            "'{text}' cannot be a name: {LONGEST_NAME} characters at most"
        ));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The name of a source: the NAME of `[sources.NAME]`.
    SourceName
}
name! {
    /// The name of a target: the NAME of `[targets.NAME]`.
    TargetName
}
name! {
    /// The name of a portal: the NAME of `[portals.NAME]`.
    PortalName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for good in ["entra", "okta-2", "0", "a_b"] {
            assert_eq!(good.parse::<SourceName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn names_that_would_need_escaping_are_refused() {
        for bad in ["", "-a", "_a", "Entra", "a b", "a.b", "a/b", "é"] {
            assert!(bad.parse::<PortalName>().is_err(), "{bad}");
        }
        assert!("a".repeat(65).parse::<TargetName>().is_err());
    }

    #[test]
    fn a_name_survives_json() {
        let name: TargetName = serde_json::from_str("\"local\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"local\"");
        assert!(serde_json::from_str::<TargetName>("\"Lo cal\"").is_err());
    }
}
