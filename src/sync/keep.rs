//! What stays of a run when it is over: its plan in the history, a line in the audit log if it
//! did anything or was kept from it, and not for ever.

use jiff::Timestamp;
use serde_json::json;

use super::RunError;
use super::order::{Intent, Order};
use super::run::Sync;
use crate::audit::Mark;
use crate::plan::{Mode, Plan, Status};
use crate::store::directory::put_note;
use crate::store::runs::{RunRecord, delete_run, put_run};

/// The note that says how far the audit log goes.
pub const AUDIT_NOTE: &str = "audit";

/// The note of when old runs were last looked for.
const PRUNED_NOTE: &str = "pruned";

/// How often they are.
const PRUNING: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

impl Sync {
    /// Puts the run into the history: its head in the store, its plan in a compressed file.
    ///
    /// What is pushed makes a run for every few requests: one that has nothing to say is not
    /// worth a line.
    pub(super) fn keep(&self, plan: &Plan, order: &Order) -> Result<(), RunError> {
        let head = &plan.head;
        if head.mode == Mode::Push
            && head.status == Status::Applied
            && plan.action_count() == 0
            && head.lists.is_empty()
        {
            return Ok(());
        }
        self.history.write(plan)?;
        let mut ops = Vec::new();
        // A quiet run has nothing to answer for, and a plan that is held again was noted once.
        let quiet = plan.action_count() == 0 && plan.head.status == Status::Applied;
        let again = plan.head.status == Status::Held && self.store.run(&plan.head.run)?.is_some();
        if !quiet && !again {
            let mark = self.note_in_audit(plan, order)?;
            ops.push(put_note(AUDIT_NOTE, &mark.to_text()));
        }
        ops.push(put_run(&RunRecord {
            head: plan.head.clone(),
            finished_at: order.now,
            discarded: None,
        }));
        self.store.write(ops)?;
        self.store.flush()?;
        self.prune(order.now)
    }

    fn note_in_audit(&self, plan: &Plan, order: &Order) -> Result<Mark, RunError> {
        let head = &plan.head;
        let intent = match &order.intent {
            _ if head.mode == Mode::Drift => "drift",
            Intent::Preview => "plan",
            Intent::Apply => "sync",
            Intent::Exactly { .. } => "apply",
            Intent::Approve { .. } => "approve",
        };
        let limits: Vec<&str> = head.guard.limits.iter().map(|limit| &*limit.text).collect();
        let facts = json!({
            "run": head.run,
            "command": intent,
            "asked": head.asked,
            "mode": head.mode,
            "status": head.status,
            "summary": head.summary,
            "limits": limits,
            "plan_sha256": self.history.sha256(&head.run)?,
        });
        Ok(self.audit.append(order.now, "run", facts)?)
    }

    /// Drops what is older, or more, than is to be kept: once a day. A disk that does not let
    /// go of a file is no reason to fail a run that is done.
    fn prune(&self, now: Timestamp) -> Result<(), RunError> {
        let pruned = self.store.note(PRUNED_NOTE)?;
        let pruned = pruned.and_then(|at| at.parse::<Timestamp>().ok());
        if pruned.is_some_and(|at| now.duration_since(at) < PRUNING && at <= now) {
            return Ok(());
        }
        let held = self.store.held_run()?.map(|record| record.head.run);
        let too_old = |at: Timestamp| {
            now.duration_since(at).unsigned_abs() > self.history_kept.keep && at < now
        };
        let mut ops = vec![put_note(PRUNED_NOTE, &now.to_string())];
        for record in self.store.runs()? {
            let run = &record.head.run;
            if too_old(record.finished_at) && held.as_ref() != Some(run) {
                self.history.forget(run);
                ops.push(delete_run(run));
            }
        }
        self.history
            .shrink(self.history_kept.max_size, held.as_deref());
        let audit = &self.audit_kept;
        if let Err(error) = self.audit.prune(now.into(), audit.keep, audit.max_size) {
            tracing::warn!("{error}");
        }
        Ok(self.store.write(ops)?)
    }
}
