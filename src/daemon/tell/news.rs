//! What is new since somebody was last told. Pure: how things stand comes in, messages go out.
//!
//! Messages hold counts, names of settings and ids of runs, and nothing of people.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::Head;
use crate::store::rows::SourceState;

/// How things stand.
#[derive(Default)]
pub struct Standing {
    /// The run that waits for approval.
    pub held: Option<Head>,
    pub sources: BTreeMap<String, SourceState>,
}

/// What was told, and not taken back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    #[serde(default)]
    held: Option<String>,
    #[serde(default)]
    quarantined: BTreeSet<String>,
    #[serde(default)]
    overdue: BTreeSet<String>,
}

impl Told {
    /// A note that cannot be read is none: everything is told once more.
    pub fn read(text: Option<&str>) -> Told {
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("what was told is plain data")
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    RunHeld,
    SourceQuarantined,
    SourceBack,
    SyncOverdue,
    SyncBack,
}

/// A message as it is sent.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    version: u8,
    pub event: Event,
    at: Timestamp,
    /// All of it in a sentence or two.
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_complete: Option<Timestamp>,
    /// The limits that a held plan trips.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<crate::plan::Limit>,
}

impl Message {
    fn new(event: Event, at: Timestamp, text: String) -> Message {
        Message {
            version: 1,
            event,
            at,
            text,
            run: None,
            source: None,
            failures: None,
            last_complete: None,
            limits: Vec::new(),
        }
    }

    fn of_source(self, name: &str, state: &SourceState) -> Message {
        Message {
            source: Some(name.to_owned()),
            failures: Some(state.failures),
            last_complete: state.last_complete,
            ..self
        }
    }
}

/// The messages that are due, and what has been told when they are sent. A source that was
/// never read counts as read at `since`.
pub fn of(
    told: Told,
    standing: &Standing,
    overdue_after: Duration,
    since: Timestamp,
    now: Timestamp,
) -> (Vec<Message>, Told) {
    let mut messages = Vec::new();
    let mut then = Told::default();
    if let Some(head) = &standing.held {
        then.held = Some(head.run.clone());
        if told.held != then.held {
            messages.push(held(head, now));
        }
    }
    for (name, state) in &standing.sources {
        let mut tell = |event: Event, text: String| {
            messages.push(Message::new(event, now, text).of_source(name, state));
        };
        let (was, is) = (
            told.quarantined.contains(name),
            state.quarantined().is_some(),
        );
        if is {
            then.quarantined.insert(name.clone());
        }
        match (was, is) {
            (false, true) => tell(
                Event::SourceQuarantined,
                format!(
                    "Source {name} is quarantined: it could not be read {} times in a row. It is \
                     still tried; 'rosterd status' shows the last error.",
                    state.failures
                ),
            ),
            (true, false) => tell(
                Event::SourceBack,
                format!("Source {name} is read again and no longer quarantined."),
            ),
            _ => {}
        }
        let age = now.duration_since(state.last_complete.unwrap_or(since));
        let is = Duration::try_from(age).is_ok_and(|age| age > overdue_after);
        let was = told.overdue.contains(name);
        if is {
            then.overdue.insert(name.clone());
        }
        match (was, is) {
            (false, true) => tell(
                Event::SyncOverdue,
                match state.last_complete {
                    Some(last) => format!(
                        "Source {name} was last synced completely at {last}. Changes there do not \
                         reach the portals; 'rosterd status' shows more."
                    ),
                    None => format!(
                        "Source {name} was never synced completely; 'rosterd status' shows more."
                    ),
                },
            ),
            (true, false) => tell(
                Event::SyncBack,
                format!("Source {name} is synced completely again."),
            ),
            _ => {}
        }
    }
    (messages, then)
}

fn held(head: &Head, now: Timestamp) -> Message {
    let why: Vec<&str> = head.guard.limits.iter().map(|one| &*one.text).collect();
    let text = format!(
        "Run {} is held: {}. Look at it with 'rosterd runs {}', release it with 'rosterd approve \
         {}'.",
        head.run,
        why.join("; "),
        head.run,
        head.run
    );
    Message {
        run: Some(head.run.clone()),
        limits: head.guard.limits.clone(),
        ..Message::new(Event::RunHeld, now, text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::rows::QUARANTINED_AFTER;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn source(failures: u32, last_complete: Option<i64>) -> Standing {
        let state = SourceState {
            failures,
            last_complete: last_complete.map(at),
            ..SourceState::default()
        };
        Standing {
            held: None,
            sources: BTreeMap::from([("entra".to_owned(), state)]),
        }
    }

    fn events(told: &mut Told, standing: &Standing, hours: i64) -> Vec<Event> {
        let before = std::mem::take(told);
        let (messages, then) = of(before, standing, DAY, at(0), at(hours));
        // What is remembered comes back as it was.
        *told = Told::read(Some(&then.to_text()));
        assert_eq!(*told, then);
        messages.iter().map(|message| message.event).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let mut told = Told::default();
        assert_eq!(events(&mut told, &source(0, Some(1)), 2), []);
        let bad = source(QUARANTINED_AFTER, Some(1));
        assert_eq!(events(&mut told, &bad, 3), [Event::SourceQuarantined]);
        let worse = source(QUARANTINED_AFTER + 1, Some(1));
        assert_eq!(events(&mut told, &worse, 4), []);
        assert_eq!(events(&mut told, &worse, 26), [Event::SyncOverdue]);
        assert_eq!(events(&mut told, &worse, 27), []);
        let good = source(0, Some(28));
        let back = [Event::SourceBack, Event::SyncBack];
        assert_eq!(events(&mut told, &good, 28), back);
        assert_eq!(events(&mut told, &good, 29), []);
    }

    #[test]
    fn a_source_that_was_never_read_is_overdue_after_a_day_of_trying() {
        let mut told = Told::default();
        assert_eq!(events(&mut told, &source(1, None), 24), []);
        assert_eq!(
            events(&mut told, &source(1, None), 25),
            [Event::SyncOverdue]
        );
    }

    #[test]
    fn a_source_that_the_settings_have_no_more_is_forgotten() {
        let mut told = Told::default();
        events(&mut told, &source(QUARANTINED_AFTER, Some(1)), 2);
        assert_eq!(events(&mut told, &Standing::default(), 3), []);
        assert_eq!(told, Told::default());
    }
}
