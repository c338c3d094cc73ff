//! What the daemon costs while there is nothing to do.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::rosterd::Rosterd;
use crate::sim::{Simulator, Size};
use crate::{Idle, Vendor};

/// After the first run: memory is given back within seconds.
const SETTLED: Duration = Duration::from_secs(15);

pub async fn run(options: Idle) -> anyhow::Result<()> {
    let bin = options.place.bin()?;
    let (work, _temporary) = options.place.work()?;
    let size = Size {
        users: options.users,
        groups: 200,
        memberships: options.users * 10,
    };
    let sim = Simulator::start(&bin, Vendor::Graph, size)?;
    let rosterd = Rosterd {
        bin: &bin,
        settings: &options.place.settings,
        sources: &[Vendor::Graph],
        also: "leavers.toml",
        state: work.join("idle"),
    };
    println!(
        "| {} users, {} s | CPU | of a core | memory at most | to disk |",
        options.users, options.seconds
    );
    println!("| --- | --- | --- | --- | --- |");
    // The same state twice: what a first run of everybody needed is no part of a daemon that
    // was started later.
    for name in ["after the first full run", "after a restart"] {
        let settings = [("ROSTERD__SOURCES__ENTRA__SCHEDULE", &*options.schedule)];
        let mut daemon = Daemon::start(&rosterd, &sim, &settings).await?;
        daemon.first_run().await?;
        tokio::time::sleep(SETTLED).await;
        let before = daemon.reading()?;
        let mut most = before.rss_kib;
        for _ in 0..options.seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            most = most.max(daemon.reading()?.rss_kib);
        }
        let after = daemon.reading()?;
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        daemon.stop()?;
        println!(
            "| {name} | {cpu:.2} s | {:.2} % | {} MiB | {} KiB |",
            cpu * 100.0 / options.seconds.max(1) as f64,
            most / 1_024,
            (after.written - before.written) / 1_024
        );
    }
    Ok(())
}
