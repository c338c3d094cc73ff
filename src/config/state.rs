//! `[state]`: where rosterd keeps what it knows.

use std::path::PathBuf;

use super::section::Section;
use super::size;

/// The settings of `[state]`.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Directory of the store and the daemon's socket. Default: `/var/lib/rosterd`.
    pub path: PathBuf,
    /// How much of the store is kept in memory, in bytes. Default: `64MiB`: a million small rows
    /// stayed at 150 to 210 MB of memory in all with it.
    pub cache: u64,
}

/// The store is of no use with room for a few pages only.
const LEAST_CACHE: u64 = 1 << 20;

impl State {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let path = section.path("path")?;
        let cache = section.read("cache", size::parse)?;
        if cache < LEAST_CACHE {
            let message = format!("'{}' must be \"1MiB\" or more", section.key("cache"));
            section.refuse("cache", message);
            return None;
        }
        Some(Self { path, cache })
    }
}
