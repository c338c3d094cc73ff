//! A full round: every user, group, member and assignment.
//!
//! Users come from the plain list, which Okta answers from its data, followed by the
//! deactivated ones, which that list leaves out. One `search` would give both in a request
//! less; but it is answered from an index that lags behind, and the full round is what the
//! rest is checked against. The deactivated come second, so that who was deactivated
//! meanwhile ends as deactivated.
//!
//! Members are read several groups at a time, as the groups are listed and beside the users.
//! The group Everyone is not read: its members are all users that are not deactivated.
//!
//! What changes during the round is read again by the next one, which looks back to the
//! beginning of this one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::client::{GROUPS, USERS};
use super::cursor::{Position, next_from_full};
use super::groups::{GROUPS_A_PAGE, group_page};
use super::users::{USERS_A_PAGE, UserRow};
use super::{OktaSource, assigned, send};
use crate::directory::{Change, Collection, GroupId, Member};
use crate::sources::{FetchError, Fetched, Sink};

/// Groups listed ahead of those whose members are being read: two pages, so that readers
/// never wait for the list.
const GROUPS_AHEAD: usize = 400;

/// The most members in one part.
const PART: usize = 1_000;

/// What one chain of a round found out beside its changes.
#[derive(Default)]
struct Seen {
    nameless: usize,
    warnings: Vec<String>,
    /// When objects changed that changed since the round began.
    stamps: Vec<Timestamp>,
    /// Group ids with their `lastMembershipUpdated`.
    members_read: Vec<(GroupId, Timestamp)>,
}

impl Seen {
    fn note(&mut self, moved: Option<Timestamp>, began: Timestamp) {
        let since = next_from_full(began, Vec::new());
        self.stamps.extend(moved.filter(|moved| *moved >= since));
    }
}

impl OktaSource {
    pub(super) async fn full(&self, sink: &Sink) -> Result<Fetched, FetchError> {
        // Before anything else, so that everything else is newer.
        let (logged, began) = self.recent_events().await?;
        let everyone = Everyone::default();
        let application = self.options.scope.application();
        let assignments = async {
            match application {
                Some(application) => self.assignments(application).await.map(Some),
                None => Ok(None),
            }
        };
        let (users, groups, assignments) = futures::try_join!(
            self.all_users(sink, &everyone, began),
            self.all_groups(sink, &everyone, began),
            assignments,
        )?;

        let mut complete = BTreeSet::new();
        let mut warnings = users.warnings;
        for (seen, collection, name) in [
            (users.nameless, Collection::Users, "users"),
            (groups.nameless, Collection::Groups, "groups"),
        ] {
            match seen {
                0 => drop(complete.insert(collection)),
                n => warnings.push(format!(
                    "{n} records of the {name} list have no legible id, so nobody counts as absent from it"
                )),
            }
        }
        send(sink, everyone.close(users.nameless == 0)).await?;

        let mut position = Position::after_full(self.settings.clone(), began, logged);
        position.users_from = next_from_full(began, users.stamps);
        position.groups_from = next_from_full(began, groups.stamps);
        match (application, assignments) {
            (Some(_), Some(Some(assignments))) => {
                send(sink, vec![assignments.change()]).await?;
                complete.insert(Collection::Assigned);
                (position.app_groups, position.direct) = assignments.kept();
            }
            (Some(application), _) => warnings.push(assigned::illegible(application)),
            (None, _) => {}
        }
        position.everyone = everyone.id().map(|id| id.to_string());
        position.members_read = groups
            .members_read
            .into_iter()
            .map(|(id, moved)| (id.to_string(), moved))
            .collect();
        Ok(Fetched {
            cursor: Some(position.write()),
            complete,
            requests: 0,
            warnings,
        })
    }

