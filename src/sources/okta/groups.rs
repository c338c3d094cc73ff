//! Reading groups: pages of them, or one. Their members are read in `members`.

use jiff::Timestamp;

use super::OktaSource;
use super::client::{GROUP, LOGS};
use super::convert;
use super::cursor::back;
use super::errors::{self, Need};
use super::wire::{self, GroupRecord, Illegible, stamp};
use crate::directory::{Change, GroupId, Member};
use crate::http::answered_at;
use crate::sources::FetchError;

/// What Okta advises for groups. It takes up to 10,000, at the price of slow answers.
pub const GROUPS_A_PAGE: &str = "200";

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
