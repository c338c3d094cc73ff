//! `/groups`, `/groups/{id}`, `/groups/$count`.

use super::denied::Denied;
use super::select::{self, Missing, Of, Shape};
use super::tenant::{Group, Life, Tenant};
use super::{Outcome, group_fields, paging, users};
use crate::call::Call;
use crate::expr::{Case, Expr};
use crate::json;

/// Appends a group as a list or single read shows it.
pub fn write(tenant: &Tenant, group: &Group, shape: &Shape, out: &mut Vec<u8>) {
    let names = shape.names.iter().map(String::as_str);
    select::open_group(tenant, group, names, Missing::Null, out);
    out.push(b'}');
}

fn matches(tenant: &Tenant, group: &Group, expr: &Expr) -> bool {
    expr.holds(Case::Ignored, &|field| {
        users::answer(tenant.group_value(group, field))
    })
}

/// A page of groups.
pub fn list(tenant: &Tenant, call: &Call) -> Outcome {
    let shape = Shape::read(Of::Groups, call.option("$select"), call.option("$expand"))?;
    let top = paging::top(call)?;
    let start = paging::start(call)?;
    let filter = paging::filter(call)?;
    for test in filter.iter().flat_map(Expr::tests) {
        if !group_fields::is_known(&test.field) {
            return Err(Denied::unknown_property(&test.field, Of::Groups));
        }
    }
    let fits = |group: &Group| {
        group.life == Life::Present
            && filter
                .as_ref()
                .is_none_or(|expr| matches(tenant, group, expr))
    };
    let mut out = Vec::new();
    let mut shown = 0;
    let mut next = None;
    for (at, group) in tenant.groups.iter().enumerate().skip(start as usize) {
        if !fits(group) {
            continue;
        }
        if shown == top {
            next = Some(at as u32);
            break;
        }
        json::comma(&mut out);
        write(tenant, group, &shape, &mut out);
        shown += 1;
    }
    let link = next.map(|at| ("@odata.nextLink", paging::next_link(call, at)));
    let count =
        paging::is_advanced(call).then(|| tenant.groups.iter().filter(|group| fits(group)).count());
    Ok(paging::collection(
        call,
        &context(&shape),
        count,
        link,
        &out,
    ))
}

fn context(shape: &Shape) -> String {
    if shape.selected {
        format!("groups({})", shape.names.join(","))
    } else {
        "groups".to_owned()
    }
}

/// How many groups there are.
pub fn count(tenant: &Tenant, call: &Call) -> Outcome {
    let present = tenant
        .groups
        .iter()
        .filter(|group| group.life == Life::Present)
        .count();
    paging::number(call, present)
}

/// One group by id.
pub fn single(tenant: &Tenant, call: &Call, id: &str) -> Outcome {
    let shape = Shape::read(Of::Groups, call.option("$select"), call.option("$expand"))?;
    let group = find(tenant, id)?;
    let context = format!("{}/$entity", context(&shape));
    Ok(users::object(call, &context, |out| {
        write(tenant, &tenant.groups[group as usize], &shape, out);
    }))
}

/// A group that is there.
pub fn find(tenant: &Tenant, id: &str) -> Result<u32, Denied> {
    tenant
        .find_group(id)
        .filter(|&at| tenant.groups[at as usize].life == Life::Present)
        .ok_or_else(|| Denied::not_found(id))
}
