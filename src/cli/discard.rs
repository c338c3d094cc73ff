//! `rosterd discard`: a held run is not to be carried out.

use anyhow::Context;

use crate::answers::runs::RunRow;
use crate::app;
use crate::config::Loaded;

use super::{Exit, Output};

#[derive(clap::Args)]
pub struct Args {
    /// The id of the held run.
    run: String,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub fn run(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let app = app::open(loaded)?;
    app.discard(&args.run)?;
    match args.format {
        Output::Text => println!(
            "run {} is discarded; a run that comes to the same is held anew",
            args.run
        ),
        Output::Json => {
            let record = app.store().run(&args.run)?;
            let record = record.context("the run is no longer in the history")?;
            println!("{}", serde_json::to_string_pretty(&RunRow::from(record))?);
        }
    }
    Ok(Exit::Done)
}
