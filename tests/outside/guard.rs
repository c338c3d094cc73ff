//! What is held, what releases it, and what a saved plan is worth after a change.

use serde_json::{Value, json};

use crate::settings::{Portal, Settings, Source};
use crate::world::{World, deeds, text};

fn world() -> World {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec!["entra"];
    let mut settings = Settings::new(vec![Source::entra()], vec![portal]);
    settings.safety = "max_deactivations = 2\n".to_owned();
    let world = World::small(settings);
    world.sync(&[]);
    world
}

fn disable(world: &World, positions: &[usize]) -> Vec<String> {
    let truth = world.sim.graph_truth();
    let mut keys = Vec::new();
    for &position in positions {
        let user = &truth["users"][position];
        let id = text(&user["id"]);
        let change = json!({"accountEnabled": false});
        world.sim.patch_user(&id, change).expect("a change");
        keys.push(text(&user["mail"]).to_lowercase());
    }
    keys
}

#[track_caller]
fn held(world: &World) -> Value {
    let plan = world.run(&["sync", "--format", "json"]).ends_with(4).json();
    assert_eq!(plan["status"], "held");
    assert_eq!(plan["guard"]["held"], true, "{plan:#}");
    plan
}

#[test]
fn too_many_deactivations_are_held_and_approved_exactly_once() {
    let world = world();
    let before = world.exports();
    disable(&world, &[14, 17, 18]);
    world.run(&["plan"]).ends_with(4);
    let plan = held(&world);
    assert_eq!(world.exports(), before, "a held run remembers nothing");
    let run = text(&plan["run"]);
    let again = held(&world);
    assert_eq!(again["run"], *run, "what is held again keeps its id");
    let status = world.json(&["status", "--format", "json"]);
    assert_eq!(status["held"], json!([run]));
    let kept = world.json(&["runs", &run, "--format", "json"]);
    assert_eq!(kept["actions"], plan["actions"]);

    let done = world.json(&["approve", &run, "--format", "json"]);
    assert_eq!(done["status"], "applied");
    assert_eq!(deeds(&done), deeds(&plan));
    assert_ne!(world.exports(), before);
    let twice = world.run(&["approve", &run]).ends_with(1);
    assert_eq!(twice.err.lines().count(), 1, "{}", twice.err);
    world.quiet();
    let status = world.json(&["status", "--format", "json"]);
    assert_eq!(status["held"], json!([]));
}

#[test]
fn a_discarded_plan_is_dropped_and_what_led_to_it_is_held_anew() {
    let world = world();
    disable(&world, &[14, 17, 18]);
    let before = world.exports();
    let plan = held(&world);
    let run = text(&plan["run"]);
    world.run(&["discard", &run]).ends_with(0);
    let status = world.json(&["status", "--format", "json"]);
    assert_eq!(status["held"], json!([]));
    let kept = world.json(&["runs", &run, "--format", "json"]);
    assert_eq!(kept["status"], "discarded");
    assert_eq!(kept["actions"], plan["actions"]);
    for command in ["approve", "discard"] {
        let said = world.run(&[command, &run]).ends_with(1);
        assert!(said.err.contains("it is discarded"), "{}", said.err);
    }
    assert_eq!(world.exports(), before, "nothing was done");
    let next = held(&world);
    assert_ne!(next["run"], *run);
    assert_eq!(next["digest"], plan["digest"]);
    let kept = world.json(&["runs", &run, "--format", "json"]);
    assert_eq!(kept["status"], "discarded", "and stays so");
    let log = std::fs::read_to_string(world.state().join("audit/000000000001.jsonl"));
    let log = log.expect("the log");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [.., first, dropped, second] = lines.as_slice() else {
        panic!("{lines:#?}");
    };
    assert_eq!(first["status"], "held");
    assert_eq!(dropped["event"], "discard");
    assert_eq!(
        [&dropped["run"], &dropped["by"]],
        [&json!(run), &json!("command")]
    );
    assert_eq!(dropped["summary"], plan["summary"]);
    assert_eq!(
        [&second["run"], &second["status"]],
        [&next["run"], &json!("held")]
    );
    world.json(&["audit", "verify", "--format", "json"]);
    world.json(&["approve", &text(&next["run"]), "--format", "json"]);
    world.quiet();
}

#[test]
fn an_approval_is_refused_when_something_moved_since() {
    let world = world();
    disable(&world, &[14, 17, 18]);
    let run = text(&held(&world)["run"]);
    let before = world.exports();
    disable(&world, &[16]);
    let said = world.run(&["approve", &run]).ends_with(1);
    assert!(
        said.err.contains("new: store remove_account"),
        "{}",
        said.err
    );
    assert_eq!(world.exports(), before, "nothing was applied");
    let next = text(&held(&world)["run"]);
    world.json(&["approve", &next, "--format", "json"]);
    world.quiet();
}

