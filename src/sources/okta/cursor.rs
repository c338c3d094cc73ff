//! Where the next incremental round starts.
//!
//! All times in it are Okta's own, from `Date` headers and records; our clock may be off. It
//! also remembers what was handled in the *overlap*: each round looks back a little further
//! than it must, because Okta's index lags behind its data, and what comes a second time
//! must not cost a second reading.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::directory::Cursor;
use crate::sources::FetchError;

/// How far a round looks back behind the one before. The index is said to lag under a
/// second; stamps have whole seconds; two clocks of one service may differ a little.
pub const OVERLAP: SignedDuration = SignedDuration::from_secs(120);

/// How far the round after a full one looks back behind its beginning. A full round reads
/// Okta's data and not its index, so this covers no lag: only that `Date` has whole seconds
/// and may come from another clock than the stamps.
const AFTER_FULL: SignedDuration = SignedDuration::from_secs(2);

/// The log is kept for 90 days, and it alone tells deletions. The rest is a margin.
const OLDEST: SignedDuration = SignedDuration::from_hours(80 * 24);

/// A clock that goes back further than this is not the clock that wrote the cursor.
const BACKWARDS: SignedDuration = SignedDuration::from_mins(5);

/// The overlap ends early when this many changes lie in it, so that the round after a bulk
/// change reads one page and not all of them again. What an index lag hides from so short an
/// overlap, the log names.
const OVERLAP_CHANGES: usize = 150;

/// Log events remembered for the case that the log has to be read from a time again.
const REMEMBERED_EVENTS: usize = 500;

