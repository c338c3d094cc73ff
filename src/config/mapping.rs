//! How one attribute of an account is filled: from the source, a constant, a template.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Where the value of a target attribute comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mapping {
    /// An attribute of the source: `"department"`, or `{ from = "title", default = .. }`.
    From {
        /// The attribute, in SCIM's words or as `source.NAME`.
        attribute: String,
        /// What stands where the source has nothing. Default: nothing, the attribute goes.
        default: Option<Value>,
    },
    /// Always the same: text, a number, true or false, or a list of these.
    Constant(Value),
    /// A template over the user: `{ template = "..", default = .. }`.
    Template {
        /// The template.
        template: Template,
        /// What stands where the template comes out empty. Default: nothing.
        default: Option<Value>,
    },
}

/// A template that is known to parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Template(String);

/// The environment templates are read and rendered in: the built-in filters, and absent
/// attributes are empty at any depth rather than an error.
///
/// One function for both ends, so that what was accepted here renders there.
pub fn template_environment() -> minijinja::Environment<'static> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment
}

impl Template {
    /// The template as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Template {
    type Err = String;

    /// Reads a template. A filter, test or function nobody knows is found by rendering it
    /// once for a user without any attribute.
    fn from_str(text: &str) -> Result<Self, String> {
        use minijinja::ErrorKind::{UnknownFilter, UnknownFunction, UnknownTest};
        let refused = |error: &minijinja::Error| {
            let detail = error.detail().map(str::to_owned);
            format!(
                "is not a template: {}",
                detail.unwrap_or_else(|| error.kind().to_string())
            )
        };
        let environment = template_environment();
        let template = environment
            .template_from_str(text)
            .map_err(|error| refused(&error))?;
        match template.render(()) {
            Err(error) if matches!(error.kind(), UnknownFilter | UnknownTest | UnknownFunction) => {
                Err(refused(&error))
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What rosterd itself decides for an account; a mapping to it would fight the rules.
const DECIDED_ELSEWHERE: [&str; 6] = ["id", "schemas", "meta", "active", "groups", "role"];

/// This says what is wrong with `name` as a target attribute, if anything: it is a SCIM
/// attribute (`title`, `name.givenName`), `metadata.KEY`, or a URN with an attribute.
pub fn check_attribute_name(name: &str) -> Result<(), String> {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'))
    };
    if DECIDED_ELSEWHERE.contains(&name) {
        return Err(format!("'{name}' cannot be mapped: rosterd decides it"));
    }
    let good = if let Some(key) = name.strip_prefix("metadata.") {
        !key.trim().is_empty()
    } else if name
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
    {
        name.split(':').count() >= 4
            && name
                .rsplit(':')
                .next()
                .is_some_and(|last| last.split('.').all(plain) || plain(last))
            && !name.contains(char::is_whitespace)
    } else {
        name.split('.').count() <= 2 && name.split('.').all(plain)
    };
    if good {
        return Ok(());
    }
    Err(format!(
        "'{name}' cannot be an attribute: give a SCIM attribute (\"title\", \"name.givenName\"), \"metadata.KEY\" or a full URN"
    ))
}

/// This says what is wrong with `name` as an attribute to read, if anything.
pub fn check_source_attribute(name: &str) -> Result<(), String> {
    let name = name.strip_prefix("source.").unwrap_or(name);
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(
            "must name an attribute of the source, such as \"department\" or \"source.NAME\""
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scim_attributes_metadata_and_urns_can_be_filled() {
        for good in [
            "title",
            "displayName",
            "name.familyName",
            "metadata.department",
            "metadata.cost centre",
            "urn:ietf:params:scim:schemas:extension:appspace:2.0:User:floor",
        ] {
            assert_eq!(check_attribute_name(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn other_names_and_what_rosterd_decides_cannot() {
        for bad in [
            "",
            "metadata.",
            "a b",
            "name.a.b",
            "urn:x",
            "urn:ietf:params:",
            "1st",
            "role",
        ] {
            assert!(check_attribute_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_template_with_a_slip_is_refused() {
        assert!(
            "{{ name.familyName | upper }}, {{ name.givenName }}"
                .parse::<Template>()
                .is_ok()
        );
        assert!("{{ a.b.c.d }}".parse::<Template>().is_ok());
        for bad in ["{{ name", "{% if x %}", "{{ x | uper }}", "{{ nosuch() }}"] {
            let error = bad.parse::<Template>().unwrap_err();
            assert!(error.starts_with("is not a template: "), "{bad}: {error}");
            assert!(!error.contains('\n'));
        }
    }
}
