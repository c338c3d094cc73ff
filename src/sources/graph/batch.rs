//! `$batch`: twenty reads in one request. Each is answered on its own, and may be refused or
//! put off on its own.

use futures::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::GraphSource;
use super::client::BUCKET;
use crate::http::{HttpError, StatusError, backoff};

/// Graph refuses more in one batch.
const AT_ONCE: usize = 20;

/// Sendings of one batch whose answers have a fault in them, before it is an error. 429s are
/// not counted: the budget holds the next sending back as long as was asked.
const FAULTS: u32 = 6;

/// Sendings in all, so that a service that puts off for ever is an error too.
const SENDINGS: u32 = 100;

#[derive(Deserialize)]
struct Answers {
    responses: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

/// Reads paths, relative to the version, in as many batches as it takes, several at a time.
/// The answers come in the order of the paths; None where there is nothing (404).
pub async fn get(
    source: &GraphSource,
    what: &str,
    paths: &[String],
) -> Result<Vec<Option<Box<RawValue>>>, HttpError> {
    let batches: Vec<_> = paths
        .chunks(AT_ONCE)
        .map(|chunk| get_batch(source, what, chunk))
        .collect();
    let answers: Vec<Vec<Option<Box<RawValue>>>> = stream::iter(batches)
        .buffered(source.concurrency)
        .try_collect()
        .await?;
    Ok(answers.into_iter().flatten().collect())
}

async fn get_batch(
    source: &GraphSource,
    what: &str,
    paths: &[String],
) -> Result<Vec<Option<Box<RawValue>>>, HttpError> {
    let mut found: Vec<Option<Box<RawValue>>> = paths.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..paths.len()).collect();
    let mut faults = 0;
    for _ in 0..SENDINGS {
        let requests: Vec<_> = open
            .iter()
            .map(|at| json!({"id": at.to_string(), "method": "GET", "url": paths[*at]}))
            .collect();
        let handler = source.graph.sdk.batch(&json!({"requests": requests}));
        let answers = source
            .graph
            .send(what, handler, |answer| {
                serde_json::from_slice::<Answers>(&answer.body)
                    .map_err(|error| super::wire::not_json(&error))
            })
            .await?;
        let mut fault = None;
        for answer in answers.responses {
            // An id that was not asked about is nobody's answer.
            let Some(at) = answer.id.parse().ok().filter(|at| open.contains(at)) else {
                continue;
            };
            match answer.status {
                200..300 if answer.body.is_some() => {
                    found[at] = answer.body;
                    open.retain(|one| *one != at);
                }
                404 => open.retain(|one| *one != at),
                429 => {
                    let headers = headers(&answer.headers);
                    source
                        .graph
                        .http
                        .heed(BUCKET, StatusCode::TOO_MANY_REQUESTS, &headers);
                }
                200..300 | 408 | 500 | 502..=504 => fault = Some(refused(what, answer)),
                _ => return Err(refused(what, answer)),
            }
        }
        if open.is_empty() {
            return Ok(found);
        }
        if let Some(fault) = fault {
            faults += 1;
            if faults >= FAULTS {
                return Err(fault);
            }
            tokio::time::sleep(backoff(faults)).await;
        }
    }
    Err(HttpError::Throttled {
        what: what.into(),
        host: "Graph".into(),
        wait_seconds: 0,
    })
}

fn refused(what: &str, answer: Answer) -> HttpError {
    let body = answer.body.map(|body| body.get().to_owned());
    HttpError::Status(Box::new(StatusError {
        what: what.to_owned(),
        host: "Graph".into(),
        status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY),
        headers: headers(&answer.headers),
        body: body.unwrap_or_default().into(),
    }))
}

fn headers(map: &serde_json::Map<String, serde_json::Value>) -> HeaderMap {
    map.iter()
        .filter_map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some((name, HeaderValue::from_str(&text).ok()?))
        })
        .collect()
}
