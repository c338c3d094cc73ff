//! A program started, waited for, and what it used.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;

/// What one process used from its start to its end.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub wall: Duration,
    /// In user and kernel mode together.
    pub cpu: Duration,
    /// The most memory it held at a time.
    pub peak_kib: u64,
    pub status: ExitStatus,
}

/// Starts a program and waits for its end.
pub fn run(command: &mut Command) -> anyhow::Result<Used> {
    let began = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    let pid = libc::pid_t::try_from(child.id()).context("a process id")?;
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals that live through the call, and nothing else
        // waits for this child: `child` is dropped without waiting.
        let waited = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
        if waited == pid {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("a child cannot be waited for");
        }
    }
    let wall = began.elapsed();
    Ok(Used {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        status: ExitStatus::from_raw(status),
    })
}

fn time(of: libc::timeval) -> Duration {
    let micros = of.tv_sec * 1_000_000 + of.tv_usec;
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
