//! The identity of the machine: a metadata service that only the machine itself can reach.

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Request, StatusCode};
use url::Url;

use super::super::errors;
use super::{App, Token};
use crate::http::{Call, Http, HttpError, Policy};

const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// While the identity is being attached or the service renewed, it answers 404 or 410.
const WAITS: [u64; 4] = [2, 6, 14, 30];

pub struct Managed {
    client_id: Option<String>,
    endpoint: Url,
    version: &'static str,
    header: (HeaderName, HeaderValue),
}

impl Managed {
    /// App Service and its kin name their own endpoint in the environment; else it is the
    /// virtual machine's.
    pub fn open(client_id: Option<String>, endpoint: Option<Url>) -> Managed {
        let service = std::env::var("IDENTITY_ENDPOINT")
            .ok()
            .and_then(|url| Url::parse(&url).ok());
        let key = std::env::var("IDENTITY_HEADER")
            .ok()
            .and_then(|key| HeaderValue::from_str(&key).ok());
        let of_machine = |endpoint| Managed {
            client_id: client_id.clone(),
            endpoint,
            version: "2018-02-01",
            header: (
                HeaderName::from_static("metadata"),
                HeaderValue::from_static("true"),
            ),
        };
        match (endpoint, service, key) {
            (Some(endpoint), _, _) => of_machine(endpoint),
            (None, Some(service), Some(mut key)) => {
                key.set_sensitive(true);
                Managed {
                    client_id,
                    endpoint: service,
                    version: "2019-08-01",
                    header: (HeaderName::from_static("x-identity-header"), key),
                }
            }
            _ => of_machine(Url::parse(IMDS).expect("a constant URL")),
        }
    }

    pub(super) async fn ask(&self, http: &Http, app: &App) -> Result<Token, HttpError> {
        let request = self.request(http, app)?;
        let call = Call {
            what: "a token of the managed identity",
            bucket: "token",
            // Away from Azure nothing answers at that address: three tries tell.
            policy: Policy {
                attempts: 3,
                ..Policy::default()
            },
            signer: None,
        };
        let mut waits = WAITS.iter();
        loop {
            let answer = http
                .execute(&request, call, |answer| Token::read(&answer.body))
                .await;
            let not_yet = matches!(
                answer
                    .as_ref()
                    .err()
                    .and_then(HttpError::status)
                    .map(|no| no.status),
                Some(StatusCode::NOT_FOUND | StatusCode::GONE)
            );
            match (not_yet, waits.next()) {
                (true, Some(seconds)) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
                _ => return answer.map_err(errors::identity_refused),
            }
        }
    }

    fn request(&self, http: &Http, app: &App) -> Result<Request, HttpError> {
        let mut url = self.endpoint.clone();
        let resource = app.scope.trim_end_matches("/.default");
        url.query_pairs_mut()
            .append_pair("api-version", self.version)
            .append_pair("resource", resource);
        if let Some(id) = &self.client_id {
            url.query_pairs_mut().append_pair("client_id", id);
        }
        let (name, value) = &self.header;
        http.client()
            .get(url)
            .header(name, value)
            .build()
            .map_err(|_| HttpError::Setup("the managed identity's address is not usable".into()))
    }
}
