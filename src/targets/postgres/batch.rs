//! Steps on rows: what should stand in the tables once they are carried out. Reads no table and
//! writes none; the rows that the steps touch were read before (`read.rs`), and what differs in
//! the end is written (`write.rs`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ids::RowId;
use super::rows::{AccountRow, Change, GroupRow, MembershipRow, State, UserRow};
use super::table::Table;
use crate::plan::{Account, Action, Op};
use crate::store::{Store, StoreError};
use crate::targets::{Step, TargetError};

pub struct Batch<'a> {
    store: &'a Store,
    pub users: Table<RowId, UserRow>,
    pub groups: Table<RowId, GroupRow>,
    /// By portal and user.
    pub accounts: Table<(String, RowId), AccountRow>,
    /// By group and user.
    pub memberships: Table<(RowId, RowId), MembershipRow>,
    /// Whose live account stands under a key, by portal and key.
    pub holders: HashMap<(String, String), Holder>,
    /// Groups that no portal is left of: their memberships go without an event each.
    pub emptied: Vec<RowId>,
    /// The groups of each user whose memberships were read.
    of_user: HashMap<RowId, BTreeSet<RowId>>,
    /// The members of each group whose memberships were read.
    of_group: HashMap<RowId, BTreeSet<RowId>>,
    /// The sources' ids of groups, by source and number.
    group_ids: HashMap<(String, u32), Option<String>>,
}

/// The user who has an account.
#[derive(Clone)]
pub struct Holder {
    pub user: RowId,
    pub directory: String,
    pub idp_id: String,
}

