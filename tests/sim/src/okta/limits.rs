//! Rate buckets: so many requests per endpoint pattern and window.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::clock::Millis;
use crate::reply::Reply;
use crate::settings::Settings;

/// The windows under way, by bucket.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<&'static str, Window>>);

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Epoch seconds, as the header tells it.
    resets: u64,
    used: u64,
    refused_at: Option<Millis>,
}

/// What a bucket says to a request, and the headers that tell it.
#[derive(Debug)]
pub struct Ticket {
    pub refused: bool,
    pub early: bool,
    limit: u64,
    remaining: u64,
    resets: u64,
}

/// The bucket of an endpoint class; the names are those of the setting `okta_limits`.
pub fn bucket(class: &str) -> &'static str {
    match class {
        "okta.users" => "users",
        "okta.users.get" => "user",
        "okta.groups" | "okta.groups.users" => "groups",
        "okta.groups.get" => "group",
        "okta.apps" | "okta.apps.users" | "okta.apps.groups" => "apps",
        "okta.apps.get" => "app",
        "okta.logs" => "logs",
        _ => "other",
    }
}

impl Limits {
    /// Takes one request out of a bucket.
    pub fn take(&self, settings: &Settings, class: &str, in_flight: u64, now: Millis) -> Ticket {
        let name = bucket(class);
        let limits = &settings.okta_limits;
        let limit = limits
            .get(name)
            .or_else(|| limits.get("default"))
            .copied()
            .unwrap_or(u64::MAX);
        let mut windows = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let window = windows.entry(name).or_insert(Window {
            resets: 0,
            used: 0,
            refused_at: None,
        });
        if now >= window.resets * 1_000 {
            *window = Window {
                resets: (now + settings.okta_window_ms).div_ceil(1_000),
                used: 0,
                refused_at: None,
            };
        }
        if settings.okta_concurrency > 0 && in_flight > settings.okta_concurrency {
            return Ticket {
                refused: true,
                early: false,
                limit: 0,
                remaining: 0,
                resets: now.div_ceil(1_000) + 1,
            };
        }
        window.used += 1;
        let refused = window.used > limit;
        let mut early = false;
        if refused {
            let grace = settings.early_grace_ms + settings.latency_ms;
            early = window
                .refused_at
                .is_some_and(|refused| now > refused + grace);
            window.refused_at.get_or_insert(now);
        }
        Ticket {
            refused,
            early,
            limit,
            remaining: limit.saturating_sub(window.used),
            resets: window.resets,
        }
    }
}

impl Ticket {
    /// The answer with the bucket's headers.
    pub fn sign(&self, reply: Reply) -> Reply {
        reply
            .with("x-rate-limit-limit", self.limit.to_string())
            .with("x-rate-limit-remaining", self.remaining.to_string())
            .with("x-rate-limit-reset", self.resets.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut settings = Settings::default();
        settings.okta_limits.insert("users".to_owned(), 2);
        settings.okta_window_ms = 1_000;
        let limits = Limits::default();
        let refused = |now| limits.take(&settings, "okta.users", 1, now).refused;
        assert!(!refused(10_000));
        assert!(!refused(10_001));
        assert!(refused(10_002));
        assert!(limits.take(&settings, "okta.users", 1, 10_500).early);
        assert!(!refused(11_000));
    }
}
