//! What to do about one user in one portal, given who is present, who owns the key, and what
//! stands already.

use std::sync::Arc;

use jiff::Timestamp;

use super::attributes;
use super::matching::Ruling;
use super::person::Person;
use super::portal::{OnCreate, OnDeactivate, Portal, PortalKind, RoleUpdates};
use super::scope::{Cause, Presence};
use crate::directory::Value;
use crate::plan::{
    Account, Action, AttributeChange, Entry, Groups, Link, LinkState, Op, Role, Subject,
    SubjectKind,
};

/// Everything a decision looks at.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    pub portal: &'a Portal,
    pub person: &'a Person<'a>,
    pub presence: &'a Presence,
    /// The user's key in this portal, folded; None when it has none.
    pub key: Option<&'a str>,
    pub ruling: Ruling,
    /// Who stands in the way of a blocked user.
    pub kept: Option<Subject>,
    /// The user's own link.
    pub link: Option<&'a Link>,
    /// The link that is taken over, under [`Ruling::TakesOver`].
    pub taken: Option<&'a Link>,
    /// An account that the target has under the key and nobody is linked to.
    pub found: Option<&'a Account>,
    /// The account's devices, where the portal has any.
    pub devices: &'a [Device],
    /// The pushed groups that hold this person.
    pub groups: &'a [Arc<PushedGroup>],
    /// Of the groups that the link is in and should not be: those still pushed. The others go
    /// with their group and need no action of their own.
    pub leaving_groups: &'a [Arc<PushedGroup>],
    pub now: Timestamp,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PushedGroup {
    pub source: String,
    pub number: u32,
    pub id: String,
    pub display_name: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    pub id: String,
    pub policy: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    pub entries: Vec<Entry>,
    /// Joined and left by the account under the decided key: an action a group in the plan.
    pub memberships: Vec<GroupChange>,
    /// What changes in rosterd's own records without any target being asked.
    pub link: LinkChange,
    /// The account is removed or disabled, or its devices change: what the guard counts.
    pub deactivates: bool,
    /// Ends the account of a user with this key who is an admin; the last one is spared.
    pub ends_admin: bool,
    /// Gives somebody the admin role.
    pub makes_admin: bool,
    /// Look again in every run: a grace period runs, or something was spared.
    pub watch: bool,
}

/// One account's part in a membership action. There are ten of these to an account, so that
/// they share what they say of the group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupChange {
    pub op: Op,
    pub group: Arc<PushedGroup>,
    pub key: Arc<str>,
}

