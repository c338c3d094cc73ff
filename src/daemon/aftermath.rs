//! What a run that ended means for the times to come.

use jiff::Timestamp;

use super::schedule::Verdict;
use crate::plan::{Entry, Plan, Section, SourceStatus, Status};
use crate::sync::{Finished, Intent, RunError, Sync};

/// What the timetable is told.
#[derive(Default)]
pub struct Aftermath {
    /// How each source came out, and why it failed if it did.
    pub verdicts: Vec<(String, Verdict, Option<String>)>,
    /// When the first grace period ends; the outer None where this run cannot tell.
    pub grace_ends: Option<Option<Timestamp>>,
    /// How often the most stubborn owed action was tried; None where this run cannot tell.
    pub attempts: Option<u32>,
}

impl Aftermath {
    /// Reads a finished run, and from the store what it left. A dry run leaves nothing.
    pub fn of(finished: &Finished, sync: &Sync) -> Result<Aftermath, RunError> {
        let mut aftermath = Aftermath::default();
        if finished.intent == Intent::Preview {
            return Ok(aftermath);
        }
        let run = match &finished.outcome {
            Ok(run) => run,
            Err(error) => {
                // A stop is followed by no further run, and the run itself says why it broke off.
                if !matches!(**error, RunError::Stopped) {
                    for source in sync.sources_of(&finished.asked) {
                        aftermath.verdicts.push((source, Verdict::Failed, None));
                    }
                }
                return Ok(aftermath);
            }
        };
        let head = &run.plan.head;
        if !finished.asked.is_on_demand() {
            for (name, report) in &head.sources {
                let verdict = match report.status {
                    SourceStatus::Failed => Verdict::Failed,
                    SourceStatus::Ok => {
                        let last_full = sync.store.source_state(name)?.last_full;
                        let full = last_full.is_some_and(|then| then >= finished.began);
                        Verdict::Read {
                            full: full || finished.asked.full,
                        }
                    }
                };
                aftermath
                    .verdicts
                    .push((name.clone(), verdict, report.error.clone()));
            }
        }
        // Who is in grace is watched, and whoever is watched is in every plan.
        aftermath.grace_ends = Some(first_end(&run.plan)?);
        if head.status != Status::Held && !run.moved {
            let marks = sync.store.marks()?;
            let most = marks.iter().map(|(.., mark)| mark.attempts).max();
            aftermath.attempts = Some(most.unwrap_or(0));
        }
        Ok(aftermath)
    }
}

/// When the first grace period of a plan ends.
fn first_end(plan: &Plan) -> Result<Option<Timestamp>, RunError> {
    if !plan.head.lists.contains_key(&Section::Pending) {
        return Ok(None);
    }
    let mut first: Option<Timestamp> = None;
    for entry in plan.list(Section::Pending) {
        if let Entry::Pending { due_at, .. } = entry? {
            first = Some(first.map_or(due_at, |first| first.min(due_at)));
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests;
