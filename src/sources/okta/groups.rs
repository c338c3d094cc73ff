//! Reading groups and their members.
//!
//! Okta groups do not nest: a member is a user. Of the whole user objects that a member list
//! holds, only id and status are decoded.

use jiff::Timestamp;

use super::OktaSource;
use super::client::{GROUP, LOGS, MEMBERS, Pages};
use super::convert::{self, deprovisioned};
use super::cursor::back;
use super::errors::{self, Need};
use super::wire::{self, GroupRecord, Illegible, MemberRecord, stamp};
use crate::directory::{Change, GroupId, Member, UserId};
use crate::http::{HttpError, answered_at};
use crate::sources::{FetchError, Sink};

/// What Okta advises for groups. It takes up to 10,000, at the price of slow answers.
pub const GROUPS_A_PAGE: &str = "200";

/// The most that Okta gives at once. Its advice is 200; but nearly every group has fewer than
/// 1,000 members, and then this is one request instead of five.
const MEMBERS_A_PAGE: &str = "1000";

/// For an answer that took Okta too long to put together.
const FEWER_MEMBERS: &str = "200";

/// How far the log can be asked about deletions: less than the 90 days that it is kept.
const LOG_REACHES: jiff::SignedDuration = jiff::SignedDuration::from_hours(89 * 24);

pub struct GroupRow {
    pub id: GroupId,
    pub change: Change,
    pub everyone: bool,
    pub updated: Option<Timestamp>,
    pub membership_updated: Option<Timestamp>,
}

impl GroupRow {
    /// When anything about it last changed.
    pub fn moved(&self) -> Option<Timestamp> {
        self.updated.max(self.membership_updated)
    }

    pub fn readable(&self) -> bool {
        matches!(self.change, Change::Group(_))
    }
}

pub struct GroupPage {
    pub rows: Vec<GroupRow>,
    /// Records of which not even the id could be read.
    pub nameless: usize,
}

pub fn group_page(body: &[u8]) -> Result<GroupPage, String> {
    let mut page = GroupPage {
        rows: Vec::new(),
        nameless: 0,
    };
    for record in wire::records::<GroupRecord>(body)? {
        match group_row(record) {
            Some(row) => page.rows.push(row),
            None => page.nameless += 1,
        }
    }
    Ok(page)
}

fn group_row(record: Result<GroupRecord, Illegible>) -> Option<GroupRow> {
    let unreadable = |id: &str, reason| Change::Unreadable {
        subject: Member::Group(GroupId::new(id)),
        reason,
    };
    Some(match record {
        Ok(record) => GroupRow {
            id: GroupId::new(&record.id),
            change: match convert::group(&record) {
                Ok(group) => Change::Group(group),
                Err(reason) => unreadable(&record.id, reason),
            },
            everyone: record.is_everyone(),
            updated: wire::time(record.last_updated.as_deref()),
            membership_updated: wire::time(record.last_membership_updated.as_deref()),
        },
        Err(Illegible { id, reason }) => {
            let id = id?;
            GroupRow {
                id: GroupId::new(&id),
                change: unreadable(&id, reason),
                everyone: false,
                updated: None,
                membership_updated: None,
            }
        }
    })
}

struct MemberPage {
    members: Vec<Member>,
    nameless: usize,
}

fn member_page(body: &[u8]) -> Result<MemberPage, String> {
    let mut page = MemberPage {
        members: Vec::new(),
        nameless: 0,
    };
    for record in wire::records::<MemberRecord>(body)? {
        match record {
            Ok(record) if deprovisioned(record.status.as_deref()) => {}
            // Whatever else is wrong with a record, its id makes it a member.
            Ok(MemberRecord { id, .. }) | Err(Illegible { id: Some(id), .. }) => {
                page.members.push(Member::User(UserId::new(id)));
            }
            Err(Illegible { id: None, .. }) => page.nameless += 1,
        }
    }
    Ok(page)
}

