//! Commands while the daemon holds the store: the same words as without it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::service::{Service, wait_for_runs};
use crate::settings::{Portal, Settings, Source};
use crate::world::{Said, World, text};

fn settings() -> Settings {
    let rarely = |source: Source| source.with("schedule = \"1h\"\njitter = \"0s\"");
    let mut dashboard = Portal::new("dashboard", "remove");
    dashboard.default_role = Some("viewer");
    let mdm = Portal::new("mdm", "change_policy");
    Settings::new(
        vec![rarely(Source::entra()), rarely(Source::okta())],
        vec![Portal::new("store", "remove"), dashboard, mdm],
    )
}

/// What differs from run to run: ids, times, and how far the store grew.
fn timeless(value: &mut Value) {
    const TIMES: [&str; 9] = [
        "run",
        "created_at",
        "last_run",
        "last_complete",
        "last_full",
        "cursor_age_seconds",
        "next_run",
        "store_bytes",
        "requests",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !TIMES.contains(&name.as_str()));
            fields.values_mut().for_each(timeless);
        }
        Value::Array(all) => all.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// Everything that reads, and what it says.
fn everything(world: &World) -> Vec<(String, i32, Value)> {
    world.sync(&[]);
    let key = text(&world.sim.graph_truth()["users"][17]["mail"]).to_lowercase();
    let newest = text(&world.json(&["runs", "--format", "json"])[0]["run"]);
    let mut commands = vec![
        vec!["status"],
        vec!["runs"],
        vec!["runs", &newest],
        vec!["explain", &key],
        vec!["plan"],
        vec!["plan", "--full"],
        vec!["sync", "--dry-run"],
        vec!["sync", "--dry-run", "--user", &key],
        vec!["sync"],
        vec!["check"],
        vec!["device", "list", "--portal", "mdm-change_policy"],
        vec!["policy", "list", "--portal", "mdm-change_policy"],
        vec!["export", "devices", "--portal", "mdm-change_policy"],
        vec!["explain", "nobody@nowhere"],
        vec!["runs", "nothing"],
        vec!["approve", "nothing"],
    ];
    for what in ["users", "groups"] {
        commands.push(vec!["export", what, "--source", "entra"]);
    }
    for what in ["accounts", "groups"] {
        commands.push(vec!["export", what, "--portal", "store-remove"]);
        commands.push(vec![
            "export",
            what,
            "--portal",
            "store-remove",
            "--from-target",
        ]);
    }
    commands
        .into_iter()
        .map(|mut command| {
            command.extend(["--format", "json"]);
            let said = world.run(&command);
            let mut out = match said.out.is_empty() {
                true => json!(said.err),
                false => said.json(),
            };
            timeless(&mut out);
            // The run that `sync` makes is one more each time.
            if command[0] == "runs" && command[1] == "--format" {
                out = out[0].clone();
            }
            let command = command.join(" ").replace(&newest, "RUN");
            (command, said.code, out)
        })
        .collect()
}

#[test]
fn every_command_says_the_same_with_and_without_it() {
    let world = World::small(settings());
    world.sync(&[]);
    let portal = ["--portal", "mdm-change_policy"];
    let set = ["device", "set", "phone", "--name", "Phone"];
    world.run(&[&set[..], &portal].concat()).ends_with(0);
    world.sync(&[]);
    let without = everything(&world);
    let service = Service::start(&world);
    wait_for_runs(&world, 5);
    let with = everything(&world);
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without);
    }
    service.stop();
    assert_eq!(everything(&world), without);
}

#[test]
fn what_commands_write_through_it_is_there_afterwards() {
    let world = World::small(settings());
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    let portal = ["--portal", "mdm-change_policy"];
    let run = |words: &[&str]| world.run(&[words, &portal].concat()).ends_with(0);
    run(&["policy", "set", "Field"]);
    run(&["device", "set", "phone", "--policy", "Field"]);
    run(&["device", "set", "gone"]);
    run(&["device", "remove", "gone"]);
    let list = [&["device", "list", "--format", "json"][..], &portal].concat();
    let devices = world.json(&list);
    let phone = json!([{"id": "phone", "name": "phone", "assigned_to": null, "policy": "Field"}]);
    assert_eq!(devices, phone);
    let backup = |name: &str| {
        let file = world.home.path().join(name);
        world.run(&["backup", &file.to_string_lossy()]).ends_with(0);
        std::fs::read(&file).expect("a backup")
    };
    let with = backup("with");
    service.stop();
    assert_eq!(world.json(&list), devices);
    assert!(with == backup("without"), "the backups differ");
}

