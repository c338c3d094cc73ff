//! The client and the loop around every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Certificate, Client, Request, StatusCode, redirect};
use tokio::time::Instant;
use tracing::debug;

use super::budget::{Budget, Load, Pacing};
use super::error::{HttpError, StatusError};
use super::page::host_of;
use super::reach::{PublicOnly, Reach};
use super::retry::{Policy, backoff};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One answer may take this many read timeouts in all: enough for a large page on a thin
/// line, and an end to a peer that sends a byte now and then.
const READS_PER_ANSWER: u32 = 10;

pub struct Options {
    /// How long one read may bring nothing.
    pub timeout: Duration,
    pub concurrency: usize,
    pub pacing: Pacing,
    /// Certificate authorities to trust beside the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// Past any proxy: for metadata services, which are link-local.
    pub direct: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(30),
            concurrency: 8,
            pacing: Pacing::None,
            ca_pem: None,
            direct: false,
        }
    }
}

/// Puts the current credential on a request, each time before it is sent: one that waited
/// out a pause may need a newer one.
#[async_trait]
pub trait Signer: Send + Sync {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError>;

    /// The service did not take the credential (401). True when a fresh one can be had, and
    /// so when one more try makes sense. `request` is the one that was refused.
    async fn refused(&self, request: &Request) -> bool {
        let _ = request;
        false
    }
}

/// What a request is for, and how to send it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// A noun for errors: `the users list`.
    pub what: &'a str,
    /// What the service counts this request by.
    pub bucket: &'static str,
    pub policy: Policy,
    pub signer: Option<&'a dyn Signer>,
}

#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Cheap to clone; all clones share connections, budget and counter.
#[derive(Clone)]
pub struct Http {
    client: Client,
    budget: Arc<Budget>,
    sent: Arc<AtomicU64>,
    timeout: Duration,
}

impl Http {
    pub fn open(options: Options) -> Result<Http, HttpError> {
        Http::open_to(options, Reach::Anywhere)
    }

