//! An engine that another process holds, spoken to over a Unix socket: one call, one reply.
//!
//! [`RemoteEngine`] is the side that asks, [`serve`] the side that has the engine. How a
//! connection is made and who may make one is not decided here. A range is read in pieces, so
//! that nothing is held at the other side while a slow reader prints; a snapshot is copied to
//! a temporary file there first, so that writers wait for a disk and not for a terminal.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::engine::{Engine, EngineError, Entry, Op, Scan, Snapshot, TRANSACTION_OPS, Value};
use super::spool::Spool;
use super::{KeyRange, Tree};
use crate::frames;

/// How many bytes of rows are handed over at a time.
pub(super) const PIECE: usize = 256 * 1024;

/// How many bytes of operations of a bulk write are handed over at a time.
const WRITE_PIECE: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
enum Call {
    Get(Tree, Vec<u8>),
    Scan(Tree, KeyRange),
    LastBefore(Tree, Vec<u8>),
    Write(Vec<Op>),
    Transact(Vec<Op>),
    Flush,
    Size,
    /// Keeps the rows of this moment for this connection.
    Still,
    /// Reads on in them, from a place that an earlier reply named.
    ScanStill(Tree, KeyRange, Option<u64>),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Done,
    Value(Option<Vec<u8>>),
    Entry(Option<Row>),
    /// Rows, and whether the range may have more.
    Rows(Vec<Row>, bool),
    /// Rows, and where the next ones are.
    StillRows(Vec<Row>, Option<u64>),
    Size(u64),
    Failed(String),
}

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// Makes a connection over which only this room speaks.
pub type Dial = Box<dyn Fn() -> io::Result<UnixStream> + Send + Sync>;

/// The engine of another process.
pub struct RemoteEngine {
    place: String,
    dial: Dial,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<UnixStream>>,
}

impl RemoteEngine {
    /// `place` is where the other process keeps its store.
    pub fn new(place: String, dial: Dial) -> RemoteEngine {
        RemoteEngine {
            place,
            dial,
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<UnixStream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> Result<UnixStream, EngineError> {
        let idle = self.idle().pop();
        match idle {
            Some(idle) => Ok(idle),
            None => (self.dial)().map_err(|cause| self.gone(cause)),
        }
    }

    fn call(&self, call: &Call) -> Result<Reply, EngineError> {
        let mut connection = self.connection()?;
        let reply = self.exchange(&mut connection, call)?;
        self.idle().push(connection);
        Ok(reply)
    }

    fn exchange(&self, connection: &mut UnixStream, call: &Call) -> Result<Reply, EngineError> {
        let reply = frames::write(connection, call).and_then(|()| frames::read(connection));
        match reply {
            Ok(Some(Reply::Failed(text))) => Err(EngineError::Told(text)),
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.gone(io::ErrorKind::UnexpectedEof.into())),
            Err(cause) => Err(self.gone(cause)),
        }
    }

    fn gone(&self, cause: io::Error) -> EngineError {
        EngineError::DaemonGone {
            place: self.place.clone(),
            cause,
        }
    }

    fn confused(&self) -> EngineError {
        self.gone(io::Error::other("an answer to another question"))
    }

    fn done(&self, call: &Call) -> Result<(), EngineError> {
        match self.call(call)? {
            Reply::Done => Ok(()),
            _ => Err(self.confused()),
        }
    }
}

impl Engine for RemoteEngine {
    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Value>, EngineError> {
        match self.call(&Call::Get(tree, key.to_vec()))? {
            Reply::Value(value) => Ok(value.map(Value::from)),
            _ => Err(self.confused()),
        }
    }

    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        let mut rest = Some(range);
        pieces(move || {
            let Some(range) = rest.take() else {
                return Ok(None);
            };
            match self.call(&Call::Scan(tree, range.clone()))? {
                Reply::Rows(rows, more) => {
                    if more && let Some((last, _)) = rows.last() {
                        rest = Some(range.after(last));
                    }
                    Ok(Some(rows))
                }
                _ => Err(self.confused()),
            }
        })
    }

