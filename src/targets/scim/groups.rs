//! Groups: made, renamed, deleted.
//!
//! A group is looked for before it is made. One that carries our id is ours; one of the same
//! name that carries nobody's is adopted, as is one whose id is no group of ours.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Scim;
use super::client::Ask;
use super::memory::{GroupRead, LOOK_UPS};
use super::pace::Doing;
use super::place::text_of;
use super::trouble::Trouble;
use super::wire;
use crate::config::{FilterOps, GroupsWord, MatchGroup, UpdateBy};
use crate::directory::fold::fold;
use crate::plan::{Action, GroupLink, SubjectKind};
use crate::scim::schema::urn;
use crate::targets::TargetError;

/// Members are of no interest here, and there may be many. Whoever does not know the parameter
/// leaves it alone.
const WITHOUT_MEMBERS: [(&str, &str); 1] = [("excludedAttributes", "members")];

const TRIES: u32 = 2;

/// How often the provider may ask for a moment's patience before a group is made.
const MOMENTS: u32 = 20;

impl Scim {
    pub(super) async fn create_group(&self, action: &Action) -> Result<(), TargetError> {
        self.takes_groups().await?;
        let wanted = self.wanted(action)?;
        self.may_touch(&wanted.display_name)?;
        if let Some(id) = self.known_id(action)? {
            // Made by a run that was cut off before it could note so.
            return match self.rename(&id, &wanted).await {
                Err(Trouble::Gone) => {
                    self.forget_id(action)?;
                    self.find_or_make(action, &wanted).await.map(drop)
                }
                answer => Ok(answer?),
            };
        }
        self.find_or_make(action, &wanted).await.map(drop)
    }

    pub(super) async fn update_group(&self, action: &Action) -> Result<(), TargetError> {
        self.takes_groups().await?;
        let wanted = self.wanted(action)?;
        self.may_touch(&wanted.display_name)?;
        let before = self.group_link(action)?;
        if !self.profile.group_rename
            && before.is_some_and(|before| before.display_name != wanted.display_name)
        {
            return Err(TargetError::Refused(
                "groups of this service cannot be renamed; it keeps the name it has".to_owned(),
            ));
        }
        if let Some(id) = self.known_id(action)? {
            match self.rename(&id, &wanted).await {
                Err(Trouble::Gone) => self.forget_id(action)?,
                answer => return Ok(answer?),
            }
        }
        self.made_anew(action, &wanted).await.map(drop)
    }

