//! Chains of pages: what keeps one from going in circles, or to somebody else.

use std::collections::HashSet;

use url::Url;

use super::error::HttpError;

/// Far more pages than any directory has (a million users are 5,000 pages of 200), and few
/// enough to end a chain whose links never repeat and never stop.
const MOST_PAGES: usize = 200_000;

/// The links of one chain that were followed so far.
pub struct Chain {
    what: String,
    seen: HashSet<[u8; 16]>,
}

impl Chain {
    pub fn new(what: impl Into<String>) -> Chain {
        Chain {
            what: what.into(),
            seen: HashSet::new(),
        }
    }

    /// Notes a page that is about to be read. A page that was read before, or one too many,
    /// is an error: ending here quietly would pass for having read everything.
    pub fn step(&mut self, link: &Url) -> Result<(), HttpError> {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(link.as_str().as_bytes()).as_bytes()[..16]);
        let reason = match self.seen.insert(digest) {
            false => "a link came a second time".to_owned(),
            true if self.seen.len() > MOST_PAGES => format!("more than {MOST_PAGES} pages"),
            true => return Ok(()),
        };
        Err(HttpError::Endless {
            what: self.what.clone(),
            host: host_of(link),
            reason,
        })
    }

    pub fn pages(&self) -> usize {
        self.seen.len()
    }
}

/// Whether a link leads to the host it came from. One that does not must never be sent a
/// token.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin() && a.username().is_empty() && b.username().is_empty()
}

/// `graph.contoso.com:443`: how errors name a place.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_comes_twice_is_an_error() {
        let url = |n: u32| Url::parse(&format!("https://x.test/?skip={n}")).unwrap();
        let mut chain = Chain::new("the users list");
        chain.step(&url(1)).unwrap();
        chain.step(&url(2)).unwrap();
        assert!(matches!(
            chain.step(&url(1)),
            Err(HttpError::Endless { .. })
        ));
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        let url = |text: &str| Url::parse(text).unwrap();
        let home = url("https://graph.test/v1.0");
        assert!(same_origin(&home, &url("https://graph.test:443/x?y")));
        assert!(!same_origin(&home, &url("http://graph.test/")));
        assert!(!same_origin(&home, &url("https://graph.test:8443/")));
        assert!(!same_origin(&home, &url("https://graph.test.evil.test/")));
        assert!(!same_origin(&home, &url("https://a@graph.test/")));
    }
}
