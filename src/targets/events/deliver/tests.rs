use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::store::MemoryEngine;
use crate::store::events::EventKind::*;
use crate::targets::events::Replay;
use crate::targets::events::outbox::Draft;
use crate::targets::events::outbox::tests::{draft, outbox_on, outbox_to};

/// How a receiver answers the event of a sequence number at its nth attempt.
type Answers = dyn Fn(u64, u32) -> Answer + Send + Sync;

enum Answer {
    Takes,
    Says(u16),
    Hangs,
}

/// An event that came.
#[derive(Clone, PartialEq, Debug)]
struct Came {
    sequence: u64,
    id: String,
    attempt: u32,
    taken: bool,
}

struct Desk {
    answers: Box<Answers>,
    attempts: Mutex<BTreeMap<u64, u32>>,
    came: mpsc::UnboundedSender<Came>,
}

async fn take(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let sequence = body["sequence"].as_u64().expect("a number");
    let id = body["id"].as_str().expect("an id").to_owned();
    assert_eq!(headers["webhook-id"], id.as_str());
    let attempt = {
        let mut attempts = desk.attempts.lock().unwrap();
        let attempt = attempts.entry(sequence).or_default();
        *attempt += 1;
        *attempt
    };
    let answer = (desk.answers)(sequence, attempt);
    let taken = matches!(answer, Answer::Takes);
    let came = Came {
        sequence,
        id,
        attempt,
        taken,
    };
    desk.came.send(came).ok();
    match answer {
        Answer::Takes => StatusCode::NO_CONTENT.into_response(),
        Answer::Says(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Hangs => std::future::pending().await,
    }
}

/// The address of a receiver, and what came.
async fn desk(
    answers: impl Fn(u64, u32) -> Answer + Send + Sync + 'static,
) -> (String, mpsc::UnboundedReceiver<Came>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (came, coming) = mpsc::unbounded_channel();
    let desk = Arc::new(Desk {
        answers: Box::new(answers),
        attempts: Mutex::default(),
        came,
    });
    let routes = Router::new().fallback(take).with_state(desk);
    tokio::spawn(async { axum::serve(listener, routes).await });
    (url, coming)
}

/// A receiver, a queue to it, and what came.
async fn receiver(
    waits_ms: &[u64],
    answers: impl Fn(u64, u32) -> Answer + Send + Sync + 'static,
) -> (Arc<Outbox>, mpsc::UnboundedReceiver<Came>) {
    let (url, coming) = desk(answers).await;
    (Arc::new(outbox_to(&url, waits_ms, &[])), coming)
}

fn put_in(outbox: &Outbox, drafts: Vec<Draft>) {
    outbox.append(drafts, Vec::new(), clock::now()).unwrap();
}

fn users(names: &[&str]) -> Vec<Draft> {
    // What each says is another thing, or it would not be told.
    let numbered = names.iter().enumerate();
    numbered
        .map(|(number, name)| draft(UserUpdated, name, &number.to_string()))
        .collect()
}

/// Delivers until so many were taken; everything that came, in its order.
async fn taken(
    outbox: &Arc<Outbox>,
    coming: &mut mpsc::UnboundedReceiver<Came>,
    count: usize,
) -> Vec<Came> {
    let (end, told) = watch::channel(false);
    let delivering = tokio::spawn(deliver(outbox.clone(), Until::Told(told)));
    let mut came = Vec::new();
    while came.iter().filter(|one: &&Came| one.taken).count() < count {
        came.push(coming.recv().await.expect("the receiver is there"));
    }
    end.send_replace(true);
    delivering.await.unwrap().unwrap();
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_user_come_in_order_though_some_fail() {
    let (outbox, mut coming) = receiver(&[0, 1, 1, 1, 1], |sequence, attempt| {
        match sequence % 3 == 0 && attempt < 3 {
            true => Answer::Says(400),
            false => Answer::Takes,
        }
    })
    .await;
    let names = ["a", "b", "a", "c", "a", "b", "a", "c", "b", "a", "a", "c"];
    put_in(&outbox, users(&names));
    let came = taken(&outbox, &mut coming, names.len()).await;
    let mut by_user: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut ids: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for one in &came {
        ids.entry(one.sequence).or_default().insert(&one.id);
        if one.taken {
            let name = names[one.sequence as usize - 1];
            by_user.entry(name).or_default().push(one.sequence);
        }
    }
    for (name, sequences) in by_user {
        assert!(sequences.is_sorted(), "{name}: {sequences:?}");
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "ids stay the same");
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 0);
    let state = outbox.state().unwrap();
    assert_eq!((state.delivered, state.failed, state.dead), (12, 8, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_before_it_could_note_so_delivers_again_with_the_same_id() {
    let (outbox, mut coming) = receiver(&[0, 1], |_, attempt| match attempt {
        1 => Answer::Hangs,
        _ => Answer::Takes,
    })
    .await;
    put_in(&outbox, users(&["a"]));
    let (_never, told) = watch::channel(false);
    let killed = tokio::spawn(deliver(outbox.clone(), Until::Told(told)));
    let first = coming.recv().await.unwrap();
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    let again = taken(&outbox, &mut coming, 1).await.pop().unwrap();
    assert_eq!((again.id, again.attempt), (first.id, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_soon_struck_off_for_good() {
    let (url, mut coming) = desk(|_, _| Answer::Takes).await;
    let engine = Arc::new(MemoryEngine::new());
    let outbox = Arc::new(outbox_on(engine.clone(), &url, &[0, 1], &[]));
    put_in(&outbox, users(&["a"]));
    let before = engine.flushes();
    let (_never, told) = watch::channel(false);
    let delivering = tokio::spawn(deliver(outbox.clone(), Until::Told(told)));
    assert!(coming.recv().await.unwrap().taken);
    let flushed = async {
        while engine.flushes() == before {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, flushed).await.unwrap();
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 0);
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_takes_is_given_up_and_can_be_replayed() {
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (outbox, mut coming) = receiver(&[0, 1, 1], {
        let broken = broken.clone();
        move |sequence, _| match sequence == 1 && broken.load(std::sync::atomic::Ordering::SeqCst) {
            true => Answer::Says(422),
            false => Answer::Takes,
        }
    })
    .await;
    put_in(&outbox, users(&["a", "a", "b"]));
    let came = taken(&outbox, &mut coming, 2).await;
    let tries = came.iter().filter(|one| one.sequence == 1).count();
    assert_eq!(tries, 3);
    // What follows it goes on once it is given up.
    let sequences: Vec<u64> = came.iter().map(|one| one.sequence).collect();
    assert_eq!(sequences.last(), Some(&2));
    let dead = outbox.store.dead("hooks", 1).unwrap().expect("it is kept");
    assert_eq!(dead.attempts, 3);
    assert!(dead.error.contains("422"), "{}", dead.error);
    assert_eq!(outbox.state().unwrap().dead, 1);
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(outbox.replay(Replay::Dead, clock::now()).unwrap(), 1);
    let again = taken(&outbox, &mut coming, 1).await;
    assert_eq!(
        again[0].id,
        came.iter().find(|one| one.sequence == 1).unwrap().id
    );
    assert_eq!(outbox.store.dead("hooks", 1).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_wants_nothing_more_is_asked_no_more() {
    let gone = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (outbox, mut coming) = receiver(&[0, 1], {
        let gone = gone.clone();
        move |_, _| match gone.load(std::sync::atomic::Ordering::SeqCst) {
            true => Answer::Says(410),
            false => Answer::Takes,
        }
    })
    .await;
    put_in(&outbox, users(&["a"]));
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    coming.recv().await.unwrap();
    assert!(outbox.state().unwrap().refused.is_some());
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    assert!(coming.try_recv().is_err(), "nothing is sent");
    let waiting = outbox.store.waiting("hooks", 1).unwrap().expect("it waits");
    assert_eq!(waiting.attempts, 0);
    // Under other settings it is another receiver.
    let mut state = outbox.store.outbox_state("hooks").unwrap();
    state.refused.as_mut().unwrap().settings = "other".into();
    let op = events::put_outbox_state("hooks", &state);
    outbox.store.write(vec![op]).unwrap();
    assert_eq!(outbox.state().unwrap().refused, None);
    gone.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(taken(&outbox, &mut coming, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_what_is_due_and_gives_a_dead_receiver_up() {
    let (outbox, mut coming) = receiver(&[0, 3_600_000], |_, _| Answer::Says(500)).await;
    let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    put_in(&outbox, users(&names));
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    let mut requests = 0;
    while coming.try_recv().is_ok() {
        requests += 1;
    }
    // Five in a row are enough, and so are those that were under way with them.
    assert!((5..=9).contains(&requests), "{requests} requests");
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 100);

    let (outbox, _coming) = receiver(&[0], |_, _| Answer::Takes).await;
    put_in(&outbox, users(&names));
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_did_not_take_while_it_was_away_goes_as_soon_as_it_is_back() {
    let away = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (outbox, mut coming) = receiver(&[0, 3_600_000, 3_600_000], {
        let away = away.clone();
        move |_, _| match away.load(std::sync::atomic::Ordering::SeqCst) {
            true => Answer::Says(500),
            false => Answer::Takes,
        }
    })
    .await;
    // Two of each, so that the second waits for the first.
    let names: Vec<String> = (0..100).map(|number| (number % 50).to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    put_in(&outbox, users(&names));
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    while coming.try_recv().is_ok() {}
    away.store(false, std::sync::atomic::Ordering::SeqCst);
    let came = taken(&outbox, &mut coming, names.len()).await;
    assert_eq!(came.len(), names.len());
    assert_eq!(outbox.store.waiting_count("hooks").unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_looked_for_again_long_before_an_event_is_due() {
    let hour = 3_600_000;
    let (outbox, mut coming) = receiver(&[0, 1, 1, 1, 1, hour], |_, attempt| match attempt {
        1..8 => Answer::Says(500),
        _ => Answer::Takes,
    })
    .await;
    put_in(&outbox, users(&["a"]));
    let came = taken(&outbox, &mut coming, 1).await;
    assert_eq!(came.last().expect("it came").attempt, 8);
    assert_eq!(outbox.state().unwrap().dead, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_refusal() {
    let (outbox, mut coming) = receiver(&[0], |_, _| Answer::Says(307)).await;
    put_in(&outbox, users(&["a"]));
    deliver(outbox.clone(), Until::Drained).await.unwrap();
    assert_eq!(coming.recv().await.unwrap().attempt, 1);
    let dead = outbox
        .store
        .dead("hooks", 1)
        .unwrap()
        .expect("it is given up");
    assert!(dead.error.contains("307"), "{}", dead.error);
}
