//! The sample in `config/` and the reference in `docs/` cannot lie.

use std::collections::BTreeSet;

use rosterd::config::keys::{KEYS, Unset};
use rosterd::config::{self, Origin, ShowFormat};

const SAMPLE: &str = include_str!("../config/rosterd.toml");
const REFERENCE: &str = include_str!("../docs/CONFIGURATION.md");

#[test]
fn the_sample_loads_without_errors_or_warnings() {
    let loaded = config::parse("config/rosterd.toml", SAMPLE).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.settings.portals.len(), 4);
}

#[test]
fn the_defaults_shown_in_the_sample_are_the_defaults() {
    // Uncommenting a line whose key has a default changes nothing.
    let before = config::parse("a", SAMPLE).unwrap().settings;
    let mut tried = 0;
    for (number, line) in SAMPLE.lines().enumerate() {
        let Some(setting) = line.strip_prefix("# ") else {
            continue;
        };
        let Some((name, _)) = setting.split_once(" = ") else {
            continue;
        };
        let has_default = KEYS.iter().any(|key| {
            key.path.rsplit('.').next() == Some(name) && matches!(key.unset, Unset::Default(_))
        });
        if !has_default {
            continue;
        }
        let lines: Vec<&str> = SAMPLE.lines().collect();
        let text = [&lines[..number], &[setting], &lines[number + 1..]]
            .concat()
            .join("\n");
        assert_eq!(
            config::parse("a", &text).unwrap().settings,
            before,
            "{line}"
        );
        tried += 1;
    }
    assert!(tried >= 15, "only {tried} defaults are shown");
}

/// The rows of the reference: key, value, and what holds without it.
fn rows() -> Vec<(String, String, String, String)> {
    let cells = |line: &str| -> Option<(String, String, String, String)> {
        let mut cells = line.strip_prefix("| `")?.trim_end_matches('|').split(" | ");
        let mut next = || cells.next().map(|cell| cell.trim().to_owned());
        let key = next()?.trim_end_matches('`').to_owned();
        Some((key, next()?, next()?, next()?))
    };
    REFERENCE.lines().filter_map(cells).collect()
}

#[test]
fn every_key_is_documented_and_nothing_else() {
    let documented: BTreeSet<String> = rows().into_iter().map(|row| row.0).collect();
    let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_reference_says_of_each_key_what_the_program_knows() {
    let rows = rows();
    for key in KEYS {
        let row = rows.iter().find(|row| row.0 == key.path).unwrap();
        let unset = match key.unset {
            Unset::Refused => "required".to_owned(),
            Unset::Nothing => "–".to_owned(),
            Unset::Default(text) => format!("`{text}`"),
        };
        let only = if key.only.is_empty() {
            String::new()
        } else {
            format!("*{}:* ", key.only.join(", "))
        };
        let expected = (
            key.path.to_owned(),
            key.kind.describe(),
            unset,
            format!("{only}{}", key.doc),
        );
        assert_eq!(*row, expected);
    }
}

#[test]
fn settings_without_a_key_have_the_default_the_table_names() {
    let text = r#"
        sources.g = { kind = "graph", tenant = "t", identity = "managed", scope = "all" }
        sources.o = { kind = "okta", org_url = "https://o.okta.com", api_token = { env = "T" }, scope = "all" }
        targets.t = { kind = "local" }
        portals.d = { kind = "dashboard", target = "t", sources = ["g", "o"] }
        portals.m = { kind = "mdm", target = "t", sources = ["g"] }
    "#;
    let loaded = config::parse("minimal.toml", text).unwrap();
    let shown = config::render(&loaded, ShowFormat::Json);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let names = [("sources.NAME.", ["g", "o"]), ("portals.NAME.", ["d", "m"])];
    let mut compared = 0;
    for key in KEYS {
        let Unset::Default(text) = key.unset else {
            continue;
        };
        let value: toml_edit::Value = text.parse().unwrap();
        let mut paths = vec![key.path.to_owned()];
        for (prefix, both) in names {
            if let Some(below) = key.path.strip_prefix(prefix) {
                let section = prefix.trim_end_matches("NAME.");
                paths = both
                    .iter()
                    .map(|name| format!("{section}{name}.{below}"))
                    .collect();
            }
        }
        for path in paths {
            let Some(entry) = shown.get(&path) else {
                continue;
            };
            if path.ends_with(".scope") {
                continue;
            }
            let shown = entry["value"].to_string();
            assert_eq!(shown, value.to_string().trim().to_owned(), "{path}");
            assert_eq!(loaded.origins[&path], Origin::Default, "{path}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "only {compared} defaults were compared");
}
