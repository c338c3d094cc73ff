//! The daemon's side of the control socket.
//!
//! Each connection is served by a thread of its own: the store blocks, and a slow reader must
//! only ever keep itself waiting.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::{Answer, Board, Hello, POINTER, Purpose, SOCKET, VERSION, Welcome, pointer};
use crate::frames;
use crate::plan::Asked;
use crate::store::remote;
use crate::sync::{Conductor, Intent, Run, RunError, Ticket};

/// How many connections are served at a time; further ones wait to be let in. A command needs
/// two at most.
const CONNECTIONS: u32 = 64;

/// How long a connection may take to say what it is for. Commands say so at once; what only
/// holds the door open must not keep others out.
const HELLO: Duration = Duration::from_secs(5);

/// How long connections that are being answered get to be done when the daemon ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much of a plan goes into one message.
const PART: usize = 1024 * 1024;

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
    /// To hang up on them; by number.
    open: Mutex<(u64, std::collections::BTreeMap<u64, UnixStream>)>,
}

/// What an answer may need.
struct Host {
    conductor: Conductor,
    board: Arc<Board>,
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
        for connection in self.connections.open().1.values() {
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
                let served = serve(&host, &runtime, &mut stream);
                connections.open().1.remove(&number);
                served
            });
            if let Err(cause) = served {
                tracing::debug!("a command went away: {cause}");
            }
        });
    }
}

impl Connections {
    fn open(
        &self,
    ) -> std::sync::MutexGuard<'_, (u64, std::collections::BTreeMap<u64, UnixStream>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stream: &UnixStream) -> io::Result<u64> {
        let stream = stream.try_clone()?;
        let mut open = self.open();
        open.0 += 1;
        let number = open.0;
        open.1.insert(number, stream);
        Ok(number)
    }
}

fn serve(host: &Host, runtime: &Handle, stream: &mut UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(HELLO))?;
    let Some(hello) = frames::read::<Hello>(stream)? else {
        return Ok(());
    };
    stream.set_read_timeout(None)?;
    if hello.version != VERSION {
        let text = format!(
            "the daemon is {VERSION}, this command is {}; restart the daemon, or use its program",
            hello.version
        );
        return frames::write(stream, &Welcome::Refused(text));
    }
    let settings = host.board.settings.borrow().clone();
    frames::write(stream, &Welcome::Settings(settings))?;
    match hello.purpose {
        Purpose::Store => {
            let store = host.conductor.sync().store.clone();
            remote::serve(store.engine(), stream)
        }
        Purpose::Run { asked, intent } => run(host, runtime, stream, asked, intent),
        Purpose::Planned => {
            let planned = host.board.planned.borrow().clone();
            frames::write(stream, &planned)
        }
        Purpose::Check => {
            let sync = host.conductor.sync();
            frames::write(stream, &runtime.block_on(sync.check()))
        }
    }
}

fn run(
    host: &Host,
    runtime: &Handle,
    stream: &mut UnixStream,
    asked: Asked,
    intent: Intent,
) -> io::Result<()> {
    let _in_runtime = runtime.enter();
    let ticket = match host.conductor.ask(asked, intent) {
        Ok(ticket) => ticket,
        Err(busy) => return frames::write(stream, &Answer::Failed(vec![busy.to_string()])),
    };
    let run = match runtime.block_on(tell_steps(ticket, stream))? {
        Ok(run) => run,
        Err(error) => return frames::write(stream, &Answer::Failed(chain(&error))),
    };
    frames::write(stream, &Answer::Ended { moved: run.moved })?;
    write_plan(&run, stream)?;
    frames::write(stream, &Answer::Whole)
}

/// Passes the steps on as they come, until the run ends.
async fn tell_steps(
    ticket: Ticket,
    stream: &mut UnixStream,
) -> io::Result<Result<Arc<Run>, Arc<RunError>>> {
    let mut steps = ticket.steps();
    let finished = ticket.finished();
    tokio::pin!(finished);
    loop {
        let step = steps.borrow_and_update().clone();
        frames::write(stream, &Answer::Step(step))?;
        tokio::select! {
            outcome = &mut finished => return Ok(outcome),
            changed = steps.changed() => if changed.is_err() {
                return Ok(finished.await);
            },
        }
    }
}

fn write_plan(run: &Run, stream: &mut UnixStream) -> io::Result<()> {
    let mut parts = io::BufWriter::with_capacity(PART, Parts(stream));
    run.plan.write(&mut parts).map_err(io::Error::other)?;
    parts.flush()
}

struct Parts<'a>(&'a mut UnixStream);

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(PART)];
        frames::write(self.0, &Answer::Part(part.to_vec()))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn chain(error: &RunError) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts
}
