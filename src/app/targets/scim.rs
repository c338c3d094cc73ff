//! A SCIM 2.0 service provider.

use std::sync::Arc;

use super::Opener;
use crate::app::sources::read_ca;
use crate::config::ScimTarget;
use crate::rules::Portal;
use crate::targets::scim::{Opening, Options, Profile};

pub fn open(settings: &ScimTarget, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    let profile = Profile::of(settings.profile, settings.concurrency, &settings.knobs);
    let options = Options {
        base_url: settings.base_url.clone(),
        token: settings.token.clone(),
        timeout: settings.timeout,
        ca_pem: settings.ca_file.as_deref().map(read_ca).transpose()?,
    };
    let opening = Opening::new(options, profile, portals)?;
    Ok(Box::new(move |store| Arc::new(opening.over(store.clone()))))
}
