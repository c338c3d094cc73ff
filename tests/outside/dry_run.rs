//! A dry run shows what a run will do, and does nothing.

use serde_json::{Value, json};

use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

fn world() -> World {
    let sources = vec![Source::entra(), Source::okta()];
    let portals = vec![
        Portal::new("store", "remove"),
        Portal::new("dashboard", "remove"),
        Portal::new("mdm", "change_policy"),
        Portal::new("directory", "disable"),
    ];
    World::small(Settings::new(sources, portals))
}

/// Something of everything.
fn live(world: &World) {
    let (user, other) = (world.entra_user(17), world.okta_user(17));
    let change = json!({"mail": "renamed@contoso.com", "jobTitle": "New"});
    world.sim.patch_user(&user, change).expect("a change");
    world.control(
        "PATCH",
        &format!("okta/users/{other}"),
        json!({"status": "SUSPENDED"}),
    );
    let leaver = world.entra_user(5);
    world
        .sim
        .delete_user(&leaver)
        .expect("a user can be deleted");
    let group = world.entra_group("applivery-editor");
    let body = json!({"displayName": "Joiner", "userPrincipalName": "joiner@contoso.com",
        "accountEnabled": true});
    let joiner = text(&world.sim.create_user(body).expect("a user is made")["id"]);
    world.sim.add_member(&group, &joiner).expect("a member");
    let group = world.entra_group("applivery-unassigned");
    world.control("DELETE", &format!("graph/groups/{group}"), Value::Null);
}

/// A plan without what differs from run to run, and without what became of it.
fn shown(plan: &Value) -> Value {
    let mut plan = plan.clone();
    let head = plan.as_object_mut().expect("a plan is an object");
    for name in ["run", "created_at", "dry_run", "status"] {
        assert!(head.remove(name).is_some(), "a plan has '{name}'");
    }
    for action in plan["actions"].as_array_mut().expect("a list") {
        action["outcome"] = Value::Null;
    }
    plan
}

/// What is remembered, seen from outside; ages grow by themselves.
fn memory(world: &World) -> (Value, Value, Value) {
    let mut status = world.json(&["status", "--format", "json"]);
    let sources = status["sources"].as_object_mut().expect("an object");
    for source in sources.values_mut() {
        let source = source.as_object_mut().expect("an object");
        source.remove("cursor_age_seconds");
        source.remove("next_run");
    }
    status
        .as_object_mut()
        .expect("an object")
        .remove("store_bytes");
    let runs = world.json(&["runs", "--format", "json"]);
    (status, runs, world.exports())
}

#[test]
fn a_dry_run_writes_nothing_and_a_run_applies_the_plan_shown() {
    let world = world();
    for full in [&[][..], &["--full"]] {
        for round in 0..2 {
            let before = memory(&world);
            let ask = [&["plan", "--format", "json"], full].concat();
            let plan = world.json(&ask);
            assert_eq!(plan["dry_run"], true);
            assert_eq!(plan["status"], "planned");
            let again = world.json(&ask);
            assert_eq!(memory(&world), before, "a dry run is forgotten");
            assert_eq!(shown(&plan), shown(&again), "two dry runs say the same");
            let ask = [&["sync", "--dry-run", "--format", "json"], full].concat();
            assert_eq!(shown(&world.json(&ask)), shown(&plan));
            let done = world.sync(full);
            assert_eq!(done["dry_run"], false);
            assert_eq!(shown(&done)["actions"], shown(&plan)["actions"]);
            assert_eq!(shown(&done)["summary"], shown(&plan)["summary"]);
            for list in [
                "needs_role",
                "departed",
                "returned",
                "conflicts",
                "skipped",
                "pending",
            ] {
                assert_eq!(done[list], plan[list], "{list}");
            }
            for action in done["actions"].as_array().expect("a list") {
                assert_eq!(action["outcome"]["status"], "done", "{action:#}");
            }
            world.quiet();
            if round == 0 && full.is_empty() {
                live(&world);
            }
        }
    }
}

#[test]
fn a_dry_run_before_the_first_run_leaves_an_empty_store() {
    let world = world();
    let plan = world.json(&["plan", "--format", "json"]);
    assert_ne!(plan["actions"], json!([]));
    let exports = world.exports();
    for (what, rows) in exports.as_object().expect("exports") {
        assert_eq!(*rows, json!([]), "{what}");
    }
    let runs = world.json(&["runs", "--format", "json"]);
    assert!(
        runs.as_array()
            .expect("a list")
            .iter()
            .all(|run| run["status"] == "planned"),
        "{runs:#}"
    );
}

#[test]
fn the_exit_code_tells_whether_there_is_something_to_do_only_when_asked() {
    let world = world();
    world.run(&["plan"]).ends_with(0);
    world.run(&["plan", "--detailed-exitcode"]).ends_with(5);
    world.sync(&[]);
    world.run(&["plan", "--detailed-exitcode"]).ends_with(0);
}

#[test]
fn a_plan_can_be_read_in_every_form() {
    let world = world();
    let forms = ["text", "json", "html", "markdown", "csv"];
    let texts = forms.map(|form| world.run(&["plan", "--format", form]).ends_with(0).out);
    for (form, text) in forms.iter().zip(&texts) {
        for word in ["applivery-admin", "dashboard-remove"] {
            assert!(text.contains(word), "{form} names {word}: {text}");
        }
        assert!(
            !text.contains('\u{1b}'),
            "{form} has no colour off a terminal"
        );
    }
    assert!(
        texts[2]
            .trim_start()
            .to_lowercase()
            .starts_with("<!doctype html")
    );
    let rows = texts[4].lines().count();
    let plan: Value = serde_json::from_str(&texts[1]).expect("JSON");
    assert!(rows > plan["actions"].as_array().expect("a list").len());
}

#[test]
fn what_is_provided_on_demand_is_only_what_was_asked_for() {
    let world = world();
    world.sync(&[]);
    for position in [17, 18] {
        let user = world.entra_user(position);
        let change = json!({"jobTitle": "Asked for"});
        world.sim.patch_user(&user, change).expect("a change");
    }
    let mail = text(&world.sim.graph_truth()["users"][17]["mail"]).to_lowercase();
    let plan = world.sync(&["--user", &mail]);
    assert_eq!(plan["mode"], "on_demand");
    let actions = plan["actions"].as_array().expect("a list");
    assert_eq!(actions.len(), world.settings.portals.len(), "{plan:#}");
    assert!(
        actions.iter().all(|action| action["key"] == *mail),
        "{plan:#}"
    );
    let plan = world.sync(&[]);
    assert_eq!(
        plan["actions"].as_array().expect("a list").len(),
        world.settings.portals.len(),
        "the other one: {plan:#}"
    );
    world.quiet();
}

#[test]
fn a_group_on_demand_brings_its_members() {
    let world = world();
    let before = world.json(&["plan", "--format", "json"]);
    assert_ne!(before["actions"], json!([]));
    world.sync(&[]);
    let user = world.entra_user(19);
    let group = world.entra_group("Portal users");
    world.sim.add_member(&group, &user).expect("a member");
    let plan = world.sync(&["--group", "Portal users"]);
    let actions = plan["actions"].as_array().expect("a list");
    assert!(
        actions.iter().all(|action| action["op"] == "add_members"),
        "{plan:#}"
    );
    assert_eq!(actions.len(), world.settings.portals.len(), "{plan:#}");
    world.quiet();
}
