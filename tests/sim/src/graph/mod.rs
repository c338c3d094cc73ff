//! Pretend Microsoft Graph, v1.0.
//!
//! `answer` takes a request through token, permission and quota to the endpoint. The directory is
//! in `tenant`, its changes in `change`, what delta queries read in `log`.

mod assignments;
mod batch;
mod change;
pub mod control;
mod delta;
mod delta_groups;
mod delta_users;
mod denied;
mod directory;
mod fields;
mod group_fields;
mod groups;
mod log;
mod members;
mod paging;
mod seed;
mod select;
mod subscriptions;
pub mod tenant;
mod throttle;
pub mod token;
mod truth;
mod users;

use std::sync::RwLock;

use axum::http::Method;

pub use denied::Denied;
pub use users::answer as answer_of;

use crate::SimOptions;
use crate::call::Call;
use crate::clock::Clock;
use crate::pages::Pages;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::{self, World};
use tenant::Tenant;

/// Graph's share of the world.
#[derive(Debug)]
pub struct Service {
    pub(crate) tenant: RwLock<Tenant>,
    pub(crate) user_pages: Pages,
    pub(crate) throttle: throttle::Throttle,
    pub(crate) tokens: token::Tokens,
    pub(crate) subscriptions: subscriptions::Subscriptions,
}

impl Service {
    /// A service with its tenant founded.
    pub fn new(options: &SimOptions, _clock: &Clock) -> Self {
        let tenant = if options.empty {
            Tenant::empty(options.seed)
        } else {
            seed::found(
                options.seed,
                options.users,
                options.groups,
                options.memberships,
            )
        };
        Self {
            tenant: RwLock::new(tenant),
            user_pages: Pages::new(options.cache_mb << 20),
            throttle: throttle::Throttle::default(),
            tokens: token::Tokens::default(),
            subscriptions: subscriptions::Subscriptions::default(),
        }
    }
}

/// The outcome of an endpoint.
pub type Outcome = Result<Reply, Denied>;

/// The path prefix of the API.
pub const ROOT: &str = "/v1.0";

/// The endpoint class of a request, for statistics and cost.
pub fn class(method: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path
        .strip_prefix(ROOT)
        .unwrap_or(path)
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    match parts.as_slice() {
        ["$batch"] => "graph.batch",
        ["users"] => "graph.users.list",
        ["users", "$count"] => "graph.users.count",
        ["users", last] if is_delta(last) => "graph.users.delta",
        ["users", _] => "graph.users.get",
        ["users", _, "manager"] => "graph.users.manager",
        ["users", _, "memberOf" | "transitiveMemberOf"] => "graph.users.memberOf",
        ["groups"] => "graph.groups.list",
        ["groups", "$count"] => "graph.groups.count",
        ["groups", last] if is_delta(last) => "graph.groups.delta",
        ["groups", _] => "graph.groups.get",
        ["groups", _, "members", ..] => "graph.groups.members",
        ["groups", _, "transitiveMembers", ..] => "graph.groups.transitiveMembers",
        ["servicePrincipals", .., "appRoleAssignedTo"] => "graph.appRoleAssignedTo",
        [first, ..] if first.starts_with("servicePrincipals") => {
            if parts.last() == Some(&"appRoleAssignedTo") {
                "graph.appRoleAssignedTo"
            } else {
                "graph.servicePrincipals"
            }
        }
        ["directory", "deletedItems", ..] => "graph.deletedItems",
        ["directoryObjects", "getByIds"] => "graph.directoryObjects.getByIds",
        ["organization", ..] => "graph.organization",
        ["subscriptions", ..] if *method == Method::GET => "graph.subscriptions.read",
        ["subscriptions", ..] => "graph.subscriptions.write",
        _ => "graph.other",
    }
}

/// Whether a path segment is one of the spellings of delta.
pub fn is_delta(segment: &str) -> bool {
    matches!(
        segment,
        "delta" | "delta()" | "microsoft.graph.delta" | "microsoft.graph.delta()"
    )
}

/// Answers a request to the API.
pub fn answer(world: &World, call: &Call) -> Reply {
    let now = world.clock.now();
    let reply = match authorize(world, call) {
        Ok(()) if call.path == "/v1.0/$batch" => batch::answer(world, call),
        Ok(()) => charged(world, call),
        Err(denied) => denied.reply(call, now),
    };
    let mut reply = reply.with("request-id", denied::request_id(now));
    if let Some(theirs) = call.header("client-request-id") {
        let theirs = theirs.to_owned();
        reply = reply.with("client-request-id", theirs);
    }
    reply
}

fn authorize(world: &World, call: &Call) -> Result<(), Denied> {
    let token = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| Denied::token("Access token is empty."))?;
    match world.graph.tokens.check(token, world.clock.now()) {
        token::Check::Valid => Ok(()),
        token::Check::Expired => Err(Denied::token(
            "Lifetime validation failed, the token is expired.",
        )),
        token::Check::Unknown => Err(Denied::token("CompactToken validation failed.")),
    }
}

