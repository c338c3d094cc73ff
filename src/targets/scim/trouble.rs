//! What an answer that says no means for what was asked.

use reqwest::StatusCode;
use serde_json::Value;

use crate::http::{HttpError, StatusError};
use crate::scim::member;
use crate::targets::TargetError;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The object is not there (404).
    Gone,
    /// Something else has its name (409, or 400 with `uniqueness`).
    Taken(String),
    /// The provider does not know this operation, or not in this form.
    Unsupported(String),
    /// It does not want this.
    Refused {
        status: u16,
        scim_type: Option<String>,
        text: String,
    },
    /// The answer did not come, or was a fault. It may have been done all the same.
    Fault(String),
    /// It is to be asked again in a moment, after a look whether it was done all the same.
    Later(String),
    /// Nothing can be told to the provider now.
    Away(String),
}

impl Trouble {
    /// `token_key` is the setting to mend where the token is refused; `token` is what no text
    /// may show, should the provider repeat it.
    pub fn of(error: HttpError, token_key: &str, token: &str) -> Trouble {
        let answer = match error {
            HttpError::Status(answer) => answer,
            HttpError::Timeout { .. }
            | HttpError::Cut { .. }
            | HttpError::Unreadable { .. }
            | HttpError::TooLarge { .. } => return Trouble::Fault(error.to_string()),
            error => return Trouble::Away(error.to_string()),
        };
        let StatusError { status, .. } = *answer;
        let (scim_type, detail) = told(&answer);
        let mut text = match detail {
            Some(detail) => format!("{answer}: {detail}"),
            None => answer.to_string(),
        };
        if !token.is_empty() {
            text = text.replace(token, crate::config::MASK);
        }
        match status.as_u16() {
            401 => Trouble::Away(format!(
                "{text}; the token was not accepted: put a valid one where '{token_key}' says"
            )),
            403 => Trouble::Away(format!(
                "{text}; the token of '{token_key}' may not do this: give it the right to read and write users and groups"
            )),
            404 => Trouble::Gone,
            409 => Trouble::Taken(text),
            400 if is(&scim_type, "uniqueness") => Trouble::Taken(text),
            405 | 501 => Trouble::Unsupported(text),
            300..=399 => Trouble::Away(format!(
                "{text}; a service that redirects is not the one: check base_url"
            )),
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Trouble::Fault(text)
            }
            status => Trouble::Refused {
                status,
                scim_type,
                text,
            },
        }
    }

    /// Whether it is the form that is refused and not what is said in it.
    pub fn is_about_the_path(&self) -> bool {
        match self {
            Trouble::Unsupported(_) => true,
            Trouble::Refused { scim_type, .. } => {
                is(scim_type, "invalidPath") || is(scim_type, "invalidFilter")
            }
            _ => false,
        }
    }

    /// Whether a path leads to a value that is not there.
    pub fn found_no_target(&self) -> bool {
        matches!(self, Trouble::Refused { scim_type, .. } if is(scim_type, "noTarget"))
    }

    /// Whether fewer at a time may help.
    pub fn may_be_too_much(&self) -> bool {
        matches!(
            self,
            Trouble::Refused {
                status: 400 | 413,
                ..
            } | Trouble::Gone
        )
    }
}

fn is(scim_type: &Option<String>, word: &str) -> bool {
    scim_type
        .as_deref()
        .is_some_and(|given| given.eq_ignore_ascii_case(word))
}

impl From<Trouble> for TargetError {
    fn from(trouble: Trouble) -> TargetError {
        match trouble {
            Trouble::Away(text) | Trouble::Later(text) => TargetError::Away(text),
            Trouble::Gone => TargetError::Refused("it is not there any more".to_owned()),
            Trouble::Taken(text)
            | Trouble::Unsupported(text)
            | Trouble::Fault(text)
            | Trouble::Refused { text, .. } => TargetError::Refused(text),
        }
    }
}

/// The longest part of a provider's own words that is passed on.
const LONGEST_DETAIL: usize = 200;

/// `scimType` and `detail` of an error, any of which may be missing.
fn told(answer: &StatusError) -> (Option<String>, Option<String>) {
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        return (None, None);
    };
    let text = |name: &str| member(&body, name)?.as_str().map(str::to_owned);
    let detail = text("detail").map(|detail| {
        // One line, and not a page of it.
        let words: Vec<&str> = detail.split_whitespace().collect();
        words.join(" ").chars().take(LONGEST_DETAIL).collect()
    });
    (
        text("scimType"),
        detail.filter(|detail: &String| !detail.is_empty()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(status: u16, body: &str) -> Trouble {
        let answer = StatusError {
            what: "creating a user".to_owned(),
            host: "x.test:443".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: Default::default(),
            body: body.to_owned().into(),
        };
        Trouble::of(
            HttpError::Status(Box::new(answer)),
            "targets.app.token",
            "s3cret",
        )
    }

    #[test]
    fn a_name_that_is_taken_is_told_in_two_ways() {
        let taken = r#"{"status":"400","scimType":"uniqueness","detail":"taken"}"#;
        assert!(matches!(trouble(400, taken), Trouble::Taken(_)));
        assert!(matches!(trouble(409, ""), Trouble::Taken(_)));
        assert!(matches!(
            trouble(400, "{}"),
            Trouble::Refused { status: 400, .. }
        ));
    }

    #[test]
    fn a_refused_token_is_named_by_its_setting_and_never_shown() {
        let Trouble::Away(text) = trouble(401, r#"{"detail":"unknown\ntoken s3cret"}"#) else {
            panic!("a token that is refused is refused for everything");
        };
        assert_eq!(
            text,
            "creating a user: x.test:443 answered 401 Unauthorized: unknown token ***; the token was not accepted: put a valid one where 'targets.app.token' says"
        );
    }

    #[test]
    fn what_is_not_supported_is_no_fault() {
        assert!(matches!(trouble(501, ""), Trouble::Unsupported(_)));
        assert!(matches!(trouble(503, ""), Trouble::Fault(_)));
        assert!(trouble(400, r#"{"scimType":"invalidPath"}"#).is_about_the_path());
    }
}
