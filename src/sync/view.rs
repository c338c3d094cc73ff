//! The directory as it will be: the store with what was staged laid over it. What the rules
//! see of a user or a group is put together here, and only for those that are looked at.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::RunError;
use super::staged::{Staged, key_hash};
use crate::directory::fold::fold;
use crate::directory::{Group, Member, User};
use crate::plan::Link;
use crate::rules::{MATCH_KINDS, MatchOn, Membership, Person, SourceRules, key_of};
use crate::store::Store;
use crate::store::rows::RowState;

/// A user of one of the view's sources: the source's place in the view and the user's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who {
    pub source: usize,
    pub number: u32,
}

pub struct View<'a> {
    pub store: &'a Store,
    pub sources: Vec<SourceView>,
    /// No key is stored at all: the first run need not ask a million times.
    no_stored_keys: bool,
    groups: RefCell<HashMap<Who, Option<Arc<GroupView>>>>,
    /// The numbers that stand for groups, by source; read once it is asked for.
    group_numbers: RefCell<HashMap<usize, Arc<RoaringBitmap>>>,
    upward: RefCell<HashMap<Who, Arc<Vec<u32>>>>,
}

pub struct SourceView {
    pub rules: SourceRules,
    pub staged: Option<Staged>,
    /// What is assigned to the application, before and after.
    pub assigned: RoaringBitmap,
    pub assigned_before: RoaringBitmap,
}

/// A group as it will be.
pub struct GroupView {
    pub group: Arc<Group>,
    pub folded_name: Arc<str>,
    pub gone: bool,
    pub assigned: bool,
    parents: Vec<u32>,
}

/// A user as it will be, with the groups.
pub struct PersonView {
    pub user: User,
    pub gone: bool,
    pub assigned: bool,
    pub memberships: Vec<Membership>,
    /// Keys the user had before, under which accounts may still stand.
    pub old_keys: Vec<String>,
}

impl PersonView {
    pub fn person<'p>(&'p self, rules: &'p SourceRules) -> Person<'p> {
        Person {
            source: rules,
            user: &self.user,
            gone: self.gone,
            assigned: self.assigned,
            groups: &self.memberships,
        }
    }
}

