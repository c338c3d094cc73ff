//! `/directory/deletedItems`, `/directoryObjects/getByIds`, `/organization`.

use serde_json::json;

use super::denied::Denied;
use super::select::{self, Of, Shape};
use super::tenant::{Kind, Life, TENANT_DOMAIN, TENANT_ID, Tenant};
use super::{Outcome, groups, may, paging};
use crate::call::Call;
use crate::json as text;
use crate::reply::Reply;
use crate::settings::Settings;

/// What lies in the recycle bin, of one kind.
pub fn deleted(tenant: &Tenant, settings: &Settings, call: &Call, rest: &[&str]) -> Outcome {
    let of = match rest {
        ["microsoft.graph.user"] => Of::Users,
        ["microsoft.graph.group"] => Of::Groups,
        [] => return Err(Denied::bad_request("A type cast is required.")),
        [id] => return single_deleted(tenant, settings, call, id),
        _ => return Err(Denied::no_such_path(rest[0])),
    };
    let top = paging::top(call)?;
    let start = paging::start(call)?;
    let shape = Shape::read(of, call.option("$select"), None)?;
    let mut out = Vec::new();
    let mut shown = 0;
    let mut next = None;
    let count = match of {
        Of::Users => {
            may(settings, &["User.Read.All"])?;
            tenant.users.len()
        }
        Of::Groups => {
            may(settings, &["Group.Read.All"])?;
            tenant.groups.len()
        }
    };
    for at in start as usize..count {
        let life = match of {
            Of::Users => tenant.users[at].life,
            Of::Groups => tenant.groups[at].life,
        };
        if !matches!(life, Life::Binned(_)) {
            continue;
        }
        if shown == top {
            next = Some(at as u32);
            break;
        }
        text::comma(&mut out);
        match of {
            Of::Users => select::user(tenant, &tenant.users[at], &shape, &mut out),
            Of::Groups => groups::write(tenant, &tenant.groups[at], &shape, &mut out),
        }
        shown += 1;
    }
    let context = match of {
        Of::Users => "users",
        Of::Groups => "groups",
    };
    let link = next.map(|at| ("@odata.nextLink", paging::next_link(call, at)));
    Ok(paging::collection(call, context, None, link, &out))
}

fn single_deleted(tenant: &Tenant, settings: &Settings, call: &Call, id: &str) -> Outcome {
    may(settings, &["User.Read.All"])?;
    let user = tenant
        .find(id)
        .filter(|found| found.kind() == Kind::User)
        .map(|found| &tenant.users[found.position()])
        .filter(|user| matches!(user.life, Life::Binned(_)))
        .ok_or_else(|| Denied::not_found(id))?;
    let shape = Shape::read(Of::Users, call.option("$select"), None)?;
    Ok(super::users::object(
        call,
        "directoryObjects/$entity",
        |out| {
            select::user(tenant, user, &shape, out);
        },
    ))
}

/// The objects with the given ids, in any order; unknown ids are left out.
pub fn get_by_ids(tenant: &Tenant, call: &Call) -> Outcome {
    let body = call
        .json()
        .ok_or_else(|| Denied::bad_request("The body is not JSON."))?;
    let ids = body["ids"]
        .as_array()
        .ok_or_else(|| Denied::bad_request("'ids' must be a list."))?;
    if ids.len() > 1_000 {
        return Err(Denied::bad_request("Too many ids; at most 1000."));
    }
    let types: Option<Vec<&str>> = body["types"]
        .as_array()
        .map(|types| types.iter().filter_map(|one| one.as_str()).collect());
    let wanted = |kind: Kind| {
        let name = kind.odata().trim_start_matches("#microsoft.graph.");
        types
            .as_ref()
            .is_none_or(|types| types.contains(&name) || types.contains(&"directoryObject"))
    };
    let user_shape = Shape::read(Of::Users, call.option("$select"), None)?;
    let group_shape = Shape::read(Of::Groups, None, None)?;
    let mut out = Vec::new();
    for id in ids.iter().filter_map(|id| id.as_str()) {
        let Some(found) = tenant.find(id) else {
            continue;
        };
        if tenant.life_of(found) != Life::Present || !wanted(found.kind()) {
            continue;
        }
        let mut inner = Vec::new();
        match found.kind() {
            Kind::User => {
                select::user(
                    tenant,
                    &tenant.users[found.position()],
                    &user_shape,
                    &mut inner,
                );
            }
            Kind::Group => {
                groups::write(
                    tenant,
                    &tenant.groups[found.position()],
                    &group_shape,
                    &mut inner,
                );
            }
            Kind::Device | Kind::ServicePrincipal => {
                let name = tenant.name_of(found);
                text::value_into(&json!({"id": id, "displayName": name}), &mut inner);
            }
        }
        text::comma(&mut out);
        out.extend_from_slice(
            format!("{{\"@odata.type\":\"{}\",", found.kind().odata()).as_bytes(),
        );
        out.extend_from_slice(&inner[1..]);
    }
    Ok(paging::collection(
        call,
        "directoryObjects",
        None,
        None,
        &out,
    ))
}

/// The tenant itself.
pub fn organization(call: &Call) -> Reply {
    Reply::json(
        200,
        &json!({
            "@odata.context": format!("{}/v1.0/$metadata#organization", call.base),
            "value": [{
                "id": TENANT_ID,
                "displayName": "Contoso",
                "tenantType": "AAD",
                "countryLetterCode": "NO",
                "verifiedDomains": [
                    {"name": "contoso.com", "isDefault": true, "isInitial": false, "type": "Managed"},
                    {"name": TENANT_DOMAIN, "isDefault": false, "isInitial": true, "type": "Managed"},
                ],
            }],
        }),
    )
}
