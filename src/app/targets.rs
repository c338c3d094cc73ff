//! Opens targets from their settings.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::config::{self, TargetKind};
use crate::rules::Portal;
use crate::store::Store;
use crate::targets::events::{self, Events};
use crate::targets::{Target, local::Local};

/// A target whose secrets are read, and that waits for the store to be open.
pub type Opener = Box<dyn FnOnce(&Store) -> Arc<dyn Target>>;

/// Reads what a target needs beside the store. `portals` are those that live in it.
pub fn open(target: &config::Target, portals: Vec<Portal>) -> anyhow::Result<Opener> {
    let _ = portals;
    match &target.kind {
        TargetKind::Local => Ok(Box::new(|store| Arc::new(Local::new(store.clone())))),
        TargetKind::Events(settings) => {
            let options = outbox(target.name.as_str(), settings)?;
            let runtime = Handle::current();
            Ok(Box::new(|store| {
                let outbox = events::Outbox::new(store.clone(), options);
                Arc::new(Events::new(outbox, runtime))
            }))
        }
    }
}

/// The queue of an events target, with its secrets read.
pub fn outbox(name: &str, settings: &config::Events) -> anyhow::Result<events::Options> {
    let mut secrets = vec![settings.secret.read()?.expose().to_owned()];
    if let Some(old) = &settings.old_secret {
        secrets.push(old.read()?.expose().to_owned());
    }
    let ca_pem = settings.ca_file.as_deref().map(|file| {
        std::fs::read(file).with_context(|| {
            format!(
                "ca_file {} cannot be read; name a PEM file that rosterd may read",
                file.display()
            )
        })
    });
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
        ca_pem: ca_pem.transpose()?,
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
