//! What can only be judged when all layers are together: missing keys, keys of another
//! kind, and names that lead nowhere.

use serde_json::{Map, Value};

use super::address::is_loopback;
use super::keys::{KEYS, Unset, stands_for_any};
use super::layer::Origins;
use super::node::dotted;
use super::problems::{Origin, Problems};
use super::sources::{SourceKind, SourceWord};
use super::targets::TargetWord;
use super::validate::NAMED_SECTIONS;
use super::{PortalKind, Settings, words};

/// The merged settings, before they are typed.
pub(super) struct Merged {
    pub tree: Map<String, Value>,
    pub origins: Origins,
}

impl Merged {
    /// The table `section`, or an empty one.
    pub fn section(&self, section: &str) -> Map<String, Value> {
        self.tree
            .get(section)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    fn origin(&self, key: &str, section: &str) -> Origin {
        let found = self.origins.get(key).or_else(|| self.origins.get(section));
        found.cloned().unwrap_or(Origin::Default)
    }
}

/// This checks every named section against the keys of its kind.
pub(super) fn keys_of_kinds(merged: &Merged, problems: &mut Problems) {
    for section in NAMED_SECTIONS {
        for (name, body) in merged.section(section) {
            let path = dotted(section, &name);
            let kind = body.get("kind").and_then(Value::as_str);
            let Some(kind) = kind else {
                if !problems.spoilt(&format!("{path}.kind")) {
                    let kinds = kinds_of(section).join(", ");
                    let message = format!("missing '{path}.kind': one of {kinds}");
                    problems.error(&merged.origin(&path, section), message);
                }
                continue;
            };
            if !is_available(section, kind) {
                // What else is wrong with it does not matter: it is refused as it is.
                continue;
            }
            for key in KEYS {
                let Some(below) = key.below(section) else {
                    continue;
                };
                let given = given(&body, below);
                if !key.belongs_to(kind) && given {
                    let below = below.split('.').take_while(|part| !stands_for_any(part));
                    let full = below.fold(path.clone(), |path, part| dotted(&path, part));
                    let message = format!(
                        "'{full}' is for kind {} only, and '{path}' is of kind {kind}",
                        key.only.join(" and ")
                    );
                    problems.refuse(&merged.origin(&full, &path), &full, message);
                } else if key.belongs_to(kind)
                    && key.unset == Unset::Refused
                    && !given
                    && !problems.spoilt(&format!("{path}.{below}"))
                {
                    let message = format!(
                        "missing '{path}.{below}': {}",
                        key.doc.trim_end_matches('.')
                    );
                    problems.error(&merged.origin(&path, section), message);
                }
            }
        }
    }
}

fn kinds_of(section: &str) -> &'static [&'static str] {
    match section {
        "sources" => SourceWord::WORDS,
        "targets" => TargetWord::WORDS,
        _ => PortalKind::WORDS,
    }
}

/// Whether this version has the kind; those it has not are refused when typed.
fn is_available(section: &str, kind: &str) -> bool {
    match section {
        "targets" => [TargetWord::Local, TargetWord::Scim]
            .iter()
            .any(|word| word.as_str() == kind),
        _ => true,
    }
}

fn given(body: &Value, below: &str) -> bool {
    let mut parts = below.split('.').take_while(|part| !stands_for_any(part));
    parts
        .try_fold(body, |value, part| value.get(part))
        .is_some()
}

/// This checks what one part of the settings says of another.
pub(super) fn across(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    for portal in settings.portals.values() {
        let path = format!("portals.{}", portal.name);
        if !merged
            .section("targets")
            .contains_key(portal.target.as_str())
        {
            let key = format!("{path}.target");
            leads_nowhere(merged, problems, &key, "targets", portal.target.as_str());
        }
        for source in &portal.sources {
            if !merged.section("sources").contains_key(source.as_str()) {
                let key = format!("{path}.sources");
                leads_nowhere(merged, problems, &key, "sources", source.as_str());
            }
        }
    }
    notifications(settings, merged, problems);
    idle(settings, merged, problems);
}

fn leads_nowhere(merged: &Merged, problems: &mut Problems, key: &str, section: &str, name: &str) {
    if problems.spoilt(&format!("{section}.{name}")) {
        return;
    }
    let known = merged.section(section);
    let near = words::nearest(known.keys().map(String::as_str), name);
    let hint = match near {
        Some((near, true)) => format!("did you mean '{near}'?"),
        _ => format!("there is no [{section}.{name}]"),
    };
    let what = section.trim_end_matches('s');
    let message = format!("'{key}' names the unknown {what} '{name}': {hint}");
    problems.refuse(&merged.origin(key, key), key, message);
}

fn notifications(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    for source in settings.sources.values() {
        let SourceKind::Graph(graph) = &source.kind else {
            continue;
        };
        if !graph.notifications {
            continue;
        }
        let key = format!("sources.{}.notifications", source.name);
        let origin = merged.origin(&key, &key);
        match &settings.server.public_url {
            None if problems.spoilt("server.public_url") => {}
            None => {
                let message =
                    format!("'{key}' needs 'server.public_url', where Graph can reach rosterd");
                problems.error(&origin, message);
            }
            Some(url) if url.scheme() == "http" && !is_loopback(&graph.endpoint) => {
                let message = format!(
                    "'{key}' needs a 'server.public_url' that begins with https:// and can be reached from the internet"
                );
                problems.error(&origin, message);
            }
            Some(_) => {}
        }
    }
}

/// Settings that are right but do nothing.
fn idle(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    for (section, empty) in [
        ("sources", settings.sources.is_empty()),
        ("portals", settings.portals.is_empty()),
    ] {
        if empty && merged.section(section).is_empty() {
            problems.warn(
                &Origin::Default,
                format!("no {section} are set: there is nothing to do"),
            );
        }
    }
    for name in settings.sources.keys() {
        if !settings.portals.is_empty()
            && !settings
                .portals
                .values()
                .any(|portal| portal.sources.contains(name))
        {
            let key = format!("sources.{name}");
            let origin = merged.origin(&key, &key);
            problems.warn(
                &origin,
                format!("'{key}' feeds no portal: no portal names it"),
            );
        }
    }
}
