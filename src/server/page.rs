//! Lists in pages: `{ "items": [...], "next": ... }`, where `next` is what to ask for next.

use std::io::Write;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::answers::AnswerError;

/// How many items a page has where nothing is said.
const USUAL: usize = 100;

/// The most items of a page.
const MOST: usize = 1000;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to give as `after` (of runs: as `before`) for the next page; null on the last.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `next` of the page before.
    after: Option<String>,
    /// The most items, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl Which {
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }

    /// `after`, where it holds more than a key.
    pub fn place<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        let Some(text) = &self.after else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        place.map(Some).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "'after' is not the 'next' of a page",
            )
        })
    }
}

/// How [`Which::place`] is spelled in `next`.
pub fn spelled<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

/// How many items are asked for.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("'limit' must be from 1 to {MOST}"),
        )),
    }
}

/// Writes a page of at most `limit` rows, each as it comes. `place` tells how the list goes on
/// after a row.
pub fn write<T: Serialize>(
    out: &mut dyn Write,
    rows: impl Iterator<Item = Result<T, AnswerError>>,
    limit: usize,
    place: impl Fn(&T) -> String,
) -> Result<(), Problem> {
    let mut next = None;
    let mut rows = rows.peekable();
    put(out, b"{\"items\":[")?;
    for number in 0..limit {
        let Some(row) = rows.next() else { break };
        let row = row?;
        put_row(out, number, &row)?;
        next = Some(place(&row));
    }
    let next = next.filter(|_| rows.peek().is_some());
    put_end(out, next)
}

/// Writes a page of all these rows, after which the list goes on at `next`.
pub fn write_whole<T: Serialize>(
    out: &mut dyn Write,
    rows: Vec<T>,
    next: Option<String>,
) -> Result<(), Problem> {
    put(out, b"{\"items\":[")?;
    for (number, row) in rows.iter().enumerate() {
        put_row(out, number, row)?;
    }
    put_end(out, next)
}

fn put_row<T: Serialize>(out: &mut dyn Write, number: usize, row: &T) -> Result<(), Problem> {
    put(out, if number == 0 { b"\n" } else { b",\n" })?;
    put(out, &serde_json::to_vec(row).expect("a row is plain data"))
}

fn put_end(out: &mut dyn Write, next: Option<String>) -> Result<(), Problem> {
    let next = serde_json::to_string(&next).expect("a text is plain data");
    put(out, format!("\n],\"next\":{next}}}\n").as_bytes())
}

fn put(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Problem> {
    // It fails only where nobody reads any more, and then nobody reads this either.
    out.write_all(bytes)
        .map_err(|cause| Problem::new(StatusCode::REQUEST_TIMEOUT, cause.to_string()))
}
