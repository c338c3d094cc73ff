//! The Okta endpoints, walked over HTTP.

mod client;

use client::{World, ids, link};
use rosterd_sim::{OKTA_APP_ID, SimOptions};
use serde_json::{Value, json};

fn company(users: usize) -> SimOptions {
    SimOptions {
        okta_users: users,
        okta_groups: 20,
        okta_memberships: users * 4,
        ..SimOptions::default()
    }
}

#[tokio::test]
async fn the_plain_list_leaves_deactivated_users_out() {
    let world = World::start(company(450)).await;
    let plain = world.list("/users?limit=100").await;
    assert!(plain.iter().all(|user| user["status"] != "DEPROVISIONED"));
    let search = "/users?limit=150&search=lastUpdated+gt+%221970-01-01T00:00:00.000Z%22";
    let all = world.list(search).await;
    assert_eq!(all.len(), 450);
    let sorted = world
        .list(&format!("{search}&sortBy=lastUpdated&sortOrder=asc"))
        .await;
    assert_eq!(ids(&sorted), ids(&all));
    let gone = world
        .list("/users?filter=status+eq+%22DEPROVISIONED%22")
        .await;
    assert_eq!(plain.len() + gone.len(), 450);
    let truth = world.sim.okta_truth();
    assert_eq!(ids(&all), ids(truth["users"].as_array().expect("users")));
    let got = world.okta("/users?limit=1").await;
    assert_eq!(got.headers.get_all("link").iter().count(), 2);
    for name in [
        "x-rate-limit-limit",
        "x-rate-limit-remaining",
        "x-rate-limit-reset",
        "date",
    ] {
        assert!(got.headers.contains_key(name), "{name}");
    }
    let login = plain[0]["profile"]["login"].as_str().expect("text");
    let single = world.okta(&format!("/users/{login}")).await;
    assert_eq!(single.body["id"], plain[0]["id"]);
    assert!(single.headers.contains_key("etag"));
    let few = world.okta("/users?fields=id,profile:(login)").await;
    assert!(few.body[0].get("status").is_none() && few.body[0]["profile"]["login"].is_string());
}

#[tokio::test]
async fn an_incremental_search_finds_what_changed() {
    let world = World::start(company(30)).await;
    let users = world.list("/users").await;
    let id = users[1]["id"].as_str().expect("an id");
    let newest = "2025-01-01T00:00:00.000Z";
    let search = format!("/users?search=lastUpdated+ge+%22{newest}%22&sortBy=lastUpdated");
    assert!(world.list(&search).await.is_empty());
    let path = format!("/sim/okta/users/{id}");
    let change = json!({"profile": {"title": "Chief", "nickName": "Ace"}, "status": "SUSPENDED"});
    world.sim.control("PATCH", &path, change).expect("valid");
    let found = world.list(&search).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["status"], "SUSPENDED");
    assert_eq!(found[0]["profile"]["nickName"], "Ace");
    world
        .sim
        .settings(json!({"okta_search_lag_ms": 60_000}))
        .expect("known");
    assert!(world.list(&search).await.is_empty());
    assert_eq!(
        world.okta(&format!("/users/{id}")).await.body["status"],
        "SUSPENDED"
    );
    let bad = world.okta("/users?search=status+ne+%22ACTIVE%22").await;
    assert_eq!(
        (bad.status, &bad.body["errorCode"]),
        (400, &json!("E0000031"))
    );
}

#[tokio::test]
async fn groups_tell_when_their_members_changed() {
    let world = World::start(company(30)).await;
    let found = world
        .list("/groups?filter=profile.name+eq+%22West+Coast+users%22")
        .await;
    let id = found[0]["id"].as_str().expect("an id");
    let members = world.list(&format!("/groups/{id}/users?limit=2")).await;
    let all = world.list("/users").await;
    assert_eq!(members.len(), 9, "a deactivated member is not listed");
    let since = "2025-01-01T00:00:00.000Z";
    let changed = format!(
        "/groups?filter=lastUpdated+gt+%22{since}%22+or+lastMembershipUpdated+gt+%22{since}%22"
    );
    assert!(world.list(&changed).await.is_empty());
    let new = all.last().expect("users")["id"].as_str().expect("an id");
    world
        .sim
        .control(
            "POST",
            &format!("/sim/okta/groups/{id}/members/{new}"),
            Value::Null,
        )
        .expect("known");
    let moved = world.list(&changed).await;
    assert_eq!(ids(&moved), [id]);
    let everyone = world.list("/groups?filter=type+eq+%22BUILT_IN%22").await;
    let everyone = everyone
        .iter()
        .find(|one| one["profile"]["name"] == "Everyone")
        .expect("born");
    let path = format!(
        "/groups/{}/users?limit=7",
        everyone["id"].as_str().expect("an id")
    );
    assert_eq!(ids(&world.list(&path).await), ids(&all));
}

