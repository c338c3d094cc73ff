//! The properties of Graph users, and how a seeded person fills them.

use crate::clock;
use crate::company::people::{Peculiarity, Person};
use crate::ids;
use crate::json::Val;

/// What `GET /users` shows without `$select`.
pub const DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// Everything that can be selected.
pub const ALL: &[&str] = &[
    "id",
    "deletedDateTime",
    "accountEnabled",
    "ageGroup",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "creationType",
    "department",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "faxNumber",
    "givenName",
    "identities",
    "imAddresses",
    "jobTitle",
    "lastPasswordChangeDateTime",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesLastSyncDateTime",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "passwordPolicies",
    "postalCode",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "securityIdentifier",
    "showInAddressList",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
];

/// Properties that live outside the directory and make a collection answer 501.
pub const ELSEWHERE: &[&str] = &[
    "aboutMe",
    "birthday",
    "hireDate",
    "interests",
    "mailboxSettings",
    "mySite",
    "pastProjects",
    "preferredName",
    "responsibilities",
    "schools",
    "skills",
];

/// Whether a name may stand in `$select`: known, or a directory extension.
pub fn is_known(name: &str) -> bool {
    ALL.contains(&name) || name.starts_with("extension_")
}

/// The value a seeded person has for a property.
pub fn seeded(person: &Person, field: &str) -> Val<'static> {
    let text = |text: &'static str| Val::Text(text.into());
    let owned = |text: String| Val::Text(text.into());
    let bare = person.kind == Peculiarity::Bare;
    match field {
        "userPrincipalName" => owned(person.principal_name()),
        "displayName" => owned(person.display_name()),
        "accountEnabled" => Val::Bool(person.kind != Peculiarity::Disabled),
        "mail" => person.mail().map_or(Val::Unset, owned),
        "mailNickname" => owned(person.alias()),
        "createdDateTime" => owned(clock::iso_seconds(
            clock::SEEDED + u64::from(person.position) * 1_000,
        )),
        "userType" => match person.kind {
            Peculiarity::Untyped => Val::Unset,
            Peculiarity::Guest | Peculiarity::PendingGuest => text("Guest"),
            _ => text("Member"),
        },
        "externalUserState" => match person.kind {
            Peculiarity::Guest => text("Accepted"),
            Peculiarity::PendingGuest => text("PendingAcceptance"),
            _ => Val::Unset,
        },
        "creationType" if person.is_guest() => text("Invitation"),
        "businessPhones" if bare => Val::Json("[]".to_owned()),
        "otherMails" | "proxyAddresses" | "imAddresses" if bare => Val::Json("[]".to_owned()),
        "identities" => Val::Json(format!(
            r#"[{{"signInType":"userPrincipalName","issuer":"contoso.onmicrosoft.com","issuerAssignedId":"{}"}}]"#,
            person.principal_name()
        )),
        _ if bare => Val::Unset,
        "givenName" => text(person.given),
        "surname" => text(person.family),
        "jobTitle" => text(person.title()),
        "department" => text(person.department()),
        "companyName" => text(person.company()),
        "officeLocation" => owned(format!(
            "{}/{:04}",
            1 + person.number(20),
            person.number(9_000)
        )),
        "employeeId" => {
            if person.is_guest() {
                Val::Unset
            } else {
                owned(format!("E{:07}", person.position))
            }
        }
        "employeeType" => text(if person.is_guest() {
            "Contractor"
        } else {
            "Employee"
        }),
        "employeeHireDate" => owned(clock::iso_seconds(
            clock::SEEDED - 86_400_000 * person.number(3_000),
        )),
        "employeeOrgData" => match person.number(5) {
            0 => Val::Unset,
            1 => Val::Json(r#"{"division":"EMEA","costCenter":null}"#.to_owned()),
            cost => Val::Json(format!(
                r#"{{"division":"{}","costCenter":"CC{cost}{}"}}"#,
                ["EMEA", "AMER", "APAC"][person.number(3) as usize],
                person.number(90)
            )),
        },
        "preferredLanguage" => text(person.place().4),
        "usageLocation" => text(person.place().3),
        "country" => text(person.place().2),
        "state" => text(person.place().1),
        "city" => text(person.place().0),
        "streetAddress" => owned(format!("Main Street {}", 1 + person.number(200))),
        "postalCode" => owned(format!("{:05}", person.number(99_999))),
        "businessPhones" => match person.number(4) {
            0 => Val::Json("[]".to_owned()),
            _ => Val::Json(format!(r#"["+47 22 {:06}"]"#, person.number(1_000_000))),
        },
        "mobilePhone" => match person.number(3) {
            0 => Val::Unset,
            _ => owned(format!("+47 9{:07}", person.number(10_000_000))),
        },
        "otherMails" => match person.number(6) {
            0 => Val::Json(format!(r#"["{}@home.example"]"#, person.alias())),
            _ => Val::Json("[]".to_owned()),
        },
        "proxyAddresses" => match person.mail() {
            Some(mail) => Val::Json(format!(r#"["SMTP:{mail}"]"#)),
            None => Val::Json("[]".to_owned()),
        },
        "imAddresses" => Val::Json("[]".to_owned()),
        "onPremisesSyncEnabled" if person.is_synced() => Val::Bool(true),
        "onPremisesImmutableId" if person.is_synced() => {
            owned(format!("{:022x}==", ids::mix(u64::from(person.position))))
        }
        "onPremisesSamAccountName" if person.is_synced() => {
            let mut alias = person.alias();
            alias.truncate(20);
            owned(alias)
        }
        "onPremisesDomainName" if person.is_synced() => text("corp.contoso.com"),
        "onPremisesUserPrincipalName" if person.is_synced() => owned(person.principal_name()),
        "onPremisesExtensionAttributes" => extension_attributes(person),
        _ => Val::Unset,
    }
}

/// Fifteen attributes, nearly all unset; built by hand because every user on a page has them.
fn extension_attributes(person: &Person) -> Val<'static> {
    const NAMES: [&str; 15] = [
        "{\"extensionAttribute1\":",
        ",\"extensionAttribute2\":",
        ",\"extensionAttribute3\":",
        ",\"extensionAttribute4\":",
        ",\"extensionAttribute5\":",
        ",\"extensionAttribute6\":",
        ",\"extensionAttribute7\":",
        ",\"extensionAttribute8\":",
        ",\"extensionAttribute9\":",
        ",\"extensionAttribute10\":",
        ",\"extensionAttribute11\":",
        ",\"extensionAttribute12\":",
        ",\"extensionAttribute13\":",
        ",\"extensionAttribute14\":",
        ",\"extensionAttribute15\":",
    ];
    let mut json = String::with_capacity(480);
    for (at, name) in NAMES.iter().enumerate() {
        json.push_str(name);
        match at + 1 {
            1 if person.is_synced() => {
                json.push_str(&format!("\"badge-{}\"", person.number(100_000)));
            }
            7 if person.number(4) == 1 => json.push_str("\"Ünïcode 値\""),
            _ => json.push_str("null"),
        }
    }
    json.push('}');
    Val::Json(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seeded_value_is_json() {
        for at in 0..400 {
            let person = Person::at(1, at);
            for field in ALL {
                let mut out = Vec::new();
                seeded(&person, field).write(&mut out);
                serde_json::from_slice::<serde_json::Value>(&out)
                    .unwrap_or_else(|error| panic!("{field} of {at}: {error}"));
            }
        }
    }
}
