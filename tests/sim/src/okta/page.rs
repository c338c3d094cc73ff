//! Limits, cursors and `Link` headers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error;
use crate::call::Call;
use crate::ids;
use crate::reply::Reply;

/// What an `after` cursor remembers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Cursor {
    /// Go on at a position.
    At(u32),
    /// Go on behind a moment and position, in order of change.
    Behind(u64, u32),
}

/// The `limit` of a page.
pub fn limit(call: &Call, default: usize, most: usize) -> Result<usize, Reply> {
    match call.option("limit") {
        None => Ok(default),
        Some(text) => match text.parse::<usize>() {
            Ok(0) => Ok(default),
            Ok(limit) => Ok(limit.min(most)),
            Err(_) => Err(error(400, "E0000001", "Api validation failed: limit")),
        },
    }
}

/// The cursor of a page, if it is not the first.
pub fn cursor(call: &Call) -> Result<Option<Cursor>, Reply> {
    match call.option("after") {
        None => Ok(None),
        Some(text) => ids::open(text)
            .map(Some)
            .ok_or_else(|| error(400, "E0000054", "The after cursor is not valid")),
    }
}

/// The position a page starts at.
pub fn position(call: &Call) -> Result<usize, Reply> {
    match cursor(call)? {
        None => Ok(0),
        Some(Cursor::At(at)) => Ok(at as usize),
        Some(Cursor::Behind(..)) => Err(error(400, "E0000054", "The after cursor is not valid")),
    }
}

/// A page: the ready items, and links as two header lines.
pub fn page(call: &Call, items: Vec<u8>, next: Option<Cursor>, shown_limit: usize) -> Reply {
    let next = next.map(|cursor| ids::seal(&cursor));
    linked(call, items, next, shown_limit)
}

/// The same with a ready cursor.
pub fn linked(call: &Call, items: Vec<u8>, next: Option<String>, shown_limit: usize) -> Reply {
    let mut out = Vec::with_capacity(items.len() + 2);
    out.push(b'[');
    out.extend_from_slice(&items);
    out.push(b']');
    let link = |after: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        query.append_pair("limit", &shown_limit.to_string());
        for (name, value) in &call.query {
            // `since` gives way to the cursor, which remembers more.
            let replaced =
                matches!(name.as_str(), "after" | "limit") || (name == "since" && after.is_some());
            if !replaced {
                query.append_pair(name, value);
            }
        }
        format!("{}{}?{}", call.base, call.path, query.finish())
    };
    let own = call.option("after");
    let mut reply = Reply::bytes(200, "application/json", Bytes::from(out))
        .with("link", format!("<{}>; rel=\"self\"", link(own)));
    if let Some(next) = next {
        reply = reply.with("link", format!("<{}>; rel=\"next\"", link(Some(&next))));
    }
    reply
}
