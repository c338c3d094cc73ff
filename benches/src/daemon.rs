//! The daemon as a process that is watched while it stays up.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::StatusCode;
use serde_json::Value;

use crate::rosterd::Rosterd;
use crate::sim::Simulator;

/// The first run of the largest tenant that is served here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running daemon; it ends with this value.
pub struct Daemon {
    process: Child,
    base: String,
    http: reqwest::Client,
}

/// What the kernel says of it at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// In user and kernel mode together, since it began.
    pub cpu: Duration,
    pub rss_kib: u64,
}

impl Daemon {
    /// Starts it with these settings over those of the files, and waits for its first run.
    pub async fn start(
        rosterd: &Rosterd<'_>,
        sim: &Simulator,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Daemon> {
        let free = TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let mut command = rosterd.command(sim, &["run"]);
        command
            .env("ROSTERD__SERVER__LISTEN", address.to_string())
            .env("ROSTERD__SERVER__PUBLIC_URL", format!("http://{address}"))
            .env("ROSTERD__SERVER__INSECURE_NO_AUTH", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (name, value) in settings {
            command.env(name, value);
        }
        let mut daemon = Daemon {
            process: command.spawn().context("rosterd cannot be started")?,
            base: format!("http://{address}"),
            http: reqwest::Client::new(),
        };
        let began = Instant::now();
        while !daemon.has_run().await? {
            ensure!(began.elapsed() < PATIENCE, "the first run does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(daemon)
    }

    /// Whether a run has ended since it began.
    async fn has_run(&mut self) -> anyhow::Result<bool> {
        if let Some(status) = self.process.try_wait()? {
            bail!("rosterd ended with {status}");
        }
        let Ok(metrics) = self.http.get(format!("{}/metrics", self.base)).send().await else {
            // It does not listen yet.
            return Ok(false);
        };
        let text = metrics.text().await?;
        Ok(text.contains("rosterd_runs_total{result=\"applied\"}"))
    }

    /// Whether the store portal has an account.
    pub async fn has_account(&self, key: &str) -> anyhow::Result<bool> {
        let url = format!("{}/api/v1/portals/store/accounts/{key}", self.base);
        let answer = self.http.get(url).send().await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => {
                let account: Value = answer.error_for_status()?.json().await?;
                Ok(account["key"] == key)
            }
        }
    }

    pub fn reading(&self) -> anyhow::Result<Reading> {
        let pid = self.process.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; what follows are numbers.
        let (_, numbers) = stat.rsplit_once(')').context("a line about the process")?;
        let ticks = |at: usize| -> anyhow::Result<u64> {
            let number = numbers.split_whitespace().nth(at);
            Ok(number.context("a number of ticks")?.parse()?)
        };
        // SAFETY: it asks for a constant of the system.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let per_second = u64::try_from(per_second).unwrap_or(100).max(1);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|rest| rest.split_whitespace().next());
        Ok(Reading {
            cpu: Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / per_second),
            rss_kib: rss.context("the memory of the process")?.parse()?,
        })
    }

    /// Ends it as the service manager would.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = libc::pid_t::try_from(self.process.id()).context("a process id")?;
        // SAFETY: it is a child that nobody has waited for, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let status = self.process.wait()?;
        ensure!(status.success(), "rosterd ended with {status}");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
