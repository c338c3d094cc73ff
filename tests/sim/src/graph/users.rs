//! `/users`, `/users/{id}`, `/users/{id}/manager`, `/users/$count`.

use bytes::Bytes;

use super::denied::Denied;
use super::paging::{self, JSON};
use super::select::{self, Of, Shape};
use super::tenant::{Life, Tenant, User};
use super::{Outcome, fields};
use crate::call::Call;
use crate::expr::{Answer, Case, Expr};
use crate::json::{self, Val};
use crate::reply::Reply;
use crate::world::World;

/// A page of users.
///
/// A page without a filter covers a fixed run of positions, so it may hold fewer users than
/// asked for, which clients must bear, and one change spoils one cached page.
pub fn list(world: &World, tenant: &Tenant, call: &Call) -> Outcome {
    let shape = Shape::read(Of::Users, call.option("$select"), call.option("$expand"))?;
    let top = paging::top(call)?;
    let start = paging::start(call)?;
    let context = context(&shape);
    let total = paging::is_advanced(call).then(|| present(tenant));
    if let Some(expr) = paging::filter(call)? {
        return filtered(tenant, call, &shape, &expr, start, top);
    }
    let view = format!("list|{top}|{}", shape.key());
    let end = start.saturating_add(top);
    let (_, items) = world.graph.user_pages.get(&view, start, || {
        let mut out = Vec::new();
        for user in tenant.users.iter().skip(start as usize).take(top as usize) {
            if user.life == Life::Present {
                json::comma(&mut out);
                select::user(tenant, user, &shape, &mut out);
            }
        }
        (end, out)
    });
    let more = (end as usize) < tenant.users.len();
    let link = more.then(|| ("@odata.nextLink", paging::next_link(call, end)));
    Ok(paging::collection(call, &context, total, link, &items))
}

fn context(shape: &Shape) -> String {
    if shape.selected {
        format!("users({})", shape.names.join(","))
    } else {
        "users".to_owned()
    }
}

fn present(tenant: &Tenant) -> usize {
    tenant
        .users
        .iter()
        .filter(|user| user.life == Life::Present)
        .count()
}

fn filtered(
    tenant: &Tenant,
    call: &Call,
    shape: &Shape,
    expr: &Expr,
    start: u32,
    top: u32,
) -> Outcome {
    for test in expr.tests() {
        if !fields::is_known(&test.field) {
            return Err(Denied::unknown_property(&test.field, Of::Users));
        }
    }
    let mut out = Vec::new();
    let mut shown = 0;
    let mut next = None;
    // A choice of ids is looked up; anything else is a walk.
    let candidates: Box<dyn Iterator<Item = u32>> = match expr.only_ids() {
        Some(ids) => {
            let mut found: Vec<u32> = ids.iter().filter_map(|id| tenant.find_user(id)).collect();
            found.sort_unstable();
            found.dedup();
            Box::new(found.into_iter().filter(move |&at| at >= start))
        }
        None => Box::new(start..tenant.users.len() as u32),
    };
    for at in candidates {
        let user = &tenant.users[at as usize];
        if user.life != Life::Present || !matches(tenant, user, expr) {
            continue;
        }
        if shown == top {
            next = Some(at);
            break;
        }
        json::comma(&mut out);
        select::user(tenant, user, shape, &mut out);
        shown += 1;
    }
    let link = next.map(|at| ("@odata.nextLink", paging::next_link(call, at)));
    let count = paging::is_advanced(call).then(|| {
        let fits = |user: &&User| user.life == Life::Present && matches(tenant, user, expr);
        tenant.users.iter().filter(fits).count()
    });
    Ok(paging::collection(call, &context(shape), count, link, &out))
}

fn matches(tenant: &Tenant, user: &User, expr: &Expr) -> bool {
    let person = tenant.person(user);
    expr.holds(Case::Ignored, &|field| {
        answer(tenant.user_value(user, person.as_ref(), field))
    })
}

/// A property value as filters see it.
pub fn answer(value: Val<'_>) -> Answer<'static> {
    match value {
        Val::Text(text) => Answer::Text(text.into_owned().into()),
        Val::Bool(value) => Answer::Bool(value),
        other => match other.to_value() {
            serde_json::Value::String(text) => Answer::Text(text.into()),
            serde_json::Value::Bool(value) => Answer::Bool(value),
            serde_json::Value::Array(items) => Answer::Many(
                items
                    .iter()
                    .filter_map(|item| Some(item.as_str()?.to_owned()))
                    .collect(),
            ),
            serde_json::Value::Number(number) => Answer::Text(number.to_string().into()),
            _ => Answer::Missing,
        },
    }
}

/// How many users there are.
pub fn count(tenant: &Tenant, call: &Call) -> Outcome {
    let count = match call.option("$filter").map(crate::expr::parse) {
        None => present(tenant),
        Some(None) => return Err(Denied::bad_request("Invalid filter clause.")),
        Some(Some(expr)) => {
            let fits = |user: &&User| user.life == Life::Present && matches(tenant, user, &expr);
            tenant.users.iter().filter(fits).count()
        }
    };
    paging::number(call, count)
}

/// One user by id or sign-in name.
pub fn single(tenant: &Tenant, call: &Call, id: &str) -> Outcome {
    let shape = Shape::read(Of::Users, call.option("$select"), call.option("$expand"))?;
    let user = find(tenant, id)?;
    Ok(object(
        call,
        &format!("{}/$entity", context(&shape)),
        |out| {
            select::user(tenant, user, &shape, out);
        },
    ))
}

/// A user who is there.
pub fn find<'t>(tenant: &'t Tenant, id: &str) -> Result<&'t User, Denied> {
    tenant
        .find_user(id)
        .map(|at| &tenant.users[at as usize])
        .filter(|user| user.life == Life::Present)
        .ok_or_else(|| Denied::not_found(id))
}

/// A user's manager.
pub fn manager(tenant: &Tenant, call: &Call, id: &str) -> Outcome {
    let shape = Shape::read(Of::Users, call.option("$select"), call.option("$expand"))?;
    let user = find(tenant, id)?;
    let manager = tenant
        .manager_of(user)
        .ok_or_else(|| Denied::not_found("manager"))?;
    let manager = &tenant.users[manager as usize];
    Ok(object(call, "directoryObjects/$entity", |out| {
        out.extend_from_slice(br##""@odata.type":"#microsoft.graph.user","##);
        let mut inner = Vec::new();
        select::user(tenant, manager, &shape, &mut inner);
        out.extend_from_slice(&inner);
    }))
}

/// A single object: the context, then what `write` appends as an object of its own.
pub fn object(call: &Call, context: &str, write: impl FnOnce(&mut Vec<u8>)) -> Reply {
    let mut inner = Vec::new();
    write(&mut inner);
    // The object's opening brace gives way to the one that opens with the context.
    let (prefix, rest) = match inner.iter().position(|&byte| byte == b'{') {
        Some(brace) => (&inner[..brace], &inner[brace + 1..]),
        None => (&inner[..0], &inner[..]),
    };
    let mut out = Vec::with_capacity(inner.len() + 128);
    out.extend_from_slice(b"{\"@odata.context\":");
    json::string(&format!("{}/v1.0/$metadata#{context}", call.base), &mut out);
    out.push(b',');
    out.extend_from_slice(prefix);
    out.extend_from_slice(rest);
    Reply::bytes(200, JSON, Bytes::from(out))
}
