//! When to wish for a run: the next start of every source, later where it keeps failing, and
//! the clock of what is owed.
//!
//! Nothing here asks what time it is, waits, or runs anything: the time comes in, wishes go
//! out, and what became of them comes in again. A time that was missed, because the daemon was
//! down or the clock was set, counts once, however many were missed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::{Pull, Schedule};
use crate::plan::Asked;
use crate::store::rows::{QUARANTINED_AFTER, SourceState};

/// The longest a failing source waits for its next try: an hour, so that whoever mends the
/// cause late at night need not come back to say so.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How long after a failed action the first further try comes; each later one takes twice as
/// long, up to [`LONGEST_PAUSE`].
const OWED_PAUSE: Duration = Duration::from_secs(30);

/// How long a wish waits that could not be taken because too many did.
const PUT_OFF: Duration = Duration::from_secs(10);

/// When everything is due.
pub struct Timetable {
    sources: BTreeMap<String, Line>,
    /// When the first grace period ends.
    grace_ends: Option<Timestamp>,
    /// When the actions that failed are tried again.
    owed: Option<Timestamp>,
    /// Nothing was wished for yet.
    fresh: bool,
    /// The latest time that was handed in: an earlier one means that the clock was set back.
    seen: Timestamp,
}

/// One source.
struct Line {
    pull: Pull,
    next: Option<Timestamp>,
    next_full: Option<Timestamp>,
    failures: u32,
    /// It was wished for, and the run did not end yet.
    asked: bool,
}

/// How a source came out of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Read to the end.
    Read { full: bool },
    /// It could not be.
    Failed,
}

/// What is worth telling about a source, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// It failed so often that somebody should look.
    Quarantined,
    /// It was quarantined, and is read again.
    Back,
}

impl Timetable {
    /// Everything is due at once, but for what failed last: that keeps its distance.
    pub fn new(
        pulls: BTreeMap<String, Pull>,
        states: &BTreeMap<String, SourceState>,
        now: Timestamp,
    ) -> Timetable {
        let sources = pulls
            .into_iter()
            .map(|(name, pull)| {
                let state = states.get(&name).cloned().unwrap_or_default();
                (name, Line::new(pull, &state, now))
            })
            .collect();
        Timetable {
            sources,
            grace_ends: None,
            owed: None,
            fresh: true,
            seen: now,
        }
    }

    /// Takes over other settings. What is new is due at once; the rest keeps its place where
    /// its schedule stayed.
    pub fn reload(&mut self, pulls: BTreeMap<String, Pull>, now: Timestamp) {
        let mut before = std::mem::take(&mut self.sources);
        for (name, pull) in pulls {
            let line = match before.remove(&name) {
                Some(mut line) => {
                    let same = line.pull.schedule == pull.schedule
                        && line.pull.full_schedule == pull.full_schedule;
                    line.pull = pull;
                    if !same {
                        line.plan(now, true);
                    }
                    line
                }
                None => Line::new(pull, &SourceState::default(), now),
            };
            self.sources.insert(name, line);
        }
    }

    /// What is to be wished for now.
    pub fn due(&mut self, now: Timestamp) -> Vec<Asked> {
        self.clock_set_back(now);
        let mut wishes = Vec::new();
        for full in [false, true] {
            let due: Vec<String> = self
                .sources
                .iter_mut()
                .filter(|(_, line)| line.is_due(now) == Some(full))
                .map(|(name, line)| {
                    line.asked = true;
                    name.clone()
                })
                .collect();
            if self.fresh && !due.is_empty() {
                // All in one run at first: who owns an account is then decided once.
                wishes.push(wish(due, full));
            } else {
                // Each alone afterwards: none has to wait for a slow one.
                wishes.extend(due.into_iter().map(|source| wish(vec![source], full)));
            }
        }
        self.fresh = false;
        let mut again = false;
        for time in [&mut self.grace_ends, &mut self.owed] {
            again |= time.take_if(|time| *time <= now).is_some();
        }
        if again && wishes.is_empty() {
            wishes.push(wish(self.readable(), false));
        }
        wishes
    }

    /// When to look again, unless something happens before.
    pub fn next(&self) -> Option<Timestamp> {
        let sources = self.sources.values().filter_map(Line::next_start);
        sources.chain(self.grace_ends).chain(self.owed).min()
    }

    /// The next start of every source, for people.
    pub fn planned(&self) -> BTreeMap<String, Timestamp> {
        self.sources
            .iter()
            .filter_map(|(name, line)| Some((name.clone(), line.next_start().or(line.next)?)))
            .collect()
    }

