//! What went wrong, in one line: what was read, where, and how to mend it.
//!
//! `http` knows status lines; here a status meets Okta's error codes and the permission that
//! the request needed. Only the code of an error is stable, so nothing else decides.

use super::options::Credential;
use super::wire::ErrorBody;
use crate::http::{HttpError, StatusError};
use crate::sources::FetchError;

/// The permission that a request needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    Users,
    Groups,
    Apps,
    Logs,
}

impl Need {
    /// The OAuth scope that grants it.
    pub fn scope(self) -> &'static str {
        match self {
            Need::Users => "okta.users.read",
            Need::Groups => "okta.groups.read",
            Need::Apps => "okta.apps.read",
            Need::Logs => "okta.logs.read",
        }
    }

    /// What an admin role must allow.
    fn role(self) -> &'static str {
        match self {
            Need::Users => "view users",
            Need::Groups => "view groups and their members",
            Need::Apps => "view the application and its assignments",
            Need::Logs => "view the System Log",
        }
    }
}

/// How the source signs in, for advice on what to mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignIn {
    ApiToken,
    ServiceApp,
}

impl From<&Credential> for SignIn {
    fn from(credential: &Credential) -> SignIn {
        match credential {
            Credential::ApiToken(_) => SignIn::ApiToken,
            Credential::PrivateKey { .. } => SignIn::ServiceApp,
        }
    }
}

/// The code in an error answer, if it is one of Okta's.
pub fn code(answer: &StatusError) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(&answer.body).ok()?;
    body.code
}

/// Whether Okta says that the object does not exist. Any other 404 (a proxy's, a wrong path)
/// proves nothing about the object.
pub fn is_gone(error: &HttpError) -> bool {
    error
        .status()
        .is_some_and(|it| it.status.as_u16() == 404 && code(it).as_deref() == Some("E0000007"))
}

/// Whether the request itself was refused as malformed or out of date.
pub fn is_bad_request(error: &HttpError) -> bool {
    error.status().is_some_and(|it| it.status.as_u16() == 400)
}

/// Turns a failed request into the source's error.
pub fn explain(error: HttpError, need: Need, sign_in: SignIn) -> FetchError {
    let Some(answer) = error.status() else {
        // A chain that goes in circles is the service's fault, and may be over by the next run.
        let passing = error.worth_retrying() || matches!(error, HttpError::Endless { .. });
        return match passing {
            true => FetchError::Unavailable(error.to_string()),
            false => FetchError::Refused(error.to_string()),
        };
    };
    let code = code(answer);
    let StatusError { what, host, .. } = answer;
    let status = answer.status.as_u16();
    let told = match &code {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    };
    match (status, code.as_deref()) {
        (401, _) => FetchError::Refused(match sign_in {
            SignIn::ApiToken => format!(
                "{what}: {host} does not accept the API token ({told}); it is wrong, revoked, unused for 30 days or tied to another network: create one under Security > API > Tokens"
            ),
            SignIn::ServiceApp => format!(
                "{what}: {host} does not accept the access token it issued ({told}); check that the service app is active and that org_url is the organisation it belongs to"
            ),
        }),
        (403, _) => FetchError::Refused(match sign_in {
            SignIn::ApiToken => format!(
                "{what}: {host} does not permit it ({told}); the administrator who owns the API token needs a role that may {}, such as Read-only Administrator",
                need.role()
            ),
            SignIn::ServiceApp => format!(
                "{what}: {host} does not permit it ({told}); grant the service app the scope {} and assign it an admin role that may {}, such as Read-only Administrator",
                need.scope(),
                need.role()
            ),
        }),
        (404, Some("E0000007")) if need == Need::Apps => FetchError::Refused(format!(
            "{what}: {host} knows no such application ({told}); set `application` to the id in its address in the admin console (0oa…), and see that the admin role covers it"
        )),
        (404, _) => FetchError::Refused(format!(
            "{what}: {host} has no such address ({told}); check that org_url is the organisation's own, such as https://acme.okta.com, without -admin and without a path"
        )),
        (400, _) => FetchError::Unavailable(format!(
            "{what}: {host} did not understand the request or no longer knows the page ({told}{})",
            request_id(answer)
        )),
        _ if error.worth_retrying() => {
            FetchError::Unavailable(format!("{error} ({told}{})", request_id(answer)))
        }
        _ => FetchError::Refused(format!("{error} ({told}{})", request_id(answer))),
    }
}

/// Okta's own name for a request, for its support.
fn request_id(answer: &StatusError) -> String {
    let id = answer.headers.get("x-okta-request-id");
    match id.and_then(|id| id.to_str().ok()) {
        Some(id) => format!(", request {id}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> HttpError {
        HttpError::Status(Box::new(StatusError {
            what: "the users list".into(),
            host: "acme.okta.com:443".into(),
            status: status.try_into().unwrap(),
            headers: Default::default(),
            body: body.to_owned().into(),
        }))
    }

    fn text(error: HttpError, need: Need, sign_in: SignIn) -> String {
        explain(error, need, sign_in).to_string()
    }

    #[test]
    fn a_missing_permission_is_named() {
        let forbidden = || answered(403, r#"{"errorCode":"E0000006"}"#);
        let told = text(forbidden(), Need::Logs, SignIn::ServiceApp);
        assert!(
            told.contains("okta.logs.read") && told.contains("E0000006"),
            "{told}"
        );
        let told = text(forbidden(), Need::Users, SignIn::ApiToken);
        assert!(
            told.contains("view users") && !told.contains("scope"),
            "{told}"
        );
    }

    #[test]
    fn an_object_is_gone_only_when_okta_says_so() {
        assert!(is_gone(&answered(404, r#"{"errorCode":"E0000007"}"#)));
        assert!(!is_gone(&answered(404, r#"{"errorCode":"E0000008"}"#)));
        assert!(!is_gone(&answered(404, "<html>not here</html>")));
        assert!(!is_gone(&answered(410, r#"{"errorCode":"E0000007"}"#)));
    }

    #[test]
    fn what_may_pass_is_worth_another_run_and_what_must_be_mended_is_not() {
        let retry = |status, body| {
            explain(answered(status, body), Need::Users, SignIn::ApiToken).worth_retrying()
        };
        assert!(retry(503, "{}"));
        assert!(retry(400, r#"{"errorCode":"E0000054"}"#));
        assert!(!retry(401, r#"{"errorCode":"E0000011"}"#));
        assert!(!retry(403, "{}"));
        assert!(!retry(404, "{}"));
    }

    #[test]
    fn every_text_is_one_line() {
        for status in [400, 401, 403, 404, 409, 500] {
            for need in [Need::Users, Need::Apps] {
                let told = text(answered(status, "a\nb"), need, SignIn::ApiToken);
                assert!(!told.contains('\n'));
            }
        }
    }
}
