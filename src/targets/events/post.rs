//! One attempt to deliver one event.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, StatusCode};
use url::{Host, Url};

use super::body::Envelope;
use super::sign::Signer;
use crate::config::{self, EventFormat, is_loopback};
use crate::http::{self, Call, Http, HttpError, Pacing, Policy, Reach, is_public, retry_after};
use crate::store::events::EventRow;

/// How long a receiver may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// The most of an answer that is read. Nothing in it is of use.
const ANSWER_BYTES: usize = 1 << 20;

/// What a target's settings say of its receiver.
pub struct Options {
    /// The dotted key of the target, for messages.
    pub key: String,
    pub url: String,
    pub format: EventFormat,
    /// The current one first.
    pub secrets: Vec<String>,
    pub tenant: String,
    pub product: String,
    /// The headers that carry a Polis signature.
    pub signature_headers: Vec<String>,
    pub allow_private_addresses: bool,
    pub concurrency: usize,
    pub ca_pem: Option<Vec<u8>>,
}

/// What in the settings of a receiver cannot be used. It never repeats a secret, and the URL is
/// one.
#[derive(Debug, thiserror::Error)]
#[error("'{key}' {why}")]
pub struct ReceiverError {
    pub key: String,
    pub why: String,
}

/// Who is told.
pub struct Receiver {
    url: Url,
    http: Http,
    signer: Signer,
    envelope: Envelope,
    signature_headers: Vec<HeaderName>,
    fingerprint: String,
}

/// Why an event was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub why: String,
    /// The receiver wants nothing any more (410).
    pub for_good: bool,
    /// The pause that it asked for.
    pub pause: Option<Duration>,
}

impl Receiver {
    pub fn open(options: Options) -> Result<Receiver, ReceiverError> {
        let Options {
            key,
            url: url_text,
            format,
            secrets,
            tenant,
            product,
            signature_headers,
            allow_private_addresses,
            concurrency,
            ca_pem,
        } = options;
        let fault = |name: &str, why: String| ReceiverError {
            key: format!("{key}.{name}"),
            why,
        };
        let url =
            config::webhook(url_text.trim()).map_err(|error| fault("url", error.to_string()))?;
        let reach = match allow_private_addresses || is_loopback(&url) {
            true => Reach::Anywhere,
            false => Reach::Public,
        };
        if reach == Reach::Public && literal(&url).is_some_and(|ip| !is_public(ip)) {
            let why = "names a private address; set 'allow_private_addresses = true' beside it if that is meant";
            return Err(fault("url", why.to_owned()));
        }
        let texts: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let signer = Signer::new(format, &texts).map_err(|why| fault("secret", why))?;
        let http = Http::open_to(
            http::Options {
                timeout: ANSWER_WAIT,
                concurrency,
                pacing: Pacing::None,
                ca_pem,
                direct: false,
            },
            reach,
        )
        .map_err(|error| fault("url", error.to_string()))?;
        let signature_headers = signature_headers
            .iter()
            .map(|name| {
                let header = HeaderName::from_bytes(name.as_bytes());
                let why = format!("holds \"{name}\", which is no name of a header");
                header.map_err(|_| fault("signature_headers", why))
            })
            .collect::<Result<_, _>>()?;
        let mut hasher = blake3::Hasher::new();
        for part in [url.as_str(), format.as_str()].into_iter().chain(texts) {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Ok(Receiver {
            url,
            http,
            signer,
            envelope: Envelope {
                format,
                tenant,
                product,
            },
            signature_headers,
            fingerprint: hasher.finalize().to_hex().to_string(),
        })
    }

    /// A digest of the settings that a receiver's refusal is about.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The host, for messages: a path may hold a secret.
    pub fn host(&self) -> String {
        http::host_of(&self.url)
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Posts an event, signed now.
    pub async fn post(&self, sequence: u64, row: &EventRow, now: Timestamp) -> Result<(), Refusal> {
        let body = self.envelope.body(sequence, row);
        self.send(&row.id, body, now).await
    }

    /// Posts an event that says nothing. Its id.
    pub async fn try_out(&self, now: Timestamp) -> Result<String, Refusal> {
        let id = format!("evt_test_{:016x}", rand::random::<u64>());
        let body = self.envelope.trial(&id, now);
        self.send(&id, body, now).await?;
        Ok(id)
    }

    /// Whether somebody answers there, be it with an error: nothing is posted.
    pub async fn reach(&self) -> Result<(), Refusal> {
        let request = self.http.client().request(Method::HEAD, self.url.clone());
        match self.execute(request).await {
            Err(Failure::Answered(..)) | Ok(()) => Ok(()),
            Err(Failure::Silent(refusal)) => Err(refusal),
        }
    }

    async fn send(&self, id: &str, body: String, now: Timestamp) -> Result<(), Refusal> {
        let mut request = self
            .http
            .client()
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json");
        if let Some(signature) = self.signer.polis(now.as_millisecond(), &body) {
            for name in &self.signature_headers {
                request = request.header(name, &signature);
            }
        }
        if let Some(signature) = self.signer.standard(id, now.as_second(), &body) {
            request = request
                .header("webhook-id", id)
                .header("webhook-timestamp", now.as_second().to_string())
                .header("webhook-signature", signature);
        }
        match self.execute(request.body(body)).await {
            Ok(()) => Ok(()),
            Err(Failure::Answered(refusal) | Failure::Silent(refusal)) => Err(refusal),
        }
    }

    /// Sends once: when to try again is decided elsewhere.
    async fn execute(&self, request: reqwest::RequestBuilder) -> Result<(), Failure> {
        let refusal = |why: String| Refusal {
            why,
            for_good: false,
            pause: None,
        };
        let request = request
            .build()
            .map_err(|_| Failure::Silent(refusal("the event cannot be put together".into())))?;
        let call = Call {
            what: "the event",
            bucket: "",
            policy: Policy {
                attempts: 1,
                patience: Duration::ZERO,
                ceiling: Duration::ZERO,
                body_limit: ANSWER_BYTES,
            },
            signer: None,
        };
        let sent = self.http.execute(&request, call, |_| Ok(()));
        let error = match tokio::time::timeout(ANSWER_WAIT, sent).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => {
                let seconds = ANSWER_WAIT.as_secs();
                let why = format!("{} did not answer within {seconds} s", self.host());
                return Err(Failure::Silent(refusal(why)));
            }
        };
        let why = error.to_string();
        match error {
            HttpError::Status(answer) => Err(Failure::Answered(Refusal {
                why,
                for_good: answer.status == StatusCode::GONE,
                pause: retry_after(&answer.headers),
            })),
            HttpError::Throttled { wait_seconds, .. } => Err(Failure::Answered(Refusal {
                why,
                for_good: false,
                pause: Some(Duration::from_secs(wait_seconds)),
            })),
            _ => Err(Failure::Silent(refusal(why))),
        }
    }
}

enum Failure {
    /// With a status that says no.
    Answered(Refusal),
    /// There was no answer that could be used.
    Silent(Refusal),
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> Options {
        Options {
            key: "targets.hooks".into(),
            url: url.into(),
            format: EventFormat::Polis,
            secrets: vec!["s".into()],
            tenant: "t".into(),
            product: "p".into(),
            signature_headers: vec!["BoxyHQ-Signature".into()],
            allow_private_addresses: false,
            concurrency: 1,
            ca_pem: None,
        }
    }

