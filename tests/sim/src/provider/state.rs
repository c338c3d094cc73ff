//! What a provider remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use axum::http::Method;
use serde_json::{Map, Value};

use super::habits::Habits;
use crate::call::Call;

#[derive(Debug)]
pub struct Provider {
    pub habits: Habits,
    /// By id, in the order of their making.
    pub users: BTreeMap<u64, Map<String, Value>>,
    pub groups: BTreeMap<u64, Group>,
    /// Deleted, and their ids of no use any more.
    pub forgotten: BTreeSet<u64>,
    /// User names that are never free again.
    pub suspended: BTreeSet<String>,
    next: u64,
    pub requests: u64,
    pub writes: u64,
    /// What no client should have sent.
    pub odd: Vec<String>,
    /// Users who may not be members: a member of whom nobody knows why.
    pub unwelcome: BTreeSet<String>,
    bucket: Option<(f64, Instant)>,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub display_name: String,
    pub external_id: Option<String>,
    pub members: BTreeSet<u64>,
}

impl Provider {
    pub fn new(habits: Habits) -> Provider {
        Provider {
            habits,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            suspended: BTreeSet::new(),
            next: 0,
            requests: 0,
            writes: 0,
            odd: Vec::new(),
            unwelcome: BTreeSet::new(),
            bucket: None,
        }
    }

    pub fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Counts a request, and notes what is wrong with its form.
    pub fn watch(&mut self, call: &Call) {
        self.requests += 1;
        let reads = call.method == Method::GET;
        self.writes += u64::from(!reads);
        let mut odd = |what: &str| {
            self.odd
                .push(format!("{} {}: {what}", call.method, call.path));
        };
        let bare = reads || call.method == Method::DELETE;
        if bare && !call.body.is_empty() {
            odd("a body where there is none");
        }
        if !bare && call.header("content-type") != Some("application/scim+json") {
            odd("not sent as application/scim+json");
        }
        if !call
            .header("accept")
            .is_some_and(|accept| accept.contains("application/scim+json"))
        {
            odd("does not accept application/scim+json");
        }
        if call.target.contains('+') {
            odd("a space sent as a plus sign");
        }
    }

    /// For how many seconds a write is to wait, if it is.
    pub fn limited(&mut self, method: &Method, parts: &[&str], now: Instant) -> Option<u64> {
        let (a_minute, burst) = self.habits.user_writes?;
        if method == Method::GET || parts.first() != Some(&"Users") {
            return None;
        }
        let (left, since) = self.bucket.unwrap_or((burst, now));
        let passed = now.duration_since(since).as_secs_f64();
        let left = (left + passed * a_minute / 60.0).min(burst);
        if left < 1.0 {
            self.bucket = Some((left, now));
            return Some(1);
        }
        self.bucket = Some((left - 1.0, now));
        None
    }
}

pub fn user_id(id: u64) -> String {
    format!("u-{id}")
}

pub fn group_id(id: u64) -> String {
    format!("g-{id}")
}

pub fn number(id: &str, prefix: &str) -> Option<u64> {
    id.strip_prefix(prefix)?.parse().ok()
}
