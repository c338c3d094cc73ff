//! `rosterd status`: per source what the last runs left, and what waits.

use std::collections::BTreeMap;

use serde_json::json;

use crate::app;
use crate::clock;
use crate::config::Loaded;

use super::{Exit, Output, table};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let app::Opened { store, daemon } = app::open_store(loaded)?;
    let planned = match &daemon {
        Some(daemon) => daemon.planned()?,
        // Nothing runs by itself.
        None => BTreeMap::new(),
    };
    let now = clock::now();
    let mut rows = Vec::new();
    let mut sources = serde_json::Map::new();
    for name in loaded.settings.sources.keys() {
        let state = store.source_state(name.as_str())?;
        let age = state
            .last_complete
            .map(|then| now.duration_since(then).as_secs());
        rows.push(vec![
            name.as_str().to_owned(),
            state
                .last_run
                .map_or("never".to_owned(), |then| then.to_string()),
            age.map_or("unknown".to_owned(), |age| format!("{age} s")),
            state.users.to_string(),
            state.groups.to_string(),
            match state.quarantined() {
                Some(_) => format!("{} (quarantined)", state.failures),
                None => state.failures.to_string(),
            },
            planned
                .get(name.as_str())
                .map_or("-".to_owned(), |then| then.to_string()),
            state.last_error.clone().unwrap_or_default(),
        ]);
        sources.insert(
            name.as_str().to_owned(),
            json!({
                "last_run": state.last_run,
                "last_complete": state.last_complete,
                "last_full": state.last_full,
                "cursor_age_seconds": age,
                "users": state.users,
                "groups": state.groups,
                "failures": state.failures,
                "last_error": state.last_error,
                "quarantined": state.quarantined(),
                "next_run": planned.get(name.as_str()),
            }),
        );
    }
    let held: Vec<String> = store
        .held_run()?
        .map(|record| record.head.run)
        .into_iter()
        .collect();
    let marks = store.marks()?;
    let owed = marks.iter().filter(|(.., mark)| mark.attempts > 0).count();
    let quarantined = store.quarantined()?.len();
    match args.format {
        Output::Json => println!(
            "{:#}",
            json!({
                "sources": sources,
                "held": held,
                "owed": owed,
                "watched": marks.len() - owed,
                "quarantined": quarantined,
                "store_bytes": store.engine().size_on_disk(),
            })
        ),
        Output::Text => {
            let heading = [
                "source",
                "last run",
                "complete since",
                "users",
                "groups",
                "failures",
                "next run",
                "error",
            ];
            table::print(&heading, &rows);
            println!();
            println!(
                "owed: {owed}, watched: {}, quarantined: {quarantined}",
                marks.len() - owed
            );
            for run in &held {
                println!(
                    "held: {run} (see 'rosterd runs {run}', release with 'rosterd approve {run}')"
                );
            }
        }
    }
    Ok(Exit::Done)
}
