//! `[state]`: where rosterd keeps what it knows.

use std::path::PathBuf;

use super::section::Section;

/// The settings of `[state]`.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Directory of the store and the daemon's socket. Default: `/var/lib/rosterd`.
    pub path: PathBuf,
}

impl State {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            path: section.path("path")?,
        })
    }
}
