//! The durable record that an account of a portal stands for a user of a source.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::account::Account;

/// rosterd changes only what it is linked to. One link a key: whoever holds it owns the account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The match key the account stands under, folded.
    pub key: String,
    pub source: String,
    pub user: String,
    /// What was last applied.
    pub account: Account,
    /// The pushed groups that hold the account, by source and group id.
    pub groups: BTreeSet<(String, String)>,
    pub state: LinkState,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum LinkState {
    Live,
    /// The user is absent and the grace period runs.
    Leaving {
        since: jiff::Timestamp,
        cause: String,
    },
    /// The account outlives its user. `settled` once everything that departing asks for was
    /// done: from then on it is left alone.
    Departed {
        cause: String,
        settled: bool,
    },
}

impl Link {
    pub fn is_departed(&self) -> bool {
        matches!(self.state, LinkState::Departed { .. })
    }
}

/// The record that a pushed group stands in a portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupLink {
    pub source: String,
    pub group: String,
    pub display_name: String,
    pub external_id: String,
}
