use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tempfile::TempDir;

use super::super::conformance;
use super::super::format::{FORMAT, STAMP};
use super::*;

/// 1 MiB: what these tests write must not all fit, or the pages on disk are never read.
const CACHE_BYTES: u64 = 1 << 20;

fn open(dir: &Path) -> SledEngine {
    patiently(|| SledEngine::open(dir, CACHE_BYTES)).unwrap()
}

fn refused(dir: &Path) -> String {
    let error = SledEngine::open(dir, CACHE_BYTES).unwrap_err();
    error.to_string().replace(&dir.display().to_string(), "DIR")
}

fn new() -> (SledEngine, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open(dir.path()), dir)
}

conformance::holds_for!(new, cases = 24);

#[test]
fn the_directory_is_made_for_its_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state").join("store");
    let engine = open(&dir);
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(engine.size_on_disk() > 0);
}

#[test]
fn rows_are_there_after_reopening() {
    let (mut engine, dir) = new();
    for round in 0..3_u8 {
        let ops = (0..5000_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [round; 40]));
        engine.write(ops.collect()).unwrap();
        drop(engine);
        engine = open(dir.path());
        let mut found = 0;
        for entry in engine.scan(Tree::Users, KeyRange::all()) {
            assert_eq!(*entry.unwrap().1, [round; 40]);
            found += 1;
        }
        assert_eq!(found, 5000);
    }
}

#[test]
fn a_snapshot_that_a_kill_left_half_written_is_no_damage() {
    let (engine, dir) = new();
    let ops = (0..500_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [7; 40]));
    engine.write(ops.collect()).unwrap();
    drop(engine);
    let half = dir.path().join("snap.FFFFFFFFFFFFFFFF.generating");
    for content in [&b""[..], &[1; 40]] {
        fs::write(&half, content).unwrap();
        let engine = open(dir.path());
        assert_eq!(engine.scan(Tree::Users, KeyRange::all()).count(), 500);
        // Somebody who cannot have the store leaves what its holder may be writing.
        fs::write(&half, content).unwrap();
        assert!(SledEngine::open(dir.path(), 1 << 20).is_err());
        assert!(half.exists());
    }
}

#[test]
fn a_kill_while_the_store_is_made_is_no_damage() {
    let (engine, whole) = new();
    drop(engine);
    let parameters = fs::read(whole.path().join("conf")).unwrap();
    for written in [0, 1, parameters.len() - 4, parameters.len() - 1] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("conf"), &parameters[..written]).unwrap();
        open(dir.path());
    }
}

#[test]
fn a_reopened_store_is_the_one_it_was() {
    let (engine, dir) = new();
    let ops = (0..500_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [7; 40]));
    engine.write(ops.collect()).unwrap();
    let counted = engine.writes_to(Tree::Users);
    assert!(engine.reopen().unwrap());
    assert_eq!(engine.scan(Tree::Users, KeyRange::all()).count(), 500);
    assert_eq!(engine.writes_to(Tree::Users), counted);
    engine
        .transact(vec![Op::put(Tree::Users, *b"ada", [])])
        .unwrap();
    assert!(engine.reopen().unwrap());
    assert!(engine.get(Tree::Users, b"ada").unwrap().is_some());
    assert!(refused(dir.path()).contains("holds the store"));
}

#[test]
fn a_store_is_not_closed_under_a_reader_or_a_writer() {
    let (engine, _dir) = new();
    let ops = (0..500_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [7; 40]));
    engine.write(ops.collect()).unwrap();
    let mut rows = engine.scan(Tree::Users, KeyRange::all());
    rows.next().unwrap().unwrap();
    assert!(!engine.reopen().unwrap());
    assert_eq!(rows.count(), 499);
    let snapshot = engine.snapshot().unwrap();
    assert!(!engine.reopen().unwrap());
    drop(snapshot);
    assert!(engine.reopen().unwrap());
}

#[test]
fn nobody_notices_a_reopening_but_by_waiting() {
    const REOPENED: u32 = 5;
    let (engine, _dir) = new();
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in [0_u8, 1] {
            let (engine, enough) = (&engine, &enough);
            scope.spawn(move || {
                let keys = (0..=u8::MAX).cycle().map(|round| [worker, round]);
                for key in keys.take_while(|_| !enough.load(Ordering::Relaxed)) {
                    let op = Op::put(Tree::Users, key, [7; 40]);
                    engine.transact(vec![op]).unwrap();
                    assert!(engine.get(Tree::Users, &key).unwrap().is_some());
                    let mut mine = engine.scan(Tree::Users, KeyRange::prefix([worker]));
                    assert!(mine.any(|row| *row.unwrap().0 == key));
                }
            });
        }
        let mut reopened = 0;
        while reopened < REOPENED {
            reopened += u32::from(engine.reopen().unwrap());
        }
        enough.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_second_opener_is_told_who_holds_the_store() {
    let (_engine, dir) = new();
    insta::assert_snapshot!(refused(dir.path()), @"another rosterd holds the store at DIR; wait until it is done, or stop it first");
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let (engine, dir) = new();
    let newer = Op::put(Tree::Meta, STAMP, (FORMAT + 1).to_be_bytes());
    engine.transact(vec![newer]).unwrap();
    drop(engine);
    for _ in 0..2 {
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused(dir.path()), @"the store at DIR was written by a newer rosterd (format 4, this one knows 3); install that version again");
        }
    }
}

