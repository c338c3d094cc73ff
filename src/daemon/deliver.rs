//! Delivers events beside the runs, each target's on a thread of its own: a receiver that is
//! slow or away holds up nobody else.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sync::Sync;
use crate::targets::events::{Outbox, Until, deliver};

/// Delivers, from now on, what the targets in force have in their queues. After a reload the
/// next ones begin when the ones before have ended, so that an event has one deliverer.
pub async fn keep_delivering(
    mut in_force: watch::Receiver<Arc<Sync>>,
    stop: watch::Receiver<bool>,
) {
    loop {
        let outboxes: Vec<Arc<Outbox>> = in_force
            .borrow_and_update()
            .targets
            .values()
            .filter_map(|target| target.outbox())
            .collect();
        let (end, told) = watch::channel(false);
        let mut deliverers = JoinSet::new();
        for outbox in outboxes {
            let (told, runtime) = (told.clone(), Handle::current());
            deliverers.spawn_blocking(move || {
                let name = outbox.name().to_owned();
                let delivered = runtime.block_on(deliver(outbox, Until::Told(told)));
                if let Err(error) = delivered {
                    tracing::error!(
                        target.name = %name,
                        "events of {name} are delivered no longer, until a reload or restart: {error}"
                    );
                }
            });
        }
        let mut stopping = stop.clone();
        let goes_on = tokio::select! {
            changed = in_force.changed() => changed.is_ok(),
            _ = stopping.wait_for(|stop| *stop) => false,
        };
        end.send_replace(true);
        while deliverers.join_next().await.is_some() {}
        if !goes_on {
            return;
        }
    }
}
