//! The plans of past runs, a compressed file each. What a run says about itself in short is in
//! the store; this is the rest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::RunError;
use crate::audit::hash_of_file;
use crate::plan::Plan;

const SUFFIX: &str = ".plan.gz";

/// The folder of the plans.
#[derive(Clone, Debug)]
pub struct History(pub PathBuf);

impl History {
    /// Keeps a plan, whole and durable before its name appears.
    pub fn write(&self, plan: &Plan) -> Result<(), RunError> {
        let run = &plan.head.run;
        let failed = |cause| RunError::History {
            run: run.clone(),
            place: self.file(run).display().to_string(),
            cause,
        };
        std::fs::create_dir_all(&self.0).map_err(failed)?;
        let file = tempfile::NamedTempFile::new_in(&self.0).map_err(failed)?;
        let level = flate2::Compression::fast();
        let mut packed = flate2::write::GzEncoder::new(file, level);
        plan.write(&mut packed)?;
        let file = packed.finish().map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(self.file(run))
            .map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// The SHA-256 of a kept plan's file.
    pub fn sha256(&self, run: &str) -> Result<String, RunError> {
        let hash = File::open(self.file(run)).and_then(hash_of_file);
        hash.map_err(|cause| self.unread(run, cause))
    }

    /// The plan of a run; None where it is not kept (a backup does not carry plans).
    pub fn read(&self, run: &str) -> Result<Option<Plan>, RunError> {
        let file = match File::open(self.file(run)) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.unread(run, cause)),
        };
        Ok(Some(Plan::read(flate2::read::GzDecoder::new(file))?))
    }

    /// Drops a plan, if it is there.
    pub fn forget(&self, run: &str) {
        match std::fs::remove_file(self.file(run)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("the plan of run {run} cannot be removed: {cause}");
            }
            _ => {}
        }
    }

    /// Drops the oldest plans, but for `held`, until they take at most `most` bytes.
    pub fn shrink(&self, most: u64, held: Option<&str>) {
        let mut plans = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let run = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            if let (Some(run), Ok(facts)) = (run, entry.metadata()) {
                plans.insert(run.to_owned(), facts.len());
            }
        }
        let mut total: u64 = plans.values().sum();
        // Run ids sort by time.
        for (run, bytes) in plans {
            if total <= most {
                break;
            }
            if held != Some(run.as_str()) {
                self.forget(&run);
                total -= bytes;
            }
        }
    }

    fn unread(&self, run: &str, cause: io::Error) -> RunError {
        RunError::Unread {
            run: run.to_owned(),
            place: self.file(run).display().to_string(),
            cause,
        }
    }

    /// Where the plan of a run is, or would be.
    pub fn file(&self, run: &str) -> PathBuf {
        self.0.join(format!("{run}{SUFFIX}"))
    }
}
