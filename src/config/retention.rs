//! `[history]` and `[audit]`: how long what was done can be looked up.

use std::time::Duration;

use super::section::Section;
use super::{duration, size};

/// The settings of one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Default: `90d` of runs, `400d` of the audit log.
    pub keep: Duration,
    /// In bytes. The oldest go first. Default: `1GiB`.
    pub max_size: u64,
}

impl Retention {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            keep: section.read("keep", duration::parse)?,
            max_size: section.read("max_size", size::parse)?,
        })
    }
}
