//! Leaving a receiver in peace that takes nothing.
//!
//! One event that fails says something of that event; several in a row without a success say
//! something of the receiver. Then nothing is sent for a while but one event now and again, to
//! see whether it is back. So a receiver that is down for a day costs a few requests an hour,
//! however much waits for it, and what waits is not used up by trying.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::schedule::{LONGEST_PAUSE, Schedule};

/// How many failures in a row are the receiver's: more than one bad event makes.
const PATIENCE: u32 = 5;

/// The longest pause between two looks: who comes back is seen within that time.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

#[derive(Clone, Debug, Default)]
pub struct Rest {
    failures: u32,
    until: Option<Timestamp>,
}

impl Rest {
    pub fn took_one(&mut self) {
        *self = Rest::default();
    }

    /// Notes a failure. `asked` is the pause that the receiver asked for.
    pub fn failed(&mut self, schedule: &Schedule, asked: Option<Duration>, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let own = self.is_worn().then(|| {
            let looks = self.failures - PATIENCE;
            schedule.pause(looks + 1).min(LONGEST_REST)
        });
        let pause = own.max(asked.map(|asked| asked.min(LONGEST_PAUSE)));
        if let Some(pause) = pause {
            let until = after(now, pause);
            self.until = Some(self.until.map_or(until, |before| before.max(until)));
        }
    }

    /// Until when nothing is sent.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }

    /// How many requests may be under way: one where it is only looked whether the receiver is
    /// back.
    pub fn allows(&self, usual: usize) -> usize {
        if self.is_worn() { 1 } else { usual }
    }

    /// Whether it is no use to go on now.
    pub fn is_worn(&self) -> bool {
        self.failures >= PATIENCE
    }
}

/// A time that much later.
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_takes_nothing_is_left_alone_longer_and_longer() {
        let schedule = Schedule::new([0, 5, 60, 3600].map(Duration::from_secs).to_vec());
        let mut now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut rest = Rest::default();
        for _ in 1..PATIENCE {
            rest.failed(&schedule, None, now);
            assert_eq!(rest.until(now), None);
            assert_eq!(rest.allows(8), 8);
        }
        let mut requests = 0;
        let end = after(now, Duration::from_secs(3600));
        let mut pauses = Vec::new();
        while now < end {
            requests += 1;
            rest.failed(&schedule, None, now);
            assert_eq!(rest.allows(8), 1);
            let until = rest.until(now).unwrap();
            pauses.push(until.duration_since(now).as_secs());
            now = until;
        }
        assert_eq!(pauses[..4], [5, 60, 300, 300]);
        assert!(requests < 20, "{requests} requests in an hour");
        rest.took_one();
        assert_eq!((rest.until(now), rest.allows(8)), (None, 8));
    }

    #[test]
    fn a_pause_that_is_asked_for_holds_at_once() {
        let schedule = Schedule::new(vec![Duration::ZERO]);
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut rest = Rest::default();
        rest.failed(&schedule, Some(Duration::from_secs(30)), now);
        assert_eq!(rest.until(now), Some(after(now, Duration::from_secs(30))));
        // A later failure does not shorten it.
        rest.failed(&schedule, None, now);
        assert_eq!(rest.until(now), Some(after(now, Duration::from_secs(30))));
    }
}
