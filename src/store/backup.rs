//! A whole store in one file, and back.
//!
//! The file is a logical export: every row of every tree, independent of the engine. So it
//! also moves a store from one engine to another, and a restore of it is the compaction.
//!
//! ```text
//! rosterd-backup 1 1\n        the layout of this file, the format of its rows
//! 1 tree key value            any number of rows, in tree and key order; the three are
//!                             lengths with bytes: u8 for the tree's name, u32 for the others
//! 0 count digest              u64 rows; BLAKE3 (32 bytes) of all that stands before it
//! ```
//!
//! Numbers are big endian. Neither way holds more than a few rows in memory. A file appears
//! under its name only when it is whole and on the disk; a store is usable only when a restore
//! went all the way through.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::engine::{Engine, EngineError, Op};
use super::format::{self, FORMAT};
use super::{KeyRange, Tree};

const MAGIC: &str = "rosterd-backup";

/// The layout of the file, as the first lines of this module show it.
const LAYOUT: u32 = 1;

const ROW: u8 = 1;
const TRAILER: u8 = 0;

/// The trailer's kind, count and digest.
const TRAILER_BYTES: u64 = 1 + 8 + blake3::OUT_LEN as u64;

/// Enough for the header with its two numbers. A file without a line that short is not ours.
const HEADER_MAX_BYTES: u64 = 64;

/// How many rows a restore gathers before it writes them: enough to sort and to keep the
/// engine's own batches full.
const RESTORE_ROWS: usize = 1000;

/// How many bytes of rows a restore gathers at most, should rows be large: 8 MiB.
const RESTORE_BYTES: usize = 8 * 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// How many rows.
    pub rows: u64,
    /// How long the file is.
    pub bytes: u64,
    /// The format of the rows.
    pub format: u32,
}

/// Why a backup was not written or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("could not write the backup {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not read the backup {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is not a rosterd backup", path.display())]
    NotABackup { path: PathBuf },
    #[error(
        "the backup {} was written by a newer rosterd ({what} {found}, this one knows {known}); restore it with that version",
        path.display()
    )]
    Newer {
        path: PathBuf,
        what: &'static str,
        found: u32,
        known: u32,
    },
    #[error(
        "the backup {} was cut short or changed since it was written ({why}); use another copy",
        path.display()
    )]
    Damaged { path: PathBuf, why: &'static str },
    #[error(
        "the store at {place} is not empty; restore into a new directory, or move the old one aside"
    )]
    NotEmpty { place: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Exports the store into a file, replacing what stood there.
///
/// What is written is the store at one moment: writers wait meanwhile. The file is only for
/// its owner to read (0600).
pub fn write(engine: &dyn Engine, path: &Path) -> Result<Summary, BackupError> {
    let failed = |cause| BackupError::Write {
        path: path.to_owned(),
        cause,
    };
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".backup-")
        .tempfile_in(dir)
        .map_err(failed)?;

    let mut out = Digesting::new(BufWriter::new(file));
    writeln!(out, "{MAGIC} {LAYOUT} {FORMAT}").map_err(failed)?;
    let mut rows = 0_u64;
    let snapshot = engine.snapshot()?;
    for tree in Tree::ALL {
        for entry in snapshot.scan(tree, KeyRange::all()) {
            let (key, value) = entry?;
            // The stamp is the store's own; the header says the same.
            if format::is_stamp(tree, &key) {
                continue;
            }
            write_row(&mut out, tree, &key, &value).map_err(failed)?;
            rows += 1;
        }
    }
    drop(snapshot);

    out.write_all(&[TRAILER]).map_err(failed)?;
    out.write_all(&rows.to_be_bytes()).map_err(failed)?;
    let (out, bytes) = out.seal().map_err(failed)?;
    let file = out
        .into_inner()
        .map_err(|unwritten| failed(unwritten.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|kept| failed(kept.error))?;
    // The new name is durable only once its directory is.
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failed)?;
    Ok(Summary {
        rows,
        bytes,
        format: FORMAT,
    })
}

/// Reads a backup from end to end and says what is in it, or why it is of no use.
pub fn verify(path: &Path) -> Result<Summary, BackupError> {
    Source::open(path).map(|source| source.summary)
}

/// Fills an empty store from a backup.
///
/// The file is verified to its end before the store is touched. Should the import itself be
/// cut short, the store stays marked as half restored and does not open again.
pub fn restore(engine: &dyn Engine, path: &Path) -> Result<Summary, BackupError> {
    let mut source = Source::open(path)?;
    if !format::is_empty(engine)? {
        let place = engine.place().to_owned();
        return Err(BackupError::NotEmpty { place });
    }
    format::restoring(engine)?;
    let (mut ops, mut gathered) = (Vec::new(), 0);
    for _ in 0..source.summary.rows {
        let put = source.row()?;
        gathered += put.bytes();
        ops.push(put);
        if ops.len() >= RESTORE_ROWS || gathered >= RESTORE_BYTES {
            engine.write(std::mem::take(&mut ops))?;
            gathered = 0;
        }
    }
    engine.write(ops)?;
    format::restored(engine, source.summary.format)?;
    Ok(source.summary)
}

