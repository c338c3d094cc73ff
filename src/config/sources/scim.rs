//! `[sources.NAME]` of kind `scim`: a client that pushes users and groups to rosterd.

use std::collections::BTreeMap;

use crate::config::section::Section;

/// The settings only a SCIM source has.
#[derive(Clone, Debug, PartialEq)]
pub struct Scim {
    /// Attributes by the URN of their schema extension, beside the enterprise one.
    pub extensions: BTreeMap<String, Vec<String>>,
    /// What is remembered of the client's requests.
    pub log: ScimLog,
}

/// What the inspector remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScimLog {
    /// How many requests. Default: 100.
    pub requests: usize,
    /// Whether people's data is shown. Default: false.
    pub bodies: bool,
}

impl Scim {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let mut extensions = BTreeMap::new();
        let urns: Vec<String> = section
            .table("extensions")
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default();
        for urn in urns {
            let key = format!("{}.\"{urn}\"", section.key("extensions"));
            if !is_urn(&urn) {
                let message = format!(
                    "'{key}' is not the URN of a schema, such as \"urn:ietf:params:scim:schemas:extension:example:2.0:User\""
                );
                section.refuse("extensions", message);
                return None;
            }
            let table = section.table("extensions")?;
            let names = table.get(&urn).and_then(|names| names.as_array());
            let names: Vec<String> = names
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
                let message = format!(
                    "'{key}' names '{wrong}', which is not the name of an attribute: letters, digits, '-' and '_'"
                );
                section.refuse("extensions", message);
                return None;
            }
            extensions.insert(urn, names);
        }
        let log = ScimLog {
            requests: section.count("log.requests")?,
            bodies: section.flag("log.bodies")?,
        };
        Some(Self { extensions, log })
    }
}

/// A URN with a namespace and something in it. Some products use other schemes than `urn:`.
fn is_urn(text: &str) -> bool {
    let plain = text
        .chars()
        .all(|c| c.is_ascii_graphic() && !"\"[]()".contains(c));
    plain && text.contains(':') && !text.ends_with(':')
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits)
}
