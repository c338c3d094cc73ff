//! What the API answers is what the commands print, and what its description promises.

use serde_json::{Value, json};

use super::world;
use crate::served::Served;
use crate::world::{World, text};

#[test]
fn the_api_answers_as_the_commands_do_and_as_it_is_described() {
    let world = world();
    let served = Served::start(&world);
    let plan = served.sync(json!({ "full": true }));
    assert_eq!(plan["status"], "applied", "{plan:#}");
    let quiet = served.sync(json!({}));
    assert_eq!(quiet["actions"], json!([]));

    stands_as_the_command_says(&world, &served);
    portals_are_as_exported(&world, &served);
    devices_and_policies_are_kept(&world, &served);
    the_history_is_the_command_s(&world, &served);
    a_dry_run_can_be_looked_up(&served);

    // Those of held runs and of events are seen where these are.
    let held = ["approve", "discard"].map(|way| format!("POST /api/v1/runs/{{id}}/{way}"));
    let missing: Vec<String> = served
        .description()
        .operations()
        .difference(&served.description().seen())
        .filter(|operation| {
            !held.iter().any(|held| operation.starts_with(held))
                && !operation.starts_with("GET /api/v1/events ")
                && !operation.ends_with(" 202")
        })
        .cloned()
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "described, and never seen");
    assert_eq!(served.stop(), 0);
}

fn stands_as_the_command_says(world: &World, served: &Served) {
    let ageless = |mut status: Value| {
        for source in status["sources"]
            .as_object_mut()
            .expect("sources")
            .values_mut()
        {
            assert!(source["cursor_age_seconds"].is_i64(), "{source}");
            source["cursor_age_seconds"] = json!(0);
        }
        status["store_bytes"] = json!(0);
        status
    };
    let said = served.get("/api/v1/status").is(200).json();
    let command = world.json(&["status", "--format", "json"]);
    assert_eq!(ageless(said), ageless(command));

    let truth = world.sim.graph_truth();
    let mail = text(&truth["users"][14]["mail"]);
    let said = served
        .get(&format!("/api/v1/explain/{mail}"))
        .is(200)
        .json();
    let command = world.json(&["explain", &mail, "--format", "json"]);
    assert_eq!(said, command);
    let said = served.get(&format!("/api/v1/explain/{mail}?portal=mdm"));
    let command = world.json(&["explain", &mail, "--portal", "mdm", "--format", "json"]);
    assert_eq!(said.is(200).json(), command);
    let detail = served
        .get("/api/v1/explain/nobody@example.com")
        .problem(404);
    assert!(detail.contains("nobody@example.com"), "{detail}");
    served
        .get(&format!("/api/v1/explain/{mail}?portal=no"))
        .problem(404);
}

fn portals_are_as_exported(world: &World, served: &Served) {
    for portal in ["dashboard", "mdm"] {
        let accounts = world.accounts(portal);
        let groups = world.groups(portal);
        let path = format!("/api/v1/portals/{portal}");
        for limit in [1, 7, 1000] {
            let rows = served.pages(&format!("{path}/accounts"), limit, "after");
            assert_eq!(Value::Array(rows), accounts);
            let rows = served.pages(&format!("{path}/groups"), limit, "after");
            assert_eq!(Value::Array(rows), groups);
        }
        let account = &accounts[3];
        let key = text(&account["key"]).to_uppercase();
        let said = served.get(&format!("{path}/accounts/{key}"));
        assert_eq!(said.is(200).json(), *account);
        let detail = served.get(&format!("{path}/accounts/nobody")).problem(404);
        assert!(detail.contains("nobody"), "{detail}");
    }
    let detail = served.get("/api/v1/portals/no/accounts").problem(404);
    assert!(detail.contains("there is dashboard, mdm"), "{detail}");
    served
        .get("/api/v1/portals/dashboard/groups?after=never")
        .problem(400);
}