#[test]
fn every_way_to_write_is_counted_for_the_trees_it_wrote_to() {
    let (engine, _dir) = new();
    let before = engine.writes_to(Tree::Tokens).unwrap();
    let elsewhere = engine.writes_to(Tree::Links).unwrap();
    engine
        .write(vec![Op::put(Tree::Tokens, *b"a", [])])
        .unwrap();
    let written = engine.writes_to(Tree::Tokens).unwrap();
    assert!(written > before);
    engine
        .transact(vec![Op::delete(Tree::Tokens, *b"a")])
        .unwrap();
    assert!(engine.writes_to(Tree::Tokens).unwrap() > written);
    assert_eq!(engine.writes_to(Tree::Links).unwrap(), elsewhere);
}

#[test]
fn a_format_without_a_way_here_is_refused() {
    let (engine, _dir) = new();
    assert!(format::migrate(&engine, FORMAT).is_ok());
    assert!(format::migrate(&engine, 1).is_ok());
    assert!(format::migrate(&engine, 2).is_ok());
    let error = format::migrate(&engine, FORMAT + 7).unwrap_err();
    assert!(matches!(error, EngineError::TooOld { .. }), "{error}");
}

#[test]
fn rows_without_a_stamp_are_nothing_of_ours() {
    let (engine, dir) = new();
    let ops = vec![
        Op::delete(Tree::Meta, STAMP),
        Op::put(Tree::Users, *b"ada", []),
    ];
    engine.transact(ops).unwrap();
    drop(engine);
    insta::assert_snapshot!(refused(dir.path()), @"the store at DIR is damaged (it has rows but no format stamp); move it aside and restore a backup, or run a full sync into a new one");
}

/// A full store's directory and its log, for a test to damage.
fn on_disk() -> (TempDir, PathBuf, Vec<u8>) {
    let (engine, dir) = new();
    let ops = (0..20_000_u32).map(|n| Op::put(Tree::Users, n.to_be_bytes(), [7; 100]));
    engine.write(ops.collect()).unwrap();
    engine.flush().unwrap();
    drop(engine);
    let log = dir.path().join("db");
    let bytes = fs::read(&log).unwrap();
    (dir, log, bytes)
}