    fn last_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Entry>, EngineError> {
        match self.call(&Call::LastBefore(tree, key.to_vec()))? {
            Reply::Entry(row) => Ok(row.map(entry)),
            _ => Err(self.confused()),
        }
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        let (mut piece, mut size) = (Vec::new(), 0);
        for op in ops {
            size += op.bytes();
            piece.push(op);
            if size >= WRITE_PIECE {
                self.done(&Call::Write(std::mem::take(&mut piece)))?;
                size = 0;
            }
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.done(&Call::Write(piece))
    }

    fn transact(&self, ops: Vec<Op>) -> Result<(), EngineError> {
        if ops.len() > TRANSACTION_OPS {
            return Err(EngineError::TransactionTooLarge { ops: ops.len() });
        }
        self.done(&Call::Transact(ops))
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.done(&Call::Flush)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        let mut connection = self.connection()?;
        match self.exchange(&mut connection, &Call::Still)? {
            Reply::Done => Ok(Box::new(Still {
                engine: self,
                connection: Mutex::new(connection),
            })),
            _ => Err(self.confused()),
        }
    }

    fn size_on_disk(&self) -> u64 {
        match self.call(&Call::Size) {
            Ok(Reply::Size(bytes)) => bytes,
            _ => 0,
        }
    }
}

/// Rows of one moment, which the other side keeps as long as the connection lasts.
struct Still<'a> {
    engine: &'a RemoteEngine,
    connection: Mutex<UnixStream>,
}

impl Snapshot for Still<'_> {
    fn scan(&self, tree: Tree, range: KeyRange) -> Scan<'_> {
        let mut from = Some(None);
        pieces(move || {
            let Some(place) = from.take() else {
                return Ok(None);
            };
            let mut connection = self
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let call = Call::ScanStill(tree, range.clone(), place);
            match self.engine.exchange(&mut connection, &call)? {
                Reply::StillRows(rows, next) => {
                    from = next.map(Some);
                    Ok(Some(rows))
                }
                _ => Err(self.engine.confused()),
            }
        })
    }
}

fn entry((key, value): Row) -> Entry {
    (Value::from(key), Value::from(value))
}

/// One scan out of pieces, until there is none or an error.
fn pieces<'a>(
    mut next: impl FnMut() -> Result<Option<Vec<Row>>, EngineError> + Send + 'a,
) -> Scan<'a> {
    let mut rows: VecDeque<Row> = VecDeque::new();
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        while rows.is_empty() && !ended {
            match next() {
                Ok(Some(piece)) => rows.extend(piece),
                Ok(None) => ended = true,
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
        rows.pop_front().map(|row| Ok(entry(row)))
    }))
}

/// Answers one connection's calls until the other side hangs up.
pub fn serve(engine: &dyn Engine, connection: &mut UnixStream) -> io::Result<()> {
    let mut still = None;
    while let Some(call) = frames::read(connection)? {
        let reply = answer(engine, &mut still, call)
            .unwrap_or_else(|error| Reply::Failed(error.to_string()));
        frames::write(connection, &reply)?;
    }
    Ok(())
}

fn answer(
    engine: &dyn Engine,
    still: &mut Option<Spool>,
    call: Call,
) -> Result<Reply, EngineError> {
    let row = |(key, value): Entry| (key.into_vec(), value.into_vec());
    Ok(match call {
        Call::Get(tree, key) => Reply::Value(engine.get(tree, &key)?.map(Value::into_vec)),
        Call::LastBefore(tree, key) => Reply::Entry(engine.last_before(tree, &key)?.map(row)),
        Call::Scan(tree, range) => {
            let (mut rows, mut size) = (Vec::new(), 0);
            for entry in engine.scan(tree, range) {
                let row = row(entry?);
                size += row.0.len() + row.1.len();
                rows.push(row);
                if size >= PIECE {
                    return Ok(Reply::Rows(rows, true));
                }
            }
            Reply::Rows(rows, false)
        }
        Call::Write(ops) => {
            engine.write(ops)?;
            Reply::Done
        }
        Call::Transact(ops) => {
            engine.transact(ops)?;
            Reply::Done
        }
        Call::Flush => {
            engine.flush()?;
            Reply::Done
        }
        Call::Size => Reply::Size(engine.size_on_disk()),
        Call::Still => {
            *still = Some(Spool::copy(engine)?);
            Reply::Done
        }
        Call::ScanStill(tree, range, from) => match still {
            Some(still) => {
                let (rows, next) = still.read(tree, &range, from, engine.place())?;
                Reply::StillRows(rows, next)
            }
            None => Reply::Failed("no snapshot was taken".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests;
