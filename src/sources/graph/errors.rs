//! What Graph and its login host mean by an error, and what an operator can do about it.
//!
//! Statuses and codes decide; the services' own words are shown only where nothing better
//! is known, and one property name is read out of them, which has no code of its own.

use serde::Deserialize;
use serde_json::Value as Json;

use super::auth::App;
use crate::http::{HttpError, StatusError};
use crate::sources::FetchError;

/// What was being read, and so which permission it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    Users,
    Groups,
    Assignments,
}

impl Area {
    pub fn permission(self) -> &'static str {
        match self {
            Area::Users => "User.Read.All",
            Area::Groups => "GroupMember.Read.All",
            Area::Assignments => "Application.Read.All",
        }
    }
}

/// Graph's error body. Codes nest: the inner ones say more.
#[derive(Default, Debug)]
pub struct GraphError {
    codes: Vec<String>,
    message: String,
}

impl GraphError {
    pub fn read(body: &[u8]) -> GraphError {
        let Ok(json) = serde_json::from_slice::<Json>(body) else {
            return GraphError::default();
        };
        let mut error = GraphError::default();
        let mut node = json.get("error");
        while let Some(inner) = node {
            if let Some(code) = inner.get("code").and_then(Json::as_str)
                && !code.is_empty()
            {
                error.codes.push(code.to_owned());
            }
            if error.message.is_empty()
                && let Some(message) = inner.get("message").and_then(Json::as_str)
            {
                error.message = message.to_owned();
            }
            node = inner.get("innerError").or_else(|| inner.get("innererror"));
        }
        error
    }

    pub fn has(&self, code: &str) -> bool {
        self.codes
            .iter()
            .any(|have| have.eq_ignore_ascii_case(code))
    }

    pub fn brief(&self) -> String {
        match (self.codes.first(), self.message.as_str()) {
            (None, "") => "without a reason".into(),
            (None, message) => message.into(),
            (Some(code), "") => code.clone(),
            (Some(code), message) => format!("{code}: {message}"),
        }
    }
}

/// Whether the answer to a saved link means that only a full round helps.
pub fn asks_for_resync(answer: &StatusError) -> bool {
    let error = GraphError::read(&answer.body);
    match answer.status.as_u16() {
        410 => true,
        // A link that was good once and is malformed or unknown now is too old.
        400 | 404 => true,
        _ => error.has("syncStateNotFound") || error.has("resyncRequired"),
    }
}

/// The property that Graph does not have, if that is what it complains about.
pub fn unknown_property(answer: &StatusError) -> Option<String> {
    if !matches!(answer.status.as_u16(), 400 | 501) {
        return None;
    }
    let message = GraphError::read(&answer.body).message;
    let mut quoted = message.split('\'');
    quoted.nth(1).map(str::to_owned)
}

/// What went wrong, for whoever has to mend it.
pub fn fetch_error(error: HttpError, area: Area) -> FetchError {
    let passing = error.worth_retrying();
    let text = match error.status() {
        Some(answer) => refusal(answer, area),
        None => error.to_string(),
    };
    match (passing, &error) {
        // Pages without an end are the service's fault, not a setting's.
        (true, _) | (_, HttpError::Endless { .. } | HttpError::TooLarge { .. }) => {
            FetchError::Unavailable(text)
        }
        (_, HttpError::Status(answer)) if answer.status.as_u16() == 410 => {
            FetchError::Unavailable(text)
        }
        _ => FetchError::Refused(text),
    }
}

fn refusal(answer: &StatusError, area: Area) -> String {
    let error = GraphError::read(&answer.body);
    match answer.status.as_u16() {
        401 => format!(
            "{answer}: it does not accept a fresh token; check `tenant`, `client_id` and `cloud`"
        ),
        403 => format!(
            "{answer}: the application lacks the application permission {}; add it to the app \
             registration and grant admin consent",
            area.permission()
        ),
        404 if area == Area::Assignments => format!(
            "{answer}: no enterprise application has the app id in `application`; give the \
             application (client) id, not the object id"
        ),
        429 => format!("{answer}: too many requests"),
        _ => format!("{answer} ({})", error.brief()),
    }
}

