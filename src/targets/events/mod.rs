//! The events target: signed webhooks, and a feed of the same events to read.
//!
//! A run only puts events into a queue of rosterd's own (`outbox`); they are delivered beside
//! the runs (`deliver`). `told` says what an action means as events, `data` and `json` how a
//! user or group is spelled, `body` and `sign` what goes over the wire and `post` sends it;
//! `window`, `schedule` and `rest` decide when.

mod body;
mod data;
pub mod deliver;
mod json;
pub mod outbox;
mod post;
mod rest;
mod schedule;
mod sign;
mod told;
mod window;

use std::sync::Arc;

use tokio::runtime::Handle;

pub use deliver::{Until, deliver};
pub use outbox::{Options, Outbox, Replay, sequence_of};
pub use post::{Options as ReceiverOptions, Receiver, ReceiverError};
pub use schedule::Schedule;

use super::{Finding, Found, Step, Target, TargetError};
use crate::clock;
use crate::rules::Portal;
use told::Telling;

pub struct Events {
    outbox: Arc<Outbox>,
    runtime: Handle,
}

impl Events {
    pub fn new(outbox: Outbox, runtime: Handle) -> Events {
        Events {
            outbox: Arc::new(outbox),
            runtime,
        }
    }

    fn queue(&self) -> Result<Finding, TargetError> {
        let outbox = &self.outbox;
        let (state, waiting) = (outbox.state()?, outbox.store.waiting_count(outbox.name())?);
        if let Some(refused) = state.refused {
            return Ok(Finding::wrong(format!(
                "the receiver wants no more events since {} (410), and {waiting} wait; set the right url, or have it asked again with 'rosterd events replay'",
                refused.since
            )));
        }
        Ok(Finding::ok(format!(
            "{waiting} events wait, {} were delivered, {} were given up",
            state.delivered, state.dead
        )))
    }
}

impl Target for Events {
    fn cannot(&self, portal: &Portal) -> Vec<String> {
        let rule = portal.on_deactivate.about_devices();
        let line = rule.map(|word| {
            format!(
                "target '{}' is of kind events, which knows no devices: on_deactivate cannot be '{word}'",
                portal.target
            )
        });
        line.into_iter().collect()
    }

    fn check(&self) -> Vec<Finding> {
        let receiver = &self.outbox.options.receiver;
        let reached = match self.runtime.block_on(receiver.reach()) {
            Ok(()) => Finding::ok(format!(
                "{} answers; 'rosterd events test' posts a signed event",
                receiver.host()
            )),
            Err(refusal) => Finding::wrong(refusal.why),
        };
        let queue = self.queue();
        let queue = queue.unwrap_or_else(|error| Finding::wrong(error.to_string()));
        vec![reached, queue]
    }

    /// Subscribers are told, not asked.
    fn find(&self, _portal: &str, _key: &str) -> Result<Option<Found>, TargetError> {
        Ok(None)
    }

    fn outbox(&self) -> Option<Arc<Outbox>> {
        Some(self.outbox.clone())
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let mut telling = Telling::new(&self.outbox.store, self.outbox.name());
        let mut results: Vec<Result<(), TargetError>> =
            steps.iter().map(|step| telling.take(step)).collect();
        let (drafts, ops) = telling.into_parts();
        if let Err(error) = self.outbox.append(drafts, ops, clock::now()) {
            let text = error.to_string();
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(TargetError::Refused(text.clone()));
            }
        }
        results
    }
}
