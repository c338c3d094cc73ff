//! Who and what is assigned to the application.
//!
//! Okta lists everybody who has the application, directly or through a group. Only the direct
//! ones matter here: those of a group follow from the group's own members, which rosterd
//! knows anyway and which stay right between two readings of this list.
//!
//! A list of assignments counts as whole, so one that has an illegible record is not handed
//! over at all: what it lacks would look unassigned.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, future, stream};

use super::OktaSource;
use super::client::ASSIGNMENTS;
use super::cursor::digest_of;
use super::errors::{self, Need};
use super::wire::{self, AppGroupRecord, AppUserRecord, Records};
use crate::directory::{Change, GroupId, Member, UserId};
use crate::sources::FetchError;

/// Okta's own limits for the two lists.
const USERS_A_PAGE: &str = "500";
const GROUPS_A_PAGE: &str = "200";

/// Up to here the direct assignments are kept with the position, so that an event about one
/// of them costs a look at that one. Beyond, the whole list is read again.
const MOST_KEPT: usize = 2_000;

/// More single looks than this cost more than the list.
const MOST_LOOKS: usize = 20;

/// The assignments as read.
pub struct Assignments {
    pub groups: BTreeSet<String>,
    pub direct: BTreeSet<String>,
}

impl Assignments {
    pub fn change(&self) -> Change {
        Change::Assigned(self.members())
    }

    pub fn members(&self) -> Vec<Member> {
        let groups = self.groups.iter().map(|id| Member::Group(GroupId::new(id)));
        let users = self.direct.iter().map(|id| Member::User(UserId::new(id)));
        users.chain(groups).collect()
    }

    /// What the position keeps of it.
    pub fn kept(&self) -> (Option<String>, Option<BTreeSet<String>>) {
        let few = self.direct.len() <= MOST_KEPT;
        (Some(digest(&self.groups)), few.then(|| self.direct.clone()))
    }
}

pub fn digest(groups: &BTreeSet<String>) -> String {
    digest_of(groups.iter().map(String::as_str))
}

/// What the log says about assignments.
#[derive(Default)]
pub struct AssignmentHints {
    pub users: BTreeSet<String>,
    /// Something changed, and not only for these.
    pub more: bool,
}

/// A list of ids, or None when a record of it is illegible.
type Listed = Option<BTreeSet<String>>;

/// The same for one page.
type Page = Result<Option<Vec<String>>, String>;

/// How the assignments are after a look at what changed.
pub enum Outcome {
    Same,
    Changed(Assignments),
    /// A record was illegible: they stay as they are, and the next round reads them whole.
    Illegible,
}

/// Whether an assignment is a direct one that counts.
fn is_direct(record: &AppUserRecord) -> bool {
    let out = matches!(
        record.status.as_deref(),
        Some("DEPROVISIONED" | "REVOKED" | "UNASSIGNED" | "INACTIVE" | "IMPORTED")
    );
    record.scope.as_deref() == Some("USER") && !out
}

/// The direct assignments on a page, or None when one cannot be told.
fn direct_page(body: &[u8]) -> Page {
    let records: Records<AppUserRecord> = wire::records(body)?;
    let legible: Option<Vec<AppUserRecord>> = records.into_iter().map(Result::ok).collect();
    Ok(legible.map(|records| {
        let direct = records.into_iter().filter(is_direct);
        direct.map(|record| record.id).collect()
    }))
}

fn group_page(body: &[u8]) -> Page {
    let records: Records<AppGroupRecord> = wire::records(body)?;
    let ids = records.into_iter().map(|record| Some(record.ok()?.id));
    Ok(ids.collect())
}

impl OktaSource {
    /// Reads both lists; None when a record of them is illegible.
    pub(super) async fn assignments(
        &self,
        application: &str,
    ) -> Result<Option<Assignments>, FetchError> {
        let (groups, direct) = future::try_join(
            self.app_groups(application),
            self.app_list(application, "users", USERS_A_PAGE, direct_page),
        )
        .await?;
        let both = groups.zip(direct);
        Ok(both.map(|(groups, direct)| Assignments { groups, direct }))
    }

    pub(super) async fn app_groups(&self, application: &str) -> Result<Listed, FetchError> {
        self.app_list(application, "groups", GROUPS_A_PAGE, group_page)
            .await
    }