    pub(super) async fn delete_group(&self, action: &Action) -> Result<(), TargetError> {
        self.may_touch(&action.key)?;
        let id = match self.known_id(action)? {
            Some(id) => Some(id),
            None => self.own_group(action).await?,
        };
        if let Some(id) = id {
            let ask = Ask {
                what: "deleting a group",
                method: Method::DELETE,
                url: self.client.url(&["Groups", &id], &[]),
                body: None,
                doing: Doing::WriteGroup,
            };
            match self.client.send(ask).await {
                Ok(_) | Err(Trouble::Gone) => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        self.forget_id(action)
    }

    /// The id of a group that is pushed already; None where it is nowhere to be found.
    pub(super) async fn group_id(&self, action: &Action) -> Result<Option<String>, TargetError> {
        match self.known_id(action)? {
            Some(id) => Ok(Some(id)),
            None => {
                let wanted = self.wanted(action)?;
                let found = self.look_for(action, &wanted).await?;
                if let Some(found) = &found {
                    self.note_id(action, &found.id)?;
                }
                Ok(found.map(|found| found.id))
            }
        }
    }

    /// Makes a group that was lost anew, with everybody in it.
    pub(super) async fn group_again(&self, action: &Action) -> Result<String, TargetError> {
        self.forget_id(action)?;
        let wanted = self.wanted(action)?;
        self.made_anew(action, &wanted).await
    }

    async fn made_anew(&self, action: &Action, wanted: &GroupLink) -> Result<String, TargetError> {
        let id = self.find_or_make(action, wanted).await?;
        if let Err(error) = self.fill(&action.portal, wanted, &id).await {
            // Found again by the next try, which then fills it again.
            self.forget_id(action)?;
            return Err(error);
        }
        Ok(id)
    }

    /// The group as it is to be.
    fn wanted(&self, action: &Action) -> Result<GroupLink, TargetError> {
        let subject = &action.subject;
        let number = self.store.group_number(&subject.source, &subject.id)?;
        let number = number.ok_or_else(|| {
            TargetError::Refused(format!("group '{}' is not in the directory", action.key))
        })?;
        let known = self
            .store
            .group_link(&action.portal, &subject.source, number)?;
        let mut wanted = known.unwrap_or_else(|| GroupLink {
            display_name: action.key.clone(),
            ..GroupLink::of(action, number)
        });
        wanted.apply(&action.changes);
        if wanted.external_id.is_empty() {
            wanted.external_id.clone_from(&subject.id);
        }
        Ok(wanted)
    }

    fn group_link(&self, action: &Action) -> Result<Option<GroupLink>, TargetError> {
        let subject = &action.subject;
        Ok(
            match self.store.group_number(&subject.source, &subject.id)? {
                Some(number) => self
                    .store
                    .group_link(&action.portal, &subject.source, number)?,
                None => None,
            },
        )
    }

    fn may_touch(&self, name: &str) -> Result<(), TargetError> {
        let prefixes = &self.profile.protected_group_prefixes;
        match prefixes.iter().find(|prefix| name.starts_with(*prefix)) {
            None => Ok(()),
            Some(prefix) => Err(TargetError::Refused(format!(
                "groups whose names begin with '{prefix}' are the service's own and are not touched: leave the group out of groups.push"
            ))),
        }
    }

    async fn find_or_make(
        &self,
        action: &Action,
        wanted: &GroupLink,
    ) -> Result<String, TargetError> {
        let body = json!({
            "schemas": [urn::GROUP],
            "externalId": wanted.external_id,
            "displayName": wanted.display_name,
        });
        let (mut tries, mut moments) = (0, 0);
        loop {
            if let Some(found) = self.look_for(action, wanted).await? {
                let same = found.display_name == wanted.display_name
                    && found.external_id.as_ref() == Some(&wanted.external_id);
                if !same {
                    self.rename(&found.id, wanted).await?;
                }
                self.note_id(action, &found.id)?;
                return Ok(found.id);
            }
            tries += 1;
            let ask = Ask {
                what: "creating a group",
                method: Method::POST,
                url: self.client.url(&["Groups"], &[]),
                body: Some(&body),
                doing: Doing::WriteGroup,
            };
            match self.client.send(ask).await {
                Ok(made) => {
                    let id = made.as_ref().and_then(wire::id_of).ok_or_else(|| {
                        TargetError::Refused(
                            "the service took the group and gave it no id".to_owned(),
                        )
                    })?;
                    self.note_id(action, &id)?;
                    return Ok(id);
                }
                // It may be what an earlier try made: look again, with new eyes.
                Err(Trouble::Taken(_) | Trouble::Fault(_)) if tries < TRIES => {
                    self.run().groups = None;
                    tokio::time::sleep(crate::http::backoff(tries)).await;
                }
                // The next one waits by itself until its time has come.
                Err(Trouble::Later(_)) if moments < MOMENTS => {
                    (tries, moments) = (tries - 1, moments + 1);
                    self.run().groups = None;
                }
                Err(Trouble::Fault(text)) => return Err(self.client.weigh(text).await.into()),
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    async fn rename(&self, id: &str, wanted: &GroupLink) -> Result<(), Trouble> {
        if self.learnt().group_update == UpdateBy::Put {
            return self.put_group(id, wanted).await;
        }
        let operations = vec![
            json!({"op": "replace", "path": "displayName", "value": wanted.display_name}),
            json!({"op": "replace", "path": "externalId", "value": wanted.external_id}),
        ];
        let pathless = vec![json!({"op": "replace", "value": {
            "displayName": wanted.display_name, "externalId": wanted.external_id,
        }})];
        let forms = match self.learnt().pathless {
            true => vec![pathless],
            false => vec![operations, pathless],
        };
        let mut refusal = None;
        for operations in forms {
            let ask = Ask {
                what: "changing a group",
                method: Method::PATCH,
                url: self.client.url(&["Groups", id], &[]),
                body: Some(&wire::patch(operations)),
                doing: Doing::WriteGroup,
            };
            match self.client.send(ask).await {
                Err(trouble) if trouble.is_about_the_path() => refusal = Some(trouble),
                answer => return answer.map(drop),
            }
        }
        match refusal {
            Some(Trouble::Unsupported(_)) => {
                self.put_group(id, wanted).await?;
                self.learn(|learnt| learnt.group_update = UpdateBy::Put);
                Ok(())
            }
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// A PUT without its members would empty the group, so it is read first.
    async fn put_group(&self, id: &str, wanted: &GroupLink) -> Result<(), Trouble> {
        let url = self.client.url(&["Groups", id], self.asks_for_members());
        let read = self.client.get("reading a group", url).await?;
        let Some(mut group) = read else {
            return Err(Trouble::Gone);
        };
        group.remove("meta");
        group.insert("displayName".to_owned(), json!(wanted.display_name));
        group.insert("externalId".to_owned(), json!(wanted.external_id));
        let body = Value::Object(group);
        let ask = Ask {
            what: "changing a group",
            method: Method::PUT,
            url: self.client.url(&["Groups", id], &[]),
            body: Some(&body),
            doing: Doing::WriteGroup,
        };
        self.client.send(ask).await.map(drop)
    }

    /// The group that stands for one of ours, or may be made to.
    async fn look_for(
        &self,
        action: &Action,
        wanted: &GroupLink,
    ) -> Result<Option<GroupRead>, TargetError> {
        for by in self.profile.match_group.clone() {
            let value = match by {
                MatchGroup::ExternalId => &wanted.external_id,
                MatchGroup::DisplayName => &wanted.display_name,
            };
            for group in self.groups_by(by, value).await? {
                let own = group.external_id.as_ref() == Some(&wanted.external_id);
                let fits = match by {
                    MatchGroup::ExternalId => own,
                    MatchGroup::DisplayName => {
                        fold(&group.display_name) == fold(&wanted.display_name)
                            && (own
                                || !self.is_another_of_ours(action, &group)?
                                    && self.claims(action, &group.id))
                    }
                };
                if fits {
                    return Ok(Some(group));
                }
            }
        }
        Ok(None)
    }

    /// Two groups of one name may be looking at the same moment: the first to claim one gets it.
    fn claims(&self, action: &Action, id: &str) -> bool {
        let who = (action.subject.source.clone(), action.subject.id.clone());
        let mut run = self.run();
        *run.claimed
            .entry(id.to_owned())
            .or_insert_with(|| who.clone())
            == who
    }

    /// Two groups may have one name. One that stands for another group is not taken from it.
    fn is_another_of_ours(&self, action: &Action, group: &GroupRead) -> Result<bool, TargetError> {
        // Rows of groups sort before those of users.
        for row in self.store.target_ids(&action.portal) {
            let row = row?;
            if row.kind != SubjectKind::Group {
                break;
            }
            if row.id == group.id {
                return Ok(
                    (&row.source, &row.subject) != (&action.subject.source, &action.subject.id)
                );
            }
        }
        // Its row may be lost, or be about to be written; what it carries is there.
        let Some(external_id) = &group.external_id else {
            return Ok(false);
        };
        for source in self.sources(&action.portal) {
            if self.store.group_number(source, external_id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A group that carries our id; only such a one is deleted when its own id is not known.
    async fn own_group(&self, action: &Action) -> Result<Option<String>, TargetError> {
        let wanted = match self.wanted(action) {
            Ok(wanted) => wanted,
            Err(TargetError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = self.look_for(action, &wanted).await?;
        Ok(found
            .filter(|group| group.external_id.as_ref() == Some(&wanted.external_id))
            .map(|group| group.id))
    }

    /// The groups that a filter finds, or the whole list has once that costs less.
    pub(super) async fn groups_by(
        &self,
        by: MatchGroup,
        value: &str,
    ) -> Result<Vec<GroupRead>, TargetError> {
        let filters = self.profile.filter_ops != FilterOps::None;
        let whole = {
            let mut run = self.run();
            run.group_look_ups += 1;
            let many = run.group_look_ups > LOOK_UPS && self.lists_whole();
            (many || !filters) && run.groups.is_none()
        };
        if whole {
            let mut all = Vec::new();
            let mut take = |group: Map<String, Value>| {
                all.extend(read_group(&group));
                Ok(())
            };
            self.walk("Groups", &WITHOUT_MEMBERS, &mut take).await?;
            self.run().groups = Some(all);
        }
        let folded = fold(value);
        let fits = |group: &&GroupRead| match by {
            MatchGroup::ExternalId => group.external_id.as_deref() == Some(value),
            MatchGroup::DisplayName => fold(&group.display_name) == folded,
        };
        if let Some(all) = &self.run().groups {
            return Ok(all.iter().filter(fits).cloned().collect());
        }
        let filter = wire::equals(by.as_str(), value);
        let found = self.filtered("Groups", &filter, &WITHOUT_MEMBERS).await?;
        let found: Vec<GroupRead> = found.iter().filter_map(read_group).collect();
        Ok(found.iter().filter(fits).cloned().collect())
    }

    /// Whether the provider has groups at all, where that is to be found out.
    pub(super) async fn takes_groups(&self) -> Result<(), TargetError> {
        if self.profile.groups != GroupsWord::Probe {
            return Ok(());
        }
        if !self.learnt().no_groups {
            let url = self
                .client
                .url(&["Groups"], &[("startIndex", "1"), ("count", "1")]);
            match self.client.get("the groups list", url).await {
                Ok(Some(_)) => return Ok(()),
                Err(Trouble::Away(text)) => return Err(TargetError::Away(text)),
                _ => self.learn(|learnt| learnt.no_groups = true),
            }
        }
        Err(TargetError::Refused(
            "groups are switched off in the service: switch them on there, or set groups = { push = [] } for the portal".to_owned(),
        ))
    }
}

pub(super) fn read_group(group: &Map<String, Value>) -> Option<GroupRead> {
    Some(GroupRead {
        id: wire::id_of(group)?,
        external_id: text_of(group, "externalId").map(str::to_owned),
        display_name: text_of(group, "displayName").unwrap_or_default().to_owned(),
    })
}
