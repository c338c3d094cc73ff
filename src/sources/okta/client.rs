//! One way to ask Okta: addresses, pages, and whose time it is.
//!
//! Every credential goes to the configured host and nowhere else: links are followed by path
//! and query only, because Okta writes its canonical host into them even when it was called
//! by a custom domain. A chain of pages ends with a page that has no `next`, or with an error.

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use super::auth;
use super::errors::{self, Need, SignIn};
use super::links::next_of;
use super::options::Options;
use crate::http::{
    Call, Chain, Http, HttpError, Load, Pacing, Policy, Response, Signer, answered_at,
};
use crate::sources::FetchError;

/// Asks Okta to leave out what nobody reads here. Only all three together make it faster.
const LEAN: &str = r#"application/json; okta-response="omitCredentials,omitCredentialsLinks,omitTransitioningToStatus""#;

/// What an address is: whose limits it counts against, and what it needs.
#[derive(Clone, Copy)]
pub struct Kind {
    pub bucket: &'static str,
    pub need: Need,
}

/// Okta counts requests by endpoint, so each has a bucket of its own. Which of them share
/// one at Okta's end, the headers of the answers tell soon enough.
pub const USERS: Kind = kind("users", Need::Users);
pub const USER: Kind = kind("user", Need::Users);
pub const USER_GROUPS: Kind = kind("user groups", Need::Users);
pub const GROUPS: Kind = kind("groups", Need::Groups);
pub const GROUP: Kind = kind("group", Need::Groups);
pub const MEMBERS: Kind = kind("members", Need::Groups);
pub const APP: Kind = kind("app", Need::Apps);
pub const ASSIGNMENTS: Kind = kind("assignments", Need::Apps);
pub const LOGS: Kind = kind("logs", Need::Logs);

const fn kind(bucket: &'static str, need: Need) -> Kind {
    Kind { bucket, need }
}

/// An answer, decoded.
pub struct Answer<T> {
    pub value: T,
    /// The link to the next page.
    pub next: Option<Url>,
    /// When Okta answered, by its own clock.
    pub at: Option<Timestamp>,
}

pub struct Client {
    http: Http,
    base: Url,
    signer: Arc<dyn Signer>,
    sign_in: SignIn,
}

impl Client {
    pub fn open(options: &Options) -> Result<Client, FetchError> {
        let base = origin(&options.org_url)?;
        let http = Http::open(crate::http::Options {
            timeout: options.timeout,
            concurrency: options.concurrency,
            pacing: Pacing::Remaining {
                share: options.rate_share,
            },
            ca_pem: options.ca_pem.clone(),
            direct: false,
        })
        .map_err(|error| FetchError::Refused(error.to_string()))?;
        Ok(Client {
            http,
            signer: auth::signer(options, &base)?,
            base,
            sign_in: SignIn::from(&options.credential),
        })
    }

    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    pub fn load(&self) -> Load {
        self.http.load()
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The address of `/api/v1/…`, each segment escaped.
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an https address has segments")
            .clear()
            .extend(["api", "v1"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Turns a link, as Okta wrote it or as a cursor kept it, into an address on our host.
    pub fn link(&self, link: &str) -> Option<Url> {
        let theirs = self.base.join(link).ok()?;
        if !theirs.path().starts_with("/api/v1/") {
            return None;
        }
        let mut ours = self.base.clone();
        ours.set_path(theirs.path());
        ours.set_query(theirs.query());
        Some(ours)
    }

    /// Sends one GET. A body that `decode` cannot read is asked for again.
    pub async fn get<T>(
        &self,
        what: &str,
        kind: Kind,
        url: &Url,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Answer<T>, HttpError> {
        self.get_with(what, kind, url, Policy::default(), decode)
            .await
    }

    pub async fn get_with<T>(
        &self,
        what: &str,
        kind: Kind,
        url: &Url,
        policy: Policy,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Answer<T>, HttpError> {
        let mut request = Request::new(Method::GET, url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(LEAN));
        let call = Call {
            what,
            bucket: kind.bucket,
            policy,
            signer: Some(self.signer.as_ref()),
        };
        let read = |response: &Response| {
            Ok(Answer {
                value: decode(&response.body)?,
                next: self.next_link(&response.headers)?,
                at: answered_at(&response.headers),
            })
        };
        self.http.execute(&request, call, read).await
    }

    fn next_link(&self, headers: &HeaderMap) -> Result<Option<Url>, String> {
        match next_of(headers) {
            None => Ok(None),
            // A link that cannot be followed must not pass for the end of the list.
            Some(link) => match self.link(link) {
                Some(url) => Ok(Some(url)),
                None => Err("its link to the next page is not an address of the API".to_owned()),
            },
        }
    }

    pub fn explain(&self, error: HttpError, need: Need) -> FetchError {
        errors::explain(error, need, self.sign_in)
    }

    pub fn sign_in(&self) -> SignIn {
        self.sign_in
    }

    /// A list, from its first page on.
    pub fn pages(&self, what: impl Into<String>, kind: Kind, first: Url) -> Pages<'_> {
        let what = what.into();
        Pages {
            client: self,
            chain: Chain::new(&what),
            what,
            kind,
            next: Some(first),
            began: None,
        }
    }
}

/// A list that is read page by page.
pub struct Pages<'a> {
    client: &'a Client,
    what: String,
    kind: Kind,
    next: Option<Url>,
    chain: Chain,
    began: Option<Timestamp>,
}

impl Pages<'_> {
    /// Reads the next page; None after the last.
    pub async fn next<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, FetchError> {
        let need = self.kind.need;
        let page = self.try_next(decode).await;
        page.map_err(|error| self.client.explain(error, need))
    }

    /// The same, for those who know what a status means here.
    pub async fn try_next<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, HttpError> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        self.chain.step(&url)?;
        let answer = self.client.get(&self.what, self.kind, &url, decode).await?;
        self.began = self.began.or(answer.at);
        self.next = answer.next;
        Ok(Some(answer.value))
    }

    /// When the first page was answered, by Okta's clock: what changed later may be missing.
    pub fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// Where the list goes on.
    pub fn rest(&self) -> Option<&Url> {
        self.next.as_ref()
    }
}

/// The scheme, host and port, all that the settings may say about an organisation.
fn origin(org_url: &Url) -> Result<Url, FetchError> {
    let refuse = |why: &str| Err(FetchError::Refused(format!("org_url {why}")));
    let local = match org_url.host() {
        None => return refuse("names no host"),
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
    };
    match org_url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => return refuse("must begin with https://, since the token travels there"),
    }
    let mut base = org_url.clone();
    base.set_path("/");
    base.set_query(None);
    base.set_fragment(None);
    if base.set_username("").is_err() || base.set_password(None).is_err() {
        return refuse("cannot be used");
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_over_tls_leave_the_machine() {
        let open = |url: &str| origin(&Url::parse(url).unwrap());
        assert!(open("http://acme.okta.com").is_err());
        assert!(open("http://127.0.0.1:8080").is_ok());
        let base = open("https://user@acme.okta.com/admin?x#y").unwrap();
        assert_eq!(base.as_str(), "https://acme.okta.com/");
    }
}
