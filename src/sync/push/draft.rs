//! One write, gathered row by row under the pen and put down at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use jiff::Timestamp;

use super::{Inbox, PushError, object};
use crate::directory::fold::fold;
use crate::directory::{GroupId, Member, UserId};
use crate::scim::{Kind, Object};
use crate::store::directory as rows_of;
use crate::store::pushed::{self, ResourceRow};
use crate::store::rows::{GroupRow, Mark, RowState, SourceState, UserRow};
use crate::store::{Op, Pen, TRANSACTION_OPS};
use crate::sync::remember::unfinished;

pub struct Draft<'a> {
    pub inbox: &'a Inbox,
    pub pen: MutexGuard<'a, Pen>,
    pub now: Timestamp,
    pub state: SourceState,
    state_before: SourceState,
    /// Rows that this write has looked at, as they will be.
    users: BTreeMap<String, Row<UserRow>>,
    groups: BTreeMap<u32, Row<GroupRow>>,
    ops: Vec<Op>,
    marks: BTreeSet<(u8, String)>,
}

struct Row<T> {
    row: Option<T>,
    changed: bool,
}

/// A resource before it is changed.
pub struct Before {
    pub row: ResourceRow,
    pub object: Object,
}

impl<'a> Draft<'a> {
    /// Waits for the pen.
    pub fn new(inbox: &'a Inbox, now: Timestamp) -> Result<Draft<'a>, PushError> {
        let pen = inbox.store.pen();
        let state = inbox.store.source_state(&inbox.source)?;
        Ok(Draft {
            inbox,
            pen,
            now,
            state_before: state.clone(),
            state,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            ops: Vec::new(),
            marks: BTreeSet::new(),
        })
    }

    pub fn source(&self) -> &'a str {
        &self.inbox.source
    }

    pub fn resource(&self, kind: Kind, id: &str) -> Result<Option<Before>, PushError> {
        let found = self
            .inbox
            .store
            .resource(self.source(), kind.letter(), id)?;
        let Some(row) = found else {
            return Ok(None);
        };
        let object = object(&row.json)?;
        Ok(Some(Before { row, object }))
    }

    /// A user as this write will leave it.
    pub fn user(&mut self, id: &str) -> Result<Option<&mut UserRow>, PushError> {
        if !self.users.contains_key(id) {
            let row = self.inbox.store.user(self.source(), id)?;
            self.users.insert(
                id.to_owned(),
                Row {
                    row,
                    changed: false,
                },
            );
        }
        let known = self.users.get_mut(id);
        Ok(known.and_then(|known| known.row.as_mut()))
    }

    /// Likewise a group.
    pub fn group(&mut self, number: u32) -> Result<Option<&mut GroupRow>, PushError> {
        if !self.groups.contains_key(&number) {
            let row = self.inbox.store.group(self.source(), number)?;
            self.groups.insert(
                number,
                Row {
                    row,
                    changed: false,
                },
            );
        }
        let known = self.groups.get_mut(&number);
        Ok(known.and_then(|known| known.row.as_mut()))
    }

    pub fn put_user(&mut self, row: UserRow) {
        let id = row.user.id.as_str().to_owned();
        self.users.insert(
            id,
            Row {
                row: Some(row),
                changed: true,
            },
        );
    }

    pub fn put_group(&mut self, row: GroupRow) {
        self.groups.insert(
            row.number,
            Row {
                row: Some(row),
                changed: true,
            },
        );
    }

    pub fn add(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.ops.extend(ops);
    }

    /// Somebody is to be looked at again.
    pub fn mark(&mut self, kind: Kind, id: &str) {
        self.marks.insert((kind.letter(), id.to_owned()));
    }

    /// Gives somebody new an id and a number.
    pub fn admit(&mut self, kind: Kind) -> Result<(String, u32), PushError> {
        let id = self.pen.new_id(self.now);
        let number = self.state.next_number;
        let member = match kind {
            Kind::User => Member::User(UserId::new(&id)),
            Kind::Group => Member::Group(GroupId::new(&id)),
        };
        let given = self
            .inbox
            .store
            .give_number(self.inbox.source.as_str(), number, member)?;
        self.add(given);
        self.state.next_number += 1;
        Ok((id, number))
    }

    /// Who a member's id stands for, and its number: a user, else a group.
    pub fn member(&mut self, id: &str) -> Result<Option<(Kind, u32)>, PushError> {
        if let Some(row) = self.user(id)?
            && row.state == RowState::Known
        {
            return Ok(Some((Kind::User, row.number)));
        }
        let Some(number) = self.inbox.store.group_number(self.source(), id)? else {
            return Ok(None);
        };
        let known = self.group(number)?;
        let is_there = known.is_some_and(|row| row.state == RowState::Known);
        Ok(is_there.then_some((Kind::Group, number)))
    }

