//! Who is in a group: added and taken out in batches, halved where one is refused, down to the
//! one member that is the trouble.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Ask;
use super::pace::Doing;
use super::trouble::Trouble;
use super::wire;
use super::{Fail, Scim};
use crate::config::{MemberRemove, ReadMembers};
use crate::plan::{Action, GroupLink, Op, SubjectKind};
use crate::store::target_ids::{TargetId, put_target_id};
use crate::targets::{Step, TargetError};

/// So many single members may be refused with nobody taken in between, before it is the group
/// that is taken to be the trouble.
const MOST_REFUSED: usize = 5;

/// Asks for members where they are not shown unasked.
const WITH_MEMBERS: [(&str, &str); 1] = [("includeMembers", "true")];

/// By portal, source and number of the group: the steps whose accounts leave it, and who they are.
type Leaving<'a> = BTreeMap<(&'a str, String, u32), Vec<(usize, String)>>;

/// What became of a list of members.
#[derive(Default)]
struct Refused {
    count: usize,
    first: Option<Trouble>,
    /// How many in a row.
    run: usize,
}

impl Scim {
    pub(super) async fn change_members(&self, action: &Action) -> Result<(), TargetError> {
        self.takes_groups().await?;
        let adds = action.op == Op::AddMembers;
        let (ids, missing) = self.ids_of(&action.portal, &action.members, adds).await?;
        let id = match self.group_id(action).await? {
            Some(id) => id,
            // A group that is gone has nobody in it.
            None if !adds => return Ok(()),
            None => self.group_again(action).await?,
        };
        let refused = match self.members_in_batches(&id, &ids, adds).await {
            Err(Trouble::Gone) if !adds => Refused::default(),
            Err(Trouble::Gone) => {
                let id = self.group_again(action).await?;
                self.members_in_batches(&id, &ids, adds).await?
            }
            answer => answer?,
        };
        let of = action.members.len();
        if let Some(first) = refused.first {
            let text = TargetError::from(first).to_string();
            return Err(TargetError::Refused(format!(
                "{} of {of} members were refused, the others are through: {text}",
                refused.count
            )));
        }
        match missing.first() {
            Some(first) if adds => Err(TargetError::Refused(format!(
                "{} of {of} members have no account in the target, '{first}' among them; the others are through",
                missing.len()
            ))),
            _ => Ok(()),
        }
    }

    /// What the provider calls the accounts under these keys; and the keys of those it has not.
    async fn ids_of(
        &self,
        portal: &str,
        keys: &[String],
        look: bool,
    ) -> Result<(Vec<String>, Vec<String>), TargetError> {
        let (mut ids, mut missing) = (Vec::new(), Vec::new());
        for key in keys {
            let Some(link) = self.store.link(portal, key)? else {
                missing.push(key.clone());
                continue;
            };
            let known =
                self.store
                    .target_id(portal, SubjectKind::User, &link.source, &link.user)?;
            let id = match known {
                Some(id) => Some(id),
                None if !look => None,
                None => {
                    let found = self.seek(portal, &link.user, &link.account).await?;
                    if let Some(found) = &found {
                        let row = TargetId {
                            kind: SubjectKind::User,
                            source: link.source.clone(),
                            subject: link.user.clone(),
                            id: found.id.clone(),
                        };
                        self.store.write(vec![put_target_id(portal, &row)])?;
                    }
                    found.map(|found| found.id)
                }
            };
            match id {
                Some(id) => ids.push(id),
                None => missing.push(key.clone()),
            }
        }
        Ok((ids, missing))
    }

    /// Puts accounts into a group that is pushed, or takes them out; one that is not there any
    /// more is left alone.
    pub(super) async fn join_or_leave(
        &self,
        (portal, source, number): (&str, &str, u32),
        ids: &[String],
        adds: bool,
    ) -> Result<(), TargetError> {
        let Some(link) = self.store.group_link(portal, source, number)? else {
            return Ok(());
        };
        let group = self
            .store
            .target_id(portal, SubjectKind::Group, source, &link.id)?;
        match group {
            Some(group) => self.send_members(&group, ids, adds).await,
            None => Ok(()),
        }
    }

    /// Puts everybody back into a group that was made anew.
    pub(super) async fn fill(
        &self,
        portal: &str,
        group: &GroupLink,
        id: &str,
    ) -> Result<(), TargetError> {
        let mut keys = Vec::new();
        for link in self.store.links(portal) {
            let link = link?;
            if link.groups.contains(&group.source, group.number) {
                keys.push(link.key);
            }
        }
        let (ids, _) = self.ids_of(portal, &keys, true).await?;
        self.send_members(id, &ids, true).await
    }

    /// Takes those who are about to be removed out of their groups; gives the steps that must
    /// not go on because that failed.
    pub(super) async fn leave_groups(&self, steps: &[Step<'_>]) -> Vec<(usize, Fail)> {
        let mut leaving: Leaving<'_> = BTreeMap::new();
        let mut failed = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            let action = step.action;
            if action.op != Op::RemoveAccount {
                continue;
            }
            let known = self
                .link_of(action, None)
                .and_then(|link| Ok((link, self.known_id(action)?)));
            match known {
                Ok((Some(link), Some(id))) => {
                    for (source, number) in link.groups.iter() {
                        let group = (action.portal.as_str(), source.to_owned(), number);
                        leaving.entry(group).or_default().push((place, id.clone()));
                    }
                }
                Ok(_) => {}
                Err(error) => failed.push((place, error.into())),
            }
        }
        for ((portal, source, number), who) in leaving {
            let ids: Vec<String> = who.iter().map(|(_, id)| id.clone()).collect();
            if let Err(error) = self
                .join_or_leave((portal, &source, number), &ids, false)
                .await
            {
                let fail = Fail::Target(error);
                failed.extend(who.iter().map(|(place, _)| (*place, fail.again())));
            }
        }
        failed
    }

