//! What whoever changes a pushed source holds: one writer at a time, and a memory of whom the
//! writers touched while a run went on.
//!
//! A run reads the marks, decides, applies and strikes the marks off. Somebody who is pushed
//! again in between must keep their mark, since the run may have decided on what they were
//! before. The memory need not survive a crash: marks are only ever struck off by a run that
//! lives.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// Kind, source and id of somebody marked.
pub type Place = (u8, String, String);

#[derive(Default)]
pub struct Pen {
    touched: BTreeSet<Place>,
    ids: ulid::Generator,
}

impl Pen {
    /// A run begins to look at the marks: whoever is touched from now on stays marked.
    pub fn forget_touched(&mut self) {
        self.touched.clear();
    }

    pub fn touch(&mut self, place: Place) {
        self.touched.insert(place);
    }

    /// Whether somebody was touched since the run began.
    pub fn is_touched(&self, place: &Place) -> bool {
        self.touched.contains(place)
    }

    /// A new id. Ids sort in the order in which they were given, so that a list goes on where
    /// it ended.
    pub fn new_id(&mut self, now: Timestamp) -> String {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
        let id = self.ids.generate_from_datetime(time);
        // It fails after 2^80 ids in one millisecond.
        let id = id.unwrap_or_else(|_| ulid::Ulid::from_parts(millis + 1, 0));
        id.to_string().to_ascii_lowercase()
    }
}
