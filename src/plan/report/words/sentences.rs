//! Whole sentences: about a source, about an action that went wrong, about the plan.

use std::fmt::Write;

use super::{counted, number, status};
use crate::plan::{
    Head, Outcome, OutcomeStatus, OutcomeTally, Plan, SourceReport, SourceStatus, Status,
};

/// What became of an action, when it is not simply done.
pub fn mishap(outcome: &Outcome) -> Option<String> {
    let Outcome {
        status,
        error,
        attempts,
    } = outcome;
    let what = match status {
        OutcomeStatus::Done => return None,
        OutcomeStatus::Failed if *attempts > 1 => format!("failed after {attempts} attempts"),
        OutcomeStatus::Failed => "failed".to_owned(),
        OutcomeStatus::Skipped => "skipped".to_owned(),
    };
    Some(match error {
        Some(error) => format!("{what}: {error}"),
        None => what,
    })
}

pub fn source_line(source: &SourceReport) -> String {
    let SourceReport {
        status,
        users,
        groups,
        changed_users,
        changed_groups,
        requests,
        error,
    } = source;
    let requests = counted(*requests, "request");
    match status {
        SourceStatus::Ok => format!(
            "{} ({} changed), {} ({} changed), {requests}",
            counted(*users, "user"),
            number(*changed_users),
            counted(*groups, "group"),
            number(*changed_groups),
        ),
        SourceStatus::Failed => {
            let error = error.as_deref().unwrap_or("no cause was given");
            format!("failed after {requests}: {error}")
        }
    }
}

/// The whole plan in one sentence or two.
pub fn verdict(plan: &Plan) -> String {
    let head = &plan.head;
    let actions = plan.action_count();
    let mut text = match (head.status, plan.tally()) {
        (Status::Held, _) => "Held: nothing was applied.".to_owned(),
        (Status::Discarded, _) => "Discarded: nothing was applied.".to_owned(),
        (Status::Failed, tally) if tally.is_none() || actions == 0 => {
            "Failed: nothing was applied.".to_owned()
        }
        (_, _) if actions == 0 => quiet(head),
        (Status::Planned, _) => {
            let actions = counted(actions, "action");
            format!("Planned: {actions}. Nothing has been changed yet.")
        }
        (Status::Applied, None) => format!("Applied: {}.", counted(actions, "action")),
        (other, tally) => {
            let tally = tally.unwrap_or_default();
            let mut word = status(other).to_owned();
            word[..1].make_ascii_uppercase();
            let done = number(tally.done);
            format!(
                "{word}: {done} of {} done{}.",
                counted(actions, "action"),
                rest(tally)
            )
        }
    };
    if plan.tally().is_some_and(|tally| tally.failed > 0) {
        text.push_str(" What failed is kept for the next run.");
    }
    for (name, source) in &head.sources {
        if source.status == SourceStatus::Failed {
            let _ = write!(
                text,
                " {name} could not be read; its people are left as they are."
            );
        }
    }
    text
}

fn rest(tally: OutcomeTally) -> String {
    let part = |count: u64, word: &str| match count {
        0 => String::new(),
        _ => format!(", {} {word}", number(count)),
    };
    part(tally.failed, "failed") + &part(tally.skipped, "skipped")
}

fn quiet(head: &Head) -> String {
    let read = || {
        let sources = head.sources.values();
        sources.filter(|source| source.status == SourceStatus::Ok)
    };
    match (head.sources.len(), read().count()) {
        (0, _) => "Nothing to do.".to_owned(),
        (_, 0) => "No source could be read.".to_owned(),
        _ => format!(
            "Nothing to do for {} and {}.",
            counted(read().map(|source| source.users).sum(), "user"),
            counted(read().map(|source| source.groups).sum(), "group"),
        ),
    }
}

/// How a held plan goes on. A preview keeps nothing that could be released.
pub fn release(head: &Head) -> String {
    if head.status == Status::Discarded {
        return "Somebody discarded it. A run that comes to the same is held anew.".to_owned();
    }
    match head.dry_run {
        true => "A run that comes to this is held until somebody releases it with \
                 `rosterd approve RUN`."
            .to_owned(),
        false => format!(
            "If all of it is meant, release it with `rosterd approve {}`.",
            head.run
        ),
    }
}
