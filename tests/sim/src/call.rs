//! A request as the handlers see it: decoded path, decoded query, body at hand.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// Percent-decoded, without the query.
    pub path: String,
    /// Path and query exactly as sent.
    pub target: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Scheme and host the client used, for links.
    pub base: String,
}

impl Call {
    /// Takes a request apart. `target` is path and query as they stand in the request line.
    pub fn new(
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
        base: String,
    ) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: decode(path),
            target: target.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            body,
            base,
        }
    }

    /// The value of a query option, by its name without regard to case.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header, if it is readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The non-empty parts of the path after a prefix.
    pub fn parts(&self, prefix: &str) -> Vec<&str> {
        self.path
            .strip_prefix(prefix)
            .unwrap_or(&self.path)
            .split('/')
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// The body as form fields.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Percent-decodes a path; a plus sign stays a plus sign.
fn decode(path: &str) -> String {
    let guarded = path.replace('+', "%2B");
    url::form_urlencoded::parse(format!("p={guarded}").replace('&', "%26").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_names_and_paths_are_read() {
        let call = Call::new(
            Method::GET,
            "/v1.0/users/a%23b%40c+d?%24select=id%2Cmail&$top=5",
            HeaderMap::new(),
            Bytes::new(),
            String::new(),
        );
        assert_eq!(call.path, "/v1.0/users/a#b@c+d");
        assert_eq!(call.option("$select"), Some("id,mail"));
        assert_eq!(call.option("$top"), Some("5"));
        assert_eq!(call.parts("/v1.0"), ["users", "a#b@c+d"]);
    }
}
