//! An incremental round: what moved since the position, and what the log knows.
//!
//! Four questions at once, one request each when nothing changed: users by `lastUpdated`,
//! groups by `lastUpdated` or `lastMembershipUpdated`, the System Log, and the groups of the
//! application. The first two are answered from an index that may lag and never tell of a
//! deletion; the log tells of deletions and names what the index does not show yet. Whatever
//! only the log names is read by id before anything is said about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::assigned::Outcome;
use super::client::{GROUPS, USER_GROUPS, USERS};
use super::cursor::{Position, back, next_from};
use super::errors::{self, Need};
use super::groups::{GROUPS_A_PAGE, GroupRow, group_page, no_date};
use super::log::Hints;
use super::users::{USERS_A_PAGE, UserRow};
use super::wire::stamp;
use super::{OktaSource, assigned, send};
use crate::directory::{Change, Cursor, GroupId, Member, UserId};
use crate::sources::{FetchError, Fetched, Sink};

/// An event is logged a moment after the change it is about, and stamps may lack fractions.
const EVENT_LAG: SignedDuration = SignedDuration::from_secs(2);

/// Of more users that came or went at once, the groups are not asked for one by one. Those
/// who went count in no group anyway; those who came get theirs from the next full round.
const MOST_STANDINGS: usize = 500;

/// What the index knew of users.
struct Users {
    began: Timestamp,
    stamps: Vec<Timestamp>,
    seen: HashMap<UserId, Sighting>,
    nameless: usize,
}

#[derive(Clone, Copy)]
struct Sighting {
    updated: Option<Timestamp>,
    deprovisioned: bool,
}

/// What the index knew of groups.
struct Groups {
    began: Timestamp,
    stamps: Vec<Timestamp>,
    seen: HashMap<GroupId, (Option<Timestamp>, Option<Timestamp>)>,
    members_read: BTreeMap<String, Timestamp>,
    everyone: Option<String>,
    nameless: usize,
}

impl OktaSource {
    pub(super) async fn incremental(
        &self,
        cursor: &Cursor,
        sink: &Sink,
    ) -> Result<Fetched, FetchError> {
        let was = Position::read(cursor, &self.settings)?;
        let application = self.options.scope.application();
        let app_groups = async {
            match application {
                Some(application) => self.app_groups(application).await.map(Some),
                None => Ok(None),
            }
        };
        let (mut users, mut groups, log, app_groups) = futures::try_join!(
            self.users_since(&was, sink),
            self.groups_since(&was, sink),
            self.read_log(&was.log),
            app_groups,
        )?;
        let mut hints = log.hints;
        let mut next = was.clone();
        next.everyone = groups.everyone.clone();
        let everyone = groups.everyone.clone().map(GroupId::new);

        let gone = self
            .look_at_users(&hints, &mut users, everyone.as_ref(), sink)
            .await?;
        next.gone
            .extend(gone.into_iter().map(|id| (id, users.began)));
        let gone = self.look_at_groups(&hints, &mut groups, sink).await?;
        next.gone
            .extend(gone.into_iter().map(|id| (id, groups.began)));
        self.look_at_standings(&hints, &users, sink).await?;

        let mut warnings = Vec::new();
        if users.nameless + groups.nameless > 0 {
            warnings.push(format!(
                "{} changed users and {} changed groups have no legible id and were left as they are",
                users.nameless, groups.nameless
            ));
        }
        if let (Some(application), Some((listed, _))) = (application, app_groups) {
            let outcome = match listed {
                None => Outcome::Illegible,
                Some(listed) => {
                    let left = std::mem::take(&mut hints.left).into_iter();
                    let matters = left.filter(|(group, _)| listed.contains(group));
                    hints
                        .assignments
                        .users
                        .extend(matters.map(|(_, user)| user));
                    let same = was.app_groups == Some(assigned::digest(&listed));
                    let known = was.direct.as_ref();
                    self.changed_assignments(application, listed, same, known, &hints.assignments)
                        .await?
                }
            };
            match outcome {
                Outcome::Same => {}
                Outcome::Changed(assignments) => {
                    send(sink, vec![assignments.change()]).await?;
                    (next.app_groups, next.direct) = assignments.kept();
                }
                Outcome::Illegible => {
                    warnings.push(assigned::illegible(application));
                    (next.app_groups, next.direct) = (None, None);
                }
            }
        }

        next.taken_at = users.began;
        next.users_from = next_from(users.began, users.stamps);
        next.groups_from = next_from(groups.began, groups.stamps);
        next.members_read.extend(groups.members_read);
        next.log = log.position;
        Ok(Fetched {
            cursor: Some(next.write()),
            complete: BTreeSet::new(),
            requests: 0,
            warnings,
        })
    }

