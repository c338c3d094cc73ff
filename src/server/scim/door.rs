//! Who may come in: whoever has a token of this very source.
//!
//! Of tokens only hashes are known. They are compared in constant time, and all of them, so
//! that the time says nothing. After a number of wrong ones in a minute further wrong ones are
//! only told to wait; a right one always opens, so that nobody can lock the client out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use super::reply::Reply;
use crate::clock;
use crate::scim::ScimError;
use crate::server::Shared;
use crate::store::tokens::put_last_used;
use crate::sync::push::Inbox;

/// How many wrong tokens a source's door hears out in a [`WINDOW`].
const WRONG: u32 = 20;

const WINDOW: Duration = Duration::from_secs(60);

/// How exactly it is known when a token was last used: noting it costs a write.
const USED: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

/// The wrong tokens of the last while.
#[derive(Default)]
pub struct Wrong(Mutex<Option<(Instant, u32)>>);

impl Wrong {
    /// Counts one. How long to wait, if there were too many.
    fn count(&self) -> Option<Duration> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (began, count) = match *place {
            Some((began, count)) if now.duration_since(began) < WINDOW => (began, count + 1),
            _ => (now, 1),
        };
        *place = Some((began, count));
        (count > WRONG).then(|| WINDOW.saturating_sub(now.duration_since(began)))
    }
}

/// Lets a request in, or says why not. A source that is not there looks like one whose tokens
/// the client does not have.
pub fn pass(
    shared: &Shared,
    source: &str,
    inbox: Option<&Arc<Inbox>>,
    headers: &HeaderMap,
) -> Result<(), Reply> {
    let Some(token) = bearer(headers) else {
        return Err(unauthorized("send a token: 'Authorization: Bearer TOKEN'"));
    };
    let Some(inbox) = inbox else {
        return Err(no_such_source());
    };
    let hash = blake3::Hash::from_bytes(Sha256::digest(token.as_bytes()).into());
    let now = clock::now();
    let tokens = match inbox.tokens() {
        Ok(tokens) => tokens,
        Err(error) => {
            tracing::error!("the tokens of source {source} cannot be read: {error}");
            return Err(super::reply::ours());
        }
    };
    let mut opened = None;
    for row in &*tokens {
        // This hash type compares in constant time.
        if blake3::Hash::from_bytes(row.hash) == hash && !row.is_expired(now) {
            opened = Some(&row.id);
        }
    }
    let Some(id) = opened else {
        return Err(match shared.scim.wrong(source).count() {
            Some(wait) => {
                let text = "too many wrong tokens; wait before the next";
                Reply::from(ScimError::new(429, text)).retry_after(wait.as_secs() + 1)
            }
            None => unauthorized("this is no token of this source"),
        });
    };
    note_use(inbox, id, now);
    Ok(())
}

/// The answer where there is no such source.
pub fn no_such_source() -> Reply {
    unauthorized("this is no token of this source")
}

fn unauthorized(text: &str) -> Reply {
    Reply::from(ScimError::new(401, text)).ask_for_token()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then_some(token.trim())
}

/// Notes that a token is in use, now and then.
fn note_use(inbox: &Arc<Inbox>, id: &str, now: jiff::Timestamp) {
    let known = inbox.token_used(id);
    if known.is_some_and(|then| now.duration_since(then) < USED) {
        return;
    }
    inbox.set_token_used(id, now);
    let (inbox, id) = (inbox.clone(), id.to_owned());
    tokio::task::spawn_blocking(move || {
        let written = inbox
            .store
            .write(vec![put_last_used(&inbox.source, &id, now)]);
        if let Err(error) = written {
            tracing::warn!("the use of a token cannot be noted: {error}");
        }
    });
}
