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
    /// To disk, since it began.
    pub written: u64,
    /// Open file descriptors.
    pub files: usize,
}

impl Daemon {
    /// Starts it with these settings over those of the files, and waits until it serves.
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
        daemon.shows("").await?;
        Ok(daemon)
    }

    /// Waits until a run has been applied since it began.
    pub async fn first_run(&mut self) -> anyhow::Result<()> {
        self.shows("rosterd_runs_total{result=\"applied\"}").await
    }

    /// Waits until its metrics are served and have a text.
    async fn shows(&mut self, text: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        let metrics = format!("{}/metrics", self.base);
        loop {
            self.is_up()?;
            // It does not listen at first.
            if let Ok(answer) = self.http.get(&metrics).send().await
                && answer.text().await?.contains(text)
            {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "its metrics never say '{text}'");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn is_up(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            Some(status) => bail!("rosterd ended by itself with {status}"),
            None => Ok(()),
        }
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

    pub fn reading(&mut self) -> anyhow::Result<Reading> {
        self.is_up()?;
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
        let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
        Ok(Reading {
            cpu: Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / per_second),
            rss_kib: number(&status, "VmRSS:")?,
            written: number(&io, "write_bytes:")?,
            files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }

    pub fn signal(&mut self, signal: libc::c_int) -> anyhow::Result<()> {
        self.is_up()?;
        let pid = libc::pid_t::try_from(self.process.id()).context("a process id")?;
        // SAFETY: it is a child that nobody has waited for, so the id is still its own.
        let sent = unsafe { libc::kill(pid, signal) } == 0;
        ensure!(sent, "rosterd cannot be signalled");
        Ok(())
    }

    /// Ends it as no service manager would.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.is_up()?;
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Ends it as the service manager would.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal(libc::SIGTERM)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "rosterd ended with {status}");
        Ok(())
    }
}

/// The number on the line with this name.
fn number(lines: &str, name: &str) -> anyhow::Result<u64> {
    let rest = lines.lines().find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    Ok(word.with_context(|| format!("no {name}"))?.parse()?)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
