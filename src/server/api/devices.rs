//! The devices and policies of an MDM portal, which the application keeps.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::portal_named;
use crate::answers::devices::{
    Before, Change, Changed, DeviceChange, DeviceOut, Mdm, Noting, PolicyOut,
};
use crate::answers::named_policy;
use crate::clock;
use crate::server::Shared;
use crate::server::input::{Json, Path, Query};
use crate::server::page::{self, Page, Which};
use crate::server::problem::{Document, Problem};
use crate::server::stream::{self, blocking};
use crate::store::Way;
use crate::sync::Sync;

/// A device as it is to be. What is left out or null is not so.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceIn {
    /// The device's id where none is given.
    name: Option<String>,
    /// The key of the account it is assigned to.
    assigned_to: Option<String>,
    policy: Option<String>,
}

/// A policy as it is to be: it has a name and nothing else.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyIn {}

fn mdm<'a>(sync: &'a Sync, portal: &str) -> Result<Mdm<'a>, Problem> {
    let portal = portal_named(sync, portal)?;
    let named = named_policy(portal);
    Ok(Mdm::new(&sync.store, &portal.name, portal.kind, named)?)
}

/// A portal's devices, by id.
#[utoipa::path(
    get, path = "/api/v1/portals/{portal}/devices", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"), Which),
    responses(
        (status = 200, description = "A page of devices", body = Page<DeviceOut>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(shared): State<Shared>,
    Path(portal): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = which.limit()?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let mdm = mdm(&sync, &portal)?;
        page::write(out, mdm.devices(which.after()), limit, |device| {
            device.id.clone()
        })
    })
    .await)
}

/// Makes a device, or puts this one in its place.
#[utoipa::path(
    put, path = "/api/v1/portals/{portal}/devices/{id}", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"),
        ("id" = String, Path, description = "The device's id")),
    request_body = DeviceIn,
    responses(
        (status = 200, description = "It was there before", body = DeviceOut),
        (status = 201, description = "It is new", body = DeviceOut),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn set(
    State(shared): State<Shared>,
    Path((portal, id)): Path<(String, String)>,
    Json(device): Json<DeviceIn>,
) -> Result<Response, Problem> {
    let change = DeviceChange {
        name: Some(device.name.unwrap_or_else(|| id.clone())),
        assigned_to: Some(device.assigned_to.unwrap_or_default()),
        policy: Some(device.policy.unwrap_or_default()),
    };
    change_in(shared, portal, Change::SetDevice { id, change }).await
}

/// Removes a device.
#[utoipa::path(
    delete, path = "/api/v1/portals/{portal}/devices/{id}", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"),
        ("id" = String, Path, description = "The device's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn remove(
    State(shared): State<Shared>,
    Path((portal, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    change_in(shared, portal, Change::RemoveDevice { id }).await
}

/// A portal's policies, by name.
#[utoipa::path(
    get, path = "/api/v1/portals/{portal}/policies", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"), Which),
    responses(
        (status = 200, description = "A page of policies", body = Page<PolicyOut>),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn policies(
    State(shared): State<Shared>,
    Path(portal): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let limit = which.limit()?;
    Ok(stream::json(move |out| {
        let sync = shared.conductor.sync();
        let policies = mdm(&sync, &portal)?.policies()?.into_iter();
        let rows = policies.filter(|policy| {
            let after = which.after();
            after.is_none_or(|after| policy.name.as_str() > after)
        });
        page::write(out, rows.map(Ok), limit, |policy| policy.name.clone())
    })
    .await)
}

/// Makes a policy. One that is there stays.
#[utoipa::path(
    put, path = "/api/v1/portals/{portal}/policies/{name}", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"),
        ("name" = String, Path, description = "The policy's name")),
    request_body = PolicyIn,
    responses(
        (status = 200, description = "It was there before", body = PolicyOut),
        (status = 201, description = "It is new", body = PolicyOut),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn set_policy(
    State(shared): State<Shared>,
    Path((portal, name)): Path<(String, String)>,
    Json(PolicyIn {}): Json<PolicyIn>,
) -> Result<Response, Problem> {
    change_in(shared, portal, Change::SetPolicy { name }).await
}

/// Removes a policy that no device is under and the settings do not name.
#[utoipa::path(
    delete, path = "/api/v1/portals/{portal}/policies/{name}", tag = "devices",
    params(("portal" = String, Path, description = "An MDM portal's name"),
        ("name" = String, Path, description = "The policy's name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "What is wrong", body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn remove_policy(
    State(shared): State<Shared>,
    Path((portal, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    change_in(shared, portal, Change::RemovePolicy { name }).await
}

async fn change_in(shared: Shared, portal: String, change: Change) -> Result<Response, Problem> {
    let changed = blocking(move || {
        let sync = shared.conductor.sync();
        let noting = Noting {
            log: &sync.audit,
            by: Way::Api,
            at: clock::now(),
        };
        Ok(mdm(&sync, &portal)?.change(change, &noting)?)
    });
    Ok(match changed.await? {
        Changed::Device(device, before) => made(device, before),
        Changed::Policy(policy, before) => made(policy, before),
        Changed::Removed => StatusCode::NO_CONTENT.into_response(),
    })
}

fn made<T: Serialize>(made: T, before: Before) -> Response {
    let status = match before {
        Before::There => StatusCode::OK,
        Before::New => StatusCode::CREATED,
    };
    (status, Answer(made)).into_response()
}
