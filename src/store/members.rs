//! A group's members, as sorted numbers in chunks, so that one member more or less costs the
//! same in a group of ten and in one of a hundred thousand.

use std::collections::BTreeMap;

use super::StoreError;
use super::codec::{KeyReader, decode, encode};
use super::rows::{self, VERSION};
use super::{Engine, KeyRange, Op, Tree};

/// A chunk that outgrows this is split in two. 2,048 numbers are about 4 KB.
const SPLIT_AT: usize = 2048;
/// How full chunks are made when a list is written at once.
const FILL: usize = 1024;

/// All members of a group, ascending.
pub fn read(engine: &dyn Engine, source: &str, group: u32) -> Result<Vec<u32>, StoreError> {
    let mut members = Vec::new();
    for entry in engine.scan(
        Tree::Members,
        KeyRange::prefix(rows::by_number(source, group)),
    ) {
        let (_, value) = entry?;
        members.extend(unpack(&value)?);
    }
    Ok(members)
}

/// What to write so that the group gains `added` and loses `removed`, both sorted.
pub fn edit(
    engine: &dyn Engine,
    source: &str,
    group: u32,
    added: &[u32],
    removed: &[u32],
) -> Result<Vec<Op>, StoreError> {
    // The chunks that the edits fall into, by their first number as it is on disk.
    let mut touched: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
    let mut place = |number: u32| -> Result<Option<u32>, StoreError> {
        let found = match touched.range(..=Some(number)).next_back() {
            // A chunk already read covers the number if no other one on disk begins between.
            Some((Some(first), _)) => {
                let first = *first;
                let disk = chunk_for(engine, source, group, number)?;
                match disk {
                    Some((on_disk, _)) if on_disk > first => disk,
                    _ => return Ok(Some(first)),
                }
            }
            _ => chunk_for(engine, source, group, number)?,
        };
        Ok(match found {
            Some((first, members)) => {
                touched.entry(Some(first)).or_insert(members);
                Some(first)
            }
            None => {
                touched.entry(None).or_default();
                None
            }
        })
    };
    let mut edits: BTreeMap<Option<u32>, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
    for number in added {
        let first = place(*number)?;
        edits.entry(first).or_default().0.push(*number);
    }
    for number in removed {
        let first = place(*number)?;
        edits.entry(first).or_default().1.push(*number);
    }
    let mut ops = Vec::new();
    for (first, (added, removed)) in edits {
        let old = touched.remove(&first).unwrap_or_default();
        if let Some(first) = first {
            ops.push(Op::Delete(Tree::Members, rows::chunk(source, group, first)));
        }
        let members = merge(&old, &added, &removed);
        let size = if members.len() > SPLIT_AT {
            FILL
        } else {
            SPLIT_AT
        };
        for part in members.chunks(size) {
            ops.push(Op::Put(
                Tree::Members,
                rows::chunk(source, group, part[0]),
                pack(part),
            ));
        }
    }
    Ok(ops)
}

fn chunk_for(
    engine: &dyn Engine,
    source: &str,
    group: u32,
    number: u32,
) -> Result<Option<(u32, Vec<u32>)>, StoreError> {
    let prefix = rows::by_number(source, group);
    let below = engine.last_before(Tree::Members, &rows::chunk(source, group, number))?;
    let entry = match below.filter(|(key, _)| key.starts_with(&prefix)) {
        Some(entry) => Some(entry),
        // Below every chunk: the first one takes it.
        None => engine
            .scan(Tree::Members, KeyRange::prefix(prefix))
            .next()
            .transpose()?,
    };
    let Some((key, value)) = entry else {
        return Ok(None);
    };
    let mut reader = KeyReader::new(&key, "member");
    reader.text()?;
    reader.u32()?;
    Ok(Some((reader.u32()?, unpack(&value)?)))
}

fn merge(old: &[u32], added: &[u32], removed: &[u32]) -> Vec<u32> {
    let mut members: Vec<u32> = old
        .iter()
        .filter(|number| removed.binary_search(number).is_err())
        .chain(added)
        .copied()
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

fn pack(members: &[u32]) -> Vec<u8> {
    let mut last = 0;
    let gaps: Vec<u32> = members
        .iter()
        .map(|number| {
            let gap = number - last;
            last = *number;
            gap
        })
        .collect();
    encode(VERSION, &gaps)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u32>, StoreError> {
    let gaps: Vec<u32> = decode(bytes, "member", VERSION)?;
    let mut last = 0u32;
    Ok(gaps
        .into_iter()
        .map(|gap| {
            last = last.wrapping_add(gap);
            last
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::store::MemoryEngine;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_history_of_edits_reads_back(
            history in proptest::collection::vec(
                (proptest::collection::btree_set(0u32..9000, 0..4000), proptest::collection::btree_set(0u32..9000, 0..600)),
                1..5,
            )
        ) {
            let engine = MemoryEngine::new();
            let mut model = BTreeSet::new();
            for (added, removed) in history {
                let removed: Vec<u32> = removed.difference(&added).copied().collect();
                let added: Vec<u32> = added.into_iter().collect();
                let ops = edit(&engine, "s", 7, &added, &removed).unwrap();
                engine.write(ops).unwrap();
                model.extend(added);
                for number in removed {
                    model.remove(&number);
                }
                let read = read(&engine, "s", 7).unwrap();
                prop_assert_eq!(read, model.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
