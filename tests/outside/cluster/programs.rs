//! PostgreSQL's programs, and who runs them: for the tests, and for the benchmark beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are: Debian keeps them apart by version.
pub fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    // What is on the PATH may be a link; its neighbours are where it leads to.
    let initdb = places
        .into_iter()
        .find_map(|place| place.join("initdb").canonicalize().ok())?;
    Some(initdb.parent()?.to_owned())
}

/// Its server refuses to run as root: there it runs as somebody else.
pub fn as_server(program: &Path) -> Command {
    let Some((uid, gid)) = server_user() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={gid}"));
    command.arg("--clear-groups").arg(program);
    command
}

/// Who the server runs as, if not as we do.
pub fn server_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    of("postgres").or_else(|| of("nobody"))
}
