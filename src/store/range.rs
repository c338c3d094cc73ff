//! Which keys a scan is to read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A run of keys: from the first, included, up to the end, excluded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    from: Vec<u8>,
    /// `None`: to the end of the tree.
    to: Option<Vec<u8>>,
}

impl KeyRange {
    /// The whole tree.
    pub fn all() -> KeyRange {
        KeyRange::starting_at([])
    }

    /// Every key from this one on.
    pub fn starting_at(from: impl Into<Vec<u8>>) -> KeyRange {
        KeyRange {
            from: from.into(),
            to: None,
        }
    }

    /// Every key from `from`, included, to `to`, excluded.
    pub fn between(from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> KeyRange {
        KeyRange {
            from: from.into(),
            to: Some(to.into()),
        }
    }

    /// Every key that begins with these bytes.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> KeyRange {
        let from = prefix.into();
        // The end is the prefix with its last byte below 255 raised by one; a prefix of
        // nothing but 255s has no end.
        let to = from.iter().rposition(|byte| *byte < u8::MAX).map(|last| {
            let mut to = from[..=last].to_vec();
            to[last] += 1;
            to
        });
        KeyRange { from, to }
    }

    /// The same range, but only what comes after `key`: how a scan goes on after a page.
    pub fn after(mut self, key: &[u8]) -> KeyRange {
        if key >= self.from.as_slice() {
            self.from = [key, &[0]].concat();
        }
        self
    }

    /// The first key that may be in the range.
    pub fn from(&self) -> &[u8] {
        &self.from
    }

    /// The first key that is beyond the range; `None` when nothing is.
    pub fn to(&self) -> Option<&[u8]> {
        self.to.as_deref()
    }

    /// Whether no key at all can be in it.
    pub fn is_empty(&self) -> bool {
        self.to().is_some_and(|to| to <= self.from())
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.from() && self.to().is_none_or(|to| key < to)
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.to.is_some() { "bounded" } else { "open" };
        write!(f, "KeyRange({} bytes, {end})", self.from.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let range = KeyRange::prefix(*b"ab");
        assert!(range.contains(b"ab") && range.contains(b"ab\xff\xff"));
        assert!(!range.contains(b"ac") && !range.contains(b"aa\xff"));
        assert_eq!(KeyRange::prefix([7, 255]).to(), Some([8].as_slice()));
        assert_eq!(KeyRange::prefix([255, 255]).to(), None);
        assert_eq!(KeyRange::prefix([]), KeyRange::all());
    }

    #[test]
    fn going_on_after_a_key_skips_it_and_never_widens_the_range() {
        let range = KeyRange::prefix(*b"b").after(b"bb");
        assert!(!range.contains(b"bb") && range.contains(b"bb\0"));
        assert_eq!(KeyRange::prefix(*b"b").after(b"a"), KeyRange::prefix(*b"b"));
        assert!(KeyRange::prefix(*b"b").after(b"c").is_empty());
    }
}
