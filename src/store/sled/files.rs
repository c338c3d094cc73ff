//! The files of a store: made durable, and measured.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    // The parent of a relative name is the empty path.
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)?.sync_all()
}

/// Removes what a kill left half written, where sled would call the store damaged. Snapshots: the
/// one before is there as long as a newer one has not got its name, and the log has everything
/// since. And the file of parameters, which comes first, of a store that never came to be.
pub(super) fn drop_unfinished(dir: &Path) -> io::Result<()> {
    // Whoever holds the store may be writing one just now.
    let held = match File::open(dir.join("db")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return gone_is_fine(fs::remove_file(dir.join("conf")));
        }
        Err(_) => return Ok(()),
    };
    if held.try_lock().is_err() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            gone_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

pub(super) fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Adds up the blocks of all files below. sled replaces files as it goes: one that is gone
/// before we look counts nothing.
pub(super) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            // 512: the unit of st_blocks, whatever the file system's own block size.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