#[test]
fn what_comes_back_by_itself_is_held_no_longer() {
    let world = world();
    disable(&world, &[14, 17, 18]);
    let run = text(&held(&world)["run"]);
    let user = world.entra_user(14);
    let change = json!({"accountEnabled": true});
    world.sim.patch_user(&user, change).expect("a change");
    world.sync(&[]);
    world.run(&["approve", &run]).ends_with(1);
    world.quiet();
}

#[test]
fn few_deactivations_are_not_held() {
    let world = world();
    disable(&world, &[14, 17]);
    world.sync(&[]);
    world.quiet();
}

#[test]
fn an_unknown_run_cannot_be_approved() {
    let world = world();
    let said = world
        .run(&["approve", "01JD0000000000000000000000"])
        .ends_with(1);
    assert!(
        said.err.contains("01JD0000000000000000000000"),
        "{}",
        said.err
    );
}

#[test]
fn changed_settings_hold_what_would_deactivate() {
    let mut world = world();
    world.settings.safety = crate::settings::ROOMY.to_owned();
    world.rewrite();
    world.quiet();
    world.settings.portals[0].exclude_attributes = vec![("userType", "Member")];
    world.rewrite();
    let before = world.exports();
    let plan = held(&world);
    assert!(
        deeds(&plan)
            .iter()
            .all(|deed| deed.starts_with("store remove_account"))
    );
    assert_eq!(world.exports(), before);
    let run = text(&plan["run"]);
    world.json(&["approve", &run, "--format", "json"]);
    world.quiet();
}

#[test]
fn changed_settings_that_take_nothing_away_are_applied() {
    let mut world = world();
    world.settings.portals[0].attributes.pop();
    world.rewrite();
    world.sync(&[]);
    world.quiet();
}

#[test]
fn who_is_protected_is_never_deactivated() {
    let mut world = world();
    let mail = text(&world.sim.graph_truth()["users"][17]["mail"]);
    let protect = format!("protect = [{:?}]\n", mail.to_uppercase());
    world.settings.safety.push_str(&protect);
    world.rewrite();
    world.sync(&[]);
    disable(&world, &[17]);
    let plan = world.sync(&[]);
    assert_eq!(deeds(&plan), Vec::<String>::new());
    assert_eq!(plan["spared"][0]["key"], *mail.to_lowercase());
    assert!(world.account("store", &mail.to_lowercase()).is_some());
}

#[test]
fn the_last_admin_stays_until_there_is_another() {
    let mut portal = Portal::new("dashboard", "remove").named("dashboard");
    portal.sources = vec!["entra"];
    portal.continuous = true;
    let world = World::small(Settings::new(vec![Source::entra()], vec![portal]));
    world.sync(&[]);
    let admins = |world: &World| -> Vec<String> {
        let all = world.accounts("dashboard");
        let all = all.as_array().expect("a list").iter();
        let admins = all.filter(|account| account["role"] == "admin");
        admins.map(|account| text(&account["key"])).collect()
    };
    let before = admins(&world);
    assert!(before.len() > 1, "{before:?}");
    disable(&world, &[0, 1, 2]);
    let plan = world.sync(&[]);
    assert_eq!(
        plan["spared"][0]["key"], *before[0],
        "the smallest key stays"
    );
    assert_eq!(admins(&world), before[..1]);
    world.quiet();
    let (group, user) = (world.entra_group("applivery-admin"), world.entra_user(8));
    world.sim.add_member(&group, &user).expect("a member");
    world.sync(&[]);
    let now = admins(&world);
    assert_eq!(now.len(), 1, "{now:?}");
    assert_ne!(now, before[..1]);
    world.quiet();
}

#[test]
fn a_saved_plan_is_applied_as_it_was_shown() {
    let world = world();
    disable(&world, &[17]);
    let file = world.home.path().join("plan.json");
    let file = file.to_str().expect("a path in UTF-8");
    let plan = world.json(&["plan", "--out", file, "--format", "json"]);
    let saved = std::fs::read_to_string(file).expect("the plan is there");
    let saved: Value = serde_json::from_str(&saved).expect("the plan is JSON");
    assert_eq!(saved["actions"], plan["actions"]);
    let done = world.json(&["apply", file, "--format", "json"]);
    assert_eq!(done["status"], "applied");
    assert_eq!(deeds(&done), deeds(&plan));
    world.quiet();
    // What was done is not there to be done again.
    world.run(&["apply", file]).ends_with(1);
    world.quiet();
}

#[test]
fn a_saved_plan_is_refused_when_something_moved_since() {
    let world = world();
    disable(&world, &[17]);
    let file = world.home.path().join("plan.json");
    let file = file.to_str().expect("a path in UTF-8");
    world.json(&["plan", "--out", file, "--format", "json"]);
    let before = world.exports();
    disable(&world, &[18]);
    let said = world.run(&["apply", file]).ends_with(1);
    assert!(
        said.err.contains("new: store remove_account"),
        "{}",
        said.err
    );
    assert_eq!(world.exports(), before);
}

