//! `rosterd-sim`: the pretend tenants as a program of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rosterd_sim::{Settings, Sim, SimOptions};
use serde_json::json;

/// Pretend Microsoft Graph, Okta and SCIM service providers, with memory. Prints one line of JSON when ready.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Begin without people and groups.
    #[arg(long)]
    empty: bool,
    #[arg(long, default_value_t = 20)]
    users: usize,
    /// Groups; by default one for twenty users and no fewer than the special ones.
    #[arg(long)]
    groups: Option<usize>,
    /// Memberships over all groups; five for each user by default.
    #[arg(long)]
    memberships: Option<usize>,
    #[arg(long)]
    okta_users: Option<usize>,
    #[arg(long)]
    okta_groups: Option<usize>,
    #[arg(long)]
    okta_memberships: Option<usize>,
    /// Put the same people into Okta as into Entra ID.
    #[arg(long)]
    same_people: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Resource units per window; 0 for no limit.
    #[arg(long, default_value_t = 0)]
    graph_ru: u64,
    #[arg(long, default_value_t = 10_000)]
    graph_window_ms: u64,
    /// Requests per window for every Okta bucket.
    #[arg(long)]
    okta_limit: Option<u64>,
    #[arg(long, default_value_t = 60_000)]
    okta_window_ms: u64,
    /// Lifetime of access tokens in seconds.
    #[arg(long, default_value_t = 3_599)]
    token_lifetime_s: u64,
    /// PEM certificate or public key of the Entra application.
    #[arg(long)]
    certificate: Vec<PathBuf>,
    /// PEM public key of the Okta service app.
    #[arg(long)]
    okta_key: Vec<PathBuf>,
    /// External token the federated credential accepts.
    #[arg(long)]
    federated_token: Vec<String>,
    /// Further settings as JSON, as for POST /sim/settings.
    #[arg(long)]
    settings: Option<String>,
    #[arg(long, default_value_t = 256)]
    cache_mb: usize,
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Accepted for clarity: the address is always printed.
    #[arg(long)]
    print_addr: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("rosterd-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings {
        latency_ms: args.latency_ms,
        graph_ru: args.graph_ru,
        graph_window_ms: args.graph_window_ms,
        okta_window_ms: args.okta_window_ms,
        token_lifetime_s: args.token_lifetime_s,
        ..Settings::default()
    };
    if let Some(limit) = args.okta_limit {
        settings.okta_limits.insert("default".to_owned(), limit);
    }
    if let Some(text) = &args.settings {
        settings = settings.merged(&serde_json::from_str(text)?)?;
    }
    let okta_users = args.okta_users.unwrap_or(args.users.min(1_000));
    let handle = Sim::start(SimOptions {
        listen: args.listen,
        seed: args.seed,
        empty: args.empty,
        users: args.users,
        groups: args.groups.unwrap_or(args.users / 20),
        memberships: args.memberships.unwrap_or(args.users * 5),
        okta_users,
        okta_groups: args.okta_groups.unwrap_or(okta_users / 20),
        okta_memberships: args.okta_memberships.unwrap_or(okta_users * 5),
        same_people: args.same_people,
        cache_mb: args.cache_mb,
        workers: args.workers,
        settings,
    })?;
    let keys = |paths: &[PathBuf]| -> std::io::Result<Vec<serde_json::Value>> {
        paths
            .iter()
            .map(|path| Ok(json!({"pem": std::fs::read_to_string(path)?})))
            .collect()
    };
    let graph = json!({
        "certificates": keys(&args.certificate)?,
        "federated_tokens": args.federated_token,
    });
    handle.control("POST", "/sim/graph/credentials", graph)?;
    let okta = json!({"keys": keys(&args.okta_key)?});
    handle.control("POST", "/sim/okta/credentials", okta)?;
    println!("{}", handle.describe());
    handle.wait();
    Ok(())
}
