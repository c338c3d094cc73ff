//! Who may run when: the bell that asks for a run.
//!
//! Whoever wants a run (a schedule, a signal, a command, a request) wishes for it here and gets
//! a ticket. A wish that another one already covers joins it, so that any number of wishes at
//! once end in at most two runs: the one that goes on, which may have read too early, and one
//! more. A source is in one run at a time, from its fetch to the end; runs of different
//! sources fetch side by side, and take turns deciding and applying (see [`Sync::run`]).
//!
//! When to wish is not decided here.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use super::RunError;
use super::order::{Intent, Order, Step, Stop};
use super::run::{Run, Sync};
use crate::clock;
use crate::plan::Asked;

/// How many wishes may wait. They join where they can, so this many are a flood of different
/// people asked for on demand, and who comes next had better come later.
const WAITING: usize = 256;

/// How many users and groups one run takes on demand: about as many as can be asked for one by
/// one before reading everything is quicker.
const ON_DEMAND: usize = 1000;

/// How many finished runs a slow listener may be behind before it misses some.
const FINISHED: usize = 64;

/// Takes wishes for runs, lets them join, and sees that one source is never in two runs at a
/// time.
#[derive(Clone)]
pub struct Conductor {
    state: Arc<Mutex<State>>,
    stop: Stop,
    finished: broadcast::Sender<Arc<Finished>>,
    /// How many runs go on.
    running: watch::Sender<usize>,
}

struct State {
    sync: Arc<Sync>,
    waiting: VecDeque<Wish>,
    /// The sources of the runs that go on.
    busy: BTreeSet<String>,
}

/// A run that did not begin yet.
struct Wish {
    order: Order,
    /// The places it takes, also where the order names no source because it means all.
    sources: BTreeSet<String>,
    steps: watch::Sender<Step>,
    outcome: watch::Sender<Option<Outcome>>,
}

/// What a run ended with.
pub type Outcome = Result<Arc<Run>, Arc<RunError>>;

/// A run that ended, for whoever keeps count.
pub struct Finished {
    pub run: String,
    pub asked: Asked,
    pub intent: Intent,
    pub began: jiff::Timestamp,
    /// By the steady clock: the other may be set meanwhile.
    pub took: std::time::Duration,
    pub outcome: Outcome,
}

/// Why a wish was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Busy {
    #[error("{WAITING} runs are waiting already; ask again when some of them are done")]
    Full,
    #[error("rosterd is about to stop; ask again when it is back")]
    Stopping,
}

/// A run that was asked for.
pub struct Ticket {
    /// The id the run will have. A plan that comes out as one that is held keeps that one's.
    pub run: String,
    steps: watch::Receiver<Step>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Ticket {
    /// The latest step of the run, and a way to wait for the next.
    pub fn steps(&self) -> watch::Receiver<Step> {
        self.steps.clone()
    }

    /// Waits for the run to end.
    pub async fn finished(mut self) -> Outcome {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().expect("it was waited for"),
            // Its wish was dropped unanswered: the runtime itself is ending.
            Err(_) => Err(Arc::new(RunError::Stopped)),
        }
    }
}

impl Conductor {
    pub fn new(sync: Arc<Sync>) -> Conductor {
        Conductor {
            state: Arc::new(Mutex::new(State {
                sync,
                waiting: VecDeque::new(),
                busy: BTreeSet::new(),
            })),
            stop: Stop::default(),
            finished: broadcast::channel(FINISHED).0,
            running: watch::channel(0).0,
        }
    }

    /// Asks for a run. This never waits; it must be called within the runtime.
    ///
    /// A plain wish joins the one that waits for the same sources and the same end; it becomes
    /// a full one if either is. A wish for certain users and groups joins one of its kind.
    pub fn ask(&self, asked: Asked, intent: Intent) -> Result<Ticket, Busy> {
        let mut state = self.state();
        if self.stop.is_asked() {
            return Err(Busy::Stopping);
        }
        let sources = places(&state.sync, &asked);
        let kin = state.waiting.iter_mut().find(|wish| {
            wish.sources == sources
                && wish.order.intent == intent
                && wish.order.asked.is_on_demand() == asked.is_on_demand()
                && wish.has_room()
        });
        if let Some(wish) = kin {
            wish.join(asked);
            return Ok(wish.ticket());
        }
        if state.waiting.len() >= WAITING {
            return Err(Busy::Full);
        }
        let wish = Wish::new(asked, intent, sources, self.stop.clone());
        let ticket = wish.ticket();
        state.waiting.push_back(wish);
        self.begin_what_can(&mut state);
        Ok(ticket)
    }

    /// The settings in force.
    pub fn sync(&self) -> Arc<Sync> {
        self.state().sync.clone()
    }