/// Answers a request whose token is good, at its price.
fn charged(world: &World, call: &Call) -> Reply {
    let now = world.clock.now();
    let settings = world.settings().clone();
    let class = class(&call.method, &call.path);
    let units = throttle::units(class, call);
    world.stats.note(|stats| stats.resource_units += units);
    let pressure = match world.graph.throttle.charge(&settings, units, now) {
        throttle::Verdict::Pass { pressure } => pressure,
        throttle::Verdict::Wait { millis, early } => {
            world
                .stats
                .note(|stats| stats.early_returns += u64::from(early));
            return throttle::refusal(&settings, millis, now)
                .with("x-ms-resource-unit", units.to_string());
        }
    };
    let reply = route(world, &settings, call).unwrap_or_else(|denied| denied.reply(call, now));
    let reply = reply.with("x-ms-resource-unit", units.to_string());
    match pressure {
        Some(share) => reply.with("x-ms-throttle-limit-percentage", format!("{share:.2}")),
        None => reply,
    }
}

/// Whether the application holds a permission.
fn may(settings: &Settings, permissions: &[&str]) -> Result<(), Denied> {
    let granted = |name: &str| settings.graph_permissions.contains(name);
    if permissions.iter().any(|name| granted(name)) || granted("Directory.Read.All") {
        Ok(())
    } else {
        Err(Denied::permission())
    }
}

fn route(world: &World, settings: &Settings, call: &Call) -> Outcome {
    let read_users = || may(settings, &["User.Read.All"]);
    let read_groups = || may(settings, &["GroupMember.Read.All", "Group.Read.All"]);
    let read_apps = || may(settings, &["Application.Read.All"]);
    let parts = call.parts(ROOT);
    if let ["subscriptions", rest @ ..] = parts.as_slice() {
        return subscriptions::answer(world, settings, call, rest);
    }
    if parts.as_slice() == ["directoryObjects", "getByIds"] {
        read_users()?;
        let tenant = world::read(&world.graph.tenant);
        return directory::get_by_ids(&tenant, call);
    }
    if call.method != Method::GET {
        return Err(Denied::new(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed.",
        ));
    }
    let tenant = world::read(&world.graph.tenant);
    match parts.as_slice() {
        ["users"] => {
            read_users()?;
            users::list(world, &tenant, call)
        }
        ["users", "$count"] => {
            read_users()?;
            users::count(&tenant, call)
        }
        ["users", last] if is_delta(last) => {
            read_users()?;
            delta_users::answer(world, &tenant, settings, call)
        }
        ["users", id] => {
            read_users()?;
            users::single(&tenant, call, id)
        }
        ["users", id, "manager"] => {
            read_users()?;
            users::manager(&tenant, call, id)
        }
        ["users", id, "memberOf"] => {
            read_users()?;
            members::of_user(&tenant, call, id)
        }
        ["groups"] => {
            read_groups()?;
            groups::list(&tenant, call)
        }
        ["groups", "$count"] => {
            read_groups()?;
            groups::count(&tenant, call)
        }
        ["groups", last] if is_delta(last) => {
            read_groups()?;
            delta_groups::answer(world, &tenant, settings, call)
        }
        ["groups", id] => {
            read_groups()?;
            groups::single(&tenant, call, id)
        }
        ["groups", id, "members", cast @ ..] => {
            read_groups()?;
            members::direct(&tenant, settings, call, id, cast)
        }
        ["groups", id, "transitiveMembers", cast @ ..] => {
            read_groups()?;
            members::transitive(&tenant, settings, call, id, cast)
        }
        ["directory", "deletedItems", rest @ ..] => {
            directory::deleted(&tenant, settings, call, rest)
        }
        ["organization"] => {
            read_users()?;
            Ok(directory::organization(call))
        }
        [first, rest @ ..] if first.starts_with("servicePrincipals") => {
            read_apps()?;
            assignments::answer(&tenant, call, first, rest)
        }
        _ => Err(Denied::no_such_path(
            parts.first().copied().unwrap_or_default(),
        )),
    }
}

/// 410 with a `Location` where the round asked for begins anew.
pub fn gone(world: &World, call: &Call) -> Reply {
    let of = if call.path.contains("/groups") {
        "groups"
    } else {
        "users"
    };
    let settings = world.settings().clone();
    delta::gone(of, &settings, call, call.option("$select")).reply(call, world.clock.now())
}

/// A delta link from now on, when the request is about delta.
pub fn latest_link(world: &World, call: &Call) -> Option<String> {
    let class = class(&call.method, &call.path);
    if !matches!(class, "graph.users.delta" | "graph.groups.delta") {
        return None;
    }
    let mut latest = call.clone();
    latest
        .query
        .retain(|(name, _)| name.eq_ignore_ascii_case("$select"));
    latest
        .query
        .push(("$deltatoken".to_owned(), "latest".to_owned()));
    let settings = world.settings().clone();
    let reply = route(world, &settings, &latest).ok()?;
    let body: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    body["@odata.deltaLink"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let of = |path| class(&Method::GET, path);
        assert_eq!(of("/v1.0/users"), "graph.users.list");
        assert_eq!(of("/v1.0/users/delta()"), "graph.users.delta");
        assert_eq!(
            of("/v1.0/groups/microsoft.graph.delta()"),
            "graph.groups.delta"
        );
        assert_eq!(
            of("/v1.0/groups/1/members/microsoft.graph.user"),
            "graph.groups.members"
        );
        assert_eq!(
            of("/v1.0/servicePrincipals(appId='x')/appRoleAssignedTo"),
            "graph.appRoleAssignedTo"
        );
    }
}
