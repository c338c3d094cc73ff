//! Signed webhooks: the queue of a target, and its delivery where no daemon delivers.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Opener;
use crate::app::sources::read_ca;
use crate::config;
use crate::targets::events::{self, Events};

pub fn open(name: &str, settings: &config::Events) -> anyhow::Result<Opener> {
    let options = outbox(name, settings)?;
    let runtime = Handle::current();
    Ok(Box::new(|store| {
        let outbox = events::Outbox::new(store.clone(), options);
        Arc::new(Events::new(outbox, runtime))
    }))
}

/// The queue of an events target, with its secrets read.
pub fn outbox(name: &str, settings: &config::Events) -> anyhow::Result<events::Options> {
    let mut secrets = vec![settings.secret.read()?.expose().to_owned()];
    if let Some(old) = &settings.old_secret {
        secrets.push(old.read()?.expose().to_owned());
    }
    let receiver = events::Receiver::open(events::ReceiverOptions {
        key: format!("targets.{name}"),
        url: settings.url.read()?.expose().to_owned(),
        format: settings.format,
        secrets,
        tenant: settings.tenant.clone(),
        product: settings.product.clone(),
        signature_headers: settings.signature_headers.clone(),
        allow_private_addresses: settings.allow_private_addresses,
        concurrency: settings.concurrency,
        ca_pem: settings.ca_file.as_deref().map(read_ca).transpose()?,
    })?;
    Ok(events::Options {
        name: name.to_owned(),
        receiver,
        schedule: events::Schedule::new(settings.retry.clone()),
        wanted: settings.events.clone(),
        keep: settings.keep,
        concurrency: settings.concurrency,
    })
}

/// Delivers what is due in these queues, side by side and for a moment.
pub async fn drain(outboxes: Vec<Arc<events::Outbox>>) -> anyhow::Result<()> {
    let mut draining = JoinSet::new();
    for outbox in outboxes {
        let runtime = Handle::current();
        let drain = events::deliver(outbox, events::Until::Drained);
        draining.spawn_blocking(move || runtime.block_on(drain));
    }
    while let Some(drained) = draining.join_next().await {
        drained.context("the delivery of events broke off")??;
    }
    Ok(())
}
