//! `rosterd-bench`: what runs of rosterd cost, beside the floor.
//!
//! The floor is a bare client that downloads the fewest pages that hold the same facts,
//! decodes them and forgets them. `floor.rs` is that client; `child.rs` starts a program and
//! says what it used; `scenario.rs` holds what is measured and in which order, `scim.rs` what the
//! SCIM endpoint does, `postgres.rs` the first load of a database. `latency.rs` and `idle.rs` watch
//! the daemon. `soak/` does not measure: it disturbs.
//!
//! Every program that is measured is a process of its own, the floor too, and so is the
//! simulator. Nothing here is measured from within.

mod child;
mod cluster;
mod daemon;
mod floor;
mod idle;
mod latency;
mod load;
mod postgres;
mod rosterd;
mod scenario;
mod scim;
mod sim;
mod soak;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(
    about = "What runs of rosterd cost, beside a bare client.",
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures the scenarios and prints tables in Markdown.
    Run(Run),
    /// Measures the SCIM endpoint beside a bare handler.
    Scim(scim::Scim),
    /// Measures the first load of a database beside `psql \copy`.
    Postgres(postgres::Postgres),
    /// Random changes, faults and kills, and after some of them a comparison.
    Soak(Soak),
    /// The same for the daemon, by its own schedules, with signals as well.
    SoakDaemon(Soak),
    /// How long a change takes to the portal, with notifications and by polling.
    Latency(Latency),
    /// What the daemon costs while there is nothing to do.
    Idle(Idle),
    /// Downloads what a full run needs, and forgets it.
    Floor {
        vendor: Vendor,
        /// `graph` or `okta_api` as the simulator prints them.
        #[arg(long)]
        api: String,
        /// Where a Graph token is asked for.
        #[arg(long, default_value = "")]
        token: String,
        /// The enterprise application whose assignments belong to the facts.
        #[arg(long)]
        application: Option<String>,
        #[arg(long, default_value_t = 8)]
        concurrency: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Vendor {
    Graph,
    Okta,
}

#[derive(clap::Args)]
pub struct Run {
    /// How often each thing is measured; the median is shown.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Tenants to measure; all but `graph-1m` by default.
    #[arg(long, value_enum)]
    tenant: Vec<scenario::Tenant>,
    /// Only the small ones, which take a minute.
    #[arg(long, conflicts_with = "tenant")]
    small: bool,
    /// A million users and five million memberships as well, once.
    #[arg(long)]
    big: bool,
    /// Milliseconds before each answer in the rows with latency.
    #[arg(long, default_value_t = 100)]
    latency_ms: u64,
    #[command(flatten)]
    place: Place,
    /// Leave the states there, for a profile.
    #[arg(long, requires = "work")]
    keep: bool,
}

/// Where things are.
#[derive(clap::Args)]
pub struct Place {
    /// Where rosterd and rosterd-sim are; beside this program by default.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// The settings files of the benchmarks.
    #[arg(long, default_value = "benches")]
    pub settings: PathBuf,
    /// Where states are kept while measuring; a temporary directory by default.
    #[arg(long)]
    work: Option<PathBuf>,
}

impl Place {
    fn bin(&self) -> anyhow::Result<PathBuf> {
        match &self.bin {
            Some(bin) => Ok(bin.clone()),
            None => {
                let own = std::env::current_exe()?;
                Ok(own.parent().context("a program is in a directory")?.into())
            }
        }
    }

    /// A directory to work in, and what removes it at the end.
    fn work(&self) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
        if let Some(work) = &self.work {
            std::fs::create_dir_all(work)?;
            return Ok((work.clone(), None));
        }
        let temporary = tempfile::tempdir()?;
        Ok((temporary.path().to_owned(), Some(temporary)))
    }
}

#[derive(clap::Args)]
pub struct Soak {
    /// How long, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Decides every change, fault and kill but not their timing.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub struct Latency {
    /// How many changes, one after the other, in each of the two ways.
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// Of the tenant.
    #[arg(long, default_value_t = 1_000)]
    users: u64,
    /// When polling.
    #[arg(long, default_value = "2s")]
    schedule: String,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub struct Idle {
    /// How long it is watched.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Of the tenant.
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// When changes are fetched.
    #[arg(long, default_value = "5m")]
    schedule: String,
    #[command(flatten)]
    place: Place,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run(run) => scenario::run(run).await,
        Command::Soak(soak) => soak::commands::run(soak).await,
        Command::SoakDaemon(soak) => soak::daemon::run(soak).await,
        Command::Latency(latency) => latency::run(latency).await,
        Command::Idle(idle) => idle::run(idle).await,
        Command::Scim(scim) => scim::run(scim).await,
        Command::Postgres(ask) => postgres::run(ask).await,
        Command::Floor {
            vendor: Vendor::Graph,
            api,
            token,
            application,
            ..
        } => floor::graph(&api, &token, application.as_deref()).await,
        Command::Floor {
            vendor: Vendor::Okta,
            api,
            concurrency,
            ..
        } => floor::okta(&api, concurrency).await,
    }
}
