//! The login authority and the managed identity endpoint: who gets a token, and what is said to
//! the rest.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::denied::request_id;
use super::tenant::{TENANT_DOMAIN, TENANT_ID};
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::ids;
use crate::jwt::{self, PublicKey};
use crate::reply::Reply;
use crate::world::World;

/// What the app registration knows. `POST /sim/graph/credentials` changes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    pub client_id: String,
    pub secret: String,
    pub secret_expired: bool,
    /// PEM certificates or public keys.
    pub certificates: Vec<PublicKey>,
    /// External tokens that the federated credential accepts as they are.
    pub federated_tokens: Vec<String>,
    /// Whether an identity is attached to the machine.
    pub managed_identity: bool,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            client_id: "sim-client".to_owned(),
            secret: "sim-secret".to_owned(),
            secret_expired: false,
            certificates: Vec::new(),
            federated_tokens: Vec::new(),
            managed_identity: true,
        }
    }
}

/// Credentials, and the tokens given out.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    credentials: Credentials,
    issued: HashMap<String, Millis>,
    count: u64,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Valid,
    Expired,
    Unknown,
}

impl Tokens {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn credentials(&self) -> Credentials {
        self.lock().credentials.clone()
    }

    pub fn set_credentials(&self, credentials: Credentials) {
        self.lock().credentials = credentials;
    }

    /// Whether a bearer token opens the API.
    pub fn check(&self, token: &str, now: Millis) -> Check {
        match self.lock().issued.get(token) {
            Some(&end) if now < end => Check::Valid,
            Some(_) => Check::Expired,
            None => Check::Unknown,
        }
    }

    /// A new token that ends at a moment.
    pub fn issue(&self, end: Millis, now: Millis) -> String {
        let mut inner = self.lock();
        inner.count += 1;
        // Those long expired are forgotten, so that a long run does not collect them.
        inner.issued.retain(|_, end| *end + 600_000 > now);
        let token = format!(
            "eyJ0eXAiOiJKV1QifQ.{}.sim",
            ids::seal(&(inner.count, end, "graph"))
        );
        inner.issued.insert(token.clone(), end);
        token
    }

    /// Ends every token given out so far.
    pub fn expire_all(&self) {
        for end in self.lock().issued.values_mut() {
            *end = (*end).min(1);
        }
    }
}

struct Refused {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

fn refused(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Refused {
    Refused {
        status,
        error,
        code,
        text: text.into(),
    }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub fn answer(world: &World, call: &Call, tenant: &str) -> Reply {
    let now = world.clock.now();
    match grant(world, call, tenant, now) {
        Ok(()) => {
            let lifetime = world.settings().token_lifetime_s;
            let token = world.graph.tokens.issue(now + lifetime * 1_000, now);
            world.stats.note(|stats| stats.tokens += 1);
            let body = json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            });
            Reply::json(200, &body).with("cache-control", "no-store, no-cache")
        }
        Err(Refused {
            status,
            error,
            code,
            text,
        }) => {
            let stamp = clock::iso_seconds(now).replace('T', " ");
            let trace = request_id(now);
            Reply::json(
                status,
                &json!({
                    "error": error,
                    "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Timestamp: {stamp}"),
                    "error_codes": [code],
                    "timestamp": stamp,
                    "trace_id": trace,
                    "correlation_id": request_id(now),
                }),
            )
        }
    }
}

fn grant(world: &World, call: &Call, tenant: &str, now: Millis) -> Result<(), Refused> {
    let known = tenant.eq_ignore_ascii_case(TENANT_DOMAIN)
        || tenant.eq_ignore_ascii_case(TENANT_ID)
        || tenant.eq_ignore_ascii_case("contoso.com");
    if !known {
        return Err(refused(
            400,
            "invalid_request",
            90_002,
            format!("Tenant '{tenant}' not found."),
        ));
    }
    let form: HashMap<String, String> = call.form().into_iter().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(refused(
            400,
            "unsupported_grant_type",
            70_003,
            "The app requested an unsupported grant type.",
        ));
    }
    if !field("scope").ends_with("/.default") {
        return Err(refused(
            400,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope '{}' is not valid.",
                field("scope")
            ),
        ));
    }
    let basic = call.header("authorization").and_then(basic_pair);
    let (client, secret) = match &basic {
        Some((client, secret)) => (client.as_str(), Some(secret.as_str())),
        None => (
            field("client_id"),
            form.get("client_secret").map(String::as_str),
        ),
    };
    let credentials = world.graph.tokens.credentials();
    if client != credentials.client_id {
        return Err(refused(
            400,
            "unauthorized_client",
            700_016,
            format!("Application with identifier '{client}' was not found in the directory."),
        ));
    }
    if let Some(assertion) = form.get("client_assertion") {
        return assertion_grant(&credentials, assertion, tenant, now);
    }
    match secret {
        None => Err(refused(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain: 'client_assertion' or 'client_secret'.",
        )),
        Some(secret) if secret != credentials.secret => Err(refused(
            401,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.",
        )),
        Some(_) if credentials.secret_expired => Err(refused(
            401,
            "invalid_client",
            7_000_222,
            "The provided client secret keys are expired.",
        )),
        Some(_) => Ok(()),
    }
}

