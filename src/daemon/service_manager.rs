//! What the service manager is told: that the daemon is ready, reloads, stops, and is alive.
//!
//! Where there is none (no `NOTIFY_SOCKET`) nothing happens. A manager that does not listen is
//! its own trouble, noted at `debug`: the daemon goes on.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything is open, and runs may come.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The settings are read again; [`ready`] follows, whether or not they were good.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// One line for people.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The daemon still answers.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to say [`alive`], where the manager wants to hear it: twice as often as it asks,
/// as its manual advises.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        tracing::debug!("the service manager does not listen: {cause}");
    }
}
