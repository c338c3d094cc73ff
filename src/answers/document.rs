//! The plan's document in types: what a reader of it may expect.
//!
//! Nothing writes these; `plan/report/json` streams the document, since a plan may be larger
//! than memory. They are what the API's description is made of, and a test holds what is
//! written to them.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// A plan, and what became of it.
#[derive(ToSchema)]
pub struct PlanDocument {
    pub version: u64,
    pub run: String,
    #[schema(pattern = "^(full|incremental|on_demand|push|drift)$")]
    pub mode: String,
    pub asked: PlanAsked,
    pub dry_run: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(pattern = "^(planned|applied|partly_applied|held|discarded|failed)$")]
    pub status: String,
    /// Two plans of one digest would do the same.
    pub digest: String,
    pub sources: BTreeMap<String, PlanSource>,
    /// Actions by portal and op.
    pub summary: BTreeMap<String, BTreeMap<String, u64>>,
    pub actions: Vec<PlanAction>,
    pub needs_role: Vec<PlanKey>,
    pub departed: Vec<PlanDeparted>,
    pub returned: Vec<PlanReturned>,
    pub pending: Vec<PlanPending>,
    pub spared: Vec<PlanSpared>,
    pub skipped: Vec<PlanSkipped>,
    pub conflicts: Vec<PlanConflict>,
    pub quarantined: Vec<PlanQuarantined>,
    pub warnings: Vec<String>,
    pub guard: PlanGuard,
}

/// What the run was asked for.
#[derive(ToSchema)]
pub struct PlanAsked {
    /// None: every source.
    pub sources: Vec<String>,
    pub full: bool,
    pub users: Vec<String>,
    pub groups: Vec<String>,
}

#[derive(ToSchema)]
pub struct PlanSource {
    #[schema(pattern = "^(ok|failed)$")]
    pub status: String,
    pub users: u64,
    pub groups: u64,
    pub changed_users: u64,
    pub changed_groups: u64,
    pub requests: u64,
    #[schema(required = false, nullable = false)]
    pub error: Option<String>,
}

#[derive(ToSchema)]
pub struct PlanAction {
    pub portal: String,
    pub op: String,
    pub key: String,
    pub subject: PlanSubject,
    pub changes: Vec<PlanChange>,
    /// Of a membership action: keys.
    #[schema(required = false, nullable = false)]
    pub members: Option<Vec<String>>,
    /// Of a device action: the device's id.
    #[schema(required = false, nullable = false)]
    pub device: Option<String>,
    pub reason: String,
    /// Null before the plan is applied.
    #[schema(required = true)]
    pub outcome: Option<PlanOutcome>,
}

#[derive(ToSchema)]
pub struct PlanSubject {
    #[schema(pattern = "^(user|group)$")]
    pub kind: String,
    pub source: String,
    pub id: String,
    pub display: String,
}

#[derive(ToSchema)]
pub struct PlanChange {
    pub attribute: String,
    pub before: Value,
    pub after: Value,
}

#[derive(ToSchema)]
pub struct PlanOutcome {
    #[schema(pattern = "^(done|failed|skipped)$")]
    pub status: String,
    #[schema(required = true)]
    pub error: Option<String>,
    pub attempts: u32,
}

#[derive(ToSchema)]
pub struct PlanKey {
    pub portal: String,
    pub key: String,
}

#[derive(ToSchema)]
pub struct PlanDeparted {
    pub portal: String,
    pub key: String,
    pub cause: String,
}

#[derive(ToSchema)]
pub struct PlanReturned {
    pub portal: String,
    pub key: String,
    #[schema(required = false, nullable = false)]
    pub note: Option<String>,
}

#[derive(ToSchema)]
pub struct PlanPending {
    pub portal: String,
    pub key: String,
    pub cause: String,
    #[schema(format = DateTime)]
    pub due_at: String,
}

#[derive(ToSchema)]
pub struct PlanSpared {
    pub portal: String,
    pub key: String,
    pub reason: String,
}

#[derive(ToSchema)]
pub struct PlanSkipped {
    pub portal: String,
    pub subject: PlanSubject,
    pub reason: String,
}

#[derive(ToSchema)]
pub struct PlanConflict {
    pub portal: String,
    pub key: String,
    pub kept: PlanSubject,
    pub dropped: PlanSubject,
}

#[derive(ToSchema)]
pub struct PlanQuarantined {
    pub source: String,
    pub id: String,
    pub reason: String,
    #[schema(format = DateTime)]
    pub next_try: String,
}

#[derive(ToSchema)]
pub struct PlanGuard {
    pub held: bool,
    /// The limits that the plan trips.
    pub limits: Vec<PlanLimit>,
}

#[derive(ToSchema)]
pub struct PlanLimit {
    pub limit: String,
    /// The portal, or the source of an empty one.
    pub scope: String,
    pub count: u64,
    /// What there was before the run.
    pub population: u64,
    /// The highest count that would have passed.
    pub allowed: u64,
    pub text: String,
}
