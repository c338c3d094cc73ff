//! Notices a store that has gone back in time.
//!
//! sled reads its log up to the first part it can make nothing of and takes that for the end.
//! After a crash that is right. After damage it silently is an older store, or an empty one,
//! and rows that were promised are gone. So a number is raised in the store now and then, and
//! once that is durable it is written to a file beside the log: a store whose number is behind
//! the file's has lost what came after. Rows lost from the middle are not noticed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file beside sled's own.
const FILE: &str = "waterline";

/// sled's tree for the one number. It is no [`Tree`](super::Tree): it belongs to this engine's
/// files, not to what is kept in them, and no backup carries it.
pub(super) const TREE: &str = "waterline";

/// The key of the number in its tree.
const KEY: &[u8] = b"height";

pub(super) struct Waterline {
    path: PathBuf,
    height: u64,
}

/// What the store and the file say of each other.
pub(super) enum Level {
    Whole(Waterline),
    Fallen,
}

impl Waterline {
    pub(super) fn read(tree: &::sled::Tree, dir: &Path) -> Result<Level, ::sled::Error> {
        let path = dir.join(FILE);
        let height = tree
            .get(KEY)?
            .and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)))
            .unwrap_or(0);
        let line = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => 0,
            Err(unreadable) => return Err(unreadable.into()),
        };
        if height < line {
            return Ok(Level::Fallen);
        }
        Ok(Level::Whole(Waterline { path, height }))
    }

    /// Raises the number in the store. The caller makes that durable, then calls `draw`.
    pub(super) fn raise(&mut self, tree: &::sled::Tree) -> Result<(), ::sled::Error> {
        self.height += 1;
        tree.insert(KEY, &self.height.to_be_bytes())?;
        Ok(())
    }

    /// Writes the number beside the store.
    ///
    /// In place: the line keeps its length and fits a sector, and one that is unreadable all
    /// the same counts as none.
    pub(super) fn draw(&self) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        file.write_all(format!("{:020}\n", self.height).as_bytes())?;
        file.sync_all()
    }
}
