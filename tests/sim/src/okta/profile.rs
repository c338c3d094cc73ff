//! User profiles, and writing users as JSON.

use serde_json::Value;

use super::org::{Org, Status, User};
use crate::clock::{self, Millis};
use crate::company::people::{Peculiarity, Person};
use crate::ids;
use crate::json::{self, Val};

/// Profile attributes that are always there, `null` if need be.
const ALWAYS: &[&str] = &[
    "firstName",
    "lastName",
    "mobilePhone",
    "secondEmail",
    "login",
    "email",
];

/// The further ones a seeded person may have.
const OFTEN: &[&str] = &[
    "displayName",
    "middleName",
    "title",
    "department",
    "division",
    "organization",
    "costCenter",
    "employeeNumber",
    "userType",
    "streetAddress",
    "city",
    "state",
    "zipCode",
    "countryCode",
    "preferredLanguage",
    "locale",
    "timezone",
    "primaryPhone",
    "managerId",
    "manager",
    "badgeColors",
    "shirtSize",
];

/// How much of a user is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    List,
    /// As a list, without credentials, as a header may ask.
    Lean,
    Single,
}

fn seeded(org: &Org, person: &Person, name: &str) -> Val<'static> {
    let owned = |text: String| Val::Text(text.into());
    let text = |text: &'static str| Val::Text(text.into());
    let bare = person.kind == Peculiarity::Bare;
    let login = || {
        if person.is_guest() {
            format!("{}@partner.example", person.alias())
        } else {
            format!("{}@contoso.com", person.alias())
        }
    };
    match name {
        "login" => owned(login()),
        "email" => owned(person.mail().unwrap_or_else(login)),
        "firstName" => text(person.given),
        "lastName" => text(person.family),
        "mobilePhone" if !bare && person.number(3) > 0 => {
            owned(format!("+47 9{:07}", person.number(10_000_000)))
        }
        _ if bare => Val::Unset,
        "displayName" => owned(person.display_name()),
        "title" => text(person.title()),
        "department" => text(person.department()),
        "division" => text(["EMEA", "AMER", "APAC"][person.number(3) as usize]),
        "organization" => text(person.company()),
        "costCenter" => owned(format!("CC{}", person.number(90))),
        "employeeNumber" => owned(format!("{}", 1_000 + person.position)),
        "userType" => text(if person.is_guest() {
            "Contractor"
        } else {
            "Employee"
        }),
        "streetAddress" => owned(format!("Main Street {}", 1 + person.number(200))),
        "city" => text(person.place().0),
        "state" => text(person.place().1),
        "zipCode" => owned(format!("{:05}", person.number(99_999))),
        "countryCode" => text(person.place().3),
        "preferredLanguage" => text(person.place().4),
        "locale" => owned(person.place().4.replace('-', "_")),
        "timezone" => text(person.place().5),
        "primaryPhone" if person.number(4) > 0 => {
            owned(format!("+47 22 {:06}", person.number(1_000_000)))
        }
        "managerId" => match person.manager().and_then(|at| org.users.get(at as usize)) {
            Some(manager) => owned(ids::okta_id("00u", manager.number)),
            None => Val::Unset,
        },
        "manager" => match person.manager() {
            Some(at) => owned(Person::at(org.seed, at).display_name()),
            None => Val::Unset,
        },
        "badgeColors" if person.number(5) == 0 => Val::Json(r#"["red","blue"]"#.to_owned()),
        "shirtSize" if person.number(4) == 0 => Val::Json((36 + person.number(20)).to_string()),
        _ => Val::Unset,
    }
}

/// One profile attribute.
pub fn value<'a>(org: &Org, user: &'a User, person: Option<&Person>, name: &str) -> Val<'a> {
    match user.patch.as_ref().and_then(|patch| patch.get(name)) {
        Some(Value::Null) => Val::Unset,
        Some(given) => Val::Given(given),
        None => person.map_or(Val::Unset, |person| seeded(org, person, name)),
    }
}

