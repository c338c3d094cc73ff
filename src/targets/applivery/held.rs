//! What Applivery holds, put beside what the links say of it.

use std::collections::{BTreeMap, HashMap};

use super::people::Person;
use super::{Applivery, Held, Place, TargetError};
use crate::directory::fold::fold;
use crate::plan::{Account, GroupLink, Link, Role};

/// A group that is pushed, with the members that its tag tells of.
struct Group {
    link: GroupLink,
    members: Vec<String>,
}

impl Applivery {
    pub(super) fn hand_over(
        &self,
        portal: &str,
        place: &Place,
        people: Vec<(String, Person)>,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let mut groups: Vec<Group> = Vec::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for link in self.store.group_links(portal) {
            let link = link?;
            let name = link.display_name.clone();
            by_name.entry(name).or_default().push(groups.len());
            let members = Vec::new();
            groups.push(Group { link, members });
        }
        let strays = self.strays(portal, &people)?;
        for (address, person) in people {
            let key = strays.get(&person.id).unwrap_or(&address).clone();
            let link = self.store.link(portal, &key)?;
            note_memberships(&mut groups, &by_name, &key, &person, link.as_ref());
            let account = told(place.account(&person), &person, link.as_ref());
            take(Held::Account { key, account })?;
        }
        for Group { link, mut members } in groups {
            members.sort_unstable();
            take(Held::Group {
                source: link.source,
                id: link.id,
                display_name: link.display_name,
                members: Some(members),
            })?;
        }
        Ok(())
    }

    /// Ours whose address was changed at Applivery: the link's key by the id there.
    fn strays(
        &self,
        portal: &str,
        people: &[(String, Person)],
    ) -> Result<HashMap<String, String>, TargetError> {
        let mut unlinked: HashMap<&str, ()> = HashMap::new();
        for (key, person) in people {
            if self.store.link(portal, key)?.is_none() {
                unlinked.insert(&person.id, ());
            }
        }
        let mut subjects: BTreeMap<(String, String), String> = BTreeMap::new();
        if !unlinked.is_empty() {
            for row in self.store.target_ids(portal) {
                let row = row?;
                if unlinked.contains_key(row.id.as_str()) {
                    subjects.insert((row.source, row.subject), row.id);
                }
            }
        }
        let mut strays = HashMap::new();
        if !subjects.is_empty() {
            for link in self.store.links(portal) {
                let link = link?;
                if let Some(id) = subjects.remove(&(link.source, link.user)) {
                    strays.insert(id, link.key);
                }
            }
        }
        Ok(strays)
    }
}

/// A tag is a membership of the groups of its name that hold the account, and where none of
/// them should, of the first.
fn note_memberships(
    groups: &mut [Group],
    by_name: &HashMap<String, Vec<usize>>,
    key: &str,
    person: &Person,
    link: Option<&Link>,
) {
    let holds = |group: &Group| {
        let GroupLink { source, number, .. } = &group.link;
        link.is_some_and(|link| link.groups.contains(source, *number))
    };
    if person.is_owner() {
        // The owner is left alone: what we noted of one is all there is.
        for group in groups.iter_mut().filter(|group| holds(group)) {
            group.members.push(key.to_owned());
        }
        return;
    }
    for tag in &person.tags {
        let Some(named) = by_name.get(tag) else {
            continue;
        };
        let held: Vec<usize> = named
            .iter()
            .copied()
            .filter(|place| holds(&groups[*place]))
            .collect();
        let members_of = match held.is_empty() {
            true => &named[..1],
            false => &held,
        };
        for place in members_of {
            groups[*place].members.push(key.to_owned());
        }
    }
}

/// An account as it is compared: what means the same is shown the same.
fn told(mut account: Account, person: &Person, link: Option<&Link>) -> Account {
    let Some(link) = link else {
        return account;
    };
    let applied = &link.account;
    // Whether capitals of an address are kept is not documented, and means nothing.
    if let (Some(there), Some(ours)) = (&account.email, &applied.email)
        && fold(there) == fold(ours)
    {
        account.email = Some(ours.clone());
    }
    // The owner's role is nobody's business, and the one that grants nothing is none.
    let none_at_all = applied.role.is_none() && account.role == Some(Role::Unassigned);
    if person.is_owner() || none_at_all {
        account.role = applied.role;
    }
    account
}
