//! When a source is fetched: every so often, or at the times a cron expression names.
//!
//! Cron fields are `second minute hour day-of-month month day-of-week [year]`. Two habits
//! of other crons are met at the door: five fields get a leading second of 0, and days of
//! the week written as numbers count as Unix counts them (0 and 7 are Sunday). The `cron`
//! crate reads the expression; the walk over the calendar is ours, because it must be
//! right on the two odd days of a timezone (see [`Cron::next_after`]).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cron::TimeUnitSpec;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::duration;

/// Times at which something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Every so often, counted from the last time.
    Every(Duration),
    /// At the times of a cron expression.
    Cron(Box<Cron>),
}

/// A cron expression in a timezone.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    /// The expression as the operator wrote it.
    text: String,
    times: cron::Schedule,
    zone: TimeZone,
}

/// The longest a random delay becomes: beyond this "every night at three" stops being
/// true, and within it a thousand installations do not call at the same second.
const LONGEST_JITTER: Duration = Duration::from_secs(30);

impl Schedule {
    /// The same schedule, its cron fields read in `zone`. An interval does not care.
    pub fn in_zone(self, zone: TimeZone) -> Self {
        match self {
            Schedule::Every(_) => self,
            Schedule::Cron(cron) => Schedule::Cron(Box::new(Cron { zone, ..*cron })),
        }
    }

    /// The first time after `then`, or none if there is never one again.
    pub fn next_after(&self, then: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Every(interval) => then
                .checked_add(SignedDuration::try_from(*interval).ok()?)
                .ok(),
            Schedule::Cron(cron) => cron.next_after(then),
        }
    }

    /// How long a start may be put off at random, if the settings name no `jitter`: a
    /// tenth of the time from `then` to the next start, at most 30 s.
    pub fn default_jitter(&self, then: Timestamp) -> Duration {
        let gap = self
            .next_after(then)
            .map_or(SignedDuration::ZERO, |next| next.duration_since(then));
        (gap.unsigned_abs() / 10).min(LONGEST_JITTER)
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields = text.split_whitespace().count();
        if fields < 5 && !text.trim_start().starts_with(['*', '@']) {
            return match duration::parse(text) {
                Ok(Duration::ZERO) => Err("must be an interval longer than nothing".to_owned()),
                Ok(interval) => Ok(Schedule::Every(interval)),
                Err(_) => Err(format!(
                    "must be an interval such as \"5m\" or a cron expression such as \"0 */5 * * * *\", not \"{text}\""
                )),
            };
        }
        Cron::parse(text).map(|cron| Schedule::Cron(Box::new(cron)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Every(interval) => f.write_str(&duration::show(*interval)),
            Schedule::Cron(cron) => f.write_str(&cron.text),
        }
    }
}

impl Cron {
    fn parse(text: &str) -> Result<Self, String> {
        let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        match fields.len() {
            5 => fields.insert(0, "0".to_owned()),
            6 | 7 => {}
            other => {
                return Err(format!(
                    "has {other} fields, where a cron expression has 5, 6 or 7: \"{text}\""
                ));
            }
        }
        fields[5] = days_by_name(&fields[5])?;
        let times = fields.join(" ").parse().map_err(|_| {
            format!(
                "must be a cron expression (second minute hour day-of-month month day-of-week), not \"{text}\""
            )
        })?;
        Ok(Self {
            text: text.to_owned(),
            times,
            zone: TimeZone::UTC,
        })
    }

    /// The first time of the expression after `then`.
    ///
    /// Where the clock jumps forward, a time that does not exist is met right after the
    /// jump. Where it is set back, a time that comes twice is met once, the first time,
    /// unless the expression runs in every hour: then both hours count, or a five-minute
    /// schedule would pause for an hour once a year.
    fn next_after(&self, then: Timestamp) -> Option<Timestamp> {
        if self.times.hours().count() == 24 {
            return self.next_by_offset(then);
        }
        let mut from = self.zone.to_datetime(then);
        loop {
            from = self.next_civil(from)?;
            let met = self.zone.to_ambiguous_timestamp(from).compatible().ok()?;
            if met > then {
                return Some(met);
            }
        }
    }

