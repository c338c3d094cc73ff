//! Listen: the HTTP side of the daemon.
//!
//! [`Server::bind`] takes the port and reads what has to be read, so that what is wrong is
//! said before anything runs; [`Server::serve`] answers until it is told to stop. `listen` is
//! about connections, `access` about every request, `door` about who may come in; the routes
//! are in `api`, `scim`, `hooks`, `console`, `health` and `metrics`. Nothing here runs a run: it
//! asks the conductor.

mod access;
mod api;
mod body;
mod console;
mod door;
mod health;
mod hooks;
mod input;
mod listen;
mod metrics;
mod openapi;
mod page;
mod problem;
mod recent;
mod scim;
mod stream;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config;
use crate::scim::inspect::Inspector;
use crate::store::{Store, StoreError};
use crate::sync::Conductor;
use door::Door;

/// The largest body of a request.
const BODY_BYTES: usize = 1024 * 1024;

/// Tells when a source is due next.
pub type NextRun = Arc<dyn Fn(&str) -> Option<Timestamp> + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {why}")]
    Bind {
        address: SocketAddr,
        why: String,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Certificate(#[from] tls::CertificateError),
    /// The secret's error stays in the chain: it is told by its type.
    #[error("{0}")]
    Secret(#[from] config::SecretError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A server that has its port.
pub struct Server {
    listener: TcpListener,
    shared: Shared,
}

/// What all requests share.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    conductor: Conductor,
    next_run: NextRun,
    access: RwLock<Arc<Access>>,
    recent: recent::Recent,
    metrics: metrics::Metrics,
    pings: hooks::Pings,
    nudge: hooks::Nudge,
    sessions: console::Sessions,
    scim: scim::Desk,
}

/// What a reload exchanges.
struct Access {
    door: Door,
    hooks: hooks::Hooks,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Access {
    fn read(settings: &config::Settings, store: &Store) -> Result<Arc<Access>, ServeError> {
        let tls = settings.server.tls.as_ref().map(tls::load).transpose()?;
        let door = Door::of(&settings.server)?;
        let hooks = hooks::Hooks::of(settings, store)?;
        Ok(Arc::new(Access { door, hooks, tls }))
    }
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    fn access(&self) -> Arc<Access> {
        let access = self.access.read();
        access.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Puts other settings in force while the server serves.
#[derive(Clone)]
pub struct Reload(Shared);

impl Reload {
    /// Reads the secrets and the certificate anew. If one cannot be read, the old ones stay.
    /// The address stays what it was.
    pub fn reload(&self, settings: &config::Settings) -> Result<(), ServeError> {
        let access = Access::read(settings, &self.0.conductor.sync().store)?;
        let mut place = self
            .0
            .access
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = access;
        Ok(())
    }

    /// Says that the settings are in force everywhere: the subscriptions are looked at anew.
    pub fn in_force(&self) {
        self.0.nudge.look();
    }
}

impl Server {
    /// Takes the port, and reads the token and the certificate.
    pub async fn bind(
        settings: &config::Settings,
        conductor: Conductor,
        next_run: NextRun,
        inspector: Inspector,
    ) -> Result<Server, ServeError> {
        let access = Access::read(settings, &conductor.sync().store)?;
        let address = settings.server.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|cause| ServeError::Bind {
                address,
                why: match cause.kind() {
                    io::ErrorKind::AddrInUse => {
                        "the port is taken; stop what holds it, or set another 'server.listen'"
                            .to_owned()
                    }
                    io::ErrorKind::PermissionDenied => {
                        "rosterd may not take this port; set one above 1023 in 'server.listen'"
                            .to_owned()
                    }
                    io::ErrorKind::AddrNotAvailable => {
                        "this machine has no such address; set another 'server.listen'".to_owned()
                    }
                    _ => cause.to_string(),
                },
                cause,
            })?;
        let shared = Shared(Arc::new(Inner {
            conductor,
            next_run,
            access: RwLock::new(access),
            recent: recent::Recent::default(),
            metrics: metrics::Metrics::new(),
            pings: hooks::Pings::default(),
            nudge: hooks::Nudge::default(),
            sessions: console::Sessions::default(),
            scim: scim::Desk::new(inspector),
        }));
        Ok(Server { listener, shared })
    }

    /// The way to change what is in force while it serves.
    pub fn reload(&self) -> Reload {
        Reload(self.shared.clone())
    }

    /// Answers until `stop`, and then until the requests in hand are done, for 5 s at most.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Server { listener, shared } = self;
        if let Ok(address) = listener.local_addr() {
            let scheme = match shared.access().tls {
                Some(_) => "https",
                None => "http",
            };
            tracing::info!("listening on {scheme}://{address}");
        }
        if let Door::Closed = shared.access().door {
            tracing::warn!("no 'server.admin_token' is set: the API stays closed");
        }
        scim::ring_for_what_is_owed(&shared);
        let counting = tokio::spawn(metrics::count_runs(shared.clone()));
        let subscribing = tokio::spawn(hooks::keep_subscriptions(shared.clone()));
        let routes = routes(shared.clone());
        listen::serve(listener, shared, routes, stop).await;
        counting.abort();
        subscribing.abort();
    }
}

fn routes(shared: Shared) -> Router {
    let api = api::routes()
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(from_fn_with_state(shared.clone(), door::api));
    let open = Router::new()
        .route("/hooks/graph/{source}", hooks::graph())
        .route("/hooks/okta/{source}", hooks::okta())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .layer(from_fn(access::in_time));
    Router::new()
        .nest("/api", api)
        .merge(open)
        .merge(console::routes(shared.clone()))
        .merge(scim::routes())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(CatchPanicLayer::custom(access::panicked))
        .layer(from_fn_with_state(shared.clone(), access::log))
        .with_state(shared)
}
