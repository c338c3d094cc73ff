//! Which request is answered by what.

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use super::reply::{self, Reply};
use super::request::Call;
use super::{bulk, discovery, resources};
use crate::scim::{Kind, ScimError};
use crate::server::Shared;
use crate::sync::push::{Inbox, PushError};

/// What is behind a path.
enum Place {
    Discovery,
    All,
    SearchAll,
    Bulk,
    Me,
    Collection(Kind),
    Search(Kind),
    One(Kind, String),
    Nothing,
}

fn place(path: &[String]) -> Place {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let kind = |name: &str| match name {
        "Users" => Some(Kind::User),
        "Groups" => Some(Kind::Group),
        _ => None,
    };
    match parts[..] {
        [] => Place::All,
        [".search"] => Place::SearchAll,
        ["Bulk"] => Place::Bulk,
        ["Me", ..] => Place::Me,
        ["ServiceProviderConfig"] => Place::Discovery,
        ["Schemas" | "ResourceTypes"] | ["Schemas" | "ResourceTypes", _] => Place::Discovery,
        [name] => kind(name).map_or(Place::Nothing, Place::Collection),
        [name, ".search"] => kind(name).map_or(Place::Nothing, Place::Search),
        [name, id] => kind(name).map_or(Place::Nothing, |kind| Place::One(kind, id.to_owned())),
        _ => Place::Nothing,
    }
}

impl Place {
    /// The methods it has.
    fn methods(&self) -> &'static [Method] {
        match self {
            Place::Discovery | Place::All => &[Method::GET],
            Place::SearchAll | Place::Search(_) | Place::Bulk => &[Method::POST],
            Place::Collection(_) => &[Method::GET, Method::POST],
            Place::One(..) => &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
            Place::Me | Place::Nothing => &[],
        }
    }
}

/// Answers any request.
pub async fn answer(shared: &Shared, inbox: &Arc<Inbox>, call: Call) -> Reply {
    match place(&call.path) {
        Place::Bulk if call.method == Method::POST => bulk::answer(shared, inbox, call).await,
        place => single(shared, inbox, call, place).await,
    }
}

/// Answers one request of a bulk.
pub async fn one_of_many(shared: &Shared, inbox: &Arc<Inbox>, call: Call) -> Reply {
    match place(&call.path) {
        place @ (Place::Collection(_) | Place::One(..)) if call.method != Method::GET => {
            single(shared, inbox, call, place).await
        }
        _ => {
            ScimError::value("an operation of a bulk creates, changes or deletes a resource").into()
        }
    }
}

async fn single(shared: &Shared, inbox: &Arc<Inbox>, mut call: Call, place: Place) -> Reply {
    match &place {
        Place::Nothing => return ScimError::not_found("there is nothing here").into(),
        Place::Me => {
            let text = "a token is a client's and not a user's, so there is no /Me";
            return ScimError::new(501, text).into();
        }
        _ => {}
    }
    if call.method == Method::HEAD {
        call.method = Method::GET;
    }
    let methods = place.methods();
    if !methods.contains(&call.method) {
        let allow: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let text = "this method is not possible here; the Allow header says which are";
        return Reply::from(ScimError::new(405, text)).allow(&allow.join(", "));
    }
    let get = call.method == Method::GET;
    match place {
        Place::Discovery => discovery::answer(inbox, &call),
        Place::All | Place::SearchAll => resources::search(inbox, &Kind::ALL, call).await,
        Place::Search(kind) => resources::search(inbox, &[kind], call).await,
        Place::Collection(kind) if get => resources::search(inbox, &[kind], call).await,
        Place::Collection(kind) => resources::create(shared, inbox, kind, call).await,
        Place::One(kind, id) if get => resources::get(inbox, kind, id, call).await,
        Place::One(kind, id) => resources::change(shared, inbox, kind, id, call).await,
        Place::Bulk | Place::Me | Place::Nothing => Reply::empty(StatusCode::NOT_FOUND),
    }
}

/// Does what blocks, away from the threads that serve.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PushError> + Send + 'static,
) -> Result<T, Reply> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Reply::from),
        Err(cause) => {
            tracing::error!("a SCIM request broke off: {cause}");
            Err(reply::ours())
        }
    }
}
