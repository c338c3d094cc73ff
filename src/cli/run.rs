//! `rosterd run`: the daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app;
use crate::config::Loaded;
use crate::daemon;
use crate::store::EngineError;
use crate::sync::Sync;

use super::Exit;

/// How long to wait for a command that holds the store: most are done sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether it is done.
const LOOK: Duration = Duration::from_millis(200);

pub async fn run(loaded: &Loaded, files: Vec<PathBuf>) -> anyhow::Result<Exit> {
    let sync = open(loaded).await?;
    daemon::run(loaded, files, sync).await?;
    Ok(Exit::Done)
}

async fn open(loaded: &Loaded) -> anyhow::Result<Arc<Sync>> {
    let begun = Instant::now();
    loop {
        match app::open_own(loaded) {
            Err(error)
                if matches!(error.downcast_ref(), Some(EngineError::InUse { .. }))
                    && begun.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(LOOK).await;
            }
            opened => return opened,
        }
    }
}
