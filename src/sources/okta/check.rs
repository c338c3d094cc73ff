//! `rosterd check`: each thing the source needs, tried once.

use super::OktaSource;
use super::auth::needs;
use super::client::{APP, ASSIGNMENTS, GROUPS, Kind, LOGS, MEMBERS, USERS};
use super::errors::{Need, SignIn};
use super::groups::group_page;
use super::service_app::ServiceApp;
use super::wire::{self, AppRecord, MemberRecord};
use crate::http::{HttpError, Policy};
use crate::sources::Finding;

impl OktaSource {
    pub(super) async fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.client.sign_in() == SignIn::ServiceApp {
            let scopes = self.try_scopes().await;
            let broken = scopes.iter().any(|finding| !finding.ok);
            findings.extend(scopes);
            if broken {
                // Every request asks for all scopes at once and would fail for the same reason.
                return findings;
            }
        }
        let users = self.try_users().await;
        let (Ok(finding) | Err(finding)) = &users;
        findings.push(finding.clone());
        if users.is_err() {
            return findings;
        }
        findings.extend(self.try_groups().await);
        if let Some(application) = self.options.scope.application() {
            findings.push(self.try_app(application).await);
            findings.push(self.try_assignments(application).await);
        }
        findings.push(self.try_list("reads the System Log", &["logs"], LOGS).await);
        findings
    }

    /// One token per scope: of several at once, Okta does not say which is not granted.
    async fn try_scopes(&self) -> Vec<Finding> {
        let app = match ServiceApp::open(&self.options, self.client.base()) {
            Ok(app) => app,
            Err(error) => return vec![bad(error.to_string())],
        };
        let mut missing = Vec::new();
        for need in needs(&self.options.scope) {
            if let Err(error) = app.try_scope(need).await {
                let text = error.to_string();
                if !text.contains(need.scope()) {
                    // Not about this scope: the key, the host or the app.
                    return vec![bad(text)];
                }
                missing.push(need.scope());
            }
        }
        vec![match missing.is_empty() {
            true => good("signs in as a service app, all scopes granted".to_owned()),
            false => bad(format!(
                "the service app lacks {}: grant it on the app's tab Okta API Scopes",
                missing.join(", ")
            )),
        }]
    }

    /// Err when there is no point in trying more: the credential or the host is wrong, and
    /// every line would say the same.
    async fn try_users(&self) -> Result<Finding, Finding> {
        match self.count("the users list", &["users"], USERS).await {
            Ok(0) => Ok(bad(
                "reads users, but there are none to see: the credential's admin role may not cover any".to_owned(),
            )),
            Ok(_) => Ok(good("signs in and reads users".to_owned())),
            Err(error) => {
                let hopeless = error.status().is_none_or(|it| it.status.as_u16() != 403);
                let finding = bad(self.client.explain(error, Need::Users).to_string());
                match hopeless {
                    true => Err(finding),
                    false => Ok(finding),
                }
            }
        }
    }

    /// Groups, and with one of them whether members can be read.
    async fn try_groups(&self) -> Vec<Finding> {
        let url = self.client.url(&["groups"], &[("limit", "1")]);
        let answer = self
            .client
            .get_with("the groups list", GROUPS, &url, Policy::probe(), group_page)
            .await;
        let page = match answer {
            Ok(answer) => answer.value,
            Err(error) => return vec![bad(self.client.explain(error, Need::Groups).to_string())],
        };
        let Some(group) = page.rows.first() else {
            return vec![bad(
                "reads groups, but there are none to see: the credential's admin role may not cover any".to_owned(),
            )];
        };
        let path = ["groups", group.id.as_str(), "users"];
        vec![
            good("reads groups".to_owned()),
            self.try_list("reads the members of groups", &path, MEMBERS)
                .await,
        ]
    }

    async fn try_app(&self, application: &str) -> Finding {
        let url = self.client.url(&["apps", application], &[]);
        let decode = |body: &[u8]| {
            wire::one::<AppRecord>(body).map(|record| {
                record.unwrap_or(AppRecord {
                    label: None,
                    status: None,
                })
            })
        };
        let what = format!("application {application}");
        let answer = self
            .client
            .get_with(&what, APP, &url, Policy::probe(), decode)
            .await;
        match answer {
            Err(error) => bad(self.client.explain(error, Need::Apps).to_string()),
            Ok(answer) => {
                let AppRecord { label, status } = answer.value;
                let label = label.unwrap_or_default();
                match status.as_deref() {
                    None | Some("ACTIVE") => {
                        good(format!("finds application {application} ({label})"))
                    }
                    Some(_) => bad(format!(
                        "application {application} ({label}) is not active in Okta: activate it, or name another one in `application`"
                    )),
                }
            }
        }
    }

    async fn try_assignments(&self, application: &str) -> Finding {
        let path = ["apps", application, "users"];
        self.try_list("reads the application's assignments", &path, ASSIGNMENTS)
            .await
    }

    async fn try_list(&self, does: &str, path: &[&str], kind: Kind) -> Finding {
        match self.count(does, path, kind).await {
            Ok(_) => good(does.to_owned()),
            Err(error) => bad(self.client.explain(error, kind.need).to_string()),
        }
    }

    /// Asks for one record of a list, and counts what comes.
    async fn count(&self, what: &str, path: &[&str], kind: Kind) -> Result<usize, HttpError> {
        let url = self.client.url(path, &[("limit", "1")]);
        let decode = |body: &[u8]| Ok(wire::records::<MemberRecord>(body)?.len());
        let answer = self
            .client
            .get_with(what, kind, &url, Policy::probe(), decode)
            .await?;
        Ok(answer.value)
    }
}

fn good(text: String) -> Finding {
    Finding { ok: true, text }
}

fn bad(text: String) -> Finding {
    Finding { ok: false, text }
}