/// Whether sled notices depends on what stood there; whatever it does about it, an operator
/// reads one line.
#[test]
fn damage_is_an_error_and_never_a_panic() {
    for at in [4096, 40_000, 300_000, 1_000_000, 3_000_000] {
        let (dir, log, mut bytes) = on_disk();
        let damaged = bytes.iter_mut().skip(at).take(200);
        damaged.for_each(|byte| *byte ^= 0x55);
        fs::write(&log, &bytes).unwrap();
        let outcome = SledEngine::open(dir.path(), CACHE_BYTES).and_then(|engine| {
            let mut rows = engine.scan(Tree::Users, KeyRange::all());
            rows.try_for_each(|row| row.map(drop))
        });
        if let Err(error) = outcome {
            assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

/// sled takes a log it can make nothing of for a new one. An empty directory under a full
/// target must not be mistaken for a first run.
#[test]
fn a_store_that_lost_everything_is_not_taken_for_a_new_one() {
    let (dir, log, _) = on_disk();
    for beside in fs::read_dir(dir.path()).unwrap() {
        let beside = beside.unwrap().path();
        // sled's own summary of the log would give the loss away; it is not always there.
        if beside.to_string_lossy().contains("/snap.") {
            fs::remove_file(beside).unwrap();
        }
    }
    fs::write(&log, []).unwrap();
    insta::assert_snapshot!(refused(dir.path()), @"the store at DIR is damaged (what was last written to it is gone); move it aside and restore a backup, or run a full sync into a new one");
    // What the first attempt left behind must not pass for a store either.
    assert!(refused(dir.path()).contains("is damaged"));
}

/// The log is put back to what it was at an earlier close: whole in itself, but old.
#[test]
fn a_store_that_went_back_in_time_is_refused() {
    let (dir, log, before) = on_disk();
    let engine = open(dir.path());
    let ops = (0..20_000_u32).map(|n| Op::put(Tree::Links, n.to_be_bytes(), [7; 100]));
    engine.write(ops.collect()).unwrap();
    drop(engine);
    fs::write(&log, before).unwrap();
    assert!(refused(dir.path()).contains("is damaged"));
}

#[test]
fn the_waterline_is_raised_by_flushes_too() {
    let (engine, dir) = new();
    let line = || fs::read_to_string(dir.path().join("waterline")).unwrap();
    let opened = line();
    for _ in 0..FLUSHES_PER_MARK {
        engine.flush().unwrap();
    }
    assert!(line() > opened);
}

#[test]
fn a_log_of_nonsense_is_not_taken_for_a_new_one() {
    let zeros = |log: &[u8]| vec![0; log.len()];
    let flipped = |log: &[u8]| log.iter().map(|byte| byte ^ 0x55).collect();
    let after_a_while = |log: &[u8]| {
        let (kept, lost) = log.split_at(4096);
        [kept, &vec![0x55; lost.len()]].concat()
    };
    for nonsense in [zeros, flipped, after_a_while] {
        let (dir, log, whole) = on_disk();
        fs::write(&log, nonsense(&whole)).unwrap();
        for _ in 0..2 {
            let refused = refused(dir.path());
            assert!(refused.contains("is damaged"), "{refused}");
        }
    }
}

#[test]
fn a_full_disk_is_called_by_its_name() {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let error = engine_error("write to", "DIR", ::sled::Error::Io(full));
    insta::assert_snapshot!(error, @"no space left for the store at DIR; make room on its disk, then start again");
    let raw = io::Error::from_raw_os_error(28);
    let error = io_error("flush", "DIR", raw);
    assert!(matches!(error, EngineError::DiskFull { .. }));
}

#[test]
fn a_place_that_is_no_directory_is_said_to_be_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = SledEngine::open(file.path(), CACHE_BYTES).unwrap_err();
    assert!(matches!(error, EngineError::Io { .. }), "{error}");
}

/// Says in which directory the child below is to write, and that it is the child.
const WRITER_DIR: &str = "ROSTERD_TEST_WRITER_DIR";

/// How many rows each transaction writes into each of its trees.
const ROWS: u32 = 20;

/// How often the writer is killed.
const KILLS: u32 = 10;

#[test]
fn a_killed_writer_leaves_whole_transactions_and_all_it_acknowledged() {
    if let Some(dir) = std::env::var_os(WRITER_DIR) {
        write_until_killed(&open(Path::new(&dir)));
    }
    let dir = tempfile::tempdir().unwrap();
    let name = "a_killed_writer_leaves_whole_transactions_and_all_it_acknowledged";
    let name = format!("store::sled::tests::{name}");
    let mut reached = 0;
    for kill in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(WRITER_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(writer.stdout.take().unwrap());
        let listener = std::thread::spawn(move || {
            said.lines()
                .map_while(Result::ok)
                .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
                .last()
        });
        // Killing needs real time to pass: at another point of the writer's work each time.
        std::thread::sleep(Duration::from_millis(300 + u64::from(kill) * 37));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let acknowledged: u32 = listener.join().unwrap().unwrap_or(reached);
        let found = whole_until(&open(dir.path()));
        assert!(
            found >= acknowledged,
            "{acknowledged} was acknowledged, {found} is there"
        );
        reached = found;
    }
    assert!(reached > 0, "no writer got as far as one transaction");
}

fn writer_ops(round: u32) -> Vec<Op> {
    let row = |tree| {
        move |n: u32| {
            let value = [round.to_be_bytes(); 30].concat();
            Op::put(tree, n.to_be_bytes(), value)
        }
    };
    (0..ROWS)
        .map(row(Tree::Users))
        .chain((0..ROWS).map(row(Tree::Marks)))
        .chain([Op::put(Tree::Meta, *b"round", round.to_be_bytes())])
        .collect()
}

fn write_until_killed(engine: &SledEngine) -> ! {
    let mut round = whole_until(engine);
    loop {
        round += 1;
        engine.transact(writer_ops(round)).unwrap();
        if round.is_multiple_of(10) {
            engine.flush().unwrap();
            let mut out = io::stdout().lock();
            writeln!(out, "\nacknowledged {round}").unwrap();
            out.flush().unwrap();
        }
    }
}

/// The round the store stands at, after seeing that every row of it is of that round.
fn whole_until(engine: &SledEngine) -> u32 {
    let Some(round) = engine.get(Tree::Meta, b"round").unwrap() else {
        for tree in [Tree::Users, Tree::Marks] {
            assert_eq!(engine.scan(tree, KeyRange::all()).count(), 0);
        }
        return 0;
    };
    let round = u32::from_be_bytes((*round).try_into().unwrap());
    for op in writer_ops(round) {
        let Op::Put(tree, key, expected) = op else {
            unreachable!("the writer only puts");
        };
        let found = engine.get(tree, &key).unwrap();
        let found = found.map(|value| value.into_vec());
        assert_eq!(found, Some(expected), "{tree:?} is torn at round {round}");
    }
    round
}
