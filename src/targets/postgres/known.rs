//! Which keys stand in the target: asked one by one while they are few, read as a whole when a
//! run asks for many. A first run asks for every user there is.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// So many questions cost about as much as reading the keys of a middling portal.
const ONE_BY_ONE: usize = 100;

#[derive(Default)]
pub struct Known(HashMap<String, Portal>);

#[derive(Default)]
struct Portal {
    asked: usize,
    /// As hashes, of which there may be millions: what is in here is asked for all the same,
    /// so that one for another costs a question and no more.
    keys: Option<HashSet<u64>>,
}

/// How to find out about a key.
#[derive(PartialEq, Eq, Debug)]
pub enum How {
    Ask,
    ReadAll,
    /// It does not stand there.
    Absent,
}

impl Known {
    pub fn about(&mut self, portal: &str, key: &str) -> How {
        let portal = self.0.entry(portal.to_owned()).or_default();
        match &portal.keys {
            Some(keys) if !keys.contains(&hash(key)) => How::Absent,
            Some(_) => How::Ask,
            None => {
                portal.asked += 1;
                match portal.asked > ONE_BY_ONE {
                    true => How::ReadAll,
                    false => How::Ask,
                }
            }
        }
    }

    pub fn are<'a>(&mut self, portal: &str, keys: impl Iterator<Item = &'a str>) {
        let portal = self.0.entry(portal.to_owned()).or_default();
        portal.keys = Some(keys.map(hash).collect());
    }

    /// Something was written, or a run begins.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_questions_are_answered_by_reading_once() {
        let mut known = Known::default();
        for _ in 0..ONE_BY_ONE {
            assert_eq!(known.about("p", "a"), How::Ask);
        }
        assert_eq!(known.about("p", "a"), How::ReadAll);
        known.are("p", ["a"].into_iter());
        assert_eq!(known.about("p", "a"), How::Ask);
        assert_eq!(known.about("p", "b"), How::Absent);
        assert_eq!(known.about("q", "b"), How::Ask);
        known.forget();
        assert_eq!(known.about("p", "b"), How::Ask);
    }
}
