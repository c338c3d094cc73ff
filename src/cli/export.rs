//! `rosterd export`: the directory as cached, and the portals as linked or as the target has
//! them.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::json;

use crate::app;
use crate::config::Loaded;
use crate::directory::{Address, Member, User};
use crate::plan::{Account, GroupLink, Groups};
use crate::store::Store;
use crate::store::rows::RowState;

use super::sync::{known_portal, known_source};
use super::{Exit, Output, Usage, device, table};

#[derive(clap::Args)]
pub struct Args {
    what: What,
    /// The directory of this source.
    #[arg(long, value_name = "S", conflicts_with = "portal")]
    source: Option<String>,
    /// The state of this portal.
    #[arg(long, value_name = "P")]
    portal: Option<String>,
    /// What the target itself has, instead of what was last applied.
    #[arg(long, requires = "portal")]
    from_target: bool,
    #[arg(long, value_enum, default_value_t = Output::Json)]
    format: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Users,
    Groups,
    Accounts,
    Devices,
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    match (args.what, &args.source, &args.portal) {
        (What::Users | What::Groups, Some(source), None) => {
            known_source(loaded, source)?;
            let store = app::open_store(&loaded.settings)?;
            match args.what {
                What::Users => print(args.format, USER_COLUMNS, users(&store, source)?)?,
                _ => print(args.format, GROUP_COLUMNS, groups(&store, source)?)?,
            }
        }
        (What::Accounts | What::Groups | What::Devices, None, Some(portal)) => {
            known_portal(loaded, portal)?;
            let store = app::open_store(&loaded.settings)?;
            match args.what {
                What::Devices => device::print(&store, portal, args.format)?,
                What::Accounts => {
                    let rows = accounts(&store, portal, args.from_target)?;
                    print(args.format, ACCOUNT_COLUMNS, rows)?;
                }
                _ => {
                    let rows = portal_groups(&store, portal, args.from_target)?;
                    print(args.format, PORTAL_GROUP_COLUMNS, rows)?;
                }
            }
        }
        (What::Users, ..) => return Err(Usage("export users needs --source".into()).into()),
        (What::Groups, ..) => {
            return Err(Usage("export groups needs --source or --portal".into()).into());
        }
        _ => return Err(Usage("export accounts and devices need --portal".into()).into()),
    }
    Ok(Exit::Done)
}

const USER_COLUMNS: &[&str] = &["id", "userName", "displayName", "active"];
const GROUP_COLUMNS: &[&str] = &["id", "displayName"];
const ACCOUNT_COLUMNS: &[&str] = &["key", "displayName", "role", "active", "departed", "source"];
const PORTAL_GROUP_COLUMNS: &[&str] = &["displayName", "externalId"];

/// Prints rows one at a time: a directory need not fit into memory to be printed.
fn print<T: Serialize>(
    format: Output,
    columns: &[&str],
    rows: impl Iterator<Item = anyhow::Result<T>>,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if format == Output::Text {
        let mut cells = Vec::new();
        for row in rows {
            let row = serde_json::to_value(row?)?;
            cells.push(
                columns
                    .iter()
                    .map(|column| match &row[*column] {
                        serde_json::Value::String(text) => text.clone(),
                        serde_json::Value::Null => "–".to_owned(),
                        other => other.to_string(),
                    })
                    .collect(),
            );
        }
        table::print(columns, &cells);
        return Ok(());
    }
    out.write_all(b"[")?;
    for (number, row) in rows.enumerate() {
        out.write_all(if number == 0 { b"\n  " } else { b",\n  " })?;
        serde_json::to_writer(&mut out, &row?)?;
    }
    out.write_all(b"\n]\n")?;
    Ok(out.flush()?)
}

/// A user in SCIM's words, in a fixed order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserOut {
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

fn users<'a>(
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
struct GroupOut {
    id: String,
    display_name: String,
    members: Vec<Member>,
}

