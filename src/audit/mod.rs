//! What was changed, by lines that cannot be taken back: one JSON object each, with the hash
//! of the line before.
//!
//! A line is for what changes something or was kept from it: a run that acted, failed or was
//! held, a device or a policy that was set. A run's line carries the hash of its plan, so that
//! the plan, which names every account, is covered as long as it is kept. Quiet runs leave no
//! line.
//!
//! Lines go to files of some megabytes, named by the number of their first line. Whole files
//! leave at the old end when their time is over; nothing else is ever removed. `verify` reads
//! them all. That lines are missing at the new end shows by the [`Mark`] that the store keeps.

mod verify;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use verify::{Verdict, verify};

/// A file takes further lines up to this size: large enough that a year is a handful of files,
/// small enough that dropping one is not dropping much.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// No line is longer; what follows the last line end at the close of a file is at most this.
const LINE_BYTES: u64 = 1024 * 1024;

/// What the first line of all names as the hash before it.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("could not {doing} the audit log in {place}; is the disk full, may rosterd use it?")]
    Io {
        doing: &'static str,
        place: String,
        #[source]
        cause: io::Error,
    },
    #[error(
        "the last line of the audit log in {place} cannot be read; 'rosterd audit verify' says more"
    )]
    Damaged { place: String },
}

/// How far the log goes: what the store remembers of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    pub seq: u64,
    pub hash: String,
}

impl Mark {
    pub fn to_text(&self) -> String {
        format!("{} {}", self.seq, self.hash)
    }

    pub fn from_text(text: &str) -> Option<Mark> {
        let (seq, hash) = text.split_once(' ')?;
        Some(Mark {
            seq: seq.parse().ok()?,
            hash: hash.to_owned(),
        })
    }
}

/// One process has the log at a time, as it has the store, and within it lines take turns: each
/// reads where the one before it ended.
static TURN: Mutex<()> = Mutex::new(());

/// The log of one state directory.
pub struct AuditLog {
    place: PathBuf,
}

impl AuditLog {
    pub fn new(place: PathBuf) -> AuditLog {
        AuditLog { place }
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Adds a line, durable when this returns, and says where the log ends now.
    pub fn append(
        &self,
        at: Timestamp,
        event: &str,
        facts: impl Serialize,
    ) -> Result<Mark, AuditError> {
        let failed = self.failed("write");
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        create_private(&self.place).map_err(&failed)?;
        let files = files(&self.place).map_err(self.failed("read"))?;
        let last = match files.last() {
            Some((_, file)) => self.last_line(file)?,
            None => None,
        };
        let seq = last.as_ref().map_or(1, |mark| mark.seq + 1);
        let before = last.map_or_else(|| NOTHING_BEFORE.to_owned(), |mark| mark.hash);
        let mut line = serde_json::to_string(&line(seq, at, event, facts, &before))
            .expect("facts are plain data");
        let hash = hash(line.as_bytes());
        line.push('\n');
        let full = |file: &Path| fs::metadata(file).is_ok_and(|file| file.len() >= FILE_BYTES);
        let file = match files.last() {
            Some((_, file)) if !full(file) => file.clone(),
            _ => self.place.join(format!("{seq:012}.jsonl")),
        };
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .map_err(&failed)?;
        out.write_all(line.as_bytes()).map_err(&failed)?;
        out.sync_all().map_err(&failed)?;
        Ok(Mark { seq, hash })
    }

    /// The last line of the newest file. What a crash left behind it was never promised, and
    /// goes.
    fn last_line(&self, file: &Path) -> Result<Option<Mark>, AuditError> {
        let failed = self.failed("read");
        let mut open = OpenOptions::new()
            .read(true)
            .write(true)
            .open(file)
            .map_err(&failed)?;
        let length = open.metadata().map_err(&failed)?.len();
        let from = length.saturating_sub(2 * LINE_BYTES);
        open.seek(SeekFrom::Start(from)).map_err(&failed)?;
        let mut tail = Vec::new();
        open.read_to_end(&mut tail).map_err(&failed)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n');
        let Some(whole) = whole else {
            // Longer than any line of ours: this is not what a crash leaves.
            if from > 0 {
                return Err(self.damaged());
            }
            open.set_len(0).map_err(&failed)?;
            return self.line_before(file);
        };
        if whole + 1 < tail.len() {
            tracing::warn!("a line of the audit log that a crash cut short was removed");
            open.set_len(from + whole as u64 + 1).map_err(&failed)?;
        }
        let begun = tail[..whole].iter().rposition(|byte| *byte == b'\n');
        let line = &tail[begun.map_or(0, |place| place + 1)..whole];
        let seq = serde_json::from_slice::<Value>(line)
            .ok()
            .and_then(|line| line["seq"].as_u64());
        let seq = seq.ok_or_else(|| self.damaged())?;
        Ok(Some(Mark {
            seq,
            hash: hash(line),
        }))
    }

    /// The newest file holds no whole line: the one before it ends the log.
    fn line_before(&self, newest: &Path) -> Result<Option<Mark>, AuditError> {
        let files = files(&self.place).map_err(self.failed("read"))?;
        match files.iter().rev().find(|(_, file)| file != newest) {
            Some((_, file)) => self.last_line(file),
            None => Ok(None),
        }
    }

    /// Drops the oldest files that are older than `keep`, or that are too much for `most`
    /// bytes. The newest stays.
    pub fn prune(&self, now: SystemTime, keep: Duration, most: u64) -> Result<(), AuditError> {
        let failed = self.failed("shorten");
        let files = files(&self.place).map_err(&failed)?;
        let mut sizes = Vec::new();
        for (_, file) in &files {
            let facts = fs::metadata(file).map_err(&failed)?;
            sizes.push((facts.len(), facts.modified().map_err(&failed)?));
        }
        let mut total: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
        let all_but_newest = files.len().saturating_sub(1);
        for ((_, file), (bytes, modified)) in files.iter().zip(sizes).take(all_but_newest) {
            let age = now.duration_since(modified).unwrap_or_default();
            if age <= keep && total <= most {
                break;
            }
            fs::remove_file(file).map_err(&failed)?;
            total -= bytes;
        }
        Ok(())
    }

    fn damaged(&self) -> AuditError {
        AuditError::Damaged {
            place: self.place.display().to_string(),
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> AuditError {
        let place = self.place.display().to_string();
        move |cause| AuditError::Io {
            doing,
            place: place.clone(),
            cause,
        }
    }
}

fn line(seq: u64, at: Timestamp, event: &str, facts: impl Serialize, before: &str) -> Value {
    let mut line = Map::new();
    line.insert("seq".to_owned(), seq.into());
    line.insert("at".to_owned(), at.to_string().into());
    line.insert("event".to_owned(), event.into());
    if let Ok(Value::Object(facts)) = serde_json::to_value(facts) {
        line.extend(facts);
    }
    line.insert("before".to_owned(), before.into());
    Value::Object(line)
}

/// The files with the number of their first line, the oldest first.
fn files(place: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let first = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".jsonl"))
            .and_then(|number| number.parse().ok());
        if let Some(first) = first {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

fn create_private(place: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place)
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The hash of a file's content, as lines name it.
pub fn hash_of_file(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
