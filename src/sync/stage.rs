//! Takes a source's changes as they come and keeps what differs from the store, without
//! writing to the store: a dry run ends here, and a fetch that fails leaves nothing behind.
//!
//! Users that changed go to a temporary file; what stays in memory is a number and an offset
//! for each. Memberships are pairs of numbers. A user that is equal to the stored one costs a
//! digest and a bit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};

use roaring::RoaringBitmap;

use super::RunError;
use super::staged::{Edge, IdHash, Staged, StagedGroup, hash_of, key_hash, kind_and_id, read_user};
use crate::directory::{Change, Group, GroupId, Member, User, UserId};
use crate::rules::{MatchOn, key_of};
use crate::store::Store;
use crate::store::rows::RowState;

/// A list of up to so many members is read again for one request, whichever the vendor.
const ONE_PAGE: usize = 200;

/// What is to be looked at a second time before the round counts.
#[derive(Debug, Default)]
pub struct SecondLook {
    /// Known users that a full round did not show.
    pub users: Vec<UserId>,
    pub groups: Vec<GroupId>,
    /// Groups whose member list lacks somebody: of a short list anybody, of a long one more
    /// than a quarter.
    pub members: Vec<GroupId>,
    /// Somebody who was assigned to the application is on its list no longer.
    pub assigned: bool,
}

/// Builds [`Staged`] from a stream of changes.
pub struct Stager {
    store: Store,
    staged: Staged,
    /// Users whose content changed, with the place of the new one in the file.
    users: HashMap<u32, u64>,
    /// The numbers of everybody whom this round has met.
    lookup: HashMap<IdHash, u32>,
    kinds: Vec<MatchOn>,
    out: Option<BufWriter<File>>,
    written: u64,
    /// In a full round: what the store has, loaded once.
    known: Option<Known>,
    /// Users and groups that this round named as being there, or as being gone.
    seen: RoaringBitmap,
    /// Membership changes in the order they came; the last word on an edge counts.
    edges: Vec<(Edge, bool)>,
    lists: HashMap<u32, Vec<u32>>,
    closed: BTreeSet<u32>,
    /// Groups that were deleted and are back: nobody says who is still in them.
    back: BTreeSet<u32>,
}

/// What a full round compares with.
struct Known {
    digests: Vec<[u8; 16]>,
    users: RoaringBitmap,
    groups: RoaringBitmap,
}

impl Stager {
    pub fn new(
        store: Store,
        source: &str,
        full: bool,
        kinds: &[MatchOn],
    ) -> Result<Stager, RunError> {
        let state = store.source_state(source)?;
        let mut stager = Stager {
            store,
            staged: Staged {
                source: source.to_owned(),
                full,
                users: Vec::new(),
                file: None,
                gone: RoaringBitmap::new(),
                groups: BTreeMap::new(),
                added: Vec::new(),
                removed: Vec::new(),
                added_up: Vec::new(),
                removed_up: Vec::new(),
                assigned: None,
                first_new: state.next_number,
                next_number: state.next_number,
                new_ids: HashMap::new(),
                numbers: Vec::new(),
                keys: Vec::new(),
                unreadable: BTreeMap::new(),
                seen_users: 0,
                seen_groups: 0,
            },
            users: HashMap::new(),
            lookup: HashMap::new(),
            kinds: kinds.to_vec(),
            out: None,
            written: 0,
            known: None,
            seen: RoaringBitmap::new(),
            edges: Vec::new(),
            lists: HashMap::new(),
            closed: BTreeSet::new(),
            back: BTreeSet::new(),
        };
        if full {
            stager.load_known(state.next_number)?;
        }
        Ok(stager)
    }

