//! Many requests in one (RFC 7644 §3.7), each carried out and answered like one of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::header::LOCATION;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::dispatch;
use super::reply::Reply;
use super::request::{Call, version};
use crate::scim::bulk::{BulkOperation, BulkRequest, order};
use crate::scim::schema::urn;
use crate::scim::{Query, ScimError};
use crate::server::Shared;
use crate::sync::push::{IfMatch, Inbox, tag};

pub async fn answer(shared: &Shared, inbox: &Arc<Inbox>, call: Call) -> Reply {
    let body = call
        .body
        .as_ref()
        .ok_or_else(|| ScimError::syntax("a bulk request has a body"));
    let request = match body.and_then(BulkRequest::read) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    let mut ids = BTreeMap::new();
    let mut outcomes: BTreeMap<usize, Value> = BTreeMap::new();
    let mut errors = 0;
    for at in order(&request.operations) {
        // What is left has no outcome: it was not tried.
        if request
            .fail_on_errors
            .is_some_and(|most| most > 0 && errors >= most)
        {
            break;
        }
        let mut operation = request.operations[at].clone();
        operation.resolve(&ids);
        let reply = match operation.references().is_empty() {
            true => dispatch::one_of_many(shared, inbox, call_of(&operation)).await,
            false => ScimError::value("a 'bulkId' is referred to that nothing made").into(),
        };
        errors += u64::from(reply.status() >= 400);
        let made = reply
            .header(&LOCATION)
            .and_then(|location| location.rsplit('/').next());
        if let (Some(bulk_id), Some(id)) = (&operation.bulk_id, made) {
            ids.insert(bulk_id.clone(), id.to_owned());
        }
        outcomes.insert(at, outcome(inbox, &operation, &reply));
    }
    // One flush for all of them.
    let own = inbox.clone();
    if let Err(reply) = dispatch::blocking(move || Ok(own.store.flush_together()?)).await {
        return reply;
    }
    let outcomes: Vec<Value> = outcomes.into_values().collect();
    let document = json!({ "schemas": [urn::BULK_RESPONSE], "Operations": outcomes });
    Reply::json(StatusCode::OK, &document)
}

fn call_of(operation: &BulkOperation) -> Call {
    Call {
        // A method of another name is none that is possible here.
        method: operation.method.parse().unwrap_or(Method::TRACE),
        path: operation
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        query: Query::default(),
        if_match: IfMatch(
            operation
                .version
                .as_deref()
                .map(|tag| version(tag).into_iter().collect()),
        ),
        if_none_match: None,
        body: operation.data.clone(),
        alone: false,
    }
}

fn outcome(inbox: &Inbox, operation: &BulkOperation, reply: &Reply) -> Value {
    let failed = reply.status() >= 400;
    let mut outcome = json!({
        "method": operation.method,
        "status": reply.status().to_string(),
    });
    if let Some(bulk_id) = &operation.bulk_id {
        outcome["bulkId"] = bulk_id.as_str().into();
    }
    let location = match reply.header(&LOCATION) {
        Some(location) => Some(location.to_owned()),
        None if operation.method != "POST" => Some(format!("{}{}", inbox.base, operation.path)),
        None => None,
    };
    if let Some(location) = location {
        outcome["location"] = location.into();
    }
    if failed {
        outcome["response"] = serde_json::from_slice(reply.body()).unwrap_or_default();
    } else if let Some(tag) = reply
        .header(&axum::http::header::ETAG)
        .and_then(version)
        .map(tag)
    {
        outcome["version"] = tag.into();
    }
    outcome
}
