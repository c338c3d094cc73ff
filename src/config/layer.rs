//! One layer of settings, as the layering crate takes it.
//!
//! Tables of keys merge, so that a later file can change one key of a portal. Values that
//! are one thing though they are written as a table (a secret, a mapping) replace each
//! other whole: half of one and half of another would be neither.

use std::collections::BTreeMap;

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::keys::{self, Found};
use super::node::{self, Body, Node, Table, dotted_path};
use super::problems::Origin;

/// Where each key of the effective settings comes from; tables too, by their first
/// mention.
pub(super) type Origins = BTreeMap<String, Origin>;

/// One layer: a file, the environment, or the defaults.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub table: Table,
}

impl Layer {
    /// Notes where the keys of this layer come from, over what earlier layers noted.
    pub fn note_origins(&self, origins: &mut Origins) {
        visit(&self.table, &mut Vec::new(), &mut |path, node, is_key| {
            let key = dotted_path(path);
            let mentioned = origins
                .get(&key)
                .is_some_and(|origin| *origin != Origin::Default);
            if is_key || !mentioned {
                origins.insert(key, node.origin.clone());
            }
        });
    }
}

/// Calls `see` for every table and every key, with its path.
fn visit(table: &Table, path: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Node, bool)) {
    for (name, node) in table {
        path.push(name.clone());
        let is_key = matches!(keys::find(path), Found::Key(_));
        see(path, node, is_key);
        if let (false, Body::Table(below)) = (is_key, &node.body) {
            visit(below, path, see);
        }
        path.pop();
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(node::values(&self.table))
    }

    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        visit(&self.table, &mut Vec::new(), &mut |path, node, is_key| {
            if is_key && matches!(node.body, Body::Table(_)) {
                forget(cache, path);
            }
        });
        Plain(self.table.clone()).collect_to(cache)
    }
}

/// The same table, merged key by key as the crate merges.
#[derive(Clone, Debug)]
struct Plain(Table);

impl Source for Plain {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(node::values(&self.0))
    }
}

/// Takes what stands at `path` out of the layers below.
fn forget(value: &mut Value, path: &[String]) {
    let ([name, rest @ ..], ValueKind::Table(table)) = (path, &mut value.kind) else {
        return;
    };
    if rest.is_empty() {
        table.remove(name);
    } else if let Some(below) = table.get_mut(name) {
        forget(below, rest);
    }
}
