//! Reads a target back and puts it beside the links. Decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::{AccountDrift, Differs, GroupDrift, PortalDrift};
use crate::directory::Value;
use crate::plan::{Account, GroupLink, Link};
use crate::rules::{Portal, RoleUpdates};
use crate::store::Store;
use crate::sync::RunError;
use crate::targets::{Held, Target, TargetError};

/// So many accounts that are not ours are named.
const NAMED: usize = 1000;

/// What the links of a portal say, small enough to be held for all of them at once.
struct Expected {
    /// In order.
    keys: Vec<Box<str>>,
    /// Those that are left alone: they are no longer updated.
    departed: RoaringBitmap,
    groups: BTreeMap<(String, String), (GroupLink, Vec<u32>)>,
}

impl Expected {
    fn read(store: &Store, portal: &str) -> Result<Expected, RunError> {
        let mut groups = BTreeMap::new();
        let mut by_number: HashMap<(String, u32), (String, String)> = HashMap::new();
        for link in store.group_links(portal) {
            let link = link?;
            let place = (link.source.clone(), link.id.clone());
            by_number.insert((link.source.clone(), link.number), place.clone());
            groups.insert(place, (link, Vec::new()));
        }
        let mut expected = Expected {
            keys: Vec::new(),
            departed: RoaringBitmap::new(),
            groups,
        };
        for link in store.links(portal) {
            let link = link?;
            let number = expected.keys.len() as u32;
            for (source, group) in link.groups.iter() {
                let place = by_number.get(&(source.to_owned(), group));
                if let Some((_, members)) = place.and_then(|place| expected.groups.get_mut(place)) {
                    members.push(number);
                }
            }
            if link.is_departed() {
                expected.departed.insert(number);
            }
            expected.keys.push(link.key.into());
        }
        Ok(expected)
    }
}

fn number_in(keys: &[Box<str>], key: &str) -> Option<u32> {
    let found = keys.binary_search_by(|known| (**known).cmp(key));
    found.ok().map(|number| number as u32)
}

pub fn compare(
    store: &Store,
    portal: &Portal,
    target: &dyn Target,
) -> Result<PortalDrift, RunError> {
    let Expected {
        keys,
        departed,
        mut groups,
    } = Expected::read(store, &portal.name)?;
    let mut drift = PortalDrift::default();
    let mut seen = RoaringBitmap::new();
    let mapped: BTreeSet<&str> = portal.mapping.attributes().collect();
    let matters = |attribute: &str| {
        let ours = attribute != "role" || portal.role_updates == RoleUpdates::Continuous;
        ours && target.keeps(&portal.name, attribute)
    };
    let mut take = |held: Held| -> Result<(), TargetError> {
        match held {
            Held::Account { key, account } => {
                let link = store.link(&portal.name, &key)?;
                let (Some(number), Some(link)) = (number_in(&keys, &key), link) else {
                    drift.not_ours_count += 1;
                    if drift.not_ours.len() < NAMED {
                        drift.not_ours.push(key);
                    }
                    return Ok(());
                };
                seen.insert(number);
                let differs = differences(&link, &account, &mapped, &matters);
                if !differs.is_empty() {
                    drift.accounts.push(found(link, false, differs));
                }
            }
            Held::Group {
                source,
                id,
                display_name,
                members,
            } => {
                let Some((link, should)) = groups.remove(&(source, id)) else {
                    drift.not_our_groups.push(display_name);
                    return Ok(());
                };
                let key_of = |number: &u32| keys[*number as usize].to_string();
                // One who is not ours may be a member: that is not ours to end.
                let number = |key: &String| number_in(&keys, key);
                let (missing, too_many) = match members {
                    None => (Vec::new(), Vec::new()),
                    Some(members) => {
                        let is: BTreeSet<u32> = members.iter().filter_map(number).collect();
                        let should: BTreeSet<u32> = should.into_iter().collect();
                        (
                            should.difference(&is).map(key_of).collect(),
                            is.difference(&should).map(key_of).collect(),
                        )
                    }
                };
                let renamed = link.display_name != display_name;
                if renamed || !missing.is_empty() || !too_many.is_empty() {
                    drift.groups.push(GroupDrift {
                        held_name: renamed.then_some(display_name),
                        missing: false,
                        members_missing: missing,
                        members_too_many: too_many,
                        ..bare(link)
                    });
                }
            }
        }
        Ok(())
    };
    target.read_back(&portal.name, &mut take)?;
    for (number, key) in keys.iter().enumerate() {
        let number = number as u32;
        if seen.contains(number) || departed.contains(number) {
            continue;
        }
        if let Some(link) = store.link(&portal.name, key)? {
            drift.accounts.push(found(link, true, Vec::new()));
        }
    }
    for (link, should) in groups.into_values() {
        let key_of = |number: u32| keys[number as usize].to_string();
        drift.groups.push(GroupDrift {
            missing: true,
            members_missing: should.into_iter().map(key_of).collect(),
            ..bare(link)
        });
    }
    drift.accounts.sort_by(|a, b| a.key.cmp(&b.key));
    drift.groups.sort_by(|a, b| {
        let place = |group: &GroupDrift| (group.display_name.clone(), group.source_id.clone());
        place(a).cmp(&place(b))
    });
    drift.not_ours.sort_unstable();
    drift.not_our_groups.sort_unstable();
    Ok(drift)
}

fn bare(link: GroupLink) -> GroupDrift {
    GroupDrift {
        display_name: link.display_name,
        external_id: link.external_id,
        source: link.source,
        source_id: link.id,
        missing: false,
        held_name: None,
        members_missing: Vec::new(),
        members_too_many: Vec::new(),
    }
}

fn found(link: Link, missing: bool, differs: Vec<Differs>) -> AccountDrift {
    AccountDrift {
        key: link.key,
        source: link.source,
        source_id: link.user,
        missing,
        differs,
    }
}

/// The attributes that rosterd sees to without any mapping.
const ALWAYS: [&str; 7] = [
    "userName",
    "email",
    "displayName",
    "name.givenName",
    "name.familyName",
    "active",
    "role",
];

/// The attributes that are not as they were applied. Those that nobody applies are not ours: of
/// those that are absent in the link only the mapped ones count, which were taken away.
fn differences(
    link: &Link,
    held: &Account,
    mapped: &BTreeSet<&str>,
    matters: &dyn Fn(&str) -> bool,
) -> Vec<Differs> {
    let applied: BTreeMap<String, Value> = link.account.named().into_iter().collect();
    let held: BTreeMap<String, Value> = held.named().into_iter().collect();
    let names: BTreeSet<&String> = applied.keys().chain(held.keys()).collect();
    names
        .into_iter()
        .filter(|name| matters(name))
        .filter(|name| {
            let always = ALWAYS.contains(&name.as_str());
            always || applied.contains_key(*name) || mapped.contains(name.as_str())
        })
        // Whoever departed is not updated. What was disabled stays disabled, all the same.
        .filter(|name| !link.is_departed() || *name == "active" && !link.account.active)
        .filter(|name| !same(applied.get(*name), held.get(*name)))
        .map(|name| Differs {
            attribute: name.clone(),
            applied: applied.get(name).cloned(),
            held: held.get(name).cloned(),
        })
        .collect()
}

/// A target that keeps texts only gives a number back as one.
fn same(applied: Option<&Value>, held: Option<&Value>) -> bool {
    match (applied, held) {
        (Some(applied), Some(held)) => applied == held || applied.plain() == held.plain(),
        (None, None) => true,
        _ => false,
    }
}
