//! Applivery, through its REST API.

use std::sync::Arc;

use super::Opener;
use crate::config;
use crate::rules::Portal;
use crate::targets::applivery::{Applivery, Options};

pub fn open(
    name: &str,
    settings: &config::Applivery,
    portals: &[Portal],
) -> anyhow::Result<Opener> {
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
    let options = Options {
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
    };
    let target = Applivery::open(options, portals)?;
    Ok(Box::new(|store| Arc::new(target.over(store.clone()))))
}
