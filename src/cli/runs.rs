//! `rosterd runs`: the history; one run with its plan and outcomes.

use anyhow::Context;
use serde_json::json;

use crate::app;
use crate::config::Loaded;
use crate::plan::Head;
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
            store
                .run(&run)?
                .with_context(|| format!("there is no run '{run}'; 'rosterd runs' lists them"))?;
            let kept = app::history_of(&loaded.settings)
                .read(&run)?
                .with_context(|| format!("the plan of run {run} is no longer kept"))?;
            plan::print(&kept, args.format)?;
        }
    }
    Ok(Exit::Done)
}

fn list(store: &Store, format: Format) -> anyhow::Result<()> {
    let runs = store.runs()?;
    if format == Format::Json {
        let runs: Vec<_> = runs
            .iter()
            .map(|record| {
                let Head {
                    run,
                    mode,
                    created_at,
                    status,
                    sources,
                    summary,
                    ..
                } = &record.head;
                json!({
                    "run": run,
                    "mode": mode,
                    "created_at": created_at,
                    "status": status,
                    "sources": sources,
                    "summary": summary,
                })
            })
            .collect();
        println!("{:#}", json!(runs));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|record| {
            let actions: u64 = record
                .head
                .summary
                .values()
                .flat_map(|ops| ops.values())
                .sum();
            vec![
                record.head.run.clone(),
                record.head.created_at.to_string(),
                record.head.mode.as_str().to_owned(),
                record.head.status.as_str().to_owned(),
                actions.to_string(),
            ]
        })
        .collect();
    table::print(&["run", "at", "mode", "status", "actions"], &rows);
    Ok(())
}
