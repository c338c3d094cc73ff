//! What the daemon is told by signals.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// SIGUSR1: an incremental run of every source.
    Sync,
    /// SIGUSR2: a full one.
    FullSync,
    /// SIGHUP: read the settings again.
    Reload,
    /// SIGTERM, SIGINT: finish the actions in hand and end.
    Stop,
}

/// Every signal that is listened to.
pub struct Signals {
    hup: Signal,
    int: Signal,
    term: Signal,
    usr1: Signal,
    usr2: Signal,
}

impl Signals {
    /// Listens from now on. Before this, a signal does what it does to any program.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next one. Several of a kind that come close together may count as one.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.term.recv() => Told::Stop,
            _ = self.int.recv() => Told::Stop,
            _ = self.hup.recv() => Told::Reload,
            _ = self.usr1.recv() => Told::Sync,
            _ = self.usr2.recv() => Told::FullSync,
        }
    }
}
