//! A portal's accounts and groups as a target elsewhere has them.

use std::collections::BTreeMap;

use super::AnswerError;
use super::portal::{AccountOut, PortalGroupOut, out};
use crate::store::Store;
use crate::targets::Held;

/// Accounts by key. What is known of them beside is what the link says.
pub fn accounts(
    store: &Store,
    portal: &str,
    held: Vec<Held>,
) -> Result<Vec<AccountOut>, AnswerError> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for one in held {
        match one {
            Held::Account { key, account } => {
                found.insert(key, account);
            }
            Held::Group {
                display_name,
                members,
                ..
            } => {
                for key in members.unwrap_or_default() {
                    names.entry(key).or_default().push(display_name.clone());
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (key, account) in found {
        let link = store.link(portal, &key)?;
        let departed = link.as_ref().is_some_and(|link| link.is_departed());
        let (source, user) = link.map_or_else(Default::default, |link| (link.source, link.user));
        let mut groups = names.remove(&key).unwrap_or_default();
        groups.sort();
        rows.push(out(key, account, groups, departed, source, user));
    }
    Ok(rows)
}

/// Groups by display name and id. A target that does not tell members shows none.
pub fn groups(held: Vec<Held>) -> Vec<PortalGroupOut> {
    let mut rows: Vec<PortalGroupOut> = held
        .into_iter()
        .filter_map(|one| match one {
            Held::Account { .. } => None,
            Held::Group {
                id,
                display_name,
                members,
                ..
            } => Some(PortalGroupOut {
                display_name,
                external_id: id,
                members: members.unwrap_or_default(),
            }),
        })
        .collect();
    rows.sort_by(|a, b| (&a.display_name, &a.external_id).cmp(&(&b.display_name, &b.external_id)));
    rows
}
