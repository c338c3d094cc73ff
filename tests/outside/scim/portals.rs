//! What is pushed follows the same rules as what is pulled.

use serde_json::json;

use super::{Client, SOURCE, USER};
use crate::served::TOKEN;
use crate::settings::{Portal, Settings, Source};
use crate::world::World;

/// Accounts of the portal `app` with their sources.
fn owners(client: &Client) -> Vec<(String, String)> {
    let request = client
        .served
        .request("GET", "/api/v1/portals/app/accounts?limit=1000");
    let page = client
        .served
        .send(request.bearer_auth(TOKEN))
        .is(200)
        .json();
    let items = page["items"].as_array().expect("items").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    items
        .map(|a| (text(&a["key"]), text(&a["source"])))
        .collect()
}

#[test]
fn a_user_pushed_and_pulled_follows_the_portals_order() {
    for first in ["push", "entra"] {
        let order = match first {
            "push" => ["push", "entra"],
            _ => ["entra", "push"],
        };
        let portal = Portal::new("directory", "remove").named("app").from(&order);
        let source = Source::entra().everyone().with("schedule = \"24h\"\n");
        let mut settings = Settings::new(vec![source], vec![portal]);
        settings.more = SOURCE.to_owned();
        let world = World::small(settings);
        world.sync(&["--source", "entra"]);
        let client = Client::start(&world);
        let (key, _) = owners(&client).remove(0);
        let user = json!({
            "schemas": [USER], "userName": key, "displayName": "Pushed",
            "emails": [{ "value": key.to_uppercase(), "type": "work" }],
        });
        let made = client.call("POST", "/Users", user).is(201).json();
        client.user("only@pushed.example");
        client.account("only@pushed.example", |account| account.is_some());
        client.account(&key, |account| {
            account.is_some_and(|a| a["source"] == first)
        });
        // Once the pushed one is gone the pulled one has the account, whoever had it before.
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        client.send(client.request("DELETE", &path)).is(204);
        client.account(&key, |account| {
            account.is_some_and(|a| a["source"] == "entra")
        });
        client.served.stop();
        // A run of all sources decides nothing anew.
        let plan = world.sync(&[]);
        assert_eq!(plan["actions"], json!([]), "{plan:#}");
        assert_eq!(plan["sources"]["push"]["users"], 1);
    }
}

#[test]
fn roles_mappings_and_the_guard_hold_for_what_is_pushed() {
    let mut portal = Portal::new("dashboard", "remove")
        .named("app")
        .from(&["push"]);
    portal.continuous = true;
    let mut settings = Settings::new(Vec::new(), vec![portal]);
    settings.safety = "max_deactivations = 2\n".to_owned();
    settings.more = SOURCE.to_owned();
    let world = World::small(settings);
    let client = Client::start(&world);
    let ids: Vec<String> = (0..6)
        .map(|n| client.user(&format!("u{n}@x.org")))
        .collect();
    let admins = client.group("applivery-admin", &[&ids[0]]);
    client.account("u0@x.org", |account| {
        account.is_some_and(|a| a["role"] == "admin")
    });
    client.account("u1@x.org", |account| {
        account.is_some_and(|a| a["role"].is_null())
    });
    // A group that changes its name changes the roles of those in it.
    let path = format!("/Groups/{admins}");
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "applivery-viewer" }]);
    client.patch(&path, rename).is(204);
    client.account("u0@x.org", |account| {
        account.is_some_and(|a| a["role"] == "viewer")
    });
    // Groups within groups count.
    let outer = client.group("applivery-editor", &[]);
    let nest = json!([{ "op": "add", "path": "members", "value": [{ "value": admins }] }]);
    client.patch(&format!("/Groups/{outer}"), nest).is(204);
    client.account("u0@x.org", |account| {
        account.is_some_and(|a| a["role"] == "editor")
    });
    client
        .send(client.request("DELETE", &format!("/Groups/{outer}")))
        .is(204);
    client.account("u0@x.org", |account| {
        account.is_some_and(|a| a["role"] == "viewer")
    });

    // Too many at once are held: stored, readable, and not carried out until somebody says so.
    let operations: Vec<serde_json::Value> = ids[1..5]
        .iter()
        .map(|id| json!({ "method": "DELETE", "path": format!("/Users/{id}") }))
        .collect();
    client
        .call("POST", "/Bulk", json!({ "Operations": operations }))
        .is(200);
    let run = client.served.wait_for("a held run", |_| {
        let status = world.json(&["status", "--format", "json"]);
        status["held"][0].as_str().map(str::to_owned)
    });
    client.get(&format!("/Users/{}", ids[1])).is(404);
    assert_eq!(owners(&client).len(), 6);
    let held = world.json(&["runs", &run, "--format", "json"]);
    assert_eq!(
        (&held["mode"], &held["status"]),
        (&json!("push"), &json!("held"))
    );
    world.run(&["approve", &run]).ends_with(0);
    client.account("u1@x.org", |account| account.is_none());
    assert_eq!(owners(&client).len(), 2);
    let plan = world.sync(&["--source", "push"]);
    assert_eq!(
        (&plan["actions"], &plan["mode"]),
        (&json!([]), &json!("push"))
    );
}
