//! A source's settings, opened.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::config::{self, GraphSignIn, Identity, OktaSignIn, PendingUsers, SourceKind};
use crate::sources::{Source, graph, okta};

/// Opens a source that fetches `attributes`, by the model's names, beside what is always
/// carried.
pub fn open(
    source: &config::Source,
    attributes: BTreeSet<String>,
) -> anyhow::Result<Arc<dyn Source>> {
    let name = source.name.as_str().to_owned();
    match &source.kind {
        SourceKind::Graph(settings) => {
            let (client_id, credential) = graph_credential(&settings.sign_in)?;
            let pull = &settings.pull;
            let opened = graph::GraphSource::open(graph::Options {
                name,
                tenant: settings.tenant.clone(),
                client_id,
                credential,
                cloud: match settings.cloud {
                    config::Cloud::Global => graph::Cloud::Global,
                    config::Cloud::UsGov => graph::Cloud::UsGov,
                    config::Cloud::UsDod => graph::Cloud::UsDod,
                    config::Cloud::China => graph::Cloud::China,
                },
                endpoint: Some(settings.endpoint.clone()),
                authority: Some(settings.authority.clone()),
                scope: match &source.scope {
                    config::Scope::All => graph::Scope::All,
                    config::Scope::Assigned { application } => graph::Scope::Assigned {
                        application: application.clone(),
                    },
                },
                attributes,
                concurrency: pull.concurrency,
                rate_share: pull.rate_share,
                timeout: pull.timeout,
                ca_pem: pull.ca_file.as_deref().map(read_ca).transpose()?,
                progress: None,
            })?;
            Ok(Arc::new(opened))
        }
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
        SourceKind::Scim(_) => anyhow::bail!("a client pushes to it; there is nothing to open"),
    }
}

/// As whom a Graph source signs in: the client id, and what proves it.
fn graph_credential(sign_in: &GraphSignIn) -> anyhow::Result<(String, graph::Credential)> {
    Ok(match sign_in {
        GraphSignIn::Secret {
            client_id,
            client_secret,
        } => {
            let secret = graph::Secret::new(client_secret.read()?.expose());
            (client_id.clone(), graph::Credential::Secret(secret))
        }
        GraphSignIn::Certificate {
            client_id,
            file,
            key,
        } => {
            let read = |what: &str, file: &Path| {
                std::fs::read_to_string(file).with_context(|| {
                    format!(
                        "the {what} {} cannot be read; name a PEM file that rosterd may read",
                        file.display()
                    )
                })
            };
            let credential = graph::Credential::Certificate {
                cert_pem: read("certificate", file)?.into_bytes(),
                key_pem: graph::Secret::new(read("certificate's key", key)?),
            };
            (client_id.clone(), credential)
        }
        GraphSignIn::Identity {
            identity: Identity::Managed,
            client_id,
            endpoint,
        } => {
            let credential = graph::Credential::Managed {
                client_id: client_id.clone(),
                endpoint: endpoint.clone(),
            };
            (client_id.clone().unwrap_or_default(), credential)
        }
        GraphSignIn::Identity {
            identity: Identity::Workload,
            client_id,
            ..
        } => {
            let credential = graph::Credential::Workload { token_file: None };
            (client_id.clone().unwrap_or_default(), credential)
        }
    })
}

pub(super) fn read_ca(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| {
        format!(
            "ca_file {} cannot be read; name a PEM file that rosterd may read",
            file.display()
        )
    })
}
