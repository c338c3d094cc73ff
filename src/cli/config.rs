//! `rosterd config show`.

use crate::config::{Loaded, ShowFormat, render};

use super::{Exit, Output};

#[derive(clap::Subcommand)]
pub enum Args {
    /// The effective settings, secrets masked, each with where it came from.
    Show {
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

pub fn run(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let Args::Show { format } = args;
    let format = match format {
        Output::Text => ShowFormat::Text,
        Output::Json => ShowFormat::Json,
    };
    println!("{}", render(loaded, format).trim_end());
    Ok(Exit::Done)
}
