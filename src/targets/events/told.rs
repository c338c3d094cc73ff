//! What actions mean as events.
//!
//! An action holds what changes; an event tells how things are then, so what was last applied
//! is read beside it. What a subscriber calls a user or group is a name of our own, the same
//! for as long as the account or group is there.

use std::collections::HashMap;

use super::data;
use super::outbox::Draft;
use crate::plan::{Account, Action, GroupLink, Link, Op as Do, Subject};
use crate::store::events::{EventKind, Identity, put_event_identity};
use crate::store::{Op, Store};
use crate::targets::{Step, TargetError};

/// The events of one batch of actions, in their order.
pub struct Telling<'a> {
    store: &'a Store,
    target: &'a str,
    /// Accounts as the batch leaves them, by portal, source and user.
    accounts: HashMap<(String, String, String), Account>,
    /// What users are called from now on, by the same.
    identities: HashMap<(String, String, String), Identity>,
    drafts: Vec<Draft>,
}

impl<'a> Telling<'a> {
    pub fn new(store: &'a Store, target: &'a str) -> Telling<'a> {
        Telling {
            store,
            target,
            accounts: HashMap::new(),
            identities: HashMap::new(),
            drafts: Vec::new(),
        }
    }

    /// Events, and rows that go with them.
    pub fn into_parts(self) -> (Vec<Draft>, Vec<Op>) {
        let identities = self.identities.iter();
        let ops = identities.map(|((portal, source, user), identity)| {
            put_event_identity(self.target, portal, source, user, identity)
        });
        (self.drafts, ops.collect())
    }

    pub fn take(&mut self, step: &Step<'_>) -> Result<(), TargetError> {
        let action = step.action;
        match action.op {
            Do::CreateAccount => {
                let mut account = Account::default();
                account.apply(&action.changes);
                self.tell_user(EventKind::UserCreated, action, account)
            }
            Do::AdoptAccount => self.adopt(action),
            Do::EnableAccount | Do::UpdateAccount | Do::SetRole | Do::DisableAccount => {
                let key = step.old_key.unwrap_or(&action.key);
                let Some(mut account) = self.account(action, key)? else {
                    return Err(TargetError::Refused(format!(
                        "'{key}' has no account any more; a full run finds out what happened"
                    )));
                };
                account.apply(&action.changes);
                self.tell_user(EventKind::UserUpdated, action, account)
            }
            Do::RemoveAccount => match self.account(action, &action.key)? {
                Some(mut account) => {
                    account.active = false;
                    self.tell_user(EventKind::UserDeleted, action, account)
                }
                None => Ok(()),
            },
            Do::AddMembers => self.tell_members(EventKind::UserAdded, action),
            Do::RemoveMembers => self.tell_members(EventKind::UserRemoved, action),
            Do::CreateGroup => self.tell_group(EventKind::GroupCreated, action),
            Do::UpdateGroup => self.tell_group(EventKind::GroupUpdated, action),
            Do::DeleteGroup => self.tell_group(EventKind::GroupDeleted, action),
            Do::UnassignDevices | Do::ChangeDevicePolicy | Do::RemoveDevices => Err(
                TargetError::Refused("events tell nothing of devices".to_owned()),
            ),
        }
    }

    /// An account changes hands: it stays what it was to subscribers, and whoever had it before
    /// is somebody else should they come back.
    fn adopt(&mut self, action: &Action) -> Result<(), TargetError> {
        let Some(taken) = self.store.link(&action.portal, &action.key)? else {
            let mut account = Account::default();
            account.apply(&action.changes);
            return self.tell_user(EventKind::UserCreated, action, account);
        };
        let Link {
            source: from_source,
            user: from,
            account: mut changed,
            ..
        } = taken;
        let subject = &action.subject;
        if (&from_source, &from) != (&subject.source, &subject.id) {
            let place = |source: &str, user: &str| {
                let portal = action.portal.clone();
                (portal, source.to_owned(), user.to_owned())
            };
            let known = self.identity(&action.portal, &subject.source, &subject.id)?;
            let origin = (from_source.clone(), from.clone(), action.key.clone());
            // A run that was cut off may have done so already.
            if known.is_none_or(|known| known.from.as_ref() != Some(&origin)) {
                let id = self.user_id(&action.portal, &from_source, &from)?;
                let salt = format!("{id} {}", subject.id);
                let other = Identity {
                    id: name(&["user", &action.portal, &from_source, &from, &salt]),
                    from: None,
                };
                let taker = Identity {
                    id,
                    from: Some(origin),
                };
                self.identities.insert(place(&from_source, &from), other);
                self.identities
                    .insert(place(&subject.source, &subject.id), taker);
            }
        }
        changed.apply(&action.changes);
        self.tell_user(EventKind::UserUpdated, action, changed)
    }

    /// The subject's account as it is before an action.
    fn account(&self, action: &Action, key: &str) -> Result<Option<Account>, TargetError> {
        match self.accounts.get(&place(action)) {
            Some(account) => Ok(Some(account.clone())),
            None => {
                let link = self.store.link(&action.portal, key)?;
                Ok(link.map(|link| link.account))
            }
        }
    }

    fn tell_user(
        &mut self,
        kind: EventKind,
        action: &Action,
        account: Account,
    ) -> Result<(), TargetError> {
        let Subject { source, id, .. } = &action.subject;
        let subject = self.user_id(&action.portal, source, id)?;
        let external_id = self.external_id(source, id)?;
        self.drafts.push(Draft {
            kind,
            portal: action.portal.clone(),
            data: data::user(&subject, &external_id, &account, None),
            subject,
            group: None,
            previous: (kind == EventKind::UserUpdated).then(|| data::previous(&action.changes)),
        });
        self.accounts.insert(place(action), account);
        Ok(())
    }

    fn tell_members(&mut self, kind: EventKind, action: &Action) -> Result<(), TargetError> {
        let group = self.group_link(action)?;
        let group_id = group_id(action);
        let mut missing = Vec::new();
        for key in &action.members {
            let Some(link) = self.store.link(&action.portal, key)? else {
                missing.push(key);
                continue;
            };
            let subject = self.user_id(&action.portal, &link.source, &link.user)?;
            let external_id = self.external_id(&link.source, &link.user)?;
            let shown = data::group(&group_id, &group.external_id, &group.display_name);
            self.drafts.push(Draft {
                kind,
                portal: action.portal.clone(),
                data: data::user(&subject, &external_id, &link.account, Some(shown)),
                subject,
                group: Some(group_id.clone()),
                previous: None,
            });
        }
        match &missing[..] {
            // Who has no account is a member no more.
            [first, ..] if kind == EventKind::UserAdded => Err(TargetError::Refused(format!(
                "{} of {} members have no account, '{first}' among them",
                missing.len(),
                action.members.len()
            ))),
            _ => Ok(()),
        }
    }

    fn tell_group(&mut self, kind: EventKind, action: &Action) -> Result<(), TargetError> {
        let mut group = self.group_link(action)?;
        group.apply(&action.changes);
        let subject = group_id(action);
        self.drafts.push(Draft {
            kind,
            portal: action.portal.clone(),
            data: data::group(&subject, &group.external_id, &group.display_name),
            subject,
            group: None,
            previous: (kind == EventKind::GroupUpdated).then(|| data::previous(&action.changes)),
        });
        Ok(())
    }

    /// The group of an action, as last applied.
    fn group_link(&self, action: &Action) -> Result<GroupLink, TargetError> {
        let Subject { source, id, .. } = &action.subject;
        let number = self.store.group_number(source, id)?;
        let link = match number {
            Some(number) => self.store.group_link(&action.portal, source, number)?,
            None => None,
        };
        Ok(link.unwrap_or_else(|| GroupLink {
            display_name: action.key.clone(),
            external_id: id.clone(),
            ..GroupLink::of(action, number.unwrap_or_default())
        }))
    }

    fn identity(
        &self,
        portal: &str,
        source: &str,
        user: &str,
    ) -> Result<Option<Identity>, TargetError> {
        let place = (portal.to_owned(), source.to_owned(), user.to_owned());
        match self.identities.get(&place) {
            Some(identity) => Ok(Some(identity.clone())),
            None => {
                let store = self.store;
                Ok(store.event_identity(self.target, portal, source, user)?)
            }
        }
    }

    fn user_id(&self, portal: &str, source: &str, user: &str) -> Result<String, TargetError> {
        let identity = self.identity(portal, source, user)?;
        Ok(identity.map_or_else(
            || name(&["user", portal, source, user]),
            |identity| identity.id,
        ))
    }

    fn external_id(&self, source: &str, user: &str) -> Result<String, TargetError> {
        let row = self.store.user(source, user)?;
        Ok(row.map_or_else(|| user.to_owned(), |row| row.user.external_id().to_owned()))
    }
}

fn place(action: &Action) -> (String, String, String) {
    let Subject { source, id, .. } = &action.subject;
    (action.portal.clone(), source.clone(), id.clone())
}

fn group_id(action: &Action) -> String {
    let Subject { source, id, .. } = &action.subject;
    name(&["group", &action.portal, source, id])
}

/// A name in the form of a UUID (version 8, RFC 9562) that follows from what it stands for, so
/// that nothing has to be remembered of most.
fn name(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests;
