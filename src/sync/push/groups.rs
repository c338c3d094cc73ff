//! Groups and their members, as a client makes, changes and deletes them.
//!
//! Who joins or leaves is marked, and nobody else: a member more costs the same in a group of
//! any size. A group that changes its name or goes is marked itself, and the run looks at
//! those below it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::draft::{Before, Draft};
use super::read::named;
use super::users::unchanged;
use super::{IfMatch, Inbox, PushError, Written, not_there};
use crate::scim::patch::{self, MemberChange, Operation};
use crate::scim::{Kind, Object, ScimError, convert};
use crate::store::rows::{GroupRow, RowState};

/// What is to become of one who is or may be a member.
struct Wish {
    kind: Kind,
    id: String,
    is_member: bool,
}

impl Wish {
    fn new(kind: Kind, id: &str, is_member: bool) -> Wish {
        Wish {
            kind,
            id: id.to_owned(),
            is_member,
        }
    }
}

impl Inbox {
    pub fn create_group(
        &self,
        group: Object,
        members: Vec<String>,
        now: Timestamp,
    ) -> Result<Written, PushError> {
        let mut draft = Draft::new(self, now)?;
        let (id, number) = draft.admit(Kind::Group)?;
        draft.put_group(GroupRow {
            number,
            state: RowState::Known,
            parents: Vec::new(),
            group: convert::group(&id, &group),
        });
        draft.state.groups += 1;
        let put = draft.put_resource(Kind::Group, &id, None, &group);
        draft.mark(Kind::Group, &id);
        draft.members(number, &[MemberChange::Add(members)])?;
        draft.put_down()?;
        Ok(Written {
            id,
            row: put,
            changed: true,
        })
    }

