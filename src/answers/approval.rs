//! Which run may be approved or discarded, and the discarding.

use jiff::Timestamp;

use super::AnswerError;
use crate::plan::Status;
use crate::store::{RunRecord, Store, Way};
use crate::sync::Sync;

/// The record of a run that waits for its approval, or why there is nothing to approve.
pub fn waiting(store: &Store, run: &str) -> Result<RunRecord, AnswerError> {
    let record = store.run(run)?.ok_or_else(|| {
        AnswerError::NotThere(format!(
            "there is no run '{run}'; 'rosterd runs' lists them"
        ))
    })?;
    if record.head.status != Status::Held {
        return Err(AnswerError::InTheWay(format!(
            "run {run} is not held: it is {}",
            record.head.status.as_str()
        )));
    }
    match store.held_run()? {
        Some(held) if held.head.run == run => Ok(record),
        _ => Err(AnswerError::InTheWay(format!(
            "run {run} is held no longer: a later run took its place"
        ))),
    }
}

/// Discards a held run; its record as it is then. This waits for a run that is deciding or
/// applying, which may be the approval of this very one.
pub fn discard(sync: &Sync, run: &str, by: Way, now: Timestamp) -> Result<RunRecord, AnswerError> {
    let _turn = sync.store.my_turn();
    let record = waiting(&sync.store, run)?;
    Ok(sync.discard(record, by, now)?)
}
