//! Traces for a collector of OpenTelemetry: a run, and in it each fetch, deciding, remembering
//! and applying, as OTLP over HTTP. They say how long things took and carry ids of runs and
//! names of sources, never a person.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use url::Url;

use super::Part;

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent to {host}; look at 'log.traces'")]
pub struct TracesError {
    host: String,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Traces on their way.
pub struct Traces(SdkTracerProvider);

/// Starts sending what the given layer is told. It must be called within the runtime, which
/// does the sending.
pub fn start(collector: &Url) -> Result<(Traces, Part), TracesError> {
    let host = collector.host_str().unwrap_or_default();
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| TracesError {
        host: host.to_owned(),
        cause,
    };
    let http = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .map_err(|cause| failed(cause.into()))?;
    let post = Post {
        http,
        runtime: tokio::runtime::Handle::current(),
        host: host.to_owned(),
        failing: AtomicBool::new(false),
    };
    let endpoint = format!("{}/v1/traces", collector.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(post)
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(endpoint)
        .with_timeout(PATIENCE)
        .build()
        .map_err(|cause| failed(cause.into()))?;
    let about = Resource::builder()
        .with_service_name("rosterd")
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(about)
        .build();
    let ours = Targets::new().with_target("rosterd", tracing::Level::INFO);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("rosterd"))
        .with_location(false)
        .with_threads(false)
        .with_filter(ours);
    Ok((Traces(provider), layer.boxed()))
}

impl Traces {
    pub async fn end(self) {
        // It waits for what is under way, which the runtime's other threads do.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(PATIENCE));
        if let Ok(Err(error)) = ended.await {
            tracing::debug!("the last traces were not sent: {error}");
        }
    }
}

/// Hands traces to the collector. They are made on a thread that is not the runtime's.
#[derive(Debug)]
struct Post {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
    host: String,
    /// It is said once that they do not arrive, and once that they do again.
    failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, request) = (self.http.clone(), request.try_into()?);
        let answer = self.runtime.spawn(async move {
            let answer = http.execute(request).await?.error_for_status()?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let answer = answer.await?.map_err(reqwest::Error::without_url);
        let failed = answer.as_ref().err();
        if self.failing.swap(failed.is_some(), Ordering::Relaxed) != failed.is_some() {
            match failed {
                Some(error) => tracing::warn!(
                    "traces do not arrive at {}; look at 'log.traces': {error}",
                    self.host
                ),
                None => tracing::info!("traces arrive at {} again", self.host),
            }
        }
        let (status, body) = answer?;
        Ok(Response::builder().status(status).body(body)?)
    }
}
