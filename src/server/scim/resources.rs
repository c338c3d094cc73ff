//! Users and groups: made, read, found, changed, deleted.
//!
//! What was written is durable before it is answered. A look-up by id or by an index is made
//! right away, without a thread of its own: it takes microseconds.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::dispatch::blocking;
use super::queue::Outcome;
use super::reply::Reply;
use super::request::Call;
use crate::clock;
use crate::scim::patch;
use crate::scim::{Kind, Object, Query, ScimError, Selection, accept};
use crate::server::Shared;
use crate::sync::push::{Inbox, PushError, Written};

/// Resources of these types, as a URL or a body asks for them.
pub async fn search(inbox: &Arc<Inbox>, kinds: &[Kind], call: Call) -> Reply {
    let query = match &call.body {
        Some(body) if call.method == Method::POST => Query::from_json(body),
        None if call.method == Method::POST => Err(ScimError::syntax("a search has a body")),
        _ => Ok(call.query),
    };
    let search = match query.and_then(|query| inbox.plan(kinds, &query)) {
        Ok(search) => search,
        Err(error) => return error.into(),
    };
    let found = match search.is_quick() {
        true => inbox.answer(search).map_err(Reply::from),
        false => {
            let inbox = inbox.clone();
            blocking(move || inbox.answer(search)).await
        }
    };
    match found {
        Ok(list) => Reply::json(StatusCode::OK, &list),
        Err(reply) => reply,
    }
}

pub async fn get(inbox: &Arc<Inbox>, kind: Kind, id: String, call: Call) -> Reply {
    let selection = Selection::new(&call.query, inbox.types.of(kind));
    let quick = kind == Kind::User || !selection.wants("members");
    let found = match quick {
        true => inbox.get(kind, &id, &selection).map_err(Reply::from),
        false => {
            let inbox = inbox.clone();
            blocking(move || inbox.get(kind, &id, &selection)).await
        }
    };
    let answer = match found {
        Ok(answer) => answer,
        Err(reply) => return reply,
    };
    let known = call
        .if_none_match
        .is_some_and(|known| known.allows(answer.version));
    match known {
        true => Reply::empty(StatusCode::NOT_MODIFIED),
        false => Reply::json(StatusCode::OK, &answer.resource),
    }
    .version(answer.version)
}

pub async fn create(shared: &Shared, inbox: &Arc<Inbox>, kind: Kind, call: Call) -> Reply {
    let of_kind = inbox.types.of(kind);
    let sent = body(&call).and_then(|body| accept::resource(body, of_kind));
    let mut resource = match sent {
        Ok(resource) => resource,
        Err(error) => return error.into(),
    };
    let selection = Selection::new(&call.query, of_kind);
    let how = How {
        status: StatusCode::CREATED,
        selection,
        alone: call.alone,
    };
    written(shared, inbox, kind, how, move |inbox| match kind {
        Kind::User => inbox.create_user(resource, clock::now()),
        Kind::Group => {
            let members = members(&mut resource)?;
            inbox.create_group(resource, members, clock::now())
        }
    })
    .await
}

/// PUT, PATCH and DELETE.
pub async fn change(
    shared: &Shared,
    inbox: &Arc<Inbox>,
    kind: Kind,
    id: String,
    call: Call,
) -> Reply {
    let of_kind = inbox.types.of(kind);
    let selection = Selection::new(&call.query, of_kind);
    let if_match = call.if_match.clone();
    if call.method == Method::DELETE {
        return deleted(shared, inbox, kind, id, call).await;
    }
    if call.method == Method::PUT {
        let sent = body(&call).and_then(|body| accept::resource(body, of_kind));
        let mut resource = match sent {
            Ok(resource) => resource,
            Err(error) => return error.into(),
        };
        let how = How {
            status: StatusCode::OK,
            selection,
            alone: call.alone,
        };
        return written(shared, inbox, kind, how, move |inbox| match kind {
            Kind::User => inbox.replace_user(&id, resource, &if_match, clock::now()),
            Kind::Group => {
                let members = members(&mut resource)?;
                inbox.replace_group(&id, resource, members, &if_match, clock::now())
            }
        })
        .await;
    }
    let operations = match body(&call).and_then(patch::read) {
        Ok(operations) => operations,
        Err(error) => return error.into(),
    };
    // A group is answered without its members being read, unless the client asks for some of
    // it (RFC 7644 §3.5.2 allows either).
    let status = match kind == Kind::Group && !selection.is_asked() {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::OK,
    };
    let how = How {
        status,
        selection,
        alone: call.alone,
    };
    written(shared, inbox, kind, how, move |inbox| match kind {
        Kind::User => inbox.patch_user(&id, &operations, &if_match, clock::now()),
        Kind::Group => inbox.patch_group(&id, &operations, &if_match, clock::now()),
    })
    .await
}

async fn deleted(shared: &Shared, inbox: &Arc<Inbox>, kind: Kind, id: String, call: Call) -> Reply {
    let own = inbox.clone();
    let done = shared.scim.queue.write(&inbox.store, move || {
        match kind {
            Kind::User => own.delete_user(&id, &call.if_match, clock::now())?,
            Kind::Group => own.delete_group(&id, &call.if_match, clock::now())?,
        }
        Ok(Outcome {
            value: (),
            durable: call.alone,
        })
    });
    if let Err(reply) = done.await {
        return reply;
    }
    shared.ring(&inbox.source);
    Reply::empty(StatusCode::NO_CONTENT)
}

/// How a write is answered.
struct How {
    status: StatusCode,
    selection: Selection,
    alone: bool,
}

/// Writes, waits until it is durable, has a run follow, and answers.
async fn written(
    shared: &Shared,
    inbox: &Arc<Inbox>,
    kind: Kind,
    how: How,
    write: impl FnOnce(&Inbox) -> Result<Written, PushError> + Send + 'static,
) -> Reply {
    let How {
        status,
        selection,
        alone,
    } = how;
    let own = inbox.clone();
    let done = shared.scim.queue.write(&inbox.store, move || {
        let written = write(&own)?;
        let shown = match status {
            StatusCode::NO_CONTENT => None,
            _ => Some(own.shown(kind, &written.id, &written.row, &selection)?),
        };
        Ok(Outcome {
            durable: written.changed && alone,
            value: (written, shown),
        })
    });
    let (written, shown) = match done.await {
        Ok(done) => done,
        Err(reply) => return reply,
    };
    if written.changed {
        shared.ring(&inbox.source);
    }
    let Some(shown) = shown else {
        return Reply::empty(status).version(written.row.version);
    };
    let reply = Reply::json(status, &shown.resource).version(shown.version);
    match status {
        StatusCode::CREATED => {
            let endpoint = kind.endpoint();
            reply.location(&format!("{}{endpoint}/{}", inbox.base, written.id))
        }
        _ => reply,
    }
}

fn body(call: &Call) -> Result<&Value, ScimError> {
    call.body
        .as_ref()
        .ok_or_else(|| ScimError::syntax("the request has no body"))
}

/// Takes the members out of a group: they are kept beside it.
fn members(group: &mut Object) -> Result<Vec<String>, ScimError> {
    match group.remove("members") {
        Some(members) => patch::member_ids(&members),
        None => Ok(Vec::new()),
    }
}
