//! The rows of the directory: users, groups, numbers, keys, assignments, marks, source states.

use roaring::RoaringBitmap;

use super::codec::{KeyReader, decode, encode};
use super::rows::{self, GroupRow, Mark, Quarantined, SourceState, TargetState, UserRow, VERSION};
use super::{KeyRange, Op, Tree};
use super::{Store, StoreError, members};

const MARK_ALL: &[u8] = b"mark-all";

impl Store {
    pub fn user(&self, source: &str, id: &str) -> Result<Option<UserRow>, StoreError> {
        self.row(Tree::Users, &rows::by_id(source, id), "user")
    }

    /// Every user row of a source, by id.
    pub fn users(&self, source: &str) -> impl Iterator<Item = Result<UserRow, StoreError>> + '_ {
        self.scan_rows(
            Tree::Users,
            KeyRange::prefix(rows::of_source(source)),
            "user",
        )
    }

    pub fn group(&self, source: &str, number: u32) -> Result<Option<GroupRow>, StoreError> {
        self.row(Tree::Groups, &rows::by_number(source, number), "group")
    }

    pub fn groups(&self, source: &str) -> impl Iterator<Item = Result<GroupRow, StoreError>> + '_ {
        self.scan_rows(
            Tree::Groups,
            KeyRange::prefix(rows::of_source(source)),
            "group",
        )
    }

    pub fn group_number(&self, source: &str, id: &str) -> Result<Option<u32>, StoreError> {
        self.row(Tree::GroupIds, &rows::by_id(source, id), "group id")
    }

    pub fn members(&self, source: &str, group: u32) -> Result<Vec<u32>, StoreError> {
        members::read(self.engine(), source, group)
    }

    pub fn edit_members(
        &self,
        source: &str,
        group: u32,
        added: &[u32],
        removed: &[u32],
    ) -> Result<Vec<Op>, StoreError> {
        members::edit(self.engine(), source, group, added, removed)
    }

    /// The numbers assigned to the application.
    pub fn assigned(&self, source: &str) -> Result<RoaringBitmap, StoreError> {
        let stored: Option<Vec<u8>> =
            self.row(Tree::Assigned, &rows::of_source(source), "assignment")?;
        match stored {
            None => Ok(RoaringBitmap::new()),
            Some(bytes) => RoaringBitmap::deserialize_from(bytes.as_slice())
                .map_err(|_| StoreError::damaged("assignment")),
        }
    }

    /// The users who have this key, by source and id. Who gave a key up may still be named.
    pub fn holders(&self, kind: &str, key: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.engine()
            .scan(Tree::Keys, KeyRange::prefix(rows::holders(kind, key)))
            .map(|entry| {
                let (key, _) = entry?;
                let mut reader = KeyReader::new(&key, "match key");
                reader.text()?;
                reader.text()?;
                Ok((reader.text()?, reader.text()?))
            })
            .collect()
    }

    pub fn has_keys(&self) -> Result<bool, StoreError> {
        Ok(self
            .engine()
            .scan(Tree::Keys, KeyRange::all())
            .next()
            .transpose()?
            .is_some())
    }

    pub fn source_state(&self, source: &str) -> Result<SourceState, StoreError> {
        let stored: Option<String> = self.row(Tree::Meta, &source_key(source), "source state")?;
        match stored {
            None => Ok(SourceState::default()),
            Some(json) => {
                serde_json::from_str(&json).map_err(|_| StoreError::damaged("source state"))
            }
        }
    }

    pub fn target_state(&self, target: &str) -> Result<TargetState, StoreError> {
        let stored: Option<String> = self.row(Tree::Meta, &target_key(target), "target state")?;
        match stored {
            None => Ok(TargetState::default()),
            Some(json) => {
                serde_json::from_str(&json).map_err(|_| StoreError::damaged("target state"))
            }
        }
    }

    /// Every source that ever was read, in the settings or no longer.
    pub fn known_sources(&self) -> Result<Vec<String>, StoreError> {
        self.engine()
            .scan(Tree::Meta, KeyRange::prefix(rows::of_source("source")))
            .map(|entry| {
                let (key, _) = entry?;
                let mut reader = KeyReader::new(&key, "source state");
                reader.text()?;
                Ok(reader.text()?)
            })
            .collect()
    }

    /// A small value of rosterd's own, by name.
    pub fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.row(Tree::Meta, &note_key(name), "note")
    }

    /// Every mark: kind (`u` or `g`), source, id.
    pub fn marks(&self) -> Result<Vec<(u8, String, String, Mark)>, StoreError> {
        let mut marks = Vec::new();
        for entry in self.engine().scan(Tree::Marks, KeyRange::all()) {
            let (key, value) = entry?;
            if &*key == MARK_ALL {
                continue;
            }
            let mut reader = KeyReader::new(&key, "mark");
            let subject = (reader.byte()?, reader.text()?, reader.text()?);
            marks.push((
                subject.0,
                subject.1,
                subject.2,
                decode(&value, "mark", VERSION)?,
            ));
        }
        Ok(marks)
    }

    pub fn is_marked(&self, kind: u8, source: &str, id: &str) -> Result<bool, StoreError> {
        let mark = self
            .engine()
            .get(Tree::Marks, &rows::mark(kind, source, id))?;
        Ok(mark.is_some())
    }

    /// Whether everything is to be looked at again: a large run did not come to its end.
    pub fn everything_marked(&self) -> Result<bool, StoreError> {
        Ok(self.engine().get(Tree::Marks, MARK_ALL)?.is_some())
    }

    pub fn quarantined(&self) -> Result<Vec<(String, String, Quarantined)>, StoreError> {
        let mut found = Vec::new();
        for entry in self.engine().scan(Tree::Quarantine, KeyRange::all()) {
            let (key, value) = entry?;
            let mut reader = KeyReader::new(&key, "quarantine");
            let json: String = decode(&value, "quarantine", VERSION)?;
            let row = serde_json::from_str(&json).map_err(|_| StoreError::damaged("quarantine"))?;
            found.push((reader.text()?, reader.text()?, row));
        }
        Ok(found)
    }
}

