//! Groups, as tags of their members. Applivery has no object for a group: what is made,
//! renamed and deleted are the tags, and what else there is to know of a group is in the links.
//!
//! Two groups of one name are one tag, which stays as long as one of them holds the account.
//! A tag on somebody who is not ours stays as it is, whatever its name.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::json;

use super::accounts::gone;
use super::people::Kind;
use super::{Applivery, TargetError};
use crate::plan::{Action, Groups, Link, Op};

/// What is to become of the tags of one account.
#[derive(Default)]
struct Retag {
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
    /// The memberships that end, by which `remove` came about.
    left: Groups,
    /// The actions that want it so, by their places.
    wanted_by: Vec<usize>,
}

type Retags = BTreeMap<(String, String), Retag>;

impl Applivery {
    /// The names of some groups, as they are pushed to a portal.
    pub(super) fn names_of(
        &self,
        portal: &str,
        groups: &Groups,
    ) -> Result<BTreeSet<String>, TargetError> {
        let mut names = BTreeSet::new();
        for (source, number) in groups.iter() {
            if let Some(link) = self.store.group_link(portal, source, number)? {
                names.insert(link.display_name);
            }
        }
        Ok(names)
    }

    fn number(&self, action: &Action) -> Result<Option<u32>, TargetError> {
        let subject = &action.subject;
        Ok(self.store.group_number(&subject.source, &subject.id)?)
    }

    pub(super) async fn memberships(&self, actions: &[&Action]) -> Vec<Result<(), TargetError>> {
        let retags = match self.wanted(actions) {
            Ok(retags) => retags,
            Err(error) => {
                let text = error.to_string();
                let all = actions.iter();
                return all
                    .map(|_| Err(TargetError::Refused(text.clone())))
                    .collect();
            }
        };
        let done = self.retag_all(retags).await;
        let mut results: Vec<Result<(), TargetError>> = actions.iter().map(|_| Ok(())).collect();
        for (wanted_by, result) in done {
            let Err(error) = result else { continue };
            for number in wanted_by {
                // One that says Applivery is away says more than any other.
                let worse = match &results[number] {
                    Ok(()) => true,
                    Err(before) => {
                        !matches!(before, TargetError::Away(_))
                            && matches!(error, TargetError::Away(_))
                    }
                };
                if worse {
                    results[number] = Err(again(&error));
                }
            }
        }
        results
    }

    fn wanted(&self, actions: &[&Action]) -> Result<Retags, TargetError> {
        let mut retags = Retags::new();
        for (number, action) in actions.iter().enumerate() {
            let source = &action.subject.source;
            let group = self.number(action)?;
            let link = match group {
                Some(group) => self.store.group_link(&action.portal, source, group)?,
                None => None,
            };
            // The name that the tag has, which is the last one that was applied.
            let name = link.map_or_else(|| action.key.clone(), |link| link.display_name);
            for key in &action.members {
                let place = (action.portal.clone(), key.clone());
                let retag = retags.entry(place).or_default();
                retag.wanted_by.push(number);
                match (action.op, group) {
                    (Op::AddMembers, _) => {
                        retag.add.insert(name.clone());
                    }
                    (_, group) => {
                        retag.remove.insert(name.clone());
                        if let Some(group) = group {
                            retag.left.insert(source, group);
                        }
                    }
                }
            }
        }
        Ok(retags)
    }

    /// Carries changes of tags out, account by account: who wanted them, and what came of it.
    async fn retag_all(&self, retags: Retags) -> Vec<(Vec<usize>, Result<(), TargetError>)> {
        let mut many: BTreeMap<String, usize> = BTreeMap::new();
        for (portal, _) in retags.keys() {
            *many.entry(portal.clone()).or_default() += 1;
        }
        for (portal, many) in many {
            if let Err(error) = self.expect_in(&portal, many).await {
                let all = retags.into_values();
                return all
                    .map(|retag| (retag.wanted_by, Err(again(&error))))
                    .collect();
            }
        }
        stream::iter(retags)
            .map(|((portal, key), retag)| async move {
                let result = self.retag(&portal, &key, &retag).await;
                (retag.wanted_by, result)
            })
            .buffer_unordered(self.options.settings.concurrency)
            .collect()
            .await
    }

    async fn expect_in(&self, portal: &str, many: usize) -> Result<(), TargetError> {
        self.is_there()?;
        let place = self.place(portal)?;
        let expected = place.known.expect(&self.client, place.kind, many).await;
        expected.map_err(|failure| self.unanswered(failure))
    }

