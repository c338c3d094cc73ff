//! Drift: what a target holds against what was last applied to it.
//!
//! Somebody else may change an account behind our back. What the links say is read beside what
//! the target says, and what differs is told, or mended by actions like any others. What is not
//! linked is not ours: it is listed, and never touched. Nobody is removed here.
//!
//! `compare` finds what differs, `mend` makes actions of it. A full run mends the drift of those
//! it has nothing else to do with.

mod compare;
mod mend;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunError;
use super::decide::Decided;
use super::notes::Notes;
use super::run::Sync;
use crate::directory::Value;
use crate::plan::{Entry, Mode};
use crate::rules::Portal;
use crate::targets::{Held, TargetError};

/// What was found, by portal, and what came of mending it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub portals: BTreeMap<String, PortalDrift>,
    pub repair: Option<Repair>,
}

/// What differs in one portal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PortalDrift {
    /// Why nothing is known of it, if so.
    pub unread: Option<Unread>,
    pub accounts: Vec<AccountDrift>,
    pub groups: Vec<GroupDrift>,
    /// Keys of accounts that nobody is linked to: the first of them.
    pub not_ours: Vec<String>,
    /// How many those are.
    pub not_ours_count: u64,
    /// Names of such groups.
    pub not_our_groups: Vec<String>,
}

/// Why a portal was not read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// Its target is away.
    Away(String),
    /// Its kind of target tells nothing.
    Never(String),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AccountDrift {
    pub key: String,
    pub source: String,
    pub source_id: String,
    /// The target has no such account.
    pub missing: bool,
    pub differs: Vec<Differs>,
}

/// An attribute of an account that is not as it was applied.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Differs {
    pub attribute: String,
    pub applied: Option<Value>,
    pub held: Option<Value>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupDrift {
    pub display_name: String,
    pub external_id: String,
    pub source: String,
    pub source_id: String,
    pub missing: bool,
    /// Another name that the target has for it.
    pub held_name: Option<String>,
    pub members_missing: Vec<String>,
    pub members_too_many: Vec<String>,
}

/// What came of a repair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Repair {
    pub run: String,
    /// `applied`, `partly_applied` or `held`.
    pub status: String,
    pub actions: u64,
    /// What could not be done, a line each.
    pub failed: Vec<String>,
    /// The limits that hold it, in words.
    pub limits: Vec<String>,
}

/// What is to be done about drift.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Then {
    Show,
    Repair,
}

impl PortalDrift {
    pub fn is_none(&self) -> bool {
        self.accounts.is_empty() && self.groups.is_empty()
    }
}

impl Report {
    pub fn has_drift(&self) -> bool {
        self.portals.values().any(|portal| !portal.is_none())
    }
}

impl Sync {
    /// Everything that the target of a portal holds of it.
    pub fn held(&self, portal: &str) -> Result<Vec<Held>, RunError> {
        let rules = self.portals.iter().find(|rules| rules.name == portal);
        let rules = rules.ok_or_else(|| {
            RunError::Asked(format!("there is no portal '{portal}' in the settings"))
        })?;
        let target = &self.targets[&rules.target];
        target.begin();
        let mut held = Vec::new();
        let mut take = |one| {
            held.push(one);
            Ok(())
        };
        target.read_back(portal, &mut take)?;
        Ok(held)
    }

    /// Reads the portals' targets, and mends what differs if it is to be. No portal named: all.
    ///
    /// This waits for a run that is deciding or applying, and blocks as long as the targets take.
    pub fn drift(
        &self,
        names: &[String],
        then: Then,
        now: jiff::Timestamp,
    ) -> Result<Report, RunError> {
        let _turn = self.store.my_turn();
        let mut report = Report::default();
        let asked = |portal: &&Portal| names.is_empty() || names.contains(&portal.name);
        let portals: Vec<&Portal> = self.portals.iter().filter(asked).collect();
        for (name, target) in &self.targets {
            if portals.iter().any(|portal| portal.target == *name) {
                target.begin();
            }
        }
        for portal in portals {
            let drift = self.read_drift(portal)?;
            report.portals.insert(portal.name.clone(), drift);
        }
        if then == Then::Repair && report.has_drift() {
            report.repair = Some(self.repair(&report.portals, now)?);
        }
        Ok(report)
    }

    fn read_drift(&self, portal: &Portal) -> Result<PortalDrift, RunError> {
        let target = &*self.targets[&portal.target];
        match compare::compare(&self.store, portal, target) {
            Ok(drift) => Ok(drift),
            Err(RunError::Target(TargetError::Away(text))) => Ok(PortalDrift {
                unread: Some(Unread::Away(text)),
                ..PortalDrift::default()
            }),
            Err(RunError::Target(TargetError::Refused(text))) => Ok(PortalDrift {
                unread: Some(Unread::Never(text)),
                ..PortalDrift::default()
            }),
            Err(error) => Err(error),
        }
    }

    /// In a full run: the drift of those that the plan does not touch becomes part of it.
    pub(super) fn add_drift(
        &self,
        notes: &mut Notes,
        decided: &mut Decided,
    ) -> Result<(), RunError> {
        // Where too many are touched to say whom, the next full run looks.
        if notes.head.mode != Mode::Full || decided.mark_everything {
            return Ok(());
        }
        for portal in &self.portals {
            let target = &self.targets[&portal.target];
            let linked = self.store.links(&portal.name).next().is_some();
            if !target.reads_back() || !linked || decided.away.contains_key(&portal.target) {
                continue;
            }
            let mut drift = self.read_drift(portal)?;
            match &drift.unread {
                Some(Unread::Away(reason)) => {
                    let (target, reason) = (portal.target.clone(), reason.clone());
                    notes.head.warnings.push(format!(
                        "target '{target}' could not be read back to look for drift: {reason}"
                    ));
                    decided.away.insert(target, reason);
                    continue;
                }
                Some(Unread::Never(_)) => continue,
                None => {}
            }
            mend::leave_out(&self.store, &portal.name, &mut drift, &decided.marked)?;
            for action in mend::actions(&self.store, portal, &drift)? {
                if mend::deactivates(&action) {
                    let count = decided.deactivations.entry(portal.name.clone());
                    *count.or_default() += 1;
                }
                decided.builder.push(Entry::Action(action))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
