//! sled, opened.

use std::path::Path;

use ::sled::Db;

use super::errors::{io_error, open_error};
use super::files::drop_unfinished;
use super::waterline::{self, Level, Waterline};
use super::{EngineError, Tree, format};

/// How often sled tidies up: each time it writes anew what a half-empty piece of its file still
/// holds. Nothing relies on it for durability.
///
/// A minute: where more than half of the file is free, one tidied piece can leave another to be
/// tidied for ever, and every half second that came to 95 GB a day from a daemon with nothing to
/// do. Without it the file only grows.
const TIDY_EVERY_MS: u64 = 60_000;

/// What sled gave when it was opened. Who reads on holds it, so that it stays open.
pub(super) struct Handles {
    pub(super) db: Db,
    trees: [::sled::Tree; Tree::ALL.len()],
    pub(super) waterline: ::sled::Tree,
}

impl Handles {
    /// Opens what is in `dir`, if it is ours to use, with what it says of itself.
    pub(super) fn open(
        dir: &Path,
        place: &str,
        cache_bytes: u64,
    ) -> Result<(Handles, Waterline, format::Stamp), EngineError> {
        drop_unfinished(dir).map_err(|cause| io_error("open", place, cause))?;
        let failed_to_open = |cause| open_error(place, cause);
        let db = ::sled::Config::default()
            .path(dir)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(TIDY_EVERY_MS))
            .open()
            .map_err(failed_to_open)?;
        let open = |tree: Tree| db.open_tree(tree.name()).map_err(failed_to_open);
        // Judged first: nothing is added to a store that is not ours to use.
        let stamp = open(Tree::Meta)?
            .get(format::STAMP)
            .map_err(failed_to_open)?;
        let stamp = format::judge(stamp.as_deref(), place)?;
        let waterline = db.open_tree(waterline::TREE).map_err(failed_to_open)?;
        let level = match Waterline::read(&waterline, dir).map_err(failed_to_open)? {
            Level::Whole(level) => level,
            Level::Fallen => {
                return Err(EngineError::Damaged {
                    place: place.to_owned(),
                    why: "what was last written to it is gone".to_owned(),
                });
            }
        };
        let mut trees = Vec::with_capacity(Tree::ALL.len());
        for tree in Tree::ALL {
            trees.push(open(tree)?);
        }
        let handles = Handles {
            trees: trees.try_into().expect("one was pushed for each"),
            db,
            waterline,
        };
        Ok((handles, level, stamp))
    }

    pub(super) fn tree(&self, tree: Tree) -> &::sled::Tree {
        &self.trees[tree as usize]
    }
}