    /// Notes how a source came out of a run, whoever asked for it.
    pub fn ran(&mut self, source: &str, verdict: Verdict, now: Timestamp) -> Option<News> {
        let line = self.sources.get_mut(source)?;
        line.asked = false;
        let before = line.failures;
        match verdict {
            Verdict::Read { full } => {
                line.failures = 0;
                line.plan(now, full);
                (before >= QUARANTINED_AFTER).then_some(News::Back)
            }
            Verdict::Failed => {
                line.failures += 1;
                line.next = later(now, line.pause(now));
                (line.failures == QUARANTINED_AFTER).then_some(News::Quarantined)
            }
        }
    }

    /// A wish that came to nothing: nobody could take it, or the run broke off unheard.
    pub fn put_off(&mut self, sources: &[String], now: Timestamp) {
        for (name, line) in &mut self.sources {
            if line.asked && (sources.is_empty() || sources.contains(name)) {
                line.asked = false;
                line.next = later(now, PUT_OFF);
            }
        }
    }

    /// Notes when the first grace period ends.
    pub fn grace_ends(&mut self, at: Option<Timestamp>) {
        self.grace_ends = at;
    }

    /// Notes that actions failed, the most stubborn of them this many times.
    pub fn owes(&mut self, attempts: Option<u32>, now: Timestamp) {
        self.owed = attempts
            .filter(|attempts| *attempts > 0)
            .and_then(|attempts| later(now, doubled(OWED_PAUSE, attempts)));
    }

    /// The sources that are not failing, or all if every one is.
    fn readable(&self) -> Vec<String> {
        let readable = self.sources.iter().filter(|(_, line)| line.failures == 0);
        let readable: Vec<String> = readable.map(|(name, _)| name.clone()).collect();
        match readable.is_empty() {
            true => self.sources.keys().cloned().collect(),
            false => readable,
        }
    }

    /// A clock that was set back by a day must not mean a day without runs.
    fn clock_set_back(&mut self, now: Timestamp) {
        if now < self.seen {
            for line in self.sources.values_mut() {
                line.next = earlier(line.next, line.start_after(&line.pull.schedule, now));
                let full = line.start_after(&line.pull.full_schedule, now);
                line.next_full = earlier(line.next_full, full);
            }
            self.owed = self
                .owed
                .map(|time| later(now, LONGEST_PAUSE).map_or(time, |latest| time.min(latest)));
        }
        self.seen = now;
    }
}

impl Line {
    fn new(pull: Pull, state: &SourceState, now: Timestamp) -> Line {
        let mut line = Line {
            next: Some(now),
            next_full: None,
            failures: state.failures,
            asked: false,
            pull,
        };
        if state.failures > 0 {
            let pause = line.pause(now);
            let then = state.last_run.map_or(now, |then| then.min(now));
            line.next = later(then, pause).map(|next| next.max(now));
        }
        // Who was never read is read whole in any case.
        let last_full = state.last_full.map_or(now, |then| then.min(now));
        line.next_full = line.start_after(&line.pull.full_schedule, last_full);
        line
    }

    /// Whether it is to start, and if so whether with a full run.
    fn is_due(&self, now: Timestamp) -> Option<bool> {
        self.next_start()
            .filter(|start| *start <= now)
            .map(|_| self.next_full.is_some_and(|full| full <= now))
    }

    fn next_start(&self) -> Option<Timestamp> {
        match (self.asked, self.failures) {
            (true, _) => None,
            (false, 0) => earlier(self.next, self.next_full),
            (false, _) => self.next,
        }
    }

    fn plan(&mut self, now: Timestamp, full: bool) {
        self.next = self.start_after(&self.pull.schedule, now);
        if full {
            self.next_full = self.start_after(&self.pull.full_schedule, now);
        }
    }

    /// The start after a time, put off a little at random so that not everybody calls at the
    /// same second.
    fn start_after(&self, schedule: &Schedule, then: Timestamp) -> Option<Timestamp> {
        let start = schedule.next_after(then)?;
        let jitter = self.pull.jitter;
        let most = jitter.unwrap_or_else(|| schedule.default_jitter(then));
        later(start, most.mul_f64(rand::random()))
    }

    /// How long to wait after the latest failure.
    fn pause(&self, now: Timestamp) -> Duration {
        let schedule = &self.pull.schedule;
        let interval = schedule
            .next_after(now)
            .and_then(|start| Some(schedule.next_after(start)?.duration_since(start)))
            .map_or(LONGEST_PAUSE, SignedDuration::unsigned_abs);
        doubled(interval, self.failures)
    }
}

fn wish(sources: Vec<String>, full: bool) -> Asked {
    Asked {
        sources,
        full,
        ..Asked::default()
    }
}

/// `first` for the first time, and twice as long each further time.
fn doubled(first: Duration, times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    first.saturating_mul(factor).min(LONGEST_PAUSE)
}

/// None beyond the end of time: there is then no such start.
fn later(time: Timestamp, by: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(by).ok()?).ok()
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
