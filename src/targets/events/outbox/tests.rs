use std::sync::Arc;

use super::*;
use crate::config::EventFormat;
use crate::store::MemoryEngine;
use crate::store::events::{Dead, put_dead};
use crate::targets::events::post;

/// A queue with nobody at its other end.
pub fn outbox_to(url: &str, waits_ms: &[u64], wanted: &[&str]) -> Outbox {
    outbox_on(Arc::new(MemoryEngine::new()), url, waits_ms, wanted)
}

pub fn outbox_on(
    engine: Arc<MemoryEngine>,
    url: &str,
    waits_ms: &[u64],
    wanted: &[&str],
) -> Outbox {
    let receiver = Receiver::open(post::Options {
        key: "targets.hooks".into(),
        url: url.into(),
        format: EventFormat::Both,
        secrets: vec!["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()],
        tenant: "acme".into(),
        product: "portal".into(),
        signature_headers: vec!["BoxyHQ-Signature".into()],
        allow_private_addresses: false,
        concurrency: 4,
        ca_pem: None,
    });
    let waits = waits_ms.iter().map(|wait| Duration::from_millis(*wait));
    let options = Options {
        name: "hooks".into(),
        receiver: receiver.expect("a receiver"),
        schedule: Schedule::new(waits.collect()),
        wanted: wanted.iter().map(|glob| glob.parse().unwrap()).collect(),
        keep: Duration::from_secs(3600),
        concurrency: 4,
    };
    Outbox::new(Store::new(engine), options)
}

fn outbox(wanted: &[&str]) -> Outbox {
    outbox_to("http://127.0.0.1:9/", &[0], wanted)
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + seconds).unwrap()
}

pub fn draft(kind: EventKind, subject: &str, says: &str) -> Draft {
    Draft {
        kind,
        portal: "store".into(),
        subject: subject.into(),
        group: None,
        data: Node::text(says),
        previous: None,
    }
}

fn member(kind: EventKind, user: &str, group: &str) -> Draft {
    Draft {
        group: Some(group.into()),
        ..draft(kind, user, "a member")
    }
}

fn all(outbox: &Outbox) -> Vec<(u64, String)> {
    let rows = outbox.store.events_after("hooks", 0);
    rows.map(|row| row.unwrap())
        .map(|(sequence, row)| (sequence, format!("{} {}", row.kind.as_str(), row.subject)))
        .collect()
}

fn waiting(outbox: &Outbox) -> Vec<u64> {
    let rows = outbox.store.waiting_after("hooks", 0);
    rows.map(|row| row.unwrap().0).collect()
}

use EventKind::*;

#[test]
fn events_have_one_sequence_without_gaps_and_ids_that_name_it() {
    let outbox = outbox(&[]);
    let many: Vec<Draft> = (0..1000)
        .map(|number| draft(UserCreated, &number.to_string(), "made"))
        .collect();
    outbox.append(many, Vec::new(), at(0)).unwrap();
    let more = vec![draft(GroupCreated, "g", "made")];
    outbox.append(more, Vec::new(), at(1)).unwrap();
    let rows: Vec<(u64, EventRow)> = outbox
        .store
        .events_after("hooks", 0)
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows.len(), 1001);
    for ((sequence, row), expected) in rows.iter().zip(1..) {
        assert_eq!(*sequence, expected);
        assert_eq!(sequence_of(&row.id), Some(expected));
        assert!(!row.id.contains('.'), "Standard Webhooks allows no dot");
    }
    assert_eq!(outbox.store.last_event("hooks").unwrap(), 1001);
    assert_eq!(waiting(&outbox), (1..=1001).collect::<Vec<u64>>());
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 1001);
}

#[test]
fn what_was_told_is_not_told_again_until_something_changes() {
    let outbox = outbox(&[]);
    let tell = |kind, says| {
        let drafts = vec![draft(kind, "ana", says)];
        outbox.append(drafts, Vec::new(), at(0)).unwrap();
        all(&outbox).len()
    };
    assert_eq!(tell(UserCreated, "engineer"), 1);
    assert_eq!(tell(UserCreated, "engineer"), 1);
    assert_eq!(tell(UserUpdated, "engineer"), 1);
    assert_eq!(tell(UserUpdated, "lead"), 2);
    assert_eq!(tell(UserUpdated, "engineer"), 3);
    assert_eq!(tell(UserDeleted, "engineer"), 4);
    assert_eq!(tell(UserDeleted, "engineer"), 4);
    assert_eq!(tell(UserCreated, "engineer"), 5);
}

