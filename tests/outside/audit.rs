//! What is kept of past runs, for how long, and that nobody can change it unseen.

use serde_json::{Value, json};

use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

fn world() -> World {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec!["entra"];
    let world = World::small(Settings::new(vec![Source::entra()], vec![portal]));
    world.sync(&[]);
    world
}

fn verdict(world: &World, code: i32) -> Value {
    let said = world.run(&["audit", "verify", "--format", "json"]);
    said.ends_with(code).json()
}

fn log(world: &World) -> std::path::PathBuf {
    world.state().join("audit/000000000001.jsonl")
}

#[test]
fn what_acted_or_was_held_is_in_the_audit_log_and_quiet_runs_are_not() {
    let mut world = world();
    world.quiet();
    assert_eq!(verdict(&world, 0)["lines"], 1);
    world.settings.safety = "max_deactivations = 0\n".to_owned();
    world.rewrite();
    let user = world.entra_user(17);
    let change = json!({"accountEnabled": false});
    world.sim.patch_user(&user, change).expect("a change");
    let plan = world.run(&["sync", "--format", "json"]).ends_with(4).json();
    world.run(&["sync"]).ends_with(4);
    let run = text(&plan["run"]);
    world.json(&["approve", &run, "--format", "json"]);
    let verdict = verdict(&world, 0);
    assert_eq!(
        verdict,
        json!({"whole": true, "lines": 3, "first": 1, "last": 3, "plans": 2, "faults": []}),
        "the held plan has made way for what was done"
    );
    let lines = std::fs::read_to_string(log(&world)).expect("the log");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let said: Vec<[&Value; 3]> = lines
        .iter()
        .map(|line| [&line["event"], &line["command"], &line["status"]])
        .collect();
    assert_eq!(
        json!(said),
        json!([
            ["run", "sync", "applied"],
            ["run", "sync", "held"],
            ["run", "approve", "applied"]
        ])
    );
    assert_eq!(lines[2]["run"], *run);
    assert_eq!(lines[2]["summary"]["store"]["remove_account"], 1);
}

#[test]
fn devices_and_policies_that_somebody_sets_are_in_the_audit_log_but_not_whose_they_are() {
    let mut portal = Portal::new("mdm", "unassign_devices").named("mdm");
    portal.sources = vec!["entra"];
    let world = World::small(Settings::new(vec![Source::entra()], vec![portal]));
    world.sync(&[]);
    let accounts = world.json(&["export", "accounts", "--portal", "mdm"]);
    let key = text(&accounts[0]["key"]);
    world.run(&["policy", "set", "Field", "--portal", "mdm"]);
    let set = [
        "device", "set", "phone", "--portal", "mdm", "--policy", "Field",
    ];
    let assigned = [&set[..], &["--assigned-to", &key]].concat();
    world.run(&assigned).ends_with(0);
    world.run(&[
        "device", "set", "phone", "--portal", "mdm", "--policy", "None",
    ]);
    world.run(&["device", "remove", "phone", "--portal", "mdm"]);
    let whole = std::fs::read_to_string(log(&world)).expect("the log");
    let events: Vec<String> = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .map(|line| text(&line["event"]))
        .collect();
    assert_eq!(
        events,
        ["run", "set_policy", "set_device", "remove_device"],
        "what was refused is not there"
    );
    assert!(!whole.contains(&key));
    assert_eq!(verdict(&world, 0)["lines"], 4);
}

#[test]
fn a_changed_log_or_plan_is_noticed() {
    let world = world();
    let whole = std::fs::read_to_string(log(&world)).expect("the log");
    let changed = whole.replace("\"applied\"", "\"planned\"");
    assert_ne!(whole, changed);
    std::fs::write(log(&world), changed).expect("the log");
    let said = verdict(&world, 1);
    assert_eq!(said["whole"], false, "{said:#}");
    std::fs::write(log(&world), &whole).expect("the log");
    verdict(&world, 0);

    let plans = world.state().join("runs");
    let plan = std::fs::read_dir(plans).expect("the plans").next();
    let plan = plan.expect("one").expect("a file").path();
    std::fs::write(&plan, "something else").expect("the plan");
    let said = verdict(&world, 1);
    assert!(text(&said["faults"][0]).contains("was changed"), "{said:#}");

    std::fs::remove_dir_all(world.state().join("audit")).expect("the log");
    let said = verdict(&world, 1);
    assert!(text(&said["faults"][0]).contains("missing"), "{said:#}");
}