    fn refused(options: Options) -> String {
        Receiver::open(options).err().expect("refused").to_string()
    }

    #[test]
    fn a_private_address_is_refused_unless_it_is_allowed() {
        for url in [
            "https://10.0.0.1/hook?key=hunter2",
            "https://169.254.169.254/",
            "https://[fd00::1]/",
            "https://[::ffff:192.168.0.1]/",
        ] {
            let said = refused(options(url));
            assert!(said.starts_with("'targets.hooks.url' names a private"));
            assert!(!said.contains("hunter2"));
            let allowed = Options {
                allow_private_addresses: true,
                ..options(url)
            };
            assert!(Receiver::open(allowed).is_ok(), "{url}");
        }
        for url in [
            "https://93.184.216.34/",
            "http://127.0.0.1:1/",
            "https://localhost/",
        ] {
            assert!(Receiver::open(options(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_by_its_key() {
        let plain = refused(options("http://app.example.com/hook"));
        assert!(plain.starts_with("'targets.hooks.url' must begin with https://"));
        let secret = Options {
            format: EventFormat::Both,
            ..options("https://app.example.com")
        };
        assert!(refused(secret).starts_with("'targets.hooks.secret' must be 'whsec_'"));
        let header = Options {
            signature_headers: vec!["Not A Header".into()],
            ..options("https://app.example.com")
        };
        let said = refused(header);
        assert!(said.starts_with("'targets.hooks.signature_headers' holds \"Not A Header\""));
    }

    #[test]
    fn a_secret_that_changes_makes_another_receiver() {
        let of = |options| Receiver::open(options).unwrap().fingerprint().to_owned();
        let url = "https://app.example.com";
        assert_eq!(of(options(url)), of(options(url)));
        let other = Options {
            secrets: vec!["other".into()],
            ..options(url)
        };
        assert_ne!(of(other), of(options(url)));
    }
}
