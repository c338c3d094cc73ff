//! How fast requests may go: so many a minute, by what they do.
//!
//! A bucket fills evenly and holds what may go at once after a pause. What a request has taken
//! is not given back, whatever became of it: the service counted it too.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::profile::Rate;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Read,
    WriteUser,
    WriteGroup,
}

/// The budgets of one target.
pub struct Pace {
    reads: Option<Bucket>,
    writes: Option<Bucket>,
    user_writes: Option<Bucket>,
    group_writes: Option<Bucket>,
}

impl Pace {
    pub fn new(rate: Rate) -> Pace {
        let bucket = |a_minute: Option<usize>| a_minute.map(|n| Bucket::new(n, rate.burst));
        Pace {
            reads: bucket(rate.reads),
            writes: bucket(rate.writes),
            user_writes: bucket(rate.user_writes),
            group_writes: bucket(rate.group_writes),
        }
    }

    /// Waits until one more request of this sort may leave.
    pub async fn wait(&self, doing: Doing) {
        let buckets = match doing {
            Doing::Read => [&self.reads, &None],
            Doing::WriteUser => [&self.writes, &self.user_writes],
            Doing::WriteGroup => [&self.writes, &self.group_writes],
        };
        for bucket in buckets.into_iter().flatten() {
            tokio::time::sleep(bucket.take(Instant::now())).await;
        }
    }
}

struct Bucket {
    a_minute: f64,
    holds: f64,
    /// What is left, and as of when; below nothing while requests wait.
    level: Mutex<(f64, Option<Instant>)>,
}

impl Bucket {
    fn new(a_minute: usize, burst: Option<usize>) -> Bucket {
        let holds = burst.unwrap_or(a_minute).max(1) as f64;
        Bucket {
            a_minute: a_minute.max(1) as f64,
            holds,
            level: Mutex::new((holds, None)),
        }
    }

    /// Takes one, and says how long to wait for it.
    fn take(&self, now: Instant) -> Duration {
        // Two numbers are written in one go: a poisoned lock guards nothing half done.
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *level;
        let passed = since.map_or(0.0, |since| (now - since).as_secs_f64());
        let left = (left + passed * self.a_minute / 60.0).min(self.holds) - 1.0;
        *level = (left, Some(now));
        Duration::from_secs_f64((-left).max(0.0) * 60.0 / self.a_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_at_a_time() {
        let bucket = Bucket::new(60, Some(3));
        let now = Instant::now();
        let waits: Vec<u64> = (0..5).map(|_| bucket.take(now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        // Four seconds later the two that waited are through and two more have come in.
        let later = now + Duration::from_secs(4);
        let waits: Vec<u64> = (0..3).map(|_| bucket.take(later).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1]);
    }

    #[test]
    fn a_long_pause_is_worth_a_burst_and_no_more() {
        let bucket = Bucket::new(6, None);
        let now = Instant::now();
        bucket.take(now);
        let later = now + Duration::from_secs(3600);
        let waits: Vec<u64> = (0..7).map(|_| bucket.take(later).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 10]);
    }
}
