//! The history: runs as a list, and the kept plan of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::AnswerError;
use crate::plan::{Head, Mode, Op, Plan, SourceReport, Status};
use crate::store::{Discarded, RunRecord, Store, Way};
use crate::sync::History;

/// One run in a list.
#[derive(Serialize, ToSchema)]
pub struct RunRow {
    pub run: String,
    #[schema(value_type = String)]
    pub mode: Mode,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String)]
    pub status: Status,
    /// What each source gave, by its name.
    #[schema(value_type = BTreeMap<String, super::document::PlanSource>)]
    pub sources: BTreeMap<String, SourceReport>,
    /// Actions by portal and op.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u64>>)]
    pub summary: BTreeMap<String, BTreeMap<Op, u64>>,
    /// Of a held run that was discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub discarded: Option<DiscardedOut>,
}

/// When a held run was discarded, and from where.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct DiscardedOut {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `api`, `command` or `console`.
    #[schema(value_type = String)]
    pub by: Way,
}

impl From<Discarded> for DiscardedOut {
    fn from(discarded: Discarded) -> DiscardedOut {
        let Discarded { at, by } = discarded;
        DiscardedOut { at, by }
    }
}

impl From<RunRecord> for RunRow {
    fn from(record: RunRecord) -> RunRow {
        let Head {
            run,
            mode,
            created_at,
            status,
            sources,
            summary,
            asked: _,
            dry_run: _,
            lists: _,
            warnings: _,
            guard: _,
            digest: _,
        } = record.head;
        RunRow {
            run,
            mode,
            created_at,
            status,
            sources,
            summary,
            discarded: record.discarded.map(Into::into),
        }
    }
}

/// The plan of a run, as it was kept, with the status that the run has by now.
pub fn plan(store: &Store, history: &History, run: &str) -> Result<Plan, AnswerError> {
    let record = store.run(run)?.ok_or_else(|| {
        AnswerError::NotThere(format!(
            "there is no run '{run}'; 'rosterd runs' lists them"
        ))
    })?;
    let mut plan = history
        .read(run)?
        .ok_or_else(|| AnswerError::NotThere(format!("the plan of run {run} is no longer kept")))?;
    plan.head.status = record.head.status;
    Ok(plan)
}
