//! The server's own time.
//!
//! One clock stamps every change, fills `Date` headers and decides when tokens and windows end, so
//! that a client comparing them sees one consistent server. It never runs backwards. An offset
//! makes the server disagree with the client's clock, as real servers do.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = u64;

/// Where seeded objects say they were made: 2024-01-01T00:00:00Z, so that a seed's text is stable.
pub const SEEDED: Millis = 1_704_067_200_000;

const DAY: Millis = 86_400_000;

/// A clock that never runs backwards.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    started_at: Millis,
    offset: AtomicI64,
    last: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        let started_at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(SEEDED, |since| since.as_millis() as Millis);
        Self {
            started: Instant::now(),
            started_at,
            offset: AtomicI64::new(0),
            last: AtomicU64::new(0),
        }
    }
}

impl Clock {
    /// The present moment by this server, never smaller than an earlier answer.
    pub fn now(&self) -> Millis {
        let elapsed = self.started.elapsed().as_millis() as Millis;
        let shifted =
            (self.started_at + elapsed).saturating_add_signed(self.offset.load(Ordering::Relaxed));
        self.last.fetch_max(shifted, Ordering::Relaxed).max(shifted)
    }

    /// Moves the server's time against the client's. Going back only holds the clock still until
    /// the old reading is reached again, unless nothing has been read yet.
    pub fn set_offset(&self, millis: i64) {
        let before = self.offset.swap(millis, Ordering::Relaxed);
        if millis < before {
            self.last.store(0, Ordering::Relaxed);
        }
    }
}

/// Year, month and day of a day number counted from 1970-01-01 (proleptic Gregorian).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The day number of a date, the inverse of `civil`.
fn day_number(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let month_index = (month + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

/// `2026-02-01T10:00:00.000Z`, the form Okta writes.
pub fn iso(at: Millis) -> String {
    let (year, month, day) = civil(at / DAY);
    let rest = at % DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// `2026-02-01T10:00:00Z`, the form Graph writes.
pub fn iso_seconds(at: Millis) -> String {
    let mut text = iso(at);
    text.truncate(19);
    text.push('Z');
    text
}

/// `Sun, 01 Feb 2026 10:00:00 GMT`, for `Date` headers.
pub fn http_date(at: Millis) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, day) = civil(at / DAY);
    let rest = at % DAY;
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[(at / DAY % 7) as usize],
        MONTHS[(month - 1) as usize],
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
    )
}

/// Reads `2026-02-01`, `2026-02-01T10:00:00Z`, with or without a fraction or an offset.
pub fn parse(text: &str) -> Option<Millis> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = day_number(year, month, day) * DAY;
    if text.len() == 10 {
        return Some(midnight);
    }
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let mut rest = text.get(19..)?;
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let mut padded = fraction[..digits.min(3)].to_owned();
        while padded.len() < 3 {
            padded.push('0');
        }
        millis = padded.parse().ok()?;
        rest = &fraction[digits..];
    }
    let at = midnight + hour * 3_600_000 + minute * 60_000 + second * 1_000 + millis;
    match rest {
        "Z" | "z" => Some(at),
        _ => {
            let sign = rest.chars().next()?;
            let hours: u64 = rest.get(1..3)?.parse().ok()?;
            let minutes: u64 = rest.get(4..6)?.parse().ok()?;
            let shift = hours * 3_600_000 + minutes * 60_000;
            match sign {
                '+' => at.checked_sub(shift),
                '-' => at.checked_add(shift),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_writing_and_reading() {
        for at in [0, SEEDED, 1_709_164_800_123, 1_772_000_000_999] {
            assert_eq!(parse(&iso(at)), Some(at));
        }
        assert_eq!(iso(SEEDED), "2024-01-01T00:00:00.000Z");
        assert_eq!(iso_seconds(1_709_164_800_123), "2024-02-29T00:00:00Z");
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse("2024-01-01T01:00:00+01:00"), Some(SEEDED));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn time_never_runs_backwards() {
        let clock = Clock::default();
        let first = clock.now();
        assert!(clock.now() >= first);
        clock.set_offset(300_000);
        assert!(clock.now() >= first + 300_000);
    }
}
