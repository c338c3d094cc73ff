//! When an event is tried again, and when it is given up.

use std::time::Duration;

/// How far a wait is moved by chance, either way: what failed together does not come back
/// together.
const SPREAD: f64 = 0.1;

/// The longest that a receiver may ask to be left alone. Who says more is asked once a day.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The waits before each attempt, the first one included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// One wait at least; without any, an event is tried once.
    pub fn new(waits: Vec<Duration>) -> Schedule {
        Schedule(waits)
    }

    /// How long an event waits after so many attempts; None when it is given up. `chance` is
    /// from 0 to 1. A receiver that asked for a pause gets it.
    pub fn wait(&self, attempts: u32, chance: f64, asked: Option<Duration>) -> Option<Duration> {
        let place = usize::try_from(attempts).ok()?;
        let wait = self.0.get(place)?;
        let wait = wait.mul_f64(1.0 + SPREAD * (2.0 * chance - 1.0));
        Some(wait.max(asked.unwrap_or_default().min(LONGEST_PAUSE)))
    }

    /// The wait of an attempt that comes after so many failures, or the last one there is.
    pub fn pause(&self, failures: u32) -> Duration {
        let place = usize::try_from(failures).unwrap_or(usize::MAX);
        let wait = self.0.get(place).or(self.0.last());
        wait.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule::new([0, 5, 300].map(Duration::from_secs).to_vec())
    }

    #[test]
    fn waits_follow_the_schedule_and_then_it_is_given_up() {
        let wait = |attempts| schedule().wait(attempts, 0.5, None);
        assert_eq!(wait(0), Some(Duration::ZERO));
        assert_eq!(wait(1), Some(Duration::from_secs(5)));
        assert_eq!(wait(2), Some(Duration::from_secs(300)));
        assert_eq!(wait(3), None);
    }

    #[test]
    fn chance_moves_a_wait_a_tenth_either_way() {
        let wait = |chance| schedule().wait(2, chance, None).unwrap();
        assert_eq!(wait(0.0), Duration::from_secs(270));
        assert_eq!(wait(1.0), Duration::from_secs(330));
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_it_up_to_a_day() {
        let wait = |asked| schedule().wait(1, 0.5, Some(Duration::from_secs(asked)));
        assert_eq!(wait(60), Some(Duration::from_secs(60)));
        assert_eq!(wait(1), Some(Duration::from_secs(5)));
        assert_eq!(wait(1_000_000), Some(LONGEST_PAUSE));
        // It does not get more attempts by asking.
        let last = schedule().wait(3, 0.5, Some(Duration::from_secs(60)));
        assert_eq!(last, None);
    }
}