    /// One scan of what is stored is far cheaper than a look-up for each user of the round.
    fn load_known(&mut self, numbers: u32) -> Result<(), RunError> {
        let mut known = Known {
            digests: vec![[0; 16]; numbers as usize],
            users: RoaringBitmap::new(),
            groups: RoaringBitmap::new(),
        };
        let source = self.staged.source.clone();
        for row in self.store.users(&source) {
            let row = row?;
            self.lookup
                .insert(hash_of(b'u', row.user.id.as_str()), row.number);
            if row.state == RowState::Known {
                known.users.insert(row.number);
                if let Some(digest) = known.digests.get_mut(row.number as usize) {
                    *digest = row.digest;
                }
            }
        }
        for row in self.store.groups(&source) {
            let row = row?;
            self.lookup
                .insert(hash_of(b'g', row.group.id.as_str()), row.number);
            if row.state == RowState::Known {
                known.groups.insert(row.number);
            }
        }
        self.known = Some(known);
        Ok(())
    }

    pub fn take(&mut self, change: Change) -> Result<(), RunError> {
        match change {
            Change::User(user) => self.user(*user),
            Change::UserPatch(patch) => {
                let number = self.number(&Member::User(patch.id.clone()))?;
                let known = match self.staged_user(number)? {
                    Some(user) => Some(user),
                    None => self.stored_user(number, patch.id.as_str())?,
                };
                self.user(patch.onto(known))
            }
            Change::UserGone(id) => self.user_gone(&id),
            Change::Group(group) => self.group(group),
            Change::GroupGone(id) => self.group_gone(&id),
            Change::MemberAdded(group, member) => self.edge(&group, &member, true),
            Change::MemberRemoved(group, member) => self.edge(&group, &member, false),
            Change::Members(group, members) => {
                let group = self.number(&Member::Group(group))?;
                let numbers: Vec<u32> = members
                    .iter()
                    .map(|member| self.number(member))
                    .collect::<Result<_, _>>()?;
                self.lists.entry(group).or_default().extend(numbers);
                Ok(())
            }
            Change::MembersEnd(group) => {
                let group = self.number(&Member::Group(group))?;
                self.lists.entry(group).or_default();
                self.closed.insert(group);
                Ok(())
            }
            Change::Assigned(members) => {
                let numbers: Vec<u32> = members
                    .iter()
                    .map(|member| self.number(member))
                    .collect::<Result<_, _>>()?;
                self.staged.assigned = Some(numbers.into_iter().collect());
                Ok(())
            }
            Change::Unreadable { subject, reason } => {
                let number = self.number(&subject)?;
                self.seen.insert(number);
                let (_, id) = kind_and_id(&subject);
                self.staged.unreadable.insert(id.to_owned(), reason);
                Ok(())
            }
        }
    }

    fn user(&mut self, user: User) -> Result<(), RunError> {
        let number = self.number(&Member::User(user.id.clone()))?;
        if self.seen.insert(number) {
            self.staged.seen_users += 1;
        }
        self.staged.gone.remove(number);
        let digest = user.digest();
        let same = match &self.known {
            Some(known) if !self.staged.is_new(number) => {
                known.users.contains(number) && known.digests[number as usize] == digest
            }
            Some(_) => false,
            None => self
                .store
                .user(&self.staged.source, user.id.as_str())?
                .is_some_and(|row| row.state == RowState::Known && row.digest == digest),
        };
        if same {
            // Said once changed and then changed back within one round.
            self.users.remove(&number);
            return Ok(());
        }
        let bytes = postcard::to_stdvec(&user).expect("a user serialises into memory");
        let out = match &mut self.out {
            Some(out) => out,
            None => {
                let file = tempfile::tempfile().map_err(RunError::Staging)?;
                self.out.insert(BufWriter::with_capacity(256 * 1024, file))
            }
        };
        let length = u32::try_from(bytes.len()).expect("no user reaches 4 GiB");
        out.write_all(&length.to_le_bytes())
            .map_err(RunError::Staging)?;
        out.write_all(&bytes).map_err(RunError::Staging)?;
        self.users.insert(number, self.written);
        self.written += 4 + u64::from(length);
        for kind in &self.kinds {
            if let Some(key) = key_of(*kind, &user) {
                self.staged.keys.push((key_hash(*kind, &key), number));
            }
        }
        if self.staged.is_new(number) {
            self.staged.new_ids.remove(&number);
        }
        Ok(())
    }

