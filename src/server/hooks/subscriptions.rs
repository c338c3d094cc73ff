//! Keeps the subscriptions of the sources that are asked to send word: made when the daemon
//! starts, renewed long before they end, made again when they are gone, removed when nobody
//! wants them any more.
//!
//! What is remembered in the store are their ids and the key that the secrets come from, so that
//! a restart goes on with the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::server::Shared;
use crate::sources::{FetchError, Hook, Subscribed};
use crate::store::directory::put_note;
use crate::store::{Store, StoreError};
use crate::sync::Sync;

/// How often the subscriptions are looked at where all is well: one that somebody removed is
/// back within the hour.
const LOOK: Duration = Duration::from_secs(3600);

/// The least time between two looks, however often somebody asks for one.
const LEAST: Duration = Duration::from_secs(1);

/// How long after a failure it is tried again; each further time twice as long, up to [`LOOK`].
const AGAIN: Duration = Duration::from_secs(15);

/// The note of the key that the secrets come from.
const KEY: &str = "hook_key";

fn note_of(source: &str) -> String {
    format!("subscriptions {source}")
}

/// Asks for a look before its time.
#[derive(Default)]
pub struct Nudge(Notify);

impl Nudge {
    pub fn look(&self) {
        self.0.notify_one();
    }
}

/// The secret that word of a source carries. It comes from a key of this store, which is made
/// when it is first needed.
pub fn secret(store: &Store, source: &str) -> Result<String, StoreError> {
    let known = store.note(KEY)?;
    let known = known.and_then(|text| blake3::Hash::from_hex(text.as_bytes()).ok());
    let key = match known {
        Some(key) => key,
        None => {
            let key = blake3::Hash::from_bytes(rand::random());
            store.transact(vec![put_note(KEY, &key.to_hex())])?;
            store.flush()?;
            key
        }
    };
    let secret = blake3::keyed_hash(key.as_bytes(), source.as_bytes());
    Ok(secret.to_hex().to_string())
}

/// How it stands with one source.
struct Line {
    next: Instant,
    failures: u32,
}

/// Looks after the subscriptions for as long as it is polled.
pub async fn keep_subscriptions(shared: Shared) {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    loop {
        let hooks = shared.access().hooks.to_subscribe();
        let sync = shared.conductor.sync();
        end_others(&sync, &hooks).await;
        lines.retain(|source, _| hooks.contains_key(source));
        let now = Instant::now();
        let due = hooks.iter().filter(|(source, _)| {
            let line = lines.get(*source);
            line.is_none_or(|line| line.next <= now)
        });
        let looks = due.map(|(source, hook)| {
            let sync = &sync;
            async move { (source.clone(), look(sync, source, hook).await) }
        });
        for (source, outcome) in join_all(looks).await {
            let before = lines.get(&source).map_or(0, |line| line.failures);
            shared.metrics.subscribed(&source, outcome.is_ok());
            let line = match outcome {
                Ok(standing) => {
                    if standing.made {
                        // What changed before there was anybody to say so.
                        shared.pings.take(&source, &shared.conductor);
                    }
                    let next = Instant::now() + until_next(standing);
                    Line { next, failures: 0 }
                }
                Err(error) => {
                    let failures = before + 1;
                    let pause = AGAIN.saturating_mul(1 << (failures - 1).min(10)).min(LOOK);
                    tracing::warn!(
                        source.name = %source,
                        "source {source} sends no word of changes, next try in {} s: {error}",
                        pause.as_secs()
                    );
                    let next = Instant::now() + pause;
                    Line { next, failures }
                }
            };
            lines.insert(source, line);
        }
        let next = lines.values().map(|line| line.next).min();
        let next = next.unwrap_or_else(|| Instant::now() + LOOK);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = shared.nudge.0.notified() => {
                // Several of them are one: each service writes for its own subscriptions.
                tokio::time::sleep(LEAST).await;
                lines.clear();
            }
        }
    }
}

/// Half of the time that is left, so that a renewal may fail a few times.
fn until_next(standing: Subscribed) -> Duration {
    let left = standing.until.duration_since(clock::now());
    match Duration::try_from(left) {
        Ok(left) if !left.is_zero() => (left / 2).clamp(LEAST, LOOK),
        // It has run out as it was made: the two clocks do not agree.
        _ => LOOK,
    }
}

/// One look at one source. The ids are remembered whatever came of it.
async fn look(sync: &Sync, source: &str, hook: &Hook) -> Result<Subscribed, FetchError> {
    let unknown = || FetchError::Unavailable(format!("source {source} is not in force yet"));
    let reads = sync.sources.get(source).ok_or_else(unknown)?;
    let notifier = reads.notifier().ok_or_else(unknown)?;
    let mut known = remembered(sync, source).await?;
    let before = known.clone();
    let outcome = notifier.subscribe(hook, &mut known).await;
    if known != before {
        remember(sync, source, known).await?;
    }
    outcome
}

/// Ends what was subscribed to and is wanted no longer. It is tried once: what cannot be
/// removed now runs out by itself.
async fn end_others(sync: &Sync, hooks: &BTreeMap<String, Hook>) {
    let wanted: BTreeSet<&String> = hooks.keys().collect();
    for (source, reads) in &sync.sources {
        let Some(notifier) = reads.notifier().filter(|_| !wanted.contains(source)) else {
            continue;
        };
        let ended = async {
            let known = remembered(sync, source).await?;
            if known.is_empty() {
                return Ok(());
            }
            remember(sync, source, Vec::new()).await?;
            notifier.unsubscribe(&known).await
        };
        if let Err(error) = ended.await {
            tracing::warn!(
                source.name = %source,
                "the subscriptions of source {source} are left to run out: {error}"
            );
        }
    }
}

async fn remembered(sync: &Sync, source: &str) -> Result<Vec<String>, FetchError> {
    let (store, name) = (sync.store.clone(), note_of(source));
    let note = in_store(move || store.note(&name)).await?;
    // An unreadable note is no note: what it named is then removed as unknown.
    Ok(note
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

async fn remember(sync: &Sync, source: &str, ids: Vec<String>) -> Result<(), FetchError> {
    let store = sync.store.clone();
    let text = serde_json::to_string(&ids).expect("a list of texts is plain data");
    let op = put_note(&note_of(source), &text);
    in_store(move || {
        store.transact(vec![op])?;
        store.flush()
    })
    .await
}

async fn in_store<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| FetchError::Unavailable(error.to_string())),
        Err(cause) => Err(FetchError::Unavailable(cause.to_string())),
    }
}
