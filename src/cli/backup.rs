//! `rosterd backup` and `rosterd restore`.

use std::path::PathBuf;

use crate::app;
use crate::config::Loaded;
use crate::store::backup as room;

use super::Exit;

#[derive(clap::Args)]
pub struct Args {
    /// The backup file.
    file: PathBuf,
}

pub fn backup(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let store = app::open_store(loaded)?.store;
    let summary = room::write(store.engine(), &args.file)?;
    println!("{} rows written to {}", summary.rows, args.file.display());
    Ok(Exit::Done)
}

pub fn restore(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    // Before the store: a file that is no backup must not leave a new store behind.
    room::verify(&args.file)?;
    // Its own: under a daemon that has runs to do no store stays empty for long.
    let store = app::open_own_store(&loaded.settings)?;
    let summary = room::restore(store.engine(), &args.file)?;
    println!(
        "{} rows restored from {}",
        summary.rows,
        args.file.display()
    );
    Ok(Exit::Done)
}
