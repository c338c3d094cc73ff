//! The postgres target: people, groups, memberships and accounts as tables in the application's
//! own database, for it to join against, and every change as an event with a number.
//!
//! A batch of steps is one transaction: the rows it touches are read (`read`), the steps are
//! carried out in thought (`batch`), and what differs is written with its events (`write`). So
//! a step that was done already writes nothing, and nothing is ever half there. `session` is
//! the one connection, `schema` the tables; `docs/TARGETS.md` tells applications how to read
//! them.

mod address;
mod batch;
mod check;
mod copy;
mod ids;
mod known;
mod purge;
mod read;
mod read_back;
mod rows;
mod schema;
mod session;
mod table;
mod tls;
mod trouble;
mod write;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

pub use address::{Address, AddressError};

use super::{Finding, Found, Held, Step, Target, TargetError};
use crate::rules::Portal;
use crate::store::Store;
use batch::Batch;
use known::{How, Known};
use session::Session;
use trouble::Trouble;

/// What the settings say.
pub struct Options {
    pub address: Address,
    pub schema: String,
    /// Who is let read the tables.
    pub reader_role: Option<String>,
    /// How long what is gone is kept; None for ever.
    pub purge_after: Option<Duration>,
    /// How long connecting, or one transaction, may take.
    pub timeout: Duration,
}

pub struct Postgres {
    options: Options,
    store: Store,
    handle: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// Why nothing is asked any more in this run.
    away: Option<String>,
    known: Known,
    purged: Option<Instant>,
}

/// How many actions are one transaction: large enough that its own cost is nothing beside
/// them, small enough that what waits for it, and what is lost when it fails, stays so too.
const BATCH: usize = 5_000;

impl Postgres {
    pub fn new(options: Options, store: Store, handle: Handle) -> Postgres {
        Postgres {
            options,
            store,
            handle,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked left at most a transaction open, and that ends with the session.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the session, opened if need be. Once nothing can be told, it is not
    /// tried again in this run.
    fn with<T>(
        &self,
        state: &mut State,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if let Some(away) = &state.away {
            return Err(Trouble::Away(away.clone()));
        }
        let session = state.session.take();
        let session = session.filter(|session| !session.client.is_closed());
        let timeout = self.options.timeout;
        let done = self.handle.block_on(async {
            let mut session = match session {
                Some(session) => session,
                None => {
                    let open = Session::open(&self.options, &self.handle);
                    in_time(timeout, open).await?
                }
            };
            let done = in_time(timeout, work(&mut session)).await;
            // A transaction that was given up half way is still open on it.
            let keep = !matches!(done, Err(Trouble::Away(_)));
            Ok((done, keep.then_some(session)))
        });
        let done = match done {
            Ok((done, session)) => {
                state.session = session;
                done
            }
            Err(trouble) => Err(trouble),
        };
        match done {
            Err(Trouble::Away(reason)) => {
                let away = format!("PostgreSQL at {}: {reason}", self.options.address.place);
                state.away = Some(away.clone());
                Err(Trouble::Away(away))
            }
            done => done,
        }
    }

    /// Carries steps out. Where something among them is not taken, halves are tried, and halves
    /// of those, until it stands alone.
    fn carry_out(&self, state: &mut State, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let channel = &self.options.schema;
        let done = self.with(state, async |session: &mut Session| {
            one_batch(session, &self.store, steps, channel).await
        });
        match done {
            Ok(results) => results,
            // Keys that change hands go together or not at all.
            Err(Trouble::Row(_)) if steps.len() > 1 && !moves(steps) => {
                let (front, back) = steps.split_at(steps.len() / 2);
                let mut results = self.carry_out(state, front);
                results.extend(self.carry_out(state, back));
                results
            }
            Err(Trouble::Row(text)) => steps
                .iter()
                .map(|_| Err(TargetError::Refused(text.clone())))
                .collect(),
            Err(Trouble::Away(text)) => steps
                .iter()
                .map(|_| Err(TargetError::Away(text.clone())))
                .collect(),
            Err(Trouble::Store(error)) => {
                let text = error.to_string();
                let refused = |_| Err(TargetError::Refused(text.clone()));
                steps.iter().map(refused).collect()
            }
        }
    }
}

fn moves(steps: &[Step<'_>]) -> bool {
    steps.iter().any(|step| step.old_key.is_some())
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::Away(format!(
            "no answer within {} s",
            limit.as_secs_f64()
        ))),
    }
}

/// One transaction: read, carried out in thought, and what differs written.
async fn one_batch(
    session: &mut Session,
    store: &Store,
    steps: &[Step<'_>],
    channel: &str,
) -> Result<Vec<Result<(), TargetError>>, Trouble> {
    let transaction = session.client.transaction().await?;
    let mut batch = Batch::new(store);
    read::read(&transaction, &mut batch, steps).await?;
    let results = batch.take_all(steps);
    match write::write(&transaction, &batch, channel).await? {
        true => transaction.commit().await?,
        false => transaction.rollback().await?,
    }
    Ok(results)
}

impl Target for Postgres {
    fn begin(&self) {
        let mut state = self.state();
        state.away = None;
        state.known.forget();
    }

    fn cannot(&self, portal: &Portal) -> Vec<String> {
        let rule = portal.on_deactivate.about_devices();
        let line = rule.map(|word| {
            format!(
                "on_deactivate = \"{word}\" needs devices, and a postgres target keeps none: choose remove_user or nothing"
            )
        });
        line.into_iter().collect()
    }

    fn check(&self) -> Vec<Finding> {
        self.findings()
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        let state = &mut *self.state();
        match state.known.about(portal, key) {
            How::Absent if state.away.is_none() => return Ok(None),
            How::ReadAll => {
                let keys = self.with(state, async |session: &mut Session| {
                    read_back::keys(session, portal).await
                });
                let keys = keys.map_err(never_refused)?;
                state.known.are(portal, keys.iter().map(String::as_str));
                if state.known.about(portal, key) == How::Absent {
                    return Ok(None);
                }
            }
            How::Absent | How::Ask => {}
        }
        let found = self.with(state, async |session: &mut Session| {
            read_back::find(session, portal, key).await
        });
        found.map_err(never_refused)
    }

    fn knows_owners(&self, _of_many: bool) -> bool {
        true
    }

    fn creates_with_groups(&self) -> bool {
        true
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let state = &mut *self.state();
        state.known.forget();
        let results = self.carry_out(state, steps);
        self.purge(state);
        results
    }

    fn reads_back(&self) -> bool {
        true
    }

    fn read_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let state = &mut *self.state();
        self.hand_over(state, portal, take)?;
        self.purge(state);
        Ok(())
    }
}

/// A question cannot be at fault: what it runs into is the server's trouble.
fn never_refused(trouble: Trouble) -> TargetError {
    match trouble {
        Trouble::Row(text) | Trouble::Away(text) => TargetError::Away(text),
        Trouble::Store(error) => TargetError::Store(error),
    }
}
