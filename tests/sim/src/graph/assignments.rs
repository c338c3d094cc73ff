//! `/servicePrincipals…` and who is assigned to the enterprise application.

use serde_json::json;

use super::denied::Denied;
use super::tenant::{APP_ID, APP_OBJECT, APP_ROLE, Kind, Life, Tenant};
use super::{Outcome, paging};
use crate::call::Call;
use crate::clock;
use crate::ids::Guid;
use crate::json as text;
use crate::reply::Reply;

/// Answers any request under `servicePrincipals`.
pub fn answer(tenant: &Tenant, call: &Call, first: &str, rest: &[&str]) -> Outcome {
    let (key, rest): (Option<&str>, &[&str]) = match first.strip_prefix("servicePrincipals") {
        Some("") => match rest {
            [] => (None, rest),
            [id, rest @ ..] => (Some(*id), rest),
        },
        Some(alternate) => {
            let app = alternate
                .strip_prefix("(appId='")
                .and_then(|tail| tail.strip_suffix("')"))
                .ok_or_else(|| Denied::no_such_path(first))?;
            if !app.eq_ignore_ascii_case(APP_ID) {
                return Err(Denied::not_found(app));
            }
            (Some(""), rest)
        }
        None => return Err(Denied::no_such_path(first)),
    };
    let Some(id) = key else {
        return list(call);
    };
    if !id.is_empty() && Guid::parse(id) != Some(APP_OBJECT) {
        return Err(Denied::not_found(id));
    }
    match rest {
        [] => {
            let mut app = application();
            app["@odata.context"] =
                format!("{}/v1.0/$metadata#servicePrincipals/$entity", call.base).into();
            Ok(Reply::json(200, &app))
        }
        ["appRoleAssignedTo"] => assigned(tenant, call),
        _ => Err(Denied::no_such_path(rest[0])),
    }
}

fn application() -> serde_json::Value {
    json!({
        "id": APP_OBJECT.to_string(),
        "appId": APP_ID,
        "displayName": "rosterd",
        "accountEnabled": true,
        "appRoleAssignmentRequired": true,
        "servicePrincipalType": "Application",
        "appRoles": [{
            "id": APP_ROLE.to_string(),
            "value": "Portal.Manage",
            "displayName": "Manager",
            "description": "Manages the portal",
            "isEnabled": true,
            "allowedMemberTypes": ["User"],
        }],
    })
}

fn list(call: &Call) -> Outcome {
    let fits = match paging::filter(call)? {
        None => true,
        Some(expr) => expr.holds(crate::expr::Case::Ignored, &|field| match field {
            "appId" => crate::expr::Answer::Text(APP_ID.into()),
            "displayName" => crate::expr::Answer::Text("rosterd".into()),
            "id" => crate::expr::Answer::Text(APP_OBJECT.to_string().into()),
            _ => crate::expr::Answer::Missing,
        }),
    };
    let items = if fits {
        application().to_string()
    } else {
        String::new()
    };
    Ok(paging::collection(
        call,
        "servicePrincipals",
        None,
        None,
        items.as_bytes(),
    ))
}

fn assigned(tenant: &Tenant, call: &Call) -> Outcome {
    let top = paging::top(call)? as usize;
    let start = paging::start(call)? as usize;
    let mut out = Vec::new();
    let here = tenant.assignments.iter().skip(start).take(top);
    for one in here {
        if tenant.life_of(one.principal) != Life::Present {
            continue;
        }
        let kind = match one.principal.kind() {
            Kind::User => "User",
            Kind::Group => "Group",
            Kind::Device | Kind::ServicePrincipal => "ServicePrincipal",
        };
        text::comma(&mut out);
        let item = json!({
            "id": one.id,
            "deletedDateTime": null,
            "appRoleId": one.role.to_string(),
            "createdDateTime": clock::iso(one.created),
            "principalDisplayName": tenant.name_of(one.principal),
            "principalId": tenant.id_of(one.principal).to_string(),
            "principalType": kind,
            "resourceDisplayName": "rosterd",
            "resourceId": APP_OBJECT.to_string(),
        });
        text::value_into(&item, &mut out);
    }
    let end = start + top;
    let link = (end < tenant.assignments.len())
        .then(|| ("@odata.nextLink", paging::next_link(call, end as u32)));
    let context = format!("servicePrincipals('{APP_OBJECT}')/appRoleAssignedTo");
    Ok(paging::collection(call, &context, None, link, &out))
}
