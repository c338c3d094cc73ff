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
    let options = Options {
        settings: settings.clone(),
        token: settings.token.read()?,
        path: format!("targets.{name}"),
    };
    let target = Applivery::open(options, portals)?;
    Ok(Box::new(|store| Arc::new(target.over(store.clone()))))
}
