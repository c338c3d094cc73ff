//! Tells somebody when something needs an eye: a webhook, a command, or both.
//!
//! `news` compares how things stand with what was told already, which the store remembers, so
//! that each change is told once, over restarts too. `outlets` carries a message out. All of it
//! is beside the runs: none waits for it.

mod news;
mod outlets;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock;
use crate::store::StoreError;
use crate::store::directory::put_note;
use crate::sync::{Conductor, Sync};
use news::{Message, Standing, Told};
pub use outlets::{OutletError, Outlets};

/// The note of what was told.
const NOTE: &str = "told";

/// How often it is looked whether a sync is overdue, unless that is a matter of seconds.
const LOOK: Duration = Duration::from_secs(60);

/// Tells, from now on, through the outlets that are in force.
pub async fn keep_telling(conductor: Conductor, mut outlets: watch::Receiver<Arc<Outlets>>) {
    let since = clock::now();
    let mut runs = conductor.watch_runs();
    loop {
        let now = outlets.borrow_and_update().clone();
        if !now.is_empty() {
            tell(&conductor, &now, since).await;
        }
        let look = (now.overdue_after() / 4).clamp(Duration::from_millis(250), LOOK);
        tokio::select! {
            // A run that ended, or several that nobody heard of: the store has them all.
            _ = runs.recv() => {}
            () = tokio::time::sleep(look) => {}
            changed = outlets.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Tells what is new. It counts as told when it was carried out, or when that failed often
/// enough.
async fn tell(conductor: &Conductor, outlets: &Outlets, since: Timestamp) {
    let (sync, overdue_after) = (conductor.sync(), outlets.overdue_after());
    let look = move || look(&sync, overdue_after, since);
    let (messages, told) = match tokio::task::spawn_blocking(look).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return tracing::error!("how things stand cannot be read: {error}"),
        Err(_) => return tracing::error!("how things stand cannot be told; this is a bug"),
    };
    if messages.is_empty() {
        return;
    }
    for message in &messages {
        outlets.carry_out(message).await;
    }
    let sync = conductor.sync();
    let remember = move || {
        sync.store.transact(vec![put_note(NOTE, &told.to_text())])?;
        sync.store.flush()
    };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(remember).await {
        tracing::error!("what was told cannot be remembered: {error}");
    }
}

/// What is new, and what will have been told then.
fn look(
    sync: &Sync,
    overdue_after: Duration,
    since: Timestamp,
) -> Result<(Vec<Message>, Told), StoreError> {
    let mut standing = Standing {
        held: sync.store.held_run()?.map(|record| record.head),
        ..Standing::default()
    };
    for name in sync.sources.keys() {
        let state = sync.store.source_state(name)?;
        standing.sources.insert(name.clone(), state);
    }
    let told = Told::read(sync.store.note(NOTE)?.as_deref());
    Ok(news::of(
        told,
        &standing,
        overdue_after,
        since,
        clock::now(),
    ))
}
