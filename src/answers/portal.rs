//! A portal's accounts and groups, as last applied or as the target has them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::AnswerError;
use crate::plan::{Account, GroupLink, Groups};
use crate::store::Store;
use crate::store::portals::LocalAccount;

/// Where it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// What was last applied.
    Links,
    /// What the local target holds.
    Target,
}

/// An account as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountOut {
    /// The match key, case-folded.
    pub key: String,
    user_name: Option<String>,
    /// The address that matching uses.
    email: Option<String>,
    display_name: Option<String>,
    name: NameOut,
    active: bool,
    departed: bool,
    #[schema(value_type = Option<String>)]
    role: Option<&'static str>,
    /// What was mapped; an extension attribute under its whole URN.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    attributes: serde_json::Value,
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    metadata: serde_json::Value,
    /// Display names of the pushed groups that hold it, sorted.
    groups: Vec<String>,
    source: String,
    #[serde(rename = "source_id")]
    source_id: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameOut {
    given_name: Option<String>,
    family_name: Option<String>,
}

/// Accounts by key, those after `after` if one is given.
pub fn accounts<'a>(
    store: &'a Store,
    portal: &'a str,
    from: From,
    after: Option<&str>,
) -> Result<Box<dyn Iterator<Item = Result<AccountOut, AnswerError>> + 'a>, AnswerError> {
    let groups = group_names(store, portal, from)?;
    if from == From::Target {
        let accounts = store.local_accounts_after(portal, after);
        return Ok(Box::new(
            accounts.map(move |account| local(store, portal, account?, &groups)),
        ));
    }
    Ok(Box::new(store.links_after(portal, after).map(
        move |link| {
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
        },
    )))
}

/// One account of the local target.
pub fn account(store: &Store, portal: &str, key: &str) -> Result<Option<AccountOut>, AnswerError> {
    match store.local_account(portal, key)? {
        Some(found) => {
            let groups = group_names(store, portal, From::Target)?;
            Ok(Some(local(store, portal, found, &groups)?))
        }
        None => Ok(None),
    }
}

fn local(
    store: &Store,
    portal: &str,
    account: LocalAccount,
    groups: &GroupMap,
) -> Result<AccountOut, AnswerError> {
    let departed = store
        .link(portal, &account.key)?
        .is_some_and(|link| link.is_departed());
    let names = names_of(&account.groups, groups);
    Ok(out(
        account.key,
        account.account,
        names,
        departed,
        account.source,
        account.source_id,
    ))
}

pub(super) fn out(
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

fn group_names(store: &Store, portal: &str, from: From) -> Result<GroupMap, AnswerError> {
    let links: Vec<GroupLink> = match from {
        From::Target => store.local_groups(portal).collect::<Result<_, _>>()?,
        From::Links => store.group_links(portal).collect::<Result<_, _>>()?,
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

/// A group as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortalGroupOut {
    pub display_name: String,
    /// The source's id of the group.
    pub external_id: String,
    /// Keys of the accounts in it, sorted.
    pub members: Vec<String>,
}

/// What groups are sorted by. The source tells two of one id apart.
pub type GroupPlace = (String, String, String, u32);

/// Groups by display name and id, those after `after` if one is given, and at most `limit`;
/// with the place of the last one if there are more.
///
/// Who is in them takes a look at every account, however few groups are asked for.
pub fn groups(
    store: &Store,
    portal: &str,
    from: From,
    after: Option<&GroupPlace>,
    limit: usize,
) -> Result<(Vec<PortalGroupOut>, Option<GroupPlace>), AnswerError> {
    let known = group_names(store, portal, from)?;
    let mut places: Vec<GroupPlace> = known
        .into_iter()
        .map(|((source, number), group)| (group.display_name, group.external_id, source, number))
        .filter(|place| after.is_none_or(|after| place > after))
        .collect();
    places.sort_unstable();
    let more = places.len() > limit;
    places.truncate(limit);
    let next = places.last().filter(|_| more).cloned();
    let mut members: BTreeMap<(String, u32), Vec<String>> = places
        .iter()
        .map(|(_, _, source, number)| ((source.clone(), *number), Vec::new()))
        .collect();
    let mut note = |key: &str, groups: &Groups| {
        for (source, number) in groups.iter() {
            if let Some(members) = members.get_mut(&(source.to_owned(), number)) {
                members.push(key.to_owned());
            }
        }
    };
    match from {
        From::Target => {
            for account in store.local_accounts(portal) {
                let account = account?;
                note(&account.key, &account.groups);
            }
        }
        From::Links => {
            for link in store.links(portal) {
                let link = link?;
                note(&link.key, &link.groups);
            }
        }
    }
    let groups = places.into_iter().map(|place| {
        let (display_name, external_id, source, number) = place;
        let mut members = members.remove(&(source, number)).unwrap_or_default();
        members.sort();
        PortalGroupOut {
            display_name,
            external_id,
            members,
        }
    });
    Ok((groups.collect(), next))
}
