//! What a client sent and what it was answered: the latest few, for whoever sets up a client
//! and wonders. It is in memory only, and people's data is masked unless the settings say
//! otherwise; passwords always are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A larger body is not kept, only how large it was: a hundred of these are a few megabytes.
const BODY_BYTES: usize = 16 * 1024;

/// What stands for a value.
const MASK: &str = "***";

/// Names whose values say nothing of a person: what a request is about.
const PLAIN: [&str; 16] = [
    "schemas",
    "op",
    "totalResults",
    "startIndex",
    "itemsPerPage",
    "status",
    "scimType",
    "resourceType",
    "version",
    "created",
    "lastModified",
    "method",
    "bulkId",
    "failOnErrors",
    "count",
    "detail",
];

/// One request with its answer, as it happened.
pub struct Exchange {
    pub at: jiff::Timestamp,
    pub took_ms: u64,
    pub method: String,
    /// Below the base, with its query.
    pub target: String,
    pub agent: String,
    pub status: u16,
    pub request: Bytes,
    pub answer: Bytes,
}

/// One request with its answer, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shown {
    pub at: jiff::Timestamp,
    pub took_ms: u64,
    pub method: String,
    pub target: String,
    pub agent: String,
    pub status: u16,
    /// JSON, as far as it is.
    pub request: String,
    pub answer: String,
}

/// The latest exchanges of each source.
#[derive(Clone, Default)]
pub struct Inspector(Arc<Mutex<BTreeMap<String, VecDeque<Exchange>>>>);

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inspector(…)")
    }
}

impl Inspector {
    /// Takes a note, and lets go of what is more than `keep`.
    pub fn note(&self, source: &str, keep: usize, mut exchange: Exchange) {
        for body in [&mut exchange.request, &mut exchange.answer] {
            if body.len() > BODY_BYTES {
                *body = Bytes::from(format!("({} bytes, not kept)", body.len()));
            }
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = match all.get_mut(source) {
            Some(of_source) => of_source,
            None => all.entry(source.to_owned()).or_default(),
        };
        of_source.push_back(exchange);
        while of_source.len() > keep {
            of_source.pop_front();
        }
    }

    /// The latest `most` of a source, the oldest first.
    pub fn show(&self, source: &str, most: usize, bodies: bool) -> Vec<Shown> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_source) = all.get(source) else {
            return Vec::new();
        };
        of_source
            .range(of_source.len().saturating_sub(most)..)
            .map(|exchange| shown(exchange, bodies))
            .collect()
    }
}

fn shown(exchange: &Exchange, bodies: bool) -> Shown {
    let Exchange {
        at,
        took_ms,
        method,
        target,
        agent,
        status,
        request,
        answer,
    } = exchange;
    Shown {
        at: *at,
        took_ms: *took_ms,
        method: method.clone(),
        target: match bodies {
            true => target.clone(),
            false => without_texts(target),
        },
        agent: agent.clone(),
        status: *status,
        request: body(request, bodies),
        answer: body(answer, bodies),
    }
}

fn body(bytes: &[u8], bodies: bool) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            mask(&mut value, bodies);
            value.to_string()
        }
        Err(_) if bytes.is_empty() => String::new(),
        // What is no JSON can hold anything.
        Err(_) if bytes.starts_with(b"(") && bytes.ends_with(b"kept)") => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        Err(_) => format!("({} bytes that are no JSON)", bytes.len()),
    }
}

/// Masks every value but those that say what is done; of a path, the texts in its filter.
fn mask(value: &mut Value, bodies: bool) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                let plain = PLAIN.iter().any(|plain| super::same(plain, name));
                if super::same(name, "password") {
                    *part = MASK.into();
                } else if super::same(name, "path") && !bodies {
                    if let Value::String(path) = part {
                        *path = without_texts(path);
                    }
                } else if !plain || part.is_object() || part.is_array() && name != "schemas" {
                    mask(part, bodies);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, bodies)),
        Value::String(_) | Value::Number(_) if !bodies => *value = MASK.into(),
        _ => {}
    }
}

/// Masks what stands in quotes, plain or as a URL spells them, and values without any.
fn without_texts(text: &str) -> String {
    let decoded = match text.split_once('?') {
        Some((path, query)) => {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let pairs: Vec<String> = pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{path}?{}", pairs.join("&"))
        }
        None => text.to_owned(),
    };
    let mut masked = String::with_capacity(decoded.len());
    for (at, part) in decoded.split('"').enumerate() {
        match at % 2 {
            0 => masked.push_str(&without_bare(part)),
            _ => masked.push_str(&format!("\"{MASK}\"")),
        }
    }
    masked
}

/// Masks the word behind an operator, where no quote begins there.
fn without_bare(part: &str) -> String {
    const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
    let mut behind = false;
    let words = part.split(' ').map(|word| {
        let hide = behind && !word.is_empty() && !matches!(word, "true" | "false" | "null");
        behind = OPERATORS.iter().any(|operator| super::same(operator, word));
        match hide {
            true => MASK,
            false => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(target: &str, request: &str) -> Exchange {
        Exchange {
            at: jiff::Timestamp::UNIX_EPOCH,
            took_ms: 1,
            method: "PATCH".to_owned(),
            target: target.to_owned(),
            agent: "test".to_owned(),
            status: 200,
            request: Bytes::from(request.to_owned()),
            answer: Bytes::new(),
        }
    }

    fn show(target: &str, request: &str, bodies: bool) -> (String, String) {
        let inspector = Inspector::default();
        inspector.note("push", 10, exchange(target, request));
        let shown = inspector.show("push", 10, bodies).remove(0);
        (shown.target, shown.request)
    }

    #[test]
    fn people_are_masked_and_what_is_done_is_not() {
        let request = r#"{"Operations":[{"op":"Add","path":"emails[value eq \"a@b\"].value","value":"jane"}],"password":"p","active":true}"#;
        let target = "/Users?filter=userName+eq+%22jane%40x%22+and+title+eq+boss&count=1";
        let (target, shown) = show(target, request, false);
        assert_eq!(
            target,
            "/Users?filter=userName eq \"***\" and title eq ***&count=1"
                .replace("***&count=1", "***")
        );
        for secret in ["jane", "a@b", "\"p\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for plain in ["Add", "emails[value eq", "active\":true"] {
            assert!(shown.contains(plain), "{shown}");
        }
    }

    #[test]
    fn bodies_are_shown_where_the_settings_say_so_but_never_a_password() {
        let (_, shown) = show("/Users", r#"{"userName":"jane","password":"p"}"#, true);
        assert_eq!(shown, r#"{"password":"***","userName":"jane"}"#);
        let (_, shown) = show("/Users", "password=p", true);
        assert_eq!(shown, "(10 bytes that are no JSON)");
    }

    #[test]
    fn only_the_latest_are_kept_and_no_large_bodies() {
        let inspector = Inspector::default();
        for n in 0..10 {
            inspector.note(
                "push",
                3,
                exchange(&format!("/{n}"), &"x".repeat(BODY_BYTES + 1)),
            );
        }
        let shown = inspector.show("push", 2, true);
        assert_eq!(
            shown.iter().map(|s| &*s.target).collect::<Vec<_>>(),
            ["/8", "/9"]
        );
        assert_eq!(shown[0].request, "(16385 bytes, not kept)");
    }
}
