//! `rosterd status`: per source what the last runs left, and what waits.

use std::collections::BTreeMap;

use crate::answers;
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
    let sources = loaded.settings.sources.keys().map(|name| name.as_str());
    let next_run = |source: &str| planned.get(source).copied();
    let targets = loaded.settings.targets.keys().map(|name| name.as_str());
    let status = answers::status::status(&store, sources, targets, next_run, clock::now())?;
    match args.format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Text => print(&status),
    }
    Ok(Exit::Done)
}

fn print(status: &answers::status::Status) {
    let rows: Vec<Vec<String>> = status
        .sources
        .iter()
        .map(|(name, source)| {
            vec![
                name.clone(),
                source
                    .last_run
                    .map_or("never".to_owned(), |then| then.to_string()),
                source
                    .cursor_age_seconds
                    .map_or("unknown".to_owned(), |age| format!("{age} s")),
                source.users.to_string(),
                source.groups.to_string(),
                match source.quarantined {
                    Some(_) => format!("{} (quarantined)", source.failures),
                    None => source.failures.to_string(),
                },
                source
                    .next_run
                    .map_or("-".to_owned(), |then| then.to_string()),
                source.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
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
    for (name, target) in &status.targets {
        if let (Some(since), Some(error)) = (target.away_since, &target.last_error) {
            println!();
            println!("target {name} is away since {since}: {error}");
        }
    }
    println!();
    println!(
        "owed: {}, watched: {}, quarantined: {}",
        status.owed, status.watched, status.quarantined
    );
    for run in &status.held {
        println!(
            "held: {run} (see 'rosterd runs {run}', release with 'rosterd approve {run}', drop with 'rosterd discard {run}')"
        );
    }
}