    async fn users_since(&self, was: &Position, sink: &Sink) -> Result<Users, FetchError> {
        let search = format!(r#"lastUpdated gt "{}""#, just_before(was.users_from));
        let query = [
            ("search", search.as_str()),
            ("sortBy", "lastUpdated"),
            ("sortOrder", "asc"),
            ("limit", USERS_A_PAGE),
        ];
        let url = self.client.url(&["users"], &query);
        let mut pages = self.client.pages("the changed users", USERS, url);
        let mut stamps = Vec::new();
        let mut seen = HashMap::new();
        let mut nameless = 0;
        let everyone = was.everyone.as_ref().map(GroupId::new);
        while let Some(page) = pages.next(|body| self.user_page(body)).await? {
            // Before anything is built on an answer, its time must fit the position.
            was.fits(pages.began().ok_or_else(no_date)?)?;
            nameless += page.nameless;
            let mut changes = Vec::with_capacity(2 * page.rows.len());
            for row in page.rows {
                stamps.extend(row.updated);
                // The index lists for a while who was deleted.
                if !was.gone.contains_key(row.id.as_str()) {
                    seen.insert(row.id.clone(), row.sighting());
                    row.say(everyone.as_ref(), &mut changes);
                }
            }
            send(sink, changes).await?;
        }
        Ok(Users {
            began: pages.began().ok_or_else(no_date)?,
            stamps,
            seen,
            nameless,
        })
    }

    async fn groups_since(&self, was: &Position, sink: &Sink) -> Result<Groups, FetchError> {
        let from = just_before(was.groups_from);
        let filter = format!(r#"lastUpdated gt "{from}" or lastMembershipUpdated gt "{from}""#);
        let query = [("filter", filter.as_str()), ("limit", GROUPS_A_PAGE)];
        let url = self.client.url(&["groups"], &query);
        let mut pages = self.client.pages("the changed groups", GROUPS, url);
        let mut groups = Groups {
            began: Timestamp::UNIX_EPOCH,
            stamps: Vec::new(),
            seen: HashMap::new(),
            members_read: BTreeMap::new(),
            everyone: was.everyone.clone(),
            nameless: 0,
        };
        let mut to_read = Vec::new();
        while let Some(page) = pages.next(group_page).await? {
            groups.nameless += page.nameless;
            let mut changes = Vec::with_capacity(page.rows.len());
            for row in page.rows {
                groups.stamps.extend(row.moved());
                let id = row.id.as_str();
                if was.gone.contains_key(id) {
                    continue;
                }
                let derived = row.everyone && groups.everyone.as_deref() == Some(id);
                let read = was.members_read.get(id).copied();
                let done = read.is_some() && read == row.membership_updated;
                if row.readable() && !derived && !done {
                    to_read.push(row.id.clone());
                }
                if row.everyone {
                    groups.everyone = Some(id.to_owned());
                }
                groups.saw(&row);
                changes.push(row.change);
            }
            send(sink, changes).await?;
        }
        groups.began = pages.began().ok_or_else(no_date)?;
        stream::iter(to_read.into_iter().map(Ok))
            .try_for_each_concurrent(self.options.concurrency.max(1), |id| async move {
                self.send_members(&id, sink).await
            })
            .await?;
        Ok(groups)
    }

    /// Reads the users that the log names and the index did not show as new; returns those
    /// that are gone.
    async fn look_at_users(
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
    async fn look_at_groups(
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
    async fn look_at_standings(
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

impl Groups {
    fn saw(&mut self, row: &GroupRow) {
        self.seen
            .insert(row.id.clone(), (row.moved(), row.membership_updated));
        if let Some(at) = row.membership_updated {
            self.members_read.insert(row.id.to_string(), at);
        }
    }
}

impl UserRow {
    fn sighting(&self) -> Sighting {
        Sighting {
            updated: self.updated,
            deprovisioned: self.deprovisioned,
        }
    }

    /// The user, and whether it is one of everyone.
    pub(super) fn say(self, everyone: Option<&GroupId>, changes: &mut Vec<Change>) {
        if let Some(group) = everyone
            && matches!(self.change, Change::User(_))
        {
            let (group, member) = (group.clone(), Member::User(self.id.clone()));
            changes.push(match self.deprovisioned {
                true => Change::MemberRemoved(group, member),
                false => Change::MemberAdded(group, member),
            });
        }
        changes.push(self.change);
    }
}

/// Whether an object that moved at `seen` already shows what an event at `at` is about.
fn covers(seen: Option<Timestamp>, at: Option<Timestamp>) -> bool {
    match (seen, at) {
        (Some(seen), Some(at)) => seen >= back(at, EVENT_LAG),
        _ => false,
    }
}

/// A stamp that `gt` turns into "at `from` or later".
fn just_before(from: Timestamp) -> String {
    stamp(back(from, SignedDuration::from_millis(1)))
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

    #[test]
    fn the_boundary_itself_is_asked_for() {
        let from = "2026-01-05T18:15:44Z".parse().unwrap();
        assert_eq!(just_before(from), "2026-01-05T18:15:43.999Z");
    }
}
