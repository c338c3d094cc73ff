//! The other commands: devices, backups, explanations, history, help.

use serde_json::{Value, json};

use crate::settings::{Portal, Settings, Source};
use crate::world::{World, deeds, text};

const MDM: [&str; 5] = [
    "nothing",
    "unassign_devices",
    "change_policy",
    "remove_user",
    "remove_user_and_devices",
];

fn mdm() -> World {
    let portals = MDM.map(|way| Portal::new("mdm", way).named(way).from(&["entra"]));
    let world = World::small(Settings::new(vec![Source::entra()], portals.to_vec()));
    world.sync(&[]);
    world
}

fn key_of(world: &World, position: usize) -> String {
    text(&world.sim.graph_truth()["users"][position]["mail"]).to_lowercase()
}

#[track_caller]
fn device(world: &World, portal: &str, id: &str) -> Option<Value> {
    let all = world.json(&["export", "devices", "--portal", portal]);
    let listed = world.json(&["device", "list", "--portal", portal, "--format", "json"]);
    assert_eq!(all, listed);
    let all = all.as_array().expect("a list").iter();
    all.clone().find(|device| device["id"] == id).cloned()
}

#[test]
fn devices_go_the_way_the_portal_says() {
    let world = mdm();
    let (key, other) = (key_of(&world, 17), key_of(&world, 18));
    for portal in MDM {
        for (id, whose) in [("phone", &key), ("tablet", &key), ("spare", &other)] {
            let set = [
                "device", "set", id, "--portal", portal, "--name", "A device",
            ];
            let to = ["--assigned-to", &whose.to_uppercase()];
            world.run(&[&set[..], &to].concat()).ends_with(0);
        }
        world
            .run(&["policy", "set", "Field", "--portal", portal])
            .ends_with(0);
        let set = [
            "device", "set", "phone", "--portal", portal, "--policy", "Field",
        ];
        world.run(&set).ends_with(0);
        let wanted = json!({"id": "phone", "name": "A device", "assigned_to": key,
            "policy": "Field"});
        assert_eq!(device(&world, portal, "phone"), Some(wanted), "{portal}");
    }
    let policies = [
        "policy",
        "list",
        "--portal",
        "change_policy",
        "--format",
        "json",
    ];
    let names = json!([{"name": "Field"}, {"name": "Quarantine"}]);
    assert_eq!(
        world.json(&policies),
        names,
        "a policy of the settings is there from the start"
    );
    world.quiet();

    let user = world.entra_user(17);
    let enable = |enabled: bool| {
        let change = json!({"accountEnabled": enabled});
        world.sim.patch_user(&user, change).expect("a change");
    };
    enable(false);
    let plan = world.sync(&[]);
    let wanted = [
        "change_policy change_device_policy",
        "change_policy change_device_policy",
        "remove_user unassign_devices",
        "remove_user unassign_devices",
        "remove_user remove_account",
        "remove_user_and_devices remove_devices",
        "remove_user_and_devices remove_devices",
        "remove_user_and_devices remove_account",
        "unassign_devices unassign_devices",
        "unassign_devices unassign_devices",
    ];
    let wanted: Vec<String> = wanted.iter().map(|deed| format!("{deed} {key}")).collect();
    let mut done = deeds(&plan);
    // Who departed is in no pushed group.
    done.retain(|deed| !deed.contains(" remove_members "));
    assert_eq!(done, wanted);
    let departed = plan["departed"].as_array().expect("a list");
    assert_eq!(departed.len(), 3, "{departed:?}");
    assert!(
        departed.iter().all(|one| one["cause"] == "disabled"),
        "{departed:?}"
    );
    let at = |portal: &str, id: &str| {
        device(&world, portal, id)
            .map(|found| (found["assigned_to"].clone(), found["policy"].clone()))
    };
    let (whose, field) = (json!(key), json!("Field"));
    assert_eq!(at("nothing", "phone"), Some((whose.clone(), field.clone())));
    assert_eq!(
        at("unassign_devices", "phone"),
        Some((Value::Null, field.clone()))
    );
    assert_eq!(
        at("change_policy", "phone"),
        Some((whose.clone(), json!("Quarantine")))
    );
    assert_eq!(
        at("change_policy", "tablet"),
        Some((whose, json!("Quarantine")))
    );
    assert_eq!(at("remove_user", "phone"), Some((Value::Null, field)));
    assert_eq!(at("remove_user_and_devices", "phone"), None);
    for portal in MDM {
        let spare = at(portal, "spare").expect("nobody touches the device of another");
        assert_eq!(spare, (json!(other), Value::Null), "{portal}");
    }
    world.quiet();

    // On return what was let go of stays so.
    let before = world.exports();
    enable(true);
    let plan = world.sync(&[]);
    let returned: Vec<String> = plan["returned"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| text(&one["portal"]))
        .collect();
    assert_eq!(returned, ["change_policy", "nothing", "unassign_devices"]);
    for portal in MDM {
        let devices = format!("{portal} devices");
        assert_eq!(world.exports()[&devices], before[&devices]);
    }
    world.quiet();
}

