//! The steps of one user, in order.
//!
//! What several steps change of an account (it is enabled, renamed, and its role follows) goes
//! in one request.

use reqwest::Method;

use super::client::Ask;
use super::memory::FoundUser;
use super::pace::Doing;
use super::trouble::Trouble;
use super::update::Update;
use super::{Done, Fail, Scim};
use crate::config::{OnRemove, RoleAs};
use crate::plan::{Account, Action, Link, Op, SubjectKind};
use crate::store::target_ids::{TargetId, delete_target_id, put_target_id};
use crate::targets::{Step, TargetError};

impl Scim {
    pub(super) async fn user(&self, steps: &[(usize, &Step<'_>)]) -> Done {
        let mut done = Vec::new();
        let mut rest = steps;
        while let Some((place, step)) = rest.first() {
            let changes = |(_, step): &&(usize, &Step<'_>)| is_change(step.action.op);
            let together = rest.iter().take_while(changes).count();
            if together > 0 {
                let (now, later) = rest.split_at(together);
                rest = later;
                let result = self.change(now).await;
                // One request, one answer for all of them.
                let again = |_: &_| match &result {
                    Ok(()) => Ok(()),
                    Err(fail) => Err(fail.again()),
                };
                done.extend(now.iter().map(|one| (one.0, again(one))));
                continue;
            }
            rest = &rest[1..];
            let action = step.action;
            let result = match action.op {
                Op::CreateAccount => {
                    let mut account = Account::default();
                    account.apply(&action.changes);
                    self.create(action, &account).await.map(drop)
                }
                Op::AdoptAccount => self.adopt(action).await,
                Op::RemoveAccount => self.remove(action).await,
                _ => Err(TargetError::Refused(
                    "a SCIM service knows nothing of devices".to_owned(),
                )
                .into()),
            };
            done.push((*place, result));
        }
        done
    }

    /// Several changes of one account, in one request.
    pub(super) async fn change(&self, steps: &[(usize, &Step<'_>)]) -> Result<(), Fail> {
        let Some((_, first)) = steps.first() else {
            return Ok(());
        };
        let action = first.action;
        let (before, after) = self.before_and_after(steps)?;
        let known = self.known_id(action)?;
        let id = match known {
            Some(id) => id,
            None => match self.seek_own(action, &before).await? {
                Some(found) => found.id,
                None => return self.make_again(action, &after).await,
            },
        };
        let update = Update {
            before: &before,
            after: &after,
            external_id: None,
        };
        match self.update_user(&id, &update).await {
            Ok(()) => {}
            Err(Trouble::Gone) => return self.replace_lost(action, &after).await,
            Err(Trouble::Taken(text)) => return Err(Fail::Taken(text)),
            Err(trouble) => return Err(trouble.into()),
        }
        self.role_follows(&id, &before, &after).await?;
        Ok(())
    }

    /// What an account was when it was last told of, and what its steps make of it.
    pub(super) fn before_and_after(
        &self,
        steps: &[(usize, &Step<'_>)],
    ) -> Result<(Account, Account), TargetError> {
        let mut before = Account::default();
        if let Some((_, first)) = steps.first()
            && let Some(link) = self.link_of(first.action, first.old_key)?
        {
            before = link.account;
        }
        let mut after = before.clone();
        for (_, step) in steps {
            after.apply(&step.action.changes);
        }
        Ok((before, after))
    }

    /// The account's link, under the key it stands under now.
    pub(super) fn link_of(
        &self,
        action: &Action,
        old_key: Option<&str>,
    ) -> Result<Option<Link>, TargetError> {
        let key = old_key.unwrap_or(&action.key);
        Ok(self.store.link(&action.portal, key)?)
    }

    /// What the provider calls the subject, if that is known.
    pub(super) fn known_id(&self, action: &Action) -> Result<Option<String>, TargetError> {
        let subject = &action.subject;
        Ok(self
            .store
            .target_id(&action.portal, subject.kind, &subject.source, &subject.id)?)
    }

    pub(super) fn note_id(&self, action: &Action, id: &str) -> Result<(), TargetError> {
        let subject = &action.subject;
        let row = TargetId {
            kind: subject.kind,
            source: subject.source.clone(),
            subject: subject.id.clone(),
            id: id.to_owned(),
        };
        Ok(self
            .store
            .write(vec![put_target_id(&action.portal, &row)])?)
    }

    pub(super) fn forget_id(&self, action: &Action) -> Result<(), TargetError> {
        let subject = &action.subject;
        let gone = delete_target_id(&action.portal, subject.kind, &subject.source, &subject.id);
        Ok(self.store.write(vec![gone])?)
    }

    /// Finds a linked account whose id is not known, and notes the id. One that carries the id
    /// of somebody else at the source is not it.
    pub(super) async fn seek_own(
        &self,
        action: &Action,
        account: &Account,
    ) -> Result<Option<FoundUser>, TargetError> {
        let subject = &action.subject.id;
        let found = self.seek(&action.portal, subject, account).await?;
        let own = found.filter(|found| match &found.external_id {
            Some(id) => id == subject,
            None => true,
        });
        if let Some(found) = &own {
            self.note_id(action, &found.id)?;
        }
        Ok(own)
    }

    /// The id we had leads nowhere any more.
    async fn replace_lost(&self, action: &Action, after: &Account) -> Result<(), Fail> {
        self.forget_id(action)?;
        let Some(found) = self.seek_own(action, after).await? else {
            return self.make_again(action, after).await;
        };
        let update = Update {
            before: &found.account,
            after,
            external_id: foreign(&found, &action.subject.id),
        };
        self.update_user(&found.id, &update).await?;
        self.role_follows(&found.id, &Account::default(), after)
            .await?;
        Ok(())
    }

    /// Somebody removed the account there. It is made again if it is to be active; one that is
    /// to be inactive is as good as that.
    async fn make_again(&self, action: &Action, after: &Account) -> Result<(), Fail> {
        if !after.active {
            return Ok(());
        }
        let id = self.create(action, after).await?;
        // The memberships went with it.
        let link = match self.store.link(&action.portal, &action.key)? {
            Some(link) => Some(link),
            None => self.moved_link(action)?,
        };
        for (source, number) in link.iter().flat_map(|link| link.groups.iter()) {
            self.join_or_leave(
                (&action.portal, source, number),
                std::slice::from_ref(&id),
                true,
            )
            .await?;
        }
        Ok(())
    }

    /// The link of a subject whose key is on its way.
    fn moved_link(&self, action: &Action) -> Result<Option<Link>, TargetError> {
        let subject = &action.subject;
        let Some(row) = self.store.user(&subject.source, &subject.id)? else {
            return Ok(None);
        };
        for key in &row.old_keys {
            let link = self.store.link(&action.portal, key)?;
            if let Some(link) = link
                && link.source == subject.source
                && link.user == subject.id
            {
                return Ok(Some(link));
            }
        }
        Ok(None)
    }

    /// Takes over an account that stands there: of somebody of ours whose key it has been, or
    /// of nobody.
    async fn adopt(&self, action: &Action) -> Result<(), Fail> {
        let subject = &action.subject.id;
        let link = self.store.link(&action.portal, &action.key)?;
        let (found, decided_on) = match link {
            Some(link) => {
                let before = link.account.clone();
                let id = self.store.target_id(
                    &action.portal,
                    SubjectKind::User,
                    &link.source,
                    &link.user,
                )?;
                let found = match id {
                    Some(id) => Some(FoundUser {
                        id,
                        external_id: Some(link.user.clone()),
                        account: before.clone(),
                    }),
                    None => self.seek(&action.portal, &link.user, &before).await?,
                };
                if (&link.source, &link.user) != (&action.subject.source, subject) {
                    let gone = delete_target_id(
                        &action.portal,
                        SubjectKind::User,
                        &link.source,
                        &link.user,
                    );
                    self.store.write(vec![gone])?;
                }
                (found, before)
            }
            None => {
                let found = self.find_user(&action.portal, &action.key).await?;
                let before = found.as_ref().map(|found| found.account.clone());
                (found, before.unwrap_or_default())
            }
        };
        let mut after = decided_on;
        after.apply(&action.changes);
        let Some(mut found) = found else {
            return self.create(action, &after).await.map(drop);
        };
        // Whose account it was may have been removed a moment ago.
        let deleted = self.run().deleted.contains(&found.id);
        if deleted {
            return self.create(action, &after).await.map(drop);
        }
        if self.run().disabled.contains(&found.id) {
            found.account.active = false;
        }
        let update = Update {
            before: &found.account,
            after: &after,
            external_id: foreign(&found, subject),
        };
        match self.update_user(&found.id, &update).await {
            Ok(()) => self.note_id(action, &found.id)?,
            Err(Trouble::Gone) => return self.create(action, &after).await.map(drop),
            Err(Trouble::Taken(text)) => return Err(Fail::Taken(text)),
            Err(trouble) => return Err(trouble.into()),
        }
        self.role_follows(&found.id, &found.account, &after).await?;
        Ok(())
    }

    async fn remove(&self, action: &Action) -> Result<(), Fail> {
        let before = self.link_of(action, None)?.map(|link| link.account);
        let before = before.unwrap_or_default();
        let id = match self.known_id(action)? {
            Some(id) => Some(id),
            None => self.seek_own(action, &before).await?.map(|found| found.id),
        };
        let Some(id) = id else {
            return Ok(());
        };
        match self.profile.on_remove {
            OnRemove::Nothing => {}
            OnRemove::Deactivate => {
                let mut after = before.clone();
                after.active = false;
                let update = Update {
                    before: &before,
                    after: &after,
                    external_id: None,
                };
                match self.update_user(&id, &update).await {
                    Ok(()) | Err(Trouble::Gone) => {}
                    Err(trouble) => return Err(trouble.into()),
                }
                self.run().disabled.insert(id.clone());
            }
            OnRemove::Delete => {
                let ask = Ask {
                    what: "deleting a user",
                    method: Method::DELETE,
                    url: self.client.url(&["Users", &id], &[]),
                    body: None,
                    doing: Doing::WriteUser,
                };
                match self.client.send(ask).await {
                    Ok(_) | Err(Trouble::Gone) => {}
                    Err(trouble) => return Err(trouble.into()),
                }
                self.run().deleted.insert(id.clone());
            }
        }
        if self.profile.role_as == RoleAs::Groups && self.profile.on_remove != OnRemove::Delete {
            let nobody = Account::default();
            self.role_follows(&id, &before, &nobody).await?;
        }
        self.forget_id(action)?;
        Ok(())
    }
}

/// What the object is to carry as `externalId`, where it carries something else.
pub(super) fn foreign<'s>(found: &FoundUser, subject: &'s str) -> Option<&'s str> {
    (found.external_id.as_deref() != Some(subject)).then_some(subject)
}

pub(super) fn is_change(op: Op) -> bool {
    matches!(
        op,
        Op::EnableAccount | Op::UpdateAccount | Op::SetRole | Op::DisableAccount
    )
}
