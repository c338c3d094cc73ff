//! Settings from the environment: `ROSTERD__SERVER__LISTEN` is `server.listen`.
//!
//! A variable can name any key whose every part is lower case. Its value is read as the
//! key's kind asks: text as it stands, lists with commas or as TOML, tables as TOML. An
//! empty variable counts as not set. Variables that begin with `ROSTERD_` and one
//! underscore are none of ours.

use super::document;
use super::keys::{self, Found, Kind};
use super::node::{self, Body, Node, Table};
use super::problems::{Origin, Problems};

/// What the names of our variables begin with.
pub(super) const PREFIX: &str = "ROSTERD__";
const SEPARATOR: &str = "__";

/// This reads our variables out of `variables` into a tree.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    problems: &mut Problems,
) -> Table {
    let mut ours: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .collect();
    ours.sort();
    let mut tree = Table::new();
    for (name, value) in ours {
        let path: Vec<String> = name[PREFIX.len()..]
            .split(SEPARATOR)
            .map(str::to_lowercase)
            .collect();
        let origin = Origin::Env(name.clone());
        let planted =
            value_of(&path, &value, &origin).map(|node| node::plant(&mut tree, &path, node));
        match planted {
            Ok(true) => {}
            Ok(false) => problems.error(
                &origin,
                "contradicts another variable: one gives a value where the other needs a table",
            ),
            Err(message) => problems.refuse(
                &origin,
                &path.join("."),
                format!("'{}': {message}", path.join(".")),
            ),
        }
    }
    tree
}

fn value_of(path: &[String], value: &str, origin: &Origin) -> Result<Node, String> {
    let kind = match keys::find(path) {
        Found::Key(key) => key.kind,
        // Parts of a secret or a mapping, and what will be found unknown later.
        Found::Table | Found::Nothing => Kind::Text,
    };
    let text = || Node {
        body: Body::Text(value.to_owned()),
        origin: origin.clone(),
    };
    let looks_like_table = value.starts_with('{');
    Ok(match kind {
        Kind::Flag => match value {
            "true" => Node {
                body: Body::Flag(true),
                origin: origin.clone(),
            },
            "false" => Node {
                body: Body::Flag(false),
                origin: origin.clone(),
            },
            _ => text(),
        },
        Kind::Count | Kind::Share => match document::parse_value(value, origin) {
            Ok(node) if matches!(node.body, Body::Whole(_) | Body::Fraction(_)) => node,
            _ => text(),
        },
        kind if kind.is_list() && value.trim_start().starts_with('[') => {
            document::parse_value(value, origin)?
        }
        kind if kind.is_list() => {
            let items = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            let items = items.map(|item| Node {
                body: Body::Text(item.to_owned()),
                origin: origin.clone(),
            });
            Node {
                body: Body::List(items.collect()),
                origin: origin.clone(),
            }
        }
        Kind::Secret | Kind::Mapping if looks_like_table => document::parse_value(value, origin)?,
        _ => text(),
    })
}
