use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{AuditLog, FILE_BYTES, Mark, Verdict, verify};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn log(&self) -> AuditLog {
        AuditLog::new(self.audit())
    }

    fn audit(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    /// Each line by a process of its own.
    fn fill(&self, lines: usize) -> Mark {
        let mut mark = None;
        for number in 0..lines {
            let facts = json!({"run": format!("R{number}"), "status": "applied"});
            mark = Some(self.log().append(at(), "run", facts).unwrap());
        }
        mark.unwrap()
    }

    fn verdict(&self, mark: Option<&Mark>) -> Verdict {
        verify(&self.audit(), mark, |run| self.plan(run)).unwrap()
    }

    fn plan(&self, run: &str) -> PathBuf {
        self.0.path().join(format!("{run}.plan.gz"))
    }

    fn faults(&self, mark: Option<&Mark>) -> Vec<String> {
        self.verdict(mark).faults
    }

    fn file(&self) -> PathBuf {
        self.audit().join("000000000001.jsonl")
    }
}

fn at() -> jiff::Timestamp {
    "2026-11-25T04:00:00Z".parse().unwrap()
}

fn rewrite(file: &Path, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let text = fs::read_to_string(file).unwrap();
    let lines = change(text.lines().map(str::to_owned).collect());
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

#[test]
fn what_was_written_is_found_whole() {
    let place = Place::new();
    let mark = place.fill(5);
    let verdict = place.verdict(Some(&mark));
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!((verdict.first, verdict.last, verdict.lines), (1, 5, 5));
    assert_eq!(Mark::from_text(&mark.to_text()), Some(mark));
}

#[test]
fn no_line_can_be_changed_dropped_added_or_moved_unseen() {
    type Change = fn(Vec<String>) -> Vec<String>;
    let changes: [(Change, &str); 5] = [
        (
            |mut lines| {
                lines[1] = lines[1].replace("applied", "failed");
                lines
            },
            "line 3 does not follow",
        ),
        (
            |mut lines| {
                lines.remove(2);
                lines
            },
            "line 4 stands where line 3",
        ),
        (
            |mut lines| {
                lines.swap(1, 2);
                lines
            },
            "line 3 stands where line 2",
        ),
        (
            |mut lines| {
                lines.pop();
                lines
            },
            "the last lines are missing",
        ),
        (
            |mut lines| {
                let last = lines.pop().unwrap();
                lines.push(last.replace("R4", "R5"));
                lines
            },
            "line 5 is not the line that the store remembers",
        ),
    ];
    for (change, fault) in changes {
        let place = Place::new();
        let mark = place.fill(5);
        rewrite(&place.file(), change);
        let faults = place.faults(Some(&mark));
        assert!(
            faults.first().is_some_and(|found| found.contains(fault)),
            "{fault}: {faults:?}"
        );
    }
    let place = Place::new();
    let mark = place.fill(2);
    fs::remove_file(place.file()).unwrap();
    assert!(place.faults(Some(&mark))[0].contains("all lines are missing"));
}

#[test]
fn a_line_that_a_crash_cut_short_goes_and_the_chain_holds() {
    let place = Place::new();
    place.fill(3);
    let mut text = fs::read_to_string(place.file()).unwrap();
    text.push_str("{\"seq\":4,\"at\":");
    fs::write(place.file(), text).unwrap();
    assert!(place.faults(None)[0].contains("cut short"));
    let mark = place.fill(1);
    assert_eq!(mark.seq, 4);
    assert_eq!(place.faults(Some(&mark)), Vec::<String>::new());
}

#[test]
fn a_file_that_ends_in_no_line_of_ours_is_left_as_it_is() {
    let place = Place::new();
    place.fill(1);
    let mut text = fs::read_to_string(place.file()).unwrap();
    text.push_str(&"x".repeat(3_000_000));
    fs::write(place.file(), &text).unwrap();
    let refused = place.log().append(at(), "run", json!({}));
    assert!(refused.is_err());
    assert!(fs::read_to_string(place.file()).unwrap() == text);
}

#[test]
fn full_files_are_followed_by_new_ones_and_old_ones_go() {
    let place = Place::new();
    place.fill(2);
    // Room is taken up by one line that is far too long for the rest to fit in.
    let fat = "x".repeat(500_000);
    for _ in 0..=(FILE_BYTES / 500_000) {
        place
            .log()
            .append(at(), "run", json!({"warnings": fat}))
            .unwrap();
    }
    let mark = place.fill(1);
    assert_eq!(fs::read_dir(place.audit()).unwrap().count(), 2);
    assert_eq!(place.faults(Some(&mark)), Vec::<String>::new());
    let year = Duration::from_secs(365 * 86_400);
    place
        .log()
        .prune(SystemTime::now(), year, u64::MAX)
        .unwrap();
    assert_eq!(fs::read_dir(place.audit()).unwrap().count(), 2);
    place.log().prune(SystemTime::now(), year, 1).unwrap();
    assert_eq!(fs::read_dir(place.audit()).unwrap().count(), 1);
    let verdict = place.verdict(Some(&mark));
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert!(verdict.first > 1);
    assert_eq!(place.fill(1).seq, mark.seq + 1);
}

#[test]
fn a_kept_plan_must_be_the_one_that_was_noted() {
    let place = Place::new();
    let plan = place.plan("R1");
    fs::write(&plan, "plan").unwrap();
    let hash = super::hash(b"plan");
    let facts = json!({"run": "R1", "plan_sha256": hash});
    place.log().append(at(), "run", facts).unwrap();
    assert_eq!(place.faults(None), Vec::<String>::new());
    fs::write(&plan, "another").unwrap();
    assert!(place.faults(None)[0].contains("run R1, which was changed"));
    fs::remove_file(&plan).unwrap();
    assert_eq!(place.faults(None), Vec::<String>::new());
}
