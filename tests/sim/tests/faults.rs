//! Each kind of trouble, as a client meets it.

mod client;

use client::{World, link};
use rosterd_sim::SimOptions;
use serde_json::{Value, json};

async fn troubled(rule: Value) -> World {
    let world = World::start(SimOptions::default()).await;
    world.sim.faults(json!([rule])).expect("a rule");
    world
}

async fn raw(world: &World, path: &str) -> Result<(u16, String), reqwest::Error> {
    let url = format!("{}{path}", world.sim.graph_url());
    let got = world.http.get(url).bearer_auth(&world.token).send().await?;
    let status = got.status().as_u16();
    Ok((status, got.text().await?))
}

#[tokio::test]
async fn a_status_comes_with_what_the_rule_says() {
    let rule = json!({"path": "/v1.0/users*", "nth": 2, "kind": "status", "status": 503,
                      "retry_after": "1.5", "body": "html"});
    let world = troubled(rule).await;
    assert_eq!(world.graph("/users").await.status, 200);
    let got = world.graph("/users").await;
    assert_eq!(
        (got.status, got.headers["retry-after"].to_str().ok()),
        (503, Some("1.5"))
    );
    assert!(got.body.is_string());
    assert_eq!(world.graph("/users").await.status, 200);
    assert_eq!(world.sim.stats().faults, 1);
}

#[tokio::test]
async fn connections_break() {
    let world = troubled(json!({"path": "/v1.0/users", "times": 1, "kind": "drop"})).await;
    assert!(raw(&world, "/users").await.is_err());
    assert!(raw(&world, "/users").await.is_ok());
    let world = troubled(json!({"path": "/v1.0/users", "times": 1, "kind": "reset_conn"})).await;
    assert!(raw(&world, "/users").await.is_err());
    assert!(raw(&world, "/users").await.is_ok());
}

#[tokio::test]
async fn bodies_are_spoiled() {
    let world = troubled(json!({"path": "*", "times": 1, "kind": "truncate"})).await;
    let (status, text) = raw(&world, "/users").await.expect("valid HTTP");
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&text).is_err());
    let world = troubled(json!({"path": "*", "times": 1, "kind": "html"})).await;
    assert!(
        raw(&world, "/users")
            .await
            .expect("valid HTTP")
            .1
            .starts_with("<!doctype")
    );
    let world = troubled(json!({"path": "*", "times": 1, "kind": "drip", "ms": 1})).await;
    let (_, text) = raw(&world, "/users").await.expect("valid HTTP");
    assert!(serde_json::from_str::<Value>(&text).is_ok());
}

#[tokio::test]
async fn listings_lie() {
    let world = troubled(json!({"path": "*", "times": 1, "kind": "short", "keep": 3})).await;
    let got = world.graph("/users?$top=10").await.body;
    assert_eq!(got["value"].as_array().expect("a list").len(), 3);
    assert!(got["@odata.nextLink"].is_string());
    let world = troubled(json!({"path": "*", "times": 1, "kind": "empty"})).await;
    world
        .sim
        .settings(json!({"delta_page_users": 5}))
        .expect("known");
    let (items, link_) = world.walk("/users/delta?$select=id").await;
    assert!(items.is_empty() && link_.is_some());
    let world = troubled(json!({"path": "*", "kind": "endless"})).await;
    let got = world.graph("/users?$top=999").await.body;
    let next = got["@odata.nextLink"].as_str().expect("a link").to_owned();
    assert!(world.graph(&next).await.body["@odata.nextLink"].is_string());
    let got = world.okta("/users").await;
    assert!(link(&got, "next").is_some());
}

#[tokio::test]
async fn tokens_and_rounds_end() {
    let world = troubled(json!({"path": "*/delta*", "times": 1, "kind": "gone"})).await;
    let got = world.graph("/users/delta?$select=id").await;
    assert_eq!(got.status, 410);
    let location = got.headers["location"].to_str().expect("text").to_owned();
    assert_eq!(world.graph(&location).await.status, 200);
    let world = troubled(json!({"path": "*", "times": 1, "kind": "expire_token"})).await;
    let got = world.graph("/users").await;
    assert_eq!(got.body["error"]["code"], "InvalidAuthenticationToken");
    world.sim.clear_faults();
    assert_eq!(world.graph("/users").await.status, 200);
}
