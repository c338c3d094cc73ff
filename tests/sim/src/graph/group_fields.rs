//! The properties of Graph groups, and how a seeded group fills them.

use super::tenant::{Group, GroupKind};
use crate::clock;
use crate::json::Val;

/// What a group shows without `$select`.
pub const DEFAULT: &[&str] = &[
    "id",
    "deletedDateTime",
    "createdDateTime",
    "description",
    "displayName",
    "groupTypes",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesSyncEnabled",
    "onPremisesSamAccountName",
    "proxyAddresses",
    "securityEnabled",
    "visibility",
];

/// Further properties that can be selected.
const MORE: &[&str] = &[
    "classification",
    "expirationDateTime",
    "isAssignableToRole",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesNetBiosName",
    "onPremisesSecurityIdentifier",
    "preferredDataLocation",
    "preferredLanguage",
    "renewedDateTime",
    "resourceProvisioningOptions",
    "securityIdentifier",
    "theme",
    "uniqueName",
];

/// Whether a name may stand in `$select`.
pub fn is_known(name: &str) -> bool {
    DEFAULT.contains(&name) || MORE.contains(&name) || name.starts_with("extension_")
}

/// The value a seeded group has for a property.
pub fn seeded(group: &Group, field: &str) -> Val<'static> {
    use GroupKind::{Distribution, Dynamic, Hidden, MailSecurity, Security, Unified};
    let kind = group.kind;
    let nickname = || {
        let plain: String = group
            .name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        format!("{}{:04x}", plain.to_lowercase(), group.id.0 as u16)
    };
    let mailed = matches!(kind, Unified | MailSecurity | Distribution | Hidden);
    match field {
        "id" => Val::Text(group.id.to_string().into()),
        "displayName" => Val::Text(group.name.clone().into()),
        "description" => match group.id.0 % 3 {
            0 => Val::Unset,
            _ => Val::Text(format!("All of {}", group.name).into()),
        },
        "createdDateTime" => Val::Text(clock::iso_seconds(clock::SEEDED).into()),
        "groupTypes" => Val::Json(
            match kind {
                Unified | Hidden => r#"["Unified"]"#,
                Dynamic => r#"["DynamicMembership"]"#,
                Security | MailSecurity | Distribution => "[]",
            }
            .to_owned(),
        ),
        "mailEnabled" => Val::Bool(mailed),
        "securityEnabled" => Val::Bool(matches!(kind, Security | Dynamic | MailSecurity)),
        "mailNickname" => Val::Text(nickname().into()),
        "mail" if mailed => Val::Text(format!("{}@contoso.com", nickname()).into()),
        "proxyAddresses" if mailed => Val::Json(format!(r#"["SMTP:{}@contoso.com"]"#, nickname())),
        "proxyAddresses" | "resourceProvisioningOptions" => Val::Json("[]".to_owned()),
        "membershipRule" if kind == Dynamic => {
            Val::Text("user.department -eq \"Engineering\"".into())
        }
        "membershipRuleProcessingState" if kind == Dynamic => Val::Text("On".into()),
        "visibility" if kind == Hidden => Val::Text("HiddenMembership".into()),
        "visibility" if kind == Unified => Val::Text("Private".into()),
        _ => Val::Unset,
    }
}
