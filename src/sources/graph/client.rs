//! Requests to Graph: the SDK builds each one and attaches the token, our client sends it.
//!
//! The SDK's own sending and paging are not used. Sending knows no bound on retries and a
//! list of permitted hosts; paging keeps one token for all pages and takes a page with an
//! error in it for the last one.

use graph_http::api_impl::RequestHandler;
use graph_rs_sdk::GraphClient;
use reqwest::Request;
use url::Url;

use super::auth::Auth;
use super::options::Options;
use super::wire::Page;
use crate::http::{Call, Chain, Http, HttpError, Pacing, Policy, Response, host_of, same_origin};
use serde_json::value::RawValue;

/// Graph counts all of an application's requests together.
pub const BUCKET: &str = "";

pub struct Graph {
    pub sdk: GraphClient,
    pub http: Http,
    pub auth: Auth,
    base: Url,
    policy: Policy,
}

impl Graph {
    pub fn open(options: &Options) -> Result<Graph, HttpError> {
        let auth = Auth::open(options)?;
        let base = match &options.endpoint {
            Some(url) => url.clone(),
            None => Url::parse(options.cloud.graph()).expect("a constant URL"),
        };
        let http = Http::open(crate::http::Options {
            timeout: options.timeout,
            concurrency: options.concurrency,
            pacing: Pacing::ResourceUnits {
                share: options.rate_share,
            },
            ca_pem: options.ca_pem.clone(),
            direct: false,
        })?;
        Ok(Graph {
            sdk: GraphClient::from_client_app(auth.clone()),
            http,
            auth,
            base,
            policy: Policy::default(),
        })
    }

    /// The address that the SDK made, on the configured host.
    pub fn address(&self, request: &RequestHandler) -> Result<Url, HttpError> {
        if request.is_err() {
            return Err(HttpError::Setup(
                "a request to Graph cannot be built".into(),
            ));
        }
        Ok(rebase(&request.url(), &self.base))
    }

    /// A link that Graph gave, followed byte for byte, but never to another host: the token
    /// goes with it.
    pub fn link(&self, what: &str, text: &str) -> Result<Url, HttpError> {
        match Url::parse(text) {
            Ok(url) if same_origin(&url, &self.base) => Ok(url),
            Ok(url) => Err(HttpError::Setup(format!(
                "{what}: a link leads to {} and not to {}; set `endpoint` to the host that links \
                 name",
                host_of(&url),
                host_of(&self.base)
            ))),
            Err(_) => Err(HttpError::Setup(format!(
                "{what}: a link is no web address"
            ))),
        }
    }

