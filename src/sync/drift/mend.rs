//! Makes actions of drift, and carries them out.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountDrift, GroupDrift, PortalDrift, Repair};
use crate::directory::Value;
use crate::plan::guard::{Doubts, review};
use crate::plan::{
    Action, Asked, AttributeChange, Builder, Entry, Groups, Guard, Head, Link, LinkState, Mode, Op,
    Plan, Status, Subject, SubjectKind,
};
use crate::rules::{OnCreate, Portal};
use crate::store::Store;
use crate::sync::RunError;
use crate::sync::order::{Intent, Order};
use crate::sync::population::Populations;
use crate::sync::run::Sync;

/// Who has something to come anyway: (kind, source, id).
type Marked = BTreeSet<(u8, String, String)>;

/// Leaves out what a plan does something about already.
pub fn leave_out(
    store: &Store,
    portal: &str,
    drift: &mut PortalDrift,
    marked: &Marked,
) -> Result<(), RunError> {
    let is_marked = |kind: u8, source: &str, id: &str| {
        marked.contains(&(kind, source.to_owned(), id.to_owned()))
    };
    drift
        .accounts
        .retain(|account| !is_marked(b'u', &account.source, &account.source_id));
    drift
        .groups
        .retain(|group| !is_marked(b'g', &group.source, &group.source_id));
    if marked.is_empty() {
        return Ok(());
    }
    for group in &mut drift.groups {
        for members in [&mut group.members_missing, &mut group.members_too_many] {
            let mut kept = Vec::new();
            for key in std::mem::take(members) {
                let link = store.link(portal, &key)?;
                if link.is_some_and(|link| !is_marked(b'u', &link.source, &link.user)) {
                    kept.push(key);
                }
            }
            *members = kept;
        }
    }
    Ok(())
}

/// The actions that make a portal as it was applied. Who is to have no account any more is not
/// given one, and where nobody is given one, nobody is given one back.
pub fn actions(
    store: &Store,
    portal: &Portal,
    drift: &PortalDrift,
) -> Result<Vec<Action>, RunError> {
    let mut actions = Vec::new();
    let mut stays_missing: BTreeSet<&str> = BTreeSet::new();
    for account in &drift.accounts {
        let Some(link) = store.link(&portal.name, &account.key)? else {
            continue;
        };
        if !account.missing {
            actions.extend(changed(store, portal, account)?);
        } else if portal.on_create == OnCreate::Create && link.state == LinkState::Live {
            actions.push(made_again(store, portal, account, &link)?);
        } else {
            stays_missing.insert(&account.key);
        }
    }
    for group in &drift.groups {
        actions.extend(of_group(portal, group, &stays_missing));
    }
    Ok(actions)
}

pub fn deactivates(action: &Action) -> bool {
    action.op == Op::DisableAccount
}

fn action(portal: &Portal, op: Op, key: &str, subject: Subject, reason: &str) -> Action {
    Action {
        portal: portal.name.clone(),
        op,
        key: key.to_owned(),
        subject,
        changes: Vec::new(),
        reason: format!("drift: {reason}"),
        members: Vec::new(),
        device: None,
        joins: Groups::default(),
    }
}

fn user(store: &Store, account: &AccountDrift) -> Result<Subject, RunError> {
    let row = store.user(&account.source, &account.source_id)?;
    Ok(Subject {
        kind: SubjectKind::User,
        source: account.source.clone(),
        id: account.source_id.clone(),
        display: row
            .and_then(|row| row.user.shown_name())
            .unwrap_or_default(),
    })
}

fn made_again(
    store: &Store,
    portal: &Portal,
    account: &AccountDrift,
    link: &Link,
) -> Result<Action, RunError> {
    let subject = user(store, account)?;
    let reason = "missing in the target";
    Ok(Action {
        changes: link.account.changes_from_nothing(),
        joins: link.groups.clone(),
        ..action(portal, Op::CreateAccount, &account.key, subject, reason)
    })
}

/// The state and the role of an account have actions of their own.
fn changed(
    store: &Store,
    portal: &Portal,
    account: &AccountDrift,
) -> Result<Vec<Action>, RunError> {
    let mut by_op: BTreeMap<Op, Vec<AttributeChange>> = BTreeMap::new();
    for differs in &account.differs {
        let op = match (differs.attribute.as_str(), &differs.applied) {
            ("active", Some(Value::Bool(true))) => Op::EnableAccount,
            ("active", _) => Op::DisableAccount,
            ("role", _) => Op::SetRole,
            _ => Op::UpdateAccount,
        };
        by_op.entry(op).or_default().push(AttributeChange {
            attribute: differs.attribute.clone(),
            before: differs.held.clone(),
            after: differs.applied.clone(),
        });
    }
    let subject = user(store, account)?;
    let reason = "changed in the target";
    Ok(by_op
        .into_iter()
        .map(|(op, changes)| Action {
            changes,
            ..action(portal, op, &account.key, subject.clone(), reason)
        })
        .collect())
}

