//! What the fetch left, as the rest of the run needs it: the rounds that came through, those
//! that did not, the head of the plan, and what speaks against it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::RunError;
use super::fetch::Round;
use super::order::{Intent, Order};
use super::run::{QUARANTINE, Sync};
use super::staged::Staged;
use super::view::View;
use crate::plan::guard::Doubts;
use crate::plan::{Entry, Guard, Head, Mode, SourceReport, SourceStatus, Status};
use crate::sources::{FetchError, Fetched};
use crate::store::rows::{Mark, RowState, SourceState};

/// A mark: kind, source, id.
type Marked = (u8, String, String, Mark);

/// Every source that was asked, with what came of it.
pub type Rounds = Vec<(String, Result<Round, FetchError>)>;

pub fn scope_note(source: &str) -> String {
    format!("scope {source}")
}

pub fn rules_note(portal: &str) -> String {
    format!("rules {portal}")
}

pub struct Notes {
    pub head: Head,
    pub rounds: BTreeMap<String, Staged>,
    pub fetched: BTreeMap<String, Fetched>,
    pub failed: BTreeMap<String, String>,
    pub full: Vec<String>,
    pub doubts: Doubts,
    pub changed_rules: Vec<String>,
}

impl Notes {
    pub fn new(sync: &Sync, order: &Order, rounds: Rounds) -> Result<Notes, RunError> {
        let asked = &order.asked;
        let mut notes = Notes {
            head: Head {
                run: order.run.clone(),
                mode: Mode::Incremental,
                asked: asked.clone(),
                dry_run: order.intent == Intent::Preview,
                created_at: order.now,
                status: Status::Planned,
                sources: BTreeMap::new(),
                summary: BTreeMap::new(),
                lists: BTreeMap::new(),
                warnings: Vec::new(),
                guard: Guard::default(),
                digest: String::new(),
            },
            rounds: BTreeMap::new(),
            fetched: BTreeMap::new(),
            failed: BTreeMap::new(),
            full: Vec::new(),
            doubts: Doubts::default(),
            changed_rules: Vec::new(),
        };
        let pushed_alone = rounds
            .iter()
            .all(|(name, _)| sync.inboxes.contains_key(name));
        let marks = match rounds
            .iter()
            .any(|(name, _)| sync.inboxes.contains_key(name))
        {
            true => sync.store.marks()?,
            false => Vec::new(),
        };
        for (name, round) in rounds {
            let before = sync.store.source_state(&name)?;
            let report = match round {
                Ok(round) => {
                    if round.staged.as_ref().is_some_and(|staged| staged.full) {
                        notes.full.push(name.clone());
                    }
                    if let Some(users) = round.found_nobody {
                        notes.doubts.empty_sources.insert(name.clone(), users);
                    }
                    for warning in &round.fetched.warnings {
                        notes.head.warnings.push(format!("{name}: {warning}"));
                    }
                    notes.fetched.insert(name.clone(), round.fetched);
                    match round.staged {
                        Some(staged) => {
                            let report = counts(sync, &staged, &before, round.requests)?;
                            notes.rounds.insert(name.clone(), staged);
                            report
                        }
                        None => pushed(&marks, &name, &before),
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    notes.failed.insert(name.clone(), error.clone());
                    SourceReport {
                        status: SourceStatus::Failed,
                        users: before.users,
                        groups: before.groups,
                        changed_users: 0,
                        changed_groups: 0,
                        requests: 0,
                        error: Some(error),
                    }
                }
            };
            notes.head.sources.insert(name, report);
        }
        if asked.is_on_demand() {
            notes.head.mode = Mode::OnDemand;
        } else if pushed_alone && !notes.head.sources.is_empty() {
            notes.head.mode = Mode::Push;
        } else if asked.full || !notes.full.is_empty() {
            notes.head.mode = Mode::Full;
        }
        for (portal, fingerprint) in &sync.fingerprints {
            // A portal that no run has applied yet has nothing to be different from.
            if let Some(known) = sync.store.note(&rules_note(portal))?
                && known != *fingerprint
            {
                notes.changed_rules.push(portal.clone());
            }
        }
        // A source whose scope changed is new ground until a run has read it again.
        for portal in &sync.portals {
            for source in &portal.sources {
                let known = sync.store.note(&scope_note(source))?;
                let now = sync.scopes.get(source);
                if known.is_some()
                    && known.as_ref() != now
                    && !notes.changed_rules.contains(&portal.name)
                {
                    notes.changed_rules.push(portal.name.clone());
                }
            }
        }
        notes.doubts.changed_rules = notes.changed_rules.clone();
        // A new portal beside old ones has everybody to decide, though nothing to doubt.
        if sync.store.has_keys()? {
            for portal in sync.fingerprints.keys() {
                if sync.store.note(&rules_note(portal))?.is_none() {
                    notes.changed_rules.push(portal.clone());
                }
            }
        }
        Ok(notes)
    }

    pub fn quarantined(&self, view: &View<'_>, now: Timestamp) -> Vec<Entry> {
        let next_try = now.saturating_add(QUARANTINE).unwrap_or(now);
        view.sources
            .iter()
            .filter_map(|source| source.staged.as_ref())
            .flat_map(|staged| {
                staged
                    .unreadable
                    .iter()
                    .map(move |(id, reason)| Entry::Quarantined {
                        source: staged.source.clone(),
                        id: id.clone(),
                        reason: reason.clone(),
                        next_try,
                    })
            })
            .collect()
    }
}

/// What a pushed source has, and how many of it are to be looked at.
fn pushed(marks: &[Marked], name: &str, state: &SourceState) -> SourceReport {
    let of = |kind: u8| {
        let those = marks
            .iter()
            .filter(|(k, source, ..)| *k == kind && source == name);
        those.count() as u64
    };
    SourceReport {
        status: SourceStatus::Ok,
        users: state.users,
        groups: state.groups,
        changed_users: of(b'u'),
        changed_groups: of(b'g'),
        requests: 0,
        error: None,
    }
}

/// How many users and groups the source has after this round, and how many changed.
fn counts(
    sync: &Sync,
    staged: &Staged,
    before: &SourceState,
    requests: u64,
) -> Result<SourceReport, RunError> {
    let (users, groups) = if staged.full {
        (staged.seen_users, staged.seen_groups)
    } else {
        let mut users = before.users as i64 - staged.gone.len() as i64;
        for number in staged.user_numbers() {
            users += i64::from(!was_known(sync, staged, number)?);
        }
        let mut groups = before.groups as i64;
        for (number, group) in &staged.groups {
            let known = !staged.is_new(*number)
                && sync
                    .store
                    .group(&staged.source, *number)?
                    .is_some_and(|row| row.state == RowState::Known);
            groups += match (group.gone, known) {
                (true, true) => -1,
                (false, false) => 1,
                _ => 0,
            };
        }
        (users.max(0) as u64, groups.max(0) as u64)
    };
    let moved = staged.moved_groups();
    let changed_groups = staged
        .groups
        .keys()
        .filter(|number| !moved.contains(**number))
        .count();
    Ok(SourceReport {
        status: SourceStatus::Ok,
        users,
        groups,
        changed_users: staged.changed_users(),
        changed_groups: changed_groups as u64 + moved.len(),
        requests,
        error: None,
    })
}

fn was_known(sync: &Sync, staged: &Staged, number: u32) -> Result<bool, RunError> {
    if staged.is_new(number) {
        return Ok(false);
    }
    let Some(user) = staged.user(number)? else {
        return Ok(false);
    };
    let row = sync.store.user(&staged.source, user.id.as_str())?;
    Ok(row.is_some_and(|row| row.state == RowState::Known))
}
