//! `rosterd scim log`: what a SCIM client sent lately, and what it was answered.

use crate::app;
use crate::config::Loaded;
use crate::scim::inspect::Shown;

use super::table::clean;
use super::token::pushed;
use super::{Exit, Output, Usage};

#[derive(clap::Subcommand)]
pub enum Args {
    /// Shows the latest requests of a source's client, which the daemon remembers.
    Log {
        /// The SCIM source.
        #[arg(long, value_name = "SOURCE")]
        source: String,
        /// How many, at most.
        #[arg(long, value_name = "N", default_value_t = 20)]
        last: usize,
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

pub fn run(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let Args::Log {
        source,
        last,
        format,
    } = args;
    pushed(loaded, source)?;
    let opened = app::open_store(loaded)?;
    let Some(daemon) = opened.daemon else {
        return Err(Usage(
            "no daemon runs, and it is the daemon that remembers requests; start it with 'rosterd run'".to_owned(),
        )
        .into());
    };
    let shown = daemon.scim_log(source, *last)?;
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&shown)?),
        Output::Text => shown.iter().for_each(print),
    }
    Ok(Exit::Done)
}

fn print(shown: &Shown) {
    let Shown {
        at,
        took_ms,
        method,
        target,
        agent,
        status,
        request,
        answer,
    } = shown;
    println!(
        "{at} {method} {} → {status} in {took_ms} ms ({})",
        clean(target),
        clean(agent)
    );
    for (arrow, body) in [("  >", request), ("  <", answer)] {
        if !body.is_empty() {
            println!("{arrow} {}", clean(body));
        }
    }
}
