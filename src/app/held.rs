//! What a command works on: the store and the runs of its own, or those of the daemon that
//! holds the store.

use std::sync::Arc;

use super::{Parts, history_of, open_own_store};
use crate::answers::approval;
use crate::clock;
use crate::config::Loaded;
use crate::control::Daemon;
use crate::plan::Asked;
use crate::sources::Finding;
use crate::store::{EngineError, Store, Way};
use crate::sync::drift::{Report, Then};
use crate::sync::{History, Intent, Order, Progress, Run, RunError, Sync};
use crate::targets::Held;

/// A store that is open, and the daemon through which it is, if there is one.
pub struct Opened {
    pub store: Store,
    pub daemon: Option<Daemon>,
}

/// The store: what commands need that only read, or change single rows.
pub fn open_store(loaded: &Loaded) -> anyhow::Result<Opened> {
    match open_own_store(&loaded.settings) {
        Ok(store) => Ok(Opened {
            store,
            daemon: None,
        }),
        Err(error) => {
            if let Some(EngineError::InUse { .. }) = error.downcast_ref()
                && let Some(daemon) = Daemon::find(&loaded.settings.state.path)?
            {
                if daemon.settings != loaded.fingerprint() {
                    eprintln!(
                        "rosterd: the daemon was started or reloaded with other settings than these; its runs follow those it has ('systemctl reload rosterd' or SIGHUP has it read them again)"
                    );
                }
                return Ok(Opened {
                    store: Store::new(Arc::new(daemon.engine())),
                    daemon: Some(daemon),
                });
            }
            Err(error)
        }
    }
}

/// Who does the runs.
pub enum App {
    Own(Arc<Sync>),
    Daemon {
        daemon: Daemon,
        store: Store,
        history: History,
    },
}

/// Everything a run needs; with a daemon, the way to it.
pub fn open(loaded: &Loaded) -> anyhow::Result<App> {
    let settings = &loaded.settings;
    // Without a store there is no daemon: a secret that cannot be read is then said without
    // making one. With a daemon, this side needs no secrets at all.
    if settings.state.path.join("db").exists() {
        let opened = open_store(loaded)?;
        return Ok(match opened.daemon {
            None => App::Own(super::open_over(opened.store, loaded)?),
            Some(daemon) => App::Daemon {
                daemon,
                store: opened.store,
                history: history_of(settings),
            },
        });
    }
    let parts = Parts::open(settings)?;
    Ok(App::Own(parts.over(open_own_store(settings)?, loaded)))
}

impl App {
    pub fn store(&self) -> &Store {
        match self {
            App::Own(sync) => &sync.store,
            App::Daemon { store, .. } => store,
        }
    }

    pub fn history(&self) -> &History {
        match self {
            App::Own(sync) => &sync.history,
            App::Daemon { history, .. } => history,
        }
    }

    /// One run.
    pub async fn run(
        &self,
        asked: Asked,
        intent: Intent,
        progress: Arc<dyn Progress>,
    ) -> anyhow::Result<Run> {
        match self {
            App::Own(sync) => {
                let applies = intent != Intent::Preview;
                let mut order = Order::new(asked, intent, clock::now());
                order.progress = progress;
                let run = sync.run(order).await?;
                if applies {
                    self.deliver().await?;
                }
                Ok(run)
            }
            App::Daemon { daemon, .. } => {
                let daemon = daemon.clone();
                let run = move || daemon.run(asked, intent, &progress);
                let run = tokio::task::spawn_blocking(run).await;
                Ok(run.map_err(RunError::Worker)??)
            }
        }
    }

    /// Delivers for a moment what waits in the queues of targets; what cannot be delivered
    /// now waits for the next run. A daemon does so all the time.
    async fn deliver(&self) -> anyhow::Result<()> {
        let App::Own(sync) = self else {
            return Ok(());
        };
        let outboxes = sync.targets.values().filter_map(|target| target.outbox());
        super::targets::drain(outboxes.collect()).await
    }

    /// What a portal's target holds.
    pub async fn held(&self, portal: &str) -> anyhow::Result<Vec<Held>> {
        let portal = portal.to_owned();
        let held = match self {
            App::Own(sync) => {
                let sync = sync.clone();
                tokio::task::spawn_blocking(move || Ok(sync.held(&portal)?)).await
            }
            App::Daemon { daemon, .. } => {
                let daemon = daemon.clone();
                tokio::task::spawn_blocking(move || Ok(daemon.held(portal)?)).await
            }
        };
        held.map_err(RunError::Worker)?
    }

    /// Looks for drift in portals, and mends it if it is to be.
    pub async fn drift(&self, portals: Vec<String>, then: Then) -> anyhow::Result<Report> {
        let report = match self {
            App::Own(sync) => {
                let sync = sync.clone();
                let drift = move || Ok(sync.drift(&portals, then, clock::now())?);
                tokio::task::spawn_blocking(drift).await
            }
            App::Daemon { daemon, .. } => {
                let daemon = daemon.clone();
                let drift = move || Ok(daemon.drift(portals, then)?);
                tokio::task::spawn_blocking(drift).await
            }
        };
        report.map_err(RunError::Worker)?
    }

    /// Discards a held run.
    pub fn discard(&self, run: &str) -> anyhow::Result<()> {
        match self {
            App::Own(sync) => {
                approval::discard(sync, run, Way::Command, clock::now())?;
                Ok(())
            }
            App::Daemon { daemon, .. } => Ok(daemon.discard(run.to_owned())?),
        }
    }

    /// Tests every source's connection, with the credentials of whoever does the runs.
    pub async fn check(&self) -> anyhow::Result<Vec<(String, Finding)>> {
        match self {
            App::Own(sync) => Ok(sync.check().await),
            App::Daemon { daemon, .. } => {
                let daemon = daemon.clone();
                let check = tokio::task::spawn_blocking(move || daemon.check()).await;
                Ok(check.map_err(RunError::Worker)??)
            }
        }
    }
}
