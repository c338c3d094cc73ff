//! Stay up: wish for runs when they are due, listen to signals, and tell the service manager.
//!
//! What happens when is decided in `schedule`, who may run when by the conductor; here one
//! loop waits for the next thing to happen and passes it on. Commands come in by the control
//! socket (see [`crate::control`]).

mod aftermath;
mod deliver;
mod schedule;
mod service_manager;
mod signals;
mod tell;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::app;
use crate::clock;
use crate::config::{self, Loaded, Pull, Settings};
use crate::control::{Board, Control, ControlError};
use crate::plan::Asked;
use crate::server::{NextRun, Reload, ServeError, Server};
use crate::store::StoreError;
use crate::sync::{Conductor, Finished, Intent, RunError, Sync};
use aftermath::Aftermath;
use deliver::keep_delivering;
use schedule::{News, Timetable};
use signals::{Signals, Told};
use tell::{OutletError, Outlets, keep_telling};

/// The longest sleep: a clock that is set is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long runs get to finish the actions in hand. With what follows it stays below the ten
/// seconds within which the daemon ends; what is cut off then is taken up by the next start.
const LAST_ACTIONS: Duration = Duration::from_secs(7);

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("signals cannot be listened to")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Outlet(#[from] OutletError),
}

/// Runs until it is told to stop. `files` are the settings files that were named, to be read
/// again on SIGHUP.
pub async fn run(loaded: &Loaded, files: Vec<PathBuf>, sync: Arc<Sync>) -> Result<(), DaemonError> {
    let mut signals = Signals::listen().map_err(DaemonError::Signals)?;
    let state = loaded.settings.state.path.clone();
    let outlets = watch::Sender::new(Arc::new(Outlets::open(&loaded.settings.notify)?));
    let timetable = Timetable::new(
        pulls(&loaded.settings),
        &states(&sync, &loaded.settings)?,
        clock::now(),
    );
    let board = Arc::new(Board::default());
    board.settings.send_replace(loaded.fingerprint());
    let in_force = watch::Sender::new(sync.clone());
    let conductor = Conductor::new(sync);
    let server = serve(loaded, &conductor, &board).await?;
    let control = Control::open(&state, conductor.clone(), board.clone())?;
    let telling = tokio::spawn(keep_telling(conductor.clone(), outlets.subscribe()));
    let (no_more_events, no_more) = watch::channel(false);
    let delivering = tokio::spawn(keep_delivering(in_force.subscribe(), no_more));
    let mut daemon = Daemon {
        runs: conductor.watch_runs(),
        conductor,
        timetable,
        board,
        server: server.reload(),
        outlets,
        in_force,
        listen: loaded.settings.server.listen,
        files,
        state,
    };
    let (no_more_requests, no_more) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        no_more.await.ok();
    }));
    tracing::info!("rosterd {} is up", env!("CARGO_PKG_VERSION"));
    service_manager::ready("up");
    daemon.stay_up(&mut signals).await;
    service_manager::stopping();
    tracing::info!("stopping");
    telling.abort();
    drop(no_more_requests);
    no_more_events.send_replace(true);
    daemon.end(control, serving, delivering).await;
    Ok(())
}

struct Daemon {
    conductor: Conductor,
    runs: Receiver<Arc<Finished>>,
    timetable: Timetable,
    board: Arc<Board>,
    server: Reload,
    outlets: watch::Sender<Arc<Outlets>>,
    /// What those work with who are beside the runs.
    in_force: watch::Sender<Arc<Sync>>,
    /// Where the server listens, which no reload can change.
    listen: SocketAddr,
    files: Vec<PathBuf>,
    /// Where the store is, which no reload can change.
    state: PathBuf,
}