#[test]
fn devices_and_policies_are_refused_where_they_make_no_sense() {
    let world = mdm();
    let portal = "change_policy";
    for (arguments, code, word) in [
        (
            &[
                "device",
                "set",
                "x",
                "--portal",
                portal,
                "--assigned-to",
                "nobody@x",
            ][..],
            1,
            "nobody@x",
        ),
        (
            &["device", "set", "x", "--portal", portal, "--policy", "None"],
            1,
            "None",
        ),
        (&["device", "remove", "x", "--portal", portal], 1, "'x'"),
        (&["policy", "remove", "None", "--portal", portal], 1, "None"),
        (
            &["policy", "remove", "Quarantine", "--portal", portal],
            1,
            "Quarantine",
        ),
        (&["device", "list", "--portal", "none"], 2, "none"),
    ] {
        let said = world.run(arguments).ends_with(code);
        assert_eq!(said.err.lines().count(), 1, "{arguments:?}: {}", said.err);
        assert!(said.err.contains(word), "{arguments:?}: {}", said.err);
    }
    world
        .run(&["device", "set", "x", "--portal", portal])
        .ends_with(0);
    world
        .run(&["device", "remove", "x", "--portal", portal])
        .ends_with(0);
    world
        .run(&["policy", "set", "Field", "--portal", portal])
        .ends_with(0);
    world
        .run(&["policy", "remove", "Field", "--portal", portal])
        .ends_with(0);
    assert_eq!(device(&world, portal, "x"), None);
}

fn company() -> World {
    let portals = vec![
        Portal::new("store", "remove").named("store"),
        Portal::new("dashboard", "remove").named("dashboard"),
        Portal::new("mdm", "change_policy").named("mdm"),
    ];
    let world = World::small(Settings::new(
        vec![Source::entra(), Source::okta()],
        portals,
    ));
    world.sync(&[]);
    world
}

