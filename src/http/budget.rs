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

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::retry::retry_after;

/// What the service says about its limits, and so how to stay below them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// Nothing: only its 429s are heeded.
    None,
    /// Graph: resource units per 10 s, and a warning header when the limit is near.
    ResourceUnits { share: f64 },
    /// Okta: what is left of each bucket until it resets.
    Remaining { share: f64 },
    /// A known rate, and how much of it may be used at once after a quiet time.
    Steady { per_second: f64, burst: f64 },
}

/// How near a source is to what its service allows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Answers so far that asked to come back later (429).
    pub throttled: u64,
    /// The part of our share of the limit that is used up, of the fullest bucket: 1 and more
    /// is all of it. None where the service says nothing of limits.
    pub used: Option<f64>,
}

/// Answers without a 429 after which one more request may be in flight again.
const CALM: u32 = 20;

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
    throttled: u64,
    buckets: HashMap<&'static str, Bucket>,
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
                throttled: 0,
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
            Pacing::None | Pacing::Steady { .. } => {}
            // After a 429 the pause that it asks for is enough.
            Pacing::ResourceUnits { .. } if throttled => {}
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
        state.throttled += 1;
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

    pub fn load(&self) -> Load {
        self.load_at(Instant::now())
    }

    fn load_at(&self, now: Instant) -> Load {
        let state = self.lock();
        let buckets = state.buckets.values();
        let used = buckets.filter_map(|bucket| bucket.used(now, self.pacing));
        Load {
            throttled: state.throttled,
            used: used.reduce(f64::max),
        }
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

#[cfg(test)]
mod tests;