fn source_key(source: &str) -> Vec<u8> {
    rows::of_portal("source", source)
}

fn target_key(target: &str) -> Vec<u8> {
    rows::of_portal("target", target)
}

fn note_key(name: &str) -> Vec<u8> {
    rows::of_portal("note", name)
}

pub fn put_user(source: &str, row: &UserRow) -> Op {
    Op::Put(
        Tree::Users,
        rows::by_id(source, row.user.id.as_str()),
        encode(VERSION, row),
    )
}

pub fn put_group(source: &str, row: &GroupRow) -> [Op; 2] {
    [
        Op::Put(
            Tree::Groups,
            rows::by_number(source, row.number),
            encode(VERSION, row),
        ),
        Op::Put(
            Tree::GroupIds,
            rows::by_id(source, row.group.id.as_str()),
            encode(VERSION, &row.number),
        ),
    ]
}

pub fn put_assigned(source: &str, assigned: &RoaringBitmap) -> Op {
    let mut bytes = Vec::new();
    assigned
        .serialize_into(&mut bytes)
        .expect("writing to memory does not fail");
    Op::Put(
        Tree::Assigned,
        rows::of_source(source),
        encode(VERSION, &bytes),
    )
}

pub fn put_holder(kind: &str, key: &str, source: &str, id: &str) -> Op {
    Op::Put(Tree::Keys, rows::holder(kind, key, source, id), Vec::new())
}

pub fn delete_holder(kind: &str, key: &str, source: &str, id: &str) -> Op {
    Op::Delete(Tree::Keys, rows::holder(kind, key, source, id))
}

pub fn put_source_state(source: &str, state: &SourceState) -> Op {
    let json = serde_json::to_string(state).expect("a source state is plain data");
    Op::Put(Tree::Meta, source_key(source), encode(VERSION, &json))
}

pub fn put_target_state(target: &str, state: &TargetState) -> Op {
    let json = serde_json::to_string(state).expect("a target state is plain data");
    Op::Put(Tree::Meta, target_key(target), encode(VERSION, &json))
}

pub fn put_note(name: &str, text: &str) -> Op {
    Op::Put(Tree::Meta, note_key(name), encode(VERSION, text))
}

pub fn put_mark(kind: u8, source: &str, id: &str, mark: &Mark) -> Op {
    Op::Put(
        Tree::Marks,
        rows::mark(kind, source, id),
        encode(VERSION, mark),
    )
}

pub fn delete_mark(kind: u8, source: &str, id: &str) -> Op {
    Op::Delete(Tree::Marks, rows::mark(kind, source, id))
}

pub fn mark_everything() -> Op {
    Op::Put(Tree::Marks, MARK_ALL.to_vec(), Vec::new())
}

pub fn unmark_everything() -> Op {
    Op::Delete(Tree::Marks, MARK_ALL.to_vec())
}

pub fn put_quarantined(source: &str, id: &str, row: &Quarantined) -> Op {
    let json = serde_json::to_string(row).expect("a quarantine row is plain data");
    Op::Put(
        Tree::Quarantine,
        rows::by_id(source, id),
        encode(VERSION, &json),
    )
}

pub fn delete_quarantined(source: &str, id: &str) -> Op {
    Op::Delete(Tree::Quarantine, rows::by_id(source, id))
}
