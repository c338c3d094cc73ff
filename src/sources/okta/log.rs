//! The System Log as a change feed: deletions, and hints that an index may have missed.
//!
//! A polling query never ends: it always has a `next` link, which is kept and asked again by
//! the next round. An event names objects to look at; it is never taken for the data.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::OktaSource;
use super::assigned::AssignmentHints;
use super::client::LOGS;
use super::cursor::{LogPosition, OVERLAP, back};
use super::errors::{self, Need};
use super::groups::{no_date, quoted};
use super::wire::{self, Event, stamp};
use crate::sources::FetchError;

/// The most that Okta gives at once. A shorter page is the end for now.
const EVENTS_A_PAGE: usize = 1_000;

/// When the last event about each object was logged.
type Named = BTreeMap<String, Option<Timestamp>>;

/// Events to look at before a full round: as many as a cursor remembers. Of more than that in
/// the overlap, the round after it looks at some objects once more than it must.
const RECENT_EVENTS: &str = "500";

/// What the log names.
#[derive(Default)]
pub struct Hints {
    pub users: Named,
    pub groups: Named,
    /// Groups whose members changed.
    pub memberships: Named,
    /// Users and groups said to be deleted; also among the above.
    pub deleted: BTreeSet<String>,
    /// Users whose groups list them again, or no longer, though no membership changed.
    pub standing: BTreeSet<String>,
    /// Who left a group: a direct assignment may show from under that of the group.
    pub left: BTreeSet<(String, String)>,
    pub assignments: AssignmentHints,
}

/// What a reading of the log brought.
pub struct LogRead {
    pub hints: Hints,
    pub position: LogPosition,
}

/// Which events to ask for. Sign-ins and the like are most of a log and say nothing here;
/// neither do assignments of other applications.
fn filter(application: Option<&str>) -> String {
    let mut tests: Vec<String> = [
        r#"eventType sw "user.lifecycle.""#,
        r#"eventType sw "user.account.update_""#,
        r#"eventType sw "group.lifecycle.""#,
        r#"eventType sw "group.profile.""#,
        r#"eventType sw "group.user_membership.""#,
    ]
    .map(str::to_owned)
    .into();
    if let Some(application) = application {
        tests.push(format!(
            r#"((eventType sw "application.user_membership." or eventType sw "group.application_assignment.") and target.id eq "{}")"#,
            quoted(application)
        ));
    }
    tests.join(" or ")
}

impl Hints {
    /// Sorts one event in.
    fn take(&mut self, event: &Event) {
        let kind = event.kind.as_deref().unwrap_or_default();
        let at = wire::time(event.published.as_deref());
        let users = || event.targets("User").map(str::to_owned);
        let groups = || event.targets("UserGroup").map(str::to_owned);
        match kind {
            // A new password changes nothing that is kept.
            "user.account.update_password" => {}
            _ if kind.starts_with("user.") => {
                note(&mut self.users, users(), at);
                if kind.starts_with("user.lifecycle.delete.") {
                    self.deleted.extend(users());
                }
                // A new user is in no group without an event of its own.
                let known = kind != "user.lifecycle.create";
                if known && kind.ends_with("activate") {
                    self.standing.extend(users());
                }
            }
            _ if kind.starts_with("group.user_membership.") => {
                note(&mut self.memberships, groups(), at);
                if kind.ends_with(".remove") {
                    let pairs =
                        groups().flat_map(|group| users().map(move |it| (group.clone(), it)));
                    self.left.extend(pairs);
                }
            }
            _ if kind.starts_with("group.lifecycle.") || kind.starts_with("group.profile.") => {
                note(&mut self.groups, groups(), at);
                if kind == "group.lifecycle.delete" {
                    self.deleted.extend(groups());
                }
            }
            _ if kind.starts_with("application.user_membership.") => {
                // Besides the user there is the assignment, with an id of its own (0ua…).
                let named: BTreeSet<String> = users().collect();
                self.assignments.more |= named.is_empty();
                self.assignments.users.extend(named);
            }
            // The groups of the application are listed in every round: an event about them
            // says nothing that the list does not.
            _ => {}
        }
    }
}

fn note(into: &mut Named, ids: impl Iterator<Item = String>, at: Option<Timestamp>) {
    for id in ids {
        let known = into.entry(id).or_default();
        *known = (*known).max(at);
    }
}

impl OktaSource {
    /// The last events logged, and Okta's time. A full round starts with this: what it reads
    /// afterwards has those events in it already, so the next round need not look at them.
    pub(super) async fn recent_events(&self) -> Result<(Vec<String>, Timestamp), FetchError> {
        let filter = filter(self.options.scope.application());
        let query = [
            ("sortOrder", "DESCENDING"),
            ("limit", RECENT_EVENTS),
            ("filter", filter.as_str()),
        ];
        let url = self.client.url(&["logs"], &query);
        let decode = |body: &[u8]| {
            let events = wire::records::<Event>(body)?;
            let legible = events.into_iter().flatten();
            Ok(legible.map(|event| event.uuid).collect::<Vec<String>>())
        };
        let answer = self.client.get("the System Log", LOGS, &url, decode).await;
        let answer = answer.map_err(|error| self.client.explain(error, Need::Logs))?;
        let mut uuids = answer.value;
        uuids.reverse();
        Ok((uuids, answer.at.ok_or_else(no_date)?))
    }