fn of_group(portal: &Portal, group: &GroupDrift, stays_missing: &BTreeSet<&str>) -> Vec<Action> {
    let subject = Subject {
        kind: SubjectKind::Group,
        source: group.source.clone(),
        id: group.source_id.clone(),
        display: group.display_name.clone(),
    };
    let name = &group.display_name;
    let about = |op: Op, reason: &str| action(portal, op, name, subject.clone(), reason);
    let text = |text: &str| Some(Value::from(text));
    let renamed_from = |before: Option<Value>| AttributeChange {
        attribute: "displayName".to_owned(),
        before,
        after: text(name),
    };
    let mut actions = Vec::new();
    if group.missing {
        let external_id = AttributeChange {
            attribute: "externalId".to_owned(),
            before: None,
            after: text(&group.external_id),
        };
        actions.push(Action {
            changes: vec![renamed_from(None), external_id],
            ..about(Op::CreateGroup, "missing in the target")
        });
    }
    if let Some(held) = &group.held_name {
        actions.push(Action {
            changes: vec![renamed_from(text(held))],
            ..about(Op::UpdateGroup, "renamed in the target")
        });
    }
    let missing = group.members_missing.iter();
    let missing: Vec<String> = missing
        .filter(|key| !stays_missing.contains(key.as_str()))
        .cloned()
        .collect();
    for (op, members, reason) in [
        (Op::AddMembers, missing, "missing in the target's group"),
        (
            Op::RemoveMembers,
            group.members_too_many.clone(),
            "not to be in the target's group",
        ),
    ] {
        if !members.is_empty() {
            actions.push(Action {
                members,
                ..about(op, reason)
            });
        }
    }
    actions
}

impl Sync {
    /// Carries out what mends the drift, as a run of its own: under the guard, in the history
    /// and in the audit log. What fails is found again by whoever looks next.
    pub(super) fn repair(
        &self,
        drift: &BTreeMap<String, PortalDrift>,
        now: jiff::Timestamp,
    ) -> Result<Repair, RunError> {
        let order = Order::new(Asked::default(), Intent::Apply, now);
        let mut builder = Builder::new();
        let mut deactivations: BTreeMap<String, u64> = BTreeMap::new();
        for portal in &self.portals {
            let Some(drift) = drift.get(&portal.name) else {
                continue;
            };
            for action in actions(&self.store, portal, drift)? {
                if deactivates(&action) {
                    *deactivations.entry(portal.name.clone()).or_default() += 1;
                }
                builder.push(Entry::Action(action))?;
            }
        }
        let mut plan = builder.finish(head(&order))?;
        let mut populations = Populations::read(&self.store, &self.portals)?;
        let doubts = Doubts::default();
        let counted = |portal: &str| populations.of(portal);
        plan.head.guard = review(&plan, &self.limits, &deactivations, &doubts, counted)?;
        if plan.head.guard.held {
            plan.head.status = Status::Held;
            return told(&plan);
        }
        if plan.action_count() == 0 {
            return told(&plan);
        }
        self.store.write(populations.forget())?;
        self.store.flush()?;
        let applied = self.tell(&plan, &order, &mut populations, &BTreeMap::new())?;
        if !applied.exceptions.is_empty() {
            plan.head.status = Status::PartlyApplied;
        }
        plan.set_outcomes(applied.exceptions);
        self.store.write(populations.keep())?;
        self.store.flush()?;
        self.keep(&plan, &order)?;
        told(&plan)
    }
}

fn head(order: &Order) -> Head {
    Head {
        run: order.run.clone(),
        mode: Mode::Drift,
        asked: order.asked.clone(),
        dry_run: false,
        created_at: order.now,
        status: Status::Applied,
        sources: BTreeMap::new(),
        summary: BTreeMap::new(),
        lists: BTreeMap::new(),
        warnings: Vec::new(),
        guard: Guard::default(),
        digest: String::new(),
    }
}

fn told(plan: &Plan) -> Result<Repair, RunError> {
    let mut failed = Vec::new();
    if plan.head.status == Status::PartlyApplied {
        for action in plan.actions_with_outcomes() {
            let (action, outcome) = action?;
            if let Some(error) = outcome.and_then(|outcome| outcome.error) {
                let (portal, op, key) = (&action.portal, action.op.as_str(), &action.key);
                failed.push(format!("{portal} {op} {key}: {error}"));
            }
        }
    }
    let limits = plan.head.guard.limits.iter();
    Ok(Repair {
        run: plan.head.run.clone(),
        status: plan.head.status.as_str().to_owned(),
        actions: plan.action_count(),
        failed,
        limits: limits.map(|limit| limit.text.clone()).collect(),
    })
}
