//! Numbers for Prometheus: what happened, counted as it happens, and how things stand, looked
//! up when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use metrics::{Unit, with_local_recorder};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use tokio::sync::broadcast::error::RecvError;

use super::Shared;
use super::problem::Problem;
use super::stream::blocking;
use crate::answers::status;
use crate::plan::OutcomeStatus;
use crate::store::StoreError;
use crate::store::events::OutboxState;
use crate::sync::{Finished, Intent, Sync};
use crate::targets::events::Outbox;

/// From a quiet run of a small company to the first run of a large one.
const RUN_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// From a look at a row to a page of a large portal.
const REQUEST_SECONDS: [f64; 8] = [0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How often what was measured is added up: until then every measurement is kept, and nobody
/// may be asking for the numbers.
const UPKEEP: Duration = Duration::from_secs(10);

/// What is counted.
pub struct Metrics(PrometheusRecorder);

impl Metrics {
    pub fn new() -> Metrics {
        let buckets = |builder: PrometheusBuilder, name: &str, buckets: &[f64]| {
            builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                .expect("there are buckets")
        };
        let builder = PrometheusBuilder::new();
        let builder = buckets(builder, "rosterd_run_duration_seconds", &RUN_SECONDS);
        let builder = buckets(
            builder,
            "rosterd_http_request_duration_seconds",
            &REQUEST_SECONDS,
        );
        let recorder = builder.build_recorder();
        with_local_recorder(&recorder, || {
            describe_counter!("rosterd_runs_total", "Runs by what became of them.");
            describe_counter!("rosterd_actions_total", "Actions by what became of them.");
            describe_histogram!(
                "rosterd_run_duration_seconds",
                Unit::Seconds,
                "How long runs take, from their beginning to their end."
            );
            describe_counter!(
                "rosterd_http_requests_total",
                "Requests by route and status."
            );
            describe_counter!(
                "rosterd_pings_total",
                "Pings of sources by what became of them."
            );
            describe_gauge!(
                "rosterd_source_subscribed",
                "Whether the source's service sends word of changes, where it was asked to."
            );
            describe_histogram!(
                "rosterd_http_request_duration_seconds",
                Unit::Seconds,
                "How long requests take until their answer begins."
            );
        });
        Metrics(recorder)
    }

    pub fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        // A method may be any word; the ones that no route has are one.
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let route = route.to_owned();
        with_local_recorder(&self.0, || {
            counter!(
                "rosterd_http_requests_total",
                "route" => route.clone(), "method" => method, "status" => status.to_string()
            )
            .increment(1);
            histogram!("rosterd_http_request_duration_seconds", "route" => route)
                .record(took.as_secs_f64());
        });
    }

    /// Counts a ping of a source that the settings know.
    pub fn ping(&self, source: &str, result: &'static str) {
        let source = source.to_owned();
        with_local_recorder(&self.0, || {
            counter!("rosterd_pings_total", "source" => source, "result" => result).increment(1);
        });
    }

    /// Notes whether the service of a source was last found to send word of changes.
    pub fn subscribed(&self, source: &str, is: bool) {
        let source = source.to_owned();
        with_local_recorder(&self.0, || {
            gauge!("rosterd_source_subscribed", "source" => source).set(f64::from(u8::from(is)));
        });
    }

    /// Counts a run that ended. Reads its plan, and so blocks.
    fn run(&self, finished: &Finished) {
        let result = match &finished.outcome {
            Err(_) => "broke_off",
            Ok(run) if run.moved => "refused",
            Ok(run) => run.plan.head.status.as_str(),
        };
        with_local_recorder(&self.0, || {
            counter!("rosterd_runs_total", "result" => result).increment(1);
            histogram!("rosterd_run_duration_seconds").record(finished.took.as_secs_f64());
        });
        let Ok(run) = &finished.outcome else {
            return;
        };
        if finished.intent == Intent::Preview || run.plan.tally().is_none() {
            return;
        }
        let mut counts = std::collections::BTreeMap::new();
        for row in run.plan.actions_with_outcomes() {
            let Ok((action, Some(outcome))) = row else {
                // A plan that cannot be read is said where it is shown.
                return;
            };
            let status = match outcome.status {
                OutcomeStatus::Done => "done",
                OutcomeStatus::Failed => "failed",
                OutcomeStatus::Skipped => "skipped",
            };
            *counts
                .entry((action.portal, action.op, status))
                .or_insert(0) += 1;
        }
        with_local_recorder(&self.0, || {
            for ((portal, op, outcome), count) in counts {
                counter!(
                    "rosterd_actions_total",
                    "portal" => portal, "op" => op.as_str(), "outcome" => outcome
                )
                .increment(count);
            }
        });
    }
}

