//! `[server]`: what the daemon serves, and how the world reaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use super::address;
use super::secret::Secret;
use super::section::Section;

/// The settings of `[server]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Address and port to listen on. Default: `127.0.0.1:8480`.
    pub listen: SocketAddr,
    /// How the world reaches the daemon. Default: none.
    pub public_url: Option<Url>,
    /// Bearer token of everything under `/api`. Default: none, which keeps it closed.
    pub admin_token: Option<Secret>,
    /// Open `/api` to everybody on this machine, where there is no token and `listen` is a
    /// loopback address. Default: no.
    pub insecure_no_auth: bool,
    /// Serve HTTPS. Default: none, plain HTTP behind a proxy.
    pub tls: Option<Tls>,
}

/// A certificate to serve HTTPS with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

impl Server {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let listen: SocketAddr =
            section.read("listen", |text| text.parse().map_err(|_| String::new()))?;
        let insecure_no_auth = section.flag("insecure_no_auth").unwrap_or(false);
        if insecure_no_auth {
            let key = section.key("insecure_no_auth");
            let listens = section.key("listen");
            let token = section.key("admin_token");
            if !listen.ip().is_loopback() {
                let message = format!(
                    "'{key}' is for a loopback address only, and '{listens}' is {listen}; set '{token}' instead"
                );
                section.refuse("insecure_no_auth", message);
            }
            if section.gives("admin_token") {
                let message = format!("'{key}' and '{token}' exclude each other; remove one");
                section.refuse("insecure_no_auth", message);
            }
        }
        Some(Self {
            listen,
            public_url: section.read("public_url", address::web),
            admin_token: section.secret("admin_token"),
            insecure_no_auth,
            tls: pair(section, "tls.cert", "tls.key").map(|(cert, key)| Tls { cert, key }),
        })
    }
}

impl Server {
    /// Where the client of a SCIM source finds it.
    pub fn scim_base(&self, source: &str) -> String {
        let root = match (&self.public_url, &self.tls) {
            (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
            (None, Some(_)) => format!("https://{}", self.listen),
            (None, None) => format!("http://{}", self.listen),
        };
        format!("{root}/scim/{source}/v2")
    }
}

/// Reads two paths of which neither is of use alone.
pub(super) fn pair(section: &mut Section, one: &str, other: &str) -> Option<(PathBuf, PathBuf)> {
    match (section.path(one), section.path(other)) {
        (Some(one), Some(other)) => return Some((one, other)),
        (Some(_), None) if !section.gives(other) => {
            let message = format!(
                "'{}' needs '{}' beside it",
                section.key(one),
                section.key(other)
            );
            section.refuse(one, message);
        }
        (None, Some(_)) if !section.gives(one) => {
            let message = format!(
                "'{}' needs '{}' beside it",
                section.key(other),
                section.key(one)
            );
            section.refuse(other, message);
        }
        _ => {}
    }
    None
}
