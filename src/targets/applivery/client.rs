//! One way to ask Applivery: addresses, pages, and what a refusal means.
//!
//! Every answer has the same envelope: `status`, and `data` or an `error` with a code. The
//! token goes to the configured host and nowhere else. All of it is paced: the organization
//! has a budget of requests an hour.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::options::Options;
use crate::config::SecretText;
use crate::http::{
    Call, Http, HttpError, Pacing, Policy, Response, Signer, StatusError, set_authorization,
};

/// The largest page that the API hands out.
const PAGE: usize = 100;

/// More pages than any organization has people for: an end to a chain that does not end.
const MOST_PAGES: usize = 100_000;

/// How often a list is read again that changed while it was read.
const READINGS: usize = 3;

/// How often a request is tried. A target that is away costs this much a run, and no more.
const ATTEMPTS: u32 = 3;

/// A longer pause is left to the next run: other actions of the run may be waiting.
const PATIENCE: Duration = Duration::from_secs(60);

/// The codes of refusals that mean something to us.
pub mod code {
    pub const NOT_FOUND: i64 = 3001;
    pub const UNAUTHORISED: [i64; 2] = [4001, 4002];
    /// The plan of the organization is full.
    pub const LIMIT: i64 = 5017;
    pub const EXISTS: i64 = 5048;
    pub const HAS_DEVICES: i64 = 5054;
    pub const HAS_TOKENS: i64 = 5055;
    pub const NOT_IMPLEMENTED: i64 = 5138;
}

/// Why a call did not do what it was for.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// This one is refused; others may not be.
    Refused { code: Option<i64>, text: String },
    /// There is no such object, or no such organization.
    Gone(String),
    /// It may have been carried out, or not.
    Unsure(String),
    /// Nothing can be asked or told now.
    Away(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Refused { text, .. }
            | Failure::Gone(text)
            | Failure::Unsure(text)
            | Failure::Away(text) => f.write_str(text),
        }
    }
}

impl Failure {
    pub fn has_code(&self, wanted: i64) -> bool {
        matches!(self, Failure::Refused { code: Some(code), .. } if *code == wanted)
    }
}

pub struct Client {
    http: Http,
    base: Url,
    organization: String,
    bearer: Bearer,
    /// The settings key of the token, for errors.
    token_key: String,
}

struct Bearer(SecretText);

#[async_trait]
impl Signer for Bearer {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        match set_authorization(request, &format!("Bearer {}", self.0.expose())) {
            true => Ok(()),
            false => Err(HttpError::Credential {
                text: "the token has characters that no header can carry; copy it anew".to_owned(),
                passing: false,
            }),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    status: Option<bool>,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    error: Option<ApiError>,
}

#[derive(Default, Deserialize)]
struct ApiError {
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// Required: a page without it is no page.
    items: Vec<Value>,
    has_next_page: bool,
    #[serde(default)]
    total_docs: Option<usize>,
}

impl Client {
    pub fn open(options: &Options) -> Result<Client, HttpError> {
        let http = Http::open(crate::http::Options {
            concurrency: options.settings.concurrency,
            pacing: Pacing::Steady {
                per_second: options.settings.rate_per_hour as f64 / 3600.0,
                burst: options.settings.rate_burst as f64,
            },
            ..Default::default()
        })?;
        Ok(Client {
            http,
            base: options.settings.base_url.clone(),
            organization: options.settings.organization.clone(),
            bearer: Bearer(options.token.clone()),
            token_key: options.settings.token.key.clone(),
        })
    }

    /// Calls one object of the organization, or makes one; what the answer holds.
    pub async fn call(
        &self,
        method: Method,
        what: &str,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let url = self.url(path, &[]);
        self.send(method, what, url, body, Tries::Several).await
    }

    /// The same, sent once: for what must not be done twice.
    pub async fn once(&self, what: &str, path: &[&str], body: &Value) -> Result<Value, Failure> {
        let url = self.url(path, &[]);
        self.send(Method::POST, what, url, Some(body), Tries::One)
            .await
    }

