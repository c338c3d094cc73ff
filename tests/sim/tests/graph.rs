//! The Graph endpoints, walked over HTTP.

mod client;

use std::collections::{BTreeMap, BTreeSet};

use client::{World, ids};
use rosterd_sim::SimOptions;
use serde_json::{Value, json};

fn company(users: usize) -> SimOptions {
    SimOptions {
        users,
        groups: 30,
        memberships: users * 5,
        ..SimOptions::default()
    }
}

/// Memberships as a client gathers them from `members@delta`.
fn edges(items: &[Value], known: &mut BTreeMap<String, BTreeSet<String>>) {
    for item in items {
        let group = item["id"].as_str().expect("an id").to_owned();
        if item["@removed"]["reason"] == "deleted" {
            known.remove(&group);
            continue;
        }
        let members = known.entry(group).or_default();
        for entry in item["members@delta"].as_array().into_iter().flatten() {
            let id = entry["id"].as_str().expect("an id").to_owned();
            if entry.get("@removed").is_some() {
                members.remove(&id);
            } else {
                members.insert(id);
            }
        }
    }
}

fn true_edges(truth: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for group in truth["groups"].as_array().expect("groups") {
        let members = ids(group["members"].as_array().expect("members"));
        all.insert(
            group["id"].as_str().expect("an id").to_owned(),
            members.into_iter().collect(),
        );
    }
    all
}

#[tokio::test]
async fn a_full_list_is_the_truth() {
    let world = World::start(company(450)).await;
    let path = "/users?$top=100&%24select=id,userPrincipalName,accountEnabled,department";
    let (users, _) = world.walk(path).await;
    let truth = world.sim.graph_truth();
    assert_eq!(ids(&users), ids(truth["users"].as_array().expect("users")));
    assert!(users.iter().any(|user| user["accountEnabled"] == false));
    assert!(users[0].get("mail").is_none());
    let count = world.graph("/users/$count").await;
    assert_eq!(count.body, json!(450));
    let (groups, _) = world.walk("/groups?$select=id,displayName&$top=7").await;
    assert_eq!(groups.len(), 30);
    let expanded = world
        .graph("/users?$select=id&$expand=manager($select=id)&$top=3")
        .await;
    assert!(expanded.body["value"][1]["manager"]["id"].is_string());
    assert_eq!(expanded.headers["x-ms-resource-unit"], "1");
}

#[tokio::test]
async fn a_cached_page_shows_a_change() {
    let world = World::start(company(300)).await;
    let path = "/users?$select=id,jobTitle,userPrincipalName&$expand=manager&$top=50";
    let (before, _) = world.walk(path).await;
    let id = before[0]["id"].as_str().expect("an id");
    world
        .sim
        .patch_user(
            id,
            json!({"jobTitle": "Boss", "userPrincipalName": "boss@contoso.com"}),
        )
        .expect("known");
    let (after, _) = world.walk(path).await;
    assert_eq!(after[0]["jobTitle"], "Boss");
    assert_eq!(after[1]["manager"]["userPrincipalName"], "boss@contoso.com");
    assert_eq!(world.graph("/users/boss@contoso.com").await.body["id"], *id);
    world.sim.delete_user(id).expect("present");
    let (after, _) = world.walk(path).await;
    assert_eq!(after.len(), 299);
    assert!(after[0].get("manager").is_none());
}

#[tokio::test]
async fn refusals_have_the_documented_shapes() {
    let world = World::start(company(20)).await;
    let code = |got: client::Got| (got.status, got.body["error"]["code"].clone());
    assert_eq!(code(world.graph("/users?$top=1000").await).0, 400);
    assert_eq!(
        code(world.graph("/users/nobody@contoso.com").await),
        (404, json!("Request_ResourceNotFound"))
    );
    assert_eq!(code(world.graph("/users?$select=aboutMe").await).0, 501);
    assert_eq!(code(world.graph("/users?$select=nonsense").await).0, 400);
    assert_eq!(
        code(world.graph("/users?$filter=userType%20ne%20'Guest'").await),
        (400, json!("Request_UnsupportedQuery"))
    );
    assert_eq!(
        code(world.graph("/users?$skiptoken=forged").await),
        (400, json!("Directory_ExpiredPageToken"))
    );
    let without = world
        .http
        .get(format!("{}/users", world.sim.graph_url()))
        .send()
        .await;
    assert_eq!(without.expect("an answer").status(), 401);
    let permissions = json!({"graph_permissions": ["User.Read.All"]});
    world.sim.settings(permissions).expect("known");
    assert_eq!(
        code(world.graph("/groups").await),
        (403, json!("Authorization_RequestDenied"))
    );
    assert_eq!(code(world.graph("/servicePrincipals").await).0, 403);
}

