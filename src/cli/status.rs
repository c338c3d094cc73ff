//! `rosterd status`: per source what the last runs left, and what waits.

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
    let store = app::open_store(&loaded.settings)?;
    let sources = loaded.settings.sources.keys().map(|name| name.as_str());
    // Nothing runs by itself where there is no daemon.
    let status = answers::status::status(&store, sources, |_| None, clock::now())?;
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
                source.failures.to_string(),
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
        "error",
    ];
    table::print(&heading, &rows);
    println!();
    println!(
        "owed: {}, watched: {}, quarantined: {}",
        status.owed, status.watched, status.quarantined
    );
    for run in &status.held {
        println!("held: {run} (see 'rosterd runs {run}', release with 'rosterd approve {run}')");
    }
}
