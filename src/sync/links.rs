//! Brings the links into step with what a target has done: one batch, read once and written
//! once.

use std::collections::HashMap;

use super::RunError;
use super::population::Populations;
use crate::plan::{Account, Action, GroupLink, Groups, Link, LinkState, Op};
use crate::store::portals::{delete_group_link, delete_link, put_group_link, put_link};
use crate::store::{Op as Write, Store};
use crate::targets::Target;

/// The links of one batch, read once and written once.
pub struct Links<'a, 'b> {
    store: &'a Store,
    links: HashMap<(String, String), Option<Link>>,
    /// Links on their way to another key: all are taken away before the first is put down, so
    /// that two may swap.
    moving: HashMap<(String, String), Link>,
    moves: bool,
    ops: Vec<Write>,
    populations: &'a mut Populations<'b>,
}

impl<'a, 'b> Links<'a, 'b> {
    pub fn new(store: &'a Store, populations: &'a mut Populations<'b>) -> Links<'a, 'b> {
        Links {
            store,
            populations,
            links: HashMap::new(),
            moving: HashMap::new(),
            moves: false,
            ops: Vec::new(),
        }
    }

    pub fn take_away(&mut self, portal: &str, key: &str) -> Result<(), RunError> {
        let place = (portal.to_owned(), key.to_owned());
        if let Some(link) = self.store.link(portal, key)? {
            self.moves = true;
            self.moving.insert(place.clone(), link);
            self.links.insert(place, None);
        }
        Ok(())
    }

    fn get(&self, portal: &str, key: &str) -> Result<Option<Link>, RunError> {
        match self.links.get(&(portal.to_owned(), key.to_owned())) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.store.link(portal, key)?),
        }
    }

    fn put(&mut self, portal: &str, link: Link) {
        self.links
            .insert((portal.to_owned(), link.key.clone()), Some(link));
    }

    /// Takes over what an action has made so.
    pub fn note(
        &mut self,
        target: &dyn Target,
        action: &Action,
        old_key: Option<&str>,
    ) -> Result<(), RunError> {
        let (portal, key) = (&action.portal, &action.key);
        match action.op {
            Op::CreateAccount => {
                let mut account = Account::default();
                account.apply(&action.changes);
                let groups = match target.creates_with_groups() {
                    true => action.joins.clone(),
                    false => Default::default(),
                };
                self.put(portal, live(action, account, groups));
            }
            Op::AdoptAccount => {
                let (account, groups) = match self.get(portal, key)? {
                    Some(taken) => {
                        let mut account = taken.account;
                        account.apply(&action.changes);
                        (account, taken.groups)
                    }
                    None => {
                        let found = target.find(portal, key)?;
                        let mut account = found.map(|found| found.account).unwrap_or_default();
                        // A target may remember what it found before it was told.
                        account.apply(&action.changes);
                        (account, Default::default())
                    }
                };
                self.put(portal, live(action, account, groups));
            }
            Op::EnableAccount | Op::UpdateAccount | Op::SetRole | Op::DisableAccount => {
                let link = match old_key {
                    Some(old) => self.moving.remove(&(portal.clone(), old.to_owned())),
                    None => self.get(portal, key)?,
                };
                if let Some(mut link) = link {
                    link.account.apply(&action.changes);
                    link.key = key.clone();
                    self.put(portal, link);
                }
            }
            Op::RemoveAccount => {
                self.links.insert((portal.clone(), key.clone()), None);
            }
            Op::AddMembers | Op::RemoveMembers => {
                let source = &action.subject.source;
                let Some(number) = self.store.group_number(source, &action.subject.id)? else {
                    return Ok(());
                };
                for key in &action.members {
                    if let Some(mut link) = self.get(portal, key)? {
                        match action.op {
                            Op::AddMembers => link.groups.insert(source, number),
                            _ => link.groups.remove(source, number),
                        }
                        self.put(portal, link);
                    }
                }
            }
            Op::CreateGroup | Op::UpdateGroup | Op::DeleteGroup => self.group(action)?,
            Op::UnassignDevices | Op::ChangeDevicePolicy | Op::RemoveDevices => {}
        }
        Ok(())
    }

    fn group(&mut self, action: &Action) -> Result<(), RunError> {
        let source = &action.subject.source;
        let Some(number) = self.store.group_number(source, &action.subject.id)? else {
            return Ok(());
        };
        let known = self.store.group_link(&action.portal, source, number)?;
        if action.op == Op::DeleteGroup {
            self.ops
                .push(delete_group_link(&action.portal, source, number));
            self.populations
                .group_changes(&action.portal, known.is_some(), false);
            return Ok(());
        }
        self.populations
            .group_changes(&action.portal, known.is_some(), true);
        let mut link = known.unwrap_or_else(|| GroupLink::of(action, number));
        link.apply(&action.changes);
        self.ops.push(put_group_link(&action.portal, &link));
        Ok(())
    }

    pub fn write(self) -> Result<(), RunError> {
        let mut ops = self.ops;
        for ((portal, key), link) in self.links {
            self.populations
                .link_changes(&portal, &key, link.as_ref())?;
            match link {
                Some(link) => ops.extend(put_link(&portal, &link)),
                None => ops.extend(delete_link(&portal, &key)),
            }
        }
        if self.moves {
            self.store.write_moves(ops)?;
        } else {
            self.store.write(ops)?;
        }
        Ok(())
    }
}

/// The link of an account that an action made the subject's.
fn live(action: &Action, account: Account, groups: Groups) -> Link {
    Link {
        key: action.key.clone(),
        source: action.subject.source.clone(),
        user: action.subject.id.clone(),
        account,
        groups,
        state: LinkState::Live,
    }
}
