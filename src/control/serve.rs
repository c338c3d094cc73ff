//! The daemon's side of the control socket: who is let in, and how it ends.
//!
//! Each connection is served by a thread of its own: the store blocks, and a slow reader must
//! only ever keep itself waiting.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::answer::Host;
use super::{Board, POINTER, SOCKET, pointer};
use crate::sync::Conductor;

/// How many connections are served at a time; further ones wait to be let in. A command needs
/// two at most.
const CONNECTIONS: u32 = 64;

/// How long connections that are being answered get to be done when the daemon ends.
const GOODBYE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(
        "the control socket {} cannot be made; is its folder writable, and its path no longer than about 100 bytes? RUNTIME_DIRECTORY may name another folder",
        path.display()
    )]
    Socket {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the file {} that names the control socket cannot be written", path.display())]
    Pointer {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// The open socket.
pub struct Control {
    socket: PathBuf,
    pointer: PathBuf,
    accepting: AbortHandle,
    connections: Arc<Connections>,
}

/// The connections that are open.
struct Connections {
    permits: Arc<Semaphore>,
    /// By number, to hang up on them.
    open: Mutex<BTreeMap<u64, UnixStream>>,
}

impl Control {
    /// Listens in the runtime directory where there is one, else beside the store. A socket
    /// that a crash left there is replaced.
    pub fn open(
        state: &Path,
        conductor: Conductor,
        board: Arc<Board>,
    ) -> Result<Control, ControlError> {
        let runtime = std::env::var_os("RUNTIME_DIRECTORY").and_then(|folders| {
            // The service manager may name several.
            std::env::split_paths(&folders).next()
        });
        let runtime = runtime.filter(|folder| !folder.as_os_str().is_empty());
        let socket = runtime.as_deref().unwrap_or(state).join(SOCKET);
        let socket = std::path::absolute(&socket).unwrap_or(socket);
        let listener = bind(&socket).map_err(|cause| ControlError::Socket {
            path: socket.clone(),
            cause,
        })?;
        let pointer = pointer(state);
        point(state, &pointer, &socket).map_err(|cause| ControlError::Pointer {
            path: pointer.clone(),
            cause,
        })?;
        let connections = Arc::new(Connections {
            permits: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            open: Mutex::default(),
        });
        let host = Arc::new(Host { conductor, board });
        let accepting = tokio::spawn(accept(listener, connections.clone(), host)).abort_handle();
        Ok(Control {
            socket,
            pointer,
            accepting,
            connections,
        })
    }

    /// Lets nobody in any more, lets those who are being answered be done, and cleans up.
    pub async fn close(self) {
        self.accepting.abort();
        fs::remove_file(&self.pointer).ok();
        fs::remove_file(&self.socket).ok();
        for connection in self.connections.open().values() {
            // Whoever waits for a further question hears the end; an answer is still written.
            connection.shutdown(std::net::Shutdown::Read).ok();
        }
        let all = self.connections.permits.acquire_many(CONNECTIONS);
        tokio::time::timeout(GOODBYE, all).await.ok();
    }
}

/// A socket that nobody else may open, from its first moment: it is made in a folder that is
/// ours alone, and takes its name when its mode is right.
fn bind(socket: &Path) -> io::Result<UnixListener> {
    // Nobody could connect to a name that is too long, though it can be given by renaming.
    std::os::unix::net::SocketAddr::from_pathname(socket)?;
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let own = tempfile::Builder::new()
        .prefix(".")
        .rand_bytes(4)
        .tempdir_in(folder)?;
    let made = own.path().join("s");
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
    fs::rename(&made, socket)?;
    Ok(listener)
}

fn point(state: &Path, pointer: &Path, socket: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let mut file = tempfile::Builder::new()
        .prefix(POINTER)
        .tempfile_in(state)?;
    file.write_all(socket.as_os_str().as_bytes())?;
    file.persist(pointer).map_err(|error| error.error)?;
    Ok(())
}

async fn accept(listener: UnixListener, connections: Arc<Connections>, host: Arc<Host>) {
    loop {
        let permit = connections.permits.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(cause) => {
                // Out of file descriptors, most likely: let others give theirs back.
                tracing::warn!("a command could not connect: {cause}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (connections, host) = (connections.clone(), host.clone());
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let served = stream.into_std().and_then(|mut stream| {
                stream.set_nonblocking(false)?;
                let number = connections.enter(&stream)?;
                let served = host.answer(&runtime, &mut stream);
                connections.open().remove(&number);
                served
            });
            if let Err(cause) = served {
                tracing::debug!("a command went away: {cause}");
            }
        });
    }
}

impl Connections {
    // What it guards is whole whatever panicked: each change is one call.
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, UnixStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stream: &UnixStream) -> io::Result<u64> {
        let stream = stream.try_clone()?;
        let mut open = self.open();
        let number = open.keys().next_back().map_or(0, |last| last + 1);
        open.insert(number, stream);
        Ok(number)
    }
}