    pub async fn get<T>(
        &self,
        what: &str,
        url: &Url,
        decode: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<T, HttpError> {
        self.execute(what, self.at(url), self.policy, decode).await
    }

    /// Like [`Graph::get`], for an operator who is waiting: gives up soon.
    pub async fn probe<T>(
        &self,
        what: &str,
        url: &Url,
        decode: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<T, HttpError> {
        self.execute(what, self.at(url), Policy::probe(), decode)
            .await
    }

    fn at(&self, url: &Url) -> RequestHandler {
        let mut handler = self.sdk.users().list_user();
        *AsMut::<Url>::as_mut(&mut handler) = url.clone();
        handler
    }

    /// Sends a request that the SDK built; its address is on the configured host already, or
    /// is moved there.
    pub async fn send<T>(
        &self,
        what: &str,
        handler: RequestHandler,
        decode: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<T, HttpError> {
        self.execute(what, handler, self.policy, decode).await
    }

    async fn execute<T>(
        &self,
        what: &str,
        handler: RequestHandler,
        policy: Policy,
        decode: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<T, HttpError> {
        let request = self.build(handler).await?;
        let call = Call {
            what,
            bucket: BUCKET,
            policy,
            signer: Some(&self.auth),
        };
        self.http.execute(&request, call, decode).await
    }

    async fn build(&self, mut handler: RequestHandler) -> Result<Request, HttpError> {
        let url = self.address(&handler)?;
        *AsMut::<Url>::as_mut(&mut handler) = url;
        // The SDK asks for a token too, but could not tell us why there is none.
        self.auth.token().await?;
        let unfit = || HttpError::Setup("a request to Graph cannot be built".into());
        let builder = handler.build().await.map_err(|_| unfit())?;
        builder.build().map_err(|_| unfit())
    }

    pub fn pages<'a, T, F>(
        &'a self,
        what: &'a str,
        kind: PageKind,
        first: Url,
        read: F,
    ) -> Pages<'a, T, F>
    where
        F: Fn(&RawValue) -> T,
    {
        Pages {
            graph: self,
            what,
            kind,
            read,
            next: Some(first),
            delta: None,
            chain: Chain::new(what),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageKind {
    /// Ends with a page that has no next link.
    List,
    /// Ends with a delta link; a page with neither is a broken one.
    Delta,
}

/// A chain of pages, read one at a time. Each page is a request of its own, with the token
/// and the retries of its own.
pub struct Pages<'a, T, F: Fn(&RawValue) -> T> {
    graph: &'a Graph,
    what: &'a str,
    kind: PageKind,
    read: F,
    next: Option<Url>,
    delta: Option<String>,
    chain: Chain,
}

impl<T, F: Fn(&RawValue) -> T> Pages<'_, T, F> {
    /// The next page's objects; None after the last page, and only then.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, HttpError> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        self.chain.step(&url)?;
        let kind = self.kind;
        let read = &self.read;
        let page = self
            .graph
            .get(self.what, &url, |answer| {
                let page = Page::read(&answer.body, read)?;
                match (kind, &page.next, &page.delta) {
                    (PageKind::Delta, None, None) => Err("it has no link onwards".to_owned()),
                    _ => Ok(page),
                }
            })
            .await?;
        if let Some(next) = &page.next {
            self.next = Some(self.graph.link(self.what, next)?);
        } else if let Some(delta) = page.delta {
            self.graph.link(self.what, &delta)?;
            self.delta = Some(delta);
        }
        Ok(Some(page.items))
    }

    /// Where the next round starts, once all pages were read.
    pub fn delta_link(self) -> Option<String> {
        self.delta
    }
}

/// Moves an address of the SDK's to the configured host. A prefix of the configured address
/// (`https://proxy.test/graph`) is kept; an address that is there already stays as it is.
fn rebase(url: &Url, base: &Url) -> Url {
    if same_origin(url, base) {
        return url.clone();
    }
    let prefix = base.path().trim_end_matches('/');
    let path = url.path();
    let path = match prefix.ends_with("/v1.0") {
        true => path.strip_prefix("/v1.0").unwrap_or(path),
        false => path,
    };
    let mut moved = base.clone();
    moved.set_path(&format!("{prefix}{path}"));
    moved.set_query(url.query());
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_move_to_the_configured_host_with_their_query() {
        let url = |text: &str| Url::parse(text).unwrap();
        let made = url("https://graph.microsoft.com/v1.0/users/delta()?%24select=id%2Cmail");
        for (base, moved) in [
            (
                "http://127.0.0.1:8490",
                "http://127.0.0.1:8490/v1.0/users/delta()?%24select=id%2Cmail",
            ),
            (
                "https://proxy.test/graph/v1.0/",
                "https://proxy.test/graph/v1.0/users/delta()?%24select=id%2Cmail",
            ),
            ("https://graph.microsoft.com", made.as_str()),
        ] {
            assert_eq!(rebase(&made, &url(base)).as_str(), moved);
        }
    }

    #[test]
    fn a_link_is_not_touched() {
        let base = Url::parse("http://127.0.0.1:8490/v1.0").unwrap();
        let link = "http://127.0.0.1:8490/v1.0/users/delta?$deltatoken=a%2Bb%3D";
        let link = Url::parse(link).unwrap();
        assert_eq!(rebase(&link, &base), link);
    }
}
