//! The daemon for an hour that takes ten minutes: schedules of seconds, changes, faults, signals,
//! settings read again, and in the first half kills. In between all is quiet and what it holds is
//! compared with a store that was just filled. The second half is one long life, in which its
//! memory must stay flat and no file descriptor may be lost.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::agreement::{compare, settled};
use super::company::{Chance, People, company, faults};
use super::with_state;
use crate::Soak;
use crate::rosterd::Rosterd;
use crate::sim::Simulator;

/// How long things go wrong between two comparisons.
const STORM: Duration = Duration::from_secs(8);

/// How often something happens in a storm.
const BEAT: Duration = Duration::from_millis(100);

/// How long a start may take, after a kill too.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let mut daemon = Daemon::start(&long, &sim)?;
    let mut seen = Vec::new();
    let began = Instant::now();
    let until = Duration::from_secs(soak.seconds);
    while began.elapsed() < until {
        let may_kill = began.elapsed() < until / 2;
        storm(
            &mut daemon,
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
        let look = daemon.look()?;
        eprintln!("{:>5} s  {count:?}  {look:?}", began.elapsed().as_secs());
        if !may_kill {
            seen.push((began.elapsed(), look));
        }
    }
    let ended = daemon.end()?;
    ensure!(ended.success(), "SIGTERM ended it with {ended}");
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
    daemon: &mut Daemon,
    long: &Rosterd<'_>,
    sim: &Simulator,
    people: &mut People,
    chance: &mut Chance,
    count: &mut Counts,
    may_kill: bool,
) -> anyhow::Result<()> {
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
                *daemon = Daemon::start(long, sim)?;
                count.kills += 1;
                continue;
            }
            _ => {}
        }
        tokio::time::sleep(BEAT).await;
    }
    Ok(())
}

/// `rosterd run`, and what the kernel says of it.
struct Daemon {
    process: Child,
}

/// What a look at the process shows.
#[derive(Clone, Copy, Debug)]
struct Look {
    rss_kib: u64,
    files: usize,
}

impl Daemon {
    /// Starts it and waits until it answers.
    fn start(rosterd: &Rosterd<'_>, sim: &Simulator) -> anyhow::Result<Daemon> {
        let mut command = rosterd.command(sim, &["run"]);
        for source in ["ENTRA", "OKTA"] {
            command.env(format!("ROSTERD__SOURCES__{source}__SCHEDULE"), "2s");
            command.env(format!("ROSTERD__SOURCES__{source}__FULL_SCHEDULE"), "15s");
        }
        command.env("ROSTERD__SERVER__LISTEN", "127.0.0.1:0");
        command.env("ROSTERD__HISTORY__MAX_SIZE", "10MiB");
        let folder = rosterd.state.with_extension("run");
        std::fs::create_dir_all(&folder)?;
        command.env("RUNTIME_DIRECTORY", &folder);
        let process = command.stdout(Stdio::null()).spawn()?;
        let daemon = Daemon { process };
        let began = Instant::now();
        // Only the daemon answers on its socket; a command of its own would keep it out.
        let socket = folder.join("control.sock");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            ensure!(began.elapsed() < PATIENCE, "the daemon does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    fn signal(&self, signal: libc::c_int) -> anyhow::Result<()> {
        let pid = libc::pid_t::try_from(self.process.id())?;
        // SAFETY: a plain system call; the process is a child that was not waited for.
        ensure!(
            unsafe { libc::kill(pid, signal) } == 0,
            "it cannot be signalled"
        );
        Ok(())
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the daemon ended by itself with {status}");
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<std::process::ExitStatus> {
        self.signal(libc::SIGTERM)?;
        Ok(self.process.wait()?)
    }

    fn look(&mut self) -> anyhow::Result<Look> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the daemon ended by itself with {status}");
        }
        let about = format!("/proc/{}", self.process.id());
        let status = std::fs::read_to_string(format!("{about}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|rss| rss.trim().strip_suffix(" kB"));
        Ok(Look {
            rss_kib: rss.context("VmRSS")?.trim().parse()?,
            files: std::fs::read_dir(format!("{about}/fd"))?.count(),
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the long life was flat: the first third of it is the warming up.
fn judge(seen: &[(Duration, Look)]) -> anyhow::Result<()> {
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
