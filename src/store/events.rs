//! What subscribers of events were told and are to be told: one sequence a target.
//!
//! A row of an event is written once and never changed. What becomes of it is beside it: it
//! *waits* while it is to be delivered, is *dead* when nobody took it in time, and else was
//! delivered. What was last told of each object is kept as well, so that a run which was cut
//! off before it could note what it did does not tell it twice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codec::{KeyReader, KeyWriter, decode, encode};
use super::rows::VERSION;
use super::{KeyRange, Op, Store, StoreError, Tree};

/// What can happen to a user, a group or a membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EventKind {
    UserCreated,
    UserUpdated,
    UserDeleted,
    GroupCreated,
    GroupUpdated,
    GroupDeleted,
    UserAdded,
    UserRemoved,
}

impl EventKind {
    pub const ALL: [EventKind; 8] = [
        EventKind::UserCreated,
        EventKind::UserUpdated,
        EventKind::UserDeleted,
        EventKind::GroupCreated,
        EventKind::GroupUpdated,
        EventKind::GroupDeleted,
        EventKind::UserAdded,
        EventKind::UserRemoved,
    ];

    /// The name that subscribers know.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::UserCreated => "user.created",
            EventKind::UserUpdated => "user.updated",
            EventKind::UserDeleted => "user.deleted",
            EventKind::GroupCreated => "group.created",
            EventKind::GroupUpdated => "group.updated",
            EventKind::GroupDeleted => "group.deleted",
            EventKind::UserAdded => "group.user_added",
            EventKind::UserRemoved => "group.user_removed",
        }
    }

    /// Whether the object is there no longer after it.
    pub fn takes_away(self) -> bool {
        matches!(
            self,
            EventKind::UserDeleted | EventKind::GroupDeleted | EventKind::UserRemoved
        )
    }
}

/// One event.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    pub id: String,
    pub at: Timestamp,
    pub kind: EventKind,
    pub portal: String,
    /// What subscribers call the user, or of a group's own event the group.
    pub subject: String,
    /// Membership events only: what they call the group.
    pub group: Option<String>,
    /// JSON, spelled as it is sent.
    pub data: String,
    /// Likewise: what the changed attributes were before.
    pub previous: Option<String>,
}

impl EventRow {
    /// What must be told in order.
    pub fn ties(&self) -> Ties {
        let of_group = |group: &str| tie(b'g', &self.portal, group);
        match (&self.group, self.kind) {
            (Some(group), _) => Ties {
                own: tie(b'u', &self.portal, &self.subject),
                group: Some(of_group(group)),
            },
            (None, EventKind::GroupCreated | EventKind::GroupUpdated | EventKind::GroupDeleted) => {
                Ties {
                    own: of_group(&self.subject),
                    group: None,
                }
            }
            (None, _) => Ties {
                own: tie(b'u', &self.portal, &self.subject),
                group: None,
            },
        }
    }
}

/// What an event is about, as digests: the events of one user come in order, those of one
/// group too, and a membership comes after the group and before the group's end. Memberships of
/// different users in one group need not wait for each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ties {
    pub own: u64,
    pub group: Option<u64>,
}

fn tie(kind: u8, portal: &str, id: &str) -> u64 {
    let key = KeyWriter::new().byte(kind).text(portal).text(id).finish();
    let mut digest = [0; 8];
    digest.copy_from_slice(&blake3::hash(&key).as_bytes()[..8]);
    u64::from_be_bytes(digest)
}

/// An event that is to be delivered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    pub ties: Ties,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before.
    pub due: Timestamp,
    pub last_error: Option<String>,
}

/// An event that nobody took in time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dead {
    pub at: Timestamp,
    pub attempts: u32,
    pub error: String,
}

/// The latest event of an object or a membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastTold {
    pub sequence: u64,
    pub digest: [u8; 16],
}

/// What a user is called that took an account over, or gave one away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub id: String,
    /// Whom the account was taken from: source, id, and the account's key.
    pub from: Option<(String, String, String)>,
}

/// What is known of delivering to one target.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OutboxState {
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    pub dead: u64,
    /// Set when the receiver said that it wants nothing any more (410).
    #[serde(default)]
    pub refused: Option<RefusedForGood>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusedForGood {
    pub since: Timestamp,
    /// The digest of the settings under which it said so.
    pub settings: String,
}

/// The parts of a target's rows.
const EVENT: u8 = b'e';
const WAITING: u8 = b'w';
const DEAD: u8 = b'd';
const LAST: u8 = b'l';
const IDENTITY: u8 = b'i';
const HEAD: u8 = b'h';
const STATE: u8 = b's';
const BELL: u8 = b'b';

impl Store {
    /// The latest sequence number; 0 before the first event.
    pub fn last_event(&self, target: &str) -> Result<u64, StoreError> {
        let row: Option<u64> = self.row(Tree::Events, &part(target, HEAD), "event head")?;
        Ok(row.unwrap_or(0))
    }

    pub fn event(&self, target: &str, sequence: u64) -> Result<Option<EventRow>, StoreError> {
        self.row(Tree::Events, &at(target, EVENT, sequence), "event")
    }

