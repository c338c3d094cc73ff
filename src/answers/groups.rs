//! Groups, for somebody who looks for one: those of a source or of a portal, by name. `group`
//! is one of them with its members.

use std::collections::BTreeMap;

use super::AnswerError;
use crate::directory::fold::fold;
use crate::rules::Portal;
use crate::store::Store;
use crate::store::rows::{GroupRow, RowState};

/// Whose groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of<'a> {
    /// As the source has them; its direct members are counted.
    Source(&'a str),
    /// Those pushed to a portal; the accounts in them are counted.
    Portal(&'a str),
}

/// One part of a list.
pub struct Part<T> {
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: usize,
}

/// A group in a list.
pub struct GroupLine {
    pub source: String,
    pub id: String,
    pub name: String,
    pub members: usize,
    /// The portals it is pushed to.
    pub portals: Vec<String>,
}

/// Groups whose names hold `wanted`, by name, from the `skip`th on and at most `most`.
pub fn groups(
    store: &Store,
    portals: &[Portal],
    of: Of<'_>,
    wanted: &str,
    skip: usize,
    most: usize,
) -> Result<Part<GroupLine>, AnswerError> {
    let wanted = fold(wanted);
    // Folded name, source, number, id, name: sorted by what is compared first.
    let mut found: Vec<(String, String, u32, String, String)> = Vec::new();
    let mut take = |source: &str, number: u32, id: &str, name: &str| {
        let folded = fold(name);
        if folded.contains(&wanted) {
            let (source, id, name) = (source.to_owned(), id.to_owned(), name.to_owned());
            found.push((folded, source, number, id, name));
        }
    };
    match of {
        Of::Source(source) => {
            for row in store.groups(source) {
                let GroupRow {
                    number,
                    state,
                    parents: _,
                    group,
                } = row?;
                if state == RowState::Known {
                    take(source, number, group.id.as_str(), &group.display_name);
                }
            }
        }
        Of::Portal(portal) => {
            for link in store.group_links(portal) {
                let link = link?;
                take(&link.source, link.number, &link.id, &link.display_name);
            }
        }
    }
    found.sort_unstable();
    let total = found.len();
    let shown: Vec<_> = found.into_iter().skip(skip).take(most).collect();
    let accounts = match of {
        Of::Portal(portal) => {
            let places = shown.iter().map(|row| (row.1.clone(), row.2));
            Some(accounts_in(store, portal, places)?)
        }
        Of::Source(_) => None,
    };
    let mut items = Vec::with_capacity(shown.len());
    for (_, source, number, id, name) in shown {
        let place = (source, number);
        items.push(GroupLine {
            members: match &accounts {
                Some(counts) => counts.get(&place).copied().unwrap_or(0),
                None => store.members(&place.0, number)?.len(),
            },
            portals: pushed_to(store, portals, &place.0, number)?,
            source: place.0,
            id,
            name,
        });
    }
    Ok(Part { items, total })
}

/// How many accounts of a portal are in each of these groups: a look at every account.
fn accounts_in(
    store: &Store,
    portal: &str,
    groups: impl Iterator<Item = (String, u32)>,
) -> Result<BTreeMap<(String, u32), usize>, AnswerError> {
    let mut counts: BTreeMap<_, usize> = groups.map(|place| (place, 0)).collect();
    if counts.is_empty() {
        return Ok(counts);
    }
    for link in store.links(portal) {
        let link = link?;
        for (source, number) in link.groups.iter() {
            if let Some(count) = counts.get_mut(&(source.to_owned(), number)) {
                *count += 1;
            }
        }
    }
    Ok(counts)
}

/// The portals that a group stands in.
pub(super) fn pushed_to(
    store: &Store,
    portals: &[Portal],
    source: &str,
    number: u32,
) -> Result<Vec<String>, AnswerError> {
    let mut names = Vec::new();
    for portal in portals {
        if store.group_link(&portal.name, source, number)?.is_some() {
            names.push(portal.name.clone());
        }
    }
    Ok(names)
}
