//! Who and what a portal takes in: globs over group names, conditions on attributes.
//!
//! Only reading and holding them happens here. Who passes is decided in the rules.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// A glob over group names: `*`, `?` and `[...]`; everything else stands for itself.
#[derive(Clone)]
pub struct Glob {
    text: String,
    matcher: globset::GlobMatcher,
}

/// A condition on one attribute: `department = Sales`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The attribute, named as mappings name it.
    pub attribute: String,
    /// The value it must have; compared after case folding, by the rules.
    pub value: String,
}

/// A portal's `include` or `exclude`. It holds for a user when any of its parts does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Filter {
    /// Member of a group whose name fits one of these. Default: none.
    pub groups: Vec<Glob>,
    /// One of these conditions holds. Default: none.
    pub attributes: Vec<Condition>,
}

impl Filter {
    /// Whether nothing was asked for: an `include` that lets everyone in, an `exclude`
    /// that keeps nobody out.
    pub fn is_empty(&self) -> bool {
        let Filter { groups, attributes } = self;
        groups.is_empty() && attributes.is_empty()
    }
}

impl Glob {
    /// The glob as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the glob fits a name that was normalized (NFC) and case-folded before; the
    /// glob itself was folded the same way when it was read.
    pub fn fits_folded(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let normal: String = text.nfc().collect();
        let folded: String = caseless::default_case_fold_str(&normal).nfc().collect();
        // Braces and backslashes mean something to the crate, and nothing to us.
        let pattern = escape_outside_classes(&folded);
        let glob = globset::GlobBuilder::new(&pattern)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| format!("holds \"{text}\", which is not a glob: {}", error.kind()))?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }
}

/// Escapes what is not ours, and runs of `*`, which would mean directories.
fn escape_outside_classes(folded: &str) -> String {
    let mut pattern = String::with_capacity(folded.len());
    let mut in_class = false;
    for c in folded.chars() {
        match c {
            '{' | '}' | '\\' if !in_class => pattern.extend(['\\', c]),
            '*' if !in_class && pattern.ends_with('*') && !pattern.ends_with("\\*") => {}
            _ => pattern.push(c),
        }
        match c {
            '[' => in_class = true,
            ']' if in_class && !pattern.ends_with("[]") && !pattern.ends_with("[!]") => {
                in_class = false;
            }
            _ => {}
        }
    }
    pattern
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("must be a condition such as \"department = Sales\", not \"{text}\"");
        let (attribute, value) = text.split_once('=').ok_or_else(expected)?;
        let (attribute, value) = (attribute.trim(), value.trim());
        if attribute.ends_with('!') {
            return Err(format!(
                "knows '=' only: \"{text}\"; turn it round with include and exclude"
            ));
        }
        if attribute.is_empty() || value.is_empty() || attribute.contains(char::is_whitespace) {
            return Err(expected());
        }
        Ok(Self {
            attribute: attribute.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.attribute, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(glob: &str, name: &str) -> bool {
        let folded: String = caseless::default_case_fold_str(name).nfc().collect();
        glob.parse::<Glob>().unwrap().fits_folded(&folded)
    }

    #[test]
    fn globs_know_star_question_mark_and_classes() {
        assert!(fits("*", "anything/at all"));
        assert!(fits("**", "anything/at all"));
        assert!(fits("Sales *", "SALES emea"));
        assert!(fits("team-?", "Team-A"));
        assert!(fits("team-[a-c]", "team-B"));
        assert!(!fits("team-[!a-c]", "team-b"));
        assert!(!fits("Sales", "Sales EMEA"));
        assert!(fits("STRASSE", "Straße"));
    }

    #[test]
    fn braces_and_backslashes_stand_for_themselves() {
        assert!(fits("{a,b}", "{A,B}"));
        assert!(!fits("{a,b}", "a"));
        assert!(fits("CORP\\*", "corp\\sales"));
    }

    #[test]
    fn an_open_class_is_no_glob() {
        let error = "Sales [".parse::<Glob>().unwrap_err();
        assert!(
            error.starts_with("holds \"Sales [\", which is not a glob: "),
            "{error}"
        );
    }

    #[test]
    fn a_condition_is_an_attribute_and_a_value_without_outer_spaces() {
        let condition: Condition = " department =  Sales = West ".parse().unwrap();
        assert_eq!(
            (&*condition.attribute, &*condition.value),
            ("department", "Sales = West")
        );
        for bad in [
            "department",
            "= Sales",
            "department =",
            "my department = x",
            "a != b",
        ] {
            assert!(bad.parse::<Condition>().is_err(), "{bad}");
        }
    }
}
