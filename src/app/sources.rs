//! A source's settings, opened.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::config::{self, OktaSignIn, PendingUsers, SourceKind};
use crate::sources::{Source, okta};

/// Opens a source that fetches `attributes`, by the model's names, beside what is always
/// carried.
pub fn open(
    source: &config::Source,
    attributes: BTreeSet<String>,
) -> anyhow::Result<Arc<dyn Source>> {
    let name = source.name.as_str().to_owned();
    match &source.kind {
        SourceKind::Graph(_) => anyhow::bail!("graph"),
        SourceKind::Okta(settings) => {
            let credential = match &settings.sign_in {
                OktaSignIn::Token(token) => {
                    okta::Credential::ApiToken(token.read()?.expose().to_owned())
                }
                OktaSignIn::PrivateKey {
                    client_id,
                    private_key,
                    key_id,
                } => okta::Credential::PrivateKey {
                    client_id: client_id.clone(),
                    key_pem: private_key.read()?.expose().to_owned(),
                    key_id: key_id.clone(),
                },
            };
            let scope = match &source.scope {
                config::Scope::All => okta::Scope::All,
                config::Scope::Assigned { application } => okta::Scope::Assigned {
                    application: application.clone(),
                },
            };
            let pull = &settings.pull;
            let opened = okta::OktaSource::open(okta::Options {
                name,
                org_url: settings.org_url.clone(),
                credential,
                scope,
                pending_users_active: settings.pending_users == PendingUsers::Active,
                attributes,
                concurrency: pull.concurrency,
                rate_share: pull.rate_share,
                timeout: pull.timeout,
                ca_pem: pull.ca_file.as_deref().map(read_ca).transpose()?,
            })?;
            Ok(Arc::new(opened))
        }
    }
}

fn read_ca(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| {
        format!(
            "ca_file {} cannot be read; name a PEM file that rosterd may read",
            file.display()
        )
    })
}