/// Counts every run from now on.
pub async fn count_runs(shared: Shared) {
    let mut runs = shared.conductor.watch_runs();
    let mut upkeep = tokio::time::interval(UPKEEP);
    loop {
        let ended = tokio::select! {
            ended = runs.recv() => ended,
            _ = upkeep.tick() => {
                shared.metrics.0.handle().run_upkeep();
                continue;
            }
        };
        match ended {
            Ok(finished) => {
                let shared = shared.clone();
                let count = move || shared.metrics.run(&finished);
                if tokio::task::spawn_blocking(count).await.is_err() {
                    tracing::error!("a run could not be counted; this is a bug");
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!("{missed} runs are not in the metrics");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// All numbers, as Prometheus reads them.
pub async fn metrics(State(shared): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let text = blocking(move || {
        let sync: Arc<Sync> = shared.conductor.sync();
        let standing = standing(&sync)?;
        Ok(shared.metrics.0.handle().render() + &standing)
    })
    .await?;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

/// How things stand. A recorder of its own for every time: what is no longer so, such as a
/// source that the settings have no more, leaves nothing behind.
fn standing(sync: &Sync) -> Result<String, Problem> {
    let names = sync.rules.iter().map(|rules| rules.name.as_str());
    let targets = sync.targets.keys().map(String::as_str);
    let status = status::status(&sync.store, names, targets, |_| None, crate::clock::now())?;
    let mut quarantined: std::collections::BTreeMap<String, u64> = sync
        .rules
        .iter()
        .map(|rules| (rules.name.clone(), 0))
        .collect();
    for (source, ..) in sync
        .store
        .quarantined()
        .map_err(crate::answers::AnswerError::from)?
    {
        *quarantined.entry(source).or_default() += 1;
    }
    let queues = queues(sync)?;
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        tell_queues(&queues);
        describe_gauge!(
            "rosterd_last_complete_sync_age_seconds",
            Unit::Seconds,
            "How long ago the source was last read completely; absent before the first time."
        );
        describe_gauge!(
            "rosterd_source_failures",
            "Failed fetches since the last complete one."
        );
        describe_gauge!("rosterd_source_users", "Users that the source has.");
        describe_gauge!("rosterd_source_groups", "Groups that the source has.");
        describe_counter!("rosterd_source_requests_total", "Requests to the source.");
        describe_counter!(
            "rosterd_source_throttled_total",
            "Answers of the source that asked to come back later."
        );
        describe_gauge!(
            "rosterd_source_rate_budget_used_ratio",
            "The part of rosterd's share of the rate limit that is used up."
        );
        describe_gauge!("rosterd_quarantined", "Records that could not be read.");
        describe_gauge!(
            "rosterd_owed",
            "People and groups for whom an action failed."
        );
        describe_gauge!(
            "rosterd_watched",
            "People and groups to be looked at again."
        );
        describe_gauge!("rosterd_held_plans", "Plans that wait for approval.");
        describe_gauge!(
            "rosterd_store_bytes",
            Unit::Bytes,
            "Size of the store on disk."
        );
        for (name, source) in &status.sources {
            let label = || name.clone();
            if let Some(age) = source.cursor_age_seconds {
                gauge!("rosterd_last_complete_sync_age_seconds", "source" => label())
                    .set(age as f64);
            }
            gauge!("rosterd_source_failures", "source" => label()).set(f64::from(source.failures));
            gauge!("rosterd_source_users", "source" => label()).set(source.users as f64);
            gauge!("rosterd_source_groups", "source" => label()).set(source.groups as f64);
        }
        for (name, source) in &sync.sources {
            counter!("rosterd_source_requests_total", "source" => name.clone())
                .absolute(source.requests());
            let load = source.load();
            counter!("rosterd_source_throttled_total", "source" => name.clone())
                .absolute(load.throttled);
            if let Some(used) = load.used {
                gauge!("rosterd_source_rate_budget_used_ratio", "source" => name.clone()).set(used);
            }
        }
        for (name, count) in quarantined {
            gauge!("rosterd_quarantined", "source" => name).set(count as f64);
        }
        gauge!("rosterd_owed").set(status.owed as f64);
        gauge!("rosterd_watched").set(status.watched as f64);
        gauge!("rosterd_held_plans").set(status.held.len() as f64);
        gauge!("rosterd_store_bytes").set(status.store_bytes as f64);
    });
    Ok(recorder.handle().render())
}

/// The queues of events: by target, what was delivered and how many wait.
type Queues = Vec<(String, OutboxState, u64)>;

fn queues(sync: &Sync) -> Result<Queues, Problem> {
    let outboxes = sync.targets.values().filter_map(|target| target.outbox());
    let read = |outbox: &Outbox| {
        let waiting = outbox.store.waiting_count(outbox.name())?;
        Ok::<_, StoreError>((outbox.name().to_owned(), outbox.state()?, waiting))
    };
    let queues: Result<Queues, StoreError> = outboxes.map(|outbox| read(&outbox)).collect();
    Ok(queues.map_err(crate::answers::AnswerError::from)?)
}

fn tell_queues(queues: &Queues) {
    describe_gauge!("rosterd_events_queued", "Events that wait to be delivered.");
    describe_counter!("rosterd_events_delivered_total", "Events that were taken.");
    describe_counter!(
        "rosterd_events_failed_total",
        "Attempts to deliver an event that failed."
    );
    describe_counter!("rosterd_events_dead_total", "Events that were given up.");
    describe_gauge!(
        "rosterd_events_refused",
        "Whether the receiver wants no more events (410)."
    );
    for (target, state, waiting) in queues {
        let label = || target.clone();
        gauge!("rosterd_events_queued", "target" => label()).set(*waiting as f64);
        counter!("rosterd_events_delivered_total", "target" => label()).absolute(state.delivered);
        counter!("rosterd_events_failed_total", "target" => label()).absolute(state.failed);
        counter!("rosterd_events_dead_total", "target" => label()).absolute(state.dead);
        let refused = f64::from(u8::from(state.refused.is_some()));
        gauge!("rosterd_events_refused", "target" => label()).set(refused);
    }
}
