//! The local target: accounts, groups, devices and policies in rosterd's own store, for an
//! application to read over REST.

use std::collections::{BTreeMap, HashMap};

use super::{Finding, Found, Held, Step, Target, TargetError};
use crate::directory::Value;
use crate::plan::{Account, Action, GroupLink, Op as Do};
use crate::rules::lifecycle::Device;
use crate::store::portals::{self, LocalAccount, LocalDevice};
use crate::store::{Op, Store};

pub struct Local {
    store: Store,
}

impl Local {
    pub fn new(store: Store) -> Local {
        Local { store }
    }
}

impl Target for Local {
    fn check(&self) -> Vec<Finding> {
        let place = self.store.engine().place();
        vec![Finding::ok(format!("the local store at {place} is open"))]
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        let found = self.store.local_account(portal, key)?;
        Ok(found.map(|found| Found {
            account: found.account,
            made_for: Some(found.source_id),
            groups: found.groups,
        }))
    }

    fn knows_owners(&self, _of_many: bool) -> bool {
        true
    }

    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        let mut devices: BTreeMap<String, Vec<Device>> = BTreeMap::new();
        for device in self.store.devices(portal) {
            let device = device?;
            if let Some(key) = device.assigned_to {
                let device = Device {
                    id: device.id,
                    policy: device.policy,
                };
                devices.entry(key).or_default().push(device);
            }
        }
        Ok(devices)
    }

    fn creates_with_groups(&self) -> bool {
        true
    }

    fn reads_back(&self) -> bool {
        // Nobody else writes to it: there is no drift to look for in every full run.
        false
    }

    fn read_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let mut groups = BTreeMap::new();
        for group in self.store.local_groups(portal) {
            let group = group?;
            groups.insert((group.source.clone(), group.number), (group, Vec::new()));
        }
        for account in self.store.local_accounts(portal) {
            let account = account?;
            for (source, number) in account.groups.iter() {
                if let Some((_, members)) = groups.get_mut(&(source.to_owned(), number)) {
                    members.push(account.key.clone());
                }
            }
            take(Held::Account {
                key: account.key,
                account: account.account,
            })?;
        }
        for (group, members) in groups.into_values() {
            take(Held::Group {
                source: group.source,
                id: group.id,
                display_name: group.display_name,
                members: Some(members),
            })?;
        }
        Ok(())
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let _turn = self.store.devices_turn();
        let mut batch = Batch {
            store: &self.store,
            accounts: HashMap::new(),
            moving: HashMap::new(),
            devices: HashMap::new(),
            ops: Vec::new(),
        };
        let taken_away: Result<(), TargetError> =
            steps.iter().try_for_each(|step| batch.take_away(step));
        let mut results: Vec<Result<(), TargetError>> =
            steps.iter().map(|step| batch.take(step)).collect();
        let written = taken_away
            .and_then(|()| batch.drop_memberships(steps, &results))
            .and_then(|()| {
                let moves = steps.iter().any(|step| step.old_key.is_some());
                let ops = batch.into_ops();
                if moves {
                    self.store.write_moves(ops)?;
                } else {
                    self.store.write(ops)?;
                }
                Ok(())
            });
        if let Err(error) = written {
            let text = error.to_string();
            for result in &mut results {
                if result.is_ok() {
                    *result = Err(TargetError::Refused(text.clone()));
                }
            }
        }
        results
    }
}

/// Several steps on rows that are read once and written once.
struct Batch<'a> {
    store: &'a Store,
    /// By portal and key; None where the account is to go.
    accounts: HashMap<(String, String), Option<LocalAccount>>,
    /// Accounts on their way to another key: all are taken away before the first is put down,
    /// so that two may swap.
    moving: HashMap<(String, String), LocalAccount>,
    /// Assigned devices by key, of portals where accounts move; read once a batch.
    devices: HashMap<String, HashMap<String, Vec<LocalDevice>>>,
    ops: Vec<Op>,
}