    fn user_gone(&mut self, id: &UserId) -> Result<(), RunError> {
        let member = Member::User(id.clone());
        let Some(number) = self.known_number(&member)? else {
            return Ok(());
        };
        self.seen.insert(number);
        self.users.remove(&number);
        let stored = self.store.user(&self.staged.source, id.as_str())?;
        match stored {
            Some(row) if row.state == RowState::Known => {
                self.staged.gone.insert(number);
            }
            _ if self.staged.is_new(number) => {
                self.staged.new_ids.insert(number, member);
            }
            _ => {}
        }
        Ok(())
    }

    fn group(&mut self, group: Group) -> Result<(), RunError> {
        let number = self.number(&Member::Group(group.id.clone()))?;
        if self.seen.insert(number) {
            self.staged.seen_groups += 1;
        }
        let stored = match self.staged.is_new(number) {
            true => None,
            false => self.store.group(&self.staged.source, number)?,
        };
        if stored
            .as_ref()
            .is_some_and(|row| row.state == RowState::Gone)
        {
            self.back.insert(number);
        }
        match stored {
            Some(row) if row.state == RowState::Known && row.group == group => {
                self.staged.groups.remove(&number);
            }
            _ => {
                self.staged
                    .groups
                    .insert(number, StagedGroup { group, gone: false });
            }
        }
        Ok(())
    }

    fn group_gone(&mut self, id: &GroupId) -> Result<(), RunError> {
        let Some(number) = self.known_number(&Member::Group(id.clone()))? else {
            return Ok(());
        };
        self.seen.insert(number);
        let stored = match self.staged.is_new(number) {
            true => None,
            false => self.store.group(&self.staged.source, number)?,
        };
        match stored {
            Some(row) if row.state == RowState::Known => {
                self.staged.groups.insert(
                    number,
                    StagedGroup {
                        group: row.group,
                        gone: true,
                    },
                );
            }
            _ => {
                self.staged.groups.remove(&number);
            }
        }
        Ok(())
    }

    fn edge(&mut self, group: &GroupId, member: &Member, is: bool) -> Result<(), RunError> {
        let group = self.number(&Member::Group(group.clone()))?;
        let member = self.number(member)?;
        self.edges.push(((group, member), is));
        Ok(())
    }

    fn known_number(&mut self, member: &Member) -> Result<Option<u32>, RunError> {
        let (kind, id) = kind_and_id(member);
        let hash = hash_of(kind, id);
        if let Some(number) = self.lookup.get(&hash) {
            return Ok(Some(*number));
        }
        if self.known.is_some() {
            return Ok(None);
        }
        let source = &self.staged.source;
        let number = match member {
            Member::User(id) => self.store.user(source, id.as_str())?.map(|row| row.number),
            Member::Group(id) => self.store.group_number(source, id.as_str())?,
        };
        if let Some(number) = number {
            self.lookup.insert(hash, number);
        }
        Ok(number)
    }

    fn number(&mut self, member: &Member) -> Result<u32, RunError> {
        if let Some(number) = self.known_number(member)? {
            return Ok(number);
        }
        let number = self.staged.next_number;
        self.staged.next_number += 1;
        let (kind, id) = kind_and_id(member);
        self.lookup.insert(hash_of(kind, id), number);
        self.staged.new_ids.insert(number, member.clone());
        Ok(number)
    }

    fn staged_user(&mut self, number: u32) -> Result<Option<User>, RunError> {
        let Some(offset) = self.users.get(&number).copied() else {
            return Ok(None);
        };
        let out = self.out.as_mut().expect("a staged user is in the file");
        out.flush().map_err(RunError::Staging)?;
        read_user(out.get_ref(), offset).map(Some)
    }

    /// What the store knows of a user; nothing for one that was only ever named by a group.
    fn stored_user(&self, number: u32, id: &str) -> Result<Option<User>, RunError> {
        if self.staged.is_new(number) {
            return Ok(None);
        }
        let row = self.store.user(&self.staged.source, id)?;
        Ok(row
            .filter(|row| row.state != RowState::Unseen)
            .map(|row| row.user))
    }

