//! Who the numbers of a source stand for. A pull gives many at once and puts them down in
//! blocks, which are quick to read on; a push gives one at a time, and writing a block anew for
//! each would be most of what it writes. So those are put down singly, until they fill a block.

use super::codec::encode;
use super::rows::{self, VERSION};
use super::{KeyRange, Op, Store, StoreError, Tree};
use crate::directory::{GroupId, Member, UserId};

/// How many ids one block holds. 128 ids of 36 bytes are about 5 KB.
pub const BLOCK: u32 = 128;

/// An id as it is stored: `u` or `g`, and the id.
type Stored = (u8, String);

impl Store {
    /// Who a number stands for.
    pub fn member(&self, source: &str, number: u32) -> Result<Option<Member>, StoreError> {
        let block = self.id_block(source, number / BLOCK)?;
        Ok(block.into_iter().nth((number % BLOCK) as usize))
    }

    /// Who the numbers of a block stand for, as far as they are given.
    pub fn id_block(&self, source: &str, block: u32) -> Result<Vec<Member>, StoreError> {
        let stored: Option<Vec<Stored>> =
            self.row(Tree::Ids, &rows::by_number(source, block), "id")?;
        let mut ids: Vec<Member> = stored.unwrap_or_default().into_iter().map(named).collect();
        if ids.len() < BLOCK as usize {
            let singles = self.scan_rows(Tree::SingleIds, singles_of(source, block, &ids), "id");
            for single in singles {
                let (number, id): (u32, Stored) = single?;
                set(&mut ids, number, named(id));
            }
        }
        Ok(ids)
    }

    /// Puts down who one more number stands for.
    pub fn give_number(
        &self,
        source: &str,
        number: u32,
        member: Member,
    ) -> Result<Vec<Op>, StoreError> {
        if number % BLOCK != BLOCK - 1 {
            let single = encode(VERSION, &(number, stored(&member)));
            let key = rows::by_number(source, number);
            return Ok(vec![Op::Put(Tree::SingleIds, key, single)]);
        }
        let block = number / BLOCK;
        let mut ids = self.id_block(source, block)?;
        set(&mut ids, number, member);
        let mut ops = vec![put_id_block(source, block, &ids)];
        for entry in self
            .engine()
            .scan(Tree::SingleIds, singles_of(source, block, &[]))
        {
            ops.push(Op::Delete(Tree::SingleIds, entry?.0.into_vec()));
        }
        Ok(ops)
    }

    /// The members of a group, with who they are.
    pub fn named_members(
        &self,
        source: &str,
        group: u32,
    ) -> Result<Vec<(u32, Member)>, StoreError> {
        let numbers = self.members(source, group)?;
        let mut named = Vec::with_capacity(numbers.len());
        // Ascending, so that each block is read once.
        let mut block = (u32::MAX, Vec::new());
        for number in numbers {
            if block.0 != number / BLOCK {
                block = (number / BLOCK, self.id_block(source, number / BLOCK)?);
            }
            let member = block.1.get((number % BLOCK) as usize);
            named.extend(member.map(|member| (number, member.clone())));
        }
        Ok(named)
    }
}

pub fn put_id_block(source: &str, block: u32, ids: &[Member]) -> Op {
    let ids: Vec<_> = ids.iter().map(stored).collect();
    Op::Put(
        Tree::Ids,
        rows::by_number(source, block),
        encode(VERSION, &ids),
    )
}

/// The numbers of a block that these ids, which are its first ones, leave out.
fn singles_of(source: &str, block: u32, ids: &[Member]) -> KeyRange {
    let first = block.saturating_mul(BLOCK);
    let from = first.saturating_add(u32::try_from(ids.len()).unwrap_or(BLOCK));
    KeyRange::between(
        rows::by_number(source, from),
        rows::by_number(source, first.saturating_add(BLOCK)),
    )
}

/// A number always stands for somebody; should one before it not, it must not shift the rest.
fn set(ids: &mut Vec<Member>, number: u32, member: Member) {
    ids.resize((number % BLOCK) as usize, Member::User(UserId::new("")));
    ids.push(member);
}

fn stored(member: &Member) -> (u8, &str) {
    match member {
        Member::User(id) => (b'u', id.as_str()),
        Member::Group(id) => (b'g', id.as_str()),
    }
}

fn named((kind, id): Stored) -> Member {
    match kind {
        b'g' => Member::Group(GroupId::new(id)),
        _ => Member::User(UserId::new(id)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemoryEngine;
    use super::*;

    fn id(number: u32) -> Member {
        match number % 3 {
            0 => Member::Group(GroupId::new(format!("g{number}"))),
            _ => Member::User(UserId::new(format!("u{number}"))),
        }
    }

    #[test]
    fn numbers_given_singly_read_like_those_of_a_pull() {
        let store = Store::new(Arc::new(MemoryEngine::default()));
        // A pull left the second block begun; the push goes on there.
        let begun: Vec<Member> = (BLOCK..BLOCK + 5).map(id).collect();
        store.write(vec![put_id_block("s", 1, &begun)]).unwrap();
        for number in BLOCK + 5..4 * BLOCK {
            let ops = store.give_number("s", number, id(number)).unwrap();
            store.transact(ops).unwrap();
            for given in BLOCK..=number {
                assert_eq!(store.member("s", given).unwrap(), Some(id(given)));
            }
            assert_eq!(store.member("s", number + 1).unwrap(), None);
        }
        let singles = store.engine().scan(Tree::SingleIds, KeyRange::all());
        assert_eq!(singles.count(), 0);
    }

    #[test]
    fn a_number_that_a_crash_left_out_shifts_none_of_the_others() {
        let store = Store::new(Arc::new(MemoryEngine::default()));
        for number in [0, 1, 3, BLOCK - 1] {
            let ops = store.give_number("s", number, id(number)).unwrap();
            store.transact(ops).unwrap();
            assert_eq!(store.member("s", number).unwrap(), Some(id(number)));
        }
        assert_eq!(store.member("s", 3).unwrap(), Some(id(3)));
    }
}
