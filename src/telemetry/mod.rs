//! What is said while things happen. Logs go to stderr, so that stdout is only what a command was
//! asked for, or with their fields into the journal where stderr would end there anyway; how long
//! the parts of a run take goes to a collector of traces, where the settings name one.

mod journal;
mod traces;

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{LogFormat, LogLevel};
use traces::Traces;
pub use traces::TracesError;

type Part = Box<dyn Layer<Registry> + Send + Sync>;

/// What has to be ended in good order.
#[must_use = "the last traces are sent when it ends"]
pub struct Telemetry(Option<Traces>);

/// Starts logging at `level` and above, and sending traces to `collector`. The libraries below
/// stay at warnings: what they say at `info` is about connections, not about people and portals.
/// What goes wrong in sled is said by the store, once and in our words.
pub fn start(
    level: LogLevel,
    format: LogFormat,
    collector: Option<&url::Url>,
) -> Result<Telemetry, TracesError> {
    let filter = EnvFilter::try_new(format!("warn,sled=off,rosterd={}", level.as_str()))
        .unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs: Part = match (format, journal::layer()) {
        (LogFormat::Text, Some(journal)) => Box::new(journal),
        (LogFormat::Text, None) => Box::new(to_stderr()),
        (LogFormat::Json, _) => Box::new(to_stderr().json()),
    };
    // Spans are for traces; a line of the log says by itself what it is about.
    let events = filter_fn(|about| about.is_event());
    // What nobody will read is not even asked about: the store below has much to say.
    let most = level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let events = events.with_max_level_hint(most.max(LevelFilter::WARN));
    let logs = logs.with_filter(filter).with_filter(events);
    let mut parts = vec![logs.boxed()];
    let mut sent = None;
    if let Some(collector) = collector {
        let (traces, spans) = traces::start(collector)?;
        parts.push(spans);
        sent = Some(traces);
    }
    // A second start (tests in one process) changes nothing.
    let _ = tracing_subscriber::registry().with(parts).try_init();
    Ok(Telemetry(sent))
}

fn to_stderr() -> tracing_subscriber::fmt::Layer<
    Registry,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    fn() -> std::io::Stderr,
> {
    tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
}

impl Telemetry {
    /// Sends what was not sent yet. It waits no longer than a collector may take to answer.
    pub async fn end(self) {
        if let Some(traces) = self.0 {
            traces.end().await;
        }
    }
}