    async fn app_list(
        &self,
        application: &str,
        list: &str,
        limit: &str,
        decode: fn(&[u8]) -> Page,
    ) -> Result<Listed, FetchError> {
        let path = ["apps", application, list];
        let url = self.client.url(&path, &[("limit", limit)]);
        let what = format!("the {list} assigned to application {application}");
        let mut pages = self.client.pages(what, ASSIGNMENTS, url);
        let mut all = Some(BTreeSet::new());
        while let Some(page) = pages.next(decode).await? {
            match (page, &mut all) {
                (Some(ids), Some(all)) => all.extend(ids),
                _ => all = None,
            }
        }
        Ok(all)
    }

    /// Brings the assignments up to date with what the log says. `groups` is the list of
    /// groups just read, `same_groups` whether it is as it was, `known` who was direct.
    pub(super) async fn changed_assignments(
        &self,
        application: &str,
        groups: BTreeSet<String>,
        same_groups: bool,
        known: Option<&BTreeSet<String>>,
        hints: &AssignmentHints,
    ) -> Result<Outcome, FetchError> {
        if same_groups && hints.users.is_empty() && !hints.more {
            return Ok(Outcome::Same);
        }
        let few = !hints.more && hints.users.len() <= MOST_LOOKS;
        if let Some(known) = known.filter(|_| same_groups && few) {
            let mut direct = known.clone();
            let looks: Vec<(String, Option<bool>)> = stream::iter(hints.users.clone())
                .map(|id| async move {
                    let direct = self.direct(application, &id).await?;
                    Ok::<_, FetchError>((id, direct))
                })
                .buffered(self.options.concurrency.max(1))
                .try_collect()
                .await?;
            let clear = looks.iter().all(|(_, now)| now.is_some());
            for (id, now) in looks {
                match now {
                    Some(true) => direct.insert(id),
                    _ => direct.remove(&id),
                };
            }
            if clear && direct == *known {
                return Ok(Outcome::Same);
            }
            if clear {
                return Ok(Outcome::Changed(Assignments { groups, direct }));
            }
        }
        Ok(match self.assignments(application).await? {
            Some(assignments) => Outcome::Changed(assignments),
            None => Outcome::Illegible,
        })
    }

    /// Whether one user is assigned directly; None when that cannot be told so.
    async fn direct(&self, application: &str, id: &str) -> Result<Option<bool>, FetchError> {
        let url = self.client.url(&["apps", application, "users", id], &[]);
        let decode = |body: &[u8]| {
            let record = wire::one::<AppUserRecord>(body)?;
            Ok(record.ok().map(|record| is_direct(&record)))
        };
        let what = "an assignment";
        match self.client.get(what, ASSIGNMENTS, &url, decode).await {
            Ok(answer) => Ok(answer.value),
            // No such assignment. That the application itself still is, its groups showed.
            Err(error) if errors::is_gone(&error) => Ok(Some(false)),
            Err(error) if error.status().is_some_and(|it| it.status.as_u16() == 404) => Ok(None),
            Err(error) => Err(self.client.explain(error, Need::Apps)),
        }
    }
}

/// For the report, when a list was not handed over.
pub fn illegible(application: &str) -> String {
    format!(
        "an assignment of application {application} could not be read, so all assignments were left as they are"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_direct_assignments_that_count_are_taken() {
        let page = direct_page(
            br#"[{"id":"00u1","scope":"USER","status":"PROVISIONED"},{"id":"00u2","scope":"GROUP","status":"ACTIVE"},
                {"id":"00u3","scope":"USER","status":"DEPROVISIONED"},{"id":"00u4","scope":"USER","status":"SUSPENDED"},
                {"id":"00u5","scope":"USER"}]"#,
        );
        assert_eq!(page.unwrap().unwrap(), ["00u1", "00u4", "00u5"]);
    }

    #[test]
    fn one_illegible_assignment_spoils_the_list() {
        assert!(
            direct_page(br#"[{"id":"00u1","scope":"USER"},{"scope":"USER"}]"#)
                .unwrap()
                .is_none()
        );
        assert!(group_page(br#"[{"id":"00g1"},{}]"#).unwrap().is_none());
    }
}
