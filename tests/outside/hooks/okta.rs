//! Okta's event hooks.

use futures::stream::{self, StreamExt};
use serde_json::json;

use super::{arrives, metrics, runs};
use crate::served::{Served, TOKEN};
use crate::settings::{Portal, Settings, Source};
use crate::world::World;

const HOOK: &str = "/hooks/okta/okta";

/// Nothing runs by its schedule in the time of a test. The secret is one that the world has.
fn served() -> (World, Served) {
    let quiet = "schedule = \"24h\"\n";
    let hook = "hook_secret = { env = \"SIM_ADMIN_TOKEN\" }";
    let sources = vec![
        Source::entra().with(quiet),
        Source::okta().with(quiet).with(hook),
    ];
    let portal = Portal::new("store", "remove").named("store");
    let world = World::small(Settings::new(sources, vec![portal]));
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    (world, served)
}

fn ping(served: &Served) -> reqwest::RequestBuilder {
    let request = served.request("POST", HOOK).header("authorization", TOKEN);
    request.json(&json!({ "data": { "events": [] } }))
}

#[test]
fn okta_verifies_the_hook() {
    let (_world, served) = served();
    let ask = |path: &str| served.request("GET", path);
    let challenge = ask(HOOK).header("x-okta-verification-challenge", "abc");
    let answer = served.send(challenge).is(200);
    assert_eq!(answer.json(), json!({ "verification": "abc" }));
    served.send(ask(HOOK)).problem(400);
    served.send(ask("/hooks/okta/nobody")).problem(404);
    served.send(ask("/hooks/okta/entra")).problem(404);
    served.send(served.request("PUT", HOOK)).problem(405);
}

#[test]
fn a_wrong_secret_costs_nothing_but_a_counter() {
    let (_world, served) = served();
    let before = runs(&served);
    let forged = served.request("POST", HOOK);
    served
        .send(forged.header("authorization", "no"))
        .problem(401);
    served.send(served.request("POST", HOOK)).problem(401);
    let line = "rosterd_pings_total{source=\"okta\",result=\"forged\"} 2";
    assert!(metrics(&served).contains(line), "{}", metrics(&served));
    assert_eq!(runs(&served), before);
}

#[test]
fn a_flood_of_pings_is_a_few_runs() {
    let (_world, served) = served();
    let before = runs(&served);
    let pings = stream::iter(0..1000).map(|_| {
        let request = ping(&served);
        async move { request.send().await.expect("an answer").status() }
    });
    let statuses: Vec<_> = served.block_on(pings.buffer_unordered(50).collect());
    assert!(statuses.iter().all(|status| *status == 204));
    served.wait_for("a run", |served| (runs(served) > before).then_some(()));
    assert!(runs(&served) <= before + 10, "{} runs", runs(&served));
}

#[test]
fn a_change_arrives_by_a_ping_alone() {
    let (world, served) = served();
    let path = format!("okta/users/{}", world.okta_user(17));
    let body = json!({ "profile": { "title": "Onwards" } });
    world.control("PATCH", &path, body);
    served.send(ping(&served)).is(204);
    arrives(&served, "Onwards");
}