impl<'a> Batch<'a> {
    pub fn new(store: &'a Store) -> Batch<'a> {
        Batch {
            store,
            users: Table::new(),
            groups: Table::new(),
            accounts: Table::new(),
            memberships: Table::new(),
            holders: HashMap::new(),
            emptied: Vec::new(),
            of_user: HashMap::new(),
            of_group: HashMap::new(),
            group_ids: HashMap::new(),
        }
    }

    /// A membership that stands in the database.
    pub fn membership_stands(&mut self, group: RowId, user: RowId, row: MembershipRow) {
        self.of_user.entry(user).or_default().insert(group);
        self.of_group.entry(group).or_default().insert(user);
        self.memberships.stands((group, user), row);
    }

    /// The row of a group of the directory, by its number.
    pub fn group_row(&mut self, source: &str, number: u32) -> Result<Option<RowId>, StoreError> {
        let place = (source.to_owned(), number);
        if !self.group_ids.contains_key(&place) {
            let row = self.store.group(source, number)?;
            let id = row.map(|row| row.group.id.as_str().to_owned());
            self.group_ids.insert(place.clone(), id);
        }
        let id = self.group_ids[&place].as_ref();
        Ok(id.map(|id| RowId::group(source, id)))
    }

    /// Carries the steps out in thought; what cannot be done is refused, and changes nothing
    /// but what it says.
    pub fn take_all(&mut self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        // Accounts on their way to another key give up the old one first, so that two may swap.
        for step in steps {
            if let Some(old) = step.old_key {
                let place = (step.action.portal.clone(), old.to_owned());
                let own = subject_of(step.action);
                if self.holders.get(&place).is_some_and(|h| h.user == own) {
                    self.holders.remove(&place);
                }
            }
        }
        steps.iter().map(|step| self.take(step.action)).collect()
    }

    fn take(&mut self, action: &Action) -> Result<(), TargetError> {
        match action.op {
            Op::CreateGroup | Op::UpdateGroup => {
                self.group(action);
                Ok(())
            }
            Op::DeleteGroup => {
                self.delete_group(action);
                Ok(())
            }
            Op::CreateAccount => self.create(action),
            Op::AdoptAccount => self.adopt(action),
            Op::EnableAccount | Op::UpdateAccount | Op::SetRole | Op::DisableAccount => {
                self.update(action)
            }
            Op::RemoveAccount => self.remove(action),
            Op::AddMembers => self.add_members(action),
            Op::RemoveMembers => {
                self.remove_members(action);
                Ok(())
            }
            Op::UnassignDevices | Op::ChangeDevicePolicy | Op::RemoveDevices => Err(
                TargetError::Refused("a postgres target keeps no devices".to_owned()),
            ),
        }
    }

    fn group(&mut self, action: &Action) {
        let id = group_of(action);
        let subject = &action.subject;
        let mut row = self.groups.get(&id).cloned().unwrap_or_else(|| GroupRow {
            directory: subject.source.clone(),
            idp_id: subject.id.clone(),
            external_id: subject.id.clone(),
            name: action.key.clone(),
            portals: BTreeSet::new(),
        });
        row.apply(&action.changes);
        row.portals.insert(action.portal.clone());
        self.groups.put(id, row);
    }

    fn delete_group(&mut self, action: &Action) {
        let id = group_of(action);
        let Some(mut row) = self.groups.get(&id).cloned() else {
            return;
        };
        if !row.portals.remove(&action.portal) {
            return;
        }
        if row.portals.is_empty() {
            self.emptied.push(id);
        } else {
            for user in self.of_group.get(&id).cloned().unwrap_or_default() {
                self.leave(id, user, &action.portal);
            }
        }
        self.groups.put(id, row);
    }

    /// What stands under a key and is somebody else's.
    fn in_the_way(&self, action: &Action) -> Option<&Holder> {
        let place = (action.portal.clone(), action.key.clone());
        let holder = self.holders.get(&place)?;
        (holder.user != subject_of(action)).then_some(holder)
    }

    fn live(&self, portal: &str, user: RowId) -> Option<&AccountRow> {
        let row = self.accounts.get(&(portal.to_owned(), user))?;
        row.is_live().then_some(row)
    }

    fn create(&mut self, action: &Action) -> Result<(), TargetError> {
        if self.in_the_way(action).is_some() {
            return Err(TargetError::Refused(format!(
                "an account '{}' stands there already; the next run adopts it",
                action.key
            )));
        }
        let user = subject_of(action);
        let mut joined = Vec::new();
        for (source, number) in action.joins.iter() {
            let group = self.group_row(source, number)?;
            let there = group.filter(|group| {
                let row = self.groups.get(group);
                row.is_some_and(|row| row.portals.contains(&action.portal))
            });
            let Some(group) = there else {
                return Err(TargetError::Refused(
                    "a group that the account belongs in is not there yet".to_owned(),
                ));
            };
            joined.push((group, number));
        }
        // Made by a run that was cut off before it could note so.
        let own = self.live(&action.portal, user);
        let account = own.map(|row| row.account.clone()).unwrap_or_default();
        self.put_account(action, user, account)?;
        if joined.is_empty() {
            return Ok(());
        }
        let known = self
            .store
            .user(&action.subject.source, &action.subject.id)?;
        let parents = known.map(|known| known.parents).unwrap_or_default();
        for (group, number) in joined {
            let direct = parents.binary_search(&number).is_ok();
            self.join(group, user, &action.portal, direct);
        }
        Ok(())
    }

    /// Makes an account the subject's that stands under its key, or makes it.
    fn adopt(&mut self, action: &Action) -> Result<(), TargetError> {
        let user = subject_of(action);
        let portal = &action.portal;
        let Some(other) = self.in_the_way(action).map(|holder| holder.user) else {
            let own = self.live(portal, user);
            let account = own.map(|row| row.account.clone()).unwrap_or_default();
            return self.put_account(action, user, account);
        };
        let Some(taken) = self.live(portal, other).cloned() else {
            return Err(TargetError::Refused(format!(
                "the account '{}' has just been changed by somebody else",
                action.key
            )));
        };
        let mut left = taken.clone();
        left.state = State::Removed;
        left.account.active = false;
        left.reason = action.reason.clone();
        self.accounts.put((portal.clone(), other), left);
        self.put_account(action, user, taken.account)?;
        // Memberships are the account's: they go where it goes.
        for group in self.of_user.get(&other).cloned().unwrap_or_default() {
            let membership = self.memberships.get(&(group, other));
            let Some(direct) = membership
                .filter(|row| row.portals.contains(portal))
                .map(|row| row.direct)
            else {
                continue;
            };
            self.leave(group, other, portal);
            self.join(group, user, portal, direct);
        }
        Ok(())
    }

    fn update(&mut self, action: &Action) -> Result<(), TargetError> {
        let user = subject_of(action);
        let Some(own) = self.live(&action.portal, user) else {
            return Err(TargetError::Refused(format!(
                "the target has no account '{}' any more; a full run finds out what happened",
                action.key
            )));
        };
        if self.in_the_way(action).is_some() {
            return Err(TargetError::Refused(format!(
                "another account has the key '{}'",
                action.key
            )));
        }
        let account = own.account.clone();
        self.put_account(action, user, account)
    }

    fn remove(&mut self, action: &Action) -> Result<(), TargetError> {
        let user = subject_of(action);
        let Some(mut row) = self.live(&action.portal, user).cloned() else {
            return Ok(());
        };
        for group in self.of_user.get(&user).cloned().unwrap_or_default() {
            self.leave(group, user, &action.portal);
        }
        let place = (action.portal.clone(), row.key.clone());
        self.holders.remove(&place);
        row.state = State::Removed;
        row.account.active = false;
        row.reason = action.reason.clone();
        self.accounts.put((action.portal.clone(), user), row);
        self.put_user(action, user)
    }

    /// The subject's account, after the action's changes.
    fn put_account(
        &mut self,
        action: &Action,
        user: RowId,
        mut account: Account,
    ) -> Result<(), TargetError> {
        account.apply(&action.changes);
        let subject = &action.subject;
        let row = AccountRow {
            key: action.key.clone(),
            state: match account.active {
                true => State::Active,
                false => State::Disabled,
            },
            account,
            reason: action.reason.clone(),
            directory: subject.source.clone(),
        };
        let holder = Holder {
            user,
            directory: subject.source.clone(),
            idp_id: subject.id.clone(),
        };
        let place = (action.portal.clone(), action.key.clone());
        self.holders.insert(place, holder);
        self.accounts.put((action.portal.clone(), user), row);
        self.put_user(action, user)
    }

    /// The subject as the directory has it now.
    fn put_user(&mut self, action: &Action, user: RowId) -> Result<(), TargetError> {
        let subject = &action.subject;
        match self.store.user(&subject.source, &subject.id)? {
            Some(known) => self.users.put(user, UserRow::of(&subject.source, &known)),
            // The directory forgot the user: what is known stays, and that it is gone.
            None => {
                if let Some(mut row) = self.users.get(&user).cloned() {
                    row.deleted = true;
                    self.users.put(user, row);
                }
            }
        }
        Ok(())
    }

    fn add_members(&mut self, action: &Action) -> Result<(), TargetError> {
        let group = group_of(action);
        let there = self.groups.get(&group);
        if !there.is_some_and(|row| row.portals.contains(&action.portal)) {
            return Err(TargetError::Refused(format!(
                "the target has no group '{}' any more; a full run finds out what happened",
                action.key
            )));
        }
        let subject = &action.subject;
        let number = self.store.group_number(&subject.source, &subject.id)?;
        let mut missing = Vec::new();
        for key in &action.members {
            let place = (action.portal.clone(), key.clone());
            let Some(holder) = self.holders.get(&place).cloned() else {
                missing.push(key.as_str());
                continue;
            };
            let known = self.store.user(&holder.directory, &holder.idp_id)?;
            let direct = known.is_some_and(|known| {
                number.is_some_and(|number| known.parents.binary_search(&number).is_ok())
            });
            self.join(group, holder.user, &action.portal, direct);
        }
        match missing.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(TargetError::Refused(format!(
                "{} of {} members have no account in the target, '{first}' among them",
                missing.len(),
                action.members.len()
            ))),
        }
    }