#[tokio::test]
async fn the_log_tells_of_deletions() {
    let world = World::start(company(30)).await;
    let since = "2025-01-01T00:00:00.000Z";
    let filter = "eventType+eq+%22user.lifecycle.delete.completed%22+or+eventType+eq+%22group.lifecycle.delete%22";
    assert_eq!(
        world.okta(&format!("/logs?since={since}")).await.status,
        400,
        "too far back"
    );
    let mut poll = world
        .okta(&format!(
            "/logs?filter={filter}&limit=1&sortOrder=ASCENDING"
        ))
        .await;
    assert_eq!(poll.body, json!([]));
    let users = world.list("/users").await;
    let groups = world.list("/groups").await;
    let user = users[0]["id"].as_str().expect("an id");
    let group = groups.last().expect("groups")["id"]
        .as_str()
        .expect("an id");
    world
        .sim
        .control("DELETE", &format!("/sim/okta/users/{user}"), Value::Null)
        .expect("there");
    world
        .sim
        .control("DELETE", &format!("/sim/okta/groups/{group}"), Value::Null)
        .expect("there");
    let mut seen = Vec::new();
    for _ in 0..4 {
        poll = world
            .okta(&link(&poll, "next").expect("polling never ends"))
            .await;
        seen.extend(poll.body.as_array().expect("events").iter().cloned());
    }
    let kinds: Vec<_> = seen
        .iter()
        .map(|event| event["eventType"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["user.lifecycle.delete.completed", "group.lifecycle.delete"]
    );
    assert_eq!(seen[0]["target"][0]["id"], user);
    assert_eq!(
        world.okta(&format!("/users/{user}")).await.body["errorCode"],
        "E0000007"
    );
}

#[tokio::test]
async fn application_users_come_directly_or_by_group() {
    let world = World::start(company(60)).await;
    let path = format!("/apps/{OKTA_APP_ID}/users?limit=5&expand=user");
    let have = world.list(&path).await;
    let truth = world.sim.okta_truth();
    let effective = truth["assignments"]["effective"]
        .as_array()
        .expect("a list");
    assert_eq!(ids(&have), ids(effective));
    assert!(have.iter().any(|one| one["scope"] == "USER"));
    assert!(have.iter().any(|one| one["scope"] == "GROUP"));
    assert!(have[0]["_embedded"]["user"]["profile"]["login"].is_string());
    let groups = world
        .list(&format!("/apps/{OKTA_APP_ID}/groups?limit=2"))
        .await;
    assert_eq!(groups.len(), 4);
    let one = groups[0]["id"].as_str().expect("an id");
    world
        .sim
        .control(
            "DELETE",
            &format!("/sim/okta/assignments/{one}"),
            Value::Null,
        )
        .expect("assigned");
    assert!(world.list(&path).await.len() < have.len());
    assert_eq!(world.okta("/apps/0oaother").await.status, 404);
}

#[tokio::test]
async fn an_empty_bucket_refuses() {
    let world = World::start(company(20)).await;
    world
        .sim
        .settings(json!({"okta_limits": {"users": 1}, "okta_window_ms": 1_000}))
        .expect("known");
    assert_eq!(world.okta("/users").await.status, 200);
    let got = world.okta("/users").await;
    assert_eq!(
        (got.status, &got.body["errorCode"]),
        (429, &json!("E0000047"))
    );
    assert_eq!(got.headers["x-rate-limit-remaining"], "0");
    assert_eq!(world.okta("/groups").await.status, 200);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let world = World::start(company(60)).await;
    // A client that unpacks by itself would hide what was sent.
    let plain = reqwest::Client::builder()
        .gzip(false)
        .build()
        .expect("a client");
    let got = plain
        .get(format!("{}/api/v1/users", world.sim.base_url()))
        .header("Authorization", format!("SSWS {}", rosterd_sim::OKTA_TOKEN))
        .header("Accept-Encoding", "gzip")
        .send()
        .await
        .expect("an answer");
    assert_eq!(got.headers()["content-encoding"], "gzip");
    assert!(
        got.bytes()
            .await
            .expect("a body")
            .starts_with(&[0x1f, 0x8b])
    );
}
