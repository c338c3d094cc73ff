//! What rosterd answers when it is asked: the documents that commands print and the API serves.
//!
//! A document is built here once, so that `rosterd status --format json` and `GET
//! /api/v1/status` cannot differ. Nothing here prints, listens or runs a run; what changes
//! something (devices and policies, which are kept by hand) is checked here for both. All of
//! it reads the store, and so blocks.

pub mod approval;
pub mod changes;
pub mod devices;
pub mod document;
pub mod events;
pub mod explain;
pub mod group;
pub mod groups;
pub mod held;
pub mod person;
pub mod portal;
pub mod runs;
pub mod status;
pub mod tokens;

use crate::rules::{OnDeactivate, Portal};
use crate::store::StoreError;
use crate::sync::RunError;
use crate::targets::TargetError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanError),
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A name that the settings do not know, or a thing that is not there.
    #[error("{0}")]
    NotThere(String),
    /// It stands in the way of what is there now.
    #[error("{0}")]
    InTheWay(String),
    /// It names something that is not there.
    #[error("{0}")]
    LeadsNowhere(String),
}

/// Passes if `name` is among `names`, else says which there are.
pub fn known<'a>(
    what: &str,
    names: impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<(), AnswerError> {
    let names: Vec<&str> = names.collect();
    if names.contains(&name) {
        return Ok(());
    }
    let there = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    Err(AnswerError::NotThere(format!(
        "there is no {what} '{name}' in the settings; there is {there}"
    )))
}

/// The policy that a portal's rules name: it is there from the start.
pub fn named_policy(portal: &Portal) -> Option<&str> {
    match &portal.on_deactivate {
        OnDeactivate::ChangePolicy(policy) => Some(policy),
        _ => None,
    }
}
