//! The daemon for an hour that takes ten minutes: schedules of seconds, changes, faults, signals,
//! settings read again, and in the first half kills. In between all is quiet and what it holds is
//! compared with a store that was just filled. The second half is one long life, in which its
//! memory must stay flat and no file descriptor may be lost.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

use super::agreement::{compare, settled};
use super::company::{Chance, People, company, faults};
use super::with_state;
use crate::Soak;
use crate::daemon::{Daemon, Reading};
use crate::rosterd::Rosterd;
use crate::sim::Simulator;

/// How long things go wrong between two comparisons.
const STORM: Duration = Duration::from_secs(8);

/// How often something happens in a storm.
const BEAT: Duration = Duration::from_millis(100);

/// What the slope of the memory is told by: an hour as the schedules see it, which are about six
/// times as quick as anybody's.
const HOUR: f64 = 600.0;

/// How much memory may grow in such an hour. What the allocator keeps moves by this much too.
const GROWTH_MIB: f64 = 1.0;

/// How many file descriptors more than once may be open: connections that wait to be used again.
const SPARE_FILES: usize = 16;

#[derive(Debug, Default)]
struct Counts {
    changes: u64,
    signals: u64,
    reloads: u64,
    kills: u64,
    compared: u64,
}

pub async fn run(soak: Soak) -> anyhow::Result<()> {
    let bin = soak.place.bin()?;
    let (work, _temporary) = soak.place.work()?;
    let (sim, mut people) = company(&bin).await?;
    let long = with_state(&bin, &soak, work.join("long"));
    let fresh = with_state(&bin, &soak, work.join("fresh"));
    let mut chance = Chance(soak.seed);
    let mut count = Counts::default();
    let mut daemon = Daemon::start(&long, &sim, QUICK).await?;
    let mut seen = Vec::new();
    let began = Instant::now();
    let until = Duration::from_secs(soak.seconds);
    while began.elapsed() < until {
        let may_kill = began.elapsed() < until / 2;
        daemon = storm(
            daemon,
            &long,
            &sim,
            &mut people,
            &mut chance,
            &mut count,
            may_kill,
        )
        .await?;
        sim.call("DELETE", "/sim/faults", Value::Null).await?;
        settled(&long, &sim)?;
        let _ = std::fs::remove_dir_all(&fresh.state);
        settled(&fresh, &sim)?;
        compare(&long, &fresh, &sim)?;
        count.compared += 1;
        let look = daemon.reading()?;
        eprintln!("{:>5} s  {count:?}  {look:?}", began.elapsed().as_secs());
        if !may_kill {
            seen.push((began.elapsed(), look));
        }
    }
    daemon.stop()?;
    let Counts {
        changes,
        signals,
        reloads,
        kills,
        compared,
    } = count;
    println!(
        "{changes} changes, {signals} signals, {reloads} reloads, {kills} kills, {compared} comparisons: all equal"
    );
    judge(&seen)
}

async fn storm(
    mut daemon: Daemon,
    long: &Rosterd<'_>,
    sim: &Simulator,
    people: &mut People,
    chance: &mut Chance,
    count: &mut Counts,
    may_kill: bool,
) -> anyhow::Result<Daemon> {
    let began = Instant::now();
    while began.elapsed() < STORM {
        count.changes += people.change(sim, chance).await?;
        match chance.below(24) {
            0..=2 => drop(sim.call("POST", "/sim/faults", faults(chance)).await?),
            3..=5 => drop(sim.call("DELETE", "/sim/faults", Value::Null).await?),
            6 | 7 => {
                let full = chance.below(4) == 0;
                daemon.signal(if full { libc::SIGUSR2 } else { libc::SIGUSR1 })?;
                count.signals += 1;
            }
            8 => {
                daemon.signal(libc::SIGHUP)?;
                count.reloads += 1;
            }
            9 if may_kill => {
                daemon.kill()?;
                daemon = Daemon::start(long, sim, QUICK).await?;
                count.kills += 1;
                continue;
            }
            _ => {}
        }
        tokio::time::sleep(BEAT).await;
    }
    Ok(daemon)
}

/// The settings that make an hour short.
const QUICK: &[(&str, &str)] = &[
    ("ROSTERD__SOURCES__ENTRA__SCHEDULE", "2s"),
    ("ROSTERD__SOURCES__ENTRA__FULL_SCHEDULE", "15s"),
    ("ROSTERD__SOURCES__OKTA__SCHEDULE", "2s"),
    ("ROSTERD__SOURCES__OKTA__FULL_SCHEDULE", "15s"),
    ("ROSTERD__HISTORY__MAX_SIZE", "10MiB"),
];

/// Whether the long life was flat: the first third of it is the warming up.
fn judge(seen: &[(Duration, Reading)]) -> anyhow::Result<()> {
    let warm = &seen[seen.len() / 3..];
    let (Some(first), Some(last)) = (warm.first(), warm.last()) else {
        println!("too short for a word on memory and files");
        return Ok(());
    };
    let points: Vec<(f64, f64)> = warm
        .iter()
        .map(|(at, look)| (at.as_secs_f64(), look.rss_kib as f64 / 1024.0))
        .collect();
    let growth = slope(&points) * HOUR;
    println!(
        "memory {:.1} MiB, {growth:+.2} MiB an hour; files {} at first, {} at last",
        points[points.len() - 1].1,
        first.1.files,
        last.1.files,
    );
    ensure!(
        growth < GROWTH_MIB,
        "memory grows by {growth:.2} MiB an hour"
    );
    ensure!(
        last.1.files <= first.1.files + SPARE_FILES,
        "file descriptors are lost"
    );
    Ok(())
}

/// The slope of the line that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (at, value) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|p| (p.0 - at) * (p.1 - value)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - at).powi(2)).sum();
    match variance > 0.0 {
        true => covariance / variance,
        false => 0.0,
    }
}
