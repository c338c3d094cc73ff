//! Checks one layer against the table of keys, before the layers are put together.
//!
//! Here every value still knows its line. What is refused is also taken out of the tree,
//! so that the later stages can go on and find what else is wrong.

use super::keys::{self, Found};
use super::mapping;
use super::names::SourceName;
use super::node::{Body, Node, Table, dotted_path};
use super::problems::Problems;
use super::words;

/// The sections whose tables carry names.
pub(super) const NAMED_SECTIONS: [&str; 3] = ["sources", "targets", "portals"];

/// This notes everything that is wrong in `layer`, and takes it out.
pub(super) fn check(layer: &mut Table, problems: &mut Problems) {
    walk(layer, &mut Vec::new(), problems);
}

fn walk(table: &mut Table, path: &mut Vec<String>, problems: &mut Problems) {
    table.retain(|name, node| {
        path.push(name.clone());
        let keep = passes(node, path, problems);
        path.pop();
        keep
    });
}

fn passes(node: &mut Node, path: &mut Vec<String>, problems: &mut Problems) -> bool {
    let key = dotted_path(path);
    if let Err(message) = check_names(path) {
        problems.refuse(&node.origin, &key, message);
        return false;
    }
    match (keys::find(path), &mut node.body) {
        (Found::Key(known), _) => match known.kind.check(node) {
            Ok(()) => true,
            Err(fault) => {
                problems.refuse(&fault.origin, &key, format!("'{key}' {}", fault.message));
                false
            }
        },
        (Found::Table, Body::Table(table)) => {
            walk(table, path, problems);
            true
        }
        (Found::Table, other) => {
            let message = format!("'{key}' must be a table, not {}", other.noun());
            problems.refuse(&node.origin, &key, message);
            false
        }
        (Found::Nothing, _) => {
            problems.refuse(&node.origin, &key, unknown(&key, path));
            false
        }
    }
}

/// Names that operators choose have rules of their own.
fn check_names(path: &[String]) -> Result<(), String> {
    match path {
        [section, name] if NAMED_SECTIONS.contains(&section.as_str()) => name
            .parse::<SourceName>()
            .map(drop)
            .map_err(|fault| format!("'{section}': {fault}")),
        [section, portal, attributes, name]
            if section == "portals" && attributes == "attributes" =>
        {
            mapping::check_attribute_name(name)
                .map_err(|fault| format!("'portals.{portal}.attributes': {fault}"))
        }
        [section, portal, roles, group] if section == "portals" && roles == "roles" => {
            match group.trim() {
                "" => Err(format!(
                    "'portals.{portal}.roles' maps a group without a name"
                )),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn unknown(key: &str, path: &[String]) -> String {
    let Some((name, above)) = path.split_last() else {
        return String::new();
    };
    let near = words::nearest(keys::names_below(above), name);
    match near {
        Some((near, true)) => format!("unknown key '{key}': did you mean '{near}'?"),
        Some((near, false)) => format!("unknown key '{key}': the nearest known key is '{near}'"),
        None => format!("unknown key '{key}'"),
    }
}
