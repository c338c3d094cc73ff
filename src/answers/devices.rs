//! The devices and policies of an MDM portal on a local target, which are kept by hand: what
//! there is, and what may be changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::AnswerError;
use crate::audit::AuditLog;
use crate::config::PortalKind;
use crate::directory::fold::fold;
use crate::store::directory::put_note;
use crate::store::portals::LocalDevice;
use crate::store::{Store, Way};
use crate::sync::{AUDIT_NOTE, RunError};
use crate::targets::local::Local;

/// A device as it is shown.
#[derive(Serialize, ToSchema)]
pub struct DeviceOut {
    pub id: String,
    pub name: String,
    /// The key of the account it is assigned to.
    pub assigned_to: Option<String>,
    pub policy: Option<String>,
}

impl From<LocalDevice> for DeviceOut {
    fn from(device: LocalDevice) -> DeviceOut {
        let LocalDevice {
            id,
            name,
            assigned_to,
            policy,
        } = device;
        DeviceOut {
            id,
            name,
            assigned_to,
            policy,
        }
    }
}

/// A policy as it is shown.
#[derive(Serialize, ToSchema)]
pub struct PolicyOut {
    pub name: String,
}

/// What is to change of a device. None leaves it as it is; an empty text takes it away.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct DeviceChange {
    pub name: Option<String>,
    pub assigned_to: Option<String>,
    pub policy: Option<String>,
}

/// Whether something was there before it was set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    There,
    New,
}

/// What somebody asks for.
#[derive(Clone, Serialize, Deserialize)]
pub enum Change {
    SetDevice { id: String, change: DeviceChange },
    RemoveDevice { id: String },
    SetPolicy { name: String },
    RemovePolicy { name: String },
}

/// What came of it.
pub enum Changed {
    Device(DeviceOut, Before),
    Policy(PolicyOut, Before),
    Removed,
}

/// Who asks, when, and where that is noted.
pub struct Noting<'a> {
    pub log: &'a AuditLog,
    pub by: Way,
    pub at: Timestamp,
}

/// An MDM portal.
pub struct Mdm<'a> {
    store: &'a Store,
    portal: &'a str,
    /// The policy that the settings name.
    named: Option<&'a str>,
}

