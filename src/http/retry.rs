//! How long to wait: after a fault, and when the service names a time itself.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rand::Rng;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How often and how long one request is tried.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Sendings that may end in a fault (5xx, cut, not readable) before it is an error.
    pub attempts: u32,
    /// How long a request may be put off by 429s in total.
    pub patience: Duration,
    /// The longest single pause that is waited out. A longer one ends the call: nothing is
    /// sent early, and a run that sleeps for an hour looks like one that hangs.
    pub ceiling: Duration,
    /// The most that one body may hold, unpacked.
    pub body_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            attempts: 6,
            patience: Duration::from_secs(15 * 60),
            ceiling: Duration::from_secs(5 * 60),
            // 999 users are under 1 MiB; 64 leaves room for wide custom schemas.
            body_limit: 64 << 20,
        }
    }
}

impl Policy {
    /// For `check`: an operator is waiting, so a fault is told after one more try.
    pub fn probe() -> Policy {
        Policy {
            attempts: 2,
            patience: Duration::from_secs(30),
            ceiling: Duration::from_secs(30),
            ..Policy::default()
        }
    }
}

/// The first pause after a fault; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No fault is waited for longer than this: by then the next run is due anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause after the `n`th fault in a row: doubling, and between half and whole of that by
/// chance, so that many clients that failed together do not come back together.
pub fn backoff(n: u32) -> Duration {
    let whole = FIRST_PAUSE
        .saturating_mul(1 << n.saturating_sub(1).min(10))
        .min(LONGEST_PAUSE);
    whole.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// How long the service asks to wait. Seconds may have a fraction (Graph's do, RFC 9110 or
/// not); a date is read against the answer's own `Date`, since our clock may be off. None
/// when there is no header or it cannot be read.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let until = http_date(text)?;
    let now = answered_at(headers).unwrap_or_else(Timestamp::now);
    Some(until_from(now, until))
}

/// When the service says it answered.
pub fn answered_at(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// The time between two moments; nothing when the second has passed.
pub fn until_from(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent (RFC 9110 §5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
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

    #[test]
    fn retry_after_may_be_seconds_a_fraction_or_a_date() {
        let asked = |value| retry_after(&headers(&[("retry-after", value)]));
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("2.128"), Some(Duration::from_secs_f64(2.128)));
        assert_eq!(asked("-3"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("inf"), None);
        let date = retry_after(&headers(&[
            ("date", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Tue, 24 Nov 2026 10:00:30 GMT"),
        ]));
        assert_eq!(date, Some(Duration::from_secs(30)));
    }

    #[test]
    fn pauses_double_and_stay_bounded() {
        for n in 1..40 {
            let whole = Duration::from_millis(500 << (n - 1).min(6)).min(LONGEST_PAUSE);
            let pause = backoff(n);
            assert!(pause <= whole && pause >= whole / 2, "{n}: {pause:?}");
        }
    }
}