fn devices_and_policies_are_kept(world: &World, served: &Served) {
    let put = |path: &str, body| served.call("PUT", &format!("/api/v1/portals/{path}"), Some(body));
    let delete = |path: &str| served.call("DELETE", &format!("/api/v1/portals/{path}"), None);
    let key = text(&world.accounts("mdm")[2]["key"]);

    put("mdm/policies/Strict", json!({})).is(201);
    put("mdm/policies/Strict", json!({})).is(200);
    let policies = served.pages("/api/v1/portals/mdm/policies", 1, "after");
    let names = [json!({ "name": "Quarantine" }), json!({ "name": "Strict" })];
    assert_eq!(policies, names, "with the one that the settings name");

    let made = put(
        "mdm/devices/d1",
        json!({ "name": "Mac", "assigned_to": key.to_uppercase(), "policy": "Strict" }),
    );
    let device = json!({ "id": "d1", "name": "Mac", "assigned_to": key, "policy": "Strict" });
    assert_eq!(made.is(201).json(), device);
    put("mdm/devices/d2", json!({})).is(201);
    let rows = served.pages("/api/v1/portals/mdm/devices", 1, "after");
    assert_eq!(rows[0], device);
    let exported = world.json(&["export", "devices", "--portal", "mdm"]);
    assert_eq!(Value::Array(rows), exported);

    let detail = put("mdm/devices/d1", json!({ "assigned_to": "nobody" })).problem(422);
    assert!(detail.contains("no account 'nobody'"), "{detail}");
    let detail = put("mdm/devices/d1", json!({ "policy": "None" })).problem(422);
    assert!(detail.contains("no policy 'None'"), "{detail}");
    put("mdm/devices/d1", json!({ "colour": "red" })).problem(422);
    let detail = delete("mdm/policies/Strict").problem(409);
    assert!(detail.contains("'d1'"), "{detail}");
    delete("mdm/policies/Quarantine").problem(409);
    delete("mdm/policies/None").problem(404);

    let bare = put("mdm/devices/d1", json!({})).is(200).json();
    let device = json!({ "id": "d1", "name": "d1", "assigned_to": null, "policy": null });
    assert_eq!(bare, device, "what is left out is taken away");
    delete("mdm/policies/Strict").is(204);
    delete("mdm/devices/d1").is(204);
    delete("mdm/devices/d1").problem(404);
    delete("mdm/devices/d2").is(204);
    let detail = put("dashboard/devices/d1", json!({})).problem(404);
    assert!(detail.contains("only an mdm portal"), "{detail}");
    served
        .get("/api/v1/portals/dashboard/policies")
        .problem(404);
}

fn the_history_is_the_command_s(world: &World, served: &Served) {
    let runs = Value::Array(served.pages("/api/v1/runs", 1, "before"));
    assert_eq!(runs, world.json(&["runs", "--format", "json"]));
    for run in runs.as_array().expect("a list") {
        let run = text(&run["run"]);
        let path = format!("/api/v1/runs/{run}");
        let command = |format| {
            world
                .run(&["runs", &run, "--format", format])
                .ends_with(0)
                .out
        };
        assert_eq!(served.get(&path).is(200).text, command("json"));
        for format in ["html", "markdown", "csv", "text", "json"] {
            let report = served
                .get(&format!("{path}/report?format={format}"))
                .is(200);
            assert_eq!(report.text, command(format), "{format}");
        }
        let page = served.get(&format!("{path}/report")).is(200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
        let detail = served
            .get(&format!("{path}/report?format=pdf"))
            .problem(422);
        assert!(detail.contains("markdown"), "{detail}");
        let post = format!("{path}/approve");
        let detail = served.call("POST", &post, None).problem(409);
        assert!(detail.contains("is not held"), "{detail}");
    }
    for path in ["/api/v1/runs/01JD", "/api/v1/runs/01JD/report"] {
        let detail = served.get(path).problem(404);
        assert!(detail.contains("no run '01JD'"), "{detail}");
    }
    for way in ["approve", "discard"] {
        let path = format!("/api/v1/runs/01JD/{way}");
        served.call("POST", &path, None).problem(404);
    }
}

fn a_dry_run_can_be_looked_up(served: &Served) {
    let ask = json!({ "full": true, "dry_run": true });
    let taken = served.call("POST", "/api/v1/sync", Some(ask)).is(202);
    let run = text(&taken.json()["run"]);
    assert_eq!(taken.header("location"), format!("/api/v1/runs/{run}"));
    let plan = served.wait_for("the dry run", |served| {
        let answer = served.get(taken.header("location"));
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(plan["run"], run);
    assert_eq!(plan["dry_run"], true);
    assert_eq!(plan["mode"], "full");
    let runs = served.get("/api/v1/runs").is(200);
    assert!(!runs.text.contains(&run), "a dry run is in no history");
}

#[test]
fn one_user_is_provisioned_on_demand() {
    let world = world();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let user = &world.sim.graph_truth()["users"][14];
    let change = json!({ "accountEnabled": false });
    world
        .sim
        .patch_user(&text(&user["id"]), change)
        .expect("a change");
    let key = text(&user["mail"]).to_lowercase();
    let plan = served.sync(json!({ "users": [key], "sources": ["entra"] }));
    assert_eq!(plan["mode"], "on_demand");
    let ops: Vec<String> = crate::world::deeds(&plan);
    assert!(
        ops.contains(&format!("dashboard remove_account {key}")),
        "{ops:?}"
    );
    let gone = served.get(&format!("/api/v1/portals/dashboard/accounts/{key}"));
    gone.problem(404);
}
