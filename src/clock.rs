//! The only place that asks what time it is. Everything else has the time handed in.

use jiff::Timestamp;

/// Now, to the millisecond: what is finer says nothing and makes reports longer.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