fn assertion_grant(
    credentials: &Credentials,
    assertion: &str,
    tenant: &str,
    now: Millis,
) -> Result<(), Refused> {
    if credentials
        .federated_tokens
        .iter()
        .any(|known| known == assertion)
    {
        return Ok(());
    }
    let bad = |code: u32, text: &str| Err(refused(401, "invalid_client", code, text));
    let own = jwt::verify(assertion, &credentials.certificates, jwt::ENTRA);
    let Some(claims) = own else {
        if !credentials.federated_tokens.is_empty() && credentials.certificates.is_empty() {
            return bad(
                700_213,
                "No matching federated identity record found for presented assertion.",
            );
        }
        return bad(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        );
    };
    let seconds = now / 1_000;
    let expected = format!("/{}/oauth2/v2.0/token", tenant.to_lowercase());
    if claims.iss != credentials.client_id || claims.sub != credentials.client_id {
        return bad(
            700_021,
            "Client assertion issuer or subject is not the client.",
        );
    }
    if !claims.aud.to_lowercase().ends_with(&expected) {
        return bad(
            700_023,
            "Client assertion audience claim does not match the realm issuer.",
        );
    }
    // Five minutes of skew, as the service grants.
    if claims.exp + 300 < seconds || claims.nbf.is_some_and(|from| from > seconds + 300) {
        return bad(
            700_024,
            "Client assertion is not within its valid time range.",
        );
    }
    if claims.jti.is_none() {
        return bad(700_027, "Client assertion contains no jti.");
    }
    Ok(())
}

fn basic_pair(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (client, secret) = text.split_once(':')?;
    // RFC 6749 2.3.1: both are form-encoded before they are joined.
    let plain = |text: &str| {
        url::form_urlencoded::parse(format!("v={text}").as_bytes())
            .next()
            .map_or_else(String::new, |(_, value)| value.into_owned())
    };
    Some((plain(client), plain(secret)))
}

/// Answers the managed identity endpoint of a virtual machine, or of an app service, which
/// hands out a key of its own and asks for it. Its numbers are strings.
pub fn managed_identity(world: &World, call: &Call) -> Reply {
    let now = world.clock.now();
    let refuse = |error: &str, text: &str| {
        Reply::json(400, &json!({"error": error, "error_description": text}))
    };
    let of_machine = call
        .header("metadata")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let of_service = call
        .header("x-identity-header")
        .is_some_and(|key| !key.is_empty());
    if !(of_machine || of_service) {
        return refuse("invalid_request", "Required metadata header not specified");
    }
    if call.header("x-forwarded-for").is_some() {
        return refuse("invalid_request", "The request came through a proxy");
    }
    let resource = call.option("resource").unwrap_or_default();
    if resource.is_empty() || call.option("api-version").is_none() {
        return refuse(
            "invalid_request",
            "Required query variable 'resource' or 'api-version' is missing",
        );
    }
    let credentials = world.graph.tokens.credentials();
    let named = call.option("client_id");
    if !credentials.managed_identity || named.is_some_and(|id| id != credentials.client_id) {
        return refuse("invalid_request", "Identity not found");
    }
    let lifetime = world.settings().token_lifetime_s;
    let token = world.graph.tokens.issue(now + lifetime * 1_000, now);
    world.stats.note(|stats| stats.tokens += 1);
    Reply::json(
        200,
        &json!({
            "access_token": token,
            "client_id": credentials.client_id,
            "expires_in": lifetime.to_string(),
            "expires_on": (now / 1_000 + lifetime).to_string(),
            "ext_expires_in": lifetime.to_string(),
            "not_before": (now / 1_000).to_string(),
            "refresh_token": "",
            "resource": resource,
            "token_type": "Bearer",
        }),
    )
}
