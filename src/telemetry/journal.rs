//! The journal of systemd, which keeps the fields of a line apart: `journalctl
//! ROSTERD_RUN_ID=…` finds what a run said.

use std::os::linux::fs::MetadataExt;

/// Where the fields of a line go, if stderr ends in the journal.
pub fn layer() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    // The variable is inherited by what runs below us with a stderr of its own.
    let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
    if stream != format!("{}:{}", stderr.st_dev(), stderr.st_ino()) {
        return None;
    }
    let layer = tracing_journald::layer().ok()?;
    Some(layer.with_field_prefix(Some("ROSTERD".to_owned())))
}
