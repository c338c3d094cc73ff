//! Which format the rows of a store are in.
//!
//! The stamp is one row in [`Tree::Meta`]. It is read before anything else is touched: an
//! older rosterd must refuse a newer store, not half understand it. A new format gets its
//! number here and its step in [`migrate`].

use super::engine::{Engine, EngineError, Op};
use super::{KeyRange, Tree};

/// The format this rosterd reads and writes.
///
/// 2 has the trees of pushed resources, tokens, target ids and events, 3 that of single ids.
pub const FORMAT: u32 = 3;

/// What the stamp says while a restore is under way. No format has this number.
const RESTORING: u32 = 0;

/// The key of the stamp in [`Tree::Meta`]: four bytes, big endian.
pub(super) const STAMP: &[u8] = b"format";

/// What a store says about itself before it is used.
pub(super) enum Stamp {
    /// No stamp: new, or not a store of ours.
    Missing,
    /// A format that can be used, after `migrate`.
    Known(u32),
}

/// Reads the stamp's bytes and refuses what this rosterd must not touch.
pub(super) fn judge(stamp: Option<&[u8]>, place: &str) -> Result<Stamp, EngineError> {
    let Some(bytes) = stamp else {
        return Ok(Stamp::Missing);
    };
    let place = || place.to_owned();
    let Ok(bytes) = <[u8; 4]>::try_from(bytes) else {
        let why = "its format stamp is unreadable".to_owned();
        return Err(EngineError::Damaged {
            place: place(),
            why,
        });
    };
    match u32::from_be_bytes(bytes) {
        RESTORING => Err(EngineError::HalfRestored { place: place() }),
        found if found > FORMAT => Err(EngineError::Newer {
            place: place(),
            found,
            known: FORMAT,
        }),
        found => Ok(Stamp::Known(found)),
    }
}

/// Stamps a new store, or brings an older one to [`FORMAT`].
pub(super) fn settle(engine: &dyn Engine, stamp: Stamp) -> Result<(), EngineError> {
    match stamp {
        Stamp::Known(FORMAT) => Ok(()),
        Stamp::Known(from) => {
            migrate(engine, from)?;
            write(engine, FORMAT)
        }
        Stamp::Missing if is_empty(engine)? => write(engine, FORMAT),
        Stamp::Missing => Err(EngineError::Damaged {
            place: engine.place().to_owned(),
            why: "it has rows but no format stamp".to_owned(),
        }),
    }
}

/// Rewrites rows from an older format, in steps that may be done again after a crash.
///
/// From 1 or 2 there is nothing to rewrite: the trees that they lack are empty ones.
pub(super) fn migrate(engine: &dyn Engine, from: u32) -> Result<(), EngineError> {
    match from {
        1 | 2 | FORMAT => Ok(()),
        found => Err(EngineError::TooOld {
            place: engine.place().to_owned(),
            found,
            known: FORMAT,
        }),
    }
}

/// Marks the store as unusable until [`restored`] says otherwise.
pub(super) fn restoring(engine: &dyn Engine) -> Result<(), EngineError> {
    write(engine, RESTORING)
}

/// Brings what was restored to [`FORMAT`] and makes the store usable again.
pub(super) fn restored(engine: &dyn Engine, from: u32) -> Result<(), EngineError> {
    migrate(engine, from)?;
    // The rows must be down before the stamp says so.
    engine.flush()?;
    write(engine, FORMAT)
}

/// Whether the store has no row but the stamp.
pub(super) fn is_empty(engine: &dyn Engine) -> Result<bool, EngineError> {
    for tree in Tree::ALL {
        for entry in engine.scan(tree, KeyRange::all()) {
            let (key, _) = entry?;
            if !is_stamp(tree, &key) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

pub(super) fn is_stamp(tree: Tree, key: &[u8]) -> bool {
    tree == Tree::Meta && key == STAMP
}

fn write(engine: &dyn Engine, format: u32) -> Result<(), EngineError> {
    engine.transact(vec![Op::put(Tree::Meta, STAMP, format.to_be_bytes())])?;
    engine.flush()
}