impl Batch<'_> {
    fn take(&mut self, step: &Step<'_>) -> Result<(), TargetError> {
        let action = step.action;
        match action.op {
            Do::CreateGroup | Do::UpdateGroup => self.group(action),
            Do::DeleteGroup => {
                if let Some(number) = self.number(action)? {
                    let op =
                        portals::delete_local_group(&action.portal, &action.subject.source, number);
                    self.ops.push(op);
                }
                Ok(())
            }
            Do::CreateAccount | Do::AdoptAccount => {
                let mut account = match self.account(&action.portal, &action.key)? {
                    Some(account) => account,
                    None => LocalAccount {
                        key: action.key.clone(),
                        account: Account::default(),
                        source: String::new(),
                        source_id: String::new(),
                        groups: action.joins.clone(),
                    },
                };
                account.account.apply(&action.changes);
                account.source = action.subject.source.clone();
                account.source_id = action.subject.id.clone();
                self.put(&action.portal, account);
                Ok(())
            }
            Do::EnableAccount | Do::UpdateAccount | Do::SetRole | Do::DisableAccount => {
                self.update(step)
            }
            Do::RemoveAccount => {
                self.accounts
                    .insert((action.portal.clone(), action.key.clone()), None);
                Ok(())
            }
            Do::AddMembers | Do::RemoveMembers => self.members(action),
            Do::UnassignDevices | Do::ChangeDevicePolicy | Do::RemoveDevices => self.device(action),
        }
    }

    fn account(&self, portal: &str, key: &str) -> Result<Option<LocalAccount>, TargetError> {
        match self.accounts.get(&(portal.to_owned(), key.to_owned())) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.store.local_account(portal, key)?),
        }
    }

    fn take_away(&mut self, step: &Step<'_>) -> Result<(), TargetError> {
        let Some(old) = step.old_key else {
            return Ok(());
        };
        let portal = &step.action.portal;
        let subject = &step.action.subject;
        let own = self
            .store
            .local_account(portal, old)?
            .filter(|account| account.source == subject.source && account.source_id == subject.id);
        if let Some(account) = own {
            let place = (portal.clone(), old.to_owned());
            self.moving.insert(place.clone(), account);
            self.accounts.insert(place, None);
            // A device is assigned to an account, whatever its key is.
            if !self.devices.contains_key(portal) {
                let mut by_key: HashMap<String, Vec<LocalDevice>> = HashMap::new();
                for device in self.store.devices(portal) {
                    let device = device?;
                    if let Some(key) = device.assigned_to.clone() {
                        by_key.entry(key).or_default().push(device);
                    }
                }
                self.devices.insert(portal.clone(), by_key);
            }
            let devices = self.devices[portal].get(old).cloned().unwrap_or_default();
            for mut device in devices {
                device.assigned_to = Some(step.action.key.clone());
                self.ops.push(portals::put_device(portal, &device));
            }
        }
        Ok(())
    }

    fn put(&mut self, portal: &str, account: LocalAccount) {
        self.accounts
            .insert((portal.to_owned(), account.key.clone()), Some(account));
    }

    fn update(&mut self, step: &Step<'_>) -> Result<(), TargetError> {
        let action = step.action;
        let account = match step.old_key {
            Some(old) => match self.moving.remove(&(action.portal.clone(), old.to_owned())) {
                Some(account) => Some(account),
                // Moved by a run that was cut off before it could note so.
                None => self
                    .account(&action.portal, &action.key)?
                    .filter(|account| {
                        account.source == action.subject.source
                            && account.source_id == action.subject.id
                    }),
            },
            None => self.account(&action.portal, &action.key)?,
        };
        let Some(mut account) = account else {
            return Err(TargetError::Refused(format!(
                "the target has no account '{}' any more; a full run finds out what happened",
                step.old_key.unwrap_or(&action.key)
            )));
        };
        account.account.apply(&action.changes);
        account.key = action.key.clone();
        self.put(&action.portal, account);
        Ok(())
    }

    fn number(&self, action: &Action) -> Result<Option<u32>, TargetError> {
        Ok(self
            .store
            .group_number(&action.subject.source, &action.subject.id)?)
    }

    fn known_number(&self, action: &Action) -> Result<u32, TargetError> {
        self.number(action)?.ok_or_else(|| {
            TargetError::Refused(format!("group '{}' is not in the directory", action.key))
        })
    }

    fn group(&mut self, action: &Action) -> Result<(), TargetError> {
        let number = self.known_number(action)?;
        let source = &action.subject.source;
        let mut group = self
            .store
            .local_group(&action.portal, source, number)?
            .unwrap_or_else(|| GroupLink::of(action, number));
        group.apply(&action.changes);
        self.ops
            .push(portals::put_local_group(&action.portal, &group));
        Ok(())
    }

    fn members(&mut self, action: &Action) -> Result<(), TargetError> {
        let number = self.known_number(action)?;
        let mut missing = Vec::new();
        for key in &action.members {
            let Some(mut account) = self.account(&action.portal, key)? else {
                if action.op == Do::AddMembers {
                    missing.push(key.as_str());
                }
                continue;
            };
            match action.op {
                Do::AddMembers => account.groups.insert(&action.subject.source, number),
                _ => account.groups.remove(&action.subject.source, number),
            }
            self.put(&action.portal, account);
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

    fn device(&mut self, action: &Action) -> Result<(), TargetError> {
        let id = action.device.as_deref().unwrap_or_default();
        if action.op == Do::RemoveDevices {
            self.ops.push(portals::delete_device(&action.portal, id));
            return Ok(());
        }
        // A device that is gone needs nothing.
        let Some(mut device) = self.store.device(&action.portal, id)? else {
            return Ok(());
        };
        for change in &action.changes {
            let text = change.after.as_ref().map(Value::plain);
            match change.attribute.as_str() {
                "policy" => device.policy = text,
                "assigned_to" => device.assigned_to = text,
                _ => {}
            }
        }
        self.ops.push(portals::put_device(&action.portal, &device));
        Ok(())
    }

    /// A removed group leaves no membership behind: if it came back, it would come back full.
    /// The accounts are scanned once for all the groups of the batch.
    fn drop_memberships(
        &mut self,
        steps: &[Step<'_>],
        results: &[Result<(), TargetError>],
    ) -> Result<(), TargetError> {
        let mut gone: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
        for (step, result) in steps.iter().zip(results) {
            let action = step.action;
            if action.op == Do::DeleteGroup
                && result.is_ok()
                && let Some(number) = self.number(action)?
            {
                gone.entry(&action.portal)
                    .or_default()
                    .push((&action.subject.source, number));
            }
        }
        for (portal, groups) in gone {
            let mut touched = Vec::new();
            for account in self.store.local_accounts(portal) {
                let account = account?;
                if groups
                    .iter()
                    .any(|(source, number)| account.groups.contains(source, *number))
                {
                    touched.push(account.key);
                }
            }
            for key in touched {
                if let Some(mut account) = self.account(portal, &key)? {
                    for (source, number) in &groups {
                        account.groups.remove(source, *number);
                    }
                    self.put(portal, account);
                }
            }
        }
        Ok(())
    }

    fn into_ops(self) -> Vec<Op> {
        let mut ops = self.ops;
        for ((portal, key), account) in self.accounts {
            ops.push(match account {
                Some(account) => portals::put_local_account(&portal, &account),
                None => portals::delete_local_account(&portal, &key),
            });
        }
        ops
    }
}

/// What an operator or an application may do to devices and policies.
impl Local {
    pub fn set_device(&self, portal: &str, device: &LocalDevice) -> Result<(), TargetError> {
        self.store
            .write(vec![portals::put_device(portal, device)])?;
        Ok(self.store.flush()?)
    }

    pub fn remove_device(&self, portal: &str, id: &str) -> Result<bool, TargetError> {
        let had = self.store.device(portal, id)?.is_some();
        self.store.write(vec![portals::delete_device(portal, id)])?;
        self.store.flush()?;
        Ok(had)
    }

    pub fn set_policy(&self, portal: &str, name: &str) -> Result<(), TargetError> {
        self.store.write(vec![portals::put_policy(portal, name)])?;
        Ok(self.store.flush()?)
    }

    pub fn remove_policy(&self, portal: &str, name: &str) -> Result<bool, TargetError> {
        let had = self.store.policies(portal)?.contains(name);
        self.store
            .write(vec![portals::delete_policy(portal, name)])?;
        self.store.flush()?;
        Ok(had)
    }
}
