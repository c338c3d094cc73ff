//! Pretend Microsoft Graph and Okta tenants and SCIM service providers over HTTP, with memory
//! and faults.
//!
//! `Sim::start` runs a server inside the test's process, on threads of its own; the binary runs
//! the same server alone. See `README.md` for the control endpoints, which `SimHandle::control`
//! offers without HTTP.

mod applivery;
mod call;
mod clock;
mod company;
mod control;
mod expr;
mod faults;
mod graph;
mod ids;
mod json;
mod jwt;
mod notify;
mod okta;
mod pages;
mod provider;
mod reply;
mod serve;
mod settings;
mod spoil;
mod stats;
mod wire;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::Method;
use serde_json::Value;

pub use applivery::{ORGANIZATION as APPLIVERY_ORGANIZATION, TOKEN as APPLIVERY_TOKEN};
pub use faults::{Kind as FaultKind, Rule as FaultRule, Trouble};
pub use graph::tenant::{APP_ID, TENANT_DOMAIN, TENANT_ID};
pub use okta::{APP_ID as OKTA_APP_ID, TOKEN as OKTA_TOKEN};
pub use provider::TOKEN as SCIM_TOKEN;
pub use settings::{Expiry, Settings};
pub use stats::{Class, Stats};

use world::World;

/// How a server begins.
#[derive(Debug, Clone)]
pub struct SimOptions {
    pub listen: SocketAddr,
    pub seed: u64,
    /// Begin without people and groups.
    pub empty: bool,
    pub users: usize,
    /// At least the special groups are made, unless empty.
    pub groups: usize,
    /// Memberships in all groups together, about.
    pub memberships: usize,
    pub okta_users: usize,
    pub okta_groups: usize,
    pub okta_memberships: usize,
    /// The Okta company is the same people as the Entra one.
    pub same_people: bool,
    /// Memory for rendered pages of each vendor, in MiB.
    pub cache_mb: usize,
    /// Threads that serve.
    pub workers: usize,
    pub settings: Settings,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            empty: false,
            users: 20,
            groups: 24,
            memberships: 160,
            okta_users: 20,
            okta_groups: 14,
            okta_memberships: 120,
            same_people: false,
            cache_mb: 256,
            workers: 2,
            settings: Settings::default(),
        }
    }
}

impl SimOptions {
    /// Tenants without people and groups.
    pub fn empty() -> Self {
        Self {
            empty: true,
            ..Self::default()
        }
    }
}

/// Where servers come from.
#[derive(Debug)]
pub struct Sim;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct SimHandle {
    world: Arc<World>,
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Why a server could not begin.
pub type StartError = std::io::Error;

/// A refused control request: status and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    pub status: u16,
    pub reason: String,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.status)
    }
}

impl std::error::Error for ControlError {}

