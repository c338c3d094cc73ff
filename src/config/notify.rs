//! `[notify]`: who is told when something needs somebody's eye.

use std::time::Duration;

use url::Url;

use super::secret::Secret;
use super::section::Section;
use super::{address, duration};

/// The settings of `[notify]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Where a message is posted as JSON. Default: nowhere.
    pub url: Option<Secret>,
    /// A program and its arguments, given the same message on its standard input. Default: none.
    pub command: Vec<String>,
    /// How old the last complete sync of a source may be. Default: `24h`.
    pub overdue_after: Duration,
}

impl Notify {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            url: section.secret("url"),
            command: section.texts("command"),
            overdue_after: section.read("overdue_after", duration::parse)?,
        })
    }
}

/// Why a text cannot be the address of a webhook. The text is not repeated: such addresses are
/// secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WebhookError(&'static str);

/// This reads the address of a webhook: https, or http on this machine. It may carry a query.
pub fn webhook(text: &str) -> Result<Url, WebhookError> {
    let said = match Url::parse(text) {
        Ok(url) if url.host().is_none() => "is no web address",
        Ok(url) if url.scheme() == "https" => return Ok(url),
        Ok(url) if url.scheme() == "http" && address::is_loopback(&url) => return Ok(url),
        Ok(_) => "must begin with https://, as http:// is for loopback hosts only",
        Err(_) => "is no web address",
    };
    Err(WebhookError(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_https_or_on_this_machine() {
        for good in ["https://chat.test/hook?key=x", "http://127.0.0.1:1/x"] {
            assert!(webhook(good).is_ok(), "{good}");
        }
        for bad in ["http://chat.test/hook", "chat.test", "mailto:a@b.test"] {
            assert!(webhook(bad).is_err(), "{bad}");
        }
    }
}
