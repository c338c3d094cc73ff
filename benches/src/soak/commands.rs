//! Runs by command, killed at any moment. Every so often all is quiet, one run goes through, and
//! what rosterd then holds is compared with a store that was filled from nothing at that moment.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::Value;

use super::agreement::{compare, settled};
use super::company::{Chance, company, faults};
use super::with_state;
use crate::Soak;

/// Disturbed rounds between two comparisons.
const ROUNDS: u64 = 6;

pub async fn run(soak: Soak) -> anyhow::Result<()> {
    let bin = soak.place.bin()?;
    let (work, _temporary) = soak.place.work()?;
    let (sim, mut people) = company(&bin).await?;
    let long = with_state(&bin, &soak, work.join("long"));
    let fresh = with_state(&bin, &soak, work.join("fresh"));
    let mut chance = Chance(soak.seed);
    let began = Instant::now();
    let until = Duration::from_secs(soak.seconds);
    let mut count = Counts::default();
    // How long the last run took: kills are to fall into a run, not after it.
    let mut usual_ms = 500;
    loop {
        for _ in 0..ROUNDS {
            if began.elapsed() >= until {
                break;
            }
            for _ in 0..chance.below(20) {
                count.changes += people.change(&sim, &mut chance).await?;
            }
            let faulty = chance.below(3) == 0;
            if faulty {
                sim.call("POST", "/sim/faults", faults(&mut chance)).await?;
            }
            let full = chance.below(4) == 0;
            let arguments: &[&str] = if full { &["sync", "--full"] } else { &["sync"] };
            let killed_after = match chance.below(2) {
                0 => Some(Duration::from_millis(chance.below(usual_ms + 20))),
                _ => None,
            };
            let started = Instant::now();
            let code = disturbed(long.command(&sim, arguments), killed_after)?;
            if code == Some(0) {
                usual_ms = u64::try_from(started.elapsed().as_millis())?;
            }
            match code {
                None => count.killed += 1,
                // Faults may fail a source, or both.
                Some(1 | 3) if faulty => count.failed += 1,
                Some(0) => count.runs += 1,
                Some(code) => bail!("{arguments:?} ended with {code}"),
            }
            sim.call("DELETE", "/sim/faults", Value::Null).await?;
        }
        settled(&long, &sim)?;
        let _ = std::fs::remove_dir_all(&fresh.state);
        settled(&fresh, &sim)?;
        compare(&long, &fresh, &sim)?;
        count.compared += 1;
        eprintln!("{:>5} s  {count:?}", began.elapsed().as_secs());
        if began.elapsed() >= until {
            break;
        }
    }
    println!(
        "{} changes, {} runs, {} killed, {} with a failed source, {} comparisons: all equal",
        count.changes, count.runs, count.killed, count.failed, count.compared
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    changes: u64,
    runs: u64,
    killed: u64,
    failed: u64,
    compared: u64,
}

/// Starts a run; kills it after a while, if it is not over before. None when it was killed.
fn disturbed(mut command: Command, after: Option<Duration>) -> anyhow::Result<Option<i32>> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    if let Some(after) = after {
        let began = Instant::now();
        while began.elapsed() < after {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill()?;
    }
    Ok(child.wait()?.code())
}
