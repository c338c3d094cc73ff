//! Signing in: an API token, or a service app (`service_app`).

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Request;
use url::Url;

use super::errors::Need;
use super::options::{Credential, Options, Scope};
use super::service_app::ServiceApp;
use crate::http::{HttpError, Signer, set_authorization};
use crate::sources::FetchError;

/// What to ask for when these settings are read.
pub fn needs(scope: &Scope) -> Vec<Need> {
    match scope {
        Scope::Assigned { .. } => vec![Need::Users, Need::Groups, Need::Apps, Need::Logs],
        Scope::All => vec![Need::Users, Need::Groups, Need::Logs],
    }
}

/// What signs the requests of a source.
pub fn signer(options: &Options, base: &Url) -> Result<Arc<dyn Signer>, FetchError> {
    Ok(match &options.credential {
        Credential::ApiToken(token) => Arc::new(ApiToken::new(token)?),
        Credential::PrivateKey { .. } => Arc::new(ServiceApp::open(options, base)?),
    })
}

struct ApiToken(String);

impl ApiToken {
    fn new(token: &str) -> Result<ApiToken, FetchError> {
        let token = token.trim();
        let legible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        match legible {
            true => Ok(ApiToken(format!("SSWS {token}"))),
            false => Err(FetchError::Refused(
                "the API token is empty or holds characters that no token has".to_owned(),
            )),
        }
    }
}

#[async_trait]
impl Signer for ApiToken {
    async fn sign(&self, request: &mut Request) -> Result<(), HttpError> {
        put(request, &self.0)
    }

    /// There is no other token to try, but a single 401 amid a long round can be a hiccup,
    /// and asking once more costs less than the round.
    async fn refused(&self, _: &Request) -> bool {
        true
    }
}

pub fn put(request: &mut Request, value: &str) -> Result<(), HttpError> {
    match set_authorization(request, value) {
        true => Ok(()),
        false => Err(fatal("the token cannot stand in a header".to_owned())),
    }
}

pub fn fatal(text: String) -> HttpError {
    HttpError::Credential {
        text,
        passing: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_cannot_stand_in_a_header_is_refused_early() {
        assert!(
            ApiToken::new(" 00abc\n").is_ok(),
            "files end with a line break"
        );
        assert!(ApiToken::new("").is_err());
        assert!(ApiToken::new("00a bc").is_err());
    }

    #[test]
    fn applications_are_asked_for_only_where_assignments_count() {
        let application = "0oa1".to_owned();
        assert!(needs(&Scope::Assigned { application }).contains(&Need::Apps));
        assert!(!needs(&Scope::All).contains(&Need::Apps));
    }
}
