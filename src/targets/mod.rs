//! Write: where portals live. A target is asked what stands there, and told what to do; it
//! decides nothing.

pub mod local;

use std::collections::BTreeMap;

use crate::plan::{Account, Action};
use crate::rules::lifecycle::Device;

#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// An account that a target has.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    pub account: Account,
}

pub trait Target: Send + Sync {
    /// The account that stands under a key.
    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError>;

    /// The assigned devices of a portal, by the account's key.
    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError>;

    /// Whether this target knows a policy of that name.
    fn has_policy(&self, portal: &str, policy: &str) -> Result<bool, TargetError>;

    /// Whether a new account can be made with its memberships in one go.
    fn creates_with_groups(&self) -> bool {
        false
    }

    /// Carries out actions, each on its own: one that fails does not stop its neighbours.
    /// The answers come in the order of the steps.
    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>>;
}

/// One action with what carrying it out needs beside it.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub action: &'a Action,
    /// The key the account stands under now, where it is another than the action's.
    pub old_key: Option<&'a str>,
}
