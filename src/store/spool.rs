//! A store's rows of one moment, copied to a temporary file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use super::engine::{Engine, EngineError};
use super::remote::{PIECE, Row};
use super::{KeyRange, Tree};

/// All trees, one after the other; a row is the lengths of key and value, and both.
pub(super) struct Spool {
    file: File,
    /// Where each tree begins, and where the last one ends.
    starts: [u64; Tree::ALL.len() + 1],
}

impl Spool {
    /// Copies every row. Writers wait meanwhile.
    pub fn copy(engine: &dyn Engine) -> Result<Spool, EngineError> {
        let failed = |cause| failed("copy", engine.place(), cause);
        let file = tempfile::tempfile().map_err(failed)?;
        let mut out = BufWriter::with_capacity(PIECE, file);
        let mut starts = [0; Tree::ALL.len() + 1];
        let mut written = 0;
        let snapshot = engine.snapshot()?;
        for tree in Tree::ALL {
            starts[tree as usize] = written;
            for entry in snapshot.scan(tree, KeyRange::all()) {
                let (key, value) = entry?;
                for part in [&key, &value] {
                    let length = u32::try_from(part.len()).expect("no row reaches 4 GiB");
                    out.write_all(&length.to_le_bytes()).map_err(failed)?;
                }
                out.write_all(&key).map_err(failed)?;
                out.write_all(&value).map_err(failed)?;
                written += 8 + key.len() as u64 + value.len() as u64;
            }
        }
        starts[Tree::ALL.len()] = written;
        drop(snapshot);
        let file = out
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        Ok(Spool { file, starts })
    }

    /// The next rows of a range, and where those after them are, if there are any. `from` is
    /// None at first, then what the reading before named.
    pub fn read(
        &self,
        tree: Tree,
        range: &KeyRange,
        from: Option<u64>,
        place: &str,
    ) -> Result<(Vec<Row>, Option<u64>), EngineError> {
        let (start, end) = (self.starts[tree as usize], self.starts[tree as usize + 1]);
        let mut at = from.unwrap_or(start).max(start);
        let (mut rows, mut size) = (Vec::new(), 0);
        while at < end {
            let (row, next) = self.row(at).map_err(|cause| failed("read", place, cause))?;
            at = next;
            if range.to().is_some_and(|to| row.0.as_slice() >= to) {
                break;
            }
            if range.contains(&row.0) {
                size += row.0.len() + row.1.len();
                rows.push(row);
            }
            if size >= PIECE {
                return Ok((rows, (at < end).then_some(at)));
            }
        }
        Ok((rows, None))
    }

    fn row(&self, at: u64) -> io::Result<(Row, u64)> {
        let mut lengths = [0; 8];
        self.file.read_exact_at(&mut lengths, at)?;
        let [a, b, c, d, e, f, g, h] = lengths;
        let mut key = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        let mut value = vec![0; u32::from_le_bytes([e, f, g, h]) as usize];
        self.file.read_exact_at(&mut key, at + 8)?;
        let behind = at + 8 + key.len() as u64;
        self.file.read_exact_at(&mut value, behind)?;
        let next = behind + value.len() as u64;
        Ok(((key, value), next))
    }
}

fn failed(doing: &'static str, place: &str, cause: io::Error) -> EngineError {
    EngineError::Io {
        doing,
        place: place.to_owned(),
        cause,
    }
}
