//! The SCIM 2.0 endpoint: `/scim/{source}/v2/…`, for clients that push.
//!
//! `door` says who may come in, `request` reads what is asked, `dispatch` knows the routes and
//! has them answered, by `resources`, `discovery` and `bulk`; what they write goes through the
//! `queue`, and `bell` has a run follow it. Every answer goes out by `reply`, so that whatever
//! goes wrong is a SCIM error. What the words mean is in [`crate::scim`], what they change in
//! [`crate::sync::push`].

mod bell;
mod bulk;
mod discovery;
mod dispatch;
mod door;
mod queue;
mod reply;
mod request;
mod resources;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use tower_http::catch_panic::CatchPanicLayer;

use super::Shared;
use crate::clock;
use crate::scim::inspect::{Exchange, Inspector};
use crate::sync::push::Inbox;
use door::Wrong;
use reply::Reply;

pub use bell::ring_for_what_is_owed;

/// What the endpoint remembers beside the store.
#[derive(Default)]
pub struct Desk {
    pub inspector: Inspector,
    bell: bell::Bell,
    queue: Arc<queue::WriteQueue>,
    /// Tokens that were wrong lately, by source.
    wrong: Mutex<BTreeMap<String, Arc<Wrong>>>,
}

impl Desk {
    pub fn new(inspector: Inspector) -> Desk {
        Desk {
            inspector,
            ..Desk::default()
        }
    }

    fn wrong(&self, source: &str) -> Arc<Wrong> {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(source) {
            Some(wrong) => wrong.clone(),
            None => all.entry(source.to_owned()).or_default().clone(),
        }
    }
}

/// The routes. All paths below a source are one route: what is not there is a SCIM error too.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/scim/{source}/v2", any(serve))
        .route("/scim/{source}/v2/", any(serve))
        .route("/scim/{source}/v2/{*rest}", any(serve))
        .layer(CatchPanicLayer::custom(reply::panicked))
}

async fn serve(
    State(shared): State<Shared>,
    Path(path): Path<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let source = path.get("source").map_or("", String::as_str);
    let rest = path.get("rest").map_or("", String::as_str);
    let sync = shared.conductor.sync();
    let inbox = sync.inboxes.get(source);
    let method = request.method().clone();
    let passed = door::pass(&shared, source, inbox, request.headers());
    let Some(inbox) = inbox.cloned() else {
        return door::no_such_source().into_response(&method);
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let mut exchange = Exchange {
        at: clock::now(),
        took_ms: 0,
        method: method.to_string(),
        target: match query.is_empty() {
            true => format!("/{rest}"),
            false => format!("/{rest}?{query}"),
        },
        agent: agent.unwrap_or_default().to_owned(),
        status: 0,
        request: Bytes::new(),
        answer: Bytes::new(),
    };
    let reply = match passed {
        Ok(()) => {
            let (reply, sent) = answered(&shared, &inbox, rest, &query, request).await;
            exchange.request = sent;
            reply
        }
        // Who is only told to wait is not worth a note: it would push the others out.
        Err(refused) if refused.status() == 429 => return refused.into_response(&method),
        Err(refused) => refused,
    };
    exchange.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    exchange.status = reply.status();
    exchange.answer = reply.body().clone();
    let keep = inbox.log.requests;
    shared.scim.inspector.note(&inbox.source, keep, exchange);
    reply.into_response(&method)
}

/// The answer, and the body that was sent.
async fn answered(
    shared: &Shared,
    inbox: &Arc<Inbox>,
    rest: &str,
    query: &str,
    request: Request,
) -> (Reply, Bytes) {
    let (call, sent) = match request::read(rest, query, request).await {
        Ok(read) => read,
        Err(error) => return (error.into(), Bytes::new()),
    };
    let reply = match call {
        Ok(call) => dispatch::answer(shared, inbox, call).await,
        Err(error) => error.into(),
    };
    (reply, sent)
}