impl Sim {
    /// Starts a server on threads of its own and returns when it listens.
    pub fn start(options: SimOptions) -> Result<SimHandle, StartError> {
        let world = Arc::new(World::new(&options));
        let listener = std::net::TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.workers.max(1))
            .thread_name("rosterd-sim")
            .enable_all()
            .build()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = serve::app(Arc::clone(&world));
        let thread = std::thread::Builder::new()
            .name("rosterd-sim".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    let service = app.into_make_service_with_connect_info::<wire::Cord>();
                    tokio::select! {
                        _ = axum::serve(wire::Door(listener), service) => {}
                        _ = stopped => {}
                    }
                });
                // Connections under way, dripping ones included, end with the server.
                runtime.shutdown_background();
            })?;
        Ok(SimHandle {
            world,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl SimHandle {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:…`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the pretend SCIM service provider of a name is.
    pub fn scim_url(&self, name: &str) -> String {
        format!("{}{}{name}", self.base_url(), provider::ROOT)
    }

    /// What a SCIM service provider holds, and what it was asked.
    pub fn scim_truth(&self, name: &str) -> Value {
        self.control("GET", &format!("/sim/scim/{name}/truth"), Value::Null)
            .unwrap_or(Value::Null)
    }

    /// The Graph host with the version.
    pub fn graph_url(&self) -> String {
        format!("{}{}", self.base_url(), graph::ROOT)
    }

    /// The token endpoint of the tenant.
    pub fn token_url(&self) -> String {
        format!("{}/{TENANT_DOMAIN}/oauth2/v2.0/token", self.base_url())
    }

    /// One line of JSON that tells a client where everything is.
    pub fn describe(&self) -> Value {
        let base = self.base_url();
        serde_json::json!({
            "base": base,
            "graph": self.graph_url(),
            "authority": base,
            "token": self.token_url(),
            "imds": format!("{base}/metadata/identity/oauth2/token"),
            "okta": base,
            "scim": format!("{base}{}generic", provider::ROOT),
            "scim_token": SCIM_TOKEN,
            "okta_api": format!("{base}{}", okta::ROOT),
            "control": format!("{base}/sim"),
            "tenant": TENANT_DOMAIN,
            "tenant_id": TENANT_ID,
            "client_id": "sim-client",
            "client_secret": "sim-secret",
            "app_id": APP_ID,
            "applivery": format!("{base}/v1"),
            "applivery_token": APPLIVERY_TOKEN,
            "applivery_organization": APPLIVERY_ORGANIZATION,
            "okta_token": OKTA_TOKEN,
            "okta_app_id": OKTA_APP_ID,
        })
    }

    /// The same as an HTTP request to `/sim/…`, without the way over the network. `path` begins
    /// with `/sim/`.
    pub fn control(&self, method: &str, path: &str, body: Value) -> Result<Value, ControlError> {
        let method = method.parse::<Method>().map_err(|_| ControlError {
            status: 405,
            reason: format!("no method '{method}'"),
        })?;
        control::answer(&self.world, &method, path, body)
            .map_err(|(status, reason)| ControlError { status, reason })
    }

    /// Makes a Graph user of these properties; gives the whole user back.
    pub fn create_user(&self, props: Value) -> Result<Value, ControlError> {
        self.control("POST", "/sim/graph/users", props)
    }

    /// Changes a Graph user, by id or sign-in name.
    pub fn patch_user(&self, id: &str, props: Value) -> Result<Value, ControlError> {
        self.control("PATCH", &format!("/sim/graph/users/{id}"), props)
    }

    /// Moves a Graph user to the recycle bin.
    pub fn delete_user(&self, id: &str) -> Result<Value, ControlError> {
        self.control("DELETE", &format!("/sim/graph/users/{id}"), Value::Null)
    }

    /// Makes a Graph group; gives its id back.
    pub fn create_group(&self, props: Value) -> Result<Value, ControlError> {
        self.control("POST", "/sim/graph/groups", props)
    }

    /// Adds a member to a Graph group.
    pub fn add_member(&self, group: &str, member: &str) -> Result<Value, ControlError> {
        self.control(
            "POST",
            &format!("/sim/graph/groups/{group}/members/{member}"),
            Value::Null,
        )
    }

    /// Takes a member out of a Graph group.
    pub fn remove_member(&self, group: &str, member: &str) -> Result<Value, ControlError> {
        self.control(
            "DELETE",
            &format!("/sim/graph/groups/{group}/members/{member}"),
            Value::Null,
        )
    }

    /// Assigns a Graph principal to the enterprise application.
    pub fn assign(&self, principal: &str) -> Result<Value, ControlError> {
        self.control(
            "POST",
            &format!("/sim/graph/assignments/{principal}"),
            Value::Null,
        )
    }

    /// The Graph tenant as it really is.
    pub fn graph_truth(&self) -> Value {
        self.control("GET", "/sim/graph/truth", Value::Null)
            .unwrap_or(Value::Null)
    }

    /// The Okta org as it really is.
    pub fn okta_truth(&self) -> Value {
        self.control("GET", "/sim/okta/truth", Value::Null)
            .unwrap_or(Value::Null)
    }

    /// The Applivery organization as it really is.
    pub fn applivery_truth(&self) -> Value {
        self.control("GET", "/sim/applivery/truth", Value::Null)
            .unwrap_or(Value::Null)
    }

    /// Adds fault rules.
    pub fn faults(&self, rules: Value) -> Result<Value, ControlError> {
        self.control("POST", "/sim/faults", rules)
    }

    /// Drops all fault rules.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Changes settings; those not named stay.
    pub fn settings(&self, change: Value) -> Result<Value, ControlError> {
        self.control("POST", "/sim/settings", change)
    }

    /// What clients did so far.
    pub fn stats(&self) -> Stats {
        self.world.stats.read()
    }

    /// Starts counting anew.
    pub fn reset_stats(&self) {
        self.world.stats.reset();
    }

    /// Waits until the server ends, which it does only with the process.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may have ended before; then nobody listens.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
