//! Who may come in: the bearer token of the API.
//!
//! Without a token the API is closed, unless the settings open it, which they may do on a
//! loopback address only. A web page can send requests to a loopback address too, from the
//! browser of whoever sits at the machine; so an open door asks that a request names this
//! machine as its host and comes from no other site.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;
use crate::config::{SecretError, Server};

/// How the API is kept.
pub enum Door {
    /// For whoever has the token. Only its digest is kept; digests are compared in constant
    /// time, and say nothing about where two tokens begin to differ.
    Token(blake3::Hash),
    /// For everybody on this machine.
    Open,
    /// For nobody.
    Closed,
}

impl Door {
    pub fn of(settings: &Server) -> Result<Door, SecretError> {
        Ok(match &settings.admin_token {
            Some(token) => Door::Token(digest(token.read()?.expose())),
            None if settings.insecure_no_auth && settings.listen.ip().is_loopback() => Door::Open,
            None => Door::Closed,
        })
    }

    /// Whether this is the token.
    pub fn opens_with(&self, token: &str) -> bool {
        match self {
            Door::Token(kept) => *kept == digest(token),
            Door::Open | Door::Closed => false,
        }
    }

    /// What a session is for: the token that opened it. None where there is no token.
    pub fn mark(&self) -> Option<blake3::Hash> {
        match self {
            Door::Token(kept) => Some(*kept),
            Door::Open | Door::Closed => None,
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Door::Token(_) => match bearer(headers) {
                Some(token) if self.opens_with(token) => Ok(()),
                Some(_) => Err(Problem::unauthorized("this is not the admin token")),
                None => Err(Problem::unauthorized(
                    "send the admin token: 'Authorization: Bearer TOKEN'",
                )),
            },
            Door::Open => from_this_machine(headers),
            Door::Closed => Err(closed()),
        }
    }
}

/// The answer of a closed door.
pub fn closed() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "the settings give no 'server.admin_token', so this stays closed; set one, and send it as a bearer token",
    )
}

fn digest(token: &str) -> blake3::Hash {
    blake3::hash(token.as_bytes())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then_some(token.trim())
}

/// Passes what names this machine as its host and was not sent by another site's page.
pub fn from_this_machine(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    let named = url::Url::parse(&format!("http://{host}"));
    let here = named.is_ok_and(|url| crate::config::is_loopback(&url));
    let same_site = text(ORIGIN).is_none_or(|origin| {
        let (_, from) = origin.split_once("://").unwrap_or_default();
        from == host
    });
    match here && same_site {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "without a token, only requests to a loopback host and of no other site are taken",
        )),
    }
}

/// Lets a request of the API in, or answers it here.
pub async fn api(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match shared.access().door.lets_in(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_the_token_opens() {
        let door = Door::Token(digest("s3cret"));
        let status = |value| match door.lets_in(&headers(&[("authorization", value)])) {
            Ok(()) => 200,
            Err(problem) => problem.status.as_u16(),
        };
        assert_eq!(status("Bearer s3cret"), 200);
        assert_eq!(status("bearer s3cret"), 200);
        for wrong in [
            "Bearer s3cre",
            "Bearer",
            "Basic s3cret",
            "s3cret",
            "Bearer ",
        ] {
            assert_eq!(status(wrong), 401, "{wrong}");
        }
        assert!(door.lets_in(&HeaderMap::new()).is_err());
    }

    #[test]
    fn an_open_door_takes_nothing_from_other_sites_or_under_other_names() {
        let passes = |pairs: &[_]| Door::Open.lets_in(&headers(pairs)).is_ok();
        assert!(passes(&[("host", "127.0.0.1:8480")]));
        assert!(passes(&[
            ("host", "localhost"),
            ("origin", "http://localhost")
        ]));
        assert!(!passes(&[("host", "evil.example")]));
        assert!(!passes(&[
            ("host", "127.0.0.1:8480"),
            ("origin", "http://evil.example")
        ]));
        assert!(!passes(&[("host", "127.0.0.1:8480"), ("origin", "null")]));
        assert!(!passes(&[]));
    }

    #[test]
    fn a_closed_door_opens_to_nobody() {
        let found = Door::Closed.lets_in(&headers(&[("authorization", "Bearer ")]));
        assert_eq!(found.unwrap_err().status, StatusCode::FORBIDDEN);
    }
}