#[tokio::test]
async fn users_can_be_filtered() {
    let world = World::start(company(60)).await;
    let truth = world.sim.graph_truth();
    let users = truth["users"].as_array().expect("users");
    let (a, b) = (&users[3]["id"], &users[9]["id"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (found, _) = world
        .walk(&format!(
            "/users?$filter=id in ('{}','{}')",
            text(a),
            text(b)
        ))
        .await;
    assert_eq!(found.len(), 2);
    let mail = text(&users[9]["mail"]).to_lowercase();
    let (found, _) = world
        .walk(&format!("/users?$filter=mail eq '{mail}'"))
        .await;
    assert_eq!(found[0]["id"], *b);
    let (disabled, _) = world
        .walk("/users?$select=id&$filter=accountEnabled eq false&$top=1")
        .await;
    let really = users
        .iter()
        .filter(|user| user["accountEnabled"] == false)
        .count();
    assert_eq!(disabled.len(), really);
    let (twins, _) = world
        .walk("/groups?$filter=displayName eq 'Projekt Übermut'")
        .await;
    assert_eq!(twins.len(), 2);
}

#[tokio::test]
async fn members_are_direct_or_transitive() {
    let world = World::start(company(40)).await;
    let (found, _) = world
        .walk("/groups?$filter=displayName eq 'Sales Worldwide'")
        .await;
    let id = found[0]["id"].as_str().expect("an id");
    let (direct, _) = world
        .walk(&format!("/groups/{id}/members?$select=id&$top=1"))
        .await;
    assert_eq!(direct.len(), 2);
    assert!(
        direct
            .iter()
            .any(|one| one["@odata.type"] == "#microsoft.graph.group")
    );
    let (all, _) = world
        .walk(&format!("/groups/{id}/transitiveMembers?$select=id"))
        .await;
    assert_eq!(all.len(), 10);
    let path = format!("/groups/{id}/transitiveMembers/microsoft.graph.user?$select=id");
    let (people, _) = world.walk(&path).await;
    assert_eq!(people.len(), 8);
    // A ring ends.
    let (found, _) = world.walk("/groups?$filter=displayName eq 'Ring A'").await;
    let ring = found[0]["id"].as_str().expect("an id");
    let (all, _) = world
        .walk(&format!("/groups/{ring}/transitiveMembers?$select=id"))
        .await;
    assert_eq!(all.len(), 8);
    // Without the permission to read users, members keep their type and id only.
    let permissions = json!({"graph_permissions": ["GroupMember.Read.All"]});
    world.sim.settings(permissions).expect("known");
    let path = format!("/groups/{id}/members/microsoft.graph.user?$select=id,displayName");
    let (people, _) = world.walk(&path).await;
    assert_eq!(people[0]["displayName"], Value::Null);
}

#[tokio::test]
async fn user_delta_follows_changes() {
    let world = World::start(company(450)).await;
    world
        .sim
        .settings(json!({"delta_empty_every": 2}))
        .expect("known");
    let (first, link) = world
        .walk("/users/delta()?$select=displayName,jobTitle,manager")
        .await;
    assert_eq!(first.len(), 450);
    assert!(first[1]["manager@delta"][0]["id"].is_string());
    let mut link = link.expect("a delta link");
    let id = first[2]["id"].as_str().expect("an id").to_owned();
    let round = async |link: &mut String| {
        let (items, next) = world.walk(link).await;
        *link = next.expect("a delta link");
        items
    };
    assert!(round(&mut link).await.is_empty());
    world
        .sim
        .patch_user(&id, json!({"jobTitle": null}))
        .expect("known");
    world
        .sim
        .patch_user(&id, json!({"city": "Elsewhere"}))
        .expect("known");
    let items = round(&mut link).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].get("jobTitle"), Some(&Value::Null));
    assert!(items[0]["displayName"].is_string());
    world
        .sim
        .patch_user(&id, json!({"city": "Somewhere"}))
        .expect("known");
    assert!(round(&mut link).await.is_empty());
    world.sim.delete_user(&id).expect("present");
    assert_eq!(round(&mut link).await[0]["@removed"]["reason"], "changed");
    let path = format!("/sim/graph/users/{id}");
    world
        .sim
        .control("POST", &format!("{path}/restore"), Value::Null)
        .expect("binned");
    assert!(round(&mut link).await[0].get("@removed").is_none());
    world
        .sim
        .control("POST", &format!("{path}/purge"), Value::Null)
        .expect("there");
    assert_eq!(round(&mut link).await[0]["@removed"]["reason"], "deleted");
    let latest = world
        .graph("/users/delta?$deltatoken=latest&$select=id")
        .await;
    assert!(latest.body["value"].as_array().expect("a list").is_empty());
    world
        .sim
        .create_user(json!({"displayName": "Nova"}))
        .expect("valid");
    let (items, _) = world
        .walk(latest.body["@odata.deltaLink"].as_str().expect("a link"))
        .await;
    assert_eq!(items.len(), 1);
}

