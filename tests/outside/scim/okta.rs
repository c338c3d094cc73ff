//! What Okta sends: by PUT and by PATCH, group push and import.

use serde_json::{Value, json};

use super::{Client, GROUP, USER, world};

fn test_user() -> Value {
    json!({
        "schemas": [USER],
        "userName": "test.user@okta.local",
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    })
}

#[test]
fn a_user_lives_through_oktas_cycle() {
    let world = world();
    let client = Client::start(&world);
    let list = client.get("/Users?startIndex=1&count=2").is(200).json();
    assert_eq!(list["totalResults"], 0);
    let exists =
        "/Users?filter=userName%20eq%20%22Test.User%40okta.local%22&startIndex=1&count=100";
    assert_eq!(client.get(exists).is(200).json()["totalResults"], 0);
    let made = client.call("POST", "/Users", test_user()).is(201);
    assert!(!made.text.contains("1mz050nq"), "{}", made.text);
    let made = made.json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["name"]["givenName"], "Test");
    assert_eq!(
        client.call("POST", "/Users", test_user()).is(409).json()["scimType"],
        "uniqueness"
    );
    assert_eq!(client.get(exists).is(200).json()["totalResults"], 1);
    let key = "test.user@okta.local";
    client.account(key, |account| account.is_some());
    // What was answered comes back, changed, and what is left out is gone.
    let path = format!("/Users/{id}");
    let mut user = client.get(&path).is(200).json();
    user["displayName"] = json!("Other");
    user["title"] = json!("Boss");
    user.as_object_mut().unwrap().remove("locale");
    let put = client.call("PUT", &path, user.clone()).is(200).json();
    assert_eq!(
        (put["displayName"].as_str(), put.get("locale")),
        (Some("Other"), None)
    );
    client.account(key, |account| {
        account.is_some_and(|a| a["attributes"]["title"] == "Boss")
    });
    for by_put in [true, false] {
        for active in [false, true] {
            let answer = match by_put {
                true => {
                    user["active"] = json!(active);
                    client.call("PUT", &path, user.clone())
                }
                false => client.patch(
                    &path,
                    json!([{ "op": "replace", "value": { "active": active } }]),
                ),
            };
            assert_eq!(answer.is(200).json()["active"], active);
            client.account(key, |account| account.is_some() == active);
        }
    }
    let detail = client.get("/Users/unknown").is(404).json();
    assert!(detail["detail"].is_string());
}

#[test]
fn groups_are_pushed_and_users_imported() {
    let world = world();
    let client = Client::start(&world);
    let users: Vec<String> = (0..7)
        .map(|n| client.user(&format!("u{n}@okta.local")))
        .collect();
    let member = |n: usize| json!({ "value": users[n], "display": format!("u{n}@okta.local") });
    let made = client.call(
        "POST",
        "/Groups",
        json!({
            "schemas": [GROUP], "displayName": "Team", "members": [member(0)],
        }),
    );
    let id = made.is(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/Groups/{id}");
    client.groups(json!({ "Team": ["u0@okta.local"] }));
    let found = "/Groups?filter=displayName+eq+%22Team%22&startIndex=1&count=100";
    assert_eq!(client.get(found).is(200).json()["totalResults"], 1);
    // A rename with the group's own id, as it comes with every change of members.
    client
        .patch(
            &path,
            json!([{ "op": "replace", "value": { "id": id, "displayName": "Crew" } }]),
        )
        .is(204);
    let swap = json!([
        { "op": "remove", "path": format!("members[value eq \"{}\"]", users[0]) },
        { "op": "add", "path": "members", "value": [member(1), member(2)] },
    ]);
    client.patch(&path, swap).is(204);
    client.groups(json!({ "Crew": ["u1@okta.local", "u2@okta.local"] }));
    // The whole membership, in each way it is sent.
    client
        .patch(
            &path,
            json!([{ "op": "replace", "path": "members", "value": [member(3)] }]),
        )
        .is(204);
    client.groups(json!({ "Crew": ["u3@okta.local"] }));
    let without_schemas = json!({ "Operations": [
        { "op": "replace", "value": { "members": [], "id": id, "displayName": "Crew" } },
    ] });
    client.call("PATCH", &path, without_schemas).is(204);
    client.groups(json!({ "Crew": [] }));
    let whole =
        json!({ "schemas": [GROUP], "displayName": "Crew", "members": [member(4), member(5)] });
    let put = client.call("PUT", &path, whole).is(200).json();
    assert_eq!(put["members"].as_array().unwrap().len(), 2);
    client.groups(json!({ "Crew": ["u4@okta.local", "u5@okta.local"] }));
    // Import: pages that together are everybody, in an order that stays.
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let page = client
            .get(&format!("/Users?startIndex={start}&count=3"))
            .is(200)
            .json();
        assert_eq!(
            (&page["totalResults"], &page["startIndex"]),
            (&json!(7), &json!(start))
        );
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], resources.len());
        seen.extend(
            resources
                .iter()
                .map(|r| r["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, users);
    let cached = world.json(&["export", "users", "--source", "push"]);
    let cached: Vec<&str> = cached
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].as_str().unwrap())
        .collect();
    assert_eq!(cached, users);
    client.send(client.request("DELETE", &path)).is(204);
    client.groups(json!({}));
}