    /// The numbers of the groups that hold somebody directly, to be changed.
    pub fn parents(
        &mut self,
        kind: Kind,
        number: u32,
        id: &str,
    ) -> Result<Option<&mut Vec<u32>>, PushError> {
        Ok(match kind {
            Kind::User => self.user(id)?.map(|row| &mut row.parents),
            Kind::Group => self.group(number)?.map(|row| &mut row.parents),
        })
    }

    /// Says that a row that was looked at has been changed.
    pub fn changed(&mut self, kind: Kind, number: u32, id: &str) {
        match kind {
            Kind::User => {
                if let Some(known) = self.users.get_mut(id) {
                    known.changed = true;
                }
            }
            Kind::Group => {
                if let Some(known) = self.groups.get_mut(&number) {
                    known.changed = true;
                }
            }
        }
    }

    /// The resource as it will be, and the index that finds it.
    pub fn put_resource(
        &mut self,
        kind: Kind,
        id: &str,
        before: Option<&Before>,
        object: &Object,
    ) -> ResourceRow {
        let row = ResourceRow {
            version: before.map_or(1, |before| before.row.version + 1),
            created: before.map_or(self.now, |before| before.row.created),
            modified: before.map_or(self.now, |before| self.now.max(before.row.modified)),
            json: serde_json::to_string(object).expect("JSON is plain data"),
        };
        let (source, letter) = (self.source(), kind.letter());
        let old = before
            .map(|before| found_by(kind, &before.object))
            .unwrap_or_default();
        let new = found_by(kind, object);
        for (attribute, value) in old.difference(&new) {
            self.ops
                .push(pushed::delete_found(source, letter, attribute, value, id));
        }
        for (attribute, value) in new.difference(&old) {
            self.ops
                .push(pushed::put_found(source, letter, attribute, value, id));
        }
        self.ops
            .push(pushed::put_resource(source, letter, id, &row));
        row
    }

    pub fn drop_resource(&mut self, kind: Kind, id: &str, before: &Before) {
        let (source, letter) = (self.source(), kind.letter());
        for (attribute, value) in found_by(kind, &before.object) {
            self.ops
                .push(pushed::delete_found(source, letter, attribute, &value, id));
        }
        self.ops.push(pushed::delete_resource(source, letter, id));
    }

    /// Puts it down, all or nothing. What is too large for one transaction, such as a group
    /// that gets thousands of members at once, is put down in several under a note, with
    /// which the next run mends what a crash leaves in between.
    pub fn put_down(mut self) -> Result<(), PushError> {
        let store = &self.inbox.store;
        let source = self.source();
        let mut ops = std::mem::take(&mut self.ops);
        for known in self.users.values().filter(|known| known.changed) {
            ops.extend(known.row.iter().map(|row| rows_of::put_user(source, row)));
        }
        for known in self.groups.values().filter(|known| known.changed) {
            ops.extend(
                known
                    .row
                    .iter()
                    .flat_map(|row| rows_of::put_group(source, row)),
            );
        }
        if self.state != self.state_before {
            ops.push(rows_of::put_source_state(source, &self.state));
        }
        let mut marks = Vec::new();
        for (kind, id) in std::mem::take(&mut self.marks) {
            if !store.is_marked(kind, source, &id)? {
                let mark = Mark {
                    attempts: 0,
                    last_error: None,
                };
                marks.push(rows_of::put_mark(kind, source, &id, &mark));
            }
            self.pen.touch((kind, source.to_owned(), id));
        }
        if ops.len() + marks.len() <= TRANSACTION_OPS {
            ops.extend(marks);
            return Ok(store.transact(ops)?);
        }
        store.write(vec![rows_of::put_note(&unfinished(source), "yes")])?;
        store.write(marks)?;
        store.flush()?;
        store.write(ops)?;
        store.flush()?;
        Ok(store.write(vec![rows_of::put_note(&unfinished(source), "")])?)
    }
}

/// What a resource is found by, in the form in which it compares.
pub fn found_by(kind: Kind, object: &Object) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    let text = |name: &str| object.get(name).and_then(|value| value.as_str());
    if let Some(id) = text("externalId") {
        found.insert(("externalId", id.to_owned()));
    }
    if let Some(name) = text("displayName") {
        found.insert(("displayName", fold(name)));
    }
    if kind == Kind::User {
        if let Some(name) = text("userName") {
            found.insert(("userName", fold(name)));
        }
        let emails = object.get("emails").and_then(|emails| emails.as_array());
        for email in emails.into_iter().flatten() {
            if let Some(value) = email.get("value").and_then(|value| value.as_str()) {
                found.insert(("emails", fold(value)));
            }
        }
    }
    found
}
