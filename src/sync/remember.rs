//! Makes a round durable: marks first, then rows, then the checkpoint.
//!
//! A crash in between leaves marks without rows, which costs a second look, or rows whose
//! round is read again from the old cursor. It never leaves a row whose consequences nobody
//! remembers, because whoever has consequences was marked before.

use std::collections::{BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::RunError;
use super::decide::Decided;
use super::population::Populations;
use super::staged::Staged;
use super::view::View;
use crate::directory::{Group, GroupId, Member, User, UserId};
use crate::plan::Link;
use crate::rules::{MATCH_KINDS, MatchOn, Portal, key_of};
use crate::store::directory as rows_of;
use crate::store::ids::{BLOCK, put_id_block};
use crate::store::portals::put_link;
use crate::store::rows::{GroupRow, Mark, RowState, UserRow};
use crate::store::{Op, Store};

/// Operations handed to the store at a time. Large enough that sorting them pays, small enough
/// that they are a few megabytes.
const BATCH: usize = 2_000;

struct Writer<'a> {
    store: &'a Store,
    /// Index rows that must be there before the rows they lead to: a row that is found equal
    /// is not written again.
    early: Vec<Op>,
    ops: Vec<Op>,
}

impl<'a> Writer<'a> {
    fn new(store: &'a Store) -> Writer<'a> {
        Writer {
            store,
            early: Vec::new(),
            ops: Vec::new(),
        }
    }

    fn add(&mut self, ops: impl IntoIterator<Item = Op>) -> Result<(), RunError> {
        self.ops.extend(ops);
        if self.ops.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RunError> {
        self.store.write(std::mem::take(&mut self.early))?;
        Ok(self.store.write(std::mem::take(&mut self.ops))?)
    }
}

/// Writes everything but the checkpoint.
pub fn remember(
    view: &View<'_>,
    portals: &[Portal],
    kinds: &[MatchOn],
    decided: &Decided,
    populations: &mut Populations<'_>,
) -> Result<(), RunError> {
    let mut writer = Writer::new(view.store);
    if decided.mark_everything {
        writer.add([rows_of::mark_everything()])?;
    } else {
        // A mark that is there keeps its attempts.
        let there: BTreeSet<(u8, String, String)> = view
            .store
            .marks()?
            .into_iter()
            .map(|(kind, source, id, _)| (kind, source, id))
            .collect();
        for (kind, source, id) in decided.marked.difference(&there) {
            let mark = Mark {
                attempts: 0,
                last_error: None,
            };
            writer.add([rows_of::put_mark(*kind, source, id, &mark)])?;
        }
    }
    writer.flush()?;
    for source in &view.sources {
        if let Some(staged) = &source.staged {
            // Numbers are given once: they are taken before anybody stands under one.
            let mut state = view.store.source_state(&staged.source)?;
            state.next_number = staged.next_number;
            writer.add([
                rows_of::put_source_state(&staged.source, &state),
                rows_of::put_note(&unfinished(&staged.source), "yes"),
            ])?;
            numbers(&mut writer, staged)?;
            writer.flush()?;
            users(&mut writer, staged, portals, kinds)?;
            groups(&mut writer, staged)?;
            memberships(&mut writer, staged)?;
            if let Some(assigned) = &staged.assigned
                && *assigned != source.assigned_before
            {
                writer.add([rows_of::put_assigned(&staged.source, assigned)])?;
            }
        }
    }
    for (portal, link) in &decided.links {
        populations.link_changes(portal, &link.key, Some(link))?;
        writer.add(put_link(portal, link))?;
    }
    writer.flush()
}

/// Who the new numbers stand for.
fn numbers(writer: &mut Writer<'_>, staged: &Staged) -> Result<(), RunError> {
    let mut number = staged.first_new;
    while number < staged.next_number {
        let block = number / BLOCK;
        let end = ((block + 1) * BLOCK).min(staged.next_number);
        let mut ids = match number % BLOCK {
            0 => Vec::new(),
            begun => {
                let mut ids = writer.store.id_block(&staged.source, block)?;
                // A crashed round may have filled the block further, or less far, than its
                // numbers say.
                ids.resize(begun as usize, Member::User(UserId::new("")));
                ids
            }
        };
        while number < end {
            let member = staged.new_member(number)?;
            // A number always stands for somebody; should one not, it must not shift the rest.
            ids.push(member.unwrap_or_else(|| Member::User(UserId::new(""))));
            number += 1;
        }
        writer.add([put_id_block(&staged.source, block, &ids)])?;
    }
    Ok(())
}

fn users(
    writer: &mut Writer<'_>,
    staged: &Staged,
    portals: &[Portal],
    kinds: &[MatchOn],
) -> Result<(), RunError> {
    let mut changed: RoaringBitmap = staged.user_numbers().into_iter().collect();
    changed |= &staged.gone;
    changed |= staged.moved_members();
    for number in (staged.first_new..staged.next_number)
        .filter(|n| !changed.contains(*n))
        .collect::<Vec<_>>()
    {
        changed.insert(number);
    }
    for number in changed {
        let new = staged.user(number)?;
        let id = match &new {
            Some(user) => user.id.clone(),
            None => match member(writer.store, staged, number)? {
                Some(Member::User(id)) => id,
                _ => continue,
            },
        };
        if id.as_str().is_empty() {
            continue;
        }
        let stored = match staged.is_new(number) {
            true => None,
            false => writer.store.user(&staged.source, id.as_str())?,
        };
        let mut row = stored.clone().unwrap_or_else(|| UserRow {
            number,
            state: RowState::Unseen,
            digest: [0; 16],
            parents: Vec::new(),
            old_keys: Vec::new(),
            user: User::new(id.clone()),
        });
        row.parents
            .retain(|parent| !staged.parents_removed(number).any(|gone| gone == *parent));
        row.parents.extend(staged.parents_added(number));
        row.parents.sort_unstable();
        row.parents.dedup();
        if let Some(user) = new {
            keys(writer, &staged.source, portals, kinds, &mut row, &user)?;
            row.digest = user.digest();
            row.state = RowState::Known;
            row.user = user;
        } else if staged.gone.contains(number) {
            row.state = RowState::Gone;
        }
        if stored.as_ref() != Some(&row) {
            writer.add([rows_of::put_user(&staged.source, &row)])?;
        }
    }
    Ok(())
}

/// Notes the keys a user has now, and keeps the old ones that an account still stands under.
fn keys(
    writer: &mut Writer<'_>,
    source: &str,
    portals: &[Portal],
    kinds: &[MatchOn],
    row: &mut UserRow,
    user: &User,
) -> Result<(), RunError> {
    let id = user.id.as_str();
    let known = row.state != RowState::Unseen;
    let mut old: BTreeSet<String> = row.old_keys.drain(..).collect();
    for kind in MATCH_KINDS {
        let now = key_of(kind, user);
        let before = known.then(|| key_of(kind, &row.user)).flatten();
        if before == now {
            continue;
        }
        if kinds.contains(&kind) {
            if let Some(now) = &now {
                writer
                    .early
                    .push(rows_of::put_holder(kind.as_str(), now, source, id));
            }
            if let Some(before) = &before {
                writer.add([rows_of::delete_holder(kind.as_str(), before, source, id)])?;
            }
        }
        // Of every kind: the settings may just have changed from one to another.
        old.extend(before);
    }
    let mut kept = Vec::new();
    for key in old {
        let stands =
            |link: Option<Link>| link.is_some_and(|link| link.source == source && link.user == id);
        for portal in portals {
            if stands(writer.store.link(&portal.name, &key)?) {
                kept.push(key);
                break;
            }
        }
    }
    row.old_keys = kept;
    Ok(())
}

/// Makes sure that users are found by every kind of key the settings use. A kind that is new
/// since the last run is indexed once. Nothing but this index is written: it says nothing
/// that the users' rows do not say.
pub fn index_keys(store: &Store, sources: &[String], kinds: &[MatchOn]) -> Result<(), RunError> {
    const NOTE: &str = "indexed keys";
    let known = store.note(NOTE)?.unwrap_or_default();
    let indexed: BTreeSet<&str> = known.split_whitespace().collect();
    let missing: Vec<MatchOn> = kinds
        .iter()
        .copied()
        .filter(|kind| !indexed.contains(kind.as_str()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut writer = Writer::new(store);
    for source in sources {
        for row in store.users(source) {
            let row = row?;
            for kind in &missing {
                if let Some(key) = key_of(*kind, &row.user) {
                    let id = row.user.id.as_str();
                    writer.add([rows_of::put_holder(kind.as_str(), &key, source, id)])?;
                }
            }
        }
    }
    writer.flush()?;
    // Kinds no longer in use are not kept up, so they count as missing from now on.
    let now: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    Ok(store.write(vec![rows_of::put_note(NOTE, &now.join(" "))])?)
}

/// The note that stands from the first row of a source's round to its checkpoint.
pub fn unfinished(source: &str) -> String {
    format!("unfinished {source}")
}

/// After a round that was cut off between rows and member chunks: the chunks are the truth,
/// and what they lack is read again from the old cursor.
pub fn mend(store: &Store, source: &str) -> Result<(), RunError> {
    if store
        .note(&unfinished(source))?
        .is_none_or(|note| note.is_empty())
    {
        return Ok(());
    }
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in store.groups(source) {
        let group = row?.number;
        for member in store.members(source, group)? {
            parents.entry(member).or_default().push(group);
        }
    }
    let mut writer = Writer::new(store);
    for row in store.users(source) {
        let mut row = row?;
        let real = parents.remove(&row.number).unwrap_or_default();
        if row.parents != real {
            row.parents = real;
            writer.add([rows_of::put_user(source, &row)])?;
        }
    }
    for row in store.groups(source) {
        let mut row = row?;
        let real = parents.remove(&row.number).unwrap_or_default();
        if row.parents != real {
            row.parents = real;
            writer.add(rows_of::put_group(source, &row))?;
        }
    }
    writer.flush()?;
    Ok(store.write(vec![rows_of::put_note(&unfinished(source), "")])?)
}

fn member(store: &Store, staged: &Staged, number: u32) -> Result<Option<Member>, RunError> {
    match staged.is_new(number) {
        true => staged.new_member(number),
        false => Ok(store.member(&staged.source, number)?),
    }
}

fn groups(writer: &mut Writer<'_>, staged: &Staged) -> Result<(), RunError> {
    let mut changed: RoaringBitmap = staged.groups.keys().copied().collect();
    changed |= staged.moved_members();
    changed |= staged.moved_groups();
    // A group that was only named keeps its number too; users among these are passed over.
    changed.insert_range(staged.first_new..staged.next_number);
    for number in changed {
        let id = match staged.groups.get(&number) {
            Some(group) => group.group.id.clone(),
            None => match member(writer.store, staged, number)? {
                Some(Member::Group(id)) => id,
                _ => continue,
            },
        };
        let stored = match staged.is_new(number) {
            true => None,
            false => writer.store.group(&staged.source, number)?,
        };
        let mut row = stored.clone().unwrap_or_else(|| GroupRow {
            number,
            state: RowState::Unseen,
            parents: Vec::new(),
            group: unseen(id),
        });
        row.parents
            .retain(|parent| !staged.parents_removed(number).any(|gone| gone == *parent));
        row.parents.extend(staged.parents_added(number));
        row.parents.sort_unstable();
        row.parents.dedup();
        if let Some(new) = staged.groups.get(&number) {
            row.group = new.group.clone();
            row.state = if new.gone {
                RowState::Gone
            } else {
                RowState::Known
            };
        }
        if stored.as_ref() != Some(&row) {
            writer.add(rows_of::put_group(&staged.source, &row))?;
        }
    }
    Ok(())
}

fn unseen(id: GroupId) -> Group {
    Group {
        id,
        external_id: None,
        display_name: String::new(),
    }
}

fn memberships(writer: &mut Writer<'_>, staged: &Staged) -> Result<(), RunError> {
    // What is pending must be written before chunks are read to be edited.
    writer.flush()?;
    for group in staged.moved_groups() {
        let added: Vec<u32> = staged.members_added(group).collect();
        let removed: Vec<u32> = staged.members_removed(group).collect();
        let ops = writer
            .store
            .edit_members(&staged.source, group, &added, &removed)?;
        writer.add(ops)?;
    }
    Ok(())
}
