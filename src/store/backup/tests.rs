use std::fs;

use super::super::{MemoryEngine, SledEngine, Value};
use super::*;

fn filled() -> MemoryEngine {
    let engine = MemoryEngine::new();
    let rows = (0..3000_u32).map(|n| {
        let tree = Tree::ALL[n as usize % Tree::ALL.len()];
        Op::put(tree, n.to_be_bytes(), vec![n as u8; n as usize % 50])
    });
    engine.write(rows.collect()).unwrap();
    let odd = [
        Op::put(Tree::Meta, *b"cursor", *b"a delta link"),
        Op::put(Tree::Admins, [], []),
    ];
    engine.transact(odd.into()).unwrap();
    engine
}

fn rows(engine: &dyn Engine) -> Vec<(Tree, Value, Value)> {
    Tree::ALL
        .into_iter()
        .flat_map(|tree| {
            engine
                .scan(tree, KeyRange::all())
                .map(move |entry| entry.map(|(key, value)| (tree, key, value)))
        })
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn a_restored_store_has_every_row_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let before = filled();
    let written = write(&before, &file).unwrap();
    assert_eq!(written.rows, 3002);
    assert_eq!(written.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(verify(&file).unwrap(), written);

    let store = dir.path().join("store");
    let engine = SledEngine::open(&store, 1 << 20).unwrap();
    assert_eq!(restore(&engine, &file).unwrap(), written);
    assert_eq!(rows(&engine), rows(&before));
    drop(engine);
    let engine = SledEngine::open(&store, 1 << 20).unwrap();
    assert_eq!(rows(&engine), rows(&before));

    let again = dir.path().join("again");
    write(&engine, &again).unwrap();
    assert_eq!(fs::read(file).unwrap(), fs::read(again).unwrap());
}

#[test]
fn an_empty_store_makes_a_backup_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    assert_eq!(write(&MemoryEngine::new(), &file).unwrap().rows, 0);
    let engine = MemoryEngine::new();
    restore(&engine, &file).unwrap();
    assert_eq!(rows(&engine), rows(&MemoryEngine::new()));
}

#[test]
fn a_backup_is_private_and_leaves_nothing_beside_it() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    fs::write(&file, "an older one").unwrap();
    write(&filled(), &file).unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let nowhere = dir.path().join("nowhere").join("backup");
    let error = write(&filled(), &nowhere).unwrap_err();
    assert!(matches!(error, BackupError::Write { .. }), "{error}");
}

#[test]
fn a_store_with_rows_is_not_restored_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    write(&filled(), &file).unwrap();
    let engine = MemoryEngine::new();
    let own = Op::put(Tree::Admins, *b"key", *b"ada");
    engine.transact(vec![own]).unwrap();
    let before = rows(&engine);
    let error = restore(&engine, &file).unwrap_err();
    insta::assert_snapshot!(error, @"the store at (memory) is not empty; restore into a new directory, or move the old one aside");
    assert_eq!(rows(&engine), before);
}

/// Restores what `change` makes of a good backup and returns the error, without the path.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    write(&filled(), &file).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(&file, bytes).unwrap();
    let engine = MemoryEngine::new();
    let error = restore(&engine, &file).unwrap_err().to_string();
    assert_eq!(
        rows(&engine),
        rows(&MemoryEngine::new()),
        "nothing imported"
    );
    error.replace(&format!("{}/", dir.path().display()), "")
}

fn with_header(header: &str) -> String {
    refusal(|bytes| {
        let old = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        bytes.splice(..old, header.bytes());
    })
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let length = {
        let dir = tempfile::tempdir().unwrap();
        write(&filled(), &dir.path().join("backup")).unwrap().bytes as usize
    };
    let header = "rosterd-backup 1 1\n".len();
    for at in [
        header,
        header + 1,
        length / 2,
        length - 41,
        length - 33,
        length - 1,
    ] {
        let error = refusal(|bytes| bytes[at] ^= 0x10);
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"the backup backup was cut short or changed since it was written (its checksum does not match); use another copy");
        }
    }
}

#[test]
fn a_cut_or_lengthened_file_is_noticed() {
    insta::assert_snapshot!(refusal(|bytes| bytes.truncate(bytes.len() - 1)), @"the backup backup was cut short or changed since it was written (its checksum does not match); use another copy");
    insta::assert_snapshot!(refusal(|bytes| bytes.truncate(40)), @"the backup backup was cut short or changed since it was written (it ends too early); use another copy");
    insta::assert_snapshot!(refusal(|bytes| bytes.push(0)), @"the backup backup was cut short or changed since it was written (its checksum does not match); use another copy");
    insta::assert_snapshot!(refusal(Vec::clear), @"backup is not a rosterd backup");
}

#[test]
fn what_is_no_backup_is_said_to_be_none() {
    insta::assert_snapshot!(refusal(|bytes| *bytes = vec![0xff; 1000]), @"backup is not a rosterd backup");
    insta::assert_snapshot!(with_header("rosterd-backup\n"), @"backup is not a rosterd backup");
    insta::assert_snapshot!(with_header("rosterd-backup 1 one\n"), @"backup is not a rosterd backup");
}

#[test]
fn a_newer_backup_is_refused() {
    insta::assert_snapshot!(with_header("rosterd-backup 1 4\n"), @"the backup backup was written by a newer rosterd (format 4, this one knows 3); restore it with that version");
    insta::assert_snapshot!(with_header("rosterd-backup 2 x\n"), @"the backup backup was written by a newer rosterd (layout 2, this one knows 1); restore it with that version");
}

#[test]
fn a_half_restored_store_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(dir.path(), 1 << 20).unwrap();
    format::restoring(&engine).unwrap();
    drop(engine);
    let error = SledEngine::open(dir.path(), 1 << 20).unwrap_err();
    assert!(matches!(error, EngineError::HalfRestored { .. }), "{error}");
}
