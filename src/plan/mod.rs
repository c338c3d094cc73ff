//! What is intended: the ordered actions a run would carry out, why, and whether it may.
//!
//! A plan is never whole in memory. The rules push [`Entry`]s into a [`Builder`], which
//! sorts them (on disk when they are many); what comes out is a [`Plan`]: a small head and
//! entries to iterate over, as often as needed. A dry run prints it, the guard judges its
//! totals, apply executes its actions, the history keeps it, `report` puts it into words.

pub mod account;
pub mod action;
pub mod builder;
pub mod entry;
pub mod guard;
pub mod head;
pub mod link;
pub mod report;
pub mod spool;

pub use account::{Account, Role};
pub use action::{Action, AttributeChange, Op, Outcome, OutcomeStatus, Subject, SubjectKind};
pub use builder::Builder;
pub use entry::{Entry, Section};
pub use head::{Asked, Guard, Head, Limit, Mode, SourceReport, SourceStatus, Status};
pub use link::{GroupLink, Groups, Link, LinkState};
pub use spool::{OutcomeTally, Plan, PlanError};
