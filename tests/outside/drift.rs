//! What somebody else changed in a target: told by attribute, mended, and mended by full runs.

use serde_json::{Value, json};

use crate::service::Service;
use crate::targets_applivery::{
    begin, change, elsewhere, group, hire, mdm, portal, quiet, there, user, writes,
};
use crate::world::{World, text};

/// Three people and a group at Applivery, as they are to be.
fn applied() -> (World, Vec<String>) {
    let board = portal("board", "dashboard", "role_updates = \"continuous\"");
    let world = begin("", &(mdm("") + &board));
    let people: Vec<String> = ["ana", "bo", "cy"]
        .map(|name| hire(&world, name))
        .into_iter()
        .collect();
    group(&world, "Devs", &[&people[0], &people[1]]);
    group(&world, "applivery-editor", &[&people[0]]);
    world.sync(&[]);
    (world, people)
}

/// Somebody else has been there.
fn disturb(world: &World) {
    let metadata = json!({"department": "Bridge", "seat": "7"});
    let body = json!({"name": "Captain", "metadata": metadata, "language": "es"});
    elsewhere(world, "PATCH", "users/ana@acme.test", body);
    elsewhere(
        world,
        "PATCH",
        "users/bo@acme.test",
        json!({"tags": ["vip"]}),
    );
    elsewhere(
        world,
        "PATCH",
        "users/cy@acme.test",
        json!({"tags": ["Devs"]}),
    );
    elsewhere(
        world,
        "POST",
        "users",
        json!({"email": "mallory@acme.test", "tags": ["Devs"]}),
    );
    elsewhere(
        world,
        "PATCH",
        "collaborators/bo@acme.test",
        json!({"role": "admin"}),
    );
}

fn drift(world: &World, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["drift", "--format", "json"], arguments].concat();
    world.run(&arguments).ends_with(code).json()
}

/// `key attribute held applied` of each attribute that differs.
fn differing(found: &Value, portal: &str) -> Vec<String> {
    let accounts = found["portals"][portal]["accounts"]
        .as_array()
        .expect("a list");
    let mut lines = Vec::new();
    for account in accounts {
        let key = text(&account["key"]);
        if account["missing"] == true {
            lines.push(format!("{key} missing"));
        }
        for one in account["differs"].as_array().expect("a list") {
            let attribute = text(&one["attribute"]);
            lines.push(format!(
                "{key} {attribute} {} {}",
                one["held"], one["applied"]
            ));
        }
    }
    lines
}

