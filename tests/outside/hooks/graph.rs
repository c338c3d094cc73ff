//! Graph's change notifications: subscriptions that the daemon keeps, and what is posted to it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::{arrives, metrics, runs};
use crate::served::Served;
use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

const HOOK: &str = "/hooks/graph/entra";

fn world() -> World {
    // Nothing runs by its schedule in the time of a test.
    let source = Source::entra().with("schedule = \"24h\"\nnotifications = true");
    let portal = Portal::new("store", "remove")
        .named("store")
        .from(&["entra"]);
    World::small(Settings::new(vec![source], vec![portal]))
}

/// The daemon where Graph can reach it, with both subscriptions made.
fn serve(world: &World) -> Served {
    serve_at(world, free_address())
}

fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    free.local_addr().expect("an address")
}

fn serve_at(world: &World, address: SocketAddr) -> Served {
    let server = format!(
        "listen = \"{address}\"\npublic_url = \"http://{address}\"\n\
         admin_token = {{ env = \"SIM_ADMIN_TOKEN\" }}"
    );
    let served = Served::with(world, &server);
    served.wait_for("both subscriptions", |_| {
        (subscriptions(world).len() == 2).then_some(())
    });
    served
}

fn subscriptions(world: &World) -> Vec<Value> {
    let all = world.control("GET", "graph/subscriptions", json!(null));
    all.as_array().expect("a list").clone()
}

fn ids(all: &[Value]) -> BTreeSet<String> {
    all.iter().map(|one| text(&one["id"])).collect()
}

/// When the first of them ends.
fn end(all: &[Value]) -> String {
    let ends = all.iter().map(|one| text(&one["expirationDateTime"]));
    ends.min().expect("there is one")
}

fn count_anew(world: &World) {
    world.control("DELETE", "stats", json!(null));
}

/// Waits until both were written to since the counting began.
#[track_caller]
fn are_renewed(world: &World, served: &Served) {
    served.wait_for("renewals", |_| {
        let stats = world.control("GET", "stats", json!(null));
        let writes = stats["classes"]["graph.subscriptions.write"]["requests"].as_u64();
        (writes >= Some(2)).then_some(())
    });
}

fn notice(world: &World) -> Value {
    let one = &subscriptions(world)[0];
    json!({ "value": [{
        "subscriptionId": one["id"], "clientState": one["clientState"],
        "changeType": "updated", "resource": "Users/1",
    }] })
}

fn change(world: &World, title: &str) {
    let path = format!("graph/users/{}", world.entra_user(17));
    world.control("PATCH", &path, json!({ "jobTitle": title }));
}

#[test]
fn a_change_arrives_by_graphs_word_alone() {
    let world = world();
    let served = serve(&world);
    served.sync(json!({ "full": true }));
    change(&world, "Onwards");
    arrives(&served, "Onwards");
    // It may have joined the look that follows the making of subscriptions.
    let pinged = ["taken", "joined"].map(|result| {
        let line = format!("rosterd_pings_total{{source=\"entra\",result=\"{result}\"}} 1");
        metrics(&served).contains(&line)
    });
    assert!(pinged.contains(&true), "{}", metrics(&served));
    let validated = "rosterd_pings_total{source=\"entra\",result=\"validated\"} 4";
    assert!(metrics(&served).contains(validated), "{}", metrics(&served));
    assert!(metrics(&served).contains("rosterd_source_subscribed{source=\"entra\"} 1"));
}

#[test]
fn a_change_that_shows_later_than_its_word_is_found_by_a_second_look() {
    let world = world();
    let served = serve(&world);
    served.sync(json!({ "full": true }));
    let lag = json!({ "delta_lag_ms": 4000 });
    world.control("POST", "settings", lag);
    change(&world, "Later");
    arrives(&served, "Later");
}

#[test]
fn subscriptions_are_renewed_before_they_end() {
    let world = world();
    let short = json!({ "subscription_life_s": 6 });
    world.control("POST", "settings", short);
    let served = serve(&world);
    let first = subscriptions(&world);
    for _ in 0..2 {
        let before = end(&subscriptions(&world));
        served.wait_for("a renewal", |_| {
            (end(&subscriptions(&world)) > before).then_some(())
        });
    }
    assert_eq!(ids(&subscriptions(&world)), ids(&first));
}

