//! Values that are written as tables: secrets and mappings.

use super::Fault;
use crate::config::mapping::{self, Template};
use crate::config::node::{Body, Node, Table};
use crate::config::words;

/// The ways to say where a secret is kept.
const SECRET_KEYS: &[&str] = &["file", "env", "credential"];

/// The parts of a mapping that is a table.
const MAPPING_KEYS: &[&str] = &["from", "constant", "template", "default"];

pub(super) fn check_secret(table: &Table, node: &Node) -> Result<(), Fault> {
    known_keys(table, SECRET_KEYS)?;
    let mut given = table.values();
    let (Some(only), None) = (given.next(), given.next()) else {
        return Err(Fault {
            origin: node.origin.clone(),
            message: "needs exactly one of file, env and credential".to_owned(),
        });
    };
    match &only.body {
        Body::Text(text) if !text.trim().is_empty() => Ok(()),
        Body::Text(_) => Err(Fault {
            origin: only.origin.clone(),
            message: "must say where the secret is kept, but that is empty".to_owned(),
        }),
        other => Err(Fault {
            origin: only.origin.clone(),
            message: format!(
                "must say where the secret is kept in a text, not {}",
                other.noun()
            ),
        }),
    }
}

pub(super) fn check_mapping(node: &Node) -> Result<(), Fault> {
    let fault = |node: &Node, message: String| Fault {
        origin: node.origin.clone(),
        message,
    };
    let table = match &node.body {
        Body::Text(name) => {
            return mapping::check_source_attribute(name).map_err(|m| fault(node, m));
        }
        Body::Table(table) => table,
        other => {
            let hint = format!(
                "must be the name of a source attribute or a table, not {}; write {{ constant = … }} for a fixed value",
                other.noun()
            );
            return Err(fault(node, hint));
        }
    };
    if !table.is_empty()
        && !table
            .keys()
            .any(|name| MAPPING_KEYS.contains(&name.as_str()))
    {
        let hint = "is a table without from, constant or template; an attribute with a dot needs quotes, as in \"metadata.department\"";
        return Err(fault(node, hint.to_owned()));
    }
    known_keys(table, MAPPING_KEYS)?;
    let ways = ["from", "constant", "template"]
        .iter()
        .filter(|way| table.contains_key(**way));
    if ways.count() != 1 {
        return Err(fault(
            node,
            "needs exactly one of from, constant and template".to_owned(),
        ));
    }
    if table.contains_key("constant") && table.contains_key("default") {
        return Err(fault(
            node,
            "is a constant, which never needs a default".to_owned(),
        ));
    }
    for (name, part) in table {
        let checked = match (name.as_str(), &part.body) {
            ("from", Body::Text(text)) => mapping::check_source_attribute(text),
            ("template", Body::Text(text)) => text.parse::<Template>().map(drop),
            ("from" | "template", other) => Err(format!(
                "has '{name}', which must be a text, not {}",
                other.noun()
            )),
            _ if is_constant(part) => Ok(()),
            _ => Err(format!(
                "has '{name}', which must be a text, a number, true or false, or a list of these"
            )),
        };
        checked.map_err(|message| fault(part, message))?;
    }
    Ok(())
}

fn is_constant(node: &Node) -> bool {
    match &node.body {
        Body::List(items) => items
            .iter()
            .all(|item| !matches!(item.body, Body::List(_)) && is_constant(item)),
        Body::Fraction(number) => number.is_finite(),
        Body::Table(_) | Body::Moment(_) => false,
        Body::Text(_) | Body::Whole(_) | Body::Flag(_) => true,
    }
}

fn known_keys(table: &Table, known: &[&str]) -> Result<(), Fault> {
    for (name, node) in table {
        if !known.contains(&name.as_str()) {
            let near = match words::nearest(known.iter().copied(), name) {
                Some((near, true)) => format!(": did you mean '{near}'?"),
                _ => format!(" (known are {})", known.join(", ")),
            };
            return Err(Fault {
                origin: node.origin.clone(),
                message: format!("has the unknown key '{name}'{near}"),
            });
        }
    }
    Ok(())
}