#[tokio::test]
async fn group_delta_arrives_at_the_truth() {
    let world = World::start(company(300)).await;
    let sizes = json!({"delta_group_chunk": 20, "delta_page_members": 50, "delta_page_groups": 6});
    world.sim.settings(sizes).expect("known");
    let mut known = BTreeMap::new();
    let (first, link) = world
        .walk("/groups/microsoft.graph.delta()?%24select=displayName,members")
        .await;
    edges(&first, &mut known);
    assert_eq!(known, true_edges(&world.sim.graph_truth()));
    let appearances = |id: &Value| first.iter().filter(|item| item["id"] == *id).count();
    assert!(first.iter().any(|item| appearances(&item["id"]) > 2));

    let truth = world.sim.graph_truth();
    let users = ids(truth["users"].as_array().expect("users"));
    let groups = ids(truth["groups"].as_array().expect("groups"));
    let path = |at: usize| format!("/sim/graph/groups/{}/members", groups[at]);
    world
        .sim
        .control("POST", &path(0), json!(users[..60]))
        .expect("known");
    world
        .sim
        .control("DELETE", &path(0), json!(users[..30]))
        .expect("known");
    world
        .sim
        .control("POST", &path(0), json!(users[..10]))
        .expect("known");
    world.sim.add_member(&groups[1], &groups[2]).expect("known");
    // A user in the recycle bin keeps the links; only the purge takes them.
    world.sim.delete_user(&users[40]).expect("present");
    let (items, link) = world.walk(&link.expect("a link")).await;
    edges(&items, &mut known);
    assert_eq!(known, true_edges(&world.sim.graph_truth()));
    world
        .sim
        .control(
            "POST",
            &format!("/sim/graph/users/{}/purge", users[40]),
            Value::Null,
        )
        .expect("binned");
    let group = format!("/sim/graph/groups/{}", groups[5]);
    world
        .sim
        .control("DELETE", &group, Value::Null)
        .expect("present");
    let (items, link) = world.walk(&link.expect("a link")).await;
    assert!(
        items
            .iter()
            .any(|item| item["@removed"]["reason"] == "changed")
    );
    world
        .sim
        .control("POST", &format!("{group}/purge"), Value::Null)
        .expect("binned");
    let (more, _) = world.walk(&link.expect("a link")).await;
    edges(&items, &mut known);
    edges(&more, &mut known);
    assert_eq!(known, true_edges(&world.sim.graph_truth()));
}

#[tokio::test]
async fn delta_tokens_expire() {
    let world = World::start(company(20)).await;
    let (_, link) = world.walk("/users/delta?$select=id,mail").await;
    let link = link.expect("a link");
    world
        .sim
        .control("POST", "/sim/graph/expire_delta_tokens", Value::Null)
        .expect("known");
    let got = world.graph(&link).await;
    assert_eq!(got.status, 410);
    let location = got.headers["location"].to_str().expect("text").to_owned();
    assert_eq!(world.walk(&location).await.0.len(), 20);
    world
        .sim
        .settings(json!({"delta_expiry": "sync_state_not_found"}))
        .expect("known");
    let got = world.graph(&link).await;
    assert_eq!(
        (got.status, &got.body["error"]["code"]),
        (400, &json!("syncStateNotFound"))
    );
}

