//! Looking at what the log names.
//!
//! An index that lags shows an object as it was, or not at all. So an object that an event
//! names is read by id, unless what the index showed is as new as the event. It is from such
//! a reading, and never from an event or an index, that an object is said to be gone.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::client::USER_GROUPS;
use super::cursor::back;
use super::errors::{self, Need};
use super::groups::{GroupRow, group_page};
use super::incremental::{Groups, Users};
use super::log::Hints;
use super::{OktaSource, send};
use crate::directory::{Change, GroupId, Member, UserId};
use crate::sources::{FetchError, Sink};

/// An event is logged a moment after the change it is about, and stamps may lack fractions.
const EVENT_LAG: SignedDuration = SignedDuration::from_secs(2);

/// Of more users that came or went at once, the groups are not asked for one by one. Those
/// who went count in no group anyway; those who came get theirs from the next full round.
const MOST_STANDINGS: usize = 500;

impl OktaSource {
    /// Reads the users that the log names and the index did not show as new; returns those
    /// that are gone.
    pub(super) async fn look_at_users(
        &self,
        hints: &Hints,
        users: &mut Users,
        everyone: Option<&GroupId>,
        sink: &Sink,
    ) -> Result<Vec<String>, FetchError> {
        let shown = |id: &str, at: Option<Timestamp>| {
            let seen = users.seen.get(&UserId::new(id));
            seen.is_some_and(|it| covers(it.updated, at)) && !hints.deleted.contains(id)
        };
        let named: Vec<String> = hints
            .users
            .iter()
            .filter(|(id, at)| !shown(id, **at))
            .map(|(id, _)| id.clone())
            .collect();
        let mut looks = stream::iter(named)
            .map(|id| async move { Ok::<_, FetchError>((self.user(&id).await?, id)) })
            .buffered(self.options.concurrency.max(1));
        let mut gone = Vec::new();
        while let Some((found, id)) = looks.try_next().await? {
            let mut changes = Vec::new();
            match found {
                Some(row) => {
                    users.seen.insert(row.id.clone(), row.sighting());
                    row.say(everyone, &mut changes);
                }
                None => {
                    let user = UserId::new(&id);
                    users.seen.remove(&user);
                    changes.extend(everyone.map(|group| {
                        Change::MemberRemoved(group.clone(), Member::User(user.clone()))
                    }));
                    changes.push(Change::UserGone(user));
                    gone.push(id);
                }
            }
            send(sink, changes).await?;
        }
        Ok(gone)
    }

    /// The same for groups and their members.
    pub(super) async fn look_at_groups(
        &self,
        hints: &Hints,
        groups: &mut Groups,
        sink: &Sink,
    ) -> Result<Vec<String>, FetchError> {
        let shown = |id: &str| {
            let (moved, membership) = groups.seen.get(&GroupId::new(id)).copied()?;
            let profile = hints.groups.get(id).is_none_or(|at| covers(moved, *at));
            let members = hints.memberships.get(id);
            Some(profile && members.is_none_or(|at| covers(membership, *at)))
        };
        let named: BTreeSet<String> = hints
            .groups
            .keys()
            .chain(hints.memberships.keys())
            .filter(|id| groups.everyone.as_ref() != Some(*id))
            .filter(|id| hints.deleted.contains(*id) || shown(id) != Some(true))
            .cloned()
            .collect();
        let looks: Vec<(String, Option<GroupRow>)> = stream::iter(named)
            .map(|id| async move {
                let found = self.group(&id).await?;
                Ok::<_, FetchError>((id, found))
            })
            .buffered(self.options.concurrency.max(1))
            .try_collect()
            .await?;
        let mut gone = Vec::new();
        for (id, found) in looks {
            match found {
                Some(row) if row.readable() => {
                    let group = row.id.clone();
                    groups.saw(&row);
                    send(sink, vec![row.change]).await?;
                    self.send_members(&group, sink).await?;
                }
                Some(row) => send(sink, vec![row.change]).await?,
                // It is hidden from us, or its deletion is yet to be logged.
                None if !hints.deleted.contains(&id) => {}
                None => {
                    send(sink, vec![Change::GroupGone(GroupId::new(&id))]).await?;
                    gone.push(id);
                }
            }
        }
        Ok(gone)
    }

    /// Groups list no deactivated users, and list them again when they come back, without
    /// `lastMembershipUpdated` moving. So those users are asked for their groups.
    pub(super) async fn look_at_standings(
        &self,
        hints: &Hints,
        users: &Users,
        sink: &Sink,
    ) -> Result<(), FetchError> {
        let known = |id: &String| {
            let user = UserId::new(id);
            let seen = users.seen.get(&user).copied()?;
            Some((user, seen.deprovisioned))
        };
        let asked: Vec<(UserId, bool)> = hints
            .standing
            .iter()
            .filter_map(known)
            .take(MOST_STANDINGS)
            .collect();
        let mut looks = stream::iter(asked)
            .map(|(user, left)| async move {
                let groups = self.groups_of(&user).await?.unwrap_or_default();
                Ok::<_, FetchError>((user, left, groups))
            })
            .buffered(self.options.concurrency.max(1));
        while let Some((user, left, groups)) = looks.try_next().await? {
            let change = |row: GroupRow| match left {
                true => Change::MemberRemoved(row.id, Member::User(user.clone())),
                false => Change::MemberAdded(row.id, Member::User(user.clone())),
            };
            send(sink, groups.into_iter().map(change).collect()).await?;
        }
        Ok(())
    }

    /// The groups that a user is a member of; None when Okta knows no such user.
    pub(super) async fn groups_of(
        &self,
        user: &UserId,
    ) -> Result<Option<Vec<GroupRow>>, FetchError> {
        let url = self.client.url(&["users", user.as_str(), "groups"], &[]);
        let what = format!("the groups of user {user}");
        let mut pages = self.client.pages(what, USER_GROUPS, url);
        let mut all = Vec::new();
        loop {
            match pages.try_next(group_page).await {
                Ok(Some(page)) => all.extend(page.rows),
                Ok(None) => return Ok(Some(all)),
                Err(error) if errors::is_gone(&error) => return Ok(None),
                Err(error) => return Err(self.client.explain(error, Need::Groups)),
            }
        }
    }
}

/// Whether an object that moved at `seen` already shows what an event at `at` is about.
fn covers(seen: Option<Timestamp>, at: Option<Timestamp>) -> bool {
    match (seen, at) {
        (Some(seen), Some(at)) => seen >= back(at, EVENT_LAG),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_covered_by_what_moved_with_it_or_after() {
        let at = |ms: i64| Some(Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap());
        assert!(covers(at(0), at(900)), "logged a moment later");
        assert!(covers(at(60_000), at(0)));
        assert!(
            !covers(at(0), at(60_000)),
            "the index shows an older version"
        );
        assert!(!covers(None, at(0)));
        assert!(!covers(at(0), None));
    }
}
