//! Reading users: pages of them, or one.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::OktaSource;
use super::client::USER;
use super::convert::deprovisioned;
use super::errors::{self, Need};
use super::wire::{self, Illegible, UserRecord};
use crate::directory::{Change, Member, User, UserId};
use crate::sources::FetchError;

/// Okta's own limit, and its default.
pub const USERS_A_PAGE: &str = "200";

/// One user as read: what to say about it, and what the round itself needs to know.
pub struct UserRow {
    pub id: UserId,
    pub change: Change,
    pub deprovisioned: bool,
    pub updated: Option<Timestamp>,
}

pub struct UserPage {
    pub rows: Vec<UserRow>,
    /// Records of which not even the id could be read.
    pub nameless: usize,
}

impl OktaSource {
    pub(super) fn user_page(&self, body: &[u8]) -> Result<UserPage, String> {
        let records = wire::records::<UserRecord<'_>>(body)?;
        let mut page = UserPage {
            rows: Vec::with_capacity(records.len()),
            nameless: 0,
        };
        for record in records {
            match self.user_row(record) {
                Some(row) => page.rows.push(row),
                None => page.nameless += 1,
            }
        }
        Ok(page)
    }

    fn user_row(&self, record: Result<UserRecord<'_>, Illegible>) -> Option<UserRow> {
        let unreadable = |id: &str, reason| Change::Unreadable {
            subject: Member::User(UserId::new(id)),
            reason,
        };
        Some(match record {
            Ok(record) => UserRow {
                id: UserId::new(&record.id),
                change: match self.reading.user(&record) {
                    Ok(user) => Change::User(Box::new(user)),
                    Err(reason) => unreadable(&record.id, reason),
                },
                deprovisioned: deprovisioned(record.status.as_deref()),
                updated: wire::time(record.last_updated.as_deref()),
            },
            Err(Illegible { id, reason }) => {
                let id = id?;
                UserRow {
                    id: UserId::new(&id),
                    change: unreadable(&id, reason),
                    deprovisioned: false,
                    updated: None,
                }
            }
        })
    }

    /// Reads one user by id or login; None when Okta says that there is no such user.
    pub(super) async fn user(&self, key: &str) -> Result<Option<UserRow>, FetchError> {
        let url = self.client.url(&["users", key], &[]);
        let decode = |body: &[u8]| {
            let record = wire::one::<UserRecord<'_>>(body)?;
            self.user_row(record)
                .ok_or_else(|| "a user without an id".to_owned())
        };
        match self.client.get("a user", USER, &url, decode).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(error) if errors::is_gone(&error) => Ok(None),
            Err(error) => Err(self.client.explain(error, Need::Users)),
        }
    }

    /// Reads users by id, several at a time. A user that exists and cannot be read is an
    /// error: leaving it out would say that it does not exist.
    pub(super) async fn users_by_id(&self, ids: &[UserId]) -> Result<Vec<User>, FetchError> {
        let rows: Vec<Option<UserRow>> = stream::iter(ids.to_vec())
            .map(|id| async move { self.user(id.as_str()).await })
            .buffered(self.options.concurrency.max(1))
            .try_collect()
            .await?;
        rows.into_iter()
            .flatten()
            .map(|row| match row.change {
                Change::User(user) => Ok(*user),
                Change::Unreadable { reason, .. } => Err(FetchError::Unavailable(format!(
                    "the user {} exists in Okta and cannot be read: {reason}",
                    row.id
                ))),
                _ => unreachable!("a user row holds a user or says why not"),
            })
            .collect()
    }
}
