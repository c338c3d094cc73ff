//! How commands talk to the daemon that holds the store, over its Unix socket.
//!
//! The daemon listens on a socket that only its own user may open (0600), and writes where it
//! is into the file `daemon` beside the store. A command that finds the store taken reads that
//! file and connects. A connection is for one purpose, named in the first message: calls to
//! the store (see [`crate::store::remote`]), one run, or a question. `serve` and `answer` are the
//! daemon's side, `connect` the command's.

mod answer;
mod connect;
mod serve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use connect::{Daemon, DaemonError};
pub use serve::{Control, ControlError};

use crate::answers::devices::Change;
use crate::plan::Asked;
use crate::scim::inspect::Inspector;
use crate::sync::drift::Then;
use crate::sync::{Intent, Step};

/// Both sides must be the same program: what goes over the socket has no other format than
/// the types here.
const VERSION: &str = concat!("rosterd ", env!("CARGO_PKG_VERSION"), ", protocol 4");

/// The file beside the store that says where the socket is.
const POINTER: &str = "daemon";

/// The socket's name.
const SOCKET: &str = "control.sock";

fn pointer(state: &Path) -> PathBuf {
    state.join(POINTER)
}

/// What the daemon shows to whoever asks: it writes, others look.
#[derive(Debug, Default)]
pub struct Board {
    /// The fingerprint of the settings in force.
    pub settings: watch::Sender<String>,
    /// The next start of each source.
    pub planned: watch::Sender<BTreeMap<String, jiff::Timestamp>>,
    /// The latest requests of SCIM clients.
    pub inspector: Inspector,
}

/// The first message of a connection.
#[derive(Serialize, Deserialize)]
struct Hello {
    version: String,
    purpose: Purpose,
}

#[derive(Serialize, Deserialize)]
enum Purpose {
    /// Calls to the store follow.
    Store,
    /// One run; [`Answer`]s follow.
    Run { asked: Asked, intent: Intent },
    /// The next start of each source.
    Planned,
    /// The latest requests of a SCIM source's client, at most so many.
    ScimLog { source: String, most: usize },
    /// Every source's connection, tested with the daemon's own credentials.
    Check,
    /// What a portal's target holds.
    Held { portal: String },
    /// A held run is to be discarded.
    Discard { run: String },
    /// A device or policy of an MDM portal is to be changed.
    ChangeDevice { portal: String, change: Change },
    /// What these portals' targets hold is to be put beside what was applied; none named: all.
    Drift { portals: Vec<String>, then: Then },
}

/// The answer to it.
#[derive(Serialize, Deserialize)]
enum Welcome {
    /// The fingerprint of the settings in force.
    Settings(String),
    Refused(String),
}

/// What is said of a run, in this order.
#[derive(Serialize, Deserialize)]
enum Answer {
    Step(Step),
    /// It ended, with a plan that comes in parts.
    Ended {
        moved: bool,
    },
    Part(Vec<u8>),
    Whole,
    /// It broke off: what failed, and its causes.
    Failed(Vec<String>),
}

#[cfg(test)]
mod tests;
