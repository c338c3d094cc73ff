//! A disk that fills up in the middle of a run: said plainly, nothing lost, and made up for once
//! there is room. The disk is one of memory, mounted where nobody else sees it.

use std::process::Command;

use rosterd_sim::SimOptions;
use serde_json::Value;

use super::settings::{Portal, Settings, Source};
use super::world::{Said, World};

/// What is done on that disk, `$0` being rosterd, `$1` its settings, `$2` where the state is and
/// `$3` where to put what was said.
const SCRIPT: &str = r#"
    say() { name=$1; shift; "$rosterd" -c "$settings" "$@" >"$notes/$name.out" 2>"$notes/$name.err"; echo $? >"$notes/$name.code"; }
    rosterd=$0 settings=$1 state=$2 notes=$3
    mkdir -p "$state" && mount -t tmpfs -o size=6m none "$state" || exit 9
    say full sync --format json
    mount -o remount,size=400m "$state" || exit 9
    say room sync --format json
    say again sync --full --format json
    say accounts export accounts --portal app
"#;

#[test]
fn a_disk_that_fills_up_in_a_run_loses_nothing() {
    let options = SimOptions {
        users: 3_000,
        groups: 30,
        memberships: 10_000,
        ..SimOptions::default()
    };
    let settings = Settings::new(
        vec![Source::entra().everyone()],
        vec![
            Portal::new("directory", "disable")
                .named("app")
                .from(&["entra"]),
        ],
    );
    let world = World::new(options, settings);
    let notes = tempfile::tempdir().expect("a temporary directory");
    let rosterd = world.command(&[]);
    // Mounting takes root, or a namespace in which one is.
    let alone = match Command::new("unshare").args(["-m", "true"]).status() {
        Ok(status) if status.success() => "-m",
        _ => "-rm",
    };
    let mut script = Command::new("unshare");
    script
        .args([alone, "sh", "-c", SCRIPT])
        .arg(rosterd.get_program())
        .args([&world.config(), &world.state(), &notes.path().to_owned()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in rosterd.get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let output = script.output().expect("unshare is there");
    assert!(output.status.success(), "{output:?}");
    let said = |name: &str| {
        let read = |ending: &str| {
            let path = notes.path().join(format!("{name}.{ending}"));
            std::fs::read_to_string(path).expect("it was written")
        };
        Said {
            code: read("code").trim().parse().expect("a number"),
            out: read("out"),
            err: read("err"),
        }
    };

    let full = said("full").ends_with(1);
    let place = world.state().display().to_string();
    let expected =
        format!("rosterd: no space left for the store at {place}; make room on its disk");
    assert!(full.err.starts_with(&expected), "{}", full.err);
    assert_eq!(full.err.lines().count(), 1, "{}", full.err);

    let room = said("room").ends_with(0).json();
    assert_eq!(room["status"], "applied", "{room:#}");
    assert_eq!(
        said("again").ends_with(0).json()["actions"],
        Value::Array(Vec::new())
    );
    // As if the disk had been large from the beginning.
    world.sync(&[]);
    assert_eq!(said("accounts").ends_with(0).json(), world.accounts("app"));
}
