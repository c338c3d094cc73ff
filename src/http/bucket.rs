//! What is known of one bucket: whether it is closed, and how near its limit it is.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::budget::Pacing;
use super::retry::{answered_at, backoff, until_from};

/// Graph's quota for a tenant of more than 500 users, per [`UNIT_WINDOW`]. A smaller tenant
/// has less and hardly ever uses it; its warning header comes first.
const UNITS: f64 = 8_000.0;
pub const UNIT_WINDOW: Duration = Duration::from_secs(10);

/// How long a warning that the limit is near keeps requests spaced out.
const WARNING_HOLDS: Duration = Duration::from_secs(10);

/// An Okta window when the answer does not say when it was sent.
const UNKNOWN_WINDOW: Duration = Duration::from_secs(60);

/// The furthest ahead that a limit is believed to be.
const FURTHEST: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
pub struct Bucket {
    /// Nothing leaves before this.
    pub closed_until: Option<Instant>,
    /// 429s in a row that named no time.
    pub unnamed: u32,
    /// Requests leave this far apart until `spaced_until`.
    gap: Duration,
    spaced_until: Option<Instant>,
    next_slot: Option<Instant>,
    /// Graph: units used in the window that began at `window`.
    window: Option<Instant>,
    used: f64,
    /// Okta: what the last answers left over, until `resets`.
    limit: f64,
    remaining: f64,
    resets: Option<Instant>,
    /// A steady rate: what may be sent at once, as it was at `filled`.
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| until > now)
    }

    pub fn close(&mut self, now: Instant, pause: Duration) {
        let until = now + pause.min(FURTHEST);
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
    }

    /// When the next request may leave, if not now.
    pub fn next(&mut self, now: Instant, pacing: Pacing) -> Option<Instant> {
        if let Some(until) = self.closed_until.filter(|until| *until > now) {
            return Some(until);
        }
        if self.spaced_until.is_some_and(|until| until > now)
            && let Some(slot) = self.next_slot.filter(|slot| *slot > now)
        {
            return Some(slot);
        }
        match pacing {
            Pacing::None => None,
            Pacing::ResourceUnits { share } => {
                let window = *self.window.get_or_insert(now);
                if now >= window + UNIT_WINDOW {
                    (self.window, self.used) = (Some(now), 0.0);
                    return None;
                }
                (self.used >= UNITS * share).then_some(window + UNIT_WINDOW)
            }
            Pacing::Remaining { share } => {
                let resets = self.resets?;
                if now >= resets {
                    self.resets = None;
                    return None;
                }
                (self.remaining - 1.0 < self.limit * (1.0 - share)).then_some(resets)
            }
            Pacing::Steady { per_second, burst } => {
                self.tokens = self.tokens_at(now, per_second, burst);
                self.filled = Some(now);
                // What rounding takes away is not waited for.
                let short = 1.0 - self.tokens;
                (short > 1e-6).then(|| now + Duration::from_secs_f64(short / per_second))
            }
        }
    }

    fn tokens_at(&self, now: Instant, per_second: f64, burst: f64) -> f64 {
        let Some(filled) = self.filled else {
            return burst;
        };
        let since = now.saturating_duration_since(filled).as_secs_f64();
        (self.tokens + since * per_second).min(burst)
    }

    /// The part of our share that is used up in the window that goes on; None where no limit is
    /// known.
    pub fn used(&self, now: Instant, pacing: Pacing) -> Option<f64> {
        match pacing {
            Pacing::None => None,
            Pacing::ResourceUnits { share } => {
                let goes_on = now < self.window? + UNIT_WINDOW;
                Some(if goes_on {
                    self.used / (UNITS * share)
                } else {
                    0.0
                })
            }
            Pacing::Remaining { share } if self.limit > 0.0 => {
                let goes_on = self.resets.is_some_and(|resets| now < resets);
                let taken = (self.limit - self.remaining).max(0.0);
                Some(if goes_on {
                    taken / (self.limit * share)
                } else {
                    0.0
                })
            }
            Pacing::Remaining { .. } => None,
            Pacing::Steady { per_second, burst } => {
                self.filled?;
                Some(1.0 - self.tokens_at(now, per_second, burst) / burst)
            }
        }
    }

    pub fn sent(&mut self, now: Instant) {
        self.used += 1.0;
        self.remaining -= 1.0;
        self.tokens -= 1.0;
        self.next_slot = Some(now + self.gap);
    }

    /// `x-ms-resource-unit` is what the answer cost (one was counted at the sending);
    /// `x-ms-throttle-limit-percentage` comes from 0.8 of the limit on, up to 1.8.
    pub fn heed_units(&mut self, now: Instant, headers: &HeaderMap) {
        if let Some(units) = number(headers, "x-ms-resource-unit") {
            self.used += (units - 1.0).max(0.0);
        }
        match number(headers, "x-ms-throttle-limit-percentage") {
            Some(near) if near >= 0.8 => {
                // 50 ms at the warning line, 150 ms at the limit, half a second far beyond.
                self.gap = Duration::from_secs_f64(0.05 + (near.min(1.8) - 0.8) * 0.5);
                self.spaced_until = Some(now + WARNING_HOLDS);
                self.next_slot = Some(now + self.gap);
            }
            _ => self.spaced_until = None,
        }
    }

    /// What is left, and until when. Answers can overtake each other: within one window the
    /// smaller number is the later one.
    pub fn heed_remaining(&mut self, now: Instant, headers: &HeaderMap) {
        let (Some(limit), Some(remaining)) = (
            number(headers, "x-rate-limit-limit"),
            number(headers, "x-rate-limit-remaining"),
        ) else {
            return;
        };
        if limit <= 0.0 {
            return;
        }
        let resets = now + until_reset(headers);
        let same_window = self
            .resets
            .is_some_and(|before| before > now && resets < before + Duration::from_secs(5));
        self.limit = limit;
        self.remaining = match same_window {
            true => self.remaining.min(remaining),
            false => remaining,
        };
        self.resets = Some(resets);
    }

    /// The pause after a 429 that has no `Retry-After`: until Okta's bucket resets; or, where
    /// that says nothing (a concurrency limit shows zeroes), briefly and longer each time.
    pub fn pause_unnamed(&mut self, now: Instant, headers: &HeaderMap) -> Duration {
        let limit = number(headers, "x-rate-limit-limit").unwrap_or(0.0);
        if limit > 0.0 {
            // A second more: the window ends somewhere within the second that is named.
            return until_reset(headers) + Duration::from_secs(1);
        }
        // Several answers to one burst are one event.
        if !self.is_closed(now) {
            self.unnamed += 1;
        }
        backoff(self.unnamed.max(1) + 1)
    }
}

/// `X-Rate-Limit-Reset` is a moment on the service's clock, so it is read against the
/// answer's own `Date`.
fn until_reset(headers: &HeaderMap) -> Duration {
    let reset = number(headers, "x-rate-limit-reset")
        .and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    match (reset, answered_at(headers)) {
        (Some(reset), Some(now)) => until_from(now, reset),
        _ => UNKNOWN_WINDOW,
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    let value: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    value.is_finite().then_some(value)
}