    /// A client that goes no further than it may.
    pub fn open_to(options: Options, reach: Reach) -> Result<Http, HttpError> {
        let mut builder = Client::builder()
            // Whatever other backend a dependency may have switched on.
            .use_rustls_tls()
            .user_agent(concat!("rosterd/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(options.timeout)
            // More idle connections than requests at once are of no use to anyone.
            .pool_max_idle_per_host(options.concurrency.max(1))
            // An API that redirects is not the API: the token must not follow.
            .redirect(redirect::Policy::none());
        if let Some(pem) = &options.ca_pem {
            let bundle = Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|bundle| !bundle.is_empty())
                .ok_or_else(|| {
                    HttpError::Setup(
                        "the file of additional certificate authorities holds no certificate in PEM form".into(),
                    )
                })?;
            for certificate in bundle {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if options.direct {
            builder = builder.no_proxy();
        }
        if reach == Reach::Public {
            builder = builder.dns_resolver(Arc::new(PublicOnly::new()));
        }
        let client = builder
            .build()
            .map_err(|error| HttpError::Setup(format!("the HTTP client cannot start: {error}")))?;
        Ok(Http {
            client,
            budget: Budget::new(options.concurrency, options.pacing),
            sent: Arc::new(AtomicU64::new(0)),
            timeout: options.timeout,
        })
    }

    /// For building requests; sending goes through [`Http::execute`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Learns from an answer that came inside another one (Graph's `$batch`), and returns the
    /// pause it asks for, which every later request of the bucket keeps.
    pub fn heed(
        &self,
        bucket: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Duration> {
        self.budget.observe(bucket, status, headers)
    }

    /// Requests sent so far, every retry counted.
    pub fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How near all that is sent is to what the service allows.
    pub fn load(&self) -> Load {
        self.budget.load()
    }

    /// Sends `request` until `decode` can read a 2xx answer, or until there is a reason to
    /// stop. A body that `decode` cannot read counts as a fault of the line, like a cut one:
    /// proxies answer 200 with a page of their own.
    ///
    /// Any other status than those worth repeating comes back at once as
    /// [`HttpError::Status`].
    pub async fn execute<T>(
        &self,
        request: &Request,
        call: Call<'_>,
        decode: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<T, HttpError> {
        let Call {
            what,
            bucket,
            policy,
            signer,
        } = call;
        let host = host_of(request.url());
        let started = Instant::now();
        let mut faults = 0;
        let mut renewed = false;
        loop {
            let permit = match self.budget.admit(bucket, policy.ceiling).await {
                Ok(permit) => permit,
                Err(pause) => return Err(throttled(what, &host, pause)),
            };
            let mut attempt = request.try_clone().ok_or_else(|| {
                HttpError::Setup(format!("{what}: a streamed body cannot be sent twice"))
            })?;
            if let Some(signer) = signer {
                signer.sign(&mut attempt).await?;
                // A new token may have taken a while.
                if self.budget.is_closed(bucket) {
                    continue;
                }
            }
            let answer = self.attempt(&attempt, what, &host, policy).await;
            let fault = match answer {
                Err(error) if !error.worth_retrying() => return Err(error),
                Err(error) => error,
                Ok(response) => {
                    let pause = self
                        .budget
                        .observe(bucket, response.status, &response.headers);
                    if response.status.is_success() {
                        match decode(&response) {
                            Ok(value) => return Ok(value),
                            Err(reason) => HttpError::Unreadable {
                                what: what.to_owned(),
                                host: host.clone(),
                                reason,
                            },
                        }
                    } else if response.status == StatusCode::TOO_MANY_REQUESTS {
                        let pause = pause.unwrap_or_default();
                        if started.elapsed() + pause > policy.patience {
                            return Err(throttled(what, &host, pause));
                        }
                        debug!(
                            wait_ms = pause.as_millis() as u64,
                            "{host} asks for a pause"
                        );
                        continue;
                    } else if response.status == StatusCode::UNAUTHORIZED
                        && !renewed
                        && let Some(signer) = signer
                        && signer.refused(&attempt).await
                    {
                        renewed = true;
                        continue;
                    } else {
                        let status = response.status;
                        let error = HttpError::Status(Box::new(StatusError {
                            what: what.to_owned(),
                            host: host.clone(),
                            status,
                            headers: response.headers,
                            body: response.body,
                        }));
                        // 501 and the rest of the 5xx say never, not later.
                        if !matches!(status.as_u16(), 408 | 500 | 502 | 503 | 504) {
                            return Err(error);
                        }
                        error
                    }
                }
            };
            faults += 1;
            if faults >= policy.attempts {
                return Err(fault);
            }
            drop(permit);
            let pause = backoff(faults);
            debug!(
                attempt = faults,
                wait_ms = pause.as_millis() as u64,
                "{fault}; trying again"
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        what: &str,
        host: &str,
        policy: Policy,
    ) -> Result<Response, HttpError> {
        let seconds = self.timeout.as_secs();
        let whole = self.timeout * READS_PER_ANSWER;
        let failed = |error| HttpError::from_reqwest(error, what, host, seconds);
        let sending = async {
            let request = request.try_clone().ok_or_else(|| {
                HttpError::Setup(format!("{what}: a streamed body cannot be sent twice"))
            })?;
            self.sent.fetch_add(1, Ordering::Relaxed);
            let mut answer = self.client.execute(request).await.map_err(failed)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > policy.body_limit {
                    return Err(HttpError::TooLarge {
                        what: what.to_owned(),
                        host: host.to_owned(),
                        limit_mib: policy.body_limit >> 20,
                    });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response {
                status: answer.status(),
                headers: std::mem::take(answer.headers_mut()),
                body: body.freeze(),
            })
        };
        match tokio::time::timeout(whole, sending).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout {
                what: what.to_owned(),
                host: host.to_owned(),
                seconds: whole.as_secs(),
            }),
        }
    }
}

/// Puts a bearer token on a request, marked so that nothing prints it. False when the token
/// cannot stand in a header.
pub fn set_authorization(request: &mut Request, value: &str) -> bool {
    let Ok(mut value) = value.parse::<reqwest::header::HeaderValue>() else {
        return false;
    };
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    true
}

fn throttled(what: &str, host: &str, pause: Duration) -> HttpError {
    HttpError::Throttled {
        what: what.to_owned(),
        host: host.to_owned(),
        wait_seconds: pause.as_secs_f64().ceil() as u64,
    }
}
