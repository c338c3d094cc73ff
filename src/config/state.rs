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

impl State {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            path: section.path("path")?,
            cache: section.read("cache", cache)?,
        })
    }
}

/// The engine is of no use with less than a few pages.
const LEAST_CACHE: u64 = 1 << 20;

fn cache(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        bytes if bytes < LEAST_CACHE => Err(format!("must be at least \"1MiB\", not \"{text}\"")),
        bytes => Ok(bytes),
    }
}
