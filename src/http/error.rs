//! Why a request brought nothing. One line each: what was wanted, where, and what to do.
//!
//! Texts never hold a query string, a header or a body: any of these can carry a secret.

use std::error::Error as _;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(
        "{what}: cannot reach {host}: {reason}; check the host name, the network and any proxy"
    )]
    Unreachable {
        what: String,
        host: String,
        reason: String,
    },
    #[error(
        "{what}: {host} could not be trusted over TLS: {reason}; if a proxy inspects TLS, add its certificate authority to the settings"
    )]
    Tls {
        what: String,
        host: String,
        reason: String,
    },
    #[error("{what}: {host} did not answer within {seconds} s")]
    Timeout {
        what: String,
        host: String,
        seconds: u64,
    },
    #[error("{what}: {host} broke off its answer: {reason}")]
    Cut {
        what: String,
        host: String,
        reason: String,
    },
    #[error("{0}")]
    Status(Box<StatusError>),
    #[error(
        "{what}: {host} sent an answer that cannot be read ({reason}); if a proxy stands in between, look there first"
    )]
    Unreadable {
        what: String,
        host: String,
        reason: String,
    },
    #[error("{what}: {host} sent more than {limit_mib} MiB in one answer")]
    TooLarge {
        what: String,
        host: String,
        limit_mib: usize,
    },
    #[error("{what}: {host} asks for a pause of {wait_seconds} s; the next run tries again")]
    Throttled {
        what: String,
        host: String,
        wait_seconds: u64,
    },
    #[error("{what}: the pages of {host} do not end ({reason})")]
    Endless {
        what: String,
        host: String,
        reason: String,
    },
    /// No credential could be had; the text is the signer's own.
    #[error("{text}")]
    Credential { text: String, passing: bool },
    #[error("{0}")]
    Setup(String),
}

/// An answer with a status that says no. The body is kept for its reader, not for logs.
pub struct StatusError {
    pub what: String,
    pub host: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl std::fmt::Display for StatusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} answered {}", self.what, self.host, self.status)
    }
}

impl std::fmt::Debug for StatusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusError({self})")
    }
}

impl HttpError {
    /// Whether a later run may have more luck without anyone mending anything.
    pub fn worth_retrying(&self) -> bool {
        match self {
            HttpError::Unreachable { .. }
            | HttpError::Timeout { .. }
            | HttpError::Cut { .. }
            | HttpError::Unreadable { .. }
            | HttpError::Throttled { .. } => true,
            HttpError::Status(answer) => {
                let status = answer.status;
                status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
                    || status == StatusCode::TOO_MANY_REQUESTS
                    || status == StatusCode::REQUEST_TIMEOUT
            }
            HttpError::Credential { passing, .. } => *passing,
            HttpError::Tls { .. }
            | HttpError::TooLarge { .. }
            | HttpError::Endless { .. }
            | HttpError::Setup(_) => false,
        }
    }

    /// The refusing answer, if there was one.
    pub fn status(&self) -> Option<&StatusError> {
        match self {
            HttpError::Status(answer) => Some(answer),
            _ => None,
        }
    }

    /// Reads what reqwest says. The URL goes: its query may hold a token.
    pub(super) fn from_reqwest(
        error: reqwest::Error,
        what: &str,
        host: &str,
        seconds: u64,
    ) -> HttpError {
        let (what, host) = (what.to_owned(), host.to_owned());
        if error.is_timeout() {
            return HttpError::Timeout {
                what,
                host,
                seconds,
            };
        }
        let connecting = error.is_connect();
        let reason = root_cause(&error.without_url());
        // rustls is not named in our dependencies, so its errors are known by their words. A
        // handshake that was merely cut is none of them: trying again helps there.
        let untrusted = ["certificate", "fatal alert", "corrupt message"];
        if untrusted.iter().any(|word| reason.contains(word)) {
            return HttpError::Tls { what, host, reason };
        }
        match connecting {
            true => HttpError::Unreachable { what, host, reason },
            false => HttpError::Cut { what, host, reason },
        }
    }
}

/// The innermost cause: "connection refused" says more than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
