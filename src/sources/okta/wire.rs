//! What Okta sends: its records, lists and timestamps, as they travel.
//!
//! Every field but `id` may be absent or null. A record that cannot be decoded spoils only
//! itself; a body that is not a list spoils the page. `convert.rs` turns records into the
//! model.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A user. The profile stays undecoded until it is known which of its attributes matter.
#[derive(Deserialize)]
pub struct UserRecord<'a> {
    pub id: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default, rename = "lastUpdated")]
    pub last_updated: Option<String>,
    #[serde(default, borrow)]
    pub profile: Option<&'a RawValue>,
}

/// A group's member: a whole user object, of which only this much is read.
#[derive(Deserialize)]
pub struct MemberRecord {
    pub id: String,
    #[serde(default)]
    pub status: Option<String>,
}

#[derive(Clone, Deserialize)]
pub struct GroupRecord {
    pub id: String,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default, rename = "lastMembershipUpdated")]
    pub last_membership_updated: Option<String>,
    #[serde(default, rename = "lastUpdated")]
    pub last_updated: Option<String>,
    #[serde(default)]
    pub profile: Option<GroupProfile>,
}

#[derive(Clone, Deserialize)]
pub struct GroupProfile {
    #[serde(default)]
    pub name: Option<String>,
}

impl GroupRecord {
    /// The group that holds every user and whose members Okta keeps by itself.
    pub fn is_everyone(&self) -> bool {
        self.kind.as_deref() == Some("BUILT_IN") && self.name() == Some("Everyone")
    }

    pub fn name(&self) -> Option<&str> {
        self.profile.as_ref()?.name.as_deref()
    }
}

/// A user's assignment to the application.
#[derive(Deserialize)]
pub struct AppUserRecord {
    pub id: String,
    /// `USER`: assigned directly; `GROUP`: through a group.
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}

/// A group's assignment to the application.
#[derive(Deserialize)]
pub struct AppGroupRecord {
    pub id: String,
}

/// The application itself, for `check`.
#[derive(Deserialize)]
pub struct AppRecord {
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}

/// A System Log event: a hint which objects to read again, not the data.
#[derive(Deserialize)]
pub struct Event {
    pub uuid: String,
    #[serde(default)]
    pub published: Option<String>,
    #[serde(default, rename = "eventType")]
    pub kind: Option<String>,
    #[serde(default)]
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub target: Option<Vec<Target>>,
}

#[derive(Deserialize)]
pub struct Outcome {
    #[serde(default)]
    pub result: Option<String>,
}

#[derive(Deserialize)]
pub struct Target {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

impl Event {
    /// The ids of the targets of one type. Targets have no fixed order.
    pub fn targets<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.target
            .iter()
            .flatten()
            .filter(move |target| target.kind.as_deref() == Some(kind))
            .filter_map(|target| target.id.as_deref())
    }

    /// Whether it says that nothing happened.
    pub fn failed(&self) -> bool {
        let result = self.outcome.as_ref().and_then(|it| it.result.as_deref());
        matches!(result, Some("FAILURE" | "DENY"))
    }
}

/// The body of an error answer. Only the code is stable.
#[derive(Deserialize, Default)]
pub struct ErrorBody {
    #[serde(default, rename = "errorCode")]
    pub code: Option<String>,
}

/// A record that could not be decoded, with its id where at least that was legible.
#[derive(Debug)]
pub struct Illegible {
    pub id: Option<String>,
    pub reason: String,
}

pub type Records<T> = Vec<Result<T, Illegible>>;

/// Decodes a list, record by record where one of them is bad.
///
/// The common case is decoded in one pass. Only when that fails is each record looked at on
/// its own; a body that is not even a JSON list is an error of the page.
pub fn records<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Records<T>, String> {
    if let Ok(all) = serde_json::from_slice::<Vec<T>>(body) {
        return Ok(all.into_iter().map(Ok).collect());
    }
    let raw: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|_| "not a list in JSON".to_owned())?;
    Ok(raw.into_iter().map(record).collect())
}

/// Decodes one object. What is not JSON at all, or not an object, is an error of the answer.
pub fn one<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Result<T, Illegible>, String> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|_| "not JSON".to_owned())?;
    match raw.get().starts_with('{') {
        true => Ok(record(raw)),
        false => Err("not an object".to_owned()),
    }
}

fn record<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Illegible> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let whole: Option<serde_json::Value> = serde_json::from_str(raw.get()).ok();
        Illegible {
            id: whole
                .as_ref()
                .and_then(|it| it.get("id")?.as_str())
                .map(str::to_owned),
            reason: without_values(&error),
        }
    })
}

/// What is wrong with a record, without the value that is: a message of the decoder may quote
/// personal data.
pub fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") {
        return text.split(" at line").next().unwrap_or(&text).to_owned();
    }
    match text.rsplit_once("expected ") {
        Some((_, wanted)) => {
            let wanted = wanted.split(" at line").next().unwrap_or(wanted);
            format!("a field has the wrong type (expected {wanted})")
        }
        None => "the record is not readable JSON".to_owned(),
    }
}

/// Reads a timestamp as Okta writes it.
pub fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// Writes a timestamp as Okta's filters want it: milliseconds and `Z`.
pub fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_record_spoils_only_itself() {
        let body = br#"[{"id":"00u1","status":"ACTIVE"},{"id":"00u2","status":7},{"status":null}]"#;
        let read: Records<MemberRecord> = records(body).unwrap();
        assert_eq!(read[0].as_ref().unwrap().id, "00u1");
        let bad = read[1].as_ref().err().unwrap();
        assert_eq!(bad.id.as_deref(), Some("00u2"));
        assert!(!bad.reason.contains('7'), "{}", bad.reason);
        let bad = read[2].as_ref().err().unwrap();
        assert_eq!(bad.id, None);
        assert_eq!(bad.reason, "missing field `id`");
    }

    #[test]
    fn only_the_id_is_required() {
        let read: Records<UserRecord> =
            records(br#"[{"id":"00u1"},{"id":"00u2","status":null,"profile":null}]"#).unwrap();
        assert!(read.iter().all(Result::is_ok));
    }

    #[test]
    fn what_is_not_a_list_is_an_error_of_the_page() {
        for body in ["<html>", "{}", r#"[{"id":"00u1"}"#, ""] {
            assert!(records::<MemberRecord>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn stamps_have_milliseconds() {
        let text = "2026-01-05T18:15:44.000Z";
        assert_eq!(stamp(time(Some(text)).unwrap()), text);
        assert_eq!(time(Some("yesterday")), None);
        assert_eq!(time(None), None);
    }

    #[test]
    fn targets_are_found_by_type() {
        let event: Event = serde_json::from_str(
            r#"{"uuid":"e1","target":[{"id":"00g1","type":"UserGroup"},{"id":"00u1","type":"User"},{"type":null}]}"#,
        )
        .unwrap();
        assert_eq!(event.targets("User").collect::<Vec<_>>(), ["00u1"]);
        assert!(!event.failed());
    }
}
