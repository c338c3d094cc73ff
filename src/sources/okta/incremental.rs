//! An incremental round: what moved since the position, and what the log knows.
//!
//! Four questions at once, one request each when nothing changed: users by `lastUpdated`,
//! groups by `lastUpdated` or `lastMembershipUpdated`, the System Log, and the groups of the
//! application. The first two are answered from an index that may lag and never tell of a
//! deletion; the log tells of deletions and names what the index does not show yet. Whatever
//! only the log names is read by id before anything is said about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::assigned::Outcome;
use super::client::{GROUPS, USERS};
use super::cursor::{Position, back, next_from};
use super::groups::{GROUPS_A_PAGE, GroupRow, group_page, no_date};
use super::users::{USERS_A_PAGE, UserRow};
use super::wire::stamp;
use super::{OktaSource, assigned, send};
use crate::directory::{Change, Cursor, GroupId, Member, UserId};
use crate::sources::{FetchError, Fetched, Sink};

/// What the index knew of users.
pub struct Users {
    pub began: Timestamp,
    pub stamps: Vec<Timestamp>,
    pub seen: HashMap<UserId, Sighting>,
    pub nameless: usize,
}

#[derive(Clone, Copy)]
pub struct Sighting {
    pub updated: Option<Timestamp>,
    pub deprovisioned: bool,
}

/// What the index knew of groups.
pub struct Groups {
    pub began: Timestamp,
    pub stamps: Vec<Timestamp>,
    pub seen: HashMap<GroupId, (Option<Timestamp>, Option<Timestamp>)>,
    pub members_read: BTreeMap<String, Timestamp>,
    pub everyone: Option<String>,
    pub nameless: usize,
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
        if let (Some(application), Some(listed)) = (application, app_groups) {
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
}

impl Groups {
    pub fn saw(&mut self, row: &GroupRow) {
        self.seen
            .insert(row.id.clone(), (row.moved(), row.membership_updated));
        if let Some(at) = row.membership_updated {
            self.members_read.insert(row.id.to_string(), at);
        }
    }
}

impl UserRow {
    pub fn sighting(&self) -> Sighting {
        Sighting {
            updated: self.updated,
            deprovisioned: self.deprovisioned,
        }
    }

    /// The user, and whether it is one of everyone.
    pub fn say(self, everyone: Option<&GroupId>, changes: &mut Vec<Change>) {
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

/// A stamp that `gt` turns into "at `from` or later".
fn just_before(from: Timestamp) -> String {
    stamp(back(from, SignedDuration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_itself_is_asked_for() {
        let from = "2026-01-05T18:15:44Z".parse().unwrap();
        assert_eq!(just_before(from), "2026-01-05T18:15:43.999Z");
    }
}
