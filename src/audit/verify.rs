//! Reads the whole log and says whether it is what was written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{AuditError, LINE_BYTES, Mark, NOTHING_BEFORE, files, hash, hash_of_file};

/// What a look at the whole log found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    pub lines: u64,
    /// The numbers of the first and the last line; older ones were dropped in time.
    pub first: u64,
    pub last: u64,
    /// Plans that are still kept and have the hash that their line names.
    pub plans: u64,
    /// What is wrong: where, and what.
    pub faults: Vec<String>,
}

/// Reads every line. `mark` is where the store says the log ends; `plan_of` says where the plan
/// of a run is, or was.
pub fn verify(
    place: &Path,
    mark: Option<&Mark>,
    plan_of: impl Fn(&str) -> PathBuf,
) -> Result<Verdict, AuditError> {
    let failed = |cause| AuditError::Io {
        doing: "read",
        place: place.display().to_string(),
        cause,
    };
    let mut verdict = Verdict::default();
    let mut last: Option<Mark> = None;
    let mut named = BTreeMap::new();
    for (first, file) in files(place).map_err(failed)? {
        if last.as_ref().is_some_and(|last| last.seq + 1 != first) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            verdict.faults.push(format!(
                "{name} does not go on where the file before it ends"
            ));
        }
        let mut lines = BufReader::new(File::open(&file).map_err(failed)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut lines, LINE_BYTES + 1);
            if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            if line.pop() != Some(b'\n') {
                verdict
                    .faults
                    .push(format!("what follows line {} is cut short", verdict.last));
                break;
            }
            last = Some(verdict.take(&line, last.as_ref(), mark, &mut named));
        }
    }
    match (mark, &last) {
        (Some(mark), None) => verdict.faults.push(format!(
            "all lines are missing, where the store knows of {}",
            mark.seq
        )),
        (Some(mark), Some(last)) if last.seq < mark.seq => verdict.faults.push(format!(
            "the last lines are missing: it ends with {}, and the store knows of {}",
            last.seq, mark.seq
        )),
        _ => {}
    }
    check_plans(&mut verdict, named, plan_of);
    Ok(verdict)
}

impl Verdict {
    fn take(
        &mut self,
        line: &[u8],
        last: Option<&Mark>,
        mark: Option<&Mark>,
        named: &mut BTreeMap<String, (u64, String)>,
    ) -> Mark {
        let facts: Value = serde_json::from_slice(line).unwrap_or_default();
        let expected = last.map(|last| last.seq + 1);
        let seq = facts["seq"].as_u64().or(expected).unwrap_or(0);
        let hash = hash(line);
        let before = facts["before"].as_str().unwrap_or_default();
        let fault = if !facts.is_object() {
            Some("is not a JSON object".to_owned())
        } else if expected.is_some_and(|expected| expected != seq) {
            let expected = expected.unwrap_or_default();
            Some(format!("stands where line {expected} should be"))
        } else if last.is_some_and(|last| last.hash != before) {
            Some("does not follow from the line before it: one of them was changed".to_owned())
        } else if seq == 1 && before != NOTHING_BEFORE {
            Some("is the first line and names one before it".to_owned())
        } else if mark.is_some_and(|mark| mark.seq == seq && mark.hash != hash) {
            Some("is not the line that the store remembers".to_owned())
        } else {
            None
        };
        if let (Some(run), Some(hash)) = (facts["run"].as_str(), facts["plan_sha256"].as_str()) {
            named.insert(run.to_owned(), (seq, hash.to_owned()));
        }
        if let Some(fault) = fault {
            self.faults.push(format!("line {seq} {fault}"));
        }
        if self.lines == 0 {
            self.first = seq;
        }
        self.lines += 1;
        self.last = seq;
        Mark { seq, hash }
    }
}

/// A plan that is gone was dropped in time; one that is there must be the one. A held plan
/// that was approved made way for what was then done, so that the last line on a run counts.
fn check_plans(
    verdict: &mut Verdict,
    named: BTreeMap<String, (u64, String)>,
    plan_of: impl Fn(&str) -> PathBuf,
) {
    for (run, (seq, named)) in named {
        let Ok(file) = File::open(plan_of(&run)) else {
            continue;
        };
        match hash_of_file(file) {
            Ok(hash) if hash == named => verdict.plans += 1,
            Ok(_) => verdict.faults.push(format!(
                "line {seq} names the plan of run {run}, which was changed"
            )),
            Err(error) => verdict.faults.push(format!(
                "line {seq} names the plan of run {run}, which cannot be read: {error}"
            )),
        }
    }
}
