use std::sync::Arc;
use std::thread;

use super::super::{MemoryEngine, SledEngine, conformance};
use super::*;

/// An engine behind real sockets, each connection served by a thread of its own.
fn behind_sockets(engine: impl Engine + 'static) -> RemoteEngine {
    let engine = Arc::new(engine);
    let dial = move || {
        let (here, mut there) = UnixStream::pair()?;
        let engine = engine.clone();
        thread::spawn(move || serve(&*engine, &mut there));
        Ok(here)
    };
    RemoteEngine::new("(memory)".to_owned(), Box::new(dial))
}

conformance::holds_for!(|| (behind_sockets(MemoryEngine::new()), ()), cases = 64);

#[test]
fn a_snapshot_does_not_keep_the_other_sides_writers_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let engine = behind_sockets(SledEngine::open(dir.path(), 1 << 20).unwrap());
    let ops = (0..5000_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [7; 200]));
    engine.write(ops.collect()).unwrap();
    let snapshot = engine.snapshot().unwrap();
    let mut rows = snapshot.scan(Tree::Users, KeyRange::all());
    assert!(rows.next().unwrap().is_ok());
    // In the same thread: it would wait for itself.
    let delete = (0..5000_u32).map(|n| Op::delete(Tree::Users, n.to_be_bytes()));
    engine.write(delete.collect()).unwrap();
    assert_eq!(rows.count(), 4999);
    assert!(engine.scan(Tree::Users, KeyRange::all()).next().is_none());
}

#[test]
fn a_daemon_that_goes_away_is_an_error_and_not_an_end() {
    let dial = || {
        let (here, mut there) = UnixStream::pair()?;
        thread::spawn(move || {
            frames::read::<Call>(&mut there).unwrap();
            frames::write(&mut there, &Reply::Rows(vec![(vec![1], vec![])], true)).unwrap();
        });
        Ok(here)
    };
    let engine = RemoteEngine::new("/there".to_owned(), Box::new(dial));
    let mut rows = engine.scan(Tree::Users, KeyRange::all());
    assert!(rows.next().unwrap().is_ok());
    let error = rows.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("/there"), "{error}");
    assert!(rows.next().is_none());
}