#[test]
fn subscriptions_that_are_gone_are_made_anew() {
    let world = world();
    let served = serve(&world);
    served.sync(json!({ "full": true }));
    let first = subscriptions(&world);
    let lost = text(&first[0]["id"]);
    let tell = |id: &str, event: &str| {
        let path = format!("graph/subscriptions/{id}/lifecycle");
        world.control("POST", &path, json!({ "event": event }));
    };
    tell(&lost, "subscriptionRemoved");
    let second = served.wait_for("a new one", |_| {
        let now = subscriptions(&world);
        (now.len() == 2 && !ids(&now).contains(&lost)).then_some(now)
    });
    // The other one stayed, and is renewed when Graph asks for that.
    let kept = text(&first[1]["id"]);
    assert!(ids(&second).contains(&kept));
    count_anew(&world);
    tell(&kept, "reauthorizationRequired");
    are_renewed(&world, &served);
    assert_eq!(ids(&subscriptions(&world)), ids(&second));
    change(&world, "Anew");
    arrives(&served, "Anew");
}

#[test]
fn a_restart_goes_on_with_the_same_subscriptions_and_switching_off_removes_them() {
    let mut world = world();
    let address = free_address();
    let served = serve_at(&world, address);
    let first = subscriptions(&world);
    assert_eq!(served.stop(), 0);
    count_anew(&world);
    let served = serve_at(&world, address);
    are_renewed(&world, &served);
    assert_eq!(ids(&subscriptions(&world)), ids(&first));
    assert_eq!(served.stop(), 0);
    // Another address: what was made for the old one is of no use any more.
    let served = serve(&world);
    served.wait_for("subscriptions for the new address", |served| {
        let now = subscriptions(&world);
        let here = |one: &Value| text(&one["notificationUrl"]).starts_with(&served.base);
        (now.len() == 2 && now.iter().all(here)).then_some(())
    });
    assert!(ids(&subscriptions(&world)).is_disjoint(&ids(&first)));
    world.settings.sources[0].more = "schedule = \"24h\"\n".to_owned();
    world.rewrite();
    served.service.signal("HUP");
    served.wait_for("no subscription", |_| {
        subscriptions(&world).is_empty().then_some(())
    });
    served.send(served.request("POST", HOOK)).problem(404);
}

#[test]
fn a_service_that_makes_no_subscription_is_said_and_tried_again() {
    let world = world();
    let refuse = json!({ "path": "/v1.0/subscriptions", "method": "POST", "times": 1,
        "kind": "status", "status": 403 });
    world.control("POST", "faults", refuse);
    let served = serve(&world);
    served.service.says("sends no word of changes");
    served.wait_for("it is in the metrics", |served| {
        let subscribed = "rosterd_source_subscribed{source=\"entra\"} 1";
        metrics(served).contains(subscribed).then_some(())
    });
}

#[test]
fn what_is_forged_costs_nothing_but_a_counter() {
    let world = world();
    let served = serve(&world);
    let post = |body: Value| served.send(served.request("POST", HOOK).json(&body));
    let mut forged = notice(&world);
    forged["value"][0]["clientState"] = json!("guessed");
    post(forged).problem(401);
    post(json!({ "value": [{ "changeType": "updated" }] })).problem(401);
    post(json!({ "hello": 1 })).problem(400);
    // Its connection is of no further use: the rest of the body is in it.
    let huge = served.request("POST", HOOK).body("x".repeat(2 << 20));
    served.send(huge.header("connection", "close")).problem(400);
    let said = metrics(&served);
    for line in ["forged\"} 2", "broken\"} 2"] {
        let line = format!("rosterd_pings_total{{source=\"entra\",result=\"{line}");
        assert!(said.contains(&line), "{said}");
    }
    assert!(!said.contains("result=\"taken\""), "{said}");
    served
        .send(served.request("POST", "/hooks/graph/nobody"))
        .problem(404);
    served.send(served.request("GET", HOOK)).problem(405);
}

#[test]
fn a_token_is_repeated_as_plain_text() {
    let world = world();
    let served = serve(&world);
    let path = format!("{HOOK}?validationToken=%3Cb%3E%20%2B%2F%3D");
    let answer = served.send(served.request("POST", &path)).is(200);
    assert_eq!(answer.text, "<b> +/=");
    assert!(answer.header("content-type").starts_with("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[test]
fn a_flood_of_notices_is_a_few_runs() {
    let world = world();
    let served = serve(&world);
    let before = runs(&served);
    let body = notice(&world);
    let posts = stream::iter(0..1000).map(|_| {
        let request = served.request("POST", HOOK).json(&body);
        async move { request.send().await.expect("an answer").status() }
    });
    let statuses: Vec<_> = served.block_on(posts.buffer_unordered(50).collect());
    assert!(statuses.iter().all(|status| *status == 202));
    served.wait_for("a run", |served| (runs(served) > before).then_some(()));
    assert!(runs(&served) <= before + 10, "{} runs", runs(&served));
}
