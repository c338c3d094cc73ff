//! What a test may turn while the server runs.
//!
//! `POST /sim/settings` takes any part of this as JSON and leaves the rest alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every switch, with its resting position.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Waited before every answer, in milliseconds.
    pub latency_ms: u64,
    /// Lifetime of Graph and managed-identity tokens, in seconds.
    pub token_lifetime_s: u64,
    /// Lifetime of Okta OAuth tokens, in seconds.
    pub okta_token_lifetime_s: u64,
    /// Resource units Graph grants per window; 0 means no limit.
    pub graph_ru: u64,
    /// Length of the Graph window, in milliseconds.
    pub graph_window_ms: u64,
    /// Whether Graph's `Retry-After` has a fraction (`2.128`) or is rounded up to whole seconds.
    pub graph_fractional_retry_after: bool,
    /// How late after a refusal a request may still arrive without counting as an early return:
    /// it may have been on its way.
    pub early_grace_ms: u64,
    /// Application permissions Graph has consented to.
    pub graph_permissions: BTreeSet<String>,
    /// Compress Graph answers when the client allows it. Off, because it only costs time here.
    pub graph_gzip: bool,
    /// Users on a page of `/users/delta`.
    pub delta_page_users: usize,
    /// Groups on a page of `/groups/delta`, at most.
    pub delta_page_groups: usize,
    /// Member entries on a page of `/groups/delta`, about.
    pub delta_page_members: usize,
    /// Members listed with one appearance of a group in the first round.
    pub delta_group_chunk: usize,
    /// Every so many-th page of a delta round is empty; 0 means none.
    pub delta_empty_every: u32,
    /// Show some objects more than once in a round: in a first round the last user of each page
    /// comes again on the next; in later rounds an old version comes before the present one.
    pub delta_duplicates: bool,
    /// A change shows in delta only after so many milliseconds.
    pub delta_lag_ms: u64,
    /// Lifetime of delta tokens in seconds (seven days).
    pub delta_token_lifetime_s: u64,
    /// The longest a subscription lives, in seconds; what was asked for is cut down to it. 0
    /// means as long as the service allows.
    pub subscription_life_s: u64,
    /// How an expired delta token is refused: `gone` (410 with Location), `gone_bare` (410
    /// without), or `sync_state_not_found` (400).
    pub delta_expiry: Expiry,
    /// How delta is spelled in links: `delta`, `delta()` or `microsoft.graph.delta()`.
    pub delta_spelling: String,
    /// Requests per window for each Okta bucket; `default` is for those not named.
    pub okta_limits: BTreeMap<String, u64>,
    /// Length of the Okta window, in milliseconds.
    pub okta_window_ms: u64,
    /// Requests Okta serves at a time; 0 means no limit. More get a 429 with zero headers.
    pub okta_concurrency: u64,
    /// How long `search` and `filter` on users and groups still answer from before a change.
    pub okta_search_lag_ms: u64,
    /// How far the Okta clock is ahead of the client's.
    pub clock_offset_ms: i64,
    /// Scopes granted to the Okta service app.
    pub okta_scopes: BTreeSet<String>,
    /// Groups (by id) that the Okta token no longer sees, as after a change of its admin role.
    pub okta_hidden_groups: BTreeSet<String>,
    /// Compress Okta answers when the client allows it.
    pub okta_gzip: bool,
}

/// How Graph refuses an expired delta token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    Gone,
    GoneBare,
    SyncStateNotFound,
}

impl Default for Settings {
    fn default() -> Self {
        let set = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect();
        Self {
            latency_ms: 0,
            token_lifetime_s: 3_599,
            okta_token_lifetime_s: 3_600,
            graph_ru: 0,
            graph_window_ms: 10_000,
            graph_fractional_retry_after: true,
            early_grace_ms: 100,
            graph_permissions: set(&[
                "User.Read.All",
                "GroupMember.Read.All",
                "Group.Read.All",
                "Application.Read.All",
                "Member.Read.Hidden",
            ]),
            graph_gzip: false,
            delta_page_users: 200,
            delta_page_groups: 200,
            delta_page_members: 2_000,
            delta_group_chunk: 1_000,
            delta_empty_every: 16,
            delta_duplicates: false,
            delta_lag_ms: 0,
            delta_token_lifetime_s: 7 * 86_400,
            subscription_life_s: 0,
            delta_expiry: Expiry::Gone,
            delta_spelling: "delta".to_owned(),
            okta_limits: BTreeMap::from([("default".to_owned(), 100_000)]),
            okta_window_ms: 60_000,
            okta_concurrency: 0,
            okta_search_lag_ms: 0,
            clock_offset_ms: 0,
            okta_scopes: set(&[
                "okta.users.read",
                "okta.groups.read",
                "okta.apps.read",
                "okta.logs.read",
            ]),
            okta_hidden_groups: BTreeSet::new(),
            okta_gzip: true,
        }
    }
}

impl Settings {
    /// These settings with the given ones in their place. Objects merge one level deep, so one
    /// bucket can be limited without naming the others.
    pub fn merged(&self, change: &Value) -> Result<Self, String> {
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let (Some(target), Some(source)) = (all.as_object_mut(), change.as_object()) else {
            return Err("settings must be a JSON object".to_owned());
        };
        for (name, value) in source {
            match (target.get_mut(name).and_then(Value::as_object_mut), value) {
                (Some(inner), Value::Object(more)) => inner.extend(more.clone()),
                _ => {
                    target.insert(name.clone(), value.clone());
                }
            }
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_part_changes_and_the_rest_stays() {
        let merged = Settings::default()
            .merged(&json!({"graph_ru": 5, "okta_limits": {"users": 3}}))
            .expect("known names");
        assert_eq!(merged.graph_ru, 5);
        assert_eq!(merged.okta_limits["users"], 3);
        assert_eq!(merged.okta_limits["default"], 100_000);
        assert_eq!(merged.delta_page_users, 200);
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(Settings::default().merged(&json!({"grph_ru": 5})).is_err());
    }
}
