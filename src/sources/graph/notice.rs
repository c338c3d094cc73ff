//! What Graph posts to the hook: a token to be repeated, word of changes, word about the
//! subscriptions themselves.
//!
//! Nothing of it is used as data. What a genuine notice says is which of two things to do.

use serde::Deserialize;

/// The longest token that is sent back; Graph's are a fraction of it.
const TOKEN_BYTES: usize = 2048;

/// The token that Graph wants repeated before it makes a subscription, and when it likes.
pub fn challenge(query: Option<&str>) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query?.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "validationToken")?;
    (token.len() <= TOKEN_BYTES).then(|| token.into_owned())
}

/// What the genuine items of one notice come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Notice {
    /// Something changed, or may have changed without a word.
    pub changed: bool,
    /// The subscriptions need somebody to look after them.
    pub subscriptions: bool,
}

#[derive(Deserialize)]
struct Posted {
    value: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    client_state: Option<String>,
    #[serde(default)]
    lifecycle_event: Option<String>,
}

/// Reads a notice. Items that do not carry the secret of this digest count for nothing; digests
/// are compared in constant time. An error where the body is no notice.
pub fn read(body: &[u8], secret: blake3::Hash) -> Result<Notice, serde_json::Error> {
    let posted: Posted = serde_json::from_slice(body)?;
    let mut notice = Notice::default();
    for item in posted.value {
        let state = item.client_state.unwrap_or_default();
        if blake3::hash(state.as_bytes()) != secret {
            continue;
        }
        match item.lifecycle_event.as_deref() {
            None => notice.changed = true,
            // Nothing was lost: it goes on when it is renewed.
            Some("reauthorizationRequired") => notice.subscriptions = true,
            // `subscriptionRemoved`, `missed`, and whatever is to come.
            Some(_) => {
                notice = Notice {
                    changed: true,
                    subscriptions: true,
                }
            }
        }
    }
    Ok(notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(items: &str) -> Notice {
        let body = format!("{{\"value\":[{items}]}}");
        read(body.as_bytes(), blake3::hash(b"ours")).unwrap()
    }

    #[test]
    fn only_items_with_the_secret_count() {
        assert_eq!(said(r#"{"clientState":"theirs"},{}"#), Notice::default());
        let mixed = said(r#"{"clientState":"theirs"},{"clientState":"ours"}"#);
        assert!(mixed.changed && !mixed.subscriptions);
    }

    #[test]
    fn word_about_subscriptions_is_told_from_word_of_changes() {
        let item = |event: &str| {
            said(&format!(
                r#"{{"clientState":"ours","lifecycleEvent":"{event}"}}"#
            ))
        };
        assert!(!item("reauthorizationRequired").changed);
        for event in ["subscriptionRemoved", "missed", "yetUnknown"] {
            assert!(item(event).changed && item(event).subscriptions, "{event}");
        }
    }

    #[test]
    fn a_challenge_comes_back_decoded() {
        let token = challenge(Some("a=b&validationToken=Validation%3A+x+%2B%2F%3D"));
        assert_eq!(token.as_deref(), Some("Validation: x +/="));
        assert_eq!(challenge(Some("a=b")), None);
        let long = format!("validationToken={}", "x".repeat(TOKEN_BYTES + 1));
        assert_eq!(challenge(Some(&long)), None);
    }
}
