//! One way to ask a SCIM service provider: addresses, the token, and what an answer means.
//!
//! The first request of a run goes alone. If nothing can be told to the provider, that one
//! finds out, and everything else of the run is answered without asking again: a provider that
//! is down all night costs a handful of requests a run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::{Map, Value};
use url::Url;

use super::pace::{Doing, Pace};
use super::profile::Profile;
use super::trouble::Trouble;
use crate::config::{ContentType, Secret, SecretError};
use crate::http::{Call, Http, HttpError, Pacing, Policy, Response, Signer, set_authorization};

/// A fault is tried twice more; a pause is waited out up to a minute, as other targets have
/// their turn then. What is longer is left to the next run.
const POLICY: Policy = Policy {
    attempts: 3,
    patience: Duration::from_secs(60),
    ceiling: Duration::from_secs(60),
    body_limit: 64 << 20,
};

/// So many requests may end in faults in one run, while others succeed, before the provider is
/// taken to be away.
const MOST_FAULTS: u32 = 5;

pub struct Options {
    pub base_url: Url,
    pub token: Secret,
    pub timeout: Duration,
    pub ca_pem: Option<Vec<u8>>,
}

pub struct Client {
    http: Http,
    base: Url,
    content_type: HeaderValue,
    token: Token,
    pace: Pace,
    gate: Mutex<Gate>,
    /// Held by the first request of a run.
    first: tokio::sync::Mutex<()>,
}

/// What this run has found out about the provider as a whole.
#[derive(Default)]
struct Gate {
    away: Option<String>,
    answered: bool,
    faults: u32,
}

/// What to send.
pub struct Ask<'a> {
    /// A noun for errors: `creating a user`.
    pub what: &'a str,
    pub method: Method,
    pub url: Url,
    pub body: Option<&'a Value>,
    pub doing: Doing,
}

impl Client {
    pub fn open(options: Options, profile: &Profile) -> Result<Client, OpenError> {
        let http = Http::open(crate::http::Options {
            timeout: options.timeout,
            concurrency: profile.concurrency,
            pacing: Pacing::None,
            ca_pem: options.ca_pem,
            direct: false,
        })?;
        let text = options.token.read()?.expose().to_owned();
        Ok(Client {
            http,
            base: options.base_url,
            content_type: HeaderValue::from_static(match profile.content_type {
                ContentType::Scim => "application/scim+json",
                ContentType::Json => "application/json",
            }),
            token: Token {
                secret: options.token,
                text: Mutex::new(text),
            },
            pace: Pace::new(profile.rate),
            gate: Mutex::default(),
            first: tokio::sync::Mutex::default(),
        })
    }

    /// A run begins: a provider that was away is asked again.
    pub fn begin(&self) {
        *self.gate() = Gate::default();
    }

    /// Nothing under this lock can panic half way.
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a resource or list, with the base's own query before the one given.
    /// Spaces are sent as `%20`: not every provider takes a plus sign for one.
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let escaped = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
        };
        let own = self.base.query().map(str::to_owned);
        let given = query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let parts: Vec<String> = own.into_iter().chain(given).collect();
        url.set_query((!parts.is_empty()).then(|| parts.join("&")).as_deref());
        url
    }

    /// Reads an object; None where there is none.
    pub async fn get(&self, what: &str, url: Url) -> Result<Option<Map<String, Value>>, Trouble> {
        let ask = Ask {
            what,
            method: Method::GET,
            url,
            body: None,
            doing: Doing::Read,
        };
        match self.send(ask).await {
            Ok(Some(object)) => Ok(Some(object)),
            Ok(None) | Err(Trouble::Gone) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Sends, and says what the answer means. None is an answer without an object in it.
    ///
    /// A POST is sent once: after a fault nobody knows whether it was done, so its sender looks
    /// before it tries again. Everything else says how things should be, and may be repeated.
    pub async fn send(&self, ask: Ask<'_>) -> Result<Option<Map<String, Value>>, Trouble> {
        // Out of the match: the gate must not stay held while others are waited for.
        let answered = self.gate().answered;
        let alone = match answered {
            true => None,
            false => Some(self.first.lock().await),
        };
        if let Some(reason) = &self.gate().away {
            return Err(Trouble::Away(reason.clone()));
        }
        let alone = alone.filter(|_| !self.gate().answered);
        let policy = match ask.method {
            // No name keeps two groups apart, as that of a user does: one that was asked to wait is
            // not sent again without a look.
            Method::POST if ask.doing == Doing::WriteGroup => Policy {
                attempts: 1,
                patience: Duration::ZERO,
                ..POLICY
            },
            Method::POST => Policy {
                attempts: 1,
                ..POLICY
            },
            _ => POLICY,
        };
        let answer = self.once(&ask, policy).await;
        let answer = match answer {
            Err(Trouble::Fault(text)) if ask.method != Method::POST => Err(match alone.is_some() {
                true => Trouble::Away(text),
                false => self.weigh(text).await,
            }),
            answer => answer,
        };
        let mut gate = self.gate();
        match &answer {
            Err(Trouble::Away(reason)) => {
                gate.away.get_or_insert_with(|| reason.clone());
            }
            Err(Trouble::Fault(_)) => {}
            _ => gate.answered = true,
        }
        answer
    }

    /// Whether a fault is the provider's, or only that of the one object: it is asked for its
    /// users, of whom it need not show any.
    pub async fn weigh(&self, text: String) -> Trouble {
        let trouble = self.weighed(text).await;
        if let Trouble::Away(reason) = &trouble {
            self.gate().away.get_or_insert_with(|| reason.clone());
        }
        trouble
    }

    async fn weighed(&self, text: String) -> Trouble {
        let faults = {
            let mut gate = self.gate();
            gate.faults += 1;
            gate.faults
        };
        if faults > MOST_FAULTS {
            return Trouble::Away(text);
        }
        let probe = Ask {
            what: "the users list",
            method: Method::GET,
            url: self.url(&["Users"], &[("startIndex", "1"), ("count", "1")]),
            body: None,
            doing: Doing::Read,
        };
        let once = Policy {
            attempts: 1,
            ..POLICY
        };
        match self.once(&probe, once).await {
            Err(Trouble::Fault(_) | Trouble::Away(_)) => Trouble::Away(text),
            _ => Trouble::Fault(text),
        }
    }

    async fn once(
        &self,
        ask: &Ask<'_>,
        policy: Policy,
    ) -> Result<Option<Map<String, Value>>, Trouble> {
        self.pace.wait(ask.doing).await;
        let mut request = Request::new(ask.method.clone(), ask.url.clone());
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/scim+json, application/json"),
        );
        if let Some(body) = ask.body {
            headers.insert(CONTENT_TYPE, self.content_type.clone());
            *request.body_mut() = Some(body.to_string().into());
        }
        let call = Call {
            what: ask.what,
            bucket: match ask.doing {
                Doing::Read => "reads",
                Doing::WriteUser => "users",
                Doing::WriteGroup => "groups",
            },
            policy,
            signer: Some(&self.token),
        };
        let shows = matches!(ask.method, Method::GET | Method::POST | Method::PUT);
        let read = |response: &Response| object_of(response, shows);
        let answer = self.http.execute(&request, call, read).await;
        answer.map_err(|error| match error {
            HttpError::Throttled { wait_seconds, .. }
                if policy.patience.is_zero() && wait_seconds <= POLICY.ceiling.as_secs() =>
            {
                Trouble::Later(error.to_string())
            }
            error => Trouble::of(error, &self.token.secret.key, &self.token.text()),
        })
    }
}