#[test]
fn a_membership_is_told_again_after_its_group_went_and_came_back() {
    let outbox = outbox(&[]);
    let tell = |drafts| {
        outbox.append(drafts, Vec::new(), at(0)).unwrap();
        all(&outbox).len()
    };
    let joins = || member(UserAdded, "ana", "devs");
    assert_eq!(tell(vec![draft(GroupCreated, "devs", "devs"), joins()]), 2);
    assert_eq!(tell(vec![joins(), joins()]), 2);
    assert_eq!(tell(vec![member(UserRemoved, "ana", "devs")]), 3);
    assert_eq!(tell(vec![joins()]), 4);
    // Its members are not told one by one when a group goes.
    assert_eq!(tell(vec![draft(GroupDeleted, "devs", "devs")]), 5);
    let back = vec![draft(GroupCreated, "devs", "devs"), joins(), joins()];
    assert_eq!(tell(back), 7);
}

#[test]
fn a_kind_that_nobody_wants_is_kept_and_not_posted() {
    let outbox = outbox(&["user.*"]);
    let drafts = vec![
        draft(GroupCreated, "devs", "devs"),
        draft(UserCreated, "ana", "ana"),
        member(UserAdded, "ana", "devs"),
    ];
    outbox.append(drafts, Vec::new(), at(0)).unwrap();
    assert_eq!(all(&outbox).len(), 3);
    assert_eq!(waiting(&outbox), [2]);
    assert_eq!(outbox.replay(Replay::From(1), at(1)).unwrap(), 1);
    assert_eq!(waiting(&outbox), [2]);
}

/// A queue of five that were all given up, but for the last, which was delivered.
fn spent() -> Outbox {
    let outbox = outbox(&[]);
    for (second, name) in (0..).zip(["a", "b", "c", "d", "e"]) {
        let drafts = vec![draft(UserCreated, name, name)];
        outbox.append(drafts, Vec::new(), at(second)).unwrap();
    }
    let ops = (1..=5).map(|sequence| events::delete_waiting("hooks", sequence));
    outbox.store.write(ops.collect()).unwrap();
    let dead = Dead {
        at: at(9),
        attempts: 3,
        error: "no".into(),
    };
    let ops = (1..=4).map(|sequence| put_dead("hooks", sequence, &dead));
    outbox.store.write(ops.collect()).unwrap();
    assert!(waiting(&outbox).is_empty());
    outbox
}

#[test]
fn events_are_put_back_from_a_place_a_time_or_because_they_were_given_up() {
    for (replay, back) in [
        (Replay::From(0), &[1, 2, 3, 4, 5][..]),
        (Replay::From(3), &[3, 4, 5]),
        (Replay::Since(at(3)), &[4, 5]),
        (Replay::Dead, &[1, 2, 3, 4]),
    ] {
        let outbox = spent();
        let bell = outbox.store.outbox_bell("hooks").unwrap();
        let ids: Vec<String> = rows(&outbox);
        assert_eq!(
            outbox.replay(replay, at(10)).unwrap(),
            back.len() as u64,
            "{replay:?}"
        );
        assert_eq!(waiting(&outbox), back);
        assert_eq!(rows(&outbox), ids);
        for sequence in back {
            assert_eq!(outbox.store.dead("hooks", *sequence).unwrap(), None);
        }
        assert_ne!(outbox.store.outbox_bell("hooks").unwrap(), bell);
    }
}

fn rows(outbox: &Outbox) -> Vec<String> {
    let rows = outbox.store.events_after("hooks", 0);
    rows.map(|row| row.unwrap().1.id).collect()
}

#[test]
fn old_events_are_forgotten_but_for_those_that_wait() {
    let outbox = spent();
    let op = events::put_waiting(
        "hooks",
        2,
        &Waiting {
            ties: outbox.store.event("hooks", 2).unwrap().unwrap().ties(),
            attempts: 1,
            due: at(0),
            last_error: None,
        },
    );
    outbox.store.write(vec![op]).unwrap();
    // An hour and three seconds after the first.
    assert!(!outbox.prune(at(3603)).unwrap());
    let left: Vec<u64> = all(&outbox).into_iter().map(|row| row.0).collect();
    assert_eq!(left, [2, 4, 5]);
    assert_eq!(outbox.store.dead("hooks", 1).unwrap(), None);
    // What was last told of somebody goes with it, and the numbers go on.
    let again = vec![draft(UserCreated, "a", "a"), draft(UserCreated, "e", "e")];
    outbox.append(again, Vec::new(), at(3604)).unwrap();
    let left: Vec<u64> = all(&outbox).into_iter().map(|row| row.0).collect();
    assert_eq!(left, [2, 4, 5, 6]);
}

#[test]
fn only_an_id_of_ours_names_a_place() {
    assert_eq!(sequence_of(&event_id(42)), Some(42));
    assert_eq!(sequence_of(&event_id(u64::MAX)), Some(u64::MAX));
    for other in [
        "",
        "42",
        "evt_1",
        "evt_0001",
        "evt_00000000000000zz00000000",
    ] {
        assert_eq!(sequence_of(other), None, "{other}");
    }
}
