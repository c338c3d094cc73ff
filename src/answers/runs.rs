//! The history: runs as a list, and the kept plan of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::AnswerError;
use crate::plan::{Head, Mode, Op, Plan, SourceReport, Status};
use crate::store::{RunRecord, Store};
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
        }
    }
}

/// The plan of a run, as it was kept.
pub fn plan(store: &Store, history: &History, run: &str) -> Result<Plan, AnswerError> {
    if store.run(run)?.is_none() {
        return Err(AnswerError::NotThere(format!(
            "there is no run '{run}'; 'rosterd runs' lists them"
        )));
    }
    history
        .read(run)?
        .ok_or_else(|| AnswerError::NotThere(format!("the plan of run {run} is no longer kept")))
}