    /// Puts other settings in force. Runs that go on end with those they began with.
    pub fn swap(&self, sync: Arc<Sync>) {
        let mut state = self.state();
        for wish in &mut state.waiting {
            wish.sources = places(&sync, &wish.order.asked);
        }
        state.sync = sync;
    }

    /// Every run that ends from now on.
    pub fn watch_runs(&self) -> broadcast::Receiver<Arc<Finished>> {
        self.finished.subscribe()
    }

    /// Lets no further run begin, and comes back when those that go on have ended, each after
    /// the actions in hand.
    pub async fn stop(&self) {
        self.stop.ask();
        let waiting = std::mem::take(&mut self.state().waiting);
        for wish in waiting {
            wish.end(Err(Arc::new(RunError::Stopped)));
        }
        let mut running = self.running.subscribe();
        running
            .wait_for(|running| *running == 0)
            .await
            .expect("the sender is held here");
    }

    // A panic in between leaves at worst a wish that waits longer than it must.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins, in the order in which they came, the wishes whose sources are free. One that
    /// has to wait keeps its sources from those behind it, or it could wait for ever.
    fn begin_what_can(&self, state: &mut State) {
        let mut taken = state.busy.clone();
        for wish in std::mem::take(&mut state.waiting) {
            let free = taken.is_disjoint(&wish.sources);
            taken.extend(wish.sources.iter().cloned());
            if free {
                state.busy.extend(wish.sources.iter().cloned());
                self.begin(state.sync.clone(), wish);
            } else {
                state.waiting.push_back(wish);
            }
        }
    }

    fn begin(&self, sync: Arc<Sync>, wish: Wish) {
        let this = self.clone();
        self.running.send_modify(|running| *running += 1);
        tokio::spawn(async move {
            let began = (clock::now(), std::time::Instant::now());
            let mut order = wish.order.clone();
            order.now = began.0;
            // A task of its own: a panic in there must not leave its sources busy for ever.
            let run = tokio::spawn(async move { sync.run(order).await });
            let run = run
                .await
                .unwrap_or_else(|cause| Err(RunError::Worker(cause)));
            let outcome = run.map(Arc::new).map_err(Arc::new);
            this.ended(wish, began, outcome);
        });
    }

    fn ended(&self, wish: Wish, began: (jiff::Timestamp, std::time::Instant), outcome: Outcome) {
        let order = &wish.order;
        match outcome.as_ref().map_err(|error| &**error) {
            Ok(_) => {}
            Err(RunError::Stopped) => {
                tracing::info!(run.id = %order.run, "run {} was stopped", order.run);
            }
            Err(error) => {
                tracing::error!(run.id = %order.run, "run {} broke off: {error}", order.run);
            }
        }
        let finished = Finished {
            run: order.run.clone(),
            asked: order.asked.clone(),
            intent: order.intent.clone(),
            began: began.0,
            took: began.1.elapsed(),
            outcome: outcome.clone(),
        };
        let mut state = self.state();
        state.busy.retain(|source| !wish.sources.contains(source));
        self.begin_what_can(&mut state);
        drop(state);
        wish.end(outcome);
        // Nobody may be listening.
        self.finished.send(Arc::new(finished)).ok();
        self.running.send_modify(|running| *running -= 1);
    }
}

/// The sources that a run keeps for itself. Where the settings name none, runs still do what is
/// owed, one at a time: they share a place that has no name.
fn places(sync: &Sync, asked: &Asked) -> BTreeSet<String> {
    let mut places: BTreeSet<String> = sync.sources_of(asked).into_iter().collect();
    if places.is_empty() {
        places.insert(String::new());
    }
    places
}

impl Wish {
    fn new(asked: Asked, intent: Intent, sources: BTreeSet<String>, stop: Stop) -> Wish {
        let steps = watch::channel(Step::Waiting).0;
        let mut order = Order::new(asked, intent, clock::now());
        order.progress = Arc::new(steps.clone());
        order.stop = stop;
        Wish {
            order,
            sources,
            steps,
            outcome: watch::channel(None).0,
        }
    }

    fn has_room(&self) -> bool {
        let asked = &self.order.asked;
        asked.users.len() + asked.groups.len() < ON_DEMAND
    }

    /// Takes in a wish of the same kind.
    fn join(&mut self, other: Asked) {
        let asked = &mut self.order.asked;
        asked.full |= other.full;
        for (all, more) in [
            (&mut asked.users, other.users),
            (&mut asked.groups, other.groups),
        ] {
            for name in more {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
    }

    fn ticket(&self) -> Ticket {
        Ticket {
            run: self.order.run.clone(),
            steps: self.steps.subscribe(),
            outcome: self.outcome.subscribe(),
        }
    }

    fn end(self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}
