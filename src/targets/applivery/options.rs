//! What an Applivery target is told, with its token read.

use url::Url;

use super::devices::Platform;
use crate::config::{Android, EmailChange, Policies, SecretText, UnassignValue};

pub struct Options {
    pub base_url: Url,
    pub organization: String,
    pub token: SecretText,
    /// The settings key of the token.
    pub token_key: String,
    /// The settings path of the target, `targets.NAME`.
    pub path: String,
    pub concurrency: usize,
    pub policies: Policies,
    pub unassign_value: UnassignValue,
    pub email_change: EmailChange,
    pub remove_devices_allowed: bool,
    pub undocumented_calls: bool,
    pub rate_per_hour: usize,
    pub rate_burst: usize,
    pub android: Android,
}

impl Options {
    /// The policy that `change_policy` means on a platform.
    pub fn policy(&self, platform: Platform) -> Option<&str> {
        let policy = match platform {
            Platform::Apple => &self.policies.apple,
            Platform::Windows => &self.policies.windows,
            Platform::Android => &self.policies.android,
        };
        policy.as_deref()
    }
}
