//! Users, as a client makes, changes and deletes them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::draft::{Before, Draft};
use super::{IfMatch, Inbox, PushError, Written, not_there};
use crate::directory::fold::fold;
use crate::directory::{User, UserId};
use crate::rules::{MATCH_KINDS, key_of};
use crate::scim::patch::{self, Operation};
use crate::scim::{Kind, Object, ScimError, convert};
use crate::store::directory as rows_of;
use crate::store::rows::{RowState, UserRow};

impl Inbox {
    pub fn create_user(&self, user: Object, now: Timestamp) -> Result<Written, PushError> {
        let mut draft = Draft::new(self, now)?;
        only_one(&draft, &user, None)?;
        let (id, number) = draft.admit(Kind::User)?;
        let row = UserRow {
            number,
            state: RowState::Unseen,
            digest: [0; 16],
            parents: Vec::new(),
            old_keys: Vec::new(),
            user: User::new(UserId::new(&id)),
        };
        draft.state.users += 1;
        let put = draft.put_resource(Kind::User, &id, None, &user);
        becomes(&mut draft, row, convert::user(&id, &user))?;
        draft.put_down()?;
        Ok(Written {
            id,
            row: put,
            changed: true,
        })
    }

    /// Puts another user in the place of the one of that id.
    pub fn replace_user(
        &self,
        id: &str,
        user: Object,
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<Written, PushError> {
        self.change_user(id, if_match, now, |_| Ok(user))
    }

    pub fn patch_user(
        &self,
        id: &str,
        operations: &[Operation],
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<Written, PushError> {
        let kind = self.kind(Kind::User);
        self.change_user(id, if_match, now, |before| {
            Ok(patch::apply(before, operations, kind)?.resource)
        })
    }

    fn change_user(
        &self,
        id: &str,
        if_match: &IfMatch,
        now: Timestamp,
        change: impl FnOnce(&Object) -> Result<Object, ScimError>,
    ) -> Result<Written, PushError> {
        let mut draft = Draft::new(self, now)?;
        let before = draft.resource(Kind::User, id)?;
        let before = before.ok_or_else(|| not_there(Kind::User))?;
        if_match.check(before.row.version)?;
        let after = change(&before.object)?;
        if after == before.object {
            return Ok(unchanged(id, &before));
        }
        only_one(&draft, &after, Some(id))?;
        let row = draft.user(id)?.cloned();
        let row = row.ok_or_else(|| not_there(Kind::User))?;
        let put = draft.put_resource(Kind::User, id, Some(&before), &after);
        becomes(&mut draft, row, convert::user(id, &after))?;
        draft.put_down()?;
        Ok(Written {
            id: id.to_owned(),
            row: put,
            changed: true,
        })
    }

    /// Deletes a user for good. Nobody's row is: accounts may still stand for them.
    pub fn delete_user(
        &self,
        id: &str,
        if_match: &IfMatch,
        now: Timestamp,
    ) -> Result<(), PushError> {
        let mut draft = Draft::new(self, now)?;
        let before = draft.resource(Kind::User, id)?;
        let before = before.ok_or_else(|| not_there(Kind::User))?;
        if_match.check(before.row.version)?;
        let row = draft.user(id)?.cloned();
        let mut row = row.ok_or_else(|| not_there(Kind::User))?;
        draft.leave_groups(row.number, &row.parents)?;
        row.parents.clear();
        row.state = RowState::Gone;
        draft.put_user(row);
        draft.drop_resource(Kind::User, id, &before);
        draft.state.users = draft.state.users.saturating_sub(1);
        draft.mark(Kind::User, id);
        draft.put_down()
    }
}

pub fn unchanged(id: &str, before: &Before) -> Written {
    Written {
        id: id.to_owned(),
        row: before.row.clone(),
        changed: false,
    }
}

/// No two users of a source have one `userName`.
fn only_one(draft: &Draft<'_>, user: &Object, id: Option<&str>) -> Result<(), PushError> {
    let name = user.get("userName").and_then(|name| name.as_str());
    let name = fold(name.unwrap_or_default());
    let letter = Kind::User.letter();
    let holders = draft
        .inbox
        .store
        .resources_with(draft.source(), letter, "userName", &name)?;
    match holders.iter().all(|holder| Some(holder.as_str()) == id) {
        true => Ok(()),
        false => Err(ScimError::taken("another user has this 'userName'").into()),
    }
}

/// Writes the user as the directory knows them.
fn becomes(draft: &mut Draft<'_>, mut row: UserRow, user: User) -> Result<(), PushError> {
    let id = user.id.as_str().to_owned();
    let digest = user.digest();
    if row.state == RowState::Known && row.digest == digest {
        // Nothing that any rule sees.
        return Ok(());
    }
    let source = draft.source();
    let mut old: BTreeSet<String> = row.old_keys.drain(..).collect();
    let mut fresh = BTreeSet::new();
    for kind in MATCH_KINDS {
        let now = key_of(kind, &user);
        let was_known = row.state != RowState::Unseen;
        let before = was_known.then(|| key_of(kind, &row.user)).flatten();
        if now == before {
            continue;
        }
        if let Some(now) = &now {
            draft.add([rows_of::put_holder(kind.as_str(), now, source, &id)]);
        }
        if let Some(before) = before {
            draft.add([rows_of::delete_holder(kind.as_str(), &before, source, &id)]);
            fresh.insert(before);
        }
    }
    // While somebody is marked a run may be about to make an account under a key that they
    // had; once no run is, only keys under which an account stands need be kept.
    let store = &draft.inbox.store;
    let letter = Kind::User.letter();
    let in_hand = store.everything_marked()? || store.is_marked(letter, source, &id)?;
    if !in_hand {
        for key in std::mem::take(&mut old) {
            if stands(draft, &id, &key)? {
                old.insert(key);
            }
        }
    }
    old.extend(fresh);
    for kind in MATCH_KINDS {
        if let Some(now) = key_of(kind, &user) {
            old.remove(&now);
        }
    }
    row.old_keys = old.into_iter().collect();
    row.digest = digest;
    row.state = RowState::Known;
    row.user = user;
    draft.put_user(row);
    draft.mark(Kind::User, &id);
    Ok(())
}

/// Whether an account of theirs stands under the key.
fn stands(draft: &Draft<'_>, id: &str, key: &str) -> Result<bool, PushError> {
    for portal in &draft.inbox.portals {
        let link = draft.inbox.store.link(portal, key)?;
        if link.is_some_and(|link| link.source == draft.source() && link.user == id) {
            return Ok(true);
        }
    }
    Ok(false)
}
