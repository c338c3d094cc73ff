//! Trouble on demand.
//!
//! A rule names requests by a glob over the path (and method, and class) and says which of them
//! go wrong and how. The first rule that fires wins. Chance is drawn from the server's seed and a
//! running number, so a run of the same requests in the same order meets the same trouble.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::ids;

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Glob over the decoded path: `*` stands for anything, slashes included.
    #[serde(default = "anything")]
    pub path: String,
    /// Glob over path and query as sent; for telling pages apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default)]
    pub method: Option<String>,
    /// Endpoint class as in the statistics, e.g. `graph.users.list`.
    #[serde(default)]
    pub class: Option<String>,
    /// Only the n-th matching request, counted from one.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Every n-th matching request.
    #[serde(default)]
    pub every: Option<u64>,
    /// Matching requests after the n-th.
    #[serde(default)]
    pub after: Option<u64>,
    #[serde(default)]
    pub probability: Option<f64>,
    /// How often the rule may fire at all.
    #[serde(default)]
    pub times: Option<u64>,
    #[serde(flatten)]
    pub trouble: Trouble,
    #[serde(default, skip_deserializing)]
    pub matched: u64,
    #[serde(default, skip_deserializing)]
    pub fired: u64,
}

fn anything() -> String {
    "*".to_owned()
}

/// What goes wrong. The fields beside `kind` are read by the kinds that need them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trouble {
    pub kind: Kind,
    /// `status`: the status code (503).
    #[serde(default)]
    pub status: Option<u16>,
    /// `status`: the `Retry-After` header, verbatim.
    #[serde(default)]
    pub retry_after: Option<String>,
    /// `status`: `json` (the vendor's error shape, default), `html` or `empty`.
    #[serde(default)]
    pub body: Option<String>,
    /// `status`: the error code in the JSON body.
    #[serde(default)]
    pub code: Option<String>,
    /// `short`: how many objects stay on the page (half, if not given).
    #[serde(default)]
    pub keep: Option<usize>,
    /// `drip`: milliseconds between pieces (50); `stall`: before the answer (30000).
    #[serde(default)]
    pub ms: Option<u64>,
}

/// The ways an answer can be spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Another status instead of an answer.
    Status,
    /// Another status instead of an answer, though what was asked has been done.
    Belated,
    /// The connection ends in the middle of the body.
    Drop,
    /// A complete HTTP answer whose JSON is cut.
    Truncate,
    /// 200 with an HTML page.
    Html,
    /// The right answer, in small slow pieces.
    Drip,
    /// Nothing for a long time, then the right answer.
    Stall,
    /// 401, as if the token had expired.
    ExpireToken,
    /// 410 with a `Location` to begin anew.
    Gone,
    /// The next link leads here again, for ever.
    Endless,
    /// Some objects are missing from the page; paging looks normal.
    Short,
    /// No objects and no next link.
    Empty,
    /// The connection is reset before a byte of the answer.
    ResetConn,
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Rule>,
    drawn: u64,
}

impl Faults {
    /// No rules yet; chance comes from that seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            inner: Mutex::default(),
        }
    }

    /// Adds rules behind those in force.
    pub fn add(&self, rules: Vec<Rule>) {
        self.lock().rules.extend(rules);
    }

    /// Drops all rules and starts chance over.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    /// The rules with how often they matched and fired.
    pub fn list(&self) -> Vec<Rule> {
        self.lock().rules.clone()
    }

    /// The trouble this request runs into, if any.
    pub fn pick(&self, method: &str, path: &str, target: &str, class: &str) -> Option<Trouble> {
        let mut inner = self.lock();
        let Inner { rules, drawn } = &mut *inner;
        for rule in rules {
            let fits = glob(&rule.path, path)
                && rule
                    .target
                    .as_ref()
                    .is_none_or(|pattern| glob(pattern, target))
                && rule
                    .method
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && rule.class.as_ref().is_none_or(|wanted| glob(wanted, class));
            if !fits {
                continue;
            }
            rule.matched += 1;
            if rule.times.is_some_and(|times| rule.fired >= times) {
                continue;
            }
            let by_count = rule.nth.is_none_or(|nth| rule.matched == nth)
                && rule
                    .every
                    .is_none_or(|every| every > 0 && rule.matched % every == 0)
                && rule.after.is_none_or(|after| rule.matched > after);
            if !by_count {
                continue;
            }
            if let Some(probability) = rule.probability {
                *drawn += 1;
                let chance = ids::draw(self.seed, 0x6661_756c, *drawn) >> 11;
                if chance as f64 / (1u64 << 53) as f64 >= probability {
                    continue;
                }
            }
            rule.fired += 1;
            return Some(rule.trouble.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether text fits a pattern in which `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            match rest.find(before) {
                Some(at) => rest = &rest[at + before.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(tail) => rest.ends_with(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).expect("a rule")
    }

    #[test]
    fn globs() {
        assert!(glob("*", "/v1.0/users"));
        assert!(glob("/v1.0/*/members*", "/v1.0/groups/1/members"));
        assert!(glob("*users", "/users/1/users"));
        assert!(!glob("/v1.0/users", "/v1.0/users/1"));
        assert!(!glob("*a*b*", "ba"));
    }

    #[test]
    fn counted_rules_fire_when_told() {
        let faults = Faults::new(1);
        faults.add(vec![rule(r#"{"path":"/a","nth":2,"kind":"drop"}"#)]);
        let hit = |path| faults.pick("GET", path, path, "x").is_some();
        assert_eq!(
            [hit("/a"), hit("/b"), hit("/a"), hit("/a")],
            [false, false, true, false]
        );
        faults.clear();
        faults.add(vec![rule(
            r#"{"every":2,"times":1,"kind":"status","status":500}"#,
        )]);
        assert_eq!(
            [hit("/a"), hit("/a"), hit("/a"), hit("/a")],
            [false, true, false, false]
        );
    }

    #[test]
    fn chance_repeats_for_a_seed() {
        let run = || {
            let faults = Faults::new(9);
            faults.add(vec![rule(r#"{"probability":0.5,"kind":"drop"}"#)]);
            (0..64)
                .map(|_| faults.pick("GET", "/", "/", "x").is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(run().contains(&true) && run().contains(&false));
    }
}
