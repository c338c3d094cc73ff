//! Reads one settings file into a tree that remembers its lines.

use std::path::Path;

use toml_edit::{Document, Item, TableLike, Value};

use super::node::{Body, Node, Table};
use super::problems::Origin;

/// What stops a file from being read at all: the line, and what is wrong there.
pub(super) struct Unreadable {
    pub line: usize,
    pub message: String,
}

/// This reads the text of the file `path` into a tree.
pub(super) fn parse(path: &Path, text: &str) -> Result<Table, Unreadable> {
    let lines = Lines { path, text };
    let document = Document::parse(text).map_err(|error| {
        let line = lines.at(error.span().map_or(0, |span| span.start));
        Unreadable {
            line,
            message: complaint(&error, text),
        }
    })?;
    Ok(lines.table(document.as_table(), 1))
}

/// This reads a single TOML value, such as the default of a key or a variable's list.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Result<Node, String> {
    let value: Value = text
        .parse()
        .map_err(|error: toml_edit::TomlError| complaint(&error, text))?;
    Ok(with_origin(
        Lines {
            path: Path::new(""),
            text: "",
        }
        .value(&value, 0),
        origin,
    ))
}

fn with_origin(node: Node, origin: &Origin) -> Node {
    let body = match node.body {
        Body::List(items) => Body::List(
            items
                .into_iter()
                .map(|item| with_origin(item, origin))
                .collect(),
        ),
        Body::Table(table) => Body::Table(
            table
                .into_iter()
                .map(|(key, node)| (key, with_origin(node, origin)))
                .collect(),
        ),
        plain => plain,
    };
    Node {
        body,
        origin: origin.clone(),
    }
}

/// The parser's message, made clear where it would puzzle an operator.
fn complaint(error: &toml_edit::TomlError, text: &str) -> String {
    if !error.message().starts_with("duplicate key") {
        return format!("not TOML: {}", error.message());
    }
    let span = error.span().unwrap_or_default();
    let start = text[..span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let header = text[start..]
        .split_inclusive(']')
        .next()
        .unwrap_or_default()
        .trim();
    if !header.starts_with('[') || header.contains('\n') {
        let key = text.get(span).unwrap_or_default();
        return format!("'{key}' is given twice in the same table: keep one");
    }
    match text
        .lines()
        .position(|line| line.trim().starts_with(header))
    {
        Some(first) if text[..start].lines().count() > first => {
            format!(
                "{header} is given twice, first in line {}: keep one",
                first + 1
            )
        }
        _ => format!("{header} is given twice: keep one"),
    }
}

struct Lines<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Lines<'_> {
    fn at(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn node(&self, line: usize, body: Body) -> Node {
        Node {
            body,
            origin: Origin::File(self.path.to_owned(), line),
        }
    }

    /// Dotted and implied tables have no place of their own; they take that of their
    /// first key, else of the table around them.
    fn table(&self, table: &dyn TableLike, around: usize) -> Table {
        table
            .iter()
            .map(|(name, item)| {
                let key = table.get_key_value(name).and_then(|(key, _)| key.span());
                let span = key.or_else(|| item.span());
                let line = span.map_or(around, |span| self.at(span.start));
                (name.to_owned(), self.item(item, line))
            })
            .collect()
    }

    fn item(&self, item: &Item, line: usize) -> Node {
        match item {
            Item::Value(value) => self.value(value, line),
            Item::Table(table) => self.node(line, Body::Table(self.table(table, line))),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter().map(|table| {
                    let line = table.span().map_or(line, |span| self.at(span.start));
                    self.node(line, Body::Table(self.table(table, line)))
                });
                self.node(line, Body::List(tables.collect()))
            }
            Item::None => self.node(line, Body::Table(Table::new())),
        }
    }

    fn value(&self, value: &Value, line: usize) -> Node {
        let body = match value {
            Value::String(text) => Body::Text(text.value().clone()),
            Value::Integer(number) => Body::Whole(*number.value()),
            Value::Float(number) => Body::Fraction(*number.value()),
            Value::Boolean(flag) => Body::Flag(*flag.value()),
            Value::Datetime(moment) => Body::Moment(moment.value().to_string()),
            Value::Array(items) => Body::List(
                items
                    .iter()
                    .map(|item| {
                        self.value(item, item.span().map_or(line, |span| self.at(span.start)))
                    })
                    .collect(),
            ),
            Value::InlineTable(table) => Body::Table(self.table(table, line)),
        };
        self.node(line, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(node: &Node) -> usize {
        match &node.origin {
            Origin::File(_, line) => *line,
            other => panic!("{other}"),
        }
    }

    fn inner<'a>(table: &'a Table, key: &str) -> &'a Node {
        &table[key]
    }

    fn inside<'a>(node: &'a Node, key: &str) -> &'a Node {
        match &node.body {
            Body::Table(table) => &table[key],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key_knows_its_line() {
        let text = "[a]\nx = 1\n\n[b.c]\ny = [\n  1,\n  2,\n]\nz.w = 3\nt = { u = 1, v = 2 }\n";
        let Ok(table) = parse(Path::new("t.toml"), text) else {
            panic!()
        };
        assert_eq!(line_of(inside(inner(&table, "a"), "x")), 2);
        let c = inside(inner(&table, "b"), "c");
        assert_eq!(line_of(c), 4);
        let Body::List(items) = &inside(c, "y").body else {
            panic!()
        };
        assert_eq!(items.iter().map(line_of).collect::<Vec<_>>(), [6, 7]);
        assert_eq!(line_of(inside(inside(c, "z"), "w")), 9);
        assert_eq!(line_of(inside(inside(c, "t"), "v")), 10);
    }

    #[test]
    fn a_section_given_twice_is_said_clearly() {
        let text = "[portals.a]\nx = 1\n\n[portals.a]\ny = 1\n";
        let Err(bad) = parse(Path::new("t.toml"), text) else {
            panic!()
        };
        assert_eq!(
            (bad.line, &*bad.message),
            (4, "[portals.a] is given twice, first in line 1: keep one")
        );
    }

    #[test]
    fn broken_toml_is_one_line_with_its_place() {
        let Err(bad) = parse(Path::new("t.toml"), "[a]\nx = \ny = 1\n") else {
            panic!()
        };
        assert_eq!(bad.line, 2);
        assert!(bad.message.starts_with("not TOML: "), "{}", bad.message);
        assert!(!bad.message.contains('\n'));
    }
}
