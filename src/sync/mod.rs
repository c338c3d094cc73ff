//! The sentence: one run, from what the sources say to what the targets hold.
//!
//! `run` reads it out; `fetch` and `stage` take in what changed, `view` is the directory as it
//! will be, `touched` whom that concerns, `decide` asks the rules, `remember` makes it durable,
//! `apply` carries it out. Only here does a run happen. `order` is what a run is told, and the
//! `conductor` says who may run when. `push` takes in what SCIM clients write,
//! and `drift` looks for what others changed in a target.

pub mod apply;
pub mod conductor;
pub mod decide;
mod discard;
pub mod drift;
pub mod fetch;
mod history;
mod keep;
mod links;
mod notes;
pub mod order;
pub mod population;
pub mod push;
pub mod remember;
pub mod run;
pub mod stage;
pub mod staged;
mod targets;
pub mod touched;
pub mod view;

pub use conductor::{Busy, Conductor, Finished, Ticket};
pub use history::History;
pub use keep::AUDIT_NOTE;
pub use order::{Intent, Order, Progress, Step, Stop};
pub use run::{Run, Sync};

use crate::audit::AuditError;
use crate::plan::PlanError;
use crate::store::StoreError;
use crate::targets::TargetError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("could not stage what was fetched in the temporary folder; is it full?")]
    Staging(#[source] std::io::Error),
    #[error("could not keep the plan of run {run} in {place}; is the disk full?")]
    History {
        run: String,
        place: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not read the plan of run {run} from {place}; may rosterd read it?")]
    Unread {
        run: String,
        place: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("a worker of the run stopped unexpectedly; see the log for why")]
    Worker(#[source] tokio::task::JoinError),
    #[error("the run was stopped before it applied anything; the next one begins again")]
    Stopped,
    #[error("{0}")]
    Asked(String),
    #[error(
        "run {run} is held no longer: nothing was applied; 'rosterd status' shows what is held"
    )]
    NotHeld { run: String },
}

#[cfg(test)]
pub(crate) mod tests;
