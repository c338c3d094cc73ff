//! `rosterd-bench postgres`: the first load of a database, beside the same rows by `\copy`.
//!
//! rosterd fills its tables in a first run. What it left is written to files, the tables are
//! emptied, and `psql` loads the files again, one `\copy` after the other: what the database
//! itself takes for these very rows, their indexes, foreign keys and events included. rosterd's
//! time is counted from the beginning of its first transaction to the end of the run, so that
//! fetching and deciding are not in it, but all it does to remember what it has written is.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};

use crate::cluster::Cluster;
use crate::sim::{Simulator, Size};
use crate::{Place, Vendor, child};

#[derive(clap::Args)]
pub struct Postgres {
    /// How many people there are, each with an account.
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// In how many groups they are.
    #[arg(long, default_value_t = 500)]
    groups: u64,
    /// How many memberships they have in all.
    #[arg(long, default_value_t = 1_000_000)]
    memberships: u64,
    /// How often; the medians are shown.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    #[command(flatten)]
    place: Place,
}

/// The tables in the order in which they can be filled, with their columns: the generated one
/// is left out.
const TABLES: [(&str, &str); 5] = [
    (
        "directory_users",
        "directory, id, idp_id, external_id, user_name, email, given_name, family_name, \
         display_name, active, deleted_at, attributes, raw, first_seen, updated_at, seq",
    ),
    (
        "directory_groups",
        "directory, id, idp_id, external_id, name, portals, deleted_at, updated_at, seq",
    ),
    (
        "portal_accounts",
        "portal, user_id, key, state, role, user_name, email, display_name, given_name, \
         family_name, attributes, metadata, reason, updated_at, seq",
    ),
    (
        "directory_memberships",
        "group_id, user_id, since, direct, portals, seq",
    ),
    (
        "directory_events",
        "seq, id, at, type, directory, object_id, payload",
    ),
];

/// What one round took.
struct Took {
    whole: Duration,
    load: Duration,
    copy: Duration,
    peak_kib: u64,
}

pub async fn run(ask: Postgres) -> anyhow::Result<()> {
    let bin = ask.place.bin()?;
    let (work, _removed) = ask.place.work()?;
    let size = Size {
        users: ask.users,
        groups: ask.groups,
        memberships: ask.memberships,
    };
    let sim = Simulator::start(&bin, Vendor::Graph, size)?;
    let cluster = Cluster::start(&work)?;
    let mut rounds = Vec::new();
    for round in 0..ask.runs.max(1) {
        rounds.push(one(&bin, &work, &sim, &cluster, round)?);
    }
    let rows = |table: &str| cluster.psql(&format!("select count(*) from rosterd.{table}"));
    println!(
        "{} accounts, {} memberships, {} events; the median of {}\n",
        rows("portal_accounts")?,
        rows("directory_memberships")?,
        rows("directory_events")?,
        rounds.len(),
    );
    let median = |of: fn(&Took) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(of).collect();
        all.sort();
        all[all.len() / 2].as_secs_f64()
    };
    let (load, copy) = (median(|took| took.load), median(|took| took.copy));
    let peak = rounds.iter().map(|took| took.peak_kib).max().unwrap_or(0);
    println!("| what | seconds |\n| --- | --- |");
    println!("| the whole first run | {:.1} |", median(|took| took.whole));
    println!("| of it, writing to the database | {load:.1} |");
    println!("| the same rows by psql \\copy | {copy:.1} |");
    println!(
        "\n{:.2} times \\copy; rosterd's peak is {} MiB",
        load / copy,
        peak / 1024
    );
    Ok(())
}

fn one(
    bin: &Path,
    work: &Path,
    sim: &Simulator,
    cluster: &Cluster,
    round: usize,
) -> anyhow::Result<Took> {
    cluster.psql("drop schema if exists rosterd cascade")?;
    let settings = work.join("postgres.toml");
    let state = work.join(format!("postgres-state-{round}"));
    std::fs::File::create(&settings)?.write_all(
        format!(
            "[state]\npath = {:?}\n\
             [sources.entra]\nkind = \"graph\"\ntenant = \"contoso.onmicrosoft.com\"\n\
             client_id = \"sim-client\"\nclient_secret = {{ env = \"BENCH_ENTRA_SECRET\" }}\n\
             scope = \"all\"\nendpoint = {:?}\nauthority = {:?}\n\
             [targets.db]\nkind = \"postgres\"\nurl = {{ env = \"BENCH_DATABASE_URL\" }}\n\
             [portals.app]\nkind = \"directory\"\ntarget = \"db\"\nsources = [\"entra\"]\n\
             [portals.app.attributes]\n\"title\" = \"title\"\n",
            state.display().to_string(),
            sim.address("base"),
            sim.address("authority"),
        )
        .as_bytes(),
    )?;
    let mut command = Command::new(bin.join("rosterd"));
    command
        .arg("-c")
        .arg(&settings)
        .args(["--log", "error", "sync", "--format", "json"]);
    command.env("BENCH_ENTRA_SECRET", sim.address("client_secret"));
    command
        .env("BENCH_DATABASE_URL", cluster.url())
        .stdout(Stdio::null());
    let used = child::run(&mut command)?;
    let ended = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    ensure!(used.status.success(), "the run ended with {}", used.status);
    let began = "select extract(epoch from min(at)) from rosterd.directory_events";
    let began: f64 = cluster.psql(began)?.parse().context("a time")?;

    let mut files: Vec<PathBuf> = Vec::new();
    for (table, columns) in TABLES {
        let file = cluster.home().join(format!("{table}.copy"));
        cluster.psql(&format!(
            "copy (select {columns} from rosterd.{table} order by seq) to '{}'",
            file.display()
        ))?;
        files.push(file);
    }
    let names = TABLES
        .map(|(table, _)| format!("rosterd.{table}"))
        .join(", ");
    cluster.psql(&format!("truncate {names}"))?;
    let copies: Vec<String> = TABLES
        .iter()
        .zip(&files)
        .map(|((table, columns), file)| {
            format!(
                "\\copy rosterd.{table} ({columns}) from '{}'",
                file.display()
            )
        })
        .collect();
    let clock = Instant::now();
    cluster.commands(&copies)?;
    let copy = clock.elapsed();
    for file in files {
        std::fs::remove_file(file)?;
    }
    Ok(Took {
        whole: used.wall,
        load: Duration::from_secs_f64((ended - began).max(0.0)),
        copy,
        peak_kib: used.peak_kib,
    })
}
