//! Both sides of the socket in one process.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::frames;
use crate::plan::Status;
use crate::sync::tests::world::{World, lines, user};
use crate::sync::{Conductor, Progress};

const PORTAL: &str = r#"
[portals.store]
kind = "store"
target = "local"
sources = ["a"]
"#;

/// A world with one person, its conductor, and a socket in a folder of its own.
struct House {
    world: World,
    conductor: Conductor,
    state: tempfile::TempDir,
    control: Control,
}

fn house() -> House {
    let world = World::new(PORTAL, r#"scope = "all""#);
    let ada = user("u1", "ada");
    world.company("a").users.insert("u1".into(), ada);
    let conductor = Conductor::new(world.sync.clone());
    let state = tempfile::tempdir().unwrap();
    let board = Board::default();
    board.settings.send_replace("these".to_owned());
    let control = Control::open(state.path(), conductor.clone(), Arc::new(board)).unwrap();
    House {
        world,
        conductor,
        state,
        control,
    }
}

impl House {
    fn daemon(&self) -> Daemon {
        Daemon::find(self.state.path())
            .unwrap()
            .expect("it is there")
    }
}

/// Longer than any of this takes.
const SOON: Duration = Duration::from_secs(20);

/// Keeps every step.
#[derive(Default)]
struct Steps(Mutex<Vec<Step>>);

impl Progress for Steps {
    fn step(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

/// What blocks goes where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_socket_tells_its_steps_and_its_plan() {
    let house = house();
    let source = house.world.sources["a"].clone();
    source.open.send_replace(false);
    let (daemon, steps) = (house.daemon(), Arc::new(Steps::default()));
    assert_eq!(daemon.settings, "these");
    let progress = steps.clone() as Arc<dyn Progress>;
    let only_a = Asked {
        sources: vec!["a".to_owned()],
        ..Asked::default()
    };
    let run = tokio::spawn(blocking(move || {
        daemon.run(only_a, Intent::Apply, &progress)
    }));
    let fetching = Step::Fetching {
        sources: vec!["a".to_owned()],
    };
    let began = Instant::now();
    while !steps.0.lock().unwrap().contains(&fetching) {
        assert!(began.elapsed() < SOON, "it is never said that it fetches");
        tokio::task::yield_now().await;
    }
    source.open.send_replace(true);
    let run = run.await.unwrap().unwrap();
    assert!(!run.moved);
    assert_eq!(run.plan.head.status, Status::Applied);
    assert_eq!(lines(&run.plan), ["store create_account ada@corp"]);
    assert_eq!(run.plan.tally().unwrap().done, 1);
    house.control.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_there_is_said_here() {
    let house = house();
    let daemon = house.daemon();
    let nowhere = Asked {
        sources: vec!["nowhere".to_owned()],
        ..Asked::default()
    };
    let ask = move |asked| {
        let (daemon, nobody) = (daemon.clone(), Arc::new(()) as Arc<dyn Progress>);
        blocking(move || daemon.run(asked, Intent::Apply, &nobody))
    };
    let error = ask(nowhere).await.err().unwrap().to_string();
    assert_eq!(error, "there is no source 'nowhere' in the settings");
    house.conductor.stop().await;
    let error = ask(Asked::default()).await.err().unwrap().to_string();
    assert!(error.contains("about to stop"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_refused_in_words() {
    let house = house();
    let socket = house.state.path().join(SOCKET);
    let answer = blocking(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        let hello = Hello {
            version: "rosterd 99".to_owned(),
            purpose: Purpose::Store,
        };
        frames::write(&mut stream, &hello).unwrap();
        frames::read::<Welcome>(&mut stream).unwrap().unwrap()
    });
    match answer.await {
        Welcome::Refused(text) => assert!(text.contains("rosterd 99"), "{text}"),
        Welcome::Settings(_) => panic!("it was let in"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_found_where_nobody_listens() {
    let house = house();
    let state = house.state.path().to_owned();
    let pointer = pointer(&state);
    let there = std::fs::read(&pointer).unwrap();
    house.control.close().await;
    assert!(Daemon::find(&state).unwrap().is_none());
    // As a crash would leave it.
    std::fs::write(&pointer, there).unwrap();
    assert!(Daemon::find(&state).unwrap().is_none());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_said() {
    let world = World::new(PORTAL, r#"scope = "all""#);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("x".repeat(100));
    std::fs::create_dir(&state).unwrap();
    let conductor = Conductor::new(world.sync.clone());
    let error = Control::open(&state, conductor, Arc::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("about 100 bytes"), "{error}");
}