impl Daemon {
    async fn stay_up(&mut self, signals: &mut Signals) {
        let mut heartbeat = service_manager::watchdog().map(tokio::time::interval);
        if let Some(heartbeat) = &mut heartbeat {
            heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            self.wish_for_what_is_due();
            let sleep = tokio::time::sleep(self.until_next());
            let beat = async {
                match &mut heartbeat {
                    Some(heartbeat) => heartbeat.tick().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = signals.next() => match told {
                    Told::Sync => self.wish(Asked::default()),
                    Told::FullSync => self.wish(Asked { full: true, ..Asked::default() }),
                    Told::Reload => self.reload(),
                    Told::Stop => return,
                },
                finished = self.runs.recv() => self.note(finished).await,
                _ = beat => service_manager::alive(),
                () = sleep => {}
            }
        }
    }

    fn until_next(&self) -> Duration {
        let Some(next) = self.timetable.next() else {
            return LONGEST_SLEEP;
        };
        let left = next.duration_since(clock::now());
        // A time in the past waits no longer, and one between milliseconds not too short.
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
        (left + Duration::from_millis(1)).min(LONGEST_SLEEP)
    }

    fn wish_for_what_is_due(&mut self) {
        for asked in self.timetable.due(clock::now()) {
            self.wish(asked);
        }
        let planned = self.timetable.planned();
        self.board.planned.send_if_modified(|before| {
            let changed = *before != planned;
            *before = planned;
            changed
        });
    }

    fn wish(&mut self, asked: Asked) {
        let sources = asked.sources.clone();
        if let Err(busy) = self.conductor.ask(asked, Intent::Apply) {
            tracing::warn!("a run was not taken up: {busy}");
            self.timetable.put_off(&sources, clock::now());
        }
    }

    /// Takes note of a run that ended, whoever asked for it.
    async fn note(&mut self, finished: Result<Arc<Finished>, RecvError>) {
        let finished = match finished {
            Ok(finished) => finished,
            // Runs that ended unheard were at least not ours to wait for any longer.
            Err(_) => return self.timetable.put_off(&[], clock::now()),
        };
        let sync = self.conductor.sync();
        let aftermath = tokio::task::spawn_blocking(move || {
            let aftermath = Aftermath::of(&finished, &sync);
            if let Err(error) = sync.store.give_back_memory() {
                tracing::error!("the store was closed for a moment, and cannot be opened: {error}");
            }
            aftermath
        })
        .await;
        match aftermath.map_err(RunError::Worker) {
            Ok(Ok(aftermath)) => self.take_in(aftermath),
            Ok(Err(error)) | Err(error) => {
                tracing::error!("what a run left cannot be read: {error}");
                self.timetable.put_off(&[], clock::now());
            }
        }
    }

    fn take_in(&mut self, aftermath: Aftermath) {
        let now = clock::now();
        let Aftermath {
            verdicts,
            grace_ends,
            attempts,
        } = aftermath;
        for (source, verdict, reason) in verdicts {
            let news = self.timetable.ran(&source, verdict, now);
            let next = self.timetable.planned().get(&source).copied();
            if let Some(reason) = reason {
                let next = next.map_or("never".to_owned(), |next| next.to_string());
                tracing::warn!(
                    source.name = %source,
                    "source {source} could not be read, next try {next}: {reason}"
                );
            }
            match news {
                Some(News::Quarantined) => tracing::error!(
                    source.name = %source,
                    "source {source} is quarantined: it failed several times in a row and needs somebody's eye"
                ),
                Some(News::Back) => tracing::info!(
                    source.name = %source,
                    "source {source} is read again and no longer quarantined"
                ),
                None => {}
            }
        }
        if let Some(grace_ends) = grace_ends {
            self.timetable.grace_ends(grace_ends);
        }
        if let Some(attempts) = attempts {
            self.timetable.owes(Some(attempts), now);
        }
        match self.timetable.next() {
            Some(next) => service_manager::status(&format!("next run at {next}")),
            None => service_manager::status("up"),
        }
    }

    /// Puts the settings in force as they are now, or keeps the old ones if anything is wrong
    /// with the new.
    fn reload(&mut self) {
        service_manager::reloading();
        match self.reread() {
            Ok(()) => tracing::info!("the settings were read again and are in force"),
            Err(error) => tracing::error!(
                "the settings stay as they were, the new ones are no good: {}",
                format!("{error:#}").replace('\n', "; ")
            ),
        }
        service_manager::ready("up");
    }

    fn reread(&mut self) -> anyhow::Result<()> {
        let loaded = config::load(&self.files)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        if loaded.settings.state.path != self.state {
            anyhow::bail!(
                "state.path cannot change while the daemon runs; restart it to move the store"
            );
        }
        let store = self.conductor.sync().store.clone();
        let sync = app::open_over(store, &loaded)?;
        let outlets = Outlets::open(&loaded.settings.notify)?;
        self.server.reload(&loaded.settings)?;
        self.outlets.send_replace(Arc::new(outlets));
        if loaded.settings.server.listen != self.listen {
            tracing::warn!("server.listen changes when the daemon is restarted");
        }
        self.conductor.swap(sync.clone());
        self.in_force.send_replace(sync);
        self.server.in_force();
        self.timetable.reload(pulls(&loaded.settings), clock::now());
        self.board.settings.send_replace(loaded.fingerprint());
        Ok(())
    }

    async fn end(self, control: Control, serving: JoinHandle<()>, delivering: JoinHandle<()>) {
        let stopped = tokio::time::timeout(LAST_ACTIONS, self.conductor.stop()).await;
        if stopped.is_err() {
            tracing::warn!("a run is cut off; the next start takes it up again");
        }
        // It began to end when the runs did, and takes less long.
        serving.await.ok();
        delivering.await.ok();
        control.close().await;
        let store = self.conductor.sync().store.clone();
        let flushed = tokio::task::spawn_blocking(move || store.flush());
        // What was promised is flushed already; this saves the next start some work.
        if let Ok(Ok(Err(error))) = tokio::time::timeout(Duration::from_secs(1), flushed).await {
            tracing::error!("{error}");
        }
    }
}

/// The HTTP side, over the conductor and the board. It has its port, and does not serve yet.
async fn serve(
    loaded: &Loaded,
    conductor: &Conductor,
    board: &Arc<Board>,
) -> Result<Server, ServeError> {
    let inspector = board.inspector.clone();
    let board = board.clone();
    let next_run: NextRun = Arc::new(move |source| board.planned.borrow().get(source).copied());
    Server::bind(&loaded.settings, conductor.clone(), next_run, inspector).await
}

/// How each source is pulled.
fn pulls(settings: &Settings) -> BTreeMap<String, Pull> {
    settings
        .sources
        .iter()
        .filter_map(|(name, source)| Some((name.as_str().to_owned(), source.pull()?.clone())))
        .collect()
}

type States = BTreeMap<String, crate::store::rows::SourceState>;

fn states(sync: &Sync, settings: &Settings) -> Result<States, StoreError> {
    settings
        .sources
        .keys()
        .map(|name| {
            let state = sync.store.source_state(name.as_str())?;
            Ok((name.as_str().to_owned(), state))
        })
        .collect()
}
