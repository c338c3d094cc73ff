//! The directory as cached: users and groups of a source.

use serde::Serialize;
use serde_json::json;

use crate::directory::{Address, Member, User};
use crate::store::Store;
use crate::store::rows::RowState;

/// A user in SCIM's words, in a fixed order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOut {
    id: String,
    external_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    name: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    emails: Vec<serde_json::Value>,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    employee_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<String>,
    phone_numbers: Vec<serde_json::Value>,
    addresses: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    source: serde_json::Value,
}

impl From<User> for UserOut {
    fn from(user: User) -> UserOut {
        let external_id = user.external_id().to_owned();
        let without_nulls = |value: serde_json::Value| match value {
            serde_json::Value::Object(fields) => serde_json::Value::Object(
                fields
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .collect(),
            ),
            other => other,
        };
        let User {
            id,
            external_id: _,
            user_name,
            name,
            display_name,
            emails,
            active,
            user_type,
            title,
            department,
            division,
            organization,
            cost_center,
            employee_number,
            manager,
            phone_numbers,
            addresses,
            preferred_language,
            locale,
            timezone,
            source,
        } = user;
        UserOut {
            id: id.as_str().to_owned(),
            external_id,
            user_name,
            name: without_nulls(json!({
                "givenName": name.given_name,
                "familyName": name.family_name,
                "formatted": name.formatted,
            })),
            display_name,
            emails: emails
                .into_iter()
                .map(|email| {
                    without_nulls(json!({
                        "value": email.value,
                        "type": email.kind,
                        "primary": email.primary,
                    }))
                })
                .collect(),
            active,
            user_type,
            title,
            department,
            division,
            organization,
            cost_center,
            employee_number,
            manager,
            phone_numbers: phone_numbers
                .into_iter()
                .map(|phone| json!({ "value": phone.value, "type": phone.kind }))
                .collect(),
            addresses: addresses
                .into_iter()
                .map(|address| {
                    let Address {
                        street_address,
                        locality,
                        region,
                        postal_code,
                        country,
                    } = address;
                    without_nulls(json!({
                        "streetAddress": street_address,
                        "locality": locality,
                        "region": region,
                        "postalCode": postal_code,
                        "country": country,
                    }))
                })
                .collect(),
            preferred_language,
            locale,
            timezone,
            source: source
                .into_iter()
                .map(|(name, value)| (name, value.to_json()))
                .collect(),
        }
    }
}

pub fn users<'a>(
    store: &'a Store,
    source: &'a str,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<UserOut>> + 'a> {
    Ok(store.users(source).filter_map(|row| match row {
        Ok(row) if row.state == RowState::Known => Some(Ok(row.user.into())),
        Ok(_) => None,
        Err(error) => Some(Err(error.into())),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupOut {
    id: String,
    display_name: String,
    members: Vec<Member>,
}

/// Groups by id. Who was deleted, or never seen but named as a member, is in no group, though
/// the store remembers for a return.
pub fn groups(
    store: &Store,
    source: &str,
) -> anyhow::Result<std::vec::IntoIter<anyhow::Result<GroupOut>>> {
    let mut names: Vec<Option<Member>> = Vec::new();
    let next = store.source_state(source)?.next_number;
    for block in 0..next.div_ceil(crate::store::ids::BLOCK) {
        names.extend(store.id_block(source, block)?.into_iter().map(Some));
    }
    let mut known = vec![false; names.len()];
    let mut note = |number: u32, state: RowState| {
        if let Some(known) = known.get_mut(number as usize) {
            *known = state == RowState::Known;
        }
    };
    for row in store.users(source) {
        let row = row?;
        note(row.number, row.state);
    }
    let mut found = Vec::new();
    for row in store.groups(source) {
        let row = row?;
        note(row.number, row.state);
        if row.state == RowState::Known {
            found.push(row);
        }
    }
    for (name, known) in names.iter_mut().zip(known) {
        if !known {
            *name = None;
        }
    }
    let mut out = Vec::new();
    for row in found {
        let mut members: Vec<Member> = store
            .members(source, row.number)?
            .into_iter()
            .filter_map(|number| names.get(number as usize).cloned().flatten())
            .collect();
        members.sort();
        out.push(GroupOut {
            id: row.group.id.as_str().to_owned(),
            display_name: row.group.display_name,
            members,
        });
    }
    out.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(out.into_iter().map(Ok).collect::<Vec<_>>().into_iter())
}
