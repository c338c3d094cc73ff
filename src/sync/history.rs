//! The plans of past runs, a compressed file each. What a run says about itself in short is in
//! the store; this is the rest.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::RunError;
use crate::plan::Plan;

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

    /// The plan of a run; None where it is not kept (a backup does not carry plans).
    pub fn read(&self, run: &str) -> Result<Option<Plan>, RunError> {
        let file = match File::open(self.file(run)) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => {
                return Err(RunError::Unread {
                    run: run.to_owned(),
                    place: self.file(run).display().to_string(),
                    cause,
                });
            }
        };
        Ok(Some(Plan::read(flate2::read::GzDecoder::new(file))?))
    }

    fn file(&self, run: &str) -> PathBuf {
        self.0.join(format!("{run}.plan.gz"))
    }
}
