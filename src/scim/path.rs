//! Where a patch operation points (RFC 7644 §3.5.2): an attribute, one of its values by a
//! filter, a part of either.

use super::ScimError;
use super::filter::{Filter, MAX_BYTES, Parser, is_name};

/// A path as it was written.
#[derive(Clone, PartialEq, Debug)]
pub struct Path {
    /// The attribute, with its URN and its sub-attribute where it has them.
    pub name: String,
    /// Which values are meant.
    pub filter: Option<Filter>,
    /// A part of these values.
    pub sub: Option<String>,
}

impl Path {
    pub fn parse(text: &str) -> Result<Path, ScimError> {
        let wrong = |what: &str| ScimError::path(format!("the path {what}"));
        if text.len() > MAX_BYTES {
            return Err(wrong("is too long"));
        }
        let text = text.trim();
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(Path {
                name: named(text)?,
                filter: None,
                sub: None,
            });
        };
        let mut parser = Parser::new(rest);
        let filter = parser
            .bracketed()
            .map_err(|error| wrong(&format!("has a filter that cannot be read: {error}")))?;
        let sub = match parser.rest() {
            "" => None,
            rest => {
                let rest = rest
                    .strip_prefix('.')
                    .ok_or_else(|| wrong("goes on behind its filter without a dot"))?;
                Some(named(rest)?)
            }
        };
        Ok(Path {
            name: named(name)?,
            filter: Some(filter),
            sub,
        })
    }
}

/// The name of an attribute, or a refusal.
fn named(text: &str) -> Result<String, ScimError> {
    match is_name(text) && !text.ends_with(['.', ':']) {
        true => Ok(text.to_owned()),
        false => Err(ScimError::path("the path is not the name of an attribute")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scim::ScimType;

    #[test]
    fn paths_of_every_shape_are_read() {
        for (text, name, sub) in [
            ("active", "active", None),
            ("name.givenName", "name.givenName", None),
            ("urn:x:2.0:User:manager", "urn:x:2.0:User:manager", None),
            ("members[value eq \"a]b\"]", "members", None),
            ("emails[type eq \"work\"].value", "emails", Some("value")),
            ("emails[type eq \"work\"].$ref", "emails", Some("$ref")),
        ] {
            let path = Path::parse(text).unwrap();
            assert_eq!(
                (path.name.as_str(), path.sub.as_deref()),
                (name, sub),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            " ",
            ".",
            "a b",
            "1a",
            "/active",
            "emails[",
            "emails[]",
            "emails[type eq]",
            "emails[type eq \"w\"]value",
            "emails[type eq \"w\"].",
            "emails[type eq \"w\"].a b",
            "name.",
            "urn:",
            "[value eq \"a\"]",
            "a\"",
            "members[value eq \"a\"",
        ] {
            let error = Path::parse(text).expect_err(text);
            assert_eq!(error.scim_type, Some(ScimType::InvalidPath), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_an_error(text in "[a-z\\[\\].\"$: ]{0,40}|\\PC{0,30}") {
            let _ = Path::parse(&text);
        }
    }
}
