//! Who may call: API tokens, and OAuth tokens got with a signed assertion.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error;
use crate::call::Call;
use crate::clock::Millis;
use crate::ids;
use crate::jwt::{self, PublicKey};
use crate::reply::Reply;
use crate::settings::Settings;
use crate::world::World;

/// The API token.
pub const TOKEN: &str = "sim-okta-token";

/// What the org knows of its clients. `POST /sim/okta/credentials` changes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    pub token: String,
    pub client_id: String,
    /// PEM public keys or certificates of the service app.
    pub keys: Vec<PublicKey>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            client_id: "0oasimservice".to_owned(),
            keys: Vec::new(),
        }
    }
}

/// Credentials, and the tokens given out.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    credentials: Credentials,
    issued: HashMap<String, (Millis, Vec<String>)>,
    used_jti: HashSet<String>,
    count: u64,
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

    /// Ends every OAuth token given out so far.
    pub fn expire_all(&self) {
        self.lock().issued.clear();
    }
}

/// Whether a request may go on.
pub fn check(world: &World, settings: &Settings, call: &Call, class: &str) -> Result<(), Reply> {
    let invalid = || error(401, "E0000011", "Invalid token provided");
    let header = call.header("authorization").unwrap_or_default();
    let inner = world.okta.tokens.lock();
    if let Some(token) = header.strip_prefix("SSWS ") {
        return if token == inner.credentials.token {
            Ok(())
        } else {
            Err(invalid())
        };
    }
    let Some(token) = header.strip_prefix("Bearer ") else {
        return Err(error(401, "E0000005", "Invalid session"));
    };
    let (end, scopes) = inner.issued.get(token).ok_or_else(invalid)?;
    if world.clock.now() >= *end {
        return Err(invalid());
    }
    let needed = match class.split('.').nth(1) {
        Some("users") => "okta.users.read",
        Some("groups") => "okta.groups.read",
        Some("apps") => "okta.apps.read",
        Some("logs") => "okta.logs.read",
        _ => return Ok(()),
    };
    if scopes.iter().any(|scope| scope == needed) && settings.okta_scopes.contains(needed) {
        return Ok(());
    }
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
    Err(error(
        403,
        "E0000006",
        "You do not have permission to perform the requested action",
    )
    .with("www-authenticate", challenge))
}

/// Answers `POST /oauth2/v1/token`.
pub fn answer(world: &World, call: &Call) -> Reply {
    let refuse = |status: u16, error: &str, text: &str| {
        Reply::json(status, &json!({"error": error, "error_description": text}))
    };
    let form: HashMap<String, String> = call.form().into_iter().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return refuse(
            400,
            "unsupported_grant_type",
            "The grant type is not supported.",
        );
    }
    if field("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
        return refuse(
            401,
            "invalid_client",
            "Only private_key_jwt is accepted for this client.",
        );
    }
    let now = world.clock.now();
    let settings = world.settings().clone();
    let mut inner = world.okta.tokens.lock();
    let verified = jwt::verify(
        field("client_assertion"),
        &inner.credentials.keys,
        jwt::OKTA,
    );
    let Some(claims) = verified else {
        return refuse(
            401,
            "invalid_client",
            "The client_assertion signature is invalid.",
        );
    };
    let client = &inner.credentials.client_id;
    if claims.iss != *client || claims.sub != *client {
        return refuse(
            401,
            "invalid_client",
            "The issuer or subject is not the client.",
        );
    }
    if !claims.aud.ends_with("/oauth2/v1/token") {
        return refuse(
            401,
            "invalid_client",
            "The audience claim is not this endpoint.",
        );
    }
    let seconds = now / 1_000;
    if claims.exp <= seconds || claims.exp > seconds + 3_600 {
        return refuse(
            401,
            "invalid_client",
            "The client_assertion token is expired or lives too long.",
        );
    }
    if let Some(jti) = claims.jti
        && !inner.used_jti.insert(jti)
    {
        return refuse(
            401,
            "invalid_client",
            "The client_assertion token has been used already.",
        );
    }
    let scopes: Vec<String> = field("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty()
        || scopes
            .iter()
            .any(|scope| !settings.okta_scopes.contains(scope))
    {
        return refuse(
            400,
            "invalid_scope",
            "One or more scopes are not configured for the client.",
        );
    }
    inner.count += 1;
    let token = format!(
        "eyJraWQiOiJzaW0ifQ.{}.sim",
        ids::seal(&(inner.count, now, "okta"))
    );
    let end = now + settings.okta_token_lifetime_s * 1_000;
    let scope = scopes.join(" ");
    inner.issued.insert(token.clone(), (end, scopes));
    world.stats.note(|stats| stats.tokens += 1);
    Reply::json(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": settings.okta_token_lifetime_s,
            "access_token": token,
            "scope": scope,
        }),
    )
}