impl OktaSource {
    /// Reads one group; None when Okta says that there is no such group.
    pub(super) async fn group(&self, id: &str) -> Result<Option<GroupRow>, FetchError> {
        let url = self.client.url(&["groups", id], &[]);
        let decode = |body: &[u8]| {
            group_row(wire::one::<GroupRecord>(body)?)
                .ok_or_else(|| "a group without an id".to_owned())
        };
        match self.client.get("a group", GROUP, &url, decode).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(error) if errors::is_gone(&error) => Ok(None),
            Err(error) => Err(self.client.explain(error, Need::Groups)),
        }
    }

    /// Whether a group was deleted: Okta knows it no longer *and* its log says so.
    ///
    /// A 404 alone does not prove it. When the admin role of the credential is narrowed,
    /// groups that exist answer 404 as well, and their members must not lose them.
    pub(super) async fn group_deleted(&self, id: &str) -> Result<bool, FetchError> {
        let url = self.client.url(&["groups", id], &[]);
        let answer = self.client.get("a group", GROUP, &url, |_| Ok(())).await;
        let now = match answer {
            Ok(_) => return Ok(false),
            Err(error) if !errors::is_gone(&error) => {
                return Err(self.client.explain(error, Need::Groups));
            }
            Err(error) => error
                .status()
                .and_then(|answer| answered_at(&answer.headers))
                .ok_or_else(no_date)?,
        };
        let filter = format!(
            r#"eventType eq "group.lifecycle.delete" and target.id eq "{}""#,
            quoted(id)
        );
        let since = stamp(back(now, LOG_REACHES));
        let url = self.client.url(
            &["logs"],
            &[("since", &since), ("filter", &filter), ("limit", "1")],
        );
        let decode = |body: &[u8]| Ok(!wire::records::<wire::Event>(body)?.is_empty());
        let answer = self.client.get("the System Log", LOGS, &url, decode).await;
        let deleted = answer
            .map_err(|error| self.client.explain(error, Need::Logs))?
            .value;
        if !deleted {
            tracing::warn!(
                source.name = %self.options.name,
                group.id = %id,
                "Okta no longer shows the group {id}, and its log knows of no deletion: kept; look at the admin role of the credential"
            );
        }
        Ok(deleted)
    }

    /// Streams a group's members and closes the list. A group that went meanwhile is left
    /// for the next round, which learns from the log what became of it.
    pub(super) async fn send_members(&self, id: &GroupId, sink: &Sink) -> Result<(), FetchError> {
        let mut list = MemberList::new(self, id);
        let mut nameless = 0;
        while let Step::Page(page) = list.next(member_page).await? {
            nameless += page.nameless;
            let mut changes = Vec::with_capacity(2);
            if !page.members.is_empty() {
                changes.push(Change::Members(id.clone(), page.members));
            }
            changes.extend(list.close(nameless));
            super::send(sink, changes).await?;
        }
        Ok(())
    }

    /// The same with whole users, for lookups.
    pub(super) async fn send_members_whole(
        &self,
        id: &GroupId,
        sink: &Sink,
    ) -> Result<(), FetchError> {
        let mut list = MemberList::new(self, id);
        let mut nameless = 0;
        while let Step::Page(page) = list.next(|body| self.user_page(body)).await? {
            nameless += page.nameless;
            let stays = page.rows.iter().filter(|row| !row.deprovisioned);
            let members: Vec<Member> = stays.map(|row| Member::User(row.id.clone())).collect();
            let mut changes: Vec<Change> = page.rows.into_iter().map(|row| row.change).collect();
            changes.push(Change::Members(id.clone(), members));
            changes.extend(list.close(nameless));
            super::send(sink, changes).await?;
        }
        Ok(())
    }

    /// A group's members to the end; None when there is no such group.
    pub(super) async fn members_of(&self, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError> {
        let mut list = MemberList::new(self, id);
        let mut all = Vec::new();
        loop {
            match list.next(member_page).await? {
                Step::NoGroup => return Ok(None),
                Step::End => return Ok(Some(all)),
                Step::Page(page) if page.nameless == 0 => all.extend(page.members),
                Step::Page(_) => {
                    return Err(FetchError::Unavailable(format!(
                        "the group {id} has members in Okta without a legible id"
                    )));
                }
            }
        }
    }
}

