//! Tokens: one at a time, kept until shortly before they end, and never shown.
//!
//! The SDK attaches a token to every request it builds and asks us for it
//! ([`ClientApplication`]). Its own credentials are used for the form they fill in and for
//! nothing else: they keep a refused token until it ends, ask twice when two requests start
//! together, and send through a client of their own.

mod certificate;
mod managed;
mod secret;
mod workload;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use graph_core::identity::ForceTokenRefresh;
use graph_rs_sdk::error::{AuthExecutionError, AuthExecutionResult, IdentityResult};
use graph_rs_sdk::identity::ClientApplication;
use reqwest::Request;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::errors;
use super::options::{Credential, Options};
use crate::http::{Call, Http, HttpError, Pacing, Policy, Signer, set_authorization};
use certificate::Certificate;
use managed::Managed;
use workload::Workload;

/// A token is renewed this long before it ends, so that a request never carries one that
/// ends on the way.
const EARLY: Duration = Duration::from_secs(300);

/// Cheap to clone; all clones share one token.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    http: Http,
    grant: Grant,
    app: App,
    token: Mutex<Option<Token>>,
}

/// Who asks, and where.
pub(super) struct App {
    pub tenant: String,
    pub client_id: String,
    pub scope: String,
    pub token_url: Url,
}

enum Grant {
    Secret(super::options::Secret),
    Certificate(Certificate),
    Managed(Managed),
    Workload(Workload),
}

struct Token {
    value: Arc<str>,
    renew_at: Instant,
}

impl Auth {
    pub fn open(options: &Options) -> Result<Auth, HttpError> {
        let mut app = App {
            tenant: options.tenant.clone(),
            client_id: options.client_id.clone(),
            scope: options.cloud.scope(),
            token_url: match &options.authority {
                Some(url) => url.clone(),
                None => Url::parse(options.cloud.authority()).expect("a constant URL"),
            },
        };
        let mut direct = false;
        let grant = match &options.credential {
            Credential::Secret(secret) => Grant::Secret(secret.clone()),
            Credential::Certificate { cert_pem, key_pem } => {
                Grant::Certificate(Certificate::read(cert_pem, key_pem.expose())?)
            }
            Credential::Managed {
                client_id,
                endpoint,
            } => {
                direct = true;
                Grant::Managed(Managed::open(client_id.clone(), endpoint.clone()))
            }
            Credential::Workload { token_file } => {
                let (workload, platform) = Workload::open(token_file.clone())?;
                platform.complete(&mut app, options.authority.is_none());
                Grant::Workload(workload)
            }
        };
        if !matches!(grant, Grant::Managed(_)) {
            let missing = match (app.tenant.is_empty(), app.client_id.is_empty()) {
                (true, _) => Some("tenant"),
                (_, true) => Some("client_id"),
                _ => None,
            };
            if let Some(key) = missing {
                return Err(HttpError::Setup(format!("the Graph source has no `{key}`")));
            }
        }
        app.complete_token_url()?;
        let http = Http::open(crate::http::Options {
            timeout: options.timeout,
            concurrency: 2,
            pacing: Pacing::None,
            ca_pem: options.ca_pem.clone(),
            direct,
        })?;
        Ok(Auth(Arc::new(Inner {
            http,
            grant,
            app,
            token: Mutex::new(None),
        })))
    }

    /// The token in force, renewed when its end is near. Whoever comes while one is being
    /// asked for waits for that one.
    pub async fn token(&self) -> Result<Arc<str>, HttpError> {
        let inner = &self.0;
        let mut token = inner.token.lock().await;
        if let Some(token) = token.as_ref()
            && Instant::now() < token.renew_at
        {
            return Ok(Arc::clone(&token.value));
        }
        let fresh = inner.ask().await?;
        let value = Arc::clone(&fresh.value);
        *token = Some(fresh);
        Ok(value)
    }

    /// Drops `refused` if it is still the token in force.
    async fn forget(&self, refused: Option<&str>) {
        let mut token = self.0.token.lock().await;
        let same = |token: &Token| refused.is_none_or(|refused| *token.value == *refused);
        if token.as_ref().is_some_and(same) {
            *token = None;
        }
    }
}

