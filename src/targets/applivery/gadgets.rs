//! Actions on devices, and whose they are.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::devices::{Platform, Seen, named};
use super::{Applivery, Place, Step, TargetError};
use crate::plan::{Action, Op};
use crate::rules::lifecycle::Device;

impl Applivery {
    /// The assigned devices, by the key of the one they are assigned to.
    pub(super) async fn devices_by_key(
        &self,
        place: &Place,
    ) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        let devices = self.devices();
        let mut all: Vec<Seen> = Vec::new();
        for platform in Platform::ALL {
            let listed = devices.list(platform, None).await;
            all.extend(listed.map_err(|failure| self.unanswered(failure))?);
        }
        let mut users = all.iter().filter_map(|device| device.user.as_ref());
        let keys: HashMap<String, String> = match users.any(|user| user.email.is_none()) {
            false => HashMap::new(),
            true => {
                let people = place.known.all(&self.client, place.kind).await;
                let people = people.map_err(|failure| self.unanswered(failure))?;
                people.into_iter().map(|(key, one)| (one.id, key)).collect()
            }
        };
        let mut by_key: BTreeMap<String, Vec<Device>> = BTreeMap::new();
        for device in all {
            let Some(user) = &device.user else { continue };
            let key = match &user.email {
                Some(email) => Some(crate::directory::fold::fold(email)),
                None => user.id.as_ref().and_then(|id| keys.get(id).cloned()),
            };
            if let Some(key) = key {
                by_key
                    .entry(key)
                    .or_default()
                    .push(self.shown(place, device));
            }
        }
        for devices in by_key.values_mut() {
            devices.sort_by(|a, b| a.id.cmp(&b.id));
        }
        Ok(by_key)
    }

    /// A policy is one name to the rules, and one id a platform here.
    fn shown(&self, place: &Place, device: Seen) -> Device {
        let wanted = self.options.policy(device.platform);
        let policy = match &device.policy {
            Some(id) if place.policy.is_some() && Some(id.as_str()) == wanted => {
                place.policy.clone()
            }
            other => other.clone(),
        };
        Device {
            id: device.name(),
            policy,
        }
    }

    pub(super) async fn device(&self, action: &Action) -> Result<(), TargetError> {
        let device = action.device.as_deref().unwrap_or_default();
        let Some((platform, id)) = named(device) else {
            return Err(TargetError::Refused(format!(
                "'{device}' is no device of Applivery's; the next run reads them anew"
            )));
        };
        let devices = self.devices();
        let done = match action.op {
            Op::UnassignDevices => devices.unassign(platform, id).await,
            Op::ChangeDevicePolicy => match self.options.policy(platform) {
                Some(policy) => devices.change_policy(platform, id, policy).await,
                None => {
                    return Err(TargetError::Refused(format!(
                        "there is no policy for {0} devices: name one in '{1}.policies.{0}'",
                        platform.as_str(),
                        self.options.path
                    )));
                }
            },
            Op::RemoveDevices if !self.options.settings.remove_devices_allowed => {
                return Err(TargetError::Refused(format!(
                    "devices may not be removed: '{}.remove_devices_allowed' is not set",
                    self.options.path
                )));
            }
            _ => devices.remove(platform, id).await,
        };
        done.map_err(|failure| self.told(failure))
    }

    /// How a device's user is cleared is not documented, so a yes is not taken for it: the
    /// lists of the user's devices are read again.
    pub(super) async fn really_unassigned(
        &self,
        steps: &[Step<'_>],
        done: &mut [(usize, Result<(), TargetError>)],
    ) {
        let unassigned = |(number, result): &(usize, Result<(), TargetError>)| {
            let action = steps[*number].action;
            (result.is_ok() && action.op == Op::UnassignDevices).then_some(action)
        };
        let mut asked: BTreeMap<Platform, Result<BTreeSet<String>, String>> = BTreeMap::new();
        for one in done.iter_mut() {
            let Some(action) = unassigned(one) else {
                continue;
            };
            let device = action.device.as_deref().unwrap_or_default();
            let Some((platform, id)) = named(device) else {
                continue;
            };
            let answer = match asked.entry(platform) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let still = self.still_assigned(action, platform).await;
                    place.insert(still.map_err(|error| error.to_string()))
                }
            };
            one.1 = match answer {
                Ok(still) if still.contains(id) => Err(TargetError::Refused(format!(
                    "the device still has its user after it was taken off; '{}.unassign_value' may have to be another",
                    self.options.path
                ))),
                Ok(_) => Ok(()),
                Err(reason) => Err(TargetError::Away(reason.clone())),
            };
        }
    }

    async fn still_assigned(
        &self,
        action: &Action,
        platform: Platform,
    ) -> Result<BTreeSet<String>, TargetError> {
        let place = self.place(&action.portal)?;
        let Some(user) = self.subject(place, action, &action.key).await? else {
            return Ok(BTreeSet::new());
        };
        let listed = self.devices().list(platform, Some(&user.id)).await;
        let listed = listed.map_err(|failure| self.unanswered(failure))?;
        Ok(listed.into_iter().map(|device| device.id).collect())
    }
}
