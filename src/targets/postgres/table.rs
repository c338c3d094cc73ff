//! Rows as they were read, and as they are to be: what differs is written.

use std::collections::{BTreeMap, HashMap};

pub struct Table<K, R> {
    before: HashMap<K, R>,
    now: BTreeMap<K, R>,
}

impl<K: Ord + std::hash::Hash + Clone, R> Table<K, R> {
    pub fn new() -> Table<K, R> {
        Table {
            before: HashMap::new(),
            now: BTreeMap::new(),
        }
    }

    /// A row that stands in the database.
    pub fn stands(&mut self, key: K, row: R) {
        self.before.insert(key, row);
    }

    pub fn get(&self, key: &K) -> Option<&R> {
        self.now.get(key).or_else(|| self.before.get(key))
    }

    pub fn put(&mut self, key: K, row: R) {
        self.now.insert(key, row);
    }

    /// What was put, by key, with what stood there.
    pub fn put_rows(&self) -> impl Iterator<Item = (&K, Option<&R>, &R)> {
        self.now
            .iter()
            .map(|(key, row)| (key, self.before.get(key), row))
    }
}
