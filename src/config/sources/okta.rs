//! `[sources.NAME]` of kind `okta`: an Okta organization through its API.

use url::Url;

use super::Pull;
use crate::config::address;
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::words::words;

words! {
    /// Whether users who never signed in yet count as active.
    PendingUsers {
        /// Staged and provisioned users are not active.
        Inactive = "inactive",
        /// They are.
        Active = "active",
    }
}

/// The settings only an Okta source has.
#[derive(Clone, Debug, PartialEq)]
pub struct Okta {
    /// URL of the organization.
    pub org_url: Url,
    /// How rosterd signs in.
    pub sign_in: OktaSignIn,
    /// Whether staged and provisioned users count as active. Default: `inactive`.
    pub pending_users: PendingUsers,
    /// The Authorization value Okta's event hook sends. Default: none, no hook.
    pub hook_secret: Option<Secret>,
    /// When and how gently it is pulled.
    pub pull: Pull,
}

/// How rosterd signs in to Okta. Exactly one way is given.
#[derive(Clone, Debug, PartialEq)]
pub enum OktaSignIn {
    /// With an API token.
    Token(Secret),
    /// With a signed assertion of an API services application.
    PrivateKey {
        /// The application's client id.
        client_id: String,
        /// Its private key, PEM or JWK.
        private_key: Secret,
        /// The key's id, where there are several. Default: the key's own, if any.
        key_id: Option<String>,
    },
}

impl Okta {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let sign_in = OktaSignIn::read(section);
        let hook_secret = section.secret("hook_secret");
        let pull = Pull::read(section);
        Some(Self {
            org_url: section.read("org_url", address::web)?,
            sign_in: sign_in?,
            pending_users: section.word("pending_users")?,
            hook_secret,
            pull: pull?,
        })
    }
}

impl OktaSignIn {
    fn read(section: &mut Section) -> Option<Self> {
        let beside_key = ["private_key", "client_id", "key_id"];
        let with_key: Vec<&str> = beside_key
            .into_iter()
            .filter(|key| section.gives(key))
            .collect();
        match (section.gives("api_token"), &with_key[..]) {
            (true, []) => section.secret("api_token").map(Self::Token),
            (false, []) => {
                let message = format!(
                    "'{}' says no way to sign in: give api_token, or client_id and private_key",
                    section.path
                );
                section.problems.error(&section.origin(""), message);
                None
            }
            (true, also) => {
                let message = format!(
                    "'{}' says two ways to sign in: keep api_token or {}",
                    section.path,
                    also.join(" and ")
                );
                section.problems.error(&section.origin(""), message);
                None
            }
            (false, _) => {
                for needed in ["client_id", "private_key"] {
                    if !section.gives(needed) {
                        let message = format!(
                            "'{}' must be given to sign in without an api_token",
                            section.key(needed)
                        );
                        section.problems.error(&section.origin(""), message);
                    }
                }
                let private_key = section.secret("private_key");
                Some(Self::PrivateKey {
                    client_id: section.text("client_id")?,
                    private_key: private_key?,
                    key_id: section.text("key_id"),
                })
            }
        }
    }
}