#[test]
fn drift_is_told_by_attribute_and_mended_and_then_there_is_none() {
    let (world, _) = applied();
    let calm = drift(&world, &[], 0);
    assert_eq!(calm["drift"], false, "{calm:#}");
    disturb(&world);
    world.sim.reset_stats();
    let found = drift(&world, &[], 5);
    assert_eq!(writes(&world), 0);
    assert_eq!(
        differing(&found, "mdm"),
        [
            r#"ana@acme.test displayName "Captain" "ana Ruiz""#,
            r#"ana@acme.test metadata.department "Bridge" "Sales""#,
            r#"ana@acme.test metadata.plan null "gold""#,
        ]
    );
    let groups = &found["portals"]["mdm"]["groups"];
    assert_eq!(groups.as_array().expect("a list").len(), 1, "{groups:#}");
    assert_eq!(groups[0]["display_name"], "Devs");
    assert_eq!(groups[0]["members_missing"], json!(["bo@acme.test"]));
    assert_eq!(groups[0]["members_too_many"], json!(["cy@acme.test"]));
    let not_ours = &found["portals"]["mdm"]["not_ours"]["accounts"];
    assert_eq!(*not_ours, json!(["mallory@acme.test"]));
    assert_eq!(
        differing(&found, "board"),
        [r#"bo@acme.test role "admin" null"#]
    );
    let only = drift(&world, &["--portal", "board"], 5);
    assert_eq!(only["portals"].as_object().expect("portals").len(), 1);

    let mended = drift(&world, &["--repair"], 0);
    assert_eq!(mended["repair"]["status"], "applied", "{mended:#}");
    // Ana in one request, a tag given and one taken, and a role.
    assert_eq!(writes(&world), 4);
    let ana = user(&world, "ana").expect("she is there");
    assert_eq!(ana["name"], "ana Ruiz");
    assert_eq!(ana["language"], "es");
    assert_eq!(
        ana["metadata"],
        json!({"department": "Sales", "plan": "gold", "seat": "7"})
    );
    assert_eq!(
        user(&world, "bo").expect("there")["tags"],
        json!(["Devs", "vip"])
    );
    assert_eq!(user(&world, "cy").expect("there")["tags"], json!([]));
    assert_eq!(
        user(&world, "mallory").expect("there")["tags"],
        json!(["Devs"])
    );
    assert_eq!(there(&world, "collaborators")[1]["role"], "unassigned");
    assert_eq!(drift(&world, &[], 0)["drift"], false);
    quiet(&world);
    // It is a run like any other.
    let run = text(&mended["repair"]["run"]);
    let shown = world.json(&["runs", &run, "--format", "json"]);
    assert_eq!(shown["mode"], "drift");
    assert_eq!(shown["actions"].as_array().expect("a list").len(), 4);
    world.run(&["audit", "verify"]).ends_with(0);
}

#[test]
fn a_missing_account_is_made_again_with_its_groups() {
    let (world, _) = applied();
    elsewhere(&world, "DELETE", "users/ana@acme.test", Value::Null);
    let found = drift(&world, &[], 5);
    assert_eq!(differing(&found, "mdm"), ["ana@acme.test missing"]);
    world.sim.reset_stats();
    drift(&world, &["--repair"], 0);
    assert_eq!(writes(&world), 1);
    let ana = user(&world, "ana").expect("she is there again");
    assert_eq!(ana["tags"], json!(["Devs", "applivery-editor"]));
    assert_eq!(drift(&world, &[], 0)["drift"], false);
    quiet(&world);
}

#[test]
fn a_full_run_mends_what_it_does_not_touch_anyway() {
    let (world, people) = applied();
    disturb(&world);
    elsewhere(&world, "DELETE", "users/cy@acme.test", Value::Null);
    // An incremental run looks at what changed at the source, and nothing else.
    let plan = world.sync(&[]);
    assert_eq!(plan["actions"], json!([]));
    change(&world, &people[0], json!({"department": "Lab"}));
    let plan = world.sync(&["--full"]);
    let reasons: Vec<(String, String)> = plan["actions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|action| (text(&action["op"]), text(&action["reason"])))
        .collect();
    // Ana's change is no drift, and she is left to the next full run.
    assert!(reasons.contains(&("update_account".into(), "attributes changed".into())));
    for op in ["create_account", "add_members", "set_role"] {
        let of_op: Vec<_> = reasons.iter().filter(|(other, _)| other == op).collect();
        assert!(!of_op.is_empty(), "{op}: {reasons:?}");
        assert!(
            of_op.iter().all(|(_, why)| why.starts_with("drift: ")),
            "{reasons:?}"
        );
    }
    let plan = world.sync(&["--full"]);
    let left: Vec<String> = plan["actions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|action| text(&action["key"]))
        .collect();
    assert_eq!(left, ["ana@acme.test"]);
    quiet(&world);
    assert_eq!(drift(&world, &[], 0)["drift"], false);
}

#[test]
fn a_daemon_that_holds_the_store_looks_for_drift_as_well() {
    let (mut world, _) = applied();
    let more = std::mem::take(&mut world.settings.sources[0].more);
    world.settings.sources[0].more = more + "schedule = \"1h\"\njitter = \"0s\"\n";
    world.rewrite();
    let service = Service::start(&world);
    assert_eq!(drift(&world, &[], 0)["drift"], false);
    disturb(&world);
    let said = world.run(&["drift", "--portal", "mdm"]).ends_with(5);
    let line = "  ana@acme.test: displayName is Captain, was applied as ana Ruiz\n";
    assert!(said.out.contains(line), "{}", said.out);
    assert!(
        said.out
            .contains("not ours: 1 accounts (mallory@acme.test)"),
        "{}",
        said.out
    );
    drift(&world, &["--repair"], 0);
    assert_eq!(drift(&world, &[], 0)["drift"], false);
    service.signal("TERM");
    assert_eq!(service.ended().0, 0);
}

#[test]
fn what_cannot_be_read_is_no_drift_and_no_success() {
    let local = "[portals.here]\nkind = \"store\"\ntarget = \"local\"\nsources = [\"entra\"]\n";
    let world = begin("", &(mdm("") + local));
    hire(&world, "ana");
    world.sync(&[]);
    assert_eq!(drift(&world, &["--portal", "here"], 0)["drift"], false);
    let rule = json!([{"path": "/v1/organizations/*", "kind": "status", "status": 403}]);
    world.sim.faults(rule).expect("a rule");
    let found = drift(&world, &[], 3);
    assert_eq!(found["drift"], false);
    let error = text(&found["portals"]["mdm"]["error"]);
    assert!(error.contains("403"), "{error}");
    drift(&world, &["--portal", "mdm"], 1);
    world.run(&["drift", "--portal", "nowhere"]).ends_with(2);
    // A full run goes on without it, and says so.
    let plan = world
        .run(&["sync", "--full", "--format", "json"])
        .ends_with(0)
        .json();
    assert!(
        plan["warnings"]
            .to_string()
            .contains("could not be read back"),
        "{plan:#}"
    );
}

#[test]
fn the_guard_holds_a_repair_that_takes_too_much_away() {
    let (mut world, _) = applied();
    for name in ["bo", "cy"] {
        let body = json!({"tags": ["Devs", "applivery-editor"]});
        elsewhere(&world, "PATCH", &format!("users/{name}@acme.test"), body);
    }
    world.settings.safety = "max_membership_removals = 1".to_owned();
    world.rewrite();
    let held = drift(&world, &["--repair"], 4);
    assert_eq!(held["repair"]["status"], "held");
    assert!(
        held["repair"]["limits"][0]
            .as_str()
            .expect("a text")
            .contains("memberships")
    );
    assert_eq!(drift(&world, &[], 5)["drift"], true);
}