    /// Reads what was logged since `was`.
    pub(super) async fn read_log(&self, was: &LogPosition) -> Result<LogRead, FetchError> {
        let resumed = was.next.as_deref().and_then(|next| self.client.link(next));
        match resumed {
            Some(url) => match self.follow_log(was, url).await {
                // How long a link is good for is not documented. The time before it is.
                Err(error) if errors::is_bad_request(&error) => self.log_from_time(was).await,
                other => other.map_err(|error| self.client.explain(error, Need::Logs))?,
            },
            None => self.log_from_time(was).await,
        }
    }

    async fn log_from_time(&self, was: &LogPosition) -> Result<LogRead, FetchError> {
        let filter = filter(self.options.scope.application());
        let limit = EVENTS_A_PAGE.to_string();
        let since = stamp(was.since);
        let query = [
            ("since", since.as_str()),
            ("sortOrder", "ASCENDING"),
            ("limit", limit.as_str()),
            ("filter", filter.as_str()),
        ];
        let url = self.client.url(&["logs"], &query);
        match self.follow_log(was, url).await {
            // Too far back, most likely: then what was deleted meanwhile cannot be learnt.
            Err(error) if errors::is_bad_request(&error) => Err(FetchError::Resync(format!(
                "Okta's log cannot be read from {since} on; everything is read again"
            ))),
            other => other.map_err(|error| self.client.explain(error, Need::Logs))?,
        }
    }

    async fn follow_log(
        &self,
        was: &LogPosition,
        first: url::Url,
    ) -> Result<Result<LogRead, FetchError>, crate::http::HttpError> {
        let mut position = was.clone();
        let mut hints = Hints::default();
        let known: BTreeSet<String> = was.seen.iter().cloned().collect();
        let mut pages = self.client.pages("the System Log", LOGS, first);
        loop {
            let Some(events) = pages.try_next(|body| wire::records::<Event>(body)).await? else {
                break;
            };
            let full = events.len() >= EVENTS_A_PAGE;
            // An event that cannot be decoded is a hint less; the lists are the authority.
            for event in events.into_iter().flatten() {
                if known.contains(&event.uuid) {
                    continue;
                }
                if !event.failed() {
                    hints.take(&event);
                }
                position.remember(event.uuid);
            }
            let rest = pages.rest();
            position.next = rest.map(|url| url[url::Position::BeforePath..].to_owned());
            if !full {
                break;
            }
        }
        Ok(match pages.began() {
            None => Err(no_date()),
            Some(began) => {
                position.since = position.since.max(back(began, OVERLAP));
                Ok(LogRead { hints, position })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(events: &[(&str, &[(&str, &str)])]) -> Hints {
        let mut hints = Hints::default();
        for (kind, targets) in events {
            let targets: Vec<_> = targets
                .iter()
                .map(|(id, kind)| serde_json::json!({"id": id, "type": kind}))
                .collect();
            let event = serde_json::json!({"uuid": "e", "eventType": kind, "target": targets,
                "published": "2026-01-16T18:15:12.862Z", "outcome": {"result": "SUCCESS"}});
            hints.take(&serde_json::from_value(event).unwrap());
        }
        hints
    }

    #[test]
    fn events_name_what_to_look_at() {
        let found = hints(&[
            ("user.lifecycle.delete.completed", &[("00u1", "User")]),
            ("user.account.update_profile", &[("00u2", "User")]),
            ("user.account.update_password", &[("00u3", "User")]),
            ("group.lifecycle.delete", &[("00g1", "UserGroup")]),
            (
                "group.user_membership.add",
                &[("00u4", "User"), ("00g2", "UserGroup")],
            ),
            (
                "application.user_membership.add",
                &[
                    ("0ua9", "AppUser"),
                    ("00u5", "User"),
                    ("0oa1", "AppInstance"),
                ],
            ),
        ]);
        assert_eq!(found.users.keys().collect::<Vec<_>>(), ["00u1", "00u2"]);
        assert_eq!(found.groups.keys().collect::<Vec<_>>(), ["00g1"]);
        assert_eq!(found.memberships.keys().collect::<Vec<_>>(), ["00g2"]);
        assert_eq!(found.assignments.users.iter().collect::<Vec<_>>(), ["00u5"]);
        assert!(!found.assignments.more);
    }

    #[test]
    fn an_assignment_without_a_name_asks_for_the_whole_list() {
        let found = hints(&[(
            "application.user_membership.remove",
            &[("0oa1", "AppInstance")],
        )]);
        assert!(found.assignments.more);
    }

    #[test]
    fn assignments_of_other_applications_are_not_asked_for() {
        assert!(filter(Some("0oa1")).contains(r#"and target.id eq "0oa1""#));
        assert!(!filter(None).contains("application"));
    }
}
