//! What SCIM clients pushed, as they wrote it, and how it is found by what it says. The users
//! and groups of the directory, their members included, are in `directory` as those of every
//! source; here is what the protocol needs beyond the model.

use serde::{Deserialize, Serialize};

use super::codec::{KeyReader, KeyWriter, encode};
use super::rows::VERSION;
use super::{KeyRange, Op, Store, StoreError, Tree};

/// A resource. A group's members are not in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Goes up by one with every change.
    pub version: u64,
    pub created: jiff::Timestamp,
    pub modified: jiff::Timestamp,
    /// The attributes, as JSON.
    pub json: String,
}

fn of_kind(source: &str, kind: u8) -> KeyWriter {
    KeyWriter::new().text(source).byte(kind)
}

fn resource_key(source: &str, kind: u8, id: &str) -> Vec<u8> {
    of_kind(source, kind).text(id).finish()
}

fn found_key(source: &str, kind: u8, attribute: &str, value: &str) -> KeyWriter {
    of_kind(source, kind).text(attribute).text(value)
}

impl Store {
    pub fn resource(
        &self,
        source: &str,
        kind: u8,
        id: &str,
    ) -> Result<Option<ResourceRow>, StoreError> {
        self.row(Tree::Resources, &resource_key(source, kind, id), "resource")
    }

    /// Resources by id, those after `after` if one is given, each with its id.
    pub fn resources_after(
        &self,
        source: &str,
        kind: u8,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<(String, ResourceRow), StoreError>> + '_ {
        let range = KeyRange::prefix(of_kind(source, kind).finish());
        let range = match after {
            Some(id) => range.after(&resource_key(source, kind, id)),
            None => range,
        };
        self.engine().scan(Tree::Resources, range).map(|entry| {
            let (key, value) = entry?;
            let row = super::codec::decode(&value, "resource", VERSION)?;
            Ok((id_at_end(&key, 0)?, row))
        })
    }

    /// The ids of resources with this value, which is in the form in which it compares.
    pub fn resources_with(
        &self,
        source: &str,
        kind: u8,
        attribute: &str,
        value: &str,
    ) -> Result<Vec<String>, StoreError> {
        let range = KeyRange::prefix(found_key(source, kind, attribute, value).finish());
        self.engine()
            .scan(Tree::ResourceIndex, range)
            .map(|entry| id_at_end(&entry?.0, 2))
            .collect()
    }
}

/// The id behind source, kind and some more texts.
fn id_at_end(key: &[u8], texts: usize) -> Result<String, StoreError> {
    let mut reader = KeyReader::new(key, "resource");
    reader.text()?;
    reader.byte()?;
    for _ in 0..texts {
        reader.text()?;
    }
    Ok(reader.text()?)
}

pub fn put_resource(source: &str, kind: u8, id: &str, row: &ResourceRow) -> Op {
    let key = resource_key(source, kind, id);
    Op::Put(Tree::Resources, key, encode(VERSION, row))
}

pub fn delete_resource(source: &str, kind: u8, id: &str) -> Op {
    Op::Delete(Tree::Resources, resource_key(source, kind, id))
}

pub fn put_found(source: &str, kind: u8, attribute: &str, value: &str, id: &str) -> Op {
    let key = found_key(source, kind, attribute, value).text(id).finish();
    Op::Put(Tree::ResourceIndex, key, Vec::new())
}

pub fn delete_found(source: &str, kind: u8, attribute: &str, value: &str, id: &str) -> Op {
    let key = found_key(source, kind, attribute, value).text(id).finish();
    Op::Delete(Tree::ResourceIndex, key)
}
