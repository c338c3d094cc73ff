//! Opens targets from their settings.

use std::sync::Arc;

use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::{Target, applivery, local::Local};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
        TargetKind::Applivery(settings) => {
            let options = applivery_options(target.name.as_str(), settings)?;
            let target = applivery::Applivery::open(options, &portals)?;
            Ok(Box::new(|store| Arc::new(target.over(store.clone()))))
        }
    }
}

fn applivery_options(
    name: &str,
    settings: &config::Applivery,
) -> anyhow::Result<applivery::Options> {
    let config::Applivery {
        base_url,
        organization,
        token,
        concurrency,
        policies,
        unassign_value,
        email_change,
        remove_devices_allowed,
        undocumented_calls,
        rate_per_hour,
        rate_burst,
        android,
    } = settings.clone();
    Ok(applivery::Options {
        base_url,
        organization,
        token: token.read()?,
        token_key: token.key,
        path: format!("targets.{name}"),
        concurrency,
        policies,
        unassign_value,
        email_change,
        remove_devices_allowed,
        undocumented_calls,
        rate_per_hour,
        rate_burst,
        android,
    })
}
