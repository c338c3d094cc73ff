//! What an Okta source needs to be opened.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use url::Url;

/// Everything about one Okta organisation and how much of it to read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The source's name in the settings, for messages.
    pub name: String,
    /// `https://acme.okta.com`, or a custom domain.
    pub org_url: Url,
    pub credential: Credential,
    pub scope: Scope,
    /// Whether PROVISIONED and STAGED users count as active.
    pub pending_users_active: bool,
    /// The attributes that rules and mappings read: named as in the model, or
    /// `source.<profile attribute>`. Others are not kept.
    pub attributes: BTreeSet<String>,
    /// Requests in flight at once. Okta allows an organisation 75 in all (35 on the free plan).
    pub concurrency: usize,
    /// The share of each rate limit to use; the rest is left to others.
    pub rate_share: f64,
    /// How long one request may take.
    pub timeout: Duration,
    /// Certificates to trust beside the usual ones, in PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// How rosterd proves who it is.
#[derive(Clone)]
pub enum Credential {
    ApiToken(String),
    /// A service app that signs its own assertions.
    PrivateKey {
        client_id: String,
        /// PEM, or a private JWK as the Okta console shows it.
        key_pem: String,
        /// The `kid` under which the public key is registered; a JWK brings its own.
        key_id: Option<String>,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::ApiToken(_) => f.write_str("ApiToken(***)"),
            Credential::PrivateKey { client_id, .. } => f
                .debug_struct("PrivateKey")
                .field("client_id", client_id)
                .finish_non_exhaustive(),
        }
    }
}

/// Whom to ask the organisation about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Assignments of this application are read as well.
    Assigned {
        application: String,
    },
    All,
}

impl Scope {
    pub fn application(&self) -> Option<&str> {
        match self {
            Scope::Assigned { application } => Some(application),
            Scope::All => None,
        }
    }
}