#[tokio::test]
async fn assignments_list_users_and_groups() {
    let world = World::start(company(20)).await;
    let app = format!("/servicePrincipals(appId='{}')", rosterd_sim::APP_ID);
    let object = world.graph(&app).await.body;
    let (by_app, _) = world.walk(&format!("{app}/appRoleAssignedTo?$top=3")).await;
    let id = object["id"].as_str().expect("an id");
    let (by_id, _) = world
        .walk(&format!("/servicePrincipals/{id}/appRoleAssignedTo"))
        .await;
    assert_eq!(by_app, by_id);
    for kind in ["User", "Group", "ServicePrincipal"] {
        assert!(
            by_id.iter().any(|one| one["principalType"] == kind),
            "{kind}"
        );
    }
    let (found, _) = world
        .walk(&format!(
            "/servicePrincipals?$filter=appId eq '{}'",
            rosterd_sim::APP_ID
        ))
        .await;
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn a_batch_answers_each_request_by_itself() {
    let world = World::start(company(20)).await;
    let (users, _) = world.walk("/users?$select=id").await;
    let id = users[0]["id"].as_str().expect("an id");
    let requests = json!({"requests": [
        {"id": "1", "method": "GET", "url": format!("/users/{id}?$select=id,displayName")},
        {"id": "2", "method": "GET", "url": "/users/nobody"},
        {"id": "3", "method": "GET", "url": "/groups", "dependsOn": ["2"]},
    ]});
    let got = world.graph_post("/$batch", requests).await;
    let status = |id: &str| {
        let all = got.body["responses"].as_array().expect("responses");
        all.iter().find(|one| one["id"] == id).expect("answered")["status"].clone()
    };
    assert_eq!(
        [status("1"), status("2"), status("3")],
        [json!(200), json!(404), json!(424)]
    );
    let many: Vec<Value> = (0..21)
        .map(|at| json!({"id": at.to_string(), "method": "GET", "url": "/users"}))
        .collect();
    assert_eq!(
        world
            .graph_post("/$batch", json!({"requests": many}))
            .await
            .status,
        400
    );
    let body = json!({"ids": [id, "00000000-0000-4000-8000-000000000000"], "types": ["user"]});
    let got = world.graph_post("/directoryObjects/getByIds", body).await;
    assert_eq!(got.body["value"].as_array().expect("a list").len(), 1);
    world.sim.delete_user(id).expect("present");
    let (binned, _) = world
        .walk("/directory/deletedItems/microsoft.graph.user?$select=id,deletedDateTime")
        .await;
    assert!(binned[0]["deletedDateTime"].is_string());
}

#[tokio::test]
async fn a_spent_quota_asks_for_patience() {
    let world = World::start(company(20)).await;
    world
        .sim
        .settings(json!({"graph_ru": 2, "graph_window_ms": 600, "early_grace_ms": 0}))
        .expect("known");
    assert_eq!(world.graph("/users?$select=id").await.status, 200);
    let second = world.graph("/users?$select=id").await;
    assert!(
        second
            .headers
            .contains_key("x-ms-throttle-limit-percentage")
    );
    let third = world.graph("/users?$select=id").await;
    assert_eq!(third.status, 429);
    assert_eq!(third.body["error"]["code"], "TooManyRequests");
    let wait: f64 = third.headers["retry-after"]
        .to_str()
        .expect("text")
        .parse()
        .expect("a number");
    assert!(wait > 0.0 && wait <= 0.6);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(world.graph("/users?$select=id").await.status, 429);
    tokio::time::sleep(std::time::Duration::from_millis(650)).await;
    assert_eq!(world.graph("/users?$select=id").await.status, 200);
    let stats = world.sim.stats();
    assert_eq!((stats.throttled, stats.early_returns), (2, 1));
    assert_eq!(stats.classes["graph.users.list"].requests, 5);
}

#[tokio::test]
async fn tokens_are_refused_with_the_vendors_codes() {
    let world = World::start(company(20)).await;
    let ask = async |tenant: &str, form: &str| {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", world.sim.base_url());
        let form = format!("grant_type=client_credentials&scope=x%2F.default&{form}");
        let got = world
            .http
            .post(url)
            .body(form)
            .send()
            .await
            .expect("an answer");
        let body: Value = got.json().await.expect("JSON");
        body["error_codes"][0].as_u64()
    };
    let tenant = rosterd_sim::TENANT_DOMAIN;
    assert_eq!(
        ask("elsewhere.com", "client_id=sim-client").await,
        Some(90_002)
    );
    assert_eq!(
        ask(tenant, "client_id=other&client_secret=x").await,
        Some(700_016)
    );
    assert_eq!(
        ask(tenant, "client_id=sim-client&client_secret=x").await,
        Some(7_000_215)
    );
    assert_eq!(
        ask(tenant, "client_id=sim-client&client_assertion=a.b.c").await,
        Some(700_027)
    );
    let right = "client_id=sim-client&client_secret=sim-secret";
    assert_eq!(ask(tenant, right).await, None);
    let expired = json!({"secret_expired": true, "federated_tokens": ["outside"]});
    world
        .sim
        .control("POST", "/sim/graph/credentials", expired)
        .expect("known");
    assert_eq!(ask(tenant, right).await, Some(7_000_222));
    assert_eq!(
        ask(tenant, "client_id=sim-client&client_assertion=outside").await,
        None
    );
    world
        .sim
        .control("POST", "/sim/graph/expire_access_tokens", Value::Null)
        .expect("known");
    assert_eq!(world.graph("/users").await.status, 401);
    let imds = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com/",
        world.sim.base_url()
    );
    let got = world
        .http
        .get(imds)
        .header("Metadata", "true")
        .send()
        .await
        .expect("an answer");
    let body: Value = got.json().await.expect("JSON");
    assert!(body["expires_in"].is_string());
}