    /// What a complete full round did not show, and lists that came back suspiciously short.
    pub fn second_look(&mut self) -> Result<SecondLook, RunError> {
        let mut look = SecondLook::default();
        if let Some(known) = &self.known {
            let absent_users = &known.users - &self.seen;
            let absent_groups = &known.groups - &self.seen;
            for number in absent_users {
                if let Some(Member::User(id)) = self.store.member(&self.staged.source, number)? {
                    look.users.push(id);
                }
            }
            for number in absent_groups {
                if let Some(Member::Group(id)) = self.store.member(&self.staged.source, number)? {
                    look.groups.push(id);
                }
            }
        }
        if let Some(assigned) = &self.staged.assigned {
            let before = self.store.assigned(&self.staged.source)?;
            look.assigned = !before.is_subset(assigned);
        }
        for group in self.back.difference(&self.closed) {
            if let Some(Member::Group(id)) = self.store.member(&self.staged.source, *group)? {
                look.members.push(id);
            }
        }
        for group in &self.closed {
            if self.staged.is_new(*group) {
                continue;
            }
            let now = self.lists.get(group).map_or(&[][..], Vec::as_slice);
            let now: RoaringBitmap = now.iter().copied().collect();
            let before = self.store.members(&self.staged.source, *group)?;
            let mut missing = 0;
            for member in before.iter().filter(|member| !now.contains(**member)) {
                // A deleted user is on no list, and stays a member for a return.
                missing += usize::from(!self.is_gone(*member)?);
            }
            let short = missing * 4 > before.len() || before.len() <= ONE_PAGE;
            if missing > 0
                && short
                && let Some(Member::Group(id)) = self.store.member(&self.staged.source, *group)?
            {
                look.members.push(id);
            }
        }
        Ok(look)
    }

    /// A full round that found no users where there were some.
    pub fn found_nobody(&self) -> bool {
        let Some(known) = &self.known else {
            return false;
        };
        !known.users.is_empty() && self.staged.seen_users == 0
    }

    /// Adds who is assigned after all: only who is on neither list is not.
    pub fn confirm_assigned(&mut self, members: &[Member]) -> Result<(), RunError> {
        for member in members {
            let number = self.number(member)?;
            self.staged.assigned.get_or_insert_default().insert(number);
        }
        Ok(())
    }

    /// Adds who is a member after all, as [`Stager::confirm_assigned`] does.
    pub fn confirm_list(&mut self, group: GroupId, members: &[Member]) -> Result<(), RunError> {
        let numbers: Vec<u32> = members
            .iter()
            .map(|member| self.number(member))
            .collect::<Result<_, _>>()?;
        let group = self.number(&Member::Group(group))?;
        self.lists.entry(group).or_default().extend(numbers);
        self.closed.insert(group);
        Ok(())
    }

    /// Forgets a member list that could not be confirmed: nothing of it counts.
    pub fn leave_list(&mut self, group: &GroupId) -> Result<(), RunError> {
        if let Some(number) = self.known_number(&Member::Group(group.clone()))? {
            self.lists.remove(&number);
            self.closed.remove(&number);
        }
        Ok(())
    }

    /// Settles memberships and sorts what has to be found again.
    pub fn finish(mut self) -> Result<Staged, RunError> {
        self.settle_edges()?;
        let mut staged = self.staged;
        if let Some(out) = self.out {
            staged.file = Some(
                out.into_inner()
                    .map_err(|error| RunError::Staging(error.into_error()))?,
            );
        }
        staged.users = self.users.into_iter().collect();
        staged.users.sort_unstable();
        staged.keys.sort_unstable();
        staged.keys.dedup();
        staged.keys.shrink_to_fit();
        let turned = |edges: &[Edge]| {
            let mut up: Vec<Edge> = edges
                .iter()
                .map(|(group, member)| (*member, *group))
                .collect();
            up.sort_unstable();
            up
        };
        staged.added_up = turned(&staged.added);
        staged.removed_up = turned(&staged.removed);
        // The look-ups of a full round were only for its own use.
        let first_needed = match staged.full {
            true => staged.first_new,
            false => 0,
        };
        let numbers = self.lookup.into_iter();
        staged.numbers = numbers
            .filter(|(_, number)| *number >= first_needed)
            .collect();
        staged.numbers.sort_unstable();
        Ok(staged)
    }

