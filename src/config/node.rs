//! Settings as they were found: a tree of values, each with its origin.
//!
//! The same tree whether it was read from a file or put together from variables, so that
//! one walk can check both. Typed settings come later, in the section files.

use std::collections::BTreeMap;

use super::problems::Origin;

/// A table of settings, by key.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub body: Body,
    pub origin: Origin,
}

/// What a setting can be.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Text(String),
    Whole(i64),
    Fraction(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// A date or time, which no setting is.
    Moment(String),
}

impl Body {
    /// What this is, for "… must be this, not that".
    pub fn noun(&self) -> &'static str {
        match self {
            Body::Text(_) => "a text",
            Body::Whole(_) => "a number",
            Body::Fraction(_) => "a fraction",
            Body::Flag(_) => "true or false",
            Body::List(_) => "a list",
            Body::Table(_) => "a table",
            Body::Moment(_) => "a date or time",
        }
    }
}

impl Node {
    /// The value for the layering crate, which knows no origins.
    pub fn value(&self) -> config::Value {
        let kind = match &self.body {
            Body::Text(text) | Body::Moment(text) => config::ValueKind::String(text.clone()),
            Body::Whole(number) => config::ValueKind::I64(*number),
            Body::Fraction(number) => config::ValueKind::Float(*number),
            Body::Flag(flag) => config::ValueKind::Boolean(*flag),
            Body::List(items) => config::ValueKind::Array(items.iter().map(Node::value).collect()),
            Body::Table(table) => config::ValueKind::Table(values(table)),
        };
        config::Value::new(None, kind)
    }
}

/// A table for the layering crate.
pub(super) fn values(table: &Table) -> config::Map<String, config::Value> {
    table
        .iter()
        .map(|(key, node)| (key.clone(), node.value()))
        .collect()
}

/// The dotted key of `name` within `path`, quoted where TOML would want quotes.
pub(super) fn dotted(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let name = if bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

/// The dotted key of a path.
pub(super) fn dotted_path<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().fold(String::new(), |dotted_so_far, name| {
        dotted(&dotted_so_far, name.as_ref())
    })
}

/// Hangs `node` into a tree; false if something stands there, or a value stands where a
/// table is needed.
pub(super) fn plant<S: AsRef<str>>(tree: &mut Table, path: &[S], node: Node) -> bool {
    let [name, rest @ ..] = path else {
        return false;
    };
    let name = name.as_ref().to_owned();
    if rest.is_empty() {
        return tree.insert(name, node).is_none();
    }
    let origin = node.origin.clone();
    let below = tree.entry(name).or_insert_with(|| Node {
        body: Body::Table(Table::new()),
        origin,
    });
    match &mut below.body {
        Body::Table(table) => plant(table, rest, node),
        _ => false,
    }
}

/// What stands at `path`, if anything.
pub(super) fn look<'a, S: AsRef<str>>(tree: &'a Table, path: &[S]) -> Option<&'a Node> {
    let [name, rest @ ..] = path else { return None };
    let node = tree.get(name.as_ref())?;
    match &node.body {
        _ if rest.is_empty() => Some(node),
        Body::Table(table) => look(table, rest),
        _ => None,
    }
}
