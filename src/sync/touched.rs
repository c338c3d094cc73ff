//! Whom a change can concern: the users and groups to be decided, and nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::RunError;
use super::push::Inbox;
use super::view::{View, Who};

/// By source, in the view's order.
#[derive(Default)]
pub struct Touched {
    pub users: Vec<RoaringBitmap>,
    pub groups: Vec<RoaringBitmap>,
}

/// Everybody: the settings changed, or an earlier large run did not end.
pub fn everybody(view: &View<'_>) -> Result<Touched, RunError> {
    let mut touched = Touched::default();
    for (source, seen) in view.sources.iter().enumerate() {
        let groups = view.group_numbers(source)?;
        let next = match &seen.staged {
            Some(staged) => staged.next_number,
            None => view.store.source_state(&seen.rules.name)?.next_number,
        };
        let mut users = RoaringBitmap::new();
        users.insert_range(0..next);
        touched.users.push(users - &*groups);
        touched.groups.push((*groups).clone());
    }
    Ok(touched)
}

/// Whom this round's changes concern, and who is marked to be looked at again.
pub fn by_changes(
    view: &View<'_>,
    inboxes: &BTreeMap<String, Arc<Inbox>>,
) -> Result<Touched, RunError> {
    let mut touched = Touched::default();
    for (source, seen) in view.sources.iter().enumerate() {
        let mut users = RoaringBitmap::new();
        let mut groups = RoaringBitmap::new();
        let mut walked = RoaringBitmap::new();
        let mut changed = &seen.assigned ^ &seen.assigned_before;
        if let Some(staged) = &seen.staged {
            if staged.first_new == 0 {
                // A first round: all of it is new, and need not be walked through.
                users.insert_range(0..staged.next_number);
                let known = view.group_numbers(source)?;
                touched.users.push(users - &*known);
                touched.groups.push((*known).clone());
                continue;
            }
            users.extend(staged.user_numbers());
            users |= &staged.gone;
            changed |= staged.moved_members();
            changed.extend(staged.groups.keys());
        }
        for number in changed {
            let who = Who { source, number };
            if view.is_group(who)? {
                groups.insert(number);
                view.reach(who, &mut walked, &mut users)?;
            } else {
                users.insert(number);
            }
        }
        touched.users.push(users);
        touched.groups.push(groups);
    }
    for (kind, source, id, _) in view.store.marks()? {
        let Some(source) = view.source_named(&source) else {
            continue;
        };
        match kind {
            b'g' => {
                let name = &view.sources[source].rules.name;
                let Some(number) = view.store.group_number(name, &id)? else {
                    continue;
                };
                touched.groups[source].insert(number);
                // Whoever pushed the group marked it alone, and means those below it as well.
                if inboxes.contains_key(name) {
                    let who = Who { source, number };
                    let mut walked = RoaringBitmap::new();
                    view.reach(who, &mut walked, &mut touched.users[source])?;
                }
            }
            _ => touched.users[source].extend(view.number_of_user(source, &id)?),
        }
    }
    Ok(touched)
}
