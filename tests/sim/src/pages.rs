//! Rendered pages kept until something on them changes.
//!
//! A page is named by what it shows (the view) and where it starts. It remembers which positions
//! it covers, so a change of one object throws away the pages that show it and no other. When the
//! store is full it is emptied: the next walk fills it again.

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
            *inner = Inner::default();
        }
        if body.len() <= self.limit_bytes {
            inner.bytes += body.len();
            let page = Page {
                end,
                body: body.clone(),
            };
            let before = inner
                .views
                .entry(view.to_owned())
                .or_default()
                .insert(start, page);
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
    fn a_full_store_starts_over() {
        let pages = Pages::new(5);
        pages.get("v", 0, || (1, vec![0; 4]));
        pages.get("v", 1, || (2, vec![1; 4]));
        assert_eq!(pages.get("v", 0, || (1, vec![9; 4])).1[0], 9);
    }
}
