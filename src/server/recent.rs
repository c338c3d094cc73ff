//! Runs that were asked for over HTTP and are not in the history: those that did not begin or
//! go on, and the latest that the history does not keep (dry runs, and runs that broke off).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sync::Ticket;
use crate::sync::conductor::Outcome;

/// How many ended runs are remembered. A plan of more than a few entries is a file.
const ENDED: usize = 16;

#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<VecDeque<(String, Known)>>>);

/// What is known of a run.
#[derive(Clone)]
pub enum Known {
    GoingOn,
    Ended(Outcome),
}

impl Recent {
    /// Keeps an eye on a run. Any number of tickets may be for one.
    pub fn watch(&self, ticket: Ticket) {
        let run = ticket.run.clone();
        let mut runs = self.runs();
        if runs.iter().any(|(known, _)| *known == run) {
            return;
        }
        runs.push_back((run.clone(), Known::GoingOn));
        drop(runs);
        let this = self.clone();
        tokio::spawn(async move {
            let outcome = ticket.finished().await;
            this.ended(&run, outcome);
        });
    }

    /// What is known of a run, if it is one of these.
    pub fn get(&self, run: &str) -> Option<Known> {
        let runs = self.runs();
        let found = runs.iter().find(|(known, _)| known == run);
        found.map(|(_, known)| known.clone())
    }

    fn ended(&self, run: &str, outcome: Outcome) {
        let mut runs = self.runs();
        runs.retain(|(known, _)| known != run);
        runs.push_back((run.to_owned(), Known::Ended(outcome)));
        let ended = |known: &Known| matches!(known, Known::Ended(_));
        while runs.iter().filter(|(_, known)| ended(known)).count() > ENDED {
            let oldest = runs.iter().position(|(_, known)| ended(known));
            runs.remove(oldest.expect("it was just counted"));
        }
    }

    // A list of what was seen is whole whenever somebody holds it.
    fn runs(&self) -> MutexGuard<'_, VecDeque<(String, Known)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
