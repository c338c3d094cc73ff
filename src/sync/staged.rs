//! What a source's round said, as far as it differs from the store: the users in a temporary
//! file, the memberships as pairs of numbers, both found again by number.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;

use roaring::RoaringBitmap;

use super::RunError;
use crate::directory::{Group, Member, User};
use crate::rules::MatchOn;

/// One membership: group, then member.
pub(super) type Edge = (u32, u32);

/// What a round said, as far as it differs from the store.
pub struct Staged {
    pub source: String,
    pub full: bool,
    /// Users whose content changed, with the place of the new one in the file. Sorted.
    pub(super) users: Vec<(u32, u64)>,
    pub(super) file: Option<File>,
    pub gone: RoaringBitmap,
    pub groups: BTreeMap<u32, StagedGroup>,
    /// Net membership changes, sorted by group.
    pub added: Vec<Edge>,
    pub removed: Vec<Edge>,
    /// The same, member first, sorted by member.
    pub(super) added_up: Vec<Edge>,
    pub(super) removed_up: Vec<Edge>,
    pub assigned: Option<RoaringBitmap>,
    /// Numbers given in this round, from the store's next on; only the unseen and the groups
    /// are kept here, a user's id is in its record.
    pub first_new: u32,
    pub next_number: u32,
    pub(super) new_ids: HashMap<u32, Member>,
    /// The numbers of ids: of those that are new, and of whoever else a round of changes
    /// named. Sorted.
    pub(super) numbers: Vec<(IdHash, u32)>,
    /// Match keys of the changed users: hash of kind and key, number. Sorted.
    pub(super) keys: Vec<(u64, u32)>,
    pub unreadable: BTreeMap<String, String>,
    pub seen_users: u64,
    pub seen_groups: u64,
}

#[derive(Clone, Debug)]
pub struct StagedGroup {
    pub group: Group,
    pub gone: bool,
}

pub(super) type IdHash = [u8; 16];

pub(super) fn hash_of(kind: u8, id: &str) -> IdHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(id.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    hash
}

/// The hash under which staged users are found by key.
pub fn key_hash(kind: MatchOn, key: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(key.as_bytes());
    u64::from_le_bytes(
        hasher.finalize().as_bytes()[..8]
            .try_into()
            .expect("eight bytes"),
    )
}

impl Staged {
    pub fn changed_users(&self) -> u64 {
        self.users.len() as u64 + self.gone.len()
    }

    /// The new content of a user that changed.
    pub fn user(&self, number: u32) -> Result<Option<User>, RunError> {
        match (self.offset(number), &self.file) {
            (Some(offset), Some(file)) => read_user(file, offset).map(Some),
            _ => Ok(None),
        }
    }

    pub fn has_user(&self, number: u32) -> bool {
        self.offset(number).is_some()
    }

    fn offset(&self, number: u32) -> Option<u64> {
        let place = self
            .users
            .binary_search_by_key(&number, |(number, _)| *number);
        place.ok().map(|place| self.users[place].1)
    }

    /// Every user that changed, ascending.
    pub fn user_numbers(&self) -> Vec<u32> {
        self.users.iter().map(|(number, _)| *number).collect()
    }

    pub fn number_of(&self, member: &Member) -> Option<u32> {
        let (kind, id) = kind_and_id(member);
        let hash = hash_of(kind, id);
        let place = self.numbers.binary_search_by_key(&hash, |(hash, _)| *hash);
        place.ok().map(|place| self.numbers[place].1)
    }

    /// Who a number given in this round stands for.
    pub fn new_member(&self, number: u32) -> Result<Option<Member>, RunError> {
        if let Some(member) = self.new_ids.get(&number) {
            return Ok(Some(member.clone()));
        }
        Ok(self.user(number)?.map(|user| Member::User(user.id)))
    }

    pub fn is_new(&self, number: u32) -> bool {
        number >= self.first_new
    }

    /// Groups that `member` joined or left.
    pub fn parents_added(&self, member: u32) -> impl Iterator<Item = u32> + '_ {
        of(&self.added_up, member)
    }

    pub fn parents_removed(&self, member: u32) -> impl Iterator<Item = u32> + '_ {
        of(&self.removed_up, member)
    }

    pub fn members_added(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        of(&self.added, group)
    }

    pub fn members_removed(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        of(&self.removed, group)
    }

    /// Everyone whose direct groups changed, ascending, once.
    pub fn moved_members(&self) -> RoaringBitmap {
        self.added_up
            .iter()
            .chain(&self.removed_up)
            .map(|(member, _)| *member)
            .collect()
    }

    /// Groups whose members changed, ascending, once.
    pub fn moved_groups(&self) -> RoaringBitmap {
        self.added
            .iter()
            .chain(&self.removed)
            .map(|(group, _)| *group)
            .collect()
    }

    /// Changed users that may have a key.
    pub fn by_key(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        of_hash(&self.keys, hash)
    }
}

fn of(edges: &[Edge], first: u32) -> impl Iterator<Item = u32> + '_ {
    let from = edges.partition_point(|edge| edge.0 < first);
    edges[from..]
        .iter()
        .take_while(move |edge| edge.0 == first)
        .map(|edge| edge.1)
}

fn of_hash(keys: &[(u64, u32)], hash: u64) -> impl Iterator<Item = u32> + '_ {
    let from = keys.partition_point(|key| key.0 < hash);
    keys[from..]
        .iter()
        .take_while(move |key| key.0 == hash)
        .map(|key| key.1)
}

pub(super) fn kind_and_id(member: &Member) -> (u8, &str) {
    match member {
        Member::User(id) => (b'u', id.as_str()),
        Member::Group(id) => (b'g', id.as_str()),
    }
}

pub(super) fn read_user(file: &File, offset: u64) -> Result<User, RunError> {
    let mut length = [0; 4];
    file.read_exact_at(&mut length, offset)
        .map_err(RunError::Staging)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    file.read_exact_at(&mut bytes, offset + 4)
        .map_err(RunError::Staging)?;
    postcard::from_bytes(&bytes).map_err(|error| RunError::Staging(std::io::Error::other(error)))
}
