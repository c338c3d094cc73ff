//! `config show`: each effective setting and where it comes from, secrets masked.

use serde_json::{Map, Value, json};

use super::load::Loaded;
use super::problems::Origin;

/// The form to show settings in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowFormat {
    /// `key = value   # from`, a line each.
    Text,
    /// One object: `{ "key": { "value": .., "from": ".." } }`.
    Json,
}

/// This renders the effective settings, sorted by key.
pub fn render(loaded: &Loaded, format: ShowFormat) -> String {
    match format {
        ShowFormat::Text => text(loaded),
        ShowFormat::Json => document(loaded),
    }
}

fn from<'a>(loaded: &'a Loaded, key: &str) -> &'a Origin {
    loaded.origins.get(key).unwrap_or(&Origin::Default)
}

fn text(loaded: &Loaded) -> String {
    let lines: Vec<(String, &Origin)> = loaded
        .shown
        .iter()
        .map(|(key, value)| (format!("{key} = {}", toml(value)), from(loaded, key)))
        .collect();
    // Long values would push every origin off the screen; they just stand out.
    let width = lines
        .iter()
        .map(|(line, _)| line.chars().count())
        .filter(|w| *w <= 72)
        .max();
    let width = width.unwrap_or(0);
    lines
        .iter()
        .map(|(line, from)| format!("{line:width$}   # {from}\n"))
        .collect()
}

fn document(loaded: &Loaded) -> String {
    let all: Map<String, Value> = loaded
        .shown
        .iter()
        .map(|(key, value)| {
            (
                key.clone(),
                json!({ "value": value, "from": from(loaded, key) }),
            )
        })
        .collect();
    format!("{:#}\n", Value::Object(all))
}

/// A value as TOML writes it, on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let parts: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", toml(value)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(toml).collect::<Vec<_>>().join(", ")
            )
        }
        // JSON's escapes are TOML's.
        plain => plain.to_string(),
    }
}
