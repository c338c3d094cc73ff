//! How somebody stands in a portal: whether they are to be there, and what they hold.

use std::sync::Arc;

use super::Deciding;
use crate::plan::{Link, LinkState, Role, Subject};
use crate::rules::key_of;
use crate::rules::lifecycle::{frees_key, subject_of};
use crate::rules::matching::Claim;
use crate::rules::scope::{Presence, presence};
use crate::sync::RunError;
use crate::sync::view::{PersonView, Who};

/// One user in one portal.
pub(super) struct Stand {
    pub(super) who: Who,
    pub(super) person: Arc<PersonView>,
    pub(super) presence: Presence,
    pub(super) key: Option<String>,
    pub(super) link: Option<Link>,
    /// The store does not have the link yet.
    pub(super) left_behind: bool,
}

impl Deciding<'_> {
    pub(super) fn stand(
        &mut self,
        portal: usize,
        who: Who,
        person: Arc<PersonView>,
    ) -> Result<Stand, RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[who.source].rules;
        let presence = presence(&person.person(source), rules);
        let key = key_of(rules.match_on, &person.user);
        let link = match self.no_links {
            true => None,
            false => self
                .view
                .own_link(&rules.name, rules.match_on, &source.name, &person)?,
        };
        let mut stand = Stand {
            who,
            person,
            presence,
            key,
            link,
            left_behind: false,
        };
        if stand.link.is_none() && !stand.presence.is_present() {
            stand.link = self.left_behind(portal, &stand)?;
            stand.left_behind = stand.link.is_some();
        }
        Ok(stand)
    }

    /// The link that is missing for an account of somebody absent: a run was cut off between
    /// the account and its link, or never heard that the account was made, and before the next
    /// run they left. Whoever that may be true of carries a mark.
    fn left_behind(&mut self, portal: usize, stand: &Stand) -> Result<Option<Link>, RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[stand.who.source].rules.name;
        let id = stand.person.user.id.as_str();
        if !self.targets[&rules.target].knows_owners(self.everything_marked)
            || !(self.everything_marked || self.view.store.is_marked(b'u', source, id)?)
        {
            return Ok(None);
        }
        for key in stand.key.iter().chain(&stand.person.old_keys) {
            if self.view.store.link(&rules.name, key)?.is_some() {
                continue;
            }
            match self.asked(portal, |target| target.find(&rules.name, key)) {
                // One that is disabled was seen to: some targets keep what is removed.
                Ok(Some(found)) if found.is_of(id) && found.account.active => {
                    return Ok(Some(Link {
                        key: key.clone(),
                        source: source.clone(),
                        user: id.to_owned(),
                        account: found.account,
                        groups: found.groups,
                        state: LinkState::Live,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    self.is_away(&rules.target, error)?;
                    let subject = self.subject(stand);
                    self.mark(&subject, true);
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    pub(super) fn claim(&self, portal: usize, stand: &Stand) -> Claim {
        let rules = &self.portals[portal];
        let source = &self.view.sources[stand.who.source].rules.name;
        Claim {
            precedence: rules.precedence(source).unwrap_or(usize::MAX),
            source: source.clone(),
            user: stand.person.user.id.as_str().to_owned(),
            wants: stand
                .presence
                .is_present()
                .then(|| stand.key.clone())
                .flatten(),
            holds: stand.link.as_ref().map(|link| link.key.clone()),
            // An admin's removal may be called off: the last one is spared.
            frees: self.would_free(portal, stand).is_some_and(|link| {
                let place = (portal, link.key.clone());
                link.account.role != Some(Role::Admin) || self.goes.get(&place) == Some(&true)
            }),
        }
    }

    pub(super) fn would_free<'s>(&self, portal: usize, stand: &'s Stand) -> Option<&'s Link> {
        let link = stand.link.as_ref().filter(|_| !stand.presence.is_present());
        link.filter(|link| frees_key(&self.portals[portal], link, self.now))
    }

    pub(super) fn subject(&self, stand: &Stand) -> Subject {
        subject_of(
            &stand
                .person
                .person(&self.view.sources[stand.who.source].rules),
        )
    }
}