#[derive(Deserialize, Default)]
struct TokenError {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Why Entra gives no token, by its AADSTS number.
pub(super) fn token_refused(error: HttpError, app: &App) -> HttpError {
    let Some(answer) = error.status() else {
        return error;
    };
    if !answer.status.is_client_error() {
        return error;
    }
    let App {
        tenant, client_id, ..
    } = app;
    let host = &answer.host;
    let told: TokenError = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = told.error_codes.first().copied();
    let reason = match code {
        Some(7_000_215) => format!(
            "the client secret of application {client_id} is wrong; set `client_secret` to the \
             value of a secret (not to its id)"
        ),
        Some(7_000_222) => format!(
            "the client secret of application {client_id} has expired; make a new one and set \
             `client_secret`"
        ),
        Some(7_000_218) => "no client secret or certificate was sent; set one of them".into(),
        Some(700_016) => format!(
            "there is no application {client_id} in tenant {tenant}; check `client_id` and \
             `tenant`"
        ),
        Some(90_002 | 900_021 | 900_023 | 900_144) => {
            format!("there is no tenant {tenant}; check `tenant` and `cloud`")
        }
        Some(7_000_112 | 7_000_229) => format!(
            "application {client_id} is disabled or not installed in tenant {tenant}; enable the \
             enterprise application or grant admin consent"
        ),
        Some(700_027) => format!(
            "the certificate is not registered for application {client_id}; upload its public \
             part to the app registration"
        ),
        Some(700_021 | 700_023 | 700_024) => {
            "the signed assertion does not fit; check this machine's clock, `tenant` and \
             `authority`"
                .into()
        }
        Some(70_021 | 700_211 | 700_212 | 700_213) => format!(
            "no federated credential of application {client_id} matches this workload's token; \
             check issuer, subject and audience (a new one takes a few minutes)"
        ),
        Some(50_034 | 53_003) => {
            "a conditional access policy blocks the application; exempt it or this host".into()
        }
        Some(70_011 | 500_011 | 1_002_012) => "the scope is not known there; check `cloud`".into(),
        _ => {
            let said = told.error_description.split(" Trace ID").next();
            match said.map(|text| text.lines().next().unwrap_or_default().trim()) {
                Some(text) if !text.is_empty() => text.to_owned(),
                _ if !told.error.is_empty() => told.error.clone(),
                _ => format!("status {}", answer.status),
            }
        }
    };
    let number = code
        .map(|code| format!(" (AADSTS{code})"))
        .unwrap_or_default();
    HttpError::Credential {
        text: format!("{host} gives no token: {reason}{number}"),
        passing: false,
    }
}

/// Why the machine has no identity.
pub(super) fn identity_refused(error: HttpError) -> HttpError {
    let text = match &error {
        HttpError::Status(answer) => {
            let told: TokenError = serde_json::from_slice(&answer.body).unwrap_or_default();
            let said = match told.error_description.as_str() {
                "" => answer.status.to_string(),
                text => text.to_owned(),
            };
            format!(
                "{} gives no token for the managed identity ({said}); attach an identity to this \
                 machine, and name its client id if there are several",
                answer.host
            )
        }
        HttpError::Unreachable { .. } | HttpError::Timeout { .. } => format!(
            "{error}; a managed identity exists on Azure machines only: elsewhere use a \
             certificate or `client_secret`"
        ),
        _ => return error,
    };
    HttpError::Credential {
        text,
        passing: error.worth_retrying(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use reqwest::StatusCode;

    fn answer(status: u16, body: &str) -> HttpError {
        HttpError::Status(Box::new(StatusError {
            what: "the users list".into(),
            host: "graph.test:443".into(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: Default::default(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }))
    }

    fn app() -> App {
        App {
            tenant: "contoso".into(),
            client_id: "app-1".into(),
            scope: String::new(),
            token_url: "https://login.test/".parse().unwrap(),
        }
    }

    #[test]
    fn codes_are_found_however_deep() {
        let body = r#"{"error":{"code":"","innererror":{"code":"x","innerError":{"code":"SyncStateNotFound"}}}}"#;
        assert!(GraphError::read(body.as_bytes()).has("syncstatenotfound"));
    }

    #[test]
    fn a_403_names_the_permission_that_is_missing() {
        let error = fetch_error(answer(403, "{}"), Area::Groups);
        assert!(matches!(&error, FetchError::Refused(text)
            if text.contains("GroupMember.Read.All")));
    }

    #[test]
    fn a_property_that_graph_does_not_have_is_found() {
        let body = r#"{"error":{"code":"BadRequest","message":"Could not find a property named 'badge' on type 'microsoft.graph.user'."}}"#;
        let error = answer(400, body);
        assert_eq!(
            unknown_property(error.status().unwrap()).as_deref(),
            Some("badge")
        );
    }

    #[test]
    fn a_refused_token_says_what_to_mend() {
        let told = |code: u64| {
            let body = format!(r#"{{"error":"x","error_codes":[{code}]}}"#);
            token_refused(answer(401, &body), &app())
        };
        assert!(told(7_000_222).to_string().contains("has expired"));
        assert!(told(700_016).to_string().contains("`client_id`"));
        assert!(told(90_002).to_string().contains("`tenant`"));
        assert!(!told(7_000_215).worth_retrying());
        let other =
            r#"{"error":"x","error_description":"AADSTS1: Some reason. Trace ID: 7 Timestamp: 8"}"#;
        let text = token_refused(answer(400, other), &app()).to_string();
        assert!(text.ends_with("AADSTS1: Some reason."), "{text}");
    }
}
