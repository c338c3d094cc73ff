//! When a request may leave: how many at once, how fast, and not at all while the service
//! asks for a pause.
//!
//! One budget serves one source, and everything the source sends goes through it, so a pause
//! that one request was asked for holds back all. Rate state is kept per *bucket*, the name
//! of whatever the service counts by: Graph has one, Okta one per class of endpoint.
//!
//! A run that is far from its limits is never slowed down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::retry::{answered_at, backoff, retry_after, until_from};

/// What the service says about its limits, and so how to stay below them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// Nothing: only its 429s are heeded.
    None,
    /// Graph: resource units per 10 s, and a warning header when the limit is near.
    ResourceUnits { share: f64 },
    /// Okta: what is left of each bucket until it resets.
    Remaining { share: f64 },
}

/// Graph's quota for a tenant of more than 500 users, per [`UNIT_WINDOW`]. A smaller tenant
/// has less and hardly ever uses it; its warning header comes first.
const UNITS: f64 = 8_000.0;
const UNIT_WINDOW: Duration = Duration::from_secs(10);

/// How long a warning that the limit is near keeps requests spaced out.
const WARNING_HOLDS: Duration = Duration::from_secs(10);

/// Answers without a 429 after which one more request may be in flight again.
const CALM: u32 = 20;

/// An Okta window when the answer does not say when it was sent.
const UNKNOWN_WINDOW: Duration = Duration::from_secs(60);

/// The furthest ahead that a limit is believed to be.
const FURTHEST: Duration = Duration::from_secs(24 * 3600);

pub struct Budget {
    pacing: Pacing,
    concurrency: usize,
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    in_flight: usize,
    /// At most this many at once: halved by a 429, slowly given back.
    allowed: usize,
    calm: u32,
    buckets: HashMap<&'static str, Bucket>,
}

#[derive(Default)]
struct Bucket {
    /// Nothing leaves before this.
    closed_until: Option<Instant>,
    /// 429s in a row that named no time.
    unnamed: u32,
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
}

/// The right to have one request in flight.
pub struct Permit {
    budget: Arc<Budget>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().in_flight -= 1;
        self.budget.freed.notify_waiters();
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Go,
    At(Instant),
    Full,
}

impl Budget {
    pub fn new(concurrency: usize, pacing: Pacing) -> Arc<Budget> {
        let concurrency = concurrency.max(1);
        Arc::new(Budget {
            pacing,
            concurrency,
            state: Mutex::new(State {
                in_flight: 0,
                allowed: concurrency,
                calm: 0,
                buckets: HashMap::new(),
            }),
            freed: Notify::new(),
        })
    }