/// Groups by id. Who was deleted, or never seen but named as a member, is in no group, though
/// the store remembers for a return.
fn groups(
    store: &Store,
    source: &str,
) -> anyhow::Result<std::vec::IntoIter<anyhow::Result<GroupOut>>> {
    let mut names: Vec<Option<Member>> = Vec::new();
    let next = store.source_state(source)?.next_number;
    for block in 0..next.div_ceil(crate::store::directory::BLOCK) {
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountOut {
    key: String,
    user_name: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    name: NameOut,
    active: bool,
    departed: bool,
    role: Option<&'static str>,
    attributes: serde_json::Value,
    metadata: serde_json::Value,
    groups: Vec<String>,
    source: String,
    #[serde(rename = "source_id")]
    source_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NameOut {
    given_name: Option<String>,
    family_name: Option<String>,
}

fn accounts<'a>(
    store: &'a Store,
    portal: &'a str,
    from_target: bool,
) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<AccountOut>> + 'a>> {
    let groups = group_names(store, portal, from_target)?;
    if from_target {
        return Ok(Box::new(store.local_accounts(portal).map(move |account| {
            let account = account?;
            let departed = store
                .link(portal, &account.key)?
                .is_some_and(|link| link.is_departed());
            let names = names_of(&account.groups, &groups);
            Ok(out(
                account.key,
                account.account,
                names,
                departed,
                account.source,
                account.source_id,
            ))
        })));
    }
    Ok(Box::new(store.links(portal).map(move |link| {
        let link = link?;
        let names = names_of(&link.groups, &groups);
        let departed = link.is_departed();
        Ok(out(
            link.key,
            link.account,
            names,
            departed,
            link.source,
            link.user,
        ))
    })))
}

fn out(
    key: String,
    account: Account,
    groups: Vec<String>,
    departed: bool,
    source: String,
    source_id: String,
) -> AccountOut {
    let json = |map: BTreeMap<String, crate::directory::Value>| -> serde_json::Value {
        map.into_iter()
            .map(|(name, value)| (name, value.to_json()))
            .collect()
    };
    let Account {
        user_name,
        email,
        display_name,
        given_name,
        family_name,
        active,
        role,
        attributes,
        metadata,
    } = account;
    AccountOut {
        key,
        user_name,
        email,
        display_name,
        name: NameOut {
            given_name,
            family_name,
        },
        active,
        departed,
        role: role.map(|role| role.as_str()),
        attributes: json(attributes),
        metadata: json(metadata),
        groups,
        source,
        source_id,
    }
}

type GroupMap = BTreeMap<(String, u32), GroupLink>;

fn group_names(store: &Store, portal: &str, from_target: bool) -> anyhow::Result<GroupMap> {
    let links: Vec<GroupLink> = match from_target {
        true => store.local_groups(portal).collect::<Result<_, _>>()?,
        false => store.group_links(portal).collect::<Result<_, _>>()?,
    };
    Ok(links
        .into_iter()
        .map(|link| ((link.source.clone(), link.number), link))
        .collect())
}

fn names_of(groups: &Groups, known: &GroupMap) -> Vec<String> {
    let mut names: Vec<String> = groups
        .iter()
        .filter_map(|(source, number)| known.get(&(source.to_owned(), number)))
        .map(|group| group.display_name.clone())
        .collect();
    names.sort();
    names
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortalGroupOut {
    display_name: String,
    external_id: String,
    members: Vec<String>,
}

fn portal_groups(
    store: &Store,
    portal: &str,
    from_target: bool,
) -> anyhow::Result<std::vec::IntoIter<anyhow::Result<PortalGroupOut>>> {
    let known = group_names(store, portal, from_target)?;
    let mut members: BTreeMap<(String, u32), Vec<String>> = BTreeMap::new();
    let mut note = |key: &str, groups: &Groups| {
        for (source, number) in groups.iter() {
            members
                .entry((source.to_owned(), number))
                .or_default()
                .push(key.to_owned());
        }
    };
    if from_target {
        for account in store.local_accounts(portal) {
            let account = account?;
            note(&account.key, &account.groups);
        }
    } else {
        for link in store.links(portal) {
            let link = link?;
            note(&link.key, &link.groups);
        }
    }
    let mut out: Vec<PortalGroupOut> = known
        .into_iter()
        .map(|(place, group)| {
            let mut members = members.remove(&place).unwrap_or_default();
            members.sort();
            PortalGroupOut {
                display_name: group.display_name,
                external_id: group.external_id,
                members,
            }
        })
        .collect();
    out.sort_by(|a, b| (&a.display_name, &a.external_id).cmp(&(&b.display_name, &b.external_id)));
    Ok(out.into_iter().map(Ok).collect::<Vec<_>>().into_iter())
}
