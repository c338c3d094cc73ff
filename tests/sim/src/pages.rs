//! Rendered pages kept until something on them changes.
//!
//! A page is named by what it shows (the view) and where it starts. It remembers which positions
//! it covers, so a change of one object throws away the pages that show it and no other. When the
//! store is full, other views give way; a view too large for the store keeps its first pages,
//! because a walk that evicts as it goes would never meet a page again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use bytes::Bytes;

/// A store of pages for one kind of object.
#[derive(Debug)]
pub struct Pages {
    inner: Mutex<Inner>,
    limit_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    views: HashMap<String, BTreeMap<u32, Page>>,
    bytes: usize,
}

impl Inner {
    fn keep_only(&mut self, view: &str) {
        self.views.retain(|name, _| name == view);
        let pages = self.views.values().flat_map(BTreeMap::values);
        self.bytes = pages.map(|page| page.body.len()).sum();
    }
}

#[derive(Debug, Clone)]
struct Page {
    end: u32,
    body: Bytes,
}

impl Pages {
    /// A store that holds at most about that many bytes.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            limit_bytes,
        }
    }

    /// The page of a view starting at a position, with where it ends, made by `render` if needed.
    pub fn get(
        &self,
        view: &str,
        start: u32,
        render: impl FnOnce() -> (u32, Vec<u8>),
    ) -> (u32, Bytes) {
        if let Some(page) = self
            .lock()
            .views
            .get(view)
            .and_then(|pages| pages.get(&start))
        {
            return (page.end, page.body.clone());
        }
        let (end, body) = render();
        let body = Bytes::from(body);
        let mut inner = self.lock();
        if inner.bytes + body.len() > self.limit_bytes {
            inner.keep_only(view);
        }
        if inner.bytes + body.len() <= self.limit_bytes {
            inner.bytes += body.len();
            let page = Page {
                end,
                body: body.clone(),
            };
            let pages = inner.views.entry(view.to_owned()).or_default();
            let before = pages.insert(start, page);
            inner.bytes -= before.map_or(0, |page| page.body.len());
        }
        (end, body)
    }

    /// Forgets every page that shows the object at that position.
    pub fn forget(&self, position: u32) {
        let mut inner = self.lock();
        let mut freed = 0;
        for pages in inner.views.values_mut() {
            // Pages of one view may overlap after a deletion moved their ends; few ever do.
            let hit: Vec<u32> = pages
                .range(..=position)
                .rev()
                .take(8)
                .filter(|(_, page)| page.end >= position)
                .map(|(&start, _)| start)
                .collect();
            for start in hit {
                freed += pages.remove(&start).map_or(0, |page| page.body.len());
            }
        }
        inner.bytes -= freed;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_show_the_object_are_forgotten() {
        let pages = Pages::new(1_000);
        let first = || pages.get("v", 0, || (10, b"one".to_vec())).1;
        let second = || pages.get("v", 10, || (20, b"two".to_vec())).1;
        first();
        second();
        pages.forget(15);
        assert_eq!(pages.get("v", 0, || (10, b"fresh".to_vec())).1, "one");
        assert_eq!(pages.get("v", 10, || (20, b"fresh".to_vec())).1, "fresh");
    }

    #[test]
    fn in_a_full_store_other_views_give_way() {
        let pages = Pages::new(5);
        let get = |view: &str, start, byte| pages.get(view, start, || (9, vec![byte; 4])).1[0];
        get("old", 0, 1);
        get("new", 0, 2);
        get("new", 1, 3);
        assert_eq!(get("new", 0, 7), 2);
        assert_eq!(get("new", 1, 7), 7);
        assert_eq!(get("old", 0, 7), 7);
    }
}
