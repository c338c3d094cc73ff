//! What the endpoint says of itself (RFC 7644 §4).

use axum::http::StatusCode;
use serde_json::Value;

use super::reply::Reply;
use super::request::{BODY_BYTES, Call};
use crate::scim::schema::document::Provider;
use crate::scim::{Kind, ListResponse, ScimError, bulk, same};
use crate::sync::push::{DEFAULT_PAGE, Inbox, MAX_PAGE};

const PROVIDER: Provider = Provider {
    max_bulk_operations: bulk::MAX_OPERATIONS,
    max_bulk_bytes: BODY_BYTES,
    max_results: MAX_PAGE,
    default_page: DEFAULT_PAGE,
};

pub fn answer(inbox: &Inbox, call: &Call) -> Reply {
    // Filters have no meaning here, and the RFC says how that is told.
    if call.query.filter.is_some() {
        return ScimError::new(403, "what is served here cannot be filtered").into();
    }
    let base = inbox.base.as_str();
    let name = call.path.get(1).map(String::as_str);
    let all: Vec<Value> = match call.path.first().map(String::as_str) {
        Some("ServiceProviderConfig") => {
            return Reply::json(StatusCode::OK, &PROVIDER.document(base));
        }
        Some("Schemas") => inbox
            .types
            .schemas()
            .map(|schema| schema.document(base))
            .collect(),
        _ => {
            let kinds = Kind::ALL.into_iter().map(|kind| inbox.types.of(kind));
            kinds.map(|kind| kind.document(base)).collect()
        }
    };
    let Some(name) = name else {
        let list = ListResponse {
            total: all.len() as u64,
            resources: all,
            start: Some(1),
            next_cursor: None,
        };
        return Reply::json(StatusCode::OK, &list);
    };
    let is = |document: &&Value| document["id"].as_str().is_some_and(|id| same(id, name));
    match all.iter().find(is) {
        Some(document) => Reply::json(StatusCode::OK, document),
        None => ScimError::not_found("there is nothing of that name").into(),
    }
}
