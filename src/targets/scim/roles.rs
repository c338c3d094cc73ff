//! Roles that are groups: with `role_as = "groups"` an account has its role by being in the
//! group of the role's name. The groups are made when they are first needed.

use serde_json::json;

use reqwest::Method;

use super::Scim;
use super::client::Ask;
use super::pace::Doing;
use super::trouble::Trouble;
use super::wire;
use crate::config::{MatchGroup, RoleAs};
use crate::plan::Account;
use crate::scim::schema::urn;
use crate::targets::TargetError;

impl Scim {
    /// Brings the role's group into step, where roles are groups.
    pub(super) async fn role_follows(
        &self,
        id: &str,
        before: &Account,
        after: &Account,
    ) -> Result<(), TargetError> {
        if self.profile.role_as != RoleAs::Groups || before.role == after.role {
            return Ok(());
        }
        let ids = [id.to_owned()];
        if let Some(role) = after.role {
            let group = self.role_group(role.as_str()).await?;
            self.send_members(&group, &ids, true).await?;
        }
        if let Some(role) = before.role {
            let group = self.role_group(role.as_str()).await?;
            self.send_members(&group, &ids, false).await?;
        }
        Ok(())
    }

    async fn role_group(&self, role: &str) -> Result<String, TargetError> {
        let name = format!("{}{role}", self.profile.role_group_prefix);
        // Two accounts of one role must not make two groups.
        let _making = self.making_role.lock().await;
        if let Some(id) = self.run().role_groups.get(&name) {
            return Ok(id.clone());
        }
        let found = self.groups_by(MatchGroup::DisplayName, &name).await?;
        let found = found.into_iter().find(|group| group.display_name == name);
        let id = match found {
            Some(group) => group.id,
            None => {
                let body = json!({
                    "schemas": [urn::GROUP],
                    "displayName": name,
                    "externalId": format!("rosterd-role-{role}"),
                });
                let ask = Ask {
                    what: "creating the group of a role",
                    method: Method::POST,
                    url: self.client.url(&["Groups"], &[]),
                    body: Some(&body),
                    doing: Doing::WriteGroup,
                };
                let made = match self.client.send(ask).await {
                    Ok(made) => made.as_ref().and_then(wire::id_of),
                    Err(Trouble::Fault(_) | Trouble::Later(_) | Trouble::Taken(_)) => {
                        let found = self.groups_by(MatchGroup::DisplayName, &name).await?;
                        let found = found.into_iter().find(|group| group.display_name == name);
                        found.map(|group| group.id)
                    }
                    Err(trouble) => return Err(trouble.into()),
                };
                made.ok_or_else(|| {
                    TargetError::Refused(format!("the group '{name}' of a role could not be made"))
                })?
            }
        };
        self.run().role_groups.insert(name, id.clone());
        Ok(id)
    }
}