    /// Everybody or an error; of a group that is gone there is nobody to take out.
    pub(super) async fn send_members(
        &self,
        group: &str,
        ids: &[String],
        adds: bool,
    ) -> Result<(), TargetError> {
        match self.members_in_batches(group, ids, adds).await {
            Ok(Refused { first: None, .. }) => Ok(()),
            Ok(Refused {
                first: Some(trouble),
                ..
            }) => Err(trouble.into()),
            Err(Trouble::Gone) if !adds => Ok(()),
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn members_in_batches(
        &self,
        group: &str,
        ids: &[String],
        adds: bool,
    ) -> Result<Refused, Trouble> {
        let mut refused = Refused::default();
        let size = self.profile.member_batch.max(1);
        // What is left, the next on top.
        let mut batches: Vec<&[String]> = ids.chunks(size).rev().collect();
        while let Some(batch) = batches.pop() {
            match self.member_batch(group, batch, adds).await {
                Ok(()) => refused.run = 0,
                // Nobody is asked to leave a group that has no such member.
                Err(trouble) if !adds && trouble.found_no_target() && batch.len() == 1 => {}
                Err(Trouble::Gone) if batch.len() == 1 && self.is_there(group).await? => {
                    note(&mut refused, Trouble::Gone);
                }
                Err(trouble) if trouble.may_be_too_much() && batch.len() > 1 => {
                    if trouble == Trouble::Gone && !self.is_there(group).await? {
                        return Err(Trouble::Gone);
                    }
                    let (first, second) = batch.split_at(batch.len() / 2);
                    batches.push(second);
                    batches.push(first);
                }
                Err(Trouble::Refused {
                    status,
                    scim_type,
                    text,
                }) => note(
                    &mut refused,
                    Trouble::Refused {
                        status,
                        scim_type,
                        text,
                    },
                ),
                Err(trouble) => return Err(trouble),
            }
            if refused.run >= MOST_REFUSED {
                refused.count += batches.iter().map(|batch| batch.len()).sum::<usize>();
                return Ok(refused);
            }
        }
        Ok(refused)
    }

    /// Whether it is the group that is gone, or a member.
    async fn is_there(&self, group: &str) -> Result<bool, Trouble> {
        let url = self
            .client
            .url(&["Groups", group], &[("excludedAttributes", "members")]);
        Ok(self.client.get("reading a group", url).await?.is_some())
    }

    async fn member_batch(&self, group: &str, ids: &[String], adds: bool) -> Result<(), Trouble> {
        if adds {
            let values: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
            let add = json!({"op": "add", "path": "members", "value": values});
            return self.patch_group(group, vec![add]).await;
        }
        let style = self.learnt().member_remove;
        let first = self.patch_group(group, removal(ids, style)).await;
        let other = match (style, &first) {
            // Of one that takes lists only some say so; the form of the RFC does no harm.
            (MemberRemove::ValueList, Err(Trouble::Refused { status: 400, .. }))
            | (MemberRemove::ValueList, Err(Trouble::Unsupported(_))) => MemberRemove::PathFilter,
            // Whoever is strict could take a list for "everybody", so only who says that paths
            // with filters are beyond it is sent one.
            (MemberRemove::PathFilter, Err(Trouble::Unsupported(_))) => MemberRemove::ValueList,
            _ => return first,
        };
        let second = self.patch_group(group, removal(ids, other)).await;
        if second.is_ok() {
            self.learn(|learnt| learnt.member_remove = other);
            return Ok(());
        }
        first
    }

    async fn patch_group(&self, group: &str, operations: Vec<Value>) -> Result<(), Trouble> {
        let ask = Ask {
            what: "changing the members of a group",
            method: Method::PATCH,
            url: self.client.url(&["Groups", group], &[]),
            body: Some(&wire::patch(operations)),
            doing: Doing::WriteGroup,
        };
        self.client.send(ask).await.map(drop)
    }

    /// What a request has to say to be shown members.
    pub(super) fn asks_for_members(&self) -> &'static [(&'static str, &'static str)] {
        match self.profile.read_members {
            ReadMembers::OptIn => &WITH_MEMBERS,
            ReadMembers::Full | ReadMembers::None => &[],
        }
    }
}

fn note(refused: &mut Refused, trouble: Trouble) {
    refused.count += 1;
    refused.run += 1;
    refused.first.get_or_insert(trouble);
}

fn removal(ids: &[String], style: MemberRemove) -> Vec<Value> {
    match style {
        MemberRemove::PathFilter => ids
            .iter()
            .map(|id| {
                let path = format!("members[{}]", wire::equals("value", id));
                json!({"op": "remove", "path": path})
            })
            .collect(),
        MemberRemove::ValueList => {
            let values: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
            vec![json!({"op": "remove", "path": "members", "value": values})]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_always_names_who_is_to_go() {
        let ids = ["srv-1".to_owned(), "a\"b".to_owned()];
        assert_eq!(
            removal(&ids, MemberRemove::PathFilter),
            [
                json!({"op": "remove", "path": "members[value eq \"srv-1\"]"}),
                json!({"op": "remove", "path": "members[value eq \"a\\\"b\"]"}),
            ]
        );
        assert_eq!(
            removal(&ids, MemberRemove::ValueList),
            [json!({"op": "remove", "path": "members",
                "value": [{"value": "srv-1"}, {"value": "a\"b"}]})]
        );
    }
}
