//! The durable record that an account of a portal stands for a user of a source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::action::{Action, AttributeChange};

/// rosterd changes only what it is linked to. One link a key: whoever holds it owns the account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The match key the account stands under, folded.
    pub key: String,
    pub source: String,
    pub user: String,
    /// What was last applied.
    pub account: Account,
    /// The pushed groups that hold the account.
    pub groups: Groups,
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
    /// The source and the id there of the user it stands for.
    pub fn owner(&self) -> (&str, &str) {
        (&self.source, &self.user)
    }

    pub fn is_departed(&self) -> bool {
        matches!(self.state, LinkState::Departed { .. })
    }
}

/// The record that a pushed group stands in a portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupLink {
    pub source: String,
    pub number: u32,
    pub id: String,
    pub display_name: String,
    pub external_id: String,
}

impl GroupLink {
    /// The group that an action is about, before anything of it was applied.
    pub fn of(action: &Action, number: u32) -> GroupLink {
        GroupLink {
            source: action.subject.source.clone(),
            number,
            id: action.subject.id.clone(),
            display_name: String::new(),
            external_id: String::new(),
        }
    }

    pub fn apply(&mut self, changes: &[AttributeChange]) {
        for change in changes {
            let text = change
                .after
                .as_ref()
                .map(|value| value.plain())
                .unwrap_or_default();
            match change.attribute.as_str() {
                "displayName" => self.display_name = text,
                "externalId" => self.external_id = text,
                _ => {}
            }
        }
    }
}

/// A set of groups, as the numbers they have within their sources.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Groups(BTreeMap<String, Vec<u32>>);

impl Groups {
    pub fn contains(&self, source: &str, number: u32) -> bool {
        self.0
            .get(source)
            .is_some_and(|numbers| numbers.binary_search(&number).is_ok())
    }

    pub fn insert(&mut self, source: &str, number: u32) {
        match self.0.get_mut(source) {
            Some(numbers) => {
                if let Err(place) = numbers.binary_search(&number) {
                    numbers.insert(place, number);
                }
            }
            None => {
                self.0.insert(source.to_owned(), vec![number]);
            }
        }
    }

    pub fn remove(&mut self, source: &str, number: u32) {
        if let Some(numbers) = self.0.get_mut(source) {
            if let Ok(place) = numbers.binary_search(&number) {
                numbers.remove(place);
            }
            if numbers.is_empty() {
                self.0.remove(source);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().flat_map(|(source, numbers)| {
            numbers.iter().map(move |number| (source.as_str(), *number))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