#[test]
fn a_backup_restored_elsewhere_goes_on_where_it_was() {
    let mut world = company();
    let key = key_of(&world, 17);
    let set = [
        "device",
        "set",
        "phone",
        "--portal",
        "mdm",
        "--assigned-to",
        &key,
    ];
    world.run(&set).ends_with(0);
    let before = world.exports();
    let file = world.home.path().join("backup");
    let file = file.to_str().expect("a path in UTF-8").to_owned();
    world.run(&["backup", &file]).ends_with(0);
    // Only into an empty store.
    let said = world.run(&["restore", &file]).ends_with(1);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert_eq!(world.exports(), before);

    let old = std::mem::replace(&mut world.home, tempfile::tempdir().expect("a directory"));
    world.rewrite();
    world.run(&["restore", &file]).ends_with(0);
    assert_eq!(world.exports(), before);
    world.sim.reset_stats();
    world.quiet();
    assert_eq!(world.exports(), before);

    // One byte is enough to tell that a file is not what was written.
    let mut bytes = std::fs::read(&file).expect("the backup is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let bad = old.path().join("bad");
    for (what, bytes) in [
        ("flipped", &bytes[..]),
        ("cut", &bytes[..middle]),
        ("empty", &[]),
    ] {
        std::fs::write(&bad, bytes).expect("a file");
        world.home = tempfile::tempdir().expect("a directory");
        world.rewrite();
        let said = world
            .run(&["restore", bad.to_str().expect("a path in UTF-8")])
            .ends_with(1);
        assert_eq!(said.err.lines().count(), 1, "{what}: {}", said.err);
    }
}

#[test]
fn explain_says_why_somebody_has_what_they_have() {
    let world = company();
    let key = key_of(&world, 1);
    let why = world.json(&["explain", &key.to_uppercase(), "--format", "json"]);
    let user = &why["users"][0];
    assert_eq!(user["id"], *world.entra_user(1), "{why:#}");
    let portal = &user["portals"]["dashboard"];
    assert_eq!(portal["role"], "admin", "{why:#}");
    assert_eq!(portal["role_groups"], json!(["applivery-admin"]), "{why:#}");
    assert_eq!(portal["last_action"]["op"], "create_account", "{why:#}");
    let by_id = world.json(&["explain", &world.entra_user(1), "--format", "json"]);
    assert_eq!(by_id["users"], why["users"]);

    let out_of_scope = world.json(&["explain", &key_of(&world, 3), "--format", "json"]);
    let portal = &out_of_scope["users"][0]["portals"]["store"];
    assert_eq!(
        (&portal["present"], &portal["account"]),
        (&json!(false), &json!(false))
    );
    assert!(portal["reason"].as_str().is_some_and(|why| !why.is_empty()));

    let said = world
        .run(&["explain", &key, "--portal", "store"])
        .ends_with(0);
    assert!(
        said.out.contains("store") && !said.out.contains("dashboard"),
        "{}",
        said.out
    );
    let said = world.run(&["explain", "nobody@nowhere"]).ends_with(1);
    assert!(said.err.contains("nobody@nowhere"), "{}", said.err);
    world
        .run(&["explain", &key, "--portal", "none"])
        .ends_with(2);
}

#[test]
fn status_tells_of_every_source_and_runs_of_every_run() {
    let world = company();
    let truth = world.sim.graph_truth();
    let status = world.json(&["status", "--format", "json"]);
    for source in ["entra", "okta"] {
        let source = &status["sources"][source];
        assert_eq!(source["failures"], 0, "{status:#}");
        assert_eq!(source["last_error"], Value::Null, "{status:#}");
        for when in ["last_run", "last_complete", "last_full"] {
            assert!(source[when].is_string(), "{when}: {status:#}");
        }
    }
    let users = truth["users"].as_array().expect("a list").len();
    assert_eq!(status["sources"]["entra"]["users"], users, "{status:#}");
    let rule = json!([{"path": "/v1.0/*", "kind": "status", "status": 403}]);
    world.sim.faults(rule).expect("a rule");
    world.run(&["sync", "--source", "entra"]).ends_with(1);
    let status = world.json(&["status", "--format", "json"]);
    assert_eq!(status["sources"]["entra"]["failures"], 1, "{status:#}");
    assert!(
        status["sources"]["entra"]["last_error"].is_string(),
        "{status:#}"
    );
    assert_eq!(status["sources"]["okta"]["failures"], 0, "{status:#}");
    let said = world.run(&["status"]).ends_with(0);
    assert!(
        said.out.contains("entra") && said.out.contains("okta"),
        "{}",
        said.out
    );
    world.sim.clear_faults();

    let plan = world.sync(&[]);
    let runs = world.json(&["runs", "--format", "json"]);
    let runs = runs.as_array().expect("a list");
    assert_eq!(runs[0]["run"], plan["run"], "the newest first");
    let first = text(&runs[runs.len() - 1]["run"]);
    let kept = world.json(&["runs", &first, "--format", "json"]);
    assert_eq!(kept["summary"], runs[runs.len() - 1]["summary"]);
    for action in kept["actions"].as_array().expect("a list") {
        assert_eq!(action["outcome"]["status"], "done", "{action:#}");
    }
    let said = world.run(&["runs"]).ends_with(0);
    assert!(said.out.contains(&first), "{}", said.out);
    world.run(&["runs", "none"]).ends_with(1);
}

#[test]
fn exports_are_in_order_and_hold_what_was_promised() {
    let world = company();
    let keys = |rows: &Value, name: &str| -> Vec<String> {
        rows.as_array()
            .expect("a list")
            .iter()
            .map(|row| text(&row[name]))
            .collect()
    };
    let accounts = world.accounts("dashboard");
    let found = keys(&accounts, "key");
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    let names: Vec<&String> = accounts[0].as_object().expect("an object").keys().collect();
    let wanted = [
        "active",
        "attributes",
        "departed",
        "displayName",
        "email",
        "groups",
        "key",
        "metadata",
        "name",
        "role",
        "source",
        "source_id",
        "userName",
    ];
    assert_eq!(names, wanted);
    let groups = keys(&world.groups("dashboard"), "displayName");
    let mut sorted = groups.clone();
    sorted.sort();
    assert_eq!(groups, sorted);
    let users = world.json(&["export", "users", "--source", "okta"]);
    let truth = world.sim.okta_truth();
    assert_eq!(
        users.as_array().expect("a list").len(),
        truth["users"].as_array().expect("a list").len()
    );
    let groups = world.json(&["export", "groups", "--source", "entra"]);
    let ring = world.entra_group("Ring A");
    let ring = groups
        .as_array()
        .expect("a list")
        .iter()
        .find(|group| group["id"] == *ring);
    let inner = json!({"kind": "group", "id": world.entra_group("Ring C")});
    let members = ring.expect("the ring is there")["members"]
        .as_array()
        .expect("a list");
    assert!(members.contains(&inner), "{members:?}");
    for arguments in [
        &["export", "users"][..],
        &["export", "accounts"],
        &["export", "users", "--portal", "store"],
        &["export", "accounts", "--portal", "none"],
        &["export", "users", "--source", "none"],
        &["export", "users", "--source", "okta", "--portal", "store"],
    ] {
        world.run(arguments).ends_with(2);
    }
    let said = world.run(&[
        "export", "accounts", "--portal", "store", "--format", "text",
    ]);
    assert!(said.ends_with(0).out.lines().count() > sorted.len());
}

#[test]
fn check_says_that_all_is_well_or_what_is_not() {
    let world = company();
    let said = world.run(&["check"]).ends_with(0);
    for about in ["settings", "source entra", "source okta", "target local"] {
        assert!(
            said.out.contains(&format!("ok    {about}:")),
            "{}",
            said.out
        );
    }
    world
        .sim
        .settings(
            json!({"graph_permissions": ["User.Read.All", "Application.Read.All"],
            "okta_scopes": []}),
        )
        .expect("settings");
    let said = world.run(&["check"]).ends_with(1);
    assert!(said.out.contains("GroupMember.Read.All"), "{}", said.out);
    let found = world
        .run(&["check", "--format", "json"])
        .ends_with(1)
        .json();
    assert_eq!(found["ok"], false);
}

#[test]
fn settings_are_shown_without_secrets_and_with_where_they_are_from() {
    let world = company();
    let said = world.run(&["config", "show"]).ends_with(0);
    assert!(said.out.contains("rosterd.toml"), "{}", said.out);
    assert!(said.out.contains("client_secret"), "{}", said.out);
    let found = world.json(&["config", "show", "--format", "json"]);
    assert!(found.to_string().contains("sim-client"));
}

#[test]
fn settings_files_before_and_after_the_command_all_count_the_later_first() {
    let world = company();
    let more = |name: &str, text: &str| {
        let file = world.config().with_file_name(name);
        std::fs::write(&file, text).expect("a settings file");
        file.display().to_string()
    };
    let second = more("second.toml", "[history]\nkeep = \"11d\"\n");
    let third = more(
        "third.toml",
        "[history]\nkeep = \"12d\"\n[audit]\nkeep = \"13d\"\n",
    );
    let typed = ["config", "-c", &second, "show", "-c", &third];
    let said = world.run(&typed).ends_with(0);
    for part in ["sim-client", "12d", "13d"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let typed = ["config", "-c", &third, "show", "-c", &second];
    assert!(world.run(&typed).ends_with(0).out.contains("11d"));
}

#[test]
fn help_completions_and_the_manual_page_are_there_without_settings() {
    let nowhere = std::path::Path::new("/nowhere/rosterd.toml");
    let run = |arguments: &[&str]| {
        let output = crate::world::command(nowhere, arguments)
            .output()
            .expect("rosterd starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    };
    for command in [
        "sync",
        "plan",
        "approve",
        "explain",
        "backup",
        "completions",
    ] {
        assert!(run(&["--help"]).contains(command), "{command}");
        assert!(run(&[command, "--help"]).contains("Usage"), "{command}");
        assert!(run(&["man"]).contains(command), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert!(
            script.contains("rosterd") && script.contains("approve"),
            "{shell}"
        );
    }
    assert!(run(&["man"]).starts_with(".ie") || run(&["man"]).contains(".TH"));
    assert!(run(&["--version"]).starts_with("rosterd "));
}