fn write_row(out: &mut impl Write, tree: Tree, key: &[u8], value: &[u8]) -> io::Result<()> {
    let name = tree.name().as_bytes();
    let length = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .map(u32::to_be_bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a row of more than 4 GiB"))
    };
    let name_bytes = u8::try_from(name.len()).expect("trees have short names");
    out.write_all(&[ROW, name_bytes])?;
    out.write_all(name)?;
    out.write_all(&length(key)?)?;
    out.write_all(key)?;
    out.write_all(&length(value)?)?;
    out.write_all(value)
}

/// A writer that keeps the digest and the length of what went through.
struct Digesting<W> {
    out: W,
    digest: blake3::Hasher,
    bytes: u64,
}

impl<W: Write> Digesting<W> {
    fn new(out: W) -> Digesting<W> {
        Digesting {
            out,
            digest: blake3::Hasher::new(),
            bytes: 0,
        }
    }

    /// Ends with the digest of all before it; returns the length of the whole.
    fn seal(mut self) -> io::Result<(W, u64)> {
        let digest = self.digest.finalize();
        self.write_all(digest.as_bytes())?;
        Ok((self.out, self.bytes))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A verified backup, its rows still to be read.
struct Source {
    path: PathBuf,
    /// Only the rows, from the first on.
    rows: io::Take<BufReader<File>>,
    summary: Summary,
}

impl Source {
    /// Verifies the whole file before any length in it is believed.
    fn open(path: &Path) -> Result<Source, BackupError> {
        let failed = |cause| BackupError::Read {
            path: path.to_owned(),
            cause,
        };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut header = String::new();
        let read = file.by_ref().take(HEADER_MAX_BYTES).read_line(&mut header);
        match read {
            Err(cause) if cause.kind() != io::ErrorKind::InvalidData => return Err(failed(cause)),
            _ => {}
        }
        let format = format_in(&header, path)?;

        let damaged = |why| BackupError::Damaged {
            path: path.to_owned(),
            why,
        };
        let header_bytes = header.len() as u64;
        let bytes = file.get_ref().metadata().map_err(failed)?.len();
        if bytes < header_bytes + TRAILER_BYTES {
            return Err(damaged("it ends too early"));
        }
        file.rewind().map_err(failed)?;
        let mut digest = blake3::Hasher::new();
        let mut digested = file.take(bytes - blake3::OUT_LEN as u64);
        digest.update_reader(&mut digested).map_err(failed)?;
        let mut file = digested.into_inner();
        let mut expected = [0; blake3::OUT_LEN];
        file.read_exact(&mut expected).map_err(failed)?;
        if digest.finalize() != expected {
            return Err(damaged("its checksum does not match"));
        }

        file.seek(io::SeekFrom::Start(bytes - TRAILER_BYTES))
            .map_err(failed)?;
        let [kind] = array(&mut file).map_err(failed)?;
        let rows = u64::from_be_bytes(array(&mut file).map_err(failed)?);
        if kind != TRAILER {
            return Err(damaged("it does not end as it should"));
        }
        file.seek(io::SeekFrom::Start(header_bytes))
            .map_err(failed)?;
        Ok(Source {
            path: path.to_owned(),
            rows: file.take(bytes - TRAILER_BYTES - header_bytes),
            summary: Summary {
                rows,
                bytes,
                format,
            },
        })
    }

    fn row(&mut self) -> Result<Op, BackupError> {
        let row = read_row(&mut self.rows).map_err(|cause| BackupError::Read {
            path: self.path.clone(),
            cause,
        })?;
        row.ok_or_else(|| BackupError::Damaged {
            path: self.path.clone(),
            why: "it holds a row of an unknown kind",
        })
    }
}

/// Reads the format of the rows out of the header.
fn format_in(header: &str, path: &Path) -> Result<u32, BackupError> {
    let path = || path.to_owned();
    let numbers = header
        .strip_suffix('\n')
        .and_then(|line| line.strip_prefix(MAGIC)?.strip_prefix(' '))
        .ok_or_else(|| BackupError::NotABackup { path: path() })?;
    let mut numbers = numbers.split(' ').map(str::parse::<u32>);
    for (what, known) in [("layout", LAYOUT), ("format", FORMAT)] {
        match numbers.next() {
            Some(Ok(found)) if found > known => {
                return Err(BackupError::Newer {
                    path: path(),
                    what,
                    found,
                    known,
                });
            }
            Some(Ok(found)) if what == "format" => return Ok(found),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(BackupError::NotABackup { path: path() }),
        }
    }
    Err(BackupError::NotABackup { path: path() })
}

/// `None`: a row, but not one that this rosterd has a place for.
fn read_row(rows: &mut impl Read) -> io::Result<Option<Op>> {
    let [kind, name_bytes] = array(rows)?;
    let name = bytes(rows, name_bytes.into())?;
    let (ROW, Some(tree)) = (kind, Tree::named(&name)) else {
        return Ok(None);
    };
    let key_bytes = u32::from_be_bytes(array(rows)?);
    let key = bytes(rows, key_bytes)?;
    let value_bytes = u32::from_be_bytes(array(rows)?);
    let value = bytes(rows, value_bytes)?;
    Ok(Some(Op::Put(tree, key, value)))
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    from.read_exact(&mut array)?;
    Ok(array)
}

fn bytes(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