impl Inner {
    async fn ask(&self) -> Result<Token, HttpError> {
        let request = match &self.grant {
            Grant::Secret(secret) => self.post(secret::form(&self.app, secret))?,
            Grant::Certificate(certificate) => {
                let assertion = certificate.assertion(&self.app)?;
                self.post(secret::assertion_form(&self.app, &assertion))?
            }
            Grant::Workload(workload) => {
                let assertion = workload.assertion()?;
                self.post(secret::assertion_form(&self.app, &assertion))?
            }
            Grant::Managed(managed) => return managed.ask(&self.http, &self.app).await,
        };
        let call = Call {
            what: "a token for Microsoft Graph",
            bucket: "token",
            policy: Policy::default(),
            signer: None,
        };
        self.http
            .execute(&request, call, |answer| Token::read(&answer.body))
            .await
            .map_err(|error| errors::token_refused(error, &self.app))
    }

    fn post(&self, form: IdentityResult<HashMap<String, String>>) -> Result<Request, HttpError> {
        let unfit = |_| HttpError::Setup("the token request cannot be built".into());
        let form = form.map_err(unfit)?;
        self.http
            .client()
            .post(self.app.token_url.clone())
            .form(&form)
            .build()
            .map_err(|_| HttpError::Setup("the token request cannot be built".into()))
    }
}

impl App {
    /// Appends `/{tenant}/oauth2/v2.0/token` to the authority.
    fn complete_token_url(&mut self) -> Result<(), HttpError> {
        let path = [&self.tenant, "oauth2", "v2.0", "token"];
        self.token_url
            .path_segments_mut()
            .map_err(|()| HttpError::Setup("`authority` is not a web address".into()))?
            .pop_if_empty()
            .extend(path);
        Ok(())
    }
}

/// Numbers may be strings: the metadata service writes them so.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// A life that is not told: the shortest that Entra gives.
const UNKNOWN_LIFE: u64 = 3_600;

impl Token {
    fn read(body: &[u8]) -> Result<Token, String> {
        let answer: TokenAnswer =
            serde_json::from_slice(body).map_err(|_| "it holds no access token".to_owned())?;
        let seconds = match &answer.expires_in {
            Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
            Some(number) => number.as_u64(),
            None => None,
        };
        let life = Duration::from_secs(seconds.unwrap_or(UNKNOWN_LIFE).min(86_400));
        // A life of a few minutes is used for half of it rather than not at all.
        let use_for = life.saturating_sub(EARLY).max(life / 2);
        Ok(Token {
            value: answer.access_token.into(),
            renew_at: Instant::now() + use_for,
        })
    }
}

#[async_trait]
impl ClientApplication for Auth {
    fn get_token_silent(&mut self) -> AuthExecutionResult<String> {
        Err(AuthExecutionError::Other(
            "tokens are asked for asynchronously".into(),
        ))
    }

    async fn get_token_silent_async(&mut self) -> AuthExecutionResult<String> {
        match self.token().await {
            Ok(token) => Ok(token.to_string()),
            Err(error) => Err(AuthExecutionError::Other(Box::new(error))),
        }
    }

    fn with_force_token_refresh(&mut self, force: ForceTokenRefresh) {
        if force != ForceTokenRefresh::Never
            && let Ok(mut token) = self.0.token.try_lock()
        {
            *token = None;
        }
    }
}

#[async_trait]
impl Signer for Auth {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        let token = self.token().await?;
        match set_authorization(request, &format!("Bearer {token}")) {
            true => Ok(()),
            false => Err(HttpError::Setup(
                "the token cannot stand in a header".into(),
            )),
        }
    }

    async fn refused(&self, request: &Request) -> bool {
        let sent = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        self.forget(sent).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_may_be_a_number_or_a_string() {
        for body in [
            r#"{"access_token":"t","expires_in":3599}"#,
            r#"{"access_token":"t","expires_in":"3599"}"#,
        ] {
            let token = Token::read(body.as_bytes()).unwrap();
            let left = token.renew_at - Instant::now();
            assert!(left > Duration::from_secs(3_200) && left <= Duration::from_secs(3_299));
        }
        assert!(Token::read(b"<html>").is_err());
    }
}
