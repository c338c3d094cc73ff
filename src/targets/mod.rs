//! Write: where portals live. A target is asked what stands there, and told what to do; it
//! decides nothing.
//!
//! Every kind is a room of its own. `local` is rosterd's own store; the others are elsewhere,
//! and may be away.

pub mod applivery;
pub mod events;
pub mod local;
pub mod postgres;
pub mod scim;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::finding::Finding;
use crate::plan::{Account, Action, Groups};
use crate::rules::Portal;
use crate::rules::lifecycle::Device;

#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// This one cannot be done as it is; its neighbours can.
    #[error("{0}")]
    Refused(String),
    /// Nothing can be asked of the target now, or told to it.
    #[error("{0}")]
    Away(String),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// An account that a target has.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    pub account: Account,
    /// The id at its source of whom it was made for, where the target keeps that.
    pub made_for: Option<String>,
    /// The pushed groups that hold it, where the target is asked for them here.
    pub groups: Groups,
}

impl Found {
    /// Whether it is known to have been made for who has this id at the source.
    pub fn is_of(&self, id: &str) -> bool {
        self.made_for.as_deref() == Some(id)
    }
}

/// One thing that a target holds, as it is read back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Held {
    Account {
        /// The key of the link it belongs to; else the match key it would be found under.
        key: String,
        account: Account,
    },
    Group {
        /// The source and the id there of the group that it stands for.
        source: String,
        id: String,
        display_name: String,
        /// Keys, sorted; None where the target does not tell.
        members: Option<Vec<String>>,
    },
}

pub trait Target: Send + Sync {
    /// A run begins: what was remembered of the target's state in an earlier one is stale, and
    /// a target that was away is tried again.
    fn begin(&self) {}

    /// What of a portal's rules this kind of target cannot carry out: a line each. Asks nobody.
    fn cannot(&self, portal: &Portal) -> Vec<String> {
        let _ = portal;
        Vec::new()
    }

    /// Tests the connection: a finding for each thing that can be right or wrong.
    fn check(&self) -> Vec<Finding>;

    /// The account that stands under a key.
    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError>;

    /// Whether what is found says whom it was made for; of many, without a request for each.
    fn knows_owners(&self, of_many: bool) -> bool {
        let _ = of_many;
        false
    }

    /// The assigned devices of a portal, by the account's key. Most kinds have none.
    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        let _ = portal;
        Ok(BTreeMap::new())
    }

    /// Whether a new account can be made with its memberships in one go.
    fn creates_with_groups(&self) -> bool {
        false
    }

    /// How many actions at a time it works on best.
    fn batch(&self) -> usize {
        200
    }

    /// The queue that somebody has to empty beside the runs, where this kind of target has one.
    fn outbox(&self) -> Option<Arc<events::Outbox>> {
        None
    }

    /// Carries out actions, each on its own: one that fails does not stop its neighbours.
    /// The answers come in the order of the steps. Steps of one subject take effect in order.
    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>>;

    /// Whether everything can be read back, to find what others changed.
    fn reads_back(&self) -> bool {
        false
    }

    /// Whether an attribute of a portal's accounts is kept as it is given, and so can be compared.
    fn keeps(&self, portal: &str, attribute: &str) -> bool {
        let _ = (portal, attribute);
        true
    }

    /// Hands over, one by one, what the target holds of a portal.
    fn read_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let _ = (portal, take);
        Err(TargetError::Refused(
            "this kind of target cannot be read back".to_owned(),
        ))
    }
}

/// One action with what carrying it out needs beside it.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub action: &'a Action,
    /// The key the account stands under now, where it is another than the action's.
    pub old_key: Option<&'a str>,
}
