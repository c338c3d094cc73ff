//! What an Applivery target is told, with its token read.

use super::devices::Platform;
use crate::config::{Applivery, SecretText};

pub struct Options {
    pub settings: Applivery,
    pub token: SecretText,
    /// The settings path of the target, `targets.NAME`.
    pub path: String,
}

impl Options {
    /// The policy that `change_policy` means on a platform.
    pub fn policy(&self, platform: Platform) -> Option<&str> {
        let policies = &self.settings.policies;
        let policy = match platform {
            Platform::Apple => &policies.apple,
            Platform::Windows => &policies.windows,
            Platform::Android => &policies.android,
        };
        policy.as_deref()
    }
}
