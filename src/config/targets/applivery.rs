//! `[targets.NAME]` of kind `applivery`: Applivery through its REST API.
//!
//! What its public documentation leaves open is a setting here, with the likely answer as the
//! default.

use url::Url;

use crate::config::address;
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::words::words;

words! {
    /// What stands for no user when a device is unassigned.
    UnassignValue {
        /// JSON's null.
        Null = "null",
        /// An empty text.
        Empty = "empty",
    }
}

words! {
    /// What becomes of an account whose address changes. Applivery changes no address.
    EmailChange {
        /// The account stays under the old one, and the change is reported.
        Conflict = "conflict",
        /// An account is made under the new one, devices move, the old one is removed.
        Recreate = "recreate",
    }
}

/// The settings only an Applivery target has.
#[derive(Clone, Debug, PartialEq)]
pub struct Applivery {
    /// URL of the API, version included.
    pub base_url: Url,
    /// Id or slug of the organization.
    pub organization: String,
    /// Bearer token.
    pub token: Secret,
    /// Most requests under way at once. Default: 8.
    pub concurrency: usize,
    /// The policy of each platform. Default: none.
    pub policies: Policies,
    /// What stands for no user when a device is unassigned. Default: null.
    pub unassign_value: UnassignValue,
    /// What becomes of an account whose address changes. Default: conflict.
    pub email_change: EmailChange,
    /// Whether devices may be removed for good. Default: no.
    pub remove_devices_allowed: bool,
    /// Whether calls are made that Applivery does not document. Default: no.
    pub undocumented_calls: bool,
    /// Most requests in an hour. Default: 10,000, as documented.
    pub rate_per_hour: usize,
    /// Most requests at once after a quiet time. Default: 100.
    pub rate_burst: usize,
    /// How an Android device is written.
    pub android: Android,
}

/// The ids of the policies that `change_policy` means; each platform has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    pub apple: Option<String>,
    pub windows: Option<String>,
    pub android: Option<String>,
}

/// The fields of an Android device that are written; those of the other platforms are
/// documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Android {
    /// Default: `mdmUserId`, as on the other platforms.
    pub user_field: String,
    /// Default: `policyId`, as on Apple's.
    pub policy_field: String,
}

impl Applivery {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let token = section.secret("token");
        Some(Self {
            base_url: section.read("base_url", address::web)?,
            organization: section.text("organization")?,
            token: token?,
            concurrency: section.count("concurrency")?,
            policies: Policies {
                apple: section.text("policies.apple"),
                windows: section.text("policies.windows"),
                android: section.text("policies.android"),
            },
            unassign_value: section.word("unassign_value")?,
            email_change: section.word("email_change")?,
            remove_devices_allowed: section.flag("remove_devices_allowed")?,
            undocumented_calls: section.flag("undocumented_calls")?,
            rate_per_hour: section.count("rate.per_hour")?,
            rate_burst: section.count("rate.burst").unwrap_or(100),
            android: Android {
                user_field: section.text("android.user_field")?,
                policy_field: section.text("android.policy_field")?,
            },
        })
    }
}