#[test]
fn a_file_that_is_no_plan_is_refused() {
    let world = world();
    let file = world.home.path().join("plan.json");
    for text in [
        "",
        "{}",
        "[1, 2]",
        "{\"version\": 1, \"actions\": [",
        "no plan",
    ] {
        std::fs::write(&file, text).expect("a file");
        let said = world.run(&["apply", file.to_str().expect("a path in UTF-8")]);
        let said = said.ends_with(1);
        assert_eq!(said.err.lines().count(), 1, "{text}: {}", said.err);
    }
}

/// One group that is pushed and goes, or loses people, where the limit is next to nothing.
fn strict(limit: &str) -> World {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec!["entra"];
    let mut settings = Settings::new(vec![Source::entra().everyone()], vec![portal]);
    settings.safety = limit.to_owned();
    let world = World::small(settings);
    world.sync(&[]);
    world
}

fn is_held_by(world: &World, limit: &str) {
    let before = world.exports();
    let plan = held(world);
    assert_eq!(plan["guard"]["limits"][0]["limit"], limit, "{plan:#}");
    assert_eq!(world.exports(), before, "a held run remembers nothing");
    let run = text(&plan["run"]);
    world.json(&["approve", &run, "--format", "json"]);
    world.quiet();
}

#[test]
fn too_many_deleted_groups_are_held() {
    let world = strict("max_group_deletes = 1\n");
    for name in ["applivery-viewer", "applivery-editor"] {
        let group = world.entra_group(name);
        world.control("DELETE", &format!("graph/groups/{group}"), Value::Null);
    }
    is_held_by(&world, "max_group_deletes");
}

#[test]
fn too_many_dropped_memberships_are_held() {
    let world = strict("max_membership_removals = 1\n");
    let group = world.entra_group("applivery-viewer");
    let held = world.groups("store");
    let held = held.as_array().expect("a list").iter();
    let pushed = held
        .clone()
        .find(|group| group["displayName"] == "applivery-viewer");
    let members = pushed.expect("it is pushed")["members"].clone();
    let truth = world.sim.graph_truth();
    let users = truth["users"].as_array().expect("a list").iter();
    let leaving: Vec<String> = users
        .filter(|user| {
            let mail = user["mail"].as_str().unwrap_or_default().to_lowercase();
            members
                .as_array()
                .expect("a list")
                .contains(&Value::from(mail))
        })
        .map(|user| text(&user["id"]))
        .collect();
    assert!(leaving.len() > 1, "{members}");
    for user in leaving {
        world.sim.remove_member(&group, &user).expect("a member");
    }
    is_held_by(&world, "max_membership_removals");
}

#[test]
fn grace_ends_and_the_first_run_after_it_acts() {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec!["entra"];
    portal.grace = Some("2s");
    let world = World::small(Settings::new(vec![Source::entra()], vec![portal]));
    world.sync(&[]);
    let key = disable(&world, &[17]).remove(0);
    let noticed = std::time::Instant::now();
    let plan = world.sync(&[]);
    assert_eq!(plan["pending"][0]["key"], *key, "{plan:#}");
    // Until then nothing, then the removal: whichever run comes first after the end.
    let ended = loop {
        let plan = world.sync(&[]);
        if plan["pending"] == json!([]) {
            break plan;
        }
        assert_eq!(plan["actions"], json!([]));
        assert!(noticed.elapsed().as_secs() < 60, "grace does not end");
    };
    assert!(noticed.elapsed().as_secs() >= 2, "grace ended early");
    assert_eq!(deeds(&ended), [format!("store remove_account {key}")]);
    assert!(world.account("store", &key).is_none());
    world.quiet();
}

#[test]
fn grace_holds_a_deactivation_back_and_a_return_ends_it() {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec!["entra"];
    portal.grace = Some("1h");
    let world = World::small(Settings::new(vec![Source::entra()], vec![portal]));
    world.sync(&[]);
    let before = world.exports()["store accounts"].clone();
    let key = disable(&world, &[17]).remove(0);
    let plan = world.sync(&[]);
    assert_eq!(deeds(&plan), Vec::<String>::new());
    assert_eq!(plan["pending"][0]["key"], *key, "{plan:#}");
    assert!(plan["pending"][0]["due_at"].is_string(), "{plan:#}");
    assert_eq!(world.exports()["store accounts"], before);
    let later = world.sync(&["--full"]);
    assert_eq!(
        later["pending"], plan["pending"],
        "grace does not begin again"
    );
    let user = world.entra_user(17);
    let change = json!({"accountEnabled": true});
    world.sim.patch_user(&user, change).expect("a change");
    let plan = world.sync(&[]);
    assert_eq!(
        (&plan["pending"], &plan["actions"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(world.exports()["store accounts"], before);
}
