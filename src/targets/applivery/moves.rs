//! An account whose address changes. Applivery changes no address: it is a conflict, or, where
//! the settings say so, a new account that takes over the devices of the old one.
//!
//! Each step can be done twice, so a move that was cut off is gone through again.

use super::accounts::{Posted, gone};
use super::devices::Platform;
use super::people::{Kind, Person};
use super::{Applivery, Place, TargetError};
use crate::config::EmailChange;
use crate::plan::{Action, Role};

impl Applivery {
    pub(super) async fn change_address(
        &self,
        place: &Place,
        action: &Action,
        old_key: &str,
    ) -> Result<(), TargetError> {
        let old = self.subject(place, action, old_key).await?;
        let link = self.store.link(&action.portal, old_key)?;
        let (Some(old), Some(link)) = (old, link) else {
            return Err(gone(old_key));
        };
        // Moved by a run that was cut off before it could note so.
        if old.key() == action.key {
            return Ok(());
        }
        let mut account = link.account;
        account.apply(&action.changes);
        let email = account.email.as_deref().unwrap_or(&action.key);
        if old.is_owner() || self.options.settings.email_change == EmailChange::Conflict {
            return Err(self.address_is_fixed(&old.email, email));
        }
        if place.kind != Kind::DeviceUser && !self.options.settings.undocumented_calls {
            return Err(TargetError::Refused(format!(
                "conflict: the account cannot be made anew under '{email}', as Applivery documents no call that removes the old one; '{}.undocumented_calls' allows one that may work",
                self.options.path
            )));
        }
        let mut new = match self.post(place, &account, &old.tags, &action.key).await? {
            Posted::Made(person) => person,
            Posted::Stands(person) if self.is_anothers(action)? => {
                return Err(TargetError::Refused(format!(
                    "conflict: '{}' stands there for somebody else; it must be free first",
                    person.email
                )));
            }
            // Ours, from a move that was cut off.
            Posted::Stands(person) => person,
        };
        if place.kind == Kind::Collaborator {
            let role = old.role.as_deref().and_then(|role| role.parse().ok());
            self.set_role(place, &mut new, role.or(Some(Role::Unassigned)))
                .await?;
        }
        if place.kind == Kind::DeviceUser {
            self.hand_devices_over(&old, &new).await?;
        }
        self.remove_person(place, &old).await?;
        self.remember(action, &new)?;
        place.known.note(old.key(), None).await;
        place.known.note(action.key.clone(), Some(new)).await;
        Ok(())
    }

    fn is_anothers(&self, action: &Action) -> Result<bool, TargetError> {
        let link = self.store.link(&action.portal, &action.key)?;
        Ok(link.is_some_and(|link| {
            link.source != action.subject.source || link.user != action.subject.id
        }))
    }

    async fn hand_devices_over(&self, old: &Person, new: &Person) -> Result<(), TargetError> {
        let devices = self.devices();
        for platform in Platform::ALL {
            let theirs = devices.list(platform, Some(&old.id)).await;
            for device in theirs.map_err(|failure| self.unanswered(failure))? {
                let moved = devices.assign(platform, &device.id, &new.id).await;
                moved.map_err(|failure| self.told(failure))?;
            }
        }
        Ok(())
    }
}
