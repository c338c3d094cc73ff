//! Reads a plan's document again, for `rosterd apply FILE`.
//!
//! Only what apply compares is kept: which run it was and its actions. The actions go through
//! a builder as they are read, so that a saved plan may be as large as any.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::VERSION;
use crate::directory::Value;
use crate::plan::{Action, Asked, Builder, Entry, Guard, Head, Mode, Plan, PlanError, Status};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("this is not a plan of rosterd; save one with `rosterd plan --out FILE`")]
    NotAPlan(#[source] serde_json::Error),
    #[error(
        "this plan has version {version}, and this rosterd reads version {VERSION}; \
         use the rosterd that saved it"
    )]
    Newer { version: u64 },
    #[error(
        "the actions of this plan were changed after it was saved; \
         save it again with `rosterd plan --out FILE`"
    )]
    Altered,
    #[error("could not read the saved plan")]
    Read(#[source] io::Error),
    #[error("could not sort the saved plan")]
    Plan(#[from] PlanError),
}

/// A plan that was saved: what it said it would do.
pub struct SavedPlan {
    pub run: String,
    pub mode: Mode,
    pub asked: Asked,
    pub created_at: jiff::Timestamp,
    pub status: Status,
    /// The digest of its actions, checked against them.
    pub digest: String,
    plan: Plan,
}

impl SavedPlan {
    /// The actions, in the plan's order.
    pub fn actions(&self) -> impl Iterator<Item = Result<Action, PlanError>> + Send + '_ {
        self.plan.actions()
    }

    pub fn action_count(&self) -> u64 {
        self.plan.action_count()
    }
}

/// Reads a document that [`report::write`](crate::plan::report::write) wrote as JSON.
pub fn read_actions(input: impl Read) -> Result<SavedPlan, ReadError> {
    let mut seen = Seen::default();
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(input));
    let read = (&mut seen)
        .deserialize(&mut json)
        .and_then(|head| json.end().map(|()| head));
    let head = match read {
        Ok(head) => head,
        Err(cause) => {
            return Err(match seen {
                Seen {
                    newer: Some(version),
                    ..
                } => ReadError::Newer { version },
                Seen {
                    failed: Some(cause),
                    ..
                } => ReadError::Plan(cause),
                _ if cause.is_io() => ReadError::Read(cause.into()),
                _ => ReadError::NotAPlan(cause),
            });
        }
    };
    let (run, mode, created_at, status) =
        (head.run.clone(), head.mode, head.created_at, head.status);
    let asked = head.asked.clone();
    let digest = head.digest.clone();
    let plan = seen.actions.finish(head)?;
    if plan.head.digest != digest && !seen.decimals {
        return Err(ReadError::Altered);
    }
    Ok(SavedPlan {
        run,
        mode,
        asked,
        created_at,
        status,
        digest,
        plan,
    })
}

/// What has been read so far, and why reading ended if not because of the JSON.
#[derive(Default)]
struct Seen {
    actions: Builder,
    /// A decimal may come back with another last bit, and the digest with it.
    decimals: bool,
    newer: Option<u64>,
    failed: Option<PlanError>,
}

impl<'de> DeserializeSeed<'de> for &mut Seen {
    type Value = Head;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Head, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Seen {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut document: A) -> Result<Head, A::Error> {
        let (mut version, mut run, mut mode, mut asked) = (None, None, None, None);
        let (mut created_at, mut status, mut digest) = (None, None, None);
        let mut listed = false;
        while let Some(field) = document.next_key::<String>()? {
            match field.as_str() {
                "version" => {
                    let found: u64 = document.next_value()?;
                    if found > VERSION {
                        self.newer = Some(found);
                        return Err(A::Error::custom("a newer version"));
                    }
                    version = Some(found);
                }
                "run" => run = Some(document.next_value()?),
                "mode" => mode = Some(document.next_value()?),
                "asked" => asked = Some(document.next_value()?),
                "created_at" => created_at = Some(document.next_value()?),
                "status" => status = Some(document.next_value()?),
                "digest" => digest = Some(document.next_value()?),
                "actions" => {
                    document.next_value_seed(Actions(self))?;
                    listed = true;
                }
                _ => {
                    document.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = A::Error::missing_field;
        version.ok_or_else(|| missing("version"))?;
        if !listed {
            return Err(missing("actions"));
        }
        Ok(Head {
            run: run.ok_or_else(|| missing("run"))?,
            mode: mode.ok_or_else(|| missing("mode"))?,
            asked: asked.ok_or_else(|| missing("asked"))?,
            dry_run: true,
            created_at: created_at.ok_or_else(|| missing("created_at"))?,
            status: status.ok_or_else(|| missing("status"))?,
            sources: Default::default(),
            summary: Default::default(),
            lists: Default::default(),
            warnings: Vec::new(),
            guard: Guard::default(),
            digest: digest.ok_or_else(|| missing("digest"))?,
        })
    }
}

struct Actions<'a>(&'a mut Seen);

impl<'de> DeserializeSeed<'de> for Actions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Actions<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of actions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(action) = list.next_element::<Action>()? {
            let values = action.changes.iter().flat_map(|c| [&c.before, &c.after]);
            self.0.decimals |= values.flatten().any(has_decimal);
            if let Err(cause) = self.0.actions.push(Entry::Action(action)) {
                self.0.failed = Some(cause);
                return Err(A::Error::custom("no room"));
            }
        }
        Ok(())
    }
}

fn has_decimal(value: &Value) -> bool {
    match value {
        Value::Decimal(_) => true,
        Value::List(items) => items.iter().any(has_decimal),
        Value::Object(fields) => fields.values().any(has_decimal),
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) => false,
    }
}
