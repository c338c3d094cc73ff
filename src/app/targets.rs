//! Opens targets from their settings.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::sources::read_ca;
use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::{Target, local::Local, postgres};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    let _ = portals;
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
        TargetKind::Postgres(settings) => open_postgres(settings),
    }
}

fn open_postgres(settings: &config::Postgres) -> anyhow::Result<Opener> {
    let ca_pem = settings.ca_file.as_deref().map(read_ca).transpose()?;
    let url = settings.url.read()?;
    let options = postgres::Options {
        address: postgres::Address::read(url.expose(), ca_pem.as_deref())?,
        schema: settings.schema.clone(),
        reader_role: settings.reader_role.clone(),
        purge_after: settings.purge_after,
        timeout: settings.timeout,
    };
    let handle = Handle::current();
    Ok(Box::new(move |store| {
        Arc::new(postgres::Postgres::new(options, store.clone(), handle))
    }))
}
