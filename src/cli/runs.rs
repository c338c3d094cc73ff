//! `rosterd runs`: the history; one run with its plan and outcomes.

use crate::answers::runs::{self, RunRow};
use crate::app;
use crate::config::Loaded;
use crate::plan::report::Format;
use crate::store::Store;

use super::{Exit, plan, table};

#[derive(clap::Args)]
pub struct Args {
    /// One run, whole.
    run: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let store = app::open_store(loaded)?.store;
    match args.run {
        None => list(&store, args.format)?,
        Some(run) => {
            let kept = runs::plan(&store, &app::history_of(&loaded.settings), &run)?;
            plan::print(&kept, args.format)?;
        }
    }
    Ok(Exit::Done)
}

fn list(store: &Store, format: Format) -> anyhow::Result<()> {
    let runs: Vec<RunRow> = store.runs()?.into_iter().map(RunRow::from).collect();
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&runs)?);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = runs
        .into_iter()
        .map(|row| {
            let actions: u64 = row.summary.values().flat_map(|ops| ops.values()).sum();
            vec![
                row.run,
                row.created_at.to_string(),
                row.mode.as_str().to_owned(),
                row.status.as_str().to_owned(),
                actions.to_string(),
            ]
        })
        .collect();
    table::print(&["run", "at", "mode", "status", "actions"], &rows);
    Ok(())
}
