//! Opens targets from their settings.

use std::sync::Arc;

use super::sources::read_ca;
use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::{Target, local::Local, scim};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
        TargetKind::Scim(settings) => {
            let profile =
                scim::Profile::of(settings.profile, settings.concurrency, &settings.knobs);
            let options = scim::Options {
                base_url: settings.base_url.clone(),
                token: settings.token.clone(),
                timeout: settings.timeout,
                ca_pem: settings.ca_file.as_deref().map(read_ca).transpose()?,
            };
            let opening = scim::Opening::new(options, profile, portals)?;
            Ok(Box::new(move |store| Arc::new(opening.over(store.clone()))))
        }
    }
}
