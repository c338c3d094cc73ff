//! Who is told when something needs an eye: by a webhook, by a command, once for each change.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use crate::receiver::{Posted, receiver};
use crate::served::{PATIENCE, Served};
use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

const SERVER: &str = "admin_token = { env = \"SIM_ADMIN_TOKEN\" }";

/// One company of twenty; nothing runs by itself in the time of a test.
fn world() -> World {
    let source = Source::entra().everyone().with("schedule = \"24h\"");
    let portal = Portal::new("store", "remove")
        .named("store")
        .from(&["entra"]);
    let mut settings = Settings::new(vec![source], vec![portal]);
    settings.safety = "max_deactivations = 2".to_owned();
    World::small(settings)
}

fn told_by(world: &World, notify: &str) -> Served {
    let served = Served::with(world, &format!("{SERVER}\n[notify]\n{notify}"));
    served.sync(json!({ "full": true }));
    served
}

/// A command that keeps every message, and the file where it does.
fn keeping(world: &World) -> (String, PathBuf) {
    let file = world.home.path().join("messages");
    let script = format!("cat >> '{0}'; echo >> '{0}'", file.display());
    (format!("command = [\"sh\", \"-c\", {script:?}]"), file)
}

fn messages(file: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written.
    let whole = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    whole.collect()
}

fn events(file: &PathBuf) -> Vec<String> {
    let messages = messages(file);
    messages.iter().map(|one| text(&one["event"])).collect()
}

#[track_caller]
fn are_told(served: &Served, file: &PathBuf, expected: &[&str]) {
    served.wait_for(&format!("{expected:?}"), |_| {
        (events(file) == expected).then_some(())
    });
}

/// A webhook that refuses the first message it gets, and passes on what it takes.
fn webhook() -> (String, Receiver<Posted>) {
    let (base, taken) = receiver(|count| if count == 0 { "503 Busy" } else { "200 OK" });
    (format!("{base}/hook?key=secret"), taken)
}

/// More leave than may.
fn many_leave(world: &World) {
    for position in 14..20 {
        let path = format!("graph/users/{}", world.entra_user(position));
        world.control("PATCH", &path, json!({ "accountEnabled": false }));
    }
}

#[test]
fn a_held_run_is_told_once_by_every_way() {
    let world = world();
    let (url, taken) = webhook();
    let (command, file) = keeping(&world);
    let notify = format!("url = {url:?}\n{command}");
    let served = told_by(&world, &notify);
    many_leave(&world);
    let held = served.sync(json!({}));
    assert_eq!(held["status"], "held", "{held:#}");
    are_told(&served, &file, &["run_held"]);
    let message = messages(&file).remove(0);
    assert_eq!(message["run"], held["run"]);
    assert_eq!(message["limits"][0]["limit"], "max_deactivations");
    assert!(!message.to_string().contains('@'), "{message}");
    let posted = taken
        .recv_timeout(PATIENCE)
        .expect("a message is posted")
        .body;
    assert_eq!(posted, message);
    // The same plan in a later run, and after a restart, is no news.
    assert_eq!(served.sync(json!({}))["run"], held["run"]);
    assert_eq!(served.stop(), 0);
    let served = told_by(&world, &notify);
    let run = text(&held["run"]);
    served
        .call("POST", &format!("/api/v1/runs/{run}/approve"), None)
        .is(200);
    many_return(&world);
    served.sync(json!({}));
    many_leave(&world);
    assert_eq!(served.sync(json!({}))["status"], "held");
    are_told(&served, &file, &["run_held", "run_held"]);
    assert!(!served.service.log().contains("key=secret"));
}

fn many_return(world: &World) {
    for position in 14..20 {
        let path = format!("graph/users/{}", world.entra_user(position));
        world.control("PATCH", &path, json!({ "accountEnabled": true }));
    }
}

#[test]
fn a_source_that_is_quarantined_is_told_and_when_it_is_back() {
    let world = world();
    let (command, file) = keeping(&world);
    let served = told_by(&world, &command);
    let refuse = json!({ "path": "/v1.0/*", "kind": "status", "status": 403 });
    world.control("POST", "faults", refuse);
    for failures in 1..=6 {
        served.service.signal("USR1");
        served.wait_for("a failure", |served| {
            let status = served.get("/api/v1/status").json();
            (status["sources"]["entra"]["failures"] == failures).then_some(())
        });
    }
    are_told(&served, &file, &["source_quarantined"]);
    assert_eq!(messages(&file)[0]["source"], "entra");
    assert_eq!(messages(&file)[0]["failures"], 5);
    world.control("DELETE", "faults", json!(null));
    served.service.signal("USR1");
    are_told(&served, &file, &["source_quarantined", "source_back"]);
}

#[test]
fn a_sync_that_is_overdue_is_told_and_when_it_is_back() {
    let world = world();
    let (command, file) = keeping(&world);
    let served = told_by(&world, &format!("{command}\noverdue_after = \"2s\""));
    are_told(&served, &file, &["sync_overdue"]);
    served.service.signal("USR1");
    served.wait_for("it is back", |_| {
        (events(&file).get(1)? == "sync_back").then_some(())
    });
}

#[test]
fn a_command_that_hangs_holds_nothing_up_and_one_that_fails_is_given_up() {
    let world = world();
    let tries = world.home.path().join("tries");
    let script = format!("echo >> '{}'; exit 1", tries.display());
    let served = told_by(&world, &format!("command = [\"sh\", \"-c\", {script:?}]"));
    many_leave(&world);
    served.sync(json!({}));
    served.service.says("nobody was told of RunHeld");
    let tries = std::fs::read_to_string(&tries).expect("it was tried");
    assert_eq!(tries.lines().count(), 4);
    assert_eq!(served.stop(), 0);

    let world = self::world();
    let begun = world.home.path().join("begun");
    let script = format!("echo > '{}'; exec sleep 1000", begun.display());
    let served = told_by(&world, &format!("command = [\"sh\", \"-c\", {script:?}]"));
    many_leave(&world);
    served.sync(json!({}));
    served.wait_for("the command", |_| begun.exists().then_some(()));
    served.sync(json!({}));
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_webhook_that_is_no_address_is_refused_at_the_start() {
    let world = world();
    let (code, said) = crate::served::refused(
        &world,
        &format!("{SERVER}\n[notify]\nurl = \"http://chat.test/key\""),
    );
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("'notify.url' must begin with https://"),
        "{said}"
    );
    assert!(!said.contains("chat.test"), "{said}");
}
