//! A life in fast motion: people come, change and go; pages fail; rosterd is killed at any
//! moment. [`commands`] has it run by hand, [`daemon`] by its own schedules.

mod agreement;
pub mod commands;
mod company;
pub mod daemon;

use std::path::{Path, PathBuf};

use crate::rosterd::Rosterd;
use crate::{Soak, Vendor};

/// rosterd with both sources, and a state of its own.
fn with_state<'a>(bin: &'a Path, soak: &'a Soak, state: PathBuf) -> Rosterd<'a> {
    Rosterd {
        bin,
        settings: &soak.place.settings,
        sources: &[Vendor::Graph, Vendor::Okta],
        also: "soak.toml",
        state,
    }
}
