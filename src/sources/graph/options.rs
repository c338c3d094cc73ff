//! What a Graph source is given: where, as whom, what to read, and how fast.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub struct Options {
    /// The source's name in the settings, for logs.
    pub name: String,
    /// Id or domain. Empty only where the environment names it (workload identity).
    pub tenant: String,
    /// The application's id. Empty only where the environment names it, or not needed.
    pub client_id: String,
    pub credential: Credential,
    pub cloud: Cloud,
    /// In place of the cloud's Graph host.
    pub endpoint: Option<Url>,
    /// In place of the cloud's login host.
    pub authority: Option<Url>,
    pub scope: Scope,
    /// The attributes that rules and mappings use, by the model's names (`department`,
    /// `addresses.locality`, `source.extensionAttribute5`). Only these are asked for, and
    /// those that are always carried.
    pub attributes: BTreeSet<String>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// How much of the tenant's quota to use, from 0 to 1.
    pub rate_share: f64,
    /// How long one read may bring nothing.
    pub timeout: Duration,
    /// Certificate authorities to trust beside the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// Called as records arrive.
    pub progress: Option<OnProgress>,
}

pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Records read in the round under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    pub users: u64,
    pub groups: u64,
}

/// How the application proves itself.
#[derive(Clone, Debug)]
pub enum Credential {
    Secret(Secret),
    Certificate {
        cert_pem: Vec<u8>,
        key_pem: Secret,
    },
    /// The identity of the machine; `client_id` picks one of several.
    Managed {
        client_id: Option<String>,
        endpoint: Option<Url>,
    },
    /// A token that the platform writes to a file; None is `AZURE_FEDERATED_TOKEN_FILE`.
    Workload {
        token_file: Option<PathBuf>,
    },
}

/// Who counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Who is assigned to the enterprise application of this app id.
    Assigned {
        application: String,
    },
    All,
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The clouds that Entra runs in. A token of one is worth nothing in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cloud {
    #[default]
    Global,
    UsGov,
    UsDod,
    China,
}

impl Cloud {
    pub fn graph(self) -> &'static str {
        match self {
            Cloud::Global => "https://graph.microsoft.com",
            Cloud::UsGov => "https://graph.microsoft.us",
            Cloud::UsDod => "https://dod-graph.microsoft.us",
            Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    pub fn authority(self) -> &'static str {
        match self {
            Cloud::Global => "https://login.microsoftonline.com",
            Cloud::UsGov | Cloud::UsDod => "https://login.microsoftonline.us",
            Cloud::China => "https://login.chinacloudapi.cn",
        }
    }

    /// What a token is asked for: the resource, whatever host a proxy answers on.
    pub fn scope(self) -> String {
        format!("{}/.default", self.graph())
    }
}
