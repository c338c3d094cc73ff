//! Provision on demand: these users, these groups, and nothing else.
//!
//! A user comes with the groups it is in now, since those decide scope and role; a group
//! comes with its members as whole users. Groups that a user has left are not learnt here:
//! nothing Okta answers about a user names them.

use std::collections::BTreeSet;

use super::client::{GROUPS, USERS};
use super::groups::{GROUPS_A_PAGE, GroupRow, group_page, quoted};
use super::users::UserRow;
use super::{OktaSource, assigned, send};
use crate::directory::fold::fold;
use crate::directory::{Change, GroupId, Member, UserId};
use crate::sources::{FetchError, Fetched, Sink};

impl OktaSource {
    pub(super) async fn just(
        &self,
        users: &[String],
        groups: &[String],
        sink: &Sink,
    ) -> Result<Fetched, FetchError> {
        let mut warnings = Vec::new();
        for key in users {
            self.look_up_user(key.trim(), sink, &mut warnings).await?;
        }
        for name in groups {
            self.look_up_group(name.trim(), sink, &mut warnings).await?;
        }
        if let Some(application) = self.options.scope.application() {
            match self.assignments(application).await? {
                Some(assignments) => send(sink, vec![assignments.change()]).await?,
                None => warnings.push(assigned::illegible(application)),
            }
        }
        Ok(Fetched {
            cursor: None,
            complete: BTreeSet::new(),
            requests: 0,
            warnings,
        })
    }

    async fn look_up_user(
        &self,
        key: &str,
        sink: &Sink,
        warnings: &mut Vec<String>,
    ) -> Result<(), FetchError> {
        let mut found = match key {
            "" => Vec::new(),
            _ => self.user(key).await?.into_iter().collect(),
        };
        if found.is_empty() && key.contains('@') {
            found = self.users_by_email(key).await?;
        }
        if found.is_empty() && is_id(key, "00u") {
            return send(sink, vec![Change::UserGone(UserId::new(key))]).await;
        }
        if found.is_empty() {
            warnings.push("a user that was asked for by login or email is not in Okta".to_owned());
        }
        for row in found {
            let (id, member) = (row.id.clone(), Member::User(row.id.clone()));
            let stays = !row.deprovisioned;
            let mut changes = vec![row.change];
            for group in self.groups_of(&id).await?.unwrap_or_default() {
                let edge = (group.id.clone(), member.clone());
                changes.push(group.change);
                changes.push(match stays {
                    true => Change::MemberAdded(edge.0, edge.1),
                    false => Change::MemberRemoved(edge.0, edge.1),
                });
            }
            send(sink, changes).await?;
        }
        Ok(())
    }

    /// Users with an email that is not their login.
    async fn users_by_email(&self, email: &str) -> Result<Vec<UserRow>, FetchError> {
        let search = format!(r#"profile.email eq "{}""#, quoted(email));
        let url = self.client.url(&["users"], &[("search", &search)]);
        let mut pages = self.client.pages("a user by email", USERS, url);
        let mut found = Vec::new();
        while let Some(page) = pages.next(|body| self.user_page(body)).await? {
            found.extend(page.rows);
        }
        Ok(found)
    }

    async fn look_up_group(
        &self,
        key: &str,
        sink: &Sink,
        warnings: &mut Vec<String>,
    ) -> Result<(), FetchError> {
        let mut found = Vec::new();
        if is_id(key, "00g") {
            found.extend(self.group(key).await?);
            if found.is_empty() && self.group_deleted(key).await? {
                return send(sink, vec![Change::GroupGone(GroupId::new(key))]).await;
            }
        }
        if found.is_empty() {
            found = self.groups_by_name(key).await?;
        }
        if found.is_empty() {
            warnings.push(format!("there is no group `{key}` in Okta"));
        }
        for row in found {
            let (id, readable) = (row.id.clone(), row.readable());
            send(sink, vec![row.change]).await?;
            if readable {
                self.send_members_whole(&id, sink).await?;
            }
        }
        Ok(())
    }

    /// All groups of that name: names need not be unique. `eq` minds case and `q` does not,
    /// but `q` finds whatever begins so.
    async fn groups_by_name(&self, name: &str) -> Result<Vec<GroupRow>, FetchError> {
        let filter = format!(r#"profile.name eq "{}""#, quoted(name));
        let wanted = fold(name);
        for query in [("filter", filter.as_str()), ("q", name)] {
            let url = self
                .client
                .url(&["groups"], &[query, ("limit", GROUPS_A_PAGE)]);
            let mut pages = self.client.pages("a group by name", GROUPS, url);
            let mut found = Vec::new();
            while let Some(page) = pages.next(group_page).await? {
                found.extend(page.rows.into_iter().filter(|row| match &row.change {
                    Change::Group(group) => fold(&group.display_name) == wanted,
                    _ => false,
                }));
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

/// Whether a key has the form of an Okta id: its type's prefix and 17 more letters and digits.
fn is_id(key: &str, prefix: &str) -> bool {
    key.len() == 20
        && key.starts_with(prefix)
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_taken_for_an_id() {
        assert!(is_id("00u118oQYT4TBTemp0g4", "00u"));
        assert!(!is_id("00u@acme.com", "00u"));
        assert!(!is_id("00u-and-seventeen-mo", "00u"));
        assert!(!is_id("00g1emaKYZTWRYYRRTSK", "00u"));
    }
}
