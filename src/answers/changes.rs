//! How much changed at each source, run by run.

use std::collections::BTreeMap;

use super::AnswerError;
use crate::plan::SourceStatus;
use crate::store::Store;

/// How many records are looked at, whatever is found: sources with rare runs among many of
/// others show fewer.
const RECORDS: usize = 300;

/// Changed users and groups of the latest runs that read each source to its end, the oldest
/// first and at most `most` a source.
pub fn changes(store: &Store, most: usize) -> Result<BTreeMap<String, Vec<u64>>, AnswerError> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in store.runs_before(None).take(RECORDS) {
        for (name, report) in record?.head.sources {
            let counts = found.entry(name).or_default();
            if report.status == SourceStatus::Ok && counts.len() < most {
                counts.push(report.changed_users + report.changed_groups);
            }
        }
        if found.values().all(|counts| counts.len() >= most) {
            break;
        }
    }
    for counts in found.values_mut() {
        counts.reverse();
    }
    Ok(found)
}