impl<'a> Mdm<'a> {
    pub fn new(
        store: &'a Store,
        portal: &'a str,
        kind: PortalKind,
        named: Option<&'a str>,
    ) -> Result<Mdm<'a>, AnswerError> {
        if kind != PortalKind::Mdm {
            return Err(AnswerError::NotThere(format!(
                "portal '{portal}' is a {kind}; only an mdm portal has devices and policies"
            )));
        }
        Ok(Mdm {
            store,
            portal,
            named,
        })
    }

    /// Devices by id, those after `after` if one is given.
    pub fn devices(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<DeviceOut, AnswerError>> + '_ {
        let found = self.store.devices_after(self.portal, after);
        found.map(|device| Ok(device?.into()))
    }

    /// Policies by name, with the one that the settings name.
    pub fn policies(&self) -> Result<Vec<PolicyOut>, AnswerError> {
        let mut names = self.store.policies(self.portal)?;
        names.extend(self.named.map(str::to_owned));
        Ok(names.into_iter().map(|name| PolicyOut { name }).collect())
    }

    /// Makes a change, and notes it in the audit log: which device or policy, not whose.
    pub fn change(&self, change: Change, noting: &Noting<'_>) -> Result<Changed, AnswerError> {
        let (portal, by) = (self.portal, noting.by);
        let (event, facts) = match &change {
            Change::SetDevice { id, change } => (
                "set_device",
                json!({ "portal": portal, "device": id, "policy": change.policy, "by": by }),
            ),
            Change::RemoveDevice { id } => (
                "remove_device",
                json!({ "portal": portal, "device": id, "by": by }),
            ),
            Change::SetPolicy { name } => (
                "set_policy",
                json!({ "portal": portal, "policy": name, "by": by }),
            ),
            Change::RemovePolicy { name } => (
                "remove_policy",
                json!({ "portal": portal, "policy": name, "by": by }),
            ),
        };
        let changed = match change {
            Change::SetDevice { id, change } => {
                let (device, before) = self.set_device(&id, change)?;
                Changed::Device(device, before)
            }
            Change::RemoveDevice { id } => {
                self.remove_device(&id)?;
                Changed::Removed
            }
            Change::SetPolicy { name } => {
                let (policy, before) = self.set_policy(&name)?;
                Changed::Policy(policy, before)
            }
            Change::RemovePolicy { name } => {
                self.remove_policy(&name)?;
                Changed::Removed
            }
        };
        let mark = noting.log.append(noting.at, event, facts);
        let mark = mark.map_err(RunError::from)?;
        self.store
            .write(vec![put_note(AUDIT_NOTE, &mark.to_text())])?;
        self.store.flush()?;
        Ok(changed)
    }

    fn set_device(
        &self,
        id: &str,
        change: DeviceChange,
    ) -> Result<(DeviceOut, Before), AnswerError> {
        let _turn = self.store.devices_turn();
        let portal = self.portal;
        let DeviceChange {
            name,
            assigned_to,
            policy,
        } = change;
        let found = self.store.device(portal, id)?;
        let before = match &found {
            Some(_) => Before::There,
            None => Before::New,
        };
        let mut device = found.unwrap_or_else(|| LocalDevice {
            id: id.to_owned(),
            name: id.to_owned(),
            assigned_to: None,
            policy: None,
        });
        if let Some(name) = name {
            device.name = name;
        }
        if let Some(key) = assigned_to.map(|key| fold(&key)) {
            if !key.is_empty() && self.store.local_account(portal, &key)?.is_none() {
                return Err(AnswerError::LeadsNowhere(format!(
                    "portal '{portal}' has no account '{key}' to assign a device to; 'rosterd export accounts --portal {portal}' lists them"
                )));
            }
            device.assigned_to = Some(key).filter(|key| !key.is_empty());
        }
        if let Some(policy) = policy {
            let known = self.store.policies(portal)?.contains(&policy)
                || self.named == Some(policy.as_str());
            if !policy.is_empty() && !known {
                return Err(AnswerError::LeadsNowhere(format!(
                    "portal '{portal}' has no policy '{policy}'; make it with 'rosterd policy set {policy} --portal {portal}'"
                )));
            }
            device.policy = Some(policy).filter(|policy| !policy.is_empty());
        }
        self.target().set_device(portal, &device)?;
        Ok((device.into(), before))
    }

    fn remove_device(&self, id: &str) -> Result<(), AnswerError> {
        let _turn = self.store.devices_turn();
        match self.target().remove_device(self.portal, id)? {
            true => Ok(()),
            false => Err(AnswerError::NotThere(format!(
                "portal '{}' has no device '{id}'",
                self.portal
            ))),
        }
    }

    fn set_policy(&self, name: &str) -> Result<(PolicyOut, Before), AnswerError> {
        let _turn = self.store.devices_turn();
        let before = match self.store.policies(self.portal)?.contains(name) {
            true => Before::There,
            false => Before::New,
        };
        self.target().set_policy(self.portal, name)?;
        let name = name.to_owned();
        Ok((PolicyOut { name }, before))
    }

    /// Removes a policy that no device is under and no rule names.
    fn remove_policy(&self, name: &str) -> Result<(), AnswerError> {
        let _turn = self.store.devices_turn();
        for device in self.store.devices(self.portal) {
            let device = device?;
            if device.policy.as_deref() == Some(name) {
                return Err(AnswerError::InTheWay(format!(
                    "device '{}' is under policy '{name}'; move it first",
                    device.id
                )));
            }
        }
        if self.named == Some(name) {
            return Err(AnswerError::InTheWay(format!(
                "the settings of portal '{}' name policy '{name}'; change them first",
                self.portal
            )));
        }
        match self.target().remove_policy(self.portal, name)? {
            true => Ok(()),
            false => Err(AnswerError::NotThere(format!(
                "portal '{}' has no policy '{name}'",
                self.portal
            ))),
        }
    }

    fn target(&self) -> Local {
        Local::new(self.store.clone())
    }
}