#[test]
fn plans_are_saved_held_approved_and_applied_through_it() {
    let mut settings = settings();
    settings.safety = "max_deactivations = 0\n".to_owned();
    let world = World::small(settings);
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    let file = world.home.path().join("plan.json");
    let file = file.to_string_lossy();
    let body = json!({"jobTitle": "Planned"});
    let user = world.entra_user(17);
    world.sim.patch_user(&user, body).expect("a change");
    world.run(&["plan", "--out", &file]).ends_with(0);
    let applied = world
        .run(&["apply", &file, "--format", "json"])
        .ends_with(0);
    assert_eq!(applied.json()["status"], "applied");
    let moved = world.run(&["apply", &file]).ends_with(1);
    assert!(moved.err.contains("nothing was applied"), "{}", moved.err);
    let body = json!({"accountEnabled": false});
    for position in 10..17 {
        let user = world.entra_user(position);
        world.sim.patch_user(&user, body.clone()).expect("a change");
    }
    let held = world.run(&["sync", "--format", "json"]).ends_with(4).json();
    let run = text(&held["run"]);
    let approved = world
        .run(&["approve", &run, "--format", "json"])
        .ends_with(0);
    assert_eq!(approved.json()["run"], run);
    world.run(&["approve", &run]).ends_with(1);
    service.stop();
    world.quiet();
}

#[test]
fn one_person_is_provisioned_at_once() {
    let world = World::small(settings());
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    let body = json!({"displayName": "Ada", "userPrincipalName": "ada@contoso.com",
        "mail": "ada@contoso.com", "accountEnabled": true});
    let user = world.sim.create_user(body).expect("a user is made");
    world.sim.assign(&text(&user["id"])).expect("an assignment");
    let plan = world.sync(&["--source", "entra", "--user", "ada@contoso.com"]);
    assert_eq!(plan["mode"], "on_demand");
    assert!(world.account("store-remove", "ada@contoso.com").is_some());
    service.stop();
}

#[test]
fn beside_it_commands_need_no_secrets_of_their_own() {
    let world = World::small(settings());
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    for words in [&["check"][..], &["sync"], &["plan"], &["status"]] {
        let mut command = world.command(words);
        command
            .env_remove("SIM_SECRET")
            .env_remove("SIM_OKTA_TOKEN");
        Said::from(command.output().expect("rosterd starts")).ends_with(0);
    }
    service.stop();
    let mut alone = world.command(&["sync"]);
    alone.env_remove("SIM_SECRET");
    Said::from(alone.output().expect("rosterd starts")).ends_with(2);
}

#[test]
fn only_its_own_user_may_talk_to_it_and_nonsense_does_no_harm() {
    use std::io::{Read, Write};
    let world = World::small(settings());
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    let socket = world.state().join("control.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    for nonsense in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 64],
        [4_u32.to_le_bytes().to_vec(), vec![0xff; 4]].concat(),
    ] {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.write_all(&nonsense).expect("it can be said");
        stream.shutdown(std::net::Shutdown::Write).expect("an end");
        let mut answer = Vec::new();
        // It may hang up before it has heard everything.
        stream.read_to_end(&mut answer).ok();
        assert!(answer.is_empty(), "{answer:?}");
    }
    let idle: Vec<_> = (0..50)
        .map(|_| UnixStream::connect(&socket).expect("it listens"))
        .collect();
    assert_eq!(world.sync(&[])["actions"], json!([]));
    drop(idle);
    service.stop();
}

#[test]
fn a_second_daemon_and_a_restore_are_refused() {
    let world = World::small(settings());
    let service = Service::start(&world);
    wait_for_runs(&world, 1);
    let file = world.home.path().join("backup");
    let file = file.to_string_lossy();
    world.run(&["backup", &file]).ends_with(0);
    let refused = |said: Said| {
        let said = said.ends_with(1);
        assert!(said.err.contains("holds the store"), "{}", said.err);
    };
    refused(world.run(&["restore", &file]));
    refused(world.run(&["run"]));
    assert_eq!(world.sync(&[])["actions"], json!([]));
    service.stop();
}

#[test]
fn the_socket_lies_in_the_runtime_directory_where_there_is_one() {
    let world = World::small(settings());
    let runtime = world.home.path().join("runtime");
    std::fs::create_dir(&runtime).expect("a folder");
    let service = Service::start_with(&world, |command| {
        command.env("RUNTIME_DIRECTORY", &runtime);
    });
    wait_for_runs(&world, 1);
    assert!(runtime.join("control.sock").exists());
    assert!(!world.state().join("control.sock").exists());
    service.stop();
    assert!(!runtime.join("control.sock").exists());
}
