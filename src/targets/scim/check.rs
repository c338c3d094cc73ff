//! Testing the connection as identity providers do, and learning what the provider says of
//! itself.

use serde_json::Value;

use super::Scim;
use super::trouble::Trouble;
use super::wire;
use crate::config::{FilterOps, GroupsWord, MatchUser, UpdateBy};
use crate::finding::Finding;
use crate::scim::member;
use crate::targets::TargetError;

impl Scim {
    /// Reads the ServiceProviderConfig once. What it says lowers what is expected and never
    /// raises it: some claim too much, and some too little. One that cannot be read says
    /// nothing.
    pub(super) async fn read_config(&self) -> Result<(), TargetError> {
        if self.learnt().config_read {
            return Ok(());
        }
        let Some(path) = &self.profile.spc_path else {
            self.learn(|learnt| learnt.config_read = true);
            return Ok(());
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let url = self.client.url(&parts, &[]);
        match self.client.get("the ServiceProviderConfig", url).await {
            Ok(config) => {
                let patch = config
                    .as_ref()
                    .and_then(|config| member(config, "patch")?.as_object())
                    .and_then(|patch| member(patch, "supported"));
                let without = patch == Some(&Value::Bool(false));
                self.learn(|learnt| {
                    learnt.config_read = true;
                    if without {
                        learnt.user_update = UpdateBy::Put;
                        learnt.group_update = UpdateBy::Put;
                    }
                });
                Ok(())
            }
            Err(Trouble::Away(text)) => Err(TargetError::Away(text)),
            Err(_) => {
                self.learn(|learnt| learnt.config_read = true);
                Ok(())
            }
        }
    }

    pub(super) async fn tested(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Err(error) = self.read_config().await {
            return vec![Finding::wrong(error.to_string())];
        }
        match self.looks_up().await {
            Ok(text) => findings.push(Finding::ok(text)),
            Err(text) => {
                findings.push(Finding::wrong(text));
                return findings;
            }
        }
        if self.profile.groups != GroupsWord::Off {
            let url = self
                .client
                .url(&["Groups"], &[("startIndex", "1"), ("count", "1")]);
            findings.push(match self.client.get("the groups list", url).await {
                Ok(Some(_)) => Finding::ok("it takes groups"),
                Ok(None) | Err(Trouble::Unsupported(_)) => match self.profile.groups {
                    GroupsWord::Probe => Finding::ok(
                        "groups are switched off there: portals on it need groups = { push = [] }",
                    ),
                    _ => Finding::wrong(
                        "it has no groups: set groups = \"off\" for the target, and groups = { push = [] } for its portals",
                    ),
                },
                Err(trouble) => Finding::wrong(TargetError::from(trouble).to_string()),
            });
        }
        findings
    }

    /// Asks for somebody whom nobody can be: a service that answers with an empty list is up,
    /// takes the token and understands filters.
    async fn looks_up(&self) -> Result<String, String> {
        let nobody = format!("rosterd-{}", ulid::Ulid::new()).to_lowercase();
        let query = match self.profile.filter_ops {
            FilterOps::None => vec![("count", "1".to_owned())],
            FilterOps::Eq => {
                let by = self.profile.match_user.first();
                let by = by.copied().unwrap_or(MatchUser::UserName);
                vec![("filter", wire::equals(by.as_str(), &nobody))]
            }
        };
        let query: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let url = self.client.url(&["Users"], &query);
        let page = match self.client.get("the connection test", url).await {
            Ok(Some(page)) => page,
            Ok(None) => {
                return Err(
                    "the connection test: there are no users under base_url (404): copy it from the service's SCIM settings, up to where /Users begins"
                        .to_owned(),
                );
            }
            Err(trouble) => return Err(TargetError::from(trouble).to_string()),
        };
        let list = member(&page, "totalResults").is_some() || member(&page, "Resources").is_some();
        if !list && member(&page, "schemas").is_none() {
            return Err(
                "the connection test: the answer is no list of users: copy base_url from the service's SCIM settings, up to where /Users begins"
                    .to_owned(),
            );
        }
        let mut page = page;
        let found = super::pages::resources(&mut page).len();
        if found > 0 && self.profile.filter_ops == FilterOps::Eq {
            return Err(format!(
                "the connection test: a look-up of nobody found {found}: the service does not filter; set filter_ops = \"none\" for the target"
            ));
        }
        Ok(format!(
            "users can be looked up, as profile '{}' has it",
            self.profile.word
        ))
    }
}
