//! A service app: it signs its own assertions and gets access tokens for them.
//!
//! An assertion (RFC 7523) is traded at the organisation's own authorization server, and the
//! token kept until shortly before its end. However many requests need a token at once, one
//! asks. DPoP is not done: an app that demands it is told apart and said how to mend.

use std::sync::{Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use jsonwebtoken::Header;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::auth::{fatal, needs, put};
use super::errors::Need;
use super::key::SigningKey;
use super::options::{Credential, Options};
use crate::http::{
    Call, Http, HttpError, Pacing, Policy, Response, Signer, StatusError, answered_at,
};
use crate::sources::FetchError;

/// How long an assertion is good for. Okta allows an hour; it is used at once.
const ASSERTION_SECONDS: i64 = 300;

/// Our clock may differ from Okta's by this much before an assertion is worth another try
/// with Okta's time.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(30);

/// A token is renewed this long before its end, so that none runs out on its way.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

pub struct ServiceApp {
    /// Its own, so that a request that waits for a token cannot keep the token waiting.
    http: Http,
    address: Url,
    client_id: String,
    key: SigningKey,
    scopes: String,
    held: Mutex<Option<Token>>,
    /// How far Okta's clock is ahead of ours, where that mattered.
    ahead: SyncMutex<SignedDuration>,
}

struct Token {
    authorization: String,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

impl ServiceApp {
    pub fn open(options: &Options, base: &Url) -> Result<ServiceApp, FetchError> {
        let Credential::PrivateKey {
            client_id,
            key_pem,
            key_id,
        } = &options.credential
        else {
            return Err(FetchError::Refused("no private key is set".to_owned()));
        };
        let mut key = SigningKey::read(key_pem).map_err(FetchError::Refused)?;
        key.id = key_id.clone().or(key.id);
        let scopes: Vec<&str> = needs(&options.scope).iter().map(|it| it.scope()).collect();
        let http = Http::open(crate::http::Options {
            timeout: options.timeout,
            concurrency: 1,
            pacing: Pacing::None,
            ca_pem: options.ca_pem.clone(),
            direct: false,
        })
        .map_err(|error| FetchError::Refused(error.to_string()))?;
        let mut address = base.clone();
        address.set_path("/oauth2/v1/token");
        Ok(ServiceApp {
            http,
            address,
            client_id: client_id.clone(),
            key,
            scopes: scopes.join(" "),
            held: Mutex::new(None),
            ahead: SyncMutex::new(SignedDuration::ZERO),
        })
    }

    /// Whether a token for one scope can be had: how `check` finds the one that is missing.
    pub async fn try_scope(&self, need: Need) -> Result<(), HttpError> {
        self.ask(need.scope(), Policy::probe()).await.map(|_| ())
    }

    /// Holds the lock while asking: whoever else needs a token waits for this one.
    async fn authorization(&self) -> Result<String, HttpError> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref()
            && Instant::now() < token.renew_at
        {
            return Ok(token.authorization.clone());
        }
        let granted = self.ask(&self.scopes, Policy::default()).await?;
        let life = Duration::from_secs(granted.expires_in);
        let token = Token {
            authorization: format!("Bearer {}", granted.access_token),
            // A short life is used for four fifths, so that renewing does not become all we do.
            renew_at: Instant::now() + life.saturating_sub(RENEW_BEFORE).max(life * 4 / 5),
        };
        Ok(held.insert(token).authorization.clone())
    }

    async fn ask(&self, scopes: &str, policy: Policy) -> Result<Granted, HttpError> {
        let granted = match self.ask_once(scopes, policy).await {
            Err(HttpError::Status(answer)) if self.learn_time(&answer) => {
                self.ask_once(scopes, policy).await
            }
            other => other,
        }
        .map_err(|error| self.explain(error, scopes))?;
        match granted.token_type.eq_ignore_ascii_case("bearer") {
            true => Ok(granted),
            false => Err(self.no_dpop()),
        }
    }

    async fn ask_once(&self, scopes: &str, policy: Policy) -> Result<Granted, HttpError> {
        let mut request = Request::new(Method::POST, self.address.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let call = Call {
            what: "the access token",
            bucket: "token",
            policy,
            signer: Some(&Assertion { app: self, scopes }),
        };
        let decode = |response: &Response| {
            serde_json::from_slice(&response.body).map_err(|_| "not a token".to_owned())
        };
        self.http.execute(&request, call, decode).await
    }

    /// Notes Okta's time when an assertion was refused and ours is off. True when there is
    /// something new to try.
    fn learn_time(&self, answer: &StatusError) -> bool {
        if denied(answer).as_deref() != Some("invalid_client") {
            return false;
        }
        let Some(ahead) = ahead(&answer.headers) else {
            return false;
        };
        let mut known = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let news = (ahead - *known).abs() > CLOCKS_AGREE;
        *known = ahead;
        news
    }

    fn assertion(&self) -> Result<String, HttpError> {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let now = crate::clock::now().as_second() + ahead.as_secs();
        let mut header = Header::new(self.key.algorithm);
        header.kid = self.key.id.clone();
        let claims = Claims {
            iss: &self.client_id,
            sub: &self.client_id,
            aud: self.address.as_str(),
            iat: now,
            exp: now + ASSERTION_SECONDS,
            jti: ulid::Ulid::new().to_string(),
        };
        jsonwebtoken::encode(&header, &claims, &self.key.key)
            .map_err(|_| fatal("the private key cannot sign".to_owned()))
    }

    fn explain(&self, error: HttpError, scopes: &str) -> HttpError {
        let Some(answer) = error.status() else {
            return error;
        };
        let host = &answer.host;
        let app = &self.client_id;
        let text = match denied(answer).as_deref() {
            Some(word) if word.contains("dpop") => return self.no_dpop(),
            Some("invalid_client") => format!(
                "{host} does not accept the client {app} or its key: check client_id, that the app is an active service app with the authentication method `public key / private key`, and that this key{} is registered and active there",
                match &self.key.id {
                    Some(id) => format!(" (kid {id})"),
                    None => String::new(),
                }
            ),
            Some("invalid_scope") => format!(
                "{host} does not grant the client {app} all of {scopes}: grant them on the app's tab Okta API Scopes; `rosterd check` tells which is missing"
            ),
            Some(word) => format!("{host} refuses the client {app} an access token ({word})"),
            None if error.worth_retrying() => return error,
            None => format!(
                "{host} answered {} where access tokens are issued: check that org_url is the organisation's own, such as https://acme.okta.com",
                answer.status
            ),
        };
        HttpError::Credential {
            passing: error.worth_retrying(),
            text,
        }
    }

    fn no_dpop(&self) -> HttpError {
        fatal(format!(
            "the client {} demands DPoP, which rosterd does not do: in the app's General settings, switch off `Require Demonstrating Proof of Possession (DPoP) header in token requests`",
            self.client_id
        ))
    }
}

#[async_trait]
impl Signer for ServiceApp {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        put(request, &self.authorization().await?)
    }

    async fn refused(&self, request: &Request) -> bool {
        let mut held = self.held.lock().await;
        let sent = request.headers().get(AUTHORIZATION);
        // When another request has renewed it meanwhile, that one is the fresh token.
        held.take_if(|token| sent.is_some_and(|sent| sent == token.authorization.as_str()));
        true
    }
}

/// Puts a fresh assertion into each sending: Okta takes a `jti` only once.
struct Assertion<'a> {
    app: &'a ServiceApp,
    scopes: &'a str,
}

