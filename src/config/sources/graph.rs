//! `[sources.NAME]` of kind `graph`: Entra ID through Microsoft Graph.

use std::path::PathBuf;

use url::Url;

use super::Pull;
use crate::config::address;
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::server::pair;
use crate::config::words::words;

words! {
    /// A Microsoft cloud.
    Cloud {
        /// The public cloud.
        Global = "global",
        /// US government, L4 (GCC High).
        UsGov = "us_gov",
        /// US government, L5 (DoD).
        UsDod = "us_dod",
        /// China, run by 21Vianet.
        China = "china",
    }
}

words! {
    /// An identity the platform gives to the machine.
    Identity {
        /// A managed identity: the platform's metadata service issues the tokens.
        Managed = "managed",
        /// A workload identity: a token file of the cluster is exchanged.
        Workload = "workload",
    }
}

/// The settings only a Graph source has.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Tenant id or one of its domains.
    pub tenant: String,
    /// How rosterd signs in.
    pub sign_in: GraphSignIn,
    /// Which cloud. Default: `global`.
    pub cloud: Cloud,
    /// Host of Graph. Default: the cloud's.
    pub endpoint: Url,
    /// Host that issues tokens. Default: the cloud's.
    pub authority: Url,
    /// Whether Graph is asked to notify of changes. Default: false.
    pub notifications: bool,
    /// When and how gently it is pulled.
    pub pull: Pull,
}

/// How rosterd signs in to Entra ID. Exactly one way is given.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphSignIn {
    /// With a client secret.
    Secret {
        /// The application's id.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// With a certificate.
    Certificate {
        /// The application's id.
        client_id: String,
        /// The certificate, PEM.
        file: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
    /// As the machine itself.
    Identity {
        /// Which identity.
        identity: Identity,
        /// The identity's client id, where there are several. Default: the only one.
        client_id: Option<String>,
        /// Where a managed identity asks for tokens. Default: the platform's address.
        endpoint: Option<Url>,
    },
}

impl Cloud {
    /// Host of Microsoft Graph in this cloud.
    pub fn endpoint(self) -> &'static str {
        match self {
            Cloud::Global => "https://graph.microsoft.com",
            Cloud::UsGov => "https://graph.microsoft.us",
            Cloud::UsDod => "https://dod-graph.microsoft.us",
            Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// Host that issues tokens in this cloud.
    pub fn authority(self) -> &'static str {
        match self {
            Cloud::Global => "https://login.microsoftonline.com",
            Cloud::UsGov | Cloud::UsDod => "https://login.microsoftonline.us",
            Cloud::China => "https://login.chinacloudapi.cn",
        }
    }
}

impl Graph {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let sign_in = GraphSignIn::read(section);
        let pull = Pull::read(section);
        let cloud: Cloud = section.word("cloud")?;
        let host = |key: &str, otherwise: &str| {
            section
                .read(key, address::web)
                .or_else(|| otherwise.parse().ok())
        };
        Some(Self {
            tenant: section.text("tenant")?,
            sign_in: sign_in?,
            cloud,
            endpoint: host("endpoint", cloud.endpoint())?,
            authority: host("authority", cloud.authority())?,
            notifications: section.flag("notifications")?,
            pull: pull?,
        })
    }
}

const WAYS: [&str; 3] = ["client_secret", "certificate", "identity"];

impl GraphSignIn {
    fn read(section: &mut Section) -> Option<Self> {
        let given: Vec<&str> = WAYS.into_iter().filter(|way| section.gives(way)).collect();
        let [way] = given[..] else {
            let message = match given[..] {
                [] => format!(
                    "'{}' says no way to sign in: give client_secret, certificate or identity",
                    section.path
                ),
                _ => format!(
                    "'{}' says {} ways to sign in ({}): keep one",
                    section.path,
                    given.len(),
                    given.join(", ")
                ),
            };
            section.problems.error(&section.origin(""), message);
            return None;
        };
        if way != "identity" && section.value("identity_endpoint").is_some() {
            let message = format!(
                "'{}' is for identity = \"managed\" only",
                section.key("identity_endpoint")
            );
            section.refuse("identity_endpoint", message);
        }
        let client_id = section.text("client_id");
        if way != "identity" && client_id.is_none() {
            let message = format!("'{}' must be given with {way}", section.key("client_id"));
            section.lacks(&["client_id"], message);
        }
        match way {
            "client_secret" => {
                let client_secret = section.secret("client_secret");
                Some(Self::Secret {
                    client_id: client_id?,
                    client_secret: client_secret?,
                })
            }
            "certificate" => {
                let (file, key) = pair(section, "certificate.file", "certificate.key")?;
                Some(Self::Certificate {
                    client_id: client_id?,
                    file,
                    key,
                })
            }
            _ => Some(Self::Identity {
                identity: section.word("identity")?,
                client_id,
                endpoint: section.read("identity_endpoint", address::identity),
            }),
        }
    }
}