/// Raised when a cursor of an older version would be misread.
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Position {
    version: u32,
    /// A digest of the settings that decide what is read.
    settings: String,
    /// When this round began.
    pub taken_at: Timestamp,
    pub users_from: Timestamp,
    pub groups_from: Timestamp,
    pub log: LogPosition,
    /// Groups whose members were read in the overlap, with the `lastMembershipUpdated` they
    /// had then.
    pub members_read: BTreeMap<String, Timestamp>,
    /// Users and groups found deleted in the overlap, and when: the index may list them yet.
    pub gone: BTreeMap<String, Timestamp>,
    /// The group of all users, whose members are derived and not read.
    pub everyone: Option<String>,
    /// A digest of the groups assigned to the application; None when it has to be read again.
    pub app_groups: Option<String>,
    /// Who is assigned to it directly, while they are few: see `assigned.rs`.
    pub direct: Option<BTreeSet<String>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogPosition {
    /// Where to begin when there is no link, or when it is refused.
    pub since: Timestamp,
    /// The link that the last reading ended with: path and query.
    pub next: Option<String>,
    /// The last events seen, oldest first.
    pub seen: Vec<String>,
}

impl LogPosition {
    pub fn remember(&mut self, uuid: String) {
        self.seen.push(uuid);
        if self.seen.len() > 2 * REMEMBERED_EVENTS {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let surplus = self.seen.len().saturating_sub(REMEMBERED_EVENTS);
        self.seen.drain(..surplus);
    }
}

impl Position {
    /// The position after a full round that began at `taken_at`, when `logged` was logged.
    pub fn after_full(settings: String, taken_at: Timestamp, logged: Vec<String>) -> Position {
        let from = back(taken_at, AFTER_FULL);
        Position {
            version: VERSION,
            settings,
            taken_at,
            users_from: from,
            groups_from: from,
            log: LogPosition {
                since: back(taken_at, OVERLAP),
                next: None,
                seen: logged,
            },
            members_read: BTreeMap::new(),
            gone: BTreeMap::new(),
            everyone: None,
            app_groups: None,
            direct: None,
        }
    }

    /// Reads a cursor that these settings wrote.
    pub fn read(cursor: &Cursor, settings: &str) -> Result<Position, FetchError> {
        let resync = |why: &str| FetchError::Resync(format!("{why}; everything is read again"));
        let position: Position = serde_json::from_str(&cursor.0)
            .map_err(|_| resync("the stored position in Okta is not readable"))?;
        if position.version != VERSION {
            return Err(resync("the stored position is of another version"));
        }
        if position.settings != settings {
            return Err(resync("what is read from Okta was changed in the settings"));
        }
        Ok(position)
    }

    pub fn write(mut self) -> Cursor {
        let from = self.users_from.min(self.groups_from);
        self.members_read
            .retain(|_, moved| *moved >= self.groups_from);
        self.gone.retain(|_, at| *at >= from);
        self.log.forget();
        Cursor(serde_json::to_string(&self).expect("a position always serialises"))
    }

    /// Refuses to go on from a position that the service's time does not fit to.
    pub fn fits(&self, now: Timestamp) -> Result<(), FetchError> {
        let age = now.duration_since(self.taken_at);
        if age > OLDEST {
            return Err(FetchError::Resync(format!(
                "the last position in Okta is {} days old, and its log reaches back 90; everything is read again",
                age.as_hours() / 24
            )));
        }
        if age < -BACKWARDS {
            return Err(FetchError::Resync(
                "Okta's clock is behind the time of the last position; everything is read again"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// Where the next round starts, when this one began at `began` and saw changes at `stamps`.
pub fn next_from(began: Timestamp, stamps: Vec<Timestamp>) -> Timestamp {
    shortened(back(began, OVERLAP), began, stamps)
}

/// The same after a full round. Stamps from before it began do not matter.
pub fn next_from_full(began: Timestamp, stamps: Vec<Timestamp>) -> Timestamp {
    shortened(back(began, AFTER_FULL), began, stamps)
}

fn shortened(from: Timestamp, began: Timestamp, mut stamps: Vec<Timestamp>) -> Timestamp {
    stamps.sort_unstable();
    match stamps.len().checked_sub(OVERLAP_CHANGES) {
        // `Date` has whole seconds, so a stamp may be later within the same one.
        Some(first) => from.max(stamps[first].min(began + SignedDuration::from_secs(1))),
        None => from,
    }
}

/// `time` less `by`, or the beginning of time.
pub fn back(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The same list gives the same digest, whatever its order.
pub fn digest_of<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let sorted: BTreeSet<&str> = ids.collect();
    let mut hash = blake3::Hasher::new();
    for id in sorted {
        hash.update(id.as_bytes()).update(b"\n");
    }
    hash.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_position_survives_the_store() {
        let mut position = Position::after_full("s".into(), at(0), vec!["e1".into()]);
        position.members_read.insert("00g1".into(), at(-1));
        position.members_read.insert("00g2".into(), at(-600));
        let back = Position::read(&position.write(), "s").unwrap();
        assert_eq!(back.users_from, at(-2));
        assert_eq!(back.log.since, at(-120));
        assert_eq!(
            back.members_read.len(),
            1,
            "what is out of the overlap goes"
        );
    }

    #[test]
    fn other_settings_ask_for_a_full_round() {
        let cursor = Position::after_full("s".into(), at(0), vec!["e1".into()]).write();
        for cursor in [cursor, Cursor("{}".into())] {
            let error = Position::read(&cursor, "t").unwrap_err();
            assert!(matches!(error, FetchError::Resync(_)));
        }
    }

    #[test]
    fn a_position_is_good_for_eighty_days_and_not_from_the_future() {
        let position = Position::after_full("s".into(), at(0), vec!["e1".into()]);
        let days = |n: i64| at(n * 86_400);
        assert!(position.fits(days(79)).is_ok());
        assert!(position.fits(days(81)).is_err());
        assert!(position.fits(at(-60)).is_ok());
        assert!(position.fits(at(-600)).is_err());
    }

    #[test]
    fn a_bulk_change_shortens_the_overlap() {
        let few = (0..10).map(|n| at(-n)).collect();
        assert_eq!(next_from(at(0), few), at(-120));
        let many = (0..1000).map(|n| at(-n / 10)).collect();
        assert_eq!(next_from(at(0), many), at(-14));
        let future = vec![at(900); 1000];
        assert_eq!(next_from(at(0), future), at(1));
    }

    #[test]
    fn order_does_not_change_a_digest() {
        let a = digest_of(["00g1", "00g2"].into_iter());
        assert_eq!(a, digest_of(["00g2", "00g1"].into_iter()));
        assert_ne!(a, digest_of(["00g2"].into_iter()));
    }
}
