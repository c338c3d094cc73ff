//! Logs: to stderr, so that stdout is only what a command was asked for.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at `level` and above. The libraries below stay at warnings: what they say
/// at `info` is about connections, not about people and portals.
pub fn start(level: &str, json: bool) {
    let filter = EnvFilter::try_new(format!("warn,rosterd={level}"))
        .unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second start (tests in one process) changes nothing.
    let _ = if json {
        logs.json().try_init()
    } else {
        logs.try_init()
    };
}
