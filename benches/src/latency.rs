//! How long a change takes from the simulator to the account in the portal: with notifications,
//! and with a short schedule instead.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::rosterd::Rosterd;
use crate::sim::{Simulator, Size};
use crate::{Latency, Vendor};

/// How long to wait for a change before it counts as lost.
const LOST: Duration = Duration::from_secs(60);

/// Between two looks at the portal.
const LOOK: Duration = Duration::from_millis(5);

/// Between two changes: more than rosterd keeps between two runs that notifications ask for, so
/// that each change stands for one that comes alone.
const APART: Duration = Duration::from_secs(4);

pub async fn run(options: Latency) -> anyhow::Result<()> {
    let bin = options.place.bin()?;
    let (work, _temporary) = options.place.work()?;
    let size = Size {
        users: options.users,
        groups: 50,
        memberships: options.users * 10,
    };
    println!("| | median | nine in ten within | longest |");
    println!("| --- | --- | --- | --- |");
    let polled = format!("polling every {}", options.schedule);
    for (name, notified, schedule) in [
        ("notifications", "true", "24h"),
        (&*polled, "false", &*options.schedule),
    ] {
        let sim = Simulator::start(&bin, Vendor::Graph, size)?;
        let rosterd = Rosterd {
            bin: &bin,
            settings: &options.place.settings,
            sources: &[Vendor::Graph],
            also: "leavers.toml",
            state: work.join(name.replace(' ', "-")),
        };
        let settings = [
            ("ROSTERD__SOURCES__ENTRA__NOTIFICATIONS", notified),
            ("ROSTERD__SOURCES__ENTRA__SCHEDULE", schedule),
            ("ROSTERD__SOURCES__ENTRA__JITTER", "0s"),
        ];
        let mut daemon = Daemon::start(&rosterd, &sim, &settings).await?;
        daemon.first_run().await?;
        if notified == "true" {
            subscribed(&sim).await?;
        }
        let mut took = Vec::new();
        for number in 0..options.changes {
            // Not in step with a schedule.
            tokio::time::sleep(APART + Duration::from_millis(number as u64 * 377 % 1_000)).await;
            took.push(hired(&daemon, &sim, number).await?);
        }
        daemon.stop()?;
        took.sort_unstable();
        let at = |share: f64| took[(share * (took.len() - 1) as f64).round() as usize];
        println!(
            "| {name} | {:.2} s | {:.2} s | {:.2} s |",
            at(0.5).as_secs_f64(),
            at(0.9).as_secs_f64(),
            at(1.0).as_secs_f64()
        );
    }
    Ok(())
}

/// Waits for both subscriptions, and for the looks that follow their making.
async fn subscribed(sim: &Simulator) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let all = sim.call("GET", "/sim/graph/subscriptions", Value::Null);
        if all.await?.as_array().is_some_and(|all| all.len() == 2) {
            break;
        }
        ensure!(began.elapsed() < LOST, "there are no subscriptions");
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    Ok(())
}

/// How long it takes from before somebody is hired until they have an account.
async fn hired(daemon: &Daemon, sim: &Simulator, number: usize) -> anyhow::Result<Duration> {
    let mail = format!("latency.{number}@contoso.com");
    let body = json!({
        "userPrincipalName": mail, "mail": mail, "accountEnabled": true,
        "displayName": "Late", "givenName": "La", "surname": "Te",
    });
    let began = Instant::now();
    sim.call("POST", "/sim/graph/users", body).await?;
    while !daemon.has_account(&mail).await? {
        ensure!(began.elapsed() < LOST, "a change does not arrive");
        tokio::time::sleep(LOOK).await;
    }
    Ok(began.elapsed())
}
