//! The last admin of a portal stays: who that is, is known when all others are decided.

use std::collections::BTreeMap;

use super::Deciding;
use super::stand::Stand;
use crate::directory::Value;
use crate::plan::{Action, AttributeChange, Entry, Op, Role, Subject};
use crate::rules::Decision;
use crate::sync::RunError;

impl Deciding<'_> {
    /// Notes the admins among these of whom it is not known yet whether they go.
    pub(super) fn waits_for_admins(&mut self, portal: usize, stands: &[Stand]) -> bool {
        let mut waits = false;
        for stand in stands {
            if let Some(link) = self.would_free(portal, stand)
                && link.account.role == Some(Role::Admin)
            {
                let place = (portal, link.key.clone());
                if !self.goes.contains_key(&place) {
                    self.ending.entry(place).or_insert(None);
                    waits = true;
                }
            }
        }
        waits
    }

    pub(super) fn note_admins(&mut self, portal: usize, stand: &Stand, decision: &Decision) {
        let key = stand.key.clone().unwrap_or_default();
        if decision.makes_admin {
            self.made.entry(portal).or_default().insert(key);
            return;
        }
        let loses_admin = |change: &AttributeChange| {
            change.attribute == "role" && change.before == Some(Value::from(Role::Admin.as_str()))
        };
        for entry in &decision.entries {
            if let Entry::Action(Action {
                op: Op::SetRole | Op::AdoptAccount,
                changes,
                ..
            }) = entry
                && changes.iter().any(loses_admin)
            {
                let held = stand.link.as_ref().map_or(&key, |link| &link.key);
                self.unmade.entry(portal).or_default().insert(held.clone());
            }
        }
    }

    /// Of the admins that would go, the one with the smallest key stays where no other is left.
    pub(super) fn last_admins(&mut self) -> Result<(), RunError> {
        let ending = std::mem::take(&mut self.ending);
        let mut by_portal: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for ((portal, key), decided) in ending {
            by_portal.entry(portal).or_default().push((key, decided));
        }
        for (portal, going) in by_portal {
            // Those known to go already are here no longer.
            let mut left = self.view.store.admins(&self.portals[portal].name)?;
            left.retain(|key| self.goes.get(&(portal, key.clone())) != Some(&true));
            for key in self.unmade.remove(&portal).unwrap_or_default() {
                left.remove(&key);
            }
            for (key, _) in &going {
                left.remove(key);
            }
            left.extend(self.made.remove(&portal).unwrap_or_default());
            let mut spare = left.is_empty();
            for (key, decided) in going {
                let goes = !std::mem::take(&mut spare);
                self.goes.insert((portal, key.clone()), goes);
                match decided {
                    None => {}
                    Some((subject, decision)) if goes => self.keep(portal, &subject, decision)?,
                    Some((subject, _)) => self.spare(portal, &subject, key)?,
                }
            }
        }
        Ok(())
    }

    /// The last admin stays, and is looked at again in every run.
    pub(super) fn spare(
        &mut self,
        portal: usize,
        subject: &Subject,
        key: String,
    ) -> Result<(), RunError> {
        let spared = Entry::Spared {
            portal: self.portals[portal].name.clone(),
            key,
            reason: "last admin".to_owned(),
        };
        let decision = Decision {
            entries: vec![spared],
            watch: true,
            ..Decision::default()
        };
        self.keep(portal, subject, decision)
    }
}
