//! A portal's accounts and groups, as last applied or as the target has them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::{Account, GroupLink, Groups};
use crate::store::Store;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountOut {
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

pub fn accounts<'a>(
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
pub struct PortalGroupOut {
    display_name: String,
    external_id: String,
    members: Vec<String>,
}

pub fn portal_groups(
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
