//! `/groups/{id}/members`, `/transitiveMembers`, `/users/{id}/memberOf`.

use std::collections::HashSet;

use super::denied::Denied;
use super::select::{self, Of, Shape};
use super::tenant::{GroupKind, Kind, Life, Ref, Tenant};
use super::{Outcome, fields, group_fields, groups, paging, users};
use crate::call::Call;
use crate::json;
use crate::settings::Settings;

/// Direct members, by page.
pub fn direct(
    tenant: &Tenant,
    settings: &Settings,
    call: &Call,
    id: &str,
    cast: &[&str],
) -> Outcome {
    let group = groups::find(tenant, id)?;
    let record = &tenant.groups[group as usize];
    let hidden = record.kind == GroupKind::Hidden
        && !settings.graph_permissions.contains("Member.Read.Hidden");
    let slots: &[Ref] = if hidden { &[] } else { &record.slots };
    page(tenant, settings, call, slots, cast)
}

/// Direct and nested members, each once, the intermediate groups among them.
pub fn transitive(
    tenant: &Tenant,
    settings: &Settings,
    call: &Call,
    id: &str,
    cast: &[&str],
) -> Outcome {
    let group = groups::find(tenant, id)?;
    let mut seen: HashSet<Ref> = HashSet::new();
    let mut found = Vec::new();
    let mut open = vec![group];
    let mut entered: HashSet<u32> = HashSet::from([group]);
    while let Some(group) = open.pop() {
        for member in tenant.groups[group as usize].members() {
            if seen.insert(member) {
                found.push(member);
            }
            if member.kind() == Kind::Group && tenant.life_of(member) == Life::Present {
                let inner = member.position() as u32;
                if entered.insert(inner) {
                    open.push(inner);
                }
            }
        }
    }
    page(tenant, settings, call, &found, cast)
}

fn page(
    tenant: &Tenant,
    settings: &Settings,
    call: &Call,
    members: &[Ref],
    cast: &[&str],
) -> Outcome {
    let only = match cast {
        [] => None,
        [kind] => Some(match *kind {
            "microsoft.graph.user" => Kind::User,
            "microsoft.graph.group" => Kind::Group,
            "microsoft.graph.device" => Kind::Device,
            "microsoft.graph.servicePrincipal" => Kind::ServicePrincipal,
            other => return Err(Denied::no_such_path(other)),
        }),
        [_, "$count"] => {
            let count = members
                .iter()
                .filter(|&&member| is_listed(tenant, member))
                .count();
            return paging::number(call, count);
        }
        _ => return Err(Denied::no_such_path(cast[1])),
    };
    let top = paging::top(call)?;
    let start = paging::start(call)?;
    let select = call.option("$select");
    // Members are of several types: a property only one of them has is simply missing elsewhere.
    let wanted: Option<Vec<&str>> = select.map(|text| text.split(',').map(str::trim).collect());
    let user_shape = shape(Of::Users, wanted.as_deref())?;
    let group_shape = shape(Of::Groups, wanted.as_deref())?;
    let mut out = Vec::new();
    let mut shown = 0;
    let mut next = None;
    for (at, &member) in members.iter().enumerate().skip(start as usize) {
        if !is_listed(tenant, member) || only.is_some_and(|kind| kind != member.kind()) {
            continue;
        }
        if shown == top {
            next = Some(at as u32);
            break;
        }
        json::comma(&mut out);
        write_member(
            tenant,
            settings,
            member,
            &user_shape,
            &group_shape,
            &mut out,
        );
        shown += 1;
    }
    let link = next.map(|at| ("@odata.nextLink", paging::next_link(call, at)));
    let context = match only {
        Some(Kind::User) => "users",
        Some(Kind::Group) => "groups",
        _ => "directoryObjects",
    };
    Ok(paging::collection(call, context, None, link, &out))
}

fn shape(of: Of, wanted: Option<&[&str]>) -> Result<Shape, Denied> {
    let known = |name: &&&str| match of {
        Of::Users => fields::is_known(name),
        Of::Groups => group_fields::is_known(name),
    };
    let select = wanted.map(|names| {
        let mut kept: Vec<&str> = names.iter().filter(known).copied().collect();
        kept.push("id");
        kept.join(",")
    });
    Shape::read(of, select.as_deref(), None)
}

fn is_listed(tenant: &Tenant, member: Ref) -> bool {
    member != Ref::HOLE && tenant.life_of(member) == Life::Present
}

/// A member of a type the application may not read comes with its type and id; the rest is null.
fn write_member(
    tenant: &Tenant,
    settings: &Settings,
    member: Ref,
    user_shape: &Shape,
    group_shape: &Shape,
    out: &mut Vec<u8>,
) {
    let permission = |name: &str| {
        settings.graph_permissions.contains(name)
            || settings.graph_permissions.contains("Directory.Read.All")
    };
    select::open_reference(tenant, member, out);
    let position = member.position();
    match member.kind() {
        Kind::User => {
            let user = &tenant.users[position];
            let person = tenant.person(user);
            let readable = permission("User.Read.All");
            for name in user_shape.names.iter().filter(|name| *name != "id") {
                json::name(name, out);
                if readable {
                    tenant.user_value(user, person.as_ref(), name).write(out);
                } else {
                    out.extend_from_slice(b"null");
                }
            }
        }
        Kind::Group => {
            for name in group_shape.names.iter().filter(|name| *name != "id") {
                json::name(name, out);
                tenant
                    .group_value(&tenant.groups[position], name)
                    .write(out);
            }
        }
        Kind::Device | Kind::ServicePrincipal => {
            // Device.Read.All is not among the permissions of a directory sync.
            if user_shape.names.iter().any(|name| name == "displayName") {
                json::name("displayName", out);
                let readable =
                    member.kind() == Kind::ServicePrincipal && permission("Application.Read.All");
                if readable {
                    json::string(&tenant.name_of(member), out);
                } else {
                    out.extend_from_slice(b"null");
                }
            }
        }
    }
    out.push(b'}');
}

/// The groups a user is a direct member of.
pub fn of_user(tenant: &Tenant, call: &Call, id: &str) -> Outcome {
    let user = users::find(tenant, id)?;
    let wanted = tenant.find(&user.id.to_string()).unwrap_or(Ref::HOLE);
    let shape = Shape::read(Of::Groups, call.option("$select"), None)?;
    let mut out = Vec::new();
    for group in &tenant.groups {
        if group.life == Life::Present && group.slots.contains(&wanted) {
            json::comma(&mut out);
            let mut inner = Vec::new();
            groups::write(tenant, group, &shape, &mut inner);
            out.extend_from_slice(br##"{"@odata.type":"#microsoft.graph.group","##);
            out.extend_from_slice(&inner[1..]);
        }
    }
    Ok(paging::collection(
        call,
        "directoryObjects",
        None,
        None,
        &out,
    ))
}
