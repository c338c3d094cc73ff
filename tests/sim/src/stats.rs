//! What clients did, counted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;

/// Counts of one endpoint class.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Class {
    pub requests: u64,
    pub bytes: u64,
    pub statuses: BTreeMap<u16, u64>,
}

/// All counts since the start or the last reset.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    pub requests: u64,
    /// Body bytes sent, after compression.
    pub bytes: u64,
    /// Graph resource units charged.
    pub resource_units: u64,
    /// 429 answers, both vendors, faults included.
    pub throttled: u64,
    /// Requests to a bucket that had asked the client to wait longer.
    pub early_returns: u64,
    /// Answers a fault rule spoiled.
    pub faults: u64,
    /// Tokens issued.
    pub tokens: u64,
    pub in_flight: u64,
    pub max_in_flight: u64,
    pub classes: BTreeMap<&'static str, Class>,
}

/// The shared counter.
#[derive(Debug, Default)]
pub struct Counter(Mutex<Stats>);

impl Counter {
    /// Changes the counts.
    pub fn note(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.lock());
    }

    /// The counts now.
    pub fn read(&self) -> Stats {
        self.lock().clone()
    }

    /// How many requests are under way.
    pub fn read_in_flight(&self) -> u64 {
        self.lock().in_flight
    }

    /// Sets everything to zero, except what is under way.
    pub fn reset(&self) {
        let mut stats = self.lock();
        *stats = Stats {
            in_flight: stats.in_flight,
            ..Stats::default()
        };
    }

    /// Counts the beginning of a request.
    pub fn begin(&self) {
        self.note(|stats| {
            stats.in_flight += 1;
            stats.max_in_flight = stats.max_in_flight.max(stats.in_flight);
        });
    }

    /// Counts the end of a request.
    pub fn end(&self, class: &'static str, status: u16, bytes: usize) {
        self.note(|stats| {
            stats.in_flight = stats.in_flight.saturating_sub(1);
            stats.requests += 1;
            stats.bytes += bytes as u64;
            stats.throttled += u64::from(status == 429);
            let entry = stats.classes.entry(class).or_default();
            entry.requests += 1;
            entry.bytes += bytes as u64;
            *entry.statuses.entry(status).or_default() += 1;
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
