//! Opens targets from their settings.

use std::sync::Arc;

use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::{Target, local::Local};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    let _ = portals;
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
    }
}