    /// Compares lists and single edges with the store. Only real differences stay.
    fn settle_edges(&mut self) -> Result<(), RunError> {
        // Stable: of several words on one edge the last stays last.
        let mut edges = std::mem::take(&mut self.edges);
        edges.sort_by_key(|(edge, _)| *edge);
        let source = self.staged.source.clone();
        let mut lists: Vec<(u32, Vec<u32>)> = self
            .lists
            .drain()
            .filter(|(group, _)| self.closed.contains(group))
            .collect();
        lists.sort_unstable_by_key(|(group, _)| *group);
        let listed: BTreeSet<u32> = lists.iter().map(|(group, _)| *group).collect();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (group, mut members) in lists {
            members.sort_unstable();
            members.dedup();
            let from = edges.partition_point(|((of, _), _)| *of < group);
            let to = edges.partition_point(|((of, _), _)| *of <= group);
            for (member, is) in last_words(&edges[from..to]) {
                match (members.binary_search(&member), is) {
                    (Err(place), true) => members.insert(place, member),
                    (Ok(place), false) => {
                        members.remove(place);
                    }
                    _ => {}
                }
            }
            let before = match self.staged.is_new(group) {
                true => Vec::new(),
                false => self.store.members(&source, group)?,
            };
            difference(&members, &before, |member| added.push((group, member)));
            let mut missing = Vec::new();
            difference(&before, &members, |member| missing.push(member));
            for member in missing {
                // A deleted user is on no list, and is not asked for when it is restored.
                if !self.is_gone(member)? {
                    removed.push((group, member));
                }
            }
        }
        for words in edges.chunk_by(|a, b| a.0.0 == b.0.0) {
            let group = words[0].0.0;
            if listed.contains(&group) {
                continue;
            }
            let before = match self.staged.is_new(group) {
                true => Vec::new(),
                false => self.store.members(&source, group)?,
            };
            for (member, is) in last_words(words) {
                match (before.binary_search(&member), is) {
                    (Err(_), true) => added.push((group, member)),
                    (Ok(_), false) => removed.push((group, member)),
                    _ => {}
                }
            }
        }
        added.sort_unstable();
        added.shrink_to_fit();
        removed.sort_unstable();
        removed.shrink_to_fit();
        (self.staged.added, self.staged.removed) = (added, removed);
        Ok(())
    }

    fn is_gone(&self, member: u32) -> Result<bool, RunError> {
        if self.staged.gone.contains(member) {
            return Ok(true);
        }
        if self.staged.is_new(member) || self.users.contains_key(&member) {
            return Ok(false);
        }
        match self.store.member(&self.staged.source, member)? {
            Some(Member::User(id)) => Ok(self
                .store
                .user(&self.staged.source, id.as_str())?
                .is_some_and(|row| row.state == RowState::Gone)),
            _ => Ok(false),
        }
    }
}

/// The last word on each member of one group, of words sorted by member.
fn last_words(words: &[(Edge, bool)]) -> impl Iterator<Item = (u32, bool)> + '_ {
    words.chunk_by(|a, b| a.0 == b.0).map(|on_one| {
        let ((_, member), is) = on_one[on_one.len() - 1];
        (member, is)
    })
}

/// What is in `a` and not in `b`, both sorted.
fn difference(a: &[u32], b: &[u32], mut each: impl FnMut(u32)) {
    let mut others = b.iter().peekable();
    for number in a {
        while others.next_if(|other| *other < number).is_some() {}
        if others.peek() != Some(&number) {
            each(*number);
        }
    }
}
