//! A command's side of the control socket.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Answer, Hello, Purpose, VERSION, Welcome, pointer};
use crate::answers::devices::Change;
use crate::frames;
use crate::plan::{Asked, Plan};
use crate::scim::inspect::Shown;
use crate::sources::Finding;
use crate::store::RemoteEngine;
use crate::sync::drift::{Report, Then};
use crate::sync::{Intent, Progress, Run};
use crate::targets::Held;

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("{0}")]
    Refused(String),
    #[error(
        "the daemon at {} no longer answers; look whether it runs, then try again",
        socket.display()
    )]
    Gone {
        socket: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// In the daemon's words.
    #[error("{text}")]
    Told {
        text: String,
        #[source]
        cause: Option<Box<DaemonError>>,
    },
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanError),
}

/// The daemon that holds a store.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// Where its store is.
    place: String,
    /// The fingerprint of the settings that were in force when it was found.
    pub settings: String,
}

impl Daemon {
    /// Finds the daemon of the store at `state`. Only to be asked when somebody does hold the
    /// store: what a crash left behind names nobody.
    ///
    /// None where there is none: it is then another command that holds the store.
    pub fn find(state: &Path) -> Result<Option<Daemon>, DaemonError> {
        let Ok(socket) = std::fs::read(pointer(state)) else {
            return Ok(None);
        };
        let socket = PathBuf::from(std::ffi::OsString::from_vec(socket));
        match connect(&socket, Purpose::Planned) {
            Ok((_, settings)) => Ok(Some(Daemon {
                socket,
                place: state.display().to_string(),
                settings,
            })),
            Err(DaemonError::Gone { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its store.
    pub fn engine(&self) -> RemoteEngine {
        let socket = self.socket.clone();
        let dial = move || {
            connect(&socket, Purpose::Store)
                .map(|(stream, _)| stream)
                .map_err(io::Error::other)
        };
        RemoteEngine::new(self.place.clone(), Box::new(dial))
    }

    /// The next start of each source.
    pub fn planned(&self) -> Result<BTreeMap<String, jiff::Timestamp>, DaemonError> {
        self.ask(Purpose::Planned)
    }

    /// The latest requests of a SCIM source's client, the oldest first.
    pub fn scim_log(&self, source: &str, most: usize) -> Result<Vec<Shown>, DaemonError> {
        let source = source.to_owned();
        self.ask(Purpose::ScimLog { source, most })
    }

    /// How its sources' connections are. This blocks as long as the sources take to answer.
    pub fn check(&self) -> Result<Vec<(String, Finding)>, DaemonError> {
        self.ask(Purpose::Check)
    }

    /// Has it discard a held run.
    pub fn discard(&self, run: String) -> Result<(), DaemonError> {
        let discarded: Result<(), Vec<String>> = self.ask(Purpose::Discard { run })?;
        discarded.map_err(told)
    }

    /// Has it change a device or policy of an MDM portal.
    pub fn change_device(&self, portal: String, change: Change) -> Result<(), DaemonError> {
        let changed: Result<(), Vec<String>> =
            self.ask(Purpose::ChangeDevice { portal, change })?;
        changed.map_err(told)
    }

    /// Has it look for drift, and mend it if it is to be. This blocks as long as the targets
    /// take to answer.
    pub fn drift(&self, portals: Vec<String>, then: Then) -> Result<Report, DaemonError> {
        let report: Result<Report, Vec<String>> = self.ask(Purpose::Drift { portals, then })?;
        report.map_err(told)
    }

    /// What a portal's target holds, asked by the daemon. This blocks as long as that takes.
    pub fn held(&self, portal: String) -> Result<Vec<Held>, DaemonError> {
        let held: Result<Vec<Held>, Vec<String>> = self.ask(Purpose::Held { portal })?;
        held.map_err(told)
    }

    /// Has it do one run, under the settings it has. This blocks until the run ends.
    pub fn run(
        &self,
        asked: Asked,
        intent: Intent,
        progress: &Arc<dyn Progress>,
    ) -> Result<Run, DaemonError> {
        let (mut stream, _) = connect(&self.socket, Purpose::Run { asked, intent })?;
        loop {
            match self.hear(&mut stream)? {
                Answer::Step(step) => progress.step(step),
                Answer::Ended { moved } => {
                    let plan = Plan::read(Parts {
                        stream: &mut stream,
                        part: Vec::new(),
                        read: 0,
                        ended: false,
                    })?;
                    return Ok(Run { plan, moved });
                }
                Answer::Failed(texts) => return Err(told(texts)),
                Answer::Part(_) | Answer::Whole => {
                    return Err(self.gone(io::Error::other("a plan out of turn")));
                }
            }
        }
    }

    fn ask<T: DeserializeOwned>(&self, purpose: Purpose) -> Result<T, DaemonError> {
        let (mut stream, _) = connect(&self.socket, purpose)?;
        self.hear(&mut stream)
    }

    fn hear<T: DeserializeOwned>(&self, stream: &mut UnixStream) -> Result<T, DaemonError> {
        match frames::read(stream) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.gone(io::ErrorKind::UnexpectedEof.into())),
            Err(cause) => Err(self.gone(cause)),
        }
    }

    fn gone(&self, cause: io::Error) -> DaemonError {
        gone(&self.socket, cause)
    }
}

/// A connection for one purpose, and the fingerprint of the settings in force.
fn connect(socket: &Path, purpose: Purpose) -> Result<(UnixStream, String), DaemonError> {
    let failed = |cause| gone(socket, cause);
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    let hello = Hello {
        version: VERSION.to_owned(),
        purpose,
    };
    frames::write(&mut stream, &hello).map_err(failed)?;
    match frames::read(&mut stream).map_err(failed)? {
        Some(Welcome::Settings(settings)) => Ok((stream, settings)),
        Some(Welcome::Refused(text)) => Err(DaemonError::Refused(text)),
        None => Err(failed(io::ErrorKind::UnexpectedEof.into())),
    }
}

fn gone(socket: &Path, cause: io::Error) -> DaemonError {
    DaemonError::Gone {
        socket: socket.to_owned(),
        cause,
    }
}

/// What failed, and its causes, as they would stand without a socket in between.
fn told(texts: Vec<String>) -> DaemonError {
    let chain = texts.into_iter().rev().fold(None, |cause, text| {
        Some(Box::new(DaemonError::Told { text, cause }))
    });
    match chain {
        Some(error) => *error,
        None => DaemonError::Refused("the run failed".to_owned()),
    }
}

/// The parts of a plan, as one stream of bytes.
struct Parts<'a> {
    stream: &'a mut UnixStream,
    part: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.part.len() && !self.ended {
            match frames::read(self.stream)? {
                Some(Answer::Part(part)) => (self.part, self.read) = (part, 0),
                Some(Answer::Whole) => self.ended = true,
                Some(_) => return Err(io::Error::other("something else amid a plan")),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = buffer.len().min(self.part.len() - self.read);
        buffer[..length].copy_from_slice(&self.part[self.read..][..length]);
        self.read += length;
        Ok(length)
    }
}