    /// Waits until a request to `bucket` may leave. Err with the length of the pause when the
    /// bucket stays closed for longer than `ceiling`.
    pub async fn admit(
        self: &Arc<Self>,
        bucket: &'static str,
        ceiling: Duration,
    ) -> Result<Permit, Duration> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the look, so that a permit given back in between is noticed.
            freed.as_mut().enable();
            match self.verdict(bucket, Instant::now()) {
                Verdict::Go => {
                    return Ok(Permit {
                        budget: Arc::clone(self),
                    });
                }
                Verdict::At(when) => {
                    let wait = when.saturating_duration_since(Instant::now());
                    if wait > ceiling {
                        return Err(wait);
                    }
                    tokio::time::sleep_until(when).await;
                }
                Verdict::Full => freed.await,
            }
        }
    }

    /// Whether the bucket was closed since a permit was given.
    pub fn is_closed(&self, bucket: &'static str) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let closed = state.buckets.entry(bucket).or_default().closed_until;
        closed.is_some_and(|until| until > now)
    }

    /// Learns from an answer, and returns the pause it asks for: of every request to the
    /// bucket, not only the one that was answered.
    pub fn observe(
        &self,
        bucket: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Duration> {
        self.observe_at(bucket, status, headers, Instant::now())
    }

    fn observe_at(
        &self,
        bucket: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<Duration> {
        let mut state = self.lock();
        let throttled = status == StatusCode::TOO_MANY_REQUESTS;
        let asked = match throttled || status == StatusCode::SERVICE_UNAVAILABLE {
            true => retry_after(headers),
            false => None,
        };
        match self.pacing {
            Pacing::None => {}
            Pacing::ResourceUnits { .. } => state.entry(bucket).heed_units(now, headers),
            Pacing::Remaining { .. } => state.entry(bucket).heed_remaining(now, headers),
        }
        if !throttled {
            state.calm += 1;
            if state.calm >= CALM && state.allowed < self.concurrency {
                state.allowed += 1;
                state.calm = 0;
            }
            if status.is_success() {
                state.entry(bucket).unnamed = 0;
            }
            if let Some(pause) = asked {
                state.entry(bucket).close(now, pause);
            }
            return asked;
        }
        // Answers to requests that were in flight together are one event: halve once.
        if !state.entry(bucket).is_closed(now) {
            state.allowed = (state.allowed / 2).max(1);
        }
        state.calm = 0;
        let entry = state.entry(bucket);
        let pause = asked.unwrap_or_else(|| entry.pause_unnamed(now, headers));
        entry.close(now, pause);
        Some(pause)
    }

    /// Whether a request may leave now. [`Verdict::Go`] counts it as sent.
    fn verdict(&self, bucket: &'static str, now: Instant) -> Verdict {
        let mut state = self.lock();
        if state.in_flight >= state.allowed {
            return Verdict::Full;
        }
        if let Some(when) = state.entry(bucket).next(now, self.pacing) {
            return Verdict::At(when);
        }
        state.entry(bucket).sent(now);
        state.in_flight += 1;
        Verdict::Go
    }

    /// Nothing under this lock can panic half way, so a poisoned one is as good as new.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&mut self, bucket: &'static str) -> &mut Bucket {
        self.buckets.entry(bucket).or_default()
    }
}

