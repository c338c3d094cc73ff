//! What one run is told: what to look at, what to do with the plan, whom to tell how far it
//! is, and when to stop.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::plan::Asked;

/// What is to be done with the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Intent {
    /// Show it, and leave everything as it is.
    Preview,
    /// Carry it out, unless the guard holds it.
    Apply,
    /// Carry it out if it is exactly this plan, under the guard.
    Exactly { digest: String },
    /// Carry it out if it is exactly this held plan, past the guard, once.
    Approve { run: String, digest: String },
}

/// How far a run is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Another run has to end first.
    Waiting,
    Fetching {
        sources: Vec<String>,
    },
    Fetched {
        source: String,
        users: u64,
        groups: u64,
    },
    Deciding,
    /// So many actions are done, of so many.
    Applied {
        actions: u64,
        of: u64,
    },
}

/// Who is told how far a run is.
pub trait Progress: Send + Sync {
    fn step(&self, step: Step);
}

/// Nobody is.
impl Progress for () {
    fn step(&self, _: Step) {}
}

/// Whoever looks sees the latest step.
impl Progress for watch::Sender<Step> {
    fn step(&self, step: Step) {
        self.send_replace(step);
    }
}

/// Asks runs to end early: a fetch is dropped, a plan is not begun, and of one that is being
/// carried out the batch in hand is the last. What is owed stays marked, as after a crash.
#[derive(Clone, Debug, Default)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Asks. There is no taking it back.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Comes back once it is asked.
    pub async fn asked(&self) {
        let mut asked = self.0.subscribe();
        asked
            .wait_for(|asked| *asked)
            .await
            .expect("the sender is held here");
    }
}

/// One run, as it was asked for.
#[derive(Clone)]
pub struct Order {
    /// The id it will have. An approved run keeps the one under which it was held.
    pub run: String,
    pub asked: Asked,
    pub intent: Intent,
    pub now: Timestamp,
    pub progress: Arc<dyn Progress>,
    pub stop: Stop,
}

impl Order {
    /// A run that tells nobody how far it is, and that nobody stops.
    pub fn new(asked: Asked, intent: Intent, now: Timestamp) -> Order {
        Order {
            run: match &intent {
                Intent::Approve { run, .. } => run.clone(),
                _ => new_run_id(now),
            },
            asked,
            intent,
            now,
            progress: Arc::new(()),
            stop: Stop::default(),
        }
    }
}

/// A ULID: ids sort by the time of the run.
fn new_run_id(now: Timestamp) -> String {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    ulid::Ulid::from_parts(millis, rand::random()).to_string()
}
