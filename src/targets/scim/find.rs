//! Looking up what stands in the provider: by what it calls our objects, by filter, or in the
//! whole list.

use serde_json::{Map, Value};

use super::Scim;
use super::memory::{FoundUser, LOOK_UPS, Roster};
use super::trouble::Trouble;
use super::wire::{self, UserRead};
use crate::config::{FilterOps, MatchUser};
use crate::directory::fold::fold;
use crate::plan::{Account, SubjectKind};
use crate::rules::MatchOn;
use crate::store::target_ids::delete_target_id;
use crate::targets::TargetError;

impl Scim {
    /// The user that stands under a portal's match key, if it is nobody else's.
    pub(super) async fn find_user(
        &self,
        portal: &str,
        key: &str,
    ) -> Result<Option<FoundUser>, TargetError> {
        let place = (portal.to_owned(), key.to_owned());
        if let Some(found) = self.run().found.get(&place) {
            return Ok(Some(found.clone()));
        }
        let found = match self.find_known(portal, key).await? {
            Some(found) => Some(found),
            None => self.find_by_key(portal, key).await?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        if self.is_somebody_elses(portal, key, &found)? {
            return Ok(None);
        }
        self.run().found.insert(place, found.clone());
        Ok(Some(found))
    }

    /// An earlier run may have learnt what the account is called, and not have come to note
    /// that it is ours.
    async fn find_known(&self, portal: &str, key: &str) -> Result<Option<FoundUser>, TargetError> {
        let kind = self.match_on(portal);
        for (source, subject) in self.store.holders(kind.as_str(), key)? {
            let known = self
                .store
                .target_id(portal, SubjectKind::User, &source, &subject)?;
            let Some(id) = known else {
                continue;
            };
            let url = self.client.url(&["Users", &id], &[]);
            let read = self.client.get("looking up a user", url).await?;
            match read.and_then(|user| self.read(portal, &user)) {
                Some(read) => return Ok(Some(found(read))),
                None => {
                    let gone = delete_target_id(portal, SubjectKind::User, &source, &subject);
                    self.store.write(vec![gone])?;
                }
            }
        }
        Ok(None)
    }

    async fn find_by_key(&self, portal: &str, key: &str) -> Result<Option<FoundUser>, TargetError> {
        let filters = self.profile.filter_ops != FilterOps::None;
        let (many, whole) = {
            let mut run = self.run();
            run.look_ups += 1;
            let many = run.look_ups > LOOK_UPS && self.lists_whole();
            (many || !filters, run.roster.is_some())
        };
        if many && !whole {
            let roster = self.read_roster(portal).await?;
            self.run().roster = Some(roster);
        }
        if many || whole {
            let run = self.run();
            return Ok(run.roster.as_ref().and_then(|all| all.get(key)).cloned());
        }
        let match_on = self.match_on(portal);
        let mut best: Option<UserRead> = None;
        for by in self.filters_for(match_on) {
            for user in self.users_by(by, key).await? {
                if let Some(read) = self.read(portal, &user)
                    && keys_of(&read, match_on).iter().any(|own| own == key)
                    && best.as_ref().is_none_or(|best| goes_before(&read, best))
                {
                    best = Some(read);
                }
            }
            if best.is_some() {
                break;
            }
        }
        Ok(best.map(found))
    }

    /// What a match key can be filtered by, in the profile's order. An email may be a
    /// `userName` too: of providers that cannot be asked by email, most have it there.
    fn filters_for(&self, match_on: MatchOn) -> Vec<MatchUser> {
        let fits = |by: &MatchUser| match match_on {
            MatchOn::Email => matches!(by, MatchUser::UserName | MatchUser::Email),
            MatchOn::UserName => *by == MatchUser::UserName,
            MatchOn::ExternalId => *by == MatchUser::ExternalId,
        };
        self.profile
            .match_user
            .iter()
            .copied()
            .filter(fits)
            .collect()
    }

    /// The users that a filter finds. A provider that does not filter by email is not asked to
    /// again.
    pub(super) async fn users_by(
        &self,
        by: MatchUser,
        value: &str,
    ) -> Result<Vec<Map<String, Value>>, Trouble> {
        if by == MatchUser::Email && self.learnt().no_email_filter {
            return Ok(Vec::new());
        }
        if self.profile.filter_ops == FilterOps::None {
            return self.users_whose(by, value).await;
        }
        let filter = wire::equals(by.as_str(), value);
        match self.filtered("Users", &filter, &[]).await {
            Err(Trouble::Refused { status: 400, .. } | Trouble::Unsupported(_))
                if by == MatchUser::Email =>
            {
                self.learn(|learnt| learnt.no_email_filter = true);
                Ok(Vec::new())
            }
            answer => answer,
        }
    }

    /// The same of a provider that does not filter: everybody is looked at.
    async fn users_whose(
        &self,
        by: MatchUser,
        value: &str,
    ) -> Result<Vec<Map<String, Value>>, Trouble> {
        let value = fold(value);
        let mut found = Vec::new();
        let mut take = |user: Map<String, Value>| {
            let fits = wire::read_user(&user, &[], &self.profile).is_some_and(|read| match by {
                MatchUser::ExternalId => {
                    read.external_id.as_deref().map(fold).as_ref() == Some(&value)
                }
                MatchUser::UserName => {
                    read.account.user_name.as_deref().map(fold).as_ref() == Some(&value)
                }
                MatchUser::Email => read.emails.contains(&value),
            });
            if fits {
                found.push(user);
            }
            Ok(())
        };
        match self.walk("Users", &[], &mut take).await {
            Ok(()) => Ok(found),
            Err(TargetError::Away(text)) => Err(Trouble::Away(text)),
            Err(error) => Err(Trouble::Fault(error.to_string())),
        }
    }

    async fn read_roster(&self, portal: &str) -> Result<Roster, TargetError> {
        let match_on = self.match_on(portal);
        let mut roster = Roster::default();
        let mut take = |user: Map<String, Value>| {
            if let Some(read) = self.read(portal, &user) {
                let keys = keys_of(&read, match_on);
                roster.take(read, keys);
            }
            Ok(())
        };
        self.walk("Users", &[], &mut take).await?;
        Ok(roster)
    }

    /// Whether an account that was found belongs to one of ours that has it under another key:
    /// somebody there renamed it. It is not taken from them.
    pub(super) fn is_somebody_elses(
        &self,
        portal: &str,
        key: &str,
        found: &FoundUser,
    ) -> Result<bool, TargetError> {
        let Some(owner) = &found.external_id else {
            return Ok(false);
        };
        let here = self.store.link(portal, key)?;
        if here.is_some_and(|link| link.user == *owner) {
            return Ok(false);
        }
        for source in self.sources(portal) {
            let known = self
                .store
                .target_id(portal, SubjectKind::User, source, owner)?;
            if known.as_ref() != Some(&found.id) {
                continue;
            }
            let holders = self.store.user(source, owner)?;
            let Some(row) = holders else {
                continue;
            };
            let today = crate::rules::key_of(self.match_on(portal), &row.user);
            for key in row.old_keys.iter().chain(&today) {
                let link = self.store.link(portal, key)?;
                if link.is_some_and(|link| link.source == *source && link.user == *owner) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The user that stands for a subject whose id at the provider is not known: the one that
    /// carries its id at the source, else one of its name.
    pub(super) async fn seek(
        &self,
        portal: &str,
        subject: &str,
        account: &Account,
    ) -> Result<Option<FoundUser>, Trouble> {
        let kept = wire::as_kept(account, &self.profile);
        let mut order = self.profile.match_user.clone();
        // Whose it is says the externalId, so that is asked first where it can be asked at all.
        order.sort_by_key(|by| *by != MatchUser::ExternalId);
        for by in order {
            let value = match by {
                MatchUser::ExternalId => Some(subject.to_owned()),
                MatchUser::UserName => kept.user_name.clone(),
                MatchUser::Email => kept.email.clone(),
            };
            let Some(value) = value else {
                continue;
            };
            let folded = fold(&value);
            for user in self.users_by(by, &value).await? {
                let Some(read) = self.read(portal, &user) else {
                    continue;
                };
                let fits = match by {
                    MatchUser::ExternalId => read.external_id.as_deref() == Some(subject),
                    MatchUser::UserName => {
                        read.account.user_name.as_deref().map(fold) == Some(folded.clone())
                    }
                    MatchUser::Email => read.emails.contains(&folded),
                };
                if fits {
                    return Ok(Some(found(read)));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn read(&self, portal: &str, user: &Map<String, Value>) -> Option<UserRead> {
        wire::read_user(user, self.mapped(portal), &self.profile)
    }
}

fn found(read: UserRead) -> FoundUser {
    let UserRead {
        id,
        external_id,
        account,
        emails: _,
    } = read;
    FoundUser {
        id,
        external_id,
        account,
    }
}

/// The keys that a user of the provider stands under, the best first.
pub(super) fn keys_of(read: &UserRead, match_on: MatchOn) -> Vec<String> {
    let name = read.account.user_name.as_deref().map(fold);
    let keys: Vec<Option<String>> = match match_on {
        MatchOn::Email => {
            let mut keys = vec![read.account.email.as_deref().map(fold)];
            keys.extend(read.emails.iter().cloned().map(Some));
            keys.push(name);
            keys
        }
        MatchOn::UserName => vec![name],
        MatchOn::ExternalId => vec![read.external_id.as_deref().map(fold)],
    };
    let mut unique: Vec<String> = Vec::new();
    for key in keys.into_iter().flatten() {
        if !unique.contains(&key) {
            unique.push(key);
        }
    }
    unique
}

/// Of two under one key: one that is active, else the smaller id, so that the answer is the
/// same every time.
fn goes_before(a: &UserRead, b: &UserRead) -> bool {
    (!a.account.active, &a.id) < (!b.account.active, &b.id)
}