#[async_trait]
impl Signer for Assertion<'_> {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        let assertion = self.app.assertion()?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", self.scopes)
            .append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .append_pair("client_assertion", &assertion)
            .finish();
        *request.body_mut() = Some(form.into());
        Ok(())
    }
}

/// The OAuth error word of an answer: letters and underscores, or it is not one.
fn denied(answer: &StatusError) -> Option<String> {
    let Denied { error } = serde_json::from_slice(&answer.body).ok()?;
    let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    error.bytes().all(word).then_some(error)
}

fn ahead(headers: &HeaderMap) -> Option<SignedDuration> {
    Some(answered_at(headers)?.duration_since(crate::clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::okta::Scope;

    fn app() -> ServiceApp {
        let options = Options {
            name: "okta".into(),
            org_url: "https://acme.okta.com".parse().unwrap(),
            credential: Credential::PrivateKey {
                client_id: "0oaclient".into(),
                key_pem: include_str!("testdata/rsa.jwk").into(),
                key_id: None,
            },
            scope: Scope::All,
            pending_users_active: false,
            attributes: Default::default(),
            concurrency: 8,
            rate_share: 0.5,
            timeout: Duration::from_secs(30),
            ca_pem: None,
        };
        let base = "https://acme.okta.com/".parse().unwrap();
        ServiceApp::open(&options, &base).unwrap()
    }

    fn status(status: u16, body: &str, date: Option<jiff::Timestamp>) -> StatusError {
        let mut headers = HeaderMap::new();
        if let Some(date) = date {
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            headers.insert("date", date.parse().unwrap());
        }
        StatusError {
            what: "the access token".into(),
            host: "acme.okta.com:443".into(),
            status: status.try_into().unwrap(),
            headers,
            body: body.to_owned().into(),
        }
    }

    fn explained(code: u16, body: &str) -> String {
        let error = HttpError::Status(Box::new(status(code, body, None)));
        app().explain(error, "a b").to_string()
    }

    #[test]
    fn a_refusal_says_what_to_mend() {
        assert!(explained(401, r#"{"error":"invalid_client"}"#).contains("kid test-rsa"));
        assert!(explained(400, r#"{"error":"invalid_scope"}"#).contains("Okta API Scopes"));
        assert!(explained(400, r#"{"error":"use_dpop_nonce"}"#).contains("DPoP"));
        assert!(explained(400, r#"{"error":"invalid_dpop_proof"}"#).contains("switch off"));
        assert!(explained(404, "<html>").contains("org_url"));
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_once() {
        let app = app();
        let later = crate::clock::now() + SignedDuration::from_mins(10);
        let refused = status(401, r#"{"error":"invalid_client"}"#, Some(later));
        assert!(app.learn_time(&refused));
        assert!(!app.learn_time(&refused));
        let claims = app.assertion().unwrap();
        let mut parts = claims.split('.');
        let body = parts.nth(1).unwrap();
        use base64::Engine as _;
        let body = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(body)
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let iat = body["iat"].as_i64().unwrap();
        assert!((iat - later.as_second()).abs() <= 2);
        assert_eq!(body["aud"], "https://acme.okta.com/oauth2/v1/token");
    }

    #[test]
    fn each_assertion_is_new() {
        let app = app();
        assert_ne!(app.assertion().unwrap(), app.assertion().unwrap());
    }
}