impl Bucket {
    fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| until > now)
    }

    fn close(&mut self, now: Instant, pause: Duration) {
        let until = now + pause.min(FURTHEST);
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
    }

    /// When the next request may leave, if not now.
    fn next(&mut self, now: Instant, pacing: Pacing) -> Option<Instant> {
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
        }
    }

    fn sent(&mut self, now: Instant) {
        self.used += 1.0;
        self.remaining -= 1.0;
        self.next_slot = Some(now + self.gap);
    }

    /// `x-ms-resource-unit` is what the answer cost (one was counted at the sending);
    /// `x-ms-throttle-limit-percentage` comes from 0.8 of the limit on, up to 1.8.
    fn heed_units(&mut self, now: Instant, headers: &HeaderMap) {
        if let Some(units) = number(headers, "x-ms-resource-unit") {
            self.used += (units - 1.0).max(0.0);
        }
        if let Some(near) = number(headers, "x-ms-throttle-limit-percentage")
            && near >= 0.8
        {
            // 0.2 s at the warning line, 1.2 s at the limit, 5 s far beyond it.
            self.gap = Duration::from_secs_f64(0.2 + (near.min(1.8) - 0.8) * 5.0);
            self.spaced_until = Some(now + WARNING_HOLDS);
            self.next_slot = Some(now + self.gap);
        }
    }

    /// What is left, and until when. Answers can overtake each other: within one window the
    /// smaller number is the later one.
    fn heed_remaining(&mut self, now: Instant, headers: &HeaderMap) {
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
    fn pause_unnamed(&mut self, now: Instant, headers: &HeaderMap) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    const SLOW: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Sends and gets back at once.
    fn pass(budget: &Arc<Budget>, bucket: &'static str, now: Instant) -> Verdict {
        let verdict = budget.verdict(bucket, now);
        if verdict == Verdict::Go {
            drop(Permit {
                budget: Arc::clone(budget),
            });
        }
        verdict
    }

    #[test]
    fn one_pause_holds_back_everyone_in_the_bucket_and_nobody_else() {
        let budget = Budget::new(4, Pacing::None);
        let now = Instant::now();
        budget.observe_at("users", SLOW, &headers(&[("retry-after", "7")]), now);
        budget.observe_at("users", SLOW, &headers(&[("retry-after", "2")]), now);
        assert_eq!(pass(&budget, "groups", now), Verdict::Go);
        let open = now + seconds(7);
        assert_eq!(pass(&budget, "users", now + seconds(6)), Verdict::At(open));
        assert_eq!(pass(&budget, "users", open), Verdict::Go);
    }

    #[test]
    fn a_429_halves_what_is_in_flight_until_it_is_calm_again() {
        let budget = Budget::new(4, Pacing::None);
        let mut now = Instant::now();
        for _ in 0..2 {
            budget.observe_at("", SLOW, &headers(&[("retry-after", "1")]), now);
        }
        now += seconds(1);
        assert_eq!(budget.verdict("", now), Verdict::Go);
        assert_eq!(budget.verdict("", now), Verdict::Go);
        assert_eq!(budget.verdict("", now), Verdict::Full);
        for _ in 0..CALM {
            budget.observe_at("", StatusCode::OK, &HeaderMap::new(), now);
        }
        assert_eq!(budget.verdict("", now), Verdict::Go);
        assert_eq!(budget.verdict("", now), Verdict::Full);
    }

    /// A service whose clock is far ahead of ours: only its own `Date` counts.
    fn okta(limit: &str, left: &str) -> HeaderMap {
        headers(&[
            ("date", "Tue, 24 Nov 2099 10:00:00 GMT"),
            ("x-rate-limit-limit", limit),
            ("x-rate-limit-remaining", left),
            ("x-rate-limit-reset", "4099284040"),
        ])
    }

    fn window() -> Duration {
        let date: Timestamp = "2099-11-24T10:00:00Z".parse().unwrap();
        until_from(date, Timestamp::from_second(4_099_284_040).unwrap())
    }

    #[test]
    fn okta_keeps_the_share_of_others_until_the_window_resets() {
        let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
        let now = Instant::now();
        budget.observe_at("users", StatusCode::OK, &okta("100", "52"), now);
        assert_eq!(pass(&budget, "users", now), Verdict::Go);
        budget.observe_at("users", StatusCode::OK, &okta("100", "50"), now);
        // An answer that was overtaken says less was used; it is not believed.
        budget.observe_at("users", StatusCode::OK, &okta("100", "90"), now);
        let resets = now + window();
        assert_eq!(pass(&budget, "users", now), Verdict::At(resets));
        assert_eq!(pass(&budget, "groups", now), Verdict::Go);
        assert_eq!(pass(&budget, "users", resets), Verdict::Go);
    }

    #[test]
    fn okta_is_waited_for_until_its_bucket_resets_by_its_own_clock() {
        let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
        let pause = budget.observe_at("users", SLOW, &okta("100", "0"), Instant::now());
        assert_eq!(pause, Some(window() + seconds(1)));
    }

    #[test]
    fn an_okta_concurrency_429_is_a_short_pause() {
        let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
        let pause = budget.observe_at("users", SLOW, &okta("0", "0"), Instant::now());
        assert!(pause.unwrap() <= seconds(1), "{pause:?}");
    }

    #[test]
    fn graph_slows_down_only_near_its_limit() {
        let budget = Budget::new(8, Pacing::ResourceUnits { share: 0.5 });
        let mut now = Instant::now();
        let costs = |units| headers(&[("x-ms-resource-unit", units)]);
        for _ in 0..100 {
            assert_eq!(pass(&budget, "", now), Verdict::Go);
            budget.observe_at("", StatusCode::OK, &costs("2"), now);
        }
        budget.observe_at("", StatusCode::OK, &costs("4000"), now);
        assert_eq!(pass(&budget, "", now), Verdict::At(now + UNIT_WINDOW));
        now += UNIT_WINDOW;
        assert_eq!(pass(&budget, "", now), Verdict::Go);

        let near = headers(&[("x-ms-throttle-limit-percentage", "0.8")]);
        budget.observe_at("", StatusCode::OK, &near, now);
        assert!(matches!(pass(&budget, "", now), Verdict::At(_)));
        assert_eq!(pass(&budget, "", now + seconds(1)), Verdict::Go);
        assert!(matches!(
            pass(&budget, "", now + seconds(1)),
            Verdict::At(_)
        ));
    }
}