    /// Events by sequence, those after one.
    pub fn events_after(
        &self,
        target: &str,
        after: u64,
    ) -> impl Iterator<Item = Result<(u64, EventRow), StoreError>> + '_ {
        self.sequence(target, EVENT, after, "event")
    }

    pub fn waiting(&self, target: &str, sequence: u64) -> Result<Option<Waiting>, StoreError> {
        let key = at(target, WAITING, sequence);
        self.row(Tree::Events, &key, "waiting event")
    }

    /// What is to be delivered, by sequence.
    pub fn waiting_after(
        &self,
        target: &str,
        after: u64,
    ) -> impl Iterator<Item = Result<(u64, Waiting), StoreError>> + '_ {
        self.sequence(target, WAITING, after, "waiting event")
    }

    /// How many events wait. Reads no row.
    pub fn waiting_count(&self, target: &str) -> Result<u64, StoreError> {
        let all = KeyRange::prefix(part(target, WAITING));
        let mut count = 0;
        for entry in self.engine().scan(Tree::Events, all) {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    pub fn dead(&self, target: &str, sequence: u64) -> Result<Option<Dead>, StoreError> {
        self.row(Tree::Events, &at(target, DEAD, sequence), "dead event")
    }

    pub fn dead_after(
        &self,
        target: &str,
        after: u64,
    ) -> impl Iterator<Item = Result<(u64, Dead), StoreError>> + '_ {
        self.sequence(target, DEAD, after, "dead event")
    }

    pub fn last_told(&self, target: &str, ties: Ties) -> Result<Option<LastTold>, StoreError> {
        self.row(Tree::Events, &last(target, ties), "last told")
    }

    pub fn event_identity(
        &self,
        target: &str,
        portal: &str,
        source: &str,
        user: &str,
    ) -> Result<Option<Identity>, StoreError> {
        let key = identity(target, portal, source, user);
        self.row(Tree::Events, &key, "event identity")
    }

    pub fn outbox_state(&self, target: &str) -> Result<OutboxState, StoreError> {
        let json: Option<String> = self.row(Tree::Events, &part(target, STATE), "outbox state")?;
        match json {
            None => Ok(OutboxState::default()),
            Some(json) => {
                serde_json::from_str(&json).map_err(|_| StoreError::damaged("outbox state"))
            }
        }
    }

    /// A number that changes whenever somebody changed what is to be delivered.
    pub fn outbox_bell(&self, target: &str) -> Result<u64, StoreError> {
        let row: Option<u64> = self.row(Tree::Events, &part(target, BELL), "outbox bell")?;
        Ok(row.unwrap_or(0))
    }

    fn sequence<T: serde::de::DeserializeOwned>(
        &self,
        target: &str,
        which: u8,
        after: u64,
        what: &'static str,
    ) -> impl Iterator<Item = Result<(u64, T), StoreError>> + '_ {
        let range = KeyRange::prefix(part(target, which)).after(&at(target, which, after));
        self.engine().scan(Tree::Events, range).map(move |entry| {
            let (key, value) = entry?;
            let mut reader = KeyReader::new(&key, what);
            reader.text()?;
            reader.byte()?;
            Ok((reader.u64()?, decode(&value, what, VERSION)?))
        })
    }
}

fn part(target: &str, which: u8) -> Vec<u8> {
    KeyWriter::new().text(target).byte(which).finish()
}

fn at(target: &str, which: u8, sequence: u64) -> Vec<u8> {
    KeyWriter::new()
        .text(target)
        .byte(which)
        .u64(sequence)
        .finish()
}

fn last(target: &str, ties: Ties) -> Vec<u8> {
    KeyWriter::new()
        .text(target)
        .byte(LAST)
        .u64(ties.own)
        .u64(ties.group.unwrap_or(0))
        .finish()
}

fn identity(target: &str, portal: &str, source: &str, user: &str) -> Vec<u8> {
    KeyWriter::new()
        .text(target)
        .byte(IDENTITY)
        .text(portal)
        .text(source)
        .text(user)
        .finish()
}

pub fn put_last_event(target: &str, sequence: u64) -> Op {
    Op::Put(Tree::Events, part(target, HEAD), encode(VERSION, &sequence))
}

pub fn put_event(target: &str, sequence: u64, row: &EventRow) -> Op {
    Op::Put(
        Tree::Events,
        at(target, EVENT, sequence),
        encode(VERSION, row),
    )
}

pub fn delete_event(target: &str, sequence: u64) -> Op {
    Op::Delete(Tree::Events, at(target, EVENT, sequence))
}

pub fn put_waiting(target: &str, sequence: u64, row: &Waiting) -> Op {
    Op::Put(
        Tree::Events,
        at(target, WAITING, sequence),
        encode(VERSION, row),
    )
}

pub fn delete_waiting(target: &str, sequence: u64) -> Op {
    Op::Delete(Tree::Events, at(target, WAITING, sequence))
}

pub fn put_dead(target: &str, sequence: u64, row: &Dead) -> Op {
    Op::Put(
        Tree::Events,
        at(target, DEAD, sequence),
        encode(VERSION, row),
    )
}

pub fn delete_dead(target: &str, sequence: u64) -> Op {
    Op::Delete(Tree::Events, at(target, DEAD, sequence))
}

pub fn put_last_told(target: &str, ties: Ties, row: &LastTold) -> Op {
    Op::Put(Tree::Events, last(target, ties), encode(VERSION, row))
}

pub fn delete_last_told(target: &str, ties: Ties) -> Op {
    Op::Delete(Tree::Events, last(target, ties))
}

pub fn put_event_identity(
    target: &str,
    portal: &str,
    source: &str,
    user: &str,
    row: &Identity,
) -> Op {
    Op::Put(
        Tree::Events,
        identity(target, portal, source, user),
        encode(VERSION, row),
    )
}

pub fn put_outbox_state(target: &str, state: &OutboxState) -> Op {
    let json = serde_json::to_string(state).expect("an outbox state is plain data");
    Op::Put(Tree::Events, part(target, STATE), encode(VERSION, &json))
}

pub fn put_outbox_bell(target: &str, number: u64) -> Op {
    Op::Put(Tree::Events, part(target, BELL), encode(VERSION, &number))
}
