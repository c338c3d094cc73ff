//! `/hooks/…`: a source says that something changed there.
//!
//! That is a ping and never data: it asks the conductor for a run of this source, and
//! `pings` sees to it that many pings are few runs. Who has not the secret is counted and sent
//! away. `okta` and `graph` know how each vendor rings; Graph has to be asked to, which
//! `subscriptions` sees to.

mod graph;
mod okta;
mod pings;
mod subscriptions;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use url::Url;

use super::problem::Problem;
use super::{BODY_BYTES, ServeError};
use crate::config::{Settings, SourceKind};
use crate::sources;
use crate::store::Store;
pub use graph::graph;
pub use okta::okta;
pub use pings::Pings;
pub use subscriptions::{Nudge, keep_subscriptions};

/// How long a ping may take to arrive: the services wait for their answer no longer.
const PING_WAIT: Duration = Duration::from_secs(3);

/// The sources that may ping.
pub struct Hooks(BTreeMap<String, Hook>);

/// What a ping must carry; secrets are compared by their digests, in constant time.
enum Hook {
    Okta(blake3::Hash),
    Graph(sources::Hook, blake3::Hash),
}

impl Hooks {
    pub fn of(settings: &Settings, store: &Store) -> Result<Hooks, ServeError> {
        let mut hooks = BTreeMap::new();
        for (name, source) in &settings.sources {
            let hook = match &source.kind {
                SourceKind::Okta(okta) => match &okta.hook_secret {
                    Some(secret) => Hook::Okta(blake3::hash(secret.read()?.expose().as_bytes())),
                    None => continue,
                },
                SourceKind::Graph(graph) => match &settings.server.public_url {
                    Some(public) if graph.notifications => {
                        let secret = subscriptions::secret(store, name.as_str())?;
                        let digest = blake3::hash(secret.as_bytes());
                        let url = address(public, name.as_str());
                        Hook::Graph(sources::Hook { url, secret }, digest)
                    }
                    _ => continue,
                },
                // What its client tells is the change itself.
                SourceKind::Scim(_) => continue,
            };
            hooks.insert(name.to_string(), hook);
        }
        Ok(Hooks(hooks))
    }

    /// Where word of changes is to be sent, for each source that is to be told.
    fn to_subscribe(&self) -> BTreeMap<String, sources::Hook> {
        let hooks = self.0.iter().filter_map(|(name, hook)| match hook {
            Hook::Graph(hook, _) => Some((name.clone(), hook.clone())),
            Hook::Okta(_) => None,
        });
        hooks.collect()
    }
}

/// Where Graph reaches the hook of a source, below any path that a proxy strips.
fn address(public: &Url, source: &str) -> Url {
    let mut url = public.clone();
    let path = public.path().trim_end_matches('/');
    url.set_path(&format!("{path}/hooks/graph/{source}"));
    url
}

/// Takes in what was posted, or says what is wrong with it.
async fn body(body: Body) -> Result<Bytes, Problem> {
    let body = axum::body::to_bytes(body, BODY_BYTES);
    match tokio::time::timeout(PING_WAIT, body).await {
        Ok(Ok(body)) => Ok(body),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body is too large, too slow, or broken off",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_below_the_path_of_the_public_url() {
        for (public, expected) in [
            ("https://a.test", "https://a.test/hooks/graph/entra"),
            ("https://a.test/r/", "https://a.test/r/hooks/graph/entra"),
        ] {
            let url = address(&public.parse().unwrap(), "entra");
            assert_eq!(url.as_str(), expected);
        }
    }
}