impl<'a> View<'a> {
    pub fn new(
        store: &'a Store,
        sources: Vec<(SourceRules, Option<Staged>)>,
    ) -> Result<View<'a>, RunError> {
        let sources = sources
            .into_iter()
            .map(|(rules, staged)| {
                let assigned_before = store.assigned(&rules.name)?;
                let assigned = staged
                    .as_ref()
                    .and_then(|staged| staged.assigned.clone())
                    .unwrap_or_else(|| assigned_before.clone());
                Ok(SourceView {
                    rules,
                    staged,
                    assigned,
                    assigned_before,
                })
            })
            .collect::<Result<Vec<_>, RunError>>()?;
        let no_stored_keys = !store.has_keys()?;
        Ok(View {
            store,
            sources,
            no_stored_keys,
            groups: RefCell::default(),
            group_numbers: RefCell::default(),
            upward: RefCell::default(),
        })
    }

    pub fn source_named(&self, name: &str) -> Option<usize> {
        self.sources
            .iter()
            .position(|source| source.rules.name == name)
    }

    fn staged(&self, source: usize) -> Option<&Staged> {
        self.sources[source].staged.as_ref()
    }

    /// A user by number; None for a number that stands for a group or for someone unseen.
    pub fn person(&self, who: Who) -> Result<Option<PersonView>, RunError> {
        let staged = self.staged(who.source);
        let source = &self.sources[who.source];
        let new_user = match staged {
            Some(staged) => staged.user(who.number)?,
            None => None,
        };
        let is_new = staged.is_some_and(|staged| staged.is_new(who.number));
        let row = match (&new_user, is_new) {
            (_, true) => None,
            (Some(user), false) => self.store.user(&source.rules.name, user.id.as_str())?,
            (None, false) => match self.store.member(&source.rules.name, who.number)? {
                Some(Member::User(id)) => self.store.user(&source.rules.name, id.as_str())?,
                _ => None,
            },
        };
        let (mut parents, mut old_keys, stored, was_gone) = match row {
            Some(row) => {
                let gone = row.state == RowState::Gone;
                let seen = row.state != RowState::Unseen;
                (row.parents, row.old_keys, seen.then_some(row.user), gone)
            }
            None => (Vec::new(), Vec::new(), None, false),
        };
        let gone = match (staged, &new_user) {
            (_, Some(_)) => false,
            (Some(staged), None) => was_gone || staged.gone.contains(who.number),
            (None, None) => was_gone,
        };
        if let (Some(_), Some(stored)) = (&new_user, &stored) {
            // Accounts still stand under the keys that this round replaces.
            old_keys.extend(MATCH_KINDS.iter().filter_map(|kind| key_of(*kind, stored)));
        }
        let Some(user) = new_user.or(stored) else {
            return Ok(None);
        };
        self.overlay_parents(who, &mut parents);
        let memberships = self.memberships(who.source, &parents)?;
        let assigned = source.assigned.contains(who.number);
        Ok(Some(PersonView {
            user,
            gone,
            assigned,
            memberships,
            old_keys,
        }))
    }

    /// A user by id; None where the directory has never seen one.
    pub fn number_of_user(&self, source: usize, id: &str) -> Result<Option<u32>, RunError> {
        let member = Member::User(crate::directory::UserId::new(id));
        if let Some(number) = self
            .staged(source)
            .and_then(|staged| staged.number_of(&member))
        {
            return Ok(Some(number));
        }
        let row = self.store.user(&self.sources[source].rules.name, id)?;
        Ok(row.map(|row| row.number))
    }

    fn overlay_parents(&self, who: Who, parents: &mut Vec<u32>) {
        let Some(staged) = self.staged(who.source) else {
            return;
        };
        let removed: Vec<u32> = staged.parents_removed(who.number).collect();
        if !removed.is_empty() {
            parents.retain(|parent| removed.binary_search(parent).is_err());
        }
        let before = parents.len();
        parents.extend(staged.parents_added(who.number));
        if parents.len() != before {
            parents.sort_unstable();
            parents.dedup();
        }
    }

    /// Direct groups first, then those they are in, each once, by display name and id.
    fn memberships(&self, source: usize, direct: &[u32]) -> Result<Vec<Membership>, RunError> {
        let mut numbers: Vec<(bool, u32)> = direct.iter().map(|number| (false, *number)).collect();
        let mut nested = BTreeSet::new();
        for number in direct {
            nested.extend(
                self.ancestors(Who {
                    source,
                    number: *number,
                })?
                .iter()
                .copied(),
            );
        }
        for number in direct {
            nested.remove(number);
        }
        numbers.extend(nested.into_iter().map(|number| (true, number)));
        let mut memberships = Vec::with_capacity(numbers.len());
        for (nested, number) in numbers {
            let Some(group) = self.group(Who { source, number })? else {
                continue;
            };
            if group.gone {
                continue;
            }
            memberships.push(Membership {
                number,
                group: group.group.clone(),
                folded_name: group.folded_name.clone(),
                direct: !nested,
                assigned: group.assigned,
            });
        }
        memberships.sort_by(|a, b| {
            (!a.direct, &a.group.display_name, &a.group.id).cmp(&(
                !b.direct,
                &b.group.display_name,
                &b.group.id,
            ))
        });
        Ok(memberships)
    }

    /// Every group that holds this one, at any depth. Cycles end; a group may come out as its
    /// own ancestor, which changes nothing.
    fn ancestors(&self, group: Who) -> Result<Arc<Vec<u32>>, RunError> {
        if let Some(known) = self.upward.borrow().get(&group) {
            return Ok(known.clone());
        }
        let mut found = BTreeSet::new();
        let mut open = vec![group.number];
        while let Some(number) = open.pop() {
            let Some(view) = self.group(Who {
                source: group.source,
                number,
            })?
            else {
                continue;
            };
            // A deleted group passes nothing on.
            if view.gone {
                continue;
            }
            for parent in &view.parents {
                if found.insert(*parent) {
                    open.push(*parent);
                }
            }
        }
        let found = Arc::new(found.into_iter().collect::<Vec<_>>());
        self.upward.borrow_mut().insert(group, found.clone());
        Ok(found)
    }

    /// A group by number; None for a number that is no group, or one that was only named.
    pub fn group(&self, who: Who) -> Result<Option<Arc<GroupView>>, RunError> {
        if let Some(known) = self.groups.borrow().get(&who) {
            return Ok(known.clone());
        }
        let source = &self.sources[who.source];
        let staged = self.staged(who.source);
        let row = match staged.is_some_and(|staged| staged.is_new(who.number)) {
            true => None,
            false => self.store.group(&source.rules.name, who.number)?,
        };
        let (mut parents, stored) = match row {
            Some(row) => {
                let gone = row.state == RowState::Gone;
                let seen = row.state != RowState::Unseen;
                (row.parents, seen.then_some((row.group, gone)))
            }
            None => (Vec::new(), None),
        };
        let new = staged
            .and_then(|staged| staged.groups.get(&who.number))
            .map(|staged| (staged.group.clone(), staged.gone));
        let view = new.or(stored).map(|(group, gone)| {
            self.overlay_parents(who, &mut parents);
            Arc::new(GroupView {
                folded_name: fold(&group.display_name).into(),
                group: Arc::new(group),
                gone,
                assigned: source.assigned.contains(who.number),
                parents,
            })
        });
        self.groups.borrow_mut().insert(who, view.clone());
        Ok(view)
    }

    /// The direct members of a group, as numbers, before this round and after it.
    fn members_ever(&self, group: Who) -> Result<Vec<u32>, RunError> {
        let staged = self.staged(group.source);
        let mut members = match staged.is_some_and(|staged| staged.is_new(group.number)) {
            true => Vec::new(),
            false => self
                .store
                .members(&self.sources[group.source].rules.name, group.number)?,
        };
        if let Some(staged) = staged {
            members.extend(staged.members_added(group.number));
        }
        Ok(members)
    }

    /// Adds every user that is or was in the group, at any depth, to `users`. `visited` keeps
    /// a group from being walked twice.
    pub fn reach(
        &self,
        group: Who,
        visited: &mut RoaringBitmap,
        users: &mut RoaringBitmap,
    ) -> Result<(), RunError> {
        let groups = self.group_numbers(group.source)?;
        let mut open = vec![group.number];
        while let Some(number) = open.pop() {
            if !visited.insert(number) {
                continue;
            }
            for member in self.members_ever(Who {
                source: group.source,
                number,
            })? {
                if groups.contains(member) {
                    open.push(member);
                } else {
                    users.insert(member);
                }
            }
        }
        Ok(())
    }

    /// Whether a number stands for a group.
    pub fn is_group(&self, who: Who) -> Result<bool, RunError> {
        if let Some(staged) = self.staged(who.source) {
            if staged.groups.contains_key(&who.number) {
                return Ok(true);
            }
            if staged.has_user(who.number) {
                return Ok(false);
            }
            if staged.is_new(who.number) {
                return Ok(matches!(
                    staged.new_member(who.number)?,
                    Some(Member::Group(_))
                ));
            }
        }
        let source = &self.sources[who.source].rules.name;
        Ok(self.store.group(source, who.number)?.is_some())
    }

    /// Every number that stands for a group, stored or staged.
    pub fn group_numbers(&self, source: usize) -> Result<Arc<RoaringBitmap>, RunError> {
        if let Some(known) = self.group_numbers.borrow().get(&source) {
            return Ok(known.clone());
        }
        let mut numbers = RoaringBitmap::new();
        for row in self.store.groups(&self.sources[source].rules.name) {
            numbers.insert(row?.number);
        }
        if let Some(staged) = self.staged(source) {
            numbers.extend(staged.groups.keys());
            numbers.extend(staged.moved_groups());
        }
        let numbers = Arc::new(numbers);
        self.group_numbers
            .borrow_mut()
            .insert(source, numbers.clone());
        Ok(numbers)
    }

    /// The user's link, wherever it stands: under the key of today, one of another kind (the
    /// settings may have changed), or one the user had before.
    pub fn own_link(
        &self,
        portal: &str,
        match_on: MatchOn,
        source: &str,
        person: &PersonView,
    ) -> Result<Option<Link>, RunError> {
        let id = person.user.id.as_str();
        let today = std::iter::once(match_on).chain(MATCH_KINDS);
        let today = today.filter_map(|kind| key_of(kind, &person.user));
        let mut tried = BTreeSet::new();
        for key in today.chain(person.old_keys.iter().cloned()) {
            if tried.contains(&key) {
                continue;
            }
            if let Some(link) = self.store.link(portal, &key)?
                && link.source == source
                && link.user == id
            {
                return Ok(Some(link));
            }
            tried.insert(key);
        }
        Ok(None)
    }

    /// Users who have this key now, or had it and may have an account under it.
    pub fn holders(&self, kind: MatchOn, key: &str) -> Result<Vec<Who>, RunError> {
        let mut found = Vec::new();
        let hash = key_hash(kind, key);
        for (source, view) in self.sources.iter().enumerate() {
            if let Some(staged) = &view.staged {
                found.extend(staged.by_key(hash).map(|number| Who { source, number }));
            }
        }
        if !self.no_stored_keys {
            for (source, id) in self.store.holders(kind.as_str(), key)? {
                if let Some(source) = self.source_named(&source)
                    && let Some(number) = self.number_of_user(source, &id)?
                {
                    found.push(Who { source, number });
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
