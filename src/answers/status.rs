//! How things stand: sources, what waits, what is held.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::AnswerError;
use crate::store::Store;
use crate::store::rows::TargetState;

#[derive(Serialize, ToSchema)]
pub struct Status {
    /// By the source's name.
    pub sources: BTreeMap<String, SourceStanding>,
    /// By the target's name.
    pub targets: BTreeMap<String, TargetStanding>,
    /// Ids of the runs that wait for approval.
    pub held: Vec<String>,
    /// People and groups for whom an action failed and will be tried again.
    pub owed: usize,
    /// People and groups to look at again: a grace period runs, or something was spared.
    pub watched: usize,
    /// Records that could not be read.
    pub quarantined: usize,
    pub store_bytes: u64,
}

#[derive(Serialize, ToSchema)]
pub struct SourceStanding {
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_run: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_complete: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_full: Option<Timestamp>,
    /// How long ago the last complete fetch was; null before the first.
    pub cursor_age_seconds: Option<i64>,
    pub users: u64,
    pub groups: u64,
    /// Failed fetches since the last complete one.
    pub failures: u32,
    pub last_error: Option<String>,
    /// Why the source needs somebody's eye, if it does. It is still tried.
    pub quarantined: Option<String>,
    /// Null where no daemon keeps a schedule.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run: Option<Timestamp>,
}

/// How a target took what it was told.
#[derive(Serialize, ToSchema)]
pub struct TargetStanding {
    /// When it last took something.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_told: Option<Timestamp>,
    /// Since when nothing can be told to it; what is owed is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub away_since: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// How the sources and targets of these names stand. `next_run` tells when a source is due.
pub fn status<'a, 'b>(
    store: &Store,
    sources: impl Iterator<Item = &'a str>,
    targets: impl Iterator<Item = &'b str>,
    next_run: impl Fn(&str) -> Option<Timestamp>,
    now: Timestamp,
) -> Result<Status, AnswerError> {
    let mut standings = BTreeMap::new();
    for name in sources {
        let state = store.source_state(name)?;
        let standing = SourceStanding {
            last_run: state.last_run,
            last_complete: state.last_complete,
            last_full: state.last_full,
            cursor_age_seconds: state
                .last_complete
                .map(|then| now.duration_since(then).as_secs()),
            users: state.users,
            groups: state.groups,
            failures: state.failures,
            quarantined: state.quarantined().map(str::to_owned),
            last_error: state.last_error,
            next_run: next_run(name),
        };
        standings.insert(name.to_owned(), standing);
    }
    let mut told = BTreeMap::new();
    for name in targets {
        let TargetState {
            last_told,
            away_since,
            last_error,
        } = store.target_state(name)?;
        let standing = TargetStanding {
            last_told,
            away_since,
            last_error,
        };
        told.insert(name.to_owned(), standing);
    }
    let held = store.held_run()?.map(|record| record.head.run);
    let marks = store.marks()?;
    let owed = marks.iter().filter(|(.., mark)| mark.attempts > 0).count();
    Ok(Status {
        sources: standings,
        targets: told,
        held: held.into_iter().collect(),
        owed,
        watched: marks.len() - owed,
        quarantined: store.quarantined()?.len(),
        store_bytes: store.engine().size_on_disk(),
    })
}