    /// Puts another group in the place of the one of that id, with these members.
    pub fn replace_group(
        &self,
        id: &str,
        group: Object,
        members: Vec<String>,
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<Written, PushError> {
        self.change_group(id, if_match, now, |_| {
            Ok((group, vec![MemberChange::Set(members)]))
        })
    }

    pub fn patch_group(
        &self,
        id: &str,
        operations: &[Operation],
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<Written, PushError> {
        let kind = self.kind(Kind::Group);
        self.change_group(id, if_match, now, |before| {
            let patched = patch::apply(before, operations, kind)?;
            Ok((patched.resource, patched.members))
        })
    }

    fn change_group(
        &self,
        id: &str,
        if_match: &IfMatch,
        now: Timestamp,
        change: impl FnOnce(&Object) -> Result<(Object, Vec<MemberChange>), ScimError>,
    ) -> Result<Written, PushError> {
        let mut draft = Draft::new(self, now)?;
        let (before, number) = draft.group_of(id)?;
        if_match.check(before.row.version)?;
        let (after, changes) = change(&before.object)?;
        let moved = draft.members(number, &changes)?;
        if !moved && after == before.object {
            return Ok(unchanged(id, &before));
        }
        let put = draft.put_resource(Kind::Group, id, Some(&before), &after);
        let row = draft.group(number)?.ok_or_else(|| not_there(Kind::Group))?;
        let group = convert::group(id, &after);
        if row.group != group {
            row.group = group;
            draft.changed(Kind::Group, number, id);
            draft.mark(Kind::Group, id);
        }
        draft.put_down()?;
        Ok(Written {
            id: id.to_owned(),
            row: put,
            changed: true,
        })
    }

    /// Deletes a group for good. Its members' rows go on naming it, which means nothing any
    /// more: so it costs the same at any size.
    pub fn delete_group(
        &self,
        id: &str,
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<(), PushError> {
        let mut draft = Draft::new(self, now)?;
        let (before, number) = draft.group_of(id)?;
        if_match.check(before.row.version)?;
        let row = draft.group(number)?.cloned();
        let mut row = row.ok_or_else(|| not_there(Kind::Group))?;
        draft.leave_groups(number, &row.parents)?;
        row.parents.clear();
        row.state = RowState::Gone;
        draft.put_group(row);
        draft.drop_resource(Kind::Group, id, &before);
        draft.state.groups = draft.state.groups.saturating_sub(1);
        draft.mark(Kind::Group, id);
        draft.put_down()
    }
}

impl Draft<'_> {
    fn group_of(&mut self, id: &str) -> Result<(Before, u32), PushError> {
        let before = self.resource(Kind::Group, id)?;
        let before = before.ok_or_else(|| not_there(Kind::Group))?;
        let number = self.inbox.store.group_number(self.source(), id)?;
        let number = number.ok_or_else(|| not_there(Kind::Group))?;
        Ok((before, number))
    }

    /// Takes somebody who goes out of the groups that hold them.
    pub fn leave_groups(&mut self, number: u32, groups: &[u32]) -> Result<(), PushError> {
        for group in groups {
            let Some(row) = self.group(*group)? else {
                continue;
            };
            if row.state != RowState::Known {
                continue;
            }
            let id = row.group.id.as_str().to_owned();
            let ops = self
                .inbox
                .store
                .edit_members(self.source(), *group, &[], &[number])?;
            self.add(ops);
            if let Some(before) = self.resource(Kind::Group, &id)? {
                self.put_resource(Kind::Group, &id, Some(&before), &before.object);
            }
        }
        Ok(())
    }

    /// Changes who is in a group. Says whether anybody came or went.
    pub fn members(&mut self, group: u32, changes: &[MemberChange]) -> Result<bool, PushError> {
        let mut wishes: BTreeMap<u32, Wish> = BTreeMap::new();
        for change in changes {
            match change {
                MemberChange::Add(ids) => self.wish(&mut wishes, ids)?,
                MemberChange::Remove(ids) => {
                    for id in ids {
                        // Who is not there is no member already.
                        if let Some((kind, number)) = self.member(id)? {
                            wishes.insert(number, Wish::new(kind, id, false));
                        }
                    }
                }
                MemberChange::RemoveWhere(filter) => {
                    self.load(group, &mut wishes)?;
                    for wish in wishes.values_mut() {
                        wish.is_member &= !filter.passes_value(&shown(wish));
                    }
                }
                MemberChange::Set(ids) => {
                    self.load(group, &mut wishes)?;
                    for wish in wishes.values_mut() {
                        wish.is_member = false;
                    }
                    self.wish(&mut wishes, ids)?;
                }
            }
        }
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (number, wish) in &wishes {
            let Some(parents) = self.parents(wish.kind, *number, &wish.id)? else {
                continue;
            };
            match (parents.binary_search(&group), wish.is_member) {
                (Err(place), true) => {
                    parents.insert(place, group);
                    added.push(*number);
                }
                (Ok(place), false) => {
                    parents.remove(place);
                    removed.push(*number);
                }
                _ => continue,
            }
            self.changed(wish.kind, *number, &wish.id);
            self.mark(wish.kind, &wish.id);
        }
        if added.is_empty() && removed.is_empty() {
            return Ok(false);
        }
        let ops = self
            .inbox
            .store
            .edit_members(self.source(), group, &added, &removed)?;
        self.add(ops);
        Ok(true)
    }

    fn wish(&mut self, wishes: &mut BTreeMap<u32, Wish>, ids: &[String]) -> Result<(), PushError> {
        for id in ids {
            let Some((kind, number)) = self.member(id)? else {
                return Err(ScimError::value(
                    "a member is neither a user nor a group of this source",
                )
                .into());
            };
            wishes.insert(number, Wish::new(kind, id, true));
        }
        Ok(())
    }

    /// Everybody who is a member, where nothing was said of them yet.
    fn load(&mut self, group: u32, wishes: &mut BTreeMap<u32, Wish>) -> Result<(), PushError> {
        let store = &self.inbox.store;
        for (number, member) in store.named_members(self.source(), group)? {
            let (kind, id) = named(&member);
            wishes
                .entry(number)
                .or_insert_with(|| Wish::new(kind, id, true));
        }
        Ok(())
    }
}

/// A member as filters see it.
fn shown(wish: &Wish) -> Value {
    json!({ "value": wish.id, "type": wish.kind.name() })
}
