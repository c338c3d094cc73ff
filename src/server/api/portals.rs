//! What an application reads of its portals: accounts and groups, as the local target has
//! them.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::portal_named;
use crate::answers::portal::{self, AccountOut, From, GroupPlace, PortalGroupOut};
use crate::directory::fold::fold;
use crate::server::Shared;
use crate::server::input::{Path, Query};
use crate::server::page::{self, Page, Which};
use crate::server::problem::{Document, Problem};
use crate::server::stream::{self, blocking};

/// A portal's accounts, by key.
#[utoipa::path(
    get, path = "/api/v1/portals/{portal}/accounts", tag = "portals",
    params(("portal" = String, Path, description = "The portal's name"), Which),
    responses(
        (status = 200, description = "A page of accounts", body = Page<AccountOut>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn accounts(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = which.limit()?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let portal = &portal_named(&sync, &name)?.name;
        let rows = portal::accounts(&sync.store, portal, From::Target, which.after())?;
        page::write(out, rows, limit, |account| account.key.clone())
    })
    .await)
}

/// One account.
#[utoipa::path(
    get, path = "/api/v1/portals/{portal}/accounts/{key}", tag = "portals",
    params(("portal" = String, Path, description = "The portal's name"),
        ("key" = String, Path, description = "The account's key, in capitals or small letters")),
    responses(
        (status = 200, description = "The account", body = AccountOut),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn account(
    State(shared): State<Shared>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Json<AccountOut>, Problem> {
    blocking(move || {
        let sync = shared.conductor.sync();
        let portal = &portal_named(&sync, &name)?.name;
        let found = portal::account(&sync.store, portal, &fold(&key))?;
        let missing = || Problem::not_there(format!("portal '{portal}' has no account '{key}'"));
        found.map(Json).ok_or_else(missing)
    })
    .await
}

/// A portal's groups with their members, by display name and id.
#[utoipa::path(
    get, path = "/api/v1/portals/{portal}/groups", tag = "portals",
    params(("portal" = String, Path, description = "The portal's name"), Which),
    responses(
        (status = 200, description = "A page of groups", body = Page<PortalGroupOut>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn groups(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = which.limit()?;
    let after: Option<GroupPlace> = which.place()?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let portal = &portal_named(&sync, &name)?.name;
        let found = portal::groups(&sync.store, portal, From::Target, after.as_ref(), limit)?;
        let (groups, next) = found;
        let next = next.as_ref().map(page::spelled);
        page::write_whole(out, groups, next)
    })
    .await)
}
