//! What stands of a person beside why: the account with its attributes and devices, and what
//! was done to it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::AnswerError;
use super::devices::DeviceOut;
use crate::config::PortalKind;
use crate::directory::Value;
use crate::plan::{Action, Head, Op, Outcome, OutcomeStatus};
use crate::rules::Portal;
use crate::store::Store;
use crate::sync::History;

/// How many actions are unpacked in search of a person's: a second's work, and more than weeks
/// of ordinary runs have. A first run of a large company is beyond it.
const ACTIONS: u64 = 200_000;

/// How many records of runs are looked at.
const RECORDS: usize = 500;

/// An account as it was last applied.
pub struct Standing {
    /// By the names that plans use.
    pub attributes: Vec<(String, Value)>,
    /// The pushed groups that hold it: source, id and name, by name.
    pub groups: Vec<GroupName>,
    pub devices: Vec<DeviceOut>,
}

pub struct GroupName {
    pub source: String,
    pub id: String,
    pub name: String,
}

/// The account under a key, if one is linked.
pub fn standing(
    store: &Store,
    portal: &Portal,
    key: &str,
) -> Result<Option<Standing>, AnswerError> {
    let Some(link) = store.link(&portal.name, key)? else {
        return Ok(None);
    };
    let mut groups = Vec::new();
    for (source, number) in link.groups.iter() {
        if let Some(group) = store.group_link(&portal.name, source, number)? {
            groups.push(GroupName {
                source: group.source,
                id: group.id,
                name: group.display_name,
            });
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let mut devices = Vec::new();
    if portal.kind == PortalKind::Mdm {
        for device in store.devices(&portal.name) {
            let device = device?;
            if device.assigned_to.as_deref() == Some(key) {
                devices.push(DeviceOut::from(device));
            }
        }
    }
    Ok(Some(Standing {
        attributes: link.account.named(),
        groups,
        devices,
    }))
}

/// Something that was done to a person's account, or was to be.
pub struct Deed {
    pub run: String,
    pub at: Timestamp,
    pub portal: String,
    pub op: Op,
    /// The group of a membership.
    pub group: Option<String>,
    pub reason: String,
    /// None where the plan was held, and so not carried out.
    pub outcome: Option<OutcomeStatus>,
}

/// The latest deeds on accounts, the newest first.
pub struct Deeds {
    pub deeds: Vec<Deed>,
    /// Whether older runs were not searched.
    pub cut: bool,
}

/// What was done to the accounts under these keys of portals, at most `most` deeds.
pub fn deeds(
    store: &Store,
    history: &History,
    accounts: &BTreeSet<(String, String)>,
    most: usize,
) -> Result<Deeds, AnswerError> {
    let mut found = Vec::new();
    let mut unpacked = 0;
    for record in store.runs_before(None).take(RECORDS) {
        let head = record?.head;
        let concerns = |(portal, _): &(String, String)| head.summary.contains_key(portal);
        if !accounts.iter().any(concerns) {
            continue;
        }
        let actions: u64 = head.summary.values().flat_map(|ops| ops.values()).sum();
        unpacked += actions;
        if unpacked > ACTIONS {
            return Ok(Deeds {
                deeds: found,
                cut: true,
            });
        }
        let Some(plan) = history.read(&head.run)? else {
            continue;
        };
        let mut of_run = Vec::new();
        for row in plan.actions_with_outcomes() {
            let (action, outcome) = row?;
            if is_about(&action, accounts) {
                of_run.push(deed(&head, action, outcome));
            }
        }
        found.extend(of_run.into_iter().rev());
        if found.len() >= most {
            found.truncate(most);
            return Ok(Deeds {
                deeds: found,
                cut: true,
            });
        }
    }
    Ok(Deeds {
        deeds: found,
        cut: false,
    })
}

fn is_about(action: &Action, accounts: &BTreeSet<(String, String)>) -> bool {
    accounts.iter().any(|(portal, key)| {
        action.portal == *portal
            && match action.op.is_membership() {
                true => action.members.contains(key),
                false => action.key == *key && !is_group(action.op),
            }
    })
}

/// Whether the action's key is a group's name.
fn is_group(op: Op) -> bool {
    matches!(op, Op::CreateGroup | Op::UpdateGroup | Op::DeleteGroup)
}

fn deed(head: &Head, action: Action, outcome: Option<Outcome>) -> Deed {
    Deed {
        run: head.run.clone(),
        at: head.created_at,
        group: action.op.is_membership().then_some(action.key),
        portal: action.portal,
        op: action.op,
        reason: action.reason,
        outcome: outcome.map(|outcome| outcome.status),
    }
}