impl GroupChange {
    /// The action it is part of, without its members.
    pub fn action(&self, portal: &str) -> Action {
        let GroupChange { op, group, key: _ } = self;
        let reason = match op {
            Op::AddMembers => "in the group at the source",
            // One action a group: what ended one membership may not be what ended the next.
            _ => "no longer in the group, or departed",
        };
        Action {
            portal: portal.to_owned(),
            op: *op,
            key: group.display_name.clone(),
            subject: Subject {
                kind: SubjectKind::Group,
                source: group.source.clone(),
                id: group.id.clone(),
                display: group.display_name.clone(),
            },
            changes: Vec::new(),
            reason: reason.to_owned(),
            members: Vec::new(),
            device: None,
            joins: Groups::default(),
        }
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub enum LinkChange {
    #[default]
    None,
    Put(Box<Link>),
}

/// Decides for one user in one portal.
pub fn decide(situation: &Situation<'_>) -> Decision {
    match situation.presence {
        Presence::Present(reason) => present(situation, reason),
        Presence::Absent(cause) => match (situation.link, situation.ruling) {
            (Some(_), Ruling::HandedOver { .. }) | (None, _) => Decision::default(),
            (Some(link), _) => absent(situation, link, *cause),
        },
    }
}

fn present(situation: &Situation<'_>, reason: &str) -> Decision {
    let Situation { portal, person, .. } = situation;
    let Some(key) = situation.key else {
        return Decision {
            entries: vec![Entry::Skipped {
                portal: portal.name.clone(),
                subject: subject_of(person),
                reason: format!("no {}", portal.match_on.as_str()),
            }],
            ..Decision::default()
        };
    };
    if let Ruling::Blocked { .. } | Ruling::HandedOver { .. } = situation.ruling {
        return conflict(situation, key);
    }
    let mut desired = match attributes::account_of(person.user, &portal.mapping) {
        Ok(account) => account,
        // One bad record is left as it is; the rest go on.
        Err(reason) => {
            return Decision {
                entries: vec![Entry::Skipped {
                    portal: portal.name.clone(),
                    subject: subject_of(person),
                    reason,
                }],
                ..Decision::default()
            };
        }
    };
    let standing = situation
        .link
        .or(situation.taken)
        .map(|link| &link.account)
        .or(situation.found);
    let role = role(portal, person, standing.map(|account| account.role));
    desired.role = role.as_ref().and_then(|(role, _)| *role);
    let mut decision = Decision::default();
    match (situation.link, situation.taken, situation.found) {
        (Some(link), _, _) => update(situation, key, link, &desired, reason, &mut decision),
        (None, Some(taken), _) => {
            let cause = format!("{reason}; takes over from {}", taken.source);
            let changes = taken.account.changes_to(&desired);
            adopt(situation, key, changes, cause, &mut decision);
        }
        (None, None, Some(found)) => {
            let changes = found.changes_to(&desired);
            adopt(situation, key, changes, reason.to_owned(), &mut decision);
        }
        (None, None, None) if portal.on_create == OnCreate::Nothing => return decision,
        (None, None, None) => {
            let changes = desired.changes_from_nothing();
            let why = match role {
                Some((_, Some(why))) => format!("{reason}; {why}"),
                _ => reason.to_owned(),
            };
            decision.makes_admin = desired.role == Some(Role::Admin);
            let mut entry = action(situation, Op::CreateAccount, key, changes, why);
            if let Entry::Action(action) = &mut entry {
                for group in situation.groups {
                    action.joins.insert(&group.source, group.number);
                }
            }
            decision.entries.push(entry);
            needs_role(portal, key, &desired, &mut decision);
        }
    }
    memberships(situation, key, &mut decision);
    decision
}

fn conflict(situation: &Situation<'_>, key: &str) -> Decision {
    let mut decision = Decision::default();
    if let Some(kept) = &situation.kept {
        decision.entries.push(Entry::Conflict {
            portal: situation.portal.name.clone(),
            key: key.to_owned(),
            kept: kept.clone(),
            dropped: subject_of(situation.person),
        });
    }
    // The account itself stays untouched; rosterd's own record is kept true.
    if let (Some(link), Ruling::Blocked { .. }) = (situation.link, situation.ruling) {
        decision.watch = true;
        let mut kept = link.clone();
        kept.groups = kept_groups(link, situation.groups, situation.leaving_groups);
        if matches!(kept.state, LinkState::Leaving { .. }) {
            kept.state = LinkState::Live;
        }
        if kept != *link {
            decision.link = LinkChange::Put(Box::new(kept));
        }
    }
    decision
}

/// The role an account should have, with the reason; None where the portal has no roles.
/// `standing` is the role of an account that exists.
fn role(
    portal: &Portal,
    person: &Person<'_>,
    standing: Option<Option<Role>>,
) -> Option<(Option<Role>, Option<String>)> {
    if portal.kind != PortalKind::Dashboard {
        return None;
    }
    if let (RoleUpdates::Initial, Some(standing)) = (portal.role_updates, standing) {
        return Some((standing, None));
    }
    let best = person
        .counted_groups()
        .filter_map(|membership| {
            let role = portal.roles.get(&*membership.folded_name)?;
            Some((*role, &membership.group.display_name))
        })
        // The highest role, and of the groups that give it the first by name.
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    Some(match (best, portal.default_role) {
        (Some((role, group)), _) => (Some(role), Some(format!("member of {group}"))),
        (None, Some(default)) => (Some(default), Some("default role".to_owned())),
        (None, None) => (None, None),
    })
}

fn needs_role(portal: &Portal, key: &str, account: &Account, decision: &mut Decision) {
    if portal.kind == PortalKind::Dashboard && account.role.is_none() {
        decision.entries.push(Entry::NeedsRole {
            portal: portal.name.clone(),
            key: key.to_owned(),
        });
    }
}

fn adopt(
    situation: &Situation<'_>,
    key: &str,
    changes: Vec<AttributeChange>,
    reason: String,
    decision: &mut Decision,
) {
    let mut account = situation
        .taken
        .map(|link| link.account.clone())
        .or_else(|| situation.found.cloned())
        .unwrap_or_default();
    account.apply(&changes);
    decision.makes_admin = account.role == Some(Role::Admin);
    decision
        .entries
        .push(action(situation, Op::AdoptAccount, key, changes, reason));
    if let Some(taken) = situation.taken
        && taken.is_departed()
    {
        decision.entries.push(returned(situation, key));
    }
    needs_role(situation.portal, key, &account, decision);
}

fn update(
    situation: &Situation<'_>,
    key: &str,
    link: &Link,
    desired: &Account,
    reason: &str,
    decision: &mut Decision,
) {
    let mut changes = link.account.changes_to(desired);
    let take = |changes: &mut Vec<AttributeChange>, name: &str| {
        let place = changes.iter().position(|change| change.attribute == name)?;
        Some(changes.remove(place))
    };
    if link.state != LinkState::Live {
        let live = Link {
            state: LinkState::Live,
            ..link.clone()
        };
        decision.link = LinkChange::Put(Box::new(live));
    }
    if link.is_departed() {
        decision.entries.push(returned(situation, key));
    }
    if let Some(active) = take(&mut changes, "active") {
        let why = format!("{reason} again");
        decision
            .entries
            .push(action(situation, Op::EnableAccount, key, vec![active], why));
    }
    let role = take(&mut changes, "role");
    // A key that moved without an attribute of the account moving with it still moves.
    if !changes.is_empty() || link.key != key {
        decision.entries.push(action(
            situation,
            Op::UpdateAccount,
            key,
            changes,
            "attributes changed".to_owned(),
        ));
    }
    if let Some(role) = role {
        let why = match self::role(situation.portal, situation.person, None) {
            Some((_, Some(why))) => why,
            _ => "in no mapped group".to_owned(),
        };
        decision.makes_admin = desired.role == Some(Role::Admin);
        decision
            .entries
            .push(action(situation, Op::SetRole, key, vec![role], why));
        needs_role(situation.portal, key, desired, decision);
    }
}

fn returned(situation: &Situation<'_>, key: &str) -> Entry {
    let note = match situation.portal.on_deactivate {
        OnDeactivate::UnassignDevices => Some("devices stay unassigned"),
        OnDeactivate::ChangePolicy(_) => Some("devices stay under the policy they were moved to"),
        _ => None,
    };
    Entry::Returned {
        portal: situation.portal.name.clone(),
        key: key.to_owned(),
        note: note.map(str::to_owned),
    }
}

fn absent(situation: &Situation<'_>, link: &Link, cause: Cause) -> Decision {
    let Situation { portal, now, .. } = situation;
    let mut decision = Decision::default();
    let key = &link.key;
    let cause = match &link.state {
        LinkState::Departed { settled: true, .. } => return decision,
        LinkState::Departed {
            settled: false,
            cause,
        } => {
            depart(situation, link, cause, &mut decision);
            return decision;
        }
        // The cause that the run which noticed found stays the one that is named.
        LinkState::Leaving { cause, .. } => cause.clone(),
        LinkState::Live => cause.to_string(),
    };
    if portal.protect.contains(key) {
        decision.watch = true;
        decision.entries.push(Entry::Spared {
            portal: portal.name.clone(),
            key: key.clone(),
            reason: "protected".to_owned(),
        });
        return decision;
    }
    if portal.grace > jiff::SignedDuration::ZERO {
        let since = match &link.state {
            LinkState::Leaving { since, .. } => *since,
            _ => *now,
        };
        let due_at = since.saturating_add(portal.grace).unwrap_or(Timestamp::MAX);
        if *now < due_at {
            decision.watch = true;
            if link.state == LinkState::Live {
                let state = LinkState::Leaving {
                    since,
                    cause: cause.clone(),
                };
                decision.link = LinkChange::Put(Box::new(Link {
                    state,
                    ..link.clone()
                }));
            }
            decision.entries.push(Entry::Pending {
                portal: portal.name.clone(),
                key: key.clone(),
                cause,
                due_at,
            });
            memberships(situation, key, &mut decision);
            return decision;
        }
    }
    depart(situation, link, &cause, &mut decision);
    decision
}

/// Whether an absent user's account goes in this run, so that its key is free.
pub fn frees_key(portal: &Portal, link: &Link, now: Timestamp) -> bool {
    let removes = matches!(
        portal.on_deactivate,
        OnDeactivate::Remove | OnDeactivate::RemoveUser | OnDeactivate::RemoveUserAndDevices
    );
    let over = portal.grace <= jiff::SignedDuration::ZERO
        || matches!(&link.state, LinkState::Leaving { since, .. }
            if since.saturating_add(portal.grace).unwrap_or(Timestamp::MAX) <= now);
    removes && over && !link.is_departed() && !portal.protect.contains(&link.key)
}

/// Carries out `on_deactivate`, or what is left of it.
fn depart(situation: &Situation<'_>, link: &Link, cause: &str, decision: &mut Decision) {
    let Situation { portal, .. } = situation;
    let key = &link.key;
    let outlives = match &portal.on_deactivate {
        OnDeactivate::Nothing => true,
        OnDeactivate::Disable => {
            if link.account.active {
                let change = AttributeChange {
                    attribute: "active".to_owned(),
                    before: Some(Value::Bool(true)),
                    after: Some(Value::Bool(false)),
                };
                decision.deactivates = true;
                decision.entries.push(action(
                    situation,
                    Op::DisableAccount,
                    key,
                    vec![change],
                    cause.to_owned(),
                ));
            }
            true
        }
        OnDeactivate::UnassignDevices => {
            devices(situation, key, Op::UnassignDevices, cause, decision);
            true
        }
        OnDeactivate::ChangePolicy(_) => {
            devices(situation, key, Op::ChangeDevicePolicy, cause, decision);
            true
        }
        OnDeactivate::Remove | OnDeactivate::RemoveUser | OnDeactivate::RemoveUserAndDevices => {
            match portal.on_deactivate {
                OnDeactivate::RemoveUser => {
                    devices(situation, key, Op::UnassignDevices, cause, decision);
                }
                OnDeactivate::RemoveUserAndDevices => {
                    devices(situation, key, Op::RemoveDevices, cause, decision);
                }
                _ => {}
            }
            decision.deactivates = true;
            decision.ends_admin = link.account.role == Some(Role::Admin);
            let changes = Vec::new();
            decision.entries.push(action(
                situation,
                Op::RemoveAccount,
                key,
                changes,
                cause.to_owned(),
            ));
            false
        }
    };
    if !outlives {
        return;
    }
    let held = situation.groups.iter().chain(situation.leaving_groups);
    let held = held.filter(|group| link.groups.contains(&group.source, group.number));
    change_groups(Op::RemoveMembers, held, key, decision);
    let newly = !link.is_departed();
    let settled = decision.entries.is_empty() && decision.memberships.is_empty();
    if newly {
        decision.entries.push(Entry::Departed {
            portal: portal.name.clone(),
            key: key.clone(),
            cause: cause.to_owned(),
        });
    }
    // Until it is settled the link is noted again, so that a departure that was cut off ends.
    let mut departed = link.clone();
    departed.groups = kept_groups(link, situation.groups, situation.leaving_groups);
    departed.state = LinkState::Departed {
        cause: cause.to_owned(),
        settled,
    };
    decision.link = LinkChange::Put(Box::new(departed));
}

fn devices(situation: &Situation<'_>, key: &str, op: Op, cause: &str, decision: &mut Decision) {
    for device in situation.devices {
        let change = match (op, &situation.portal.on_deactivate) {
            (Op::ChangeDevicePolicy, OnDeactivate::ChangePolicy(policy)) => {
                if device.policy.as_ref() == Some(policy) {
                    continue;
                }
                Some(AttributeChange {
                    attribute: "policy".to_owned(),
                    before: device.policy.clone().map(Value::Text),
                    after: Some(Value::Text(policy.clone())),
                })
            }
            (Op::UnassignDevices, _) => Some(AttributeChange {
                attribute: "assigned_to".to_owned(),
                before: Some(Value::from(key)),
                after: None,
            }),
            _ => None,
        };
        decision.deactivates = true;
        let mut entry = action(
            situation,
            op,
            key,
            change.into_iter().collect(),
            cause.to_owned(),
        );
        if let Entry::Action(action) = &mut entry {
            action.device = Some(device.id.clone());
        }
        decision.entries.push(entry);
    }
}

/// Brings the account's memberships into step.
fn memberships(situation: &Situation<'_>, key: &str, decision: &mut Decision) {
    let none = Groups::default();
    let link = situation.link.or(situation.taken);
    let member_of = link.map_or(&none, |link| &link.groups);
    let joined = situation.groups.iter();
    let joined = joined.filter(|group| !member_of.contains(&group.source, group.number));
    change_groups(Op::AddMembers, joined, key, decision);
    let left = situation.leaving_groups.iter();
    change_groups(Op::RemoveMembers, left, key, decision);
    // Groups that are no longer pushed take their memberships with them.
    if let Some(link) = link {
        let kept = kept_groups(link, situation.groups, situation.leaving_groups);
        if kept != link.groups {
            let base = match &decision.link {
                LinkChange::Put(link) => (**link).clone(),
                LinkChange::None => link.clone(),
            };
            decision.link = LinkChange::Put(Box::new(Link {
                groups: kept,
                ..base
            }));
        }
    }
}

/// The link's groups without those that are no longer pushed.
fn kept_groups(link: &Link, groups: &[Arc<PushedGroup>], leaving: &[Arc<PushedGroup>]) -> Groups {
    let mut kept = Groups::default();
    for group in groups.iter().chain(leaving) {
        if link.groups.contains(&group.source, group.number) {
            kept.insert(&group.source, group.number);
        }
    }
    kept
}

fn change_groups<'g>(
    op: Op,
    groups: impl Iterator<Item = &'g Arc<PushedGroup>>,
    key: &str,
    decision: &mut Decision,
) {
    let mut groups = groups.peekable();
    if groups.peek().is_none() {
        return;
    }
    let key: Arc<str> = key.into();
    decision.memberships.extend(groups.map(|group| GroupChange {
        op,
        group: group.clone(),
        key: key.clone(),
    }));
}

fn action(
    situation: &Situation<'_>,
    op: Op,
    key: &str,
    changes: Vec<AttributeChange>,
    reason: String,
) -> Entry {
    Entry::Action(Action {
        portal: situation.portal.name.clone(),
        op,
        key: key.to_owned(),
        subject: subject_of(situation.person),
        changes,
        reason,
        members: Vec::new(),
        device: None,
        joins: Groups::default(),
    })
}

pub fn subject_of(person: &Person<'_>) -> Subject {
    Subject {
        kind: SubjectKind::User,
        source: person.source.name.clone(),
        id: person.user.id.as_str().to_owned(),
        display: person.user.shown_name().unwrap_or_default(),
    }
}