    async fn retag(&self, portal: &str, key: &str, retag: &Retag) -> Result<(), TargetError> {
        self.is_there()?;
        let place = self.place(portal)?;
        let link = self.store.link(portal, key)?;
        let who = link.as_ref().map_or(("", ""), Link::owner);
        let Some(mut person) = self.standing(portal, place, who, key).await? else {
            return match retag.add.is_empty() {
                true => Ok(()),
                false => Err(gone(key)),
            };
        };
        // The owner is left alone, tags included.
        if person.is_owner() {
            return Ok(());
        }
        let mut kept = link.map(|link| link.groups).unwrap_or_default();
        for (source, group) in retag.left.iter() {
            kept.remove(source, group);
        }
        let kept = self.names_of(portal, &kept)?;
        let mut tags = person.tags.clone();
        tags.retain(|tag| !retag.remove.contains(tag) || kept.contains(tag));
        tags.extend(retag.add.iter().cloned());
        if tags == person.tags {
            return Ok(());
        }
        if place.kind == Kind::Employee && !self.options.settings.undocumented_calls {
            return Err(TargetError::Refused(format!(
                "Applivery documents no call that changes an employee's tags; '{}.undocumented_calls' allows one that may work",
                self.options.path
            )));
        }
        let path = place.kind.path_of(&person.id);
        let body = json!({ "tags": tags });
        let what = "the tags of the account";
        let put = self.client.call(Method::PUT, what, &path, Some(&body));
        put.await.map_err(|failure| self.told(failure))?;
        person.tags = tags;
        place.known.note(person.key(), Some(person)).await;
        Ok(())
    }

    pub(super) async fn group(&self, action: &Action) -> Result<(), TargetError> {
        let renamed = action
            .changes
            .iter()
            .find(|change| change.attribute == "displayName");
        let retags = match (action.op, renamed) {
            (Op::UpdateGroup, Some(change)) => {
                let after = change.after.as_ref().map(|name| name.plain());
                self.rename(action, after.unwrap_or_default())?
            }
            (Op::DeleteGroup, _) => self.strip(action).await?,
            // Nothing stands for a group until somebody is in it.
            _ => return Ok(()),
        };
        for (_, result) in self.retag_all(retags).await {
            result?;
        }
        Ok(())
    }

    /// What a group's new name means for its members.
    fn rename(&self, action: &Action, after: String) -> Result<Retags, TargetError> {
        let (portal, source) = (&action.portal, &action.subject.source);
        let mut retags = Retags::new();
        let Some(number) = self.number(action)? else {
            return Ok(retags);
        };
        let Some(group) = self.store.group_link(portal, source, number)? else {
            return Ok(retags);
        };
        for link in self.store.links(portal) {
            let link = link?;
            if link.groups.contains(source, number) {
                let mut retag = Retag::default();
                retag.add.insert(after.clone());
                retag.remove.insert(group.display_name.clone());
                retag.left.insert(source, number);
                retags.insert((portal.clone(), link.key), retag);
            }
        }
        Ok(retags)
    }

    /// Whom a group that is deleted leaves its tag to. The links tell no longer: they gave the
    /// group up when that was decided.
    async fn strip(&self, action: &Action) -> Result<Retags, TargetError> {
        self.is_there()?;
        let (portal, source) = (&action.portal, &action.subject.source);
        let place = self.place(portal)?;
        let mut retags = Retags::new();
        let Some(number) = self.number(action)? else {
            return Ok(retags);
        };
        let Some(group) = self.store.group_link(portal, source, number)? else {
            return Ok(retags);
        };
        let people = place.known.all(&self.client, place.kind).await;
        for (key, person) in people.map_err(|failure| self.unanswered(failure))? {
            if person.tags.contains(&group.display_name) && self.store.link(portal, &key)?.is_some()
            {
                let mut retag = Retag::default();
                retag.remove.insert(group.display_name.clone());
                retag.left.insert(source, number);
                retags.insert((portal.clone(), key), retag);
            }
        }
        Ok(retags)
    }
}

/// The same error once more, for another action that it is about.
fn again(error: &TargetError) -> TargetError {
    match error {
        TargetError::Away(text) => TargetError::Away(text.clone()),
        other => TargetError::Refused(other.to_string()),
    }
}
