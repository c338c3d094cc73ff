//! Events of a target as they are listed, and as a feed that a program reads on and on.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::AnswerError;
use crate::config::{Settings, TargetKind};
use crate::store::Store;
use crate::store::events::EventRow;
use crate::targets::events::sequence_of;

/// One event.
#[derive(Serialize, ToSchema)]
pub struct EventOut {
    /// The same in every delivery.
    pub id: String,
    /// Its place among the target's events.
    pub sequence: u64,
    pub target: String,
    /// `user.created` and so on.
    #[schema(value_type = String)]
    pub event: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The portal.
    pub directory_id: String,
    /// The user or group as it is then.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub data: Box<RawValue>,
    /// Of an update: what the changed attributes were before, null where there was none.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>, required = true)]
    pub previous_attributes: Option<Box<RawValue>>,
}

/// What became of delivering an event.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// `waiting`, `dead` or `delivered`; the last too where the kind of event is not posted.
    pub state: &'static str,
    pub attempts: Option<u32>,
    pub due_at: Option<Timestamp>,
    pub error: Option<String>,
}

/// An event with what became of it.
#[derive(Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub event: EventOut,
    pub delivery: Delivery,
}

impl EventOut {
    fn of(target: &str, sequence: u64, row: EventRow) -> Result<EventOut, AnswerError> {
        let EventRow {
            id,
            at,
            kind,
            portal,
            subject: _,
            group: _,
            data,
            previous,
        } = row;
        let raw = |text: String| {
            RawValue::from_string(text).map_err(|_| {
                AnswerError::NotThere(format!("event {sequence} of '{target}' is damaged"))
            })
        };
        Ok(EventOut {
            id,
            sequence,
            target: target.to_owned(),
            event: kind.as_str(),
            created_at: at,
            directory_id: portal,
            data: raw(data)?,
            previous_attributes: previous.map(raw).transpose()?,
        })
    }
}

/// The names of the targets that have events.
pub fn targets(settings: &Settings) -> Vec<&str> {
    let targets = settings.targets.iter();
    let events = targets.filter(|(_, target)| matches!(target.kind, TargetKind::Events(_)));
    events.map(|(name, _)| name.as_str()).collect()
}

/// The target that is meant: the named one, or the only one.
pub fn target<'a>(names: &[&'a str], named: Option<&str>) -> Result<&'a str, AnswerError> {
    match (named, names) {
        (Some(named), _) => {
            super::known("target of kind events", names.iter().copied(), named)?;
            let found = names.iter().find(|name| **name == named);
            Ok(found.expect("it is known"))
        }
        (None, [only]) => Ok(only),
        (None, []) => Err(AnswerError::NotThere(
            "there is no target of kind events in the settings".to_owned(),
        )),
        (None, several) => Err(AnswerError::LeadsNowhere(format!(
            "there are several targets of kind events; name one of {}",
            several.join(", ")
        ))),
    }
}

/// The sequence number that stands for a place in the feed: an event's id or its number.
///
/// An id that is not of this feed is refused: after a store was lost its numbers begin anew,
/// and whoever went on from an old one would miss what is new.
pub fn place(store: &Store, target: &str, after: &str) -> Result<u64, AnswerError> {
    let unknown = || {
        AnswerError::LeadsNowhere(format!(
            "'{after}' is no event of target '{target}'; read the feed again from its beginning, without 'after'"
        ))
    };
    let sequence = match sequence_of(after) {
        Some(sequence) => sequence,
        None => after.parse().map_err(|_| unknown())?,
    };
    if sequence > store.last_event(target)? {
        return Err(unknown());
    }
    // One that is kept no longer may have been it.
    let known = store.event(target, sequence)?;
    match known {
        Some(row) if after.starts_with("evt_") && row.id != after => Err(unknown()),
        _ => Ok(sequence),
    }
}

/// Events by sequence, those after one.
pub fn events<'a>(
    store: &'a Store,
    target: &'a str,
    after: u64,
) -> impl Iterator<Item = Result<EventOut, AnswerError>> + 'a {
    store.events_after(target, after).map(move |row| {
        let (sequence, row) = row?;
        EventOut::of(target, sequence, row)
    })
}

/// What became of an event.
pub fn delivery(store: &Store, target: &str, sequence: u64) -> Result<Delivery, AnswerError> {
    if let Some(waiting) = store.waiting(target, sequence)? {
        return Ok(Delivery {
            state: "waiting",
            attempts: Some(waiting.attempts),
            due_at: Some(waiting.due),
            error: waiting.last_error,
        });
    }
    Ok(match store.dead(target, sequence)? {
        Some(dead) => Delivery {
            state: "dead",
            attempts: Some(dead.attempts),
            due_at: None,
            error: Some(dead.error),
        },
        None => Delivery {
            state: "delivered",
            attempts: None,
            due_at: None,
            error: None,
        },
    })
}