    async fn all_users(
        &self,
        sink: &Sink,
        everyone: &Everyone,
        began: Timestamp,
    ) -> Result<Seen, FetchError> {
        let mut seen = Seen::default();
        let mut unseen = self.reading.custom().clone();
        let mut any = false;
        let plain = [("limit", USERS_A_PAGE)];
        let gone = [
            ("filter", r#"status eq "DEPROVISIONED""#),
            ("limit", USERS_A_PAGE),
        ];
        for (what, query) in [
            ("the users list", &plain[..]),
            ("the list of deactivated users", &gone[..]),
        ] {
            let url = self.client.url(&["users"], query);
            let mut pages = self.client.pages(what, USERS, url);
            while let Some(page) = pages.next(|body| self.user_page(body)).await? {
                seen.nameless += page.nameless;
                let stay = page.rows.iter().filter(|row| !row.deprovisioned);
                let mut changes = everyone.add(stay.map(|row| Member::User(row.id.clone())));
                for UserRow {
                    change, updated, ..
                } in page.rows
                {
                    seen.note(updated, began);
                    if let Change::User(user) = &change {
                        any = true;
                        if !unseen.is_empty() {
                            unseen.retain(|name| !user.source.contains_key(name));
                        }
                    }
                    changes.push(change);
                }
                send(sink, changes).await?;
            }
        }
        if any {
            seen.warnings.extend(unseen.iter().map(|name| {
                format!(
                    "no user in Okta has the profile attribute `{name}`; check its variable name in the Profile Editor"
                )
            }));
        }
        Ok(seen)
    }

    async fn all_groups(
        &self,
        sink: &Sink,
        everyone: &Everyone,
        began: Timestamp,
    ) -> Result<Seen, FetchError> {
        let (ahead, waiting) = mpsc::channel::<GroupId>(GROUPS_AHEAD);
        let list = async move {
            let mut seen = Seen::default();
            let url = self.client.url(&["groups"], &[("limit", GROUPS_A_PAGE)]);
            let mut pages = self.client.pages("the groups list", GROUPS, url);
            while let Some(page) = pages.next(group_page).await? {
                seen.nameless += page.nameless;
                let mut named = None;
                let mut to_read = Vec::with_capacity(page.rows.len());
                let mut changes = Vec::with_capacity(page.rows.len());
                for row in page.rows {
                    seen.note(row.moved(), began);
                    if row.everyone {
                        named = Some(row.id.clone());
                    } else if row.readable() {
                        to_read.push(row.id.clone());
                        seen.members_read
                            .extend(row.membership_updated.map(|moved| (row.id.clone(), moved)));
                    }
                    changes.push(row.change);
                }
                send(sink, changes).await?;
                // Only now: its members must not come before the group.
                if let Some(id) = named {
                    everyone.found(id);
                }
                for id in to_read {
                    if ahead.send(id).await.is_err() {
                        return Ok(seen);
                    }
                }
            }
            Ok(seen)
        };
        let read = self.read_members_of(waiting, sink);
        let (seen, ()) = futures::try_join!(list, read)?;
        Ok(seen)
    }

    /// Reads the members of groups as they come, several groups at once.
    async fn read_members_of(
        &self,
        mut waiting: mpsc::Receiver<GroupId>,
        sink: &Sink,
    ) -> Result<(), FetchError> {
        // One request in flight is left for the users, the longest chain of all.
        let at_once = self.options.concurrency.saturating_sub(1).max(1);
        let mut reading = FuturesUnordered::new();
        let mut more = true;
        while more || !reading.is_empty() {
            tokio::select! {
                id = waiting.recv(), if more && reading.len() < at_once => match id {
                    Some(id) => reading.push(async move { self.send_members(&id, sink).await }),
                    None => more = false,
                },
                Some(done) = reading.next() => done?,
            }
        }
        Ok(())
    }
}

/// The members of the group Everyone, collected from the users as they pass. Users may come
/// before the group is known by id; then they wait.
#[derive(Default)]
struct Everyone {
    inner: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    id: Option<GroupId>,
    waiting: Vec<Member>,
}

impl Everyone {
    fn found(&self, id: GroupId) {
        self.lock().id = Some(id);
    }

    fn id(&self) -> Option<GroupId> {
        self.lock().id.clone()
    }

    /// Takes members in and gives out what can be said already.
    fn add(&self, members: impl Iterator<Item = Member>) -> Vec<Change> {
        let mut inner = self.lock();
        inner.waiting.extend(members);
        let Some(id) = inner.id.clone() else {
            return Vec::new();
        };
        let waiting = std::mem::take(&mut inner.waiting);
        waiting
            .chunks(PART)
            .map(|part| Change::Members(id.clone(), part.to_vec()))
            .collect()
    }

    /// What is left, and the end of the list if nobody can be missing from it.
    fn close(&self, whole: bool) -> Vec<Change> {
        let mut changes = self.add(std::iter::empty());
        if let Some(id) = self.id().filter(|_| whole) {
            changes.push(Change::MembersEnd(id));
        }
        changes
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::UserId;

    #[test]
    fn users_wait_until_everyone_is_known() {
        let everyone = Everyone::default();
        let user = |n: usize| Member::User(UserId::new(format!("00u{n}")));
        assert!(everyone.add((0..1500).map(user)).is_empty());
        everyone.found(GroupId::new("00g0"));
        assert_eq!(everyone.add((1500..1501).map(user)).len(), 2);
        assert!(matches!(everyone.close(true)[..], [Change::MembersEnd(_)]));
        assert!(everyone.close(false).is_empty());
    }

    #[test]
    fn an_organisation_that_hides_everyone_has_no_such_group() {
        let everyone = Everyone::default();
        everyone.add([Member::User(UserId::new("00u1"))].into_iter());
        assert!(everyone.close(true).is_empty());
    }
}
