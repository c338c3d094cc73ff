//! Pretend Okta management API.
//!
//! `answer` takes a request through token, scope and rate bucket to the endpoint. The org is in
//! `org`, its changes in `change`, the System Log in `logs`.

mod apps;
mod change;
pub mod control;
mod event;
mod groups;
mod limits;
mod logs;
mod org;
mod page;
mod profile;
mod seed;
mod token;
mod users;

use std::sync::RwLock;

use axum::http::Method;
use serde_json::json;

pub use org::APP_ID;
pub use token::TOKEN;

use crate::SimOptions;
use crate::call::Call;
use crate::clock::Clock;
use crate::ids;
use crate::pages::Pages;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::{self, World};
use org::Org;

/// The path prefix of the API.
pub const ROOT: &str = "/api/v1";

/// Okta's share of the world.
#[derive(Debug)]
pub struct Service {
    pub(crate) org: RwLock<Org>,
    pub(crate) user_pages: Pages,
    pub(crate) limits: limits::Limits,
    pub(crate) tokens: token::Tokens,
}

impl Service {
    /// A service with its org founded.
    pub fn new(options: &SimOptions, _clock: &Clock) -> Self {
        // Other people than in the Entra tenant, unless asked for the same.
        let seed = if options.same_people {
            options.seed
        } else {
            ids::mix(options.seed ^ 0x6f6b_7461)
        };
        let org = if options.empty {
            let mut org = Org::empty(seed);
            seed::built_in(&mut org);
            org
        } else {
            seed::found(
                seed,
                options.okta_users,
                options.okta_groups,
                options.okta_memberships,
            )
        };
        Self {
            org: RwLock::new(org),
            user_pages: Pages::new(options.cache_mb << 20),
            limits: limits::Limits::default(),
            tokens: token::Tokens::default(),
        }
    }
}

/// The outcome of an endpoint.
pub type Outcome = Result<Reply, Reply>;

/// An answer in Okta's error shape.
pub fn error(status: u16, code: &str, summary: &str) -> Reply {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Reply::json(
        status,
        &json!({
            "errorCode": code,
            "errorSummary": summary,
            "errorLink": code,
            "errorId": ids::okta_id("oae", ids::mix(count)),
            "errorCauses": [],
        }),
    )
}

/// 404 for an object.
pub fn not_found(id: &str, kind: &str) -> Reply {
    error(
        404,
        "E0000007",
        &format!("Not found: Resource not found: {id} ({kind})"),
    )
}

/// The endpoint class of a request, for statistics and rate buckets.
pub fn class(path: &str) -> &'static str {
    let parts: Vec<&str> = path
        .strip_prefix(ROOT)
        .unwrap_or(path)
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    match parts.as_slice() {
        ["users"] => "okta.users",
        ["users", _] => "okta.users.get",
        ["users", _, "groups"] => "okta.users.groups",
        ["groups"] => "okta.groups",
        ["groups", _] => "okta.groups.get",
        ["groups", _, "users"] => "okta.groups.users",
        ["apps"] => "okta.apps",
        ["apps", _] => "okta.apps.get",
        ["apps", _, "users", ..] => "okta.apps.users",
        ["apps", _, "groups", ..] => "okta.apps.groups",
        ["logs"] => "okta.logs",
        ["oauth2", "v1", "token"] => "okta.token",
        _ => "okta.other",
    }
}

/// Answers a token request.
pub fn token(world: &World, call: &Call) -> Reply {
    token::answer(world, call)
}

/// Answers a request to the API.
pub fn answer(world: &World, call: &Call) -> Reply {
    let now = world.clock.now();
    let settings = world.settings().clone();
    let request_id = format!("sim{:017x}", ids::mix(now ^ call.target.len() as u64));
    let class = class(&call.path);
    let reply = match token::check(world, &settings, call, class) {
        Err(refused) => refused,
        Ok(()) => {
            let ticket = world.limits(&settings, class, now);
            let reply = if ticket.refused {
                world
                    .stats
                    .note(|stats| stats.early_returns += u64::from(ticket.early));
                error(
                    429,
                    "E0000047",
                    "API call exceeded rate limit due to too many requests.",
                )
            } else {
                route(world, &settings, call).unwrap_or_else(|refused| refused)
            };
            ticket.sign(reply)
        }
    };
    reply.with("x-okta-request-id", request_id)
}

impl World {
    fn limits(
        &self,
        settings: &Settings,
        class: &str,
        now: crate::clock::Millis,
    ) -> limits::Ticket {
        let in_flight = self.stats.read_in_flight();
        self.okta.limits.take(settings, class, in_flight, now)
    }
}

fn route(world: &World, settings: &Settings, call: &Call) -> Outcome {
    if call.method != Method::GET {
        return Err(error(
            405,
            "E0000022",
            "The endpoint does not support the provided HTTP method",
        ));
    }
    let org = world::read(&world.okta.org);
    let parts = call.parts(ROOT);
    match parts.as_slice() {
        ["users"] => users::list(world, &org, settings, call),
        ["users", id] => users::single(&org, call, id),
        ["users", id, "groups"] => groups::of_user(&org, settings, call, id),
        ["groups"] => groups::list(world, &org, settings, call),
        ["groups", id] => groups::single(&org, settings, call, id),
        ["groups", id, "users"] => groups::members(&org, settings, call, id),
        ["apps"] => Ok(apps::list(call)),
        ["apps", id] => apps::single(call, id),
        ["apps", id, "users"] => apps::users(&org, call, id),
        ["apps", id, "groups"] => apps::groups(&org, call, id),
        ["logs"] => logs::answer(&org, call, world.clock.now()),
        _ => Err(error(404, "E0000008", "The requested path was not found")),
    }
}
