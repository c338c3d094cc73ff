//! The history of runs: what each said about itself. Its actions are in a file of their own.

use serde::{Deserialize, Serialize};

use super::codec::{KeyWriter, decode, encode};
use super::rows::VERSION;
use super::{Op, Tree};
use super::{Store, StoreError};
use crate::plan::{Head, Status};

/// The note that names the held run; empty where there is none.
pub const HELD_NOTE: &str = "held_run";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    pub head: Head,
    pub finished_at: jiff::Timestamp,
    /// Of a held run that somebody said no to.
    #[serde(default)]
    pub discarded: Option<Discarded>,
}

/// When a held run was discarded, and which way that came in. There is one admin token, so
/// that is as much as is known of who it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Discarded {
    pub at: jiff::Timestamp,
    pub by: Way,
}

/// The ways in which people reach rosterd.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Api,
    Command,
    Console,
}

impl Store {
    /// Runs, the newest first.
    pub fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.runs_before(None).collect()
    }

    /// The runs before one, the newest first; None: before none, so all. Each is read when it
    /// is asked for.
    pub fn runs_before(
        &self,
        run: Option<&str>,
    ) -> impl Iterator<Item = Result<RunRecord, StoreError>> + '_ {
        // No run id begins with the highest character, and none sorts above it.
        let mut place = Some(run.map_or_else(|| key("\u{10FFFF}"), key));
        std::iter::from_fn(move || {
            let mut below = place.take()?;
            // Every key ends with the same byte: without it, it is just below itself.
            below.pop();
            match self.engine().last_before(Tree::Runs, &below) {
                Ok(found) => {
                    let (key, value) = found?;
                    place = Some(key.into_vec());
                    let row = decode::<String>(&value, "run", VERSION);
                    Some(row.map_err(Into::into).and_then(|json| read(&json)))
                }
                Err(error) => Some(Err(error.into())),
            }
        })
    }

    pub fn run(&self, id: &str) -> Result<Option<RunRecord>, StoreError> {
        self.row::<String>(Tree::Runs, &key(id), "run")?
            .map(|json| read(&json))
            .transpose()
    }

    /// The held run that waits for approval.
    pub fn held_run(&self) -> Result<Option<RunRecord>, StoreError> {
        let Some(run) = self.note(HELD_NOTE)?.filter(|run| !run.is_empty()) else {
            return Ok(None);
        };
        let record = self.run(&run)?;
        Ok(record.filter(|record| record.head.status == Status::Held))
    }
}

fn read(json: &str) -> Result<RunRecord, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::damaged("run"))
}

fn key(id: &str) -> Vec<u8> {
    KeyWriter::new().text(id).finish()
}

pub fn put_run(record: &RunRecord) -> Op {
    let json = serde_json::to_string(record).expect("a run record is plain data");
    Op::Put(Tree::Runs, key(&record.head.run), encode(VERSION, &json))
}

pub fn delete_run(id: &str) -> Op {
    Op::Delete(Tree::Runs, key(id))
}