/// A member list, page by page.
struct MemberList<'a> {
    okta: &'a OktaSource,
    id: GroupId,
    pages: Pages<'a>,
    begun: bool,
}

enum Step<T> {
    Page(T),
    End,
    NoGroup,
}

impl<'a> MemberList<'a> {
    fn new(okta: &'a OktaSource, id: &GroupId) -> MemberList<'a> {
        MemberList {
            okta,
            id: id.clone(),
            pages: MemberList::pages(okta, id, MEMBERS_A_PAGE),
            begun: false,
        }
    }

    fn pages(okta: &'a OktaSource, id: &GroupId, limit: &str) -> Pages<'a> {
        let path = ["groups", id.as_str(), "users"];
        let first = okta.client.url(&path, &[("limit", limit)]);
        let what = format!("the members of group {id}");
        okta.client.pages(what, MEMBERS, first)
    }

    async fn next<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Step<T>, FetchError> {
        let mut page = self.pages.try_next(&decode).await;
        let too_much = |error: &HttpError| {
            let status = error.status().map(|answer| answer.status.as_u16());
            status == Some(500)
        };
        if !self.begun && page.as_ref().is_err_and(too_much) {
            // Okta answers so when a list takes it too long.
            self.pages = MemberList::pages(self.okta, &self.id, FEWER_MEMBERS);
            page = self.pages.try_next(&decode).await;
        }
        self.begun = true;
        match page {
            Ok(Some(page)) => Ok(Step::Page(page)),
            Ok(None) => Ok(Step::End),
            Err(error) if errors::is_gone(&error) => Ok(Step::NoGroup),
            Err(error) => Err(self.okta.client.explain(error, Need::Groups)),
        }
    }

    /// What to say after the last page. A list with a member that has no legible id is not
    /// closed: nobody is absent from it.
    fn close(&self, nameless: usize) -> Option<Change> {
        if self.pages.rest().is_some() {
            return None;
        }
        Some(match nameless {
            0 => Change::MembersEnd(self.id.clone()),
            n => Change::Unreadable {
                subject: Member::Group(self.id.clone()),
                reason: format!("{n} of its members have no legible id"),
            },
        })
    }
}

/// Times are Okta's or none.
pub fn no_date() -> FetchError {
    FetchError::Unavailable(
        "Okta's answers carry no Date header, so what changes next could not be told apart; a proxy may remove it".to_owned(),
    )
}

/// A value inside the quotes of a filter.
pub fn quoted(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deactivated_members_are_none() {
        let page = member_page(
            br#"[{"id":"00u1","status":"ACTIVE"},{"id":"00u2","status":"DEPROVISIONED"},{"id":"00u3"},{"id":"00u4","status":5},{}]"#,
        )
        .unwrap();
        let ids: Vec<_> = page.members.iter().map(|it| format!("{it:?}")).collect();
        assert_eq!(ids.len(), 3, "{ids:?}");
        assert_eq!(page.nameless, 1);
    }

    #[test]
    fn a_group_without_a_name_is_set_aside() {
        let page = group_page(
            br#"[{"id":"00g1","profile":{"name":"Sales"},"type":"OKTA_GROUP"},{"id":"00g2","profile":null},{"id":7},
                {"id":"00g3","profile":{"name":"Everyone"},"type":"BUILT_IN"}]"#,
        )
        .unwrap();
        assert!(page.rows[0].readable() && !page.rows[0].everyone);
        assert!(!page.rows[1].readable());
        assert!(page.rows[2].everyone);
        assert_eq!(page.nameless, 1);
    }

    #[test]
    fn a_quote_cannot_end_a_filter() {
        assert_eq!(quoted(r#"a" or id pr or "\"#), r#"a\" or id pr or \"\\"#);
    }
}
