//! Every key an operator can set: its kind, its default, a line about it.
//!
//! This table is the one place a key is declared. It refuses what it does not know,
//! gives the built-in defaults, and is what `docs/CONFIGURATION.md` is checked against.
//! What a kind accepts is in `kinds`; the entries themselves are in `keys/table.rs`.

mod table;

pub use super::kinds::Kind;
pub use table::KEYS;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The dotted key. A part in capitals (`NAME`, `GROUP`, `ATTRIBUTE`, `URN`) stands for
    /// any name.
    pub path: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// The kinds of source, target or portal that have it; empty: all.
    pub only: &'static [&'static str],
    /// Whether it must be given, or what holds if it is not.
    pub unset: Unset,
    /// What it does, in a line.
    pub doc: &'static str,
}

/// What holds where a key is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// It must be given.
    Refused,
    /// Nothing: the key is optional.
    Nothing,
    /// This value, as TOML.
    Default(&'static str),
}

/// What there is at a path.
pub enum Found {
    /// A key.
    Key(&'static Key),
    /// A table with keys below it.
    Table,
    /// Nothing of that name.
    Nothing,
}

/// Whether a part of a key's path stands for any name.
pub fn stands_for_any(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_uppercase())
}

/// This says what stands at `path`.
pub fn find<S: AsRef<str>>(path: &[S]) -> Found {
    let mut found = Found::Nothing;
    for key in KEYS {
        match fits(key.path, path) {
            Some(0) => return Found::Key(key),
            Some(_) => found = Found::Table,
            None => {}
        }
    }
    found
}

/// The names that may follow after `path`. Names that are free to choose are not listed.
pub fn names_below<S: AsRef<str>>(path: &[S]) -> Vec<&'static str> {
    let mut names: Vec<_> = KEYS
        .iter()
        .filter(|key| fits(key.path, path).is_some_and(|left| left > 0))
        .filter_map(|key| key.path.split('.').nth(path.len()))
        .filter(|name| !stands_for_any(name))
        .collect();
    names.dedup();
    names
}

/// How many parts of `pattern` are left after `path`; none if `path` leads elsewhere.
fn fits<S: AsRef<str>>(pattern: &str, path: &[S]) -> Option<usize> {
    let mut parts = pattern.split('.');
    for name in path {
        let part = parts.next()?;
        if part != name.as_ref() && !stands_for_any(part) {
            return None;
        }
    }
    Some(parts.count())
}

impl Key {
    /// Whether a section of `kind` has this key.
    pub fn belongs_to(&self, kind: &str) -> bool {
        self.only.is_empty() || self.only.contains(&kind)
    }

    /// Whether this is a key of the sections `[SECTION.NAME]`; with the path below those.
    pub fn below(&self, section: &str) -> Option<&'static str> {
        self.path.strip_prefix(section)?.strip_prefix(".NAME.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_declared_twice() {
        let mut paths: Vec<_> = KEYS.iter().map(|key| key.path).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn every_default_is_accepted_by_its_own_kind() {
        for key in KEYS {
            if let Unset::Default(text) = key.unset {
                let node = crate::config::document::parse_value(
                    text,
                    &crate::config::problems::Origin::Default,
                );
                let node = node.unwrap_or_else(|error| panic!("{}: {error}", key.path));
                assert!(key.kind.check(&node).is_ok(), "{}", key.path);
            }
        }
    }

    #[test]
    fn names_stand_for_any_name_and_sections_are_tables() {
        assert!(matches!(
            find(&["sources", "entra", "tenant"]),
            Found::Key(_)
        ));
        assert!(matches!(
            find(&["portals", "x", "groups", "push"]),
            Found::Key(_)
        ));
        assert!(matches!(find(&["portals", "x", "groups"]), Found::Table));
        assert!(matches!(find(&["portals"]), Found::Table));
        assert!(matches!(find(&["portal"]), Found::Nothing));
        assert_eq!(names_below(&["server"]).first(), Some(&"listen"));
    }
}