    /// Walks with the offset in force, from one change of the clock to the next.
    fn next_by_offset(&self, then: Timestamp) -> Option<Timestamp> {
        let mut changes = self
            .zone
            .following(then)
            .map(|change| change.timestamp())
            .peekable();
        let mut offset = self.zone.to_offset(then);
        let mut from = then;
        loop {
            let civil = self.next_civil(offset.to_datetime(from))?;
            let met = offset.to_timestamp(civil).ok()?;
            let Some(change) = changes.next_if(|change| *change <= met) else {
                return Some(met);
            };
            offset = self.zone.to_offset(change);
            from = change.checked_sub(1.second()).ok()?;
        }
    }

    /// The first moment on the calendar, whatever the zone, after `from`.
    fn next_civil(&self, from: DateTime) -> Option<DateTime> {
        let start = from
            .checked_add(1.second())
            .ok()?
            .with()
            .subsec_nanosecond(0)
            .build()
            .ok()?;
        let mut date = start.date();
        let mut first_second = seconds_into_day(start);
        let last_year = self.times.years().iter().next_back()?;
        while u32::try_from(date.year()).ok()? <= last_year {
            if self.day_fits(date)
                && let Some(second) = self.next_in_day(first_second)
            {
                return date
                    .to_datetime(jiff::civil::Time::midnight())
                    .checked_add(i64::from(second).seconds())
                    .ok();
            }
            date = date.tomorrow().ok()?;
            first_second = 0;
        }
        None
    }

    fn day_fits(&self, date: Date) -> bool {
        let times = &self.times;
        times.years().includes(date.year().unsigned_abs().into())
            && times.months().includes(date.month().unsigned_abs().into())
            && times
                .days_of_month()
                .includes(date.day().unsigned_abs().into())
            && times
                .days_of_week()
                .includes(date.weekday().to_sunday_one_offset().unsigned_abs().into())
    }

    /// The first second of a day, counted from midnight, that is `from` or later.
    fn next_in_day(&self, from: u32) -> Option<u32> {
        let (from_hour, from_minute, from_second) = (from / 3600, from / 60 % 60, from % 60);
        let times = &self.times;
        for hour in times.hours().range(from_hour..=23) {
            let from_minute = if hour == from_hour { from_minute } else { 0 };
            for minute in times.minutes().range(from_minute..=59) {
                let now = hour == from_hour && minute == from_minute;
                let from_second = if now { from_second } else { 0 };
                if let Some(second) = times.seconds().range(from_second..=59).next() {
                    return Some(hour * 3600 + minute * 60 + second);
                }
            }
        }
        None
    }
}

fn seconds_into_day(moment: DateTime) -> u32 {
    let count = |part: i8| u32::from(part.unsigned_abs());
    count(moment.hour()) * 3600 + count(moment.minute()) * 60 + count(moment.second())
}

/// Rewrites numbers in a day-of-week field to names.
///
/// The crate counts from Sunday = 1, Unix from Sunday = 0; names mean the same to both. A
/// range that wraps or ends on 7 (`5-7`) is written out, a step (`*/2`, `1-5/2`) too.
fn days_by_name(field: &str) -> Result<String, String> {
    const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let bad = || {
        format!(
            "must have days of the week from 0 to 7 (0 and 7 are Sunday) or SUN to SAT, not \"{field}\""
        )
    };
    if !field.contains(|c: char| c.is_ascii_digit()) {
        return Ok(field.to_owned());
    }
    let day = |text: &str| -> Result<usize, String> {
        match text.parse::<usize>() {
            Ok(number) if number <= 7 => Ok(number),
            Ok(_) => Err(bad()),
            Err(_) => NAMES
                .iter()
                .position(|name| text.get(..3).is_some_and(|t| t.eq_ignore_ascii_case(name)))
                .ok_or_else(bad),
        }
    };
    let mut days = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = step
                    .parse::<usize>()
                    .ok()
                    .filter(|step| *step > 0)
                    .ok_or_else(bad)?;
                (range, Some(step))
            }
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (0, 6),
            Some((first, last)) => (day(first)?, day(last)?),
            None => {
                let only = day(range)?;
                (only, if step.is_some() { 6.max(only) } else { only })
            }
        };
        let last = if last < first { last + 7 } else { last };
        days.extend(
            (first..=last)
                .step_by(step.unwrap_or(1))
                .map(|day| NAMES[day % 7]),
        );
    }
    days.sort_unstable();
    days.dedup();
    Ok(days.join(","))
}

#[cfg(test)]
mod tests;