/// The object in an answer. Only where one is asked for must there be JSON: what PATCH and
/// DELETE answer is up to the provider. A page for people is no answer of it: something stands in
/// between, and nothing was done.
fn object_of(response: &Response, shows: bool) -> Result<Option<Map<String, Value>>, String> {
    if response.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    match serde_json::from_slice(&response.body) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) if shows => Err("it is JSON, but no object".to_owned()),
        // The text of the error may show what was sent.
        Err(error) if shows => Err(format!("it is no JSON at column {}", error.column())),
        Err(_) if response.body.trim_ascii_start().starts_with(b"<") => {
            Err("it is a page for people".to_owned())
        }
        _ => Ok(None),
    }
}

/// The bearer token. One that is refused is read again: it may have been changed in its place.
struct Token {
    secret: Secret,
    text: Mutex<String>,
}

impl Token {
    fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }
}

#[async_trait]
impl Signer for Token {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        if set_authorization(request, &format!("Bearer {}", self.text())) {
            return Ok(());
        }
        let key = &self.secret.key;
        Err(HttpError::Credential {
            text: format!("'{key}' cannot stand in a header: it holds a line break or the like"),
            passing: false,
        })
    }

    async fn refused(&self, request: &Request) -> bool {
        let Ok(fresh) = self.secret.read() else {
            return false;
        };
        let fresh = fresh.expose();
        let sent = request.headers().get(AUTHORIZATION);
        let same = sent.is_some_and(|sent| sent.as_bytes() == format!("Bearer {fresh}").as_bytes());
        if !same {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.clone_into(&mut text);
        }
        !same
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Token(#[from] SecretError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Knobs, ProfileWord};

    fn client(base: &str) -> Client {
        let options = Options {
            base_url: Url::parse(base).unwrap(),
            token: Secret::literal("targets.app.token", "t0ken"),
            timeout: Duration::from_secs(5),
            ca_pem: None,
        };
        let profile = Profile::of(ProfileWord::Generic, None, &Knobs::default());
        Client::open(options, &profile).unwrap()
    }

    #[test]
    fn the_base_keeps_its_path_and_its_query() {
        for base in ["https://x.test/scim/v2?aad", "https://x.test/scim/v2/?aad"] {
            let url = client(base).url(&["Users", "a/b"], &[("filter", r#"userName eq "a+b""#)]);
            assert_eq!(
                url.as_str(),
                "https://x.test/scim/v2/Users/a%2Fb?aad&filter=userName%20eq%20%22a%2Bb%22"
            );
        }
        let plain = client("https://x.test").url(&["Users"], &[]);
        assert_eq!(plain.as_str(), "https://x.test/Users");
    }

    #[tokio::test]
    async fn a_provider_that_is_away_is_asked_once_a_run() {
        // Nobody listens there.
        let client = client("http://127.0.0.1:1/scim");
        for _ in 0..3 {
            let answer = client.get("a user", client.url(&["Users", "1"], &[])).await;
            assert!(matches!(answer, Err(Trouble::Away(_))), "{answer:?}");
        }
        let after_one_run = client.http.requests();
        client.begin();
        let _ = client.get("a user", client.url(&["Users", "1"], &[])).await;
        assert_eq!(client.http.requests(), after_one_run * 2);
        assert!(after_one_run <= u64::from(POLICY.attempts));
    }
}
