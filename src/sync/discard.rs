//! Discarding a held run: its plan will not be carried out.
//!
//! That takes the plan away and nothing else. Directory, links and cursor are where they were
//! before the run, so whatever led to the plan is still to be decided: the next run does so,
//! and where it comes to the same, that is a new held run with an id of its own. The record
//! and the kept plan stay in the history.

use jiff::Timestamp;
use serde_json::json;

use super::RunError;
use super::keep::AUDIT_NOTE;
use super::run::Sync;
use crate::plan::Status;
use crate::store::directory::put_note;
use crate::store::runs::{HELD_NOTE, put_run};
use crate::store::{Discarded, RunRecord, Way};

impl Sync {
    /// Whether this run waits for approval.
    pub fn holds(&self, run: &str) -> Result<bool, RunError> {
        let held = self.store.held_run()?;
        Ok(held.is_some_and(|held| held.head.run == run))
    }

    /// Marks a held run as discarded, so that nobody can approve it any more. To be called
    /// with the store's turn, by whoever made sure that it is held.
    pub fn discard(
        &self,
        mut record: RunRecord,
        by: Way,
        now: Timestamp,
    ) -> Result<RunRecord, RunError> {
        let head = &mut record.head;
        head.status = Status::Discarded;
        let limits: Vec<&str> = head.guard.limits.iter().map(|limit| &*limit.text).collect();
        let facts = json!({
            "run": head.run,
            "by": by,
            "status": head.status,
            "summary": head.summary,
            "limits": limits,
        });
        let mark = self.audit.append(now, "discard", facts)?;
        tracing::info!(run.id = %head.run, "run {} was discarded", head.run);
        record.discarded = Some(Discarded { at: now, by });
        self.store.transact(vec![
            put_run(&record),
            put_note(HELD_NOTE, ""),
            put_note(AUDIT_NOTE, &mark.to_text()),
        ])?;
        self.store.flush()?;
        Ok(record)
    }
}
