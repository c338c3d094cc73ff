//! Opens targets from their settings: what needs more than a line has a file of its own.

mod applivery;
mod events;
mod postgres;
mod scim;

use std::sync::Arc;

pub use events::{drain, outbox};

use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::{Target, local::Local};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    let name = target.name.as_str();
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
        TargetKind::Scim(settings) => scim::open(settings, portals),
        TargetKind::Events(settings) => events::open(name, settings),
        TargetKind::Postgres(settings) => postgres::open(settings),
        TargetKind::Applivery(settings) => applivery::open(name, settings, &portals),
    }
}