    /// Reads a list to its end. One that changed while it was read is read again: half a
    /// picture must not pass for the whole.
    pub async fn list(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, Failure> {
        for _ in 0..READINGS {
            let (items, told) = self.read_list(what, path, query).await?;
            if told.is_none_or(|told| told == items.len()) {
                return Ok(items);
            }
        }
        Err(Failure::Away(format!(
            "{what} changed each time it was read; the next run tries again"
        )))
    }

    async fn read_list(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Vec<Value>, Option<usize>), Failure> {
        let mut all = Vec::new();
        for number in 1..=MOST_PAGES {
            let page = self.page(what, path, query, number, PAGE).await?;
            all.extend(page.items);
            if !page.has_next_page {
                return Ok((all, page.total_docs));
            }
        }
        Err(Failure::Away(format!("the pages of {what} do not end")))
    }

    /// Whether a list can be read at all: one item of it.
    pub async fn probe(&self, what: &str, path: &[&str]) -> Result<(), Failure> {
        self.page(what, path, &[], 1, 1).await.map(drop)
    }

    async fn page(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
        number: usize,
        limit: usize,
    ) -> Result<Page, Failure> {
        let (number, limit) = (number.to_string(), limit.to_string());
        let paging = [
            ("page", number.as_str()),
            ("limit", &limit),
            // What is made meanwhile comes at the end, where it is still met.
            ("sort", "createdAt:asc"),
        ];
        let url = self.url(path, &[query, &paging].concat());
        let data = self
            .send(Method::GET, what, url, None, Tries::Several)
            .await?;
        serde_json::from_value(data)
            .map_err(|error| Failure::Away(format!("{what} came as something else: {error}")))
    }

    /// The address of `/organizations/{organization}/…`, each segment escaped.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an https address has segments")
            .pop_if_empty()
            .extend(["organizations", &self.organization])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(
        &self,
        method: Method,
        what: &str,
        url: Url,
        body: Option<&Value>,
        tries: Tries,
    ) -> Result<Value, Failure> {
        let mut request = Request::new(method, url);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json.clone());
        if let Some(body) = body {
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.to_string().into());
        }
        let call = Call {
            what,
            bucket: "",
            policy: Policy {
                attempts: tries.attempts(),
                patience: PATIENCE,
                ceiling: PATIENCE,
                ..Policy::default()
            },
            signer: Some(&self.bearer),
        };
        let answer = self.http.execute(&request, call, envelope).await;
        match answer {
            Ok(Envelope {
                status: Some(false),
                error,
                ..
            }) => Err(self.refusal(what, StatusCode::OK, &error.unwrap_or_default())),
            Ok(envelope) => Ok(envelope.data),
            Err(error) => Err(self.failure(what, error, tries)),
        }
    }

    fn failure(&self, what: &str, error: HttpError, tries: Tries) -> Failure {
        // What was tried several times may be: doing it twice is harmless.
        let unsure = tries == Tries::One && error.worth_retrying();
        let Some(StatusError { status, body, .. }) = error.status() else {
            return match error {
                HttpError::Throttled { .. } | HttpError::Unreachable { .. } => {
                    Failure::Away(error.to_string())
                }
                _ if unsure => Failure::Unsure(error.to_string()),
                _ => Failure::Away(error.to_string()),
            };
        };
        let told = serde_json::from_slice::<Envelope>(body)
            .ok()
            .and_then(|envelope| envelope.error)
            .unwrap_or_default();
        match self.refusal(what, *status, &told) {
            Failure::Away(text) if unsure => Failure::Unsure(text),
            failure => failure,
        }
    }

    fn refusal(&self, what: &str, status: StatusCode, told: &ApiError) -> Failure {
        let number = told.code;
        let text = format!("{what}: Applivery answered {}", said(status, told));
        let unauthorised = number.is_some_and(|number| code::UNAUTHORISED.contains(&number))
            || matches!(status.as_u16(), 401 | 403);
        if unauthorised {
            return Failure::Away(format!(
                "{text}; look whether '{}' is valid and has the permission",
                self.token_key
            ));
        }
        if status == StatusCode::NOT_FOUND || number == Some(code::NOT_FOUND) {
            return Failure::Gone(text);
        }
        let never = number == Some(code::NOT_IMPLEMENTED) || status == StatusCode::NOT_IMPLEMENTED;
        if never || !status.is_server_error() {
            return Failure::Refused { code: number, text };
        }
        Failure::Away(text)
    }
}

/// Whether a request may be carried out more than once.
#[derive(Clone, Copy, PartialEq)]
enum Tries {
    One,
    Several,
}

impl Tries {
    fn attempts(self) -> u32 {
        match self {
            Tries::One => 1,
            Tries::Several => ATTEMPTS,
        }
    }
}

/// A 2xx without a body says yes, too.
fn envelope(response: &Response) -> Result<Envelope, String> {
    if response.body.is_empty() {
        return Ok(Envelope {
            status: Some(true),
            data: Value::Null,
            error: None,
        });
    }
    serde_json::from_slice(&response.body).map_err(|error| error.to_string())
}

/// `400 (code 5048: Already exists)`. What a service says is cut to a line.
fn said(status: StatusCode, told: &ApiError) -> String {
    const LONGEST: usize = 160;
    let message: String = told
        .message
        .as_deref()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    let status = status.as_u16();
    match (told.code, message.trim()) {
        (None, "") => status.to_string(),
        (None, message) => format!("{status} ({message})"),
        (Some(code), "") => format!("{status} (code {code})"),
        (Some(code), message) => format!("{status} (code {code}: {message})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_stays_one_short_line() {
        let told = ApiError {
            code: Some(5048),
            message: Some(format!("no\nway{}", "x".repeat(500))),
        };
        let text = said(StatusCode::BAD_REQUEST, &told);
        assert!(text.starts_with("400 (code 5048: no way"), "{text}");
        assert!(!text.contains('\n') && text.len() < 200, "{text}");
    }

    #[test]
    fn an_empty_answer_is_a_yes_and_a_page_of_html_is_none() {
        let answer = |body: &'static [u8]| {
            envelope(&Response {
                status: StatusCode::OK,
                headers: Default::default(),
                body: body.into(),
            })
        };
        assert!(answer(b"").is_ok());
        assert!(answer(br#"{"status":true,"data":{}}"#).is_ok());
        assert!(answer(b"<html>").is_err());
    }
}