/// One profile attribute as text.
pub fn text(org: &Org, user: &User, name: &str) -> Option<String> {
    match value(org, user, org.person(user).as_ref(), name) {
        Val::Text(text) => Some(text.into_owned()),
        Val::Given(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// First and last name.
pub fn display_name(org: &Org, user: &User) -> String {
    let part = |name| text(org, user, name).unwrap_or_default();
    format!("{} {}", part("firstName"), part("lastName"))
        .trim()
        .to_owned()
}

/// Appends a user.
pub fn write(org: &Org, user: &User, base: &str, detail: Detail, out: &mut Vec<u8>) {
    let id = ids::okta_id("00u", user.number);
    let activated = (user.status != Status::Staged).then_some(user.created + 1_000);
    let signed_in = matches!(
        user.status,
        Status::Active | Status::LockedOut | Status::PasswordExpired | Status::Recovery
    );
    out.push(b'{');
    json::name("id", out);
    json::string(&id, out);
    json::name("status", out);
    json::string(user.status.text(), out);
    let mut time = |name: &str, at: Option<Millis>| {
        json::name(name, out);
        match at {
            Some(at) => json::string(&clock::iso(at), out),
            None => out.extend_from_slice(b"null"),
        }
    };
    time("created", Some(user.created));
    time("activated", activated);
    time("statusChanged", activated.map(|_| user.status_changed));
    time("lastLogin", signed_in.then_some(user.created + 3_600_000));
    time("lastUpdated", Some(user.updated));
    time("passwordChanged", signed_in.then_some(user.created + 1_000));
    out.extend_from_slice(
        br#","realmId":"guosm00000000000S697","type":{"id":"otysm00000000000S697"},"profile":"#,
    );
    profile(org, user, out);
    if detail != Detail::Lean {
        out.extend_from_slice(br#","credentials":{"password":{},"emails":[{"value":"#);
        json::string(&text(org, user, "email").unwrap_or_default(), out);
        out.extend_from_slice(
            br#","status":"VERIFIED","type":"PRIMARY"}],"provider":{"type":"OKTA","name":"OKTA"}}"#,
        );
    }
    out.extend_from_slice(b",\"_links\":{");
    if detail == Detail::Single {
        let verb = match user.status {
            Status::Staged | Status::Deprovisioned => "activate",
            Status::Suspended => "unsuspend",
            Status::LockedOut => "unlock",
            _ => "deactivate",
        };
        json::name(verb, out);
        let link =
            format!(r#"{{"href":"{base}/api/v1/users/{id}/lifecycle/{verb}","method":"POST"}}"#);
        out.extend_from_slice(link.as_bytes());
    }
    json::name("self", out);
    out.extend_from_slice(format!(r#"{{"href":"{base}/api/v1/users/{id}"}}"#).as_bytes());
    out.extend_from_slice(b"}}");
}

fn profile(org: &Org, user: &User, out: &mut Vec<u8>) {
    let person = org.person(user);
    out.push(b'{');
    for (names, always) in [(ALWAYS, true), (OFTEN, false)] {
        for name in names {
            let value = value(org, user, person.as_ref(), name);
            if always || value != Val::Unset {
                json::name(name, out);
                value.write(out);
            }
        }
    }
    for (name, given) in user.patch.iter().flat_map(|patch| patch.iter()) {
        let known = ALWAYS.contains(&name.as_str()) || OFTEN.contains(&name.as_str());
        if !known && !given.is_null() {
            json::name(name, out);
            json::value_into(given, out);
        }
    }
    out.push(b'}');
}

/// A user as a JSON value.
pub fn as_value(org: &Org, user: &User, base: &str) -> Value {
    let mut out = Vec::new();
    write(org, user, base, Detail::List, &mut out);
    serde_json::from_slice(&out).unwrap_or(Value::Null)
}
