//! Reading the members of groups.
//!
//! Okta groups do not nest: a member is a user. Of the whole user objects that a member list
//! holds, only id and status are decoded, except where a lookup wants the users as well.

use super::OktaSource;
use super::client::{MEMBERS, Pages};
use super::convert::deprovisioned;
use super::errors::{self, Need};
use super::send;
use super::wire::{self, Illegible, MemberRecord};
use crate::directory::{Change, GroupId, Member, UserId};
use crate::http::HttpError;
use crate::sources::{FetchError, Sink};

/// The most that Okta gives at once. Its advice is 200; but nearly every group has fewer than
/// 1,000 members, and then this is one request instead of five.
const MEMBERS_A_PAGE: &str = "1000";

/// For an answer that took Okta too long to put together.
const FEWER_MEMBERS: &str = "200";

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
            send(sink, changes).await?;
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
            send(sink, changes).await?;
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
}