    fn remove_members(&mut self, action: &Action) {
        let group = group_of(action);
        for key in &action.members {
            let place = (action.portal.clone(), key.clone());
            if let Some(user) = self.holders.get(&place).map(|holder| holder.user) {
                self.leave(group, user, &action.portal);
            }
        }
    }

    fn join(&mut self, group: RowId, user: RowId, portal: &str, direct: bool) {
        let stands = self.memberships.get(&(group, user)).cloned();
        let mut row = stands.unwrap_or_else(|| MembershipRow {
            direct,
            portals: BTreeSet::new(),
        });
        row.direct = direct;
        row.portals.insert(portal.to_owned());
        self.of_user.entry(user).or_default().insert(group);
        self.of_group.entry(group).or_default().insert(user);
        self.memberships.put((group, user), row);
    }

    fn leave(&mut self, group: RowId, user: RowId, portal: &str) {
        if let Some(mut row) = self.memberships.get(&(group, user)).cloned()
            && row.portals.remove(portal)
        {
            self.memberships.put((group, user), row);
        }
    }

    /// Everything that is to be written, in the order its events are told: who comes before
    /// what they come into, and who goes after what they go out of.
    pub fn changes(&self) -> Vec<Change<'_>> {
        let mut changes = Vec::new();
        let mut last = Vec::new();
        for (id, before, after) in self.users.put_rows() {
            match after.deleted {
                true => last.push(Change::User(*id, before, after)),
                false => changes.push(Change::User(*id, before, after)),
            }
        }
        for (id, before, after) in self.groups.put_rows() {
            match after.is_deleted() {
                true => last.push(Change::Group(*id, before, after)),
                false => changes.push(Change::Group(*id, before, after)),
            }
        }
        let mut removed = Vec::new();
        for ((portal, user), before, after) in self.accounts.put_rows() {
            match after.is_live() {
                true => changes.push(Change::Account(portal, *user, before, after)),
                false => removed.push(Change::Account(portal, *user, before, after)),
            }
        }
        for ((group, user), before, after) in self.memberships.put_rows() {
            let of_group = self.groups.get(group).map(|row| row.directory.as_str());
            let of_user = || self.users.get(user).map(|row| row.directory.as_str());
            let directory = of_group.or_else(of_user).unwrap_or_default();
            changes.push(Change::Membership(*group, *user, directory, before, after));
        }
        changes.extend(removed);
        changes.extend(last);
        changes.retain(Change::is_one);
        changes
    }

    /// Accounts that give up their key to another one of this batch, by portal and user: they
    /// have to let go of it before it is taken.
    pub fn giving_up(&self) -> Vec<(&str, RowId)> {
        let live = self.accounts.put_rows().filter(|(.., row)| row.is_live());
        let taken: BTreeMap<(&str, &str), RowId> = live
            .map(|((portal, user), _, row)| ((portal.as_str(), row.key.as_str()), *user))
            .collect();
        let rows = self.accounts.put_rows();
        rows.filter(|((portal, user), before, _)| {
            before.is_some_and(|before| {
                let taker = taken.get(&(portal.as_str(), before.key.as_str()));
                before.is_live() && taker.is_some_and(|taker| taker != user)
            })
        })
        .map(|((portal, user), ..)| (portal.as_str(), *user))
        .collect()
    }
}

pub fn subject_of(action: &Action) -> RowId {
    RowId::user(&action.subject.source, &action.subject.id)
}

pub fn group_of(action: &Action) -> RowId {
    RowId::group(&action.subject.source, &action.subject.id)
}

#[cfg(test)]
mod tests;
