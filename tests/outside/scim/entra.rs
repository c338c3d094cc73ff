//! What Entra's provisioning service sends, step by step, with and without its flag
//! `aadOptscim062020`.

use serde_json::{Value, json};

use super::{Client, ENTERPRISE, GROUP, USER, world};

fn jane() -> Value {
    json!({
        "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
        "externalId": "jane.ext",
        "userName": "Jane@Contoso.com",
        "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "Jane@Contoso.com" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "Jane Doe", "familyName": "Doe", "givenName": "Jane" },
        "displayName": "Jane Doe",
        "title": null,
        "roles": [],
        (ENTERPRISE): { "department": "Sales", "employeeNumber": "7" },
    })
}

#[test]
fn a_user_lives_through_entras_cycle() {
    let world = world();
    let client = Client::start(&world);
    // The connection is tested by asking for somebody who is not there.
    let list = client.get("/Users?filter=userName+eq+%2214dcae25-cd9a-4b5c-ba09-b13d65b0f3a1%22");
    let list = list.is(200).json();
    assert_eq!(list["totalResults"], 0);
    assert_eq!(list["Resources"], json!([]));
    assert_eq!(list["startIndex"], 1);
    assert_eq!(list["itemsPerPage"], 0);
    let made = client
        .call("POST", "/Users?aadOptscim062020", jane())
        .is(201);
    let made = made.json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["userName"], "Jane@Contoso.com");
    assert_eq!(made["meta"]["resourceType"], "User");
    client.call("POST", "/Users", jane()).is(409);
    client.account("jane@contoso.com", |account| {
        account.is_some_and(|a| a["attributes"]["title"] == "Staff")
    });
    for filter in [
        "userName eq \"jane@contoso.com\"",
        "externalId eq \"jane.ext\"",
        "externalId eq jane.ext",
        "emails[type eq \"work\"].value eq \"JANE@contoso.com\"",
        "emails[type eq \"work\" and value eq \"jane@contoso.com\"]",
    ] {
        assert_eq!(client.found("Users", filter), [id.as_str()], "{filter}");
    }
    let path = format!("/Users/{id}");
    changes(&client, &path);
    references(&client, &id);
    lifecycle(&client, &path);
}

fn changes(client: &Client, path: &str) {
    let number = format!("{ENTERPRISE}:employeeNumber");
    // One operation an attribute.
    let after = client.patch(path, json!([
        { "op": "Replace", "path": "displayName", "value": "Jane Roe" },
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "jane@contoso.com" },
        { "op": "Replace", "path": "name.familyName", "value": "Roe" },
        { "op": "Add", "path": "nickName", "value": "J" },
        { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1" },
        { "op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "Street 1" },
        { "op": "Replace", "path": number, "value": "8" },
        { "op": "Add", "path": "title", "value": "Engineer" },
        { "op": "Add", "path": "favourite", "value": "tea" },
    ]));
    let after = after.is(200).json();
    assert_eq!(after["displayName"], "Jane Roe");
    assert_eq!(
        after["phoneNumbers"],
        json!([{ "type": "mobile", "value": "+1" }])
    );
    assert_eq!(after[ENTERPRISE]["employeeNumber"], "8");
    client.account("jane@contoso.com", |account| {
        account.is_some_and(|a| {
            a["attributes"]["title"] == "Engineer" && a["displayName"] == "Jane Roe"
        })
    });
    // With the flag: filtered paths by themselves, the rest in one value.
    let path = format!("{path}?aadOptscim062020");
    let after = client.patch(&path, json!([
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "jane@contoso.com" },
        { "op": "replace", "value": {
            "displayName": "J", "name.givenName": "Joan", (number): "9", "title": "Lead",
        } },
    ]));
    let after = after.is(200).json();
    assert_eq!(after["name"]["givenName"], "Joan");
    assert_eq!(after["name"]["familyName"], "Roe");
    assert_eq!(after[ENTERPRISE]["employeeNumber"], "9");
    client.account("jane@contoso.com", |account| {
        account.is_some_and(|a| a["attributes"]["title"] == "Lead")
    });
    // Removing what is not there is done already.
    client
        .patch(&path, json!([{ "op": "Remove", "path": "profileUrl" }]))
        .is(200);
}

/// Entra asks whether a reference is there before it sets one.
fn references(client: &Client, id: &str) {
    let boss = client.user("boss@contoso.com");
    let path = format!("/Users/{id}");
    let filter = format!("id eq \"{id}\" and manager eq \"{boss}\"");
    assert!(client.found("Users", &filter).is_empty());
    let urn_path = format!("{ENTERPRISE}:manager");
    for (name, value) in [
        (
            "manager",
            json!([{ "$ref": "https://x/Users/9", "value": boss }]),
        ),
        (urn_path.as_str(), json!(boss)),
        (urn_path.as_str(), json!({ "value": boss })),
    ] {
        let operation = json!([{ "op": "Add", "path": name, "value": value }]);
        let after = client.patch(&path, operation).is(200).json();
        assert_eq!(
            after[ENTERPRISE]["manager"]["value"],
            boss.as_str(),
            "{name}"
        );
    }
    assert_eq!(client.found("Users", &filter), [id]);
    let gone = client.patch(&path, json!([{ "op": "Remove", "path": "manager" }]));
    assert_eq!(gone.is(200).json()[ENTERPRISE]["manager"], Value::Null);
}

fn lifecycle(client: &Client, path: &str) {
    let sales = client.group("Sales", &[path.trim_start_matches("/Users/")]);
    client.groups(json!({ "Sales": ["jane@contoso.com"] }));
    for (off, on) in [(json!("False"), json!("True")), (json!(false), json!(true))] {
        let set = |value: &Value| json!([{ "op": "Replace", "path": "active", "value": value }]);
        assert_eq!(
            client.patch(path, set(&off)).is(200).json()["active"],
            false
        );
        client.account("jane@contoso.com", |account| account.is_none());
        // Somebody inactive can still be read, and stays in the groups.
        assert_eq!(client.get(path).is(200).json()["active"], false);
        assert_eq!(
            client
                .found("Users", "userName eq \"jane@contoso.com\"")
                .len(),
            1
        );
        client.groups(json!({ "Sales": [] }));
        client.patch(path, set(&on)).is(200);
        client.account("jane@contoso.com", |account| account.is_some());
        client.groups(json!({ "Sales": ["jane@contoso.com"] }));
    }
    client.send(client.request("DELETE", path)).is(204);
    client.send(client.request("DELETE", path)).is(404);
    client.get(path).is(404);
    client.account("jane@contoso.com", |account| account.is_none());
    let group = client.get(&format!("/Groups/{sales}")).is(200).json();
    assert_eq!(group["members"], Value::Null);
    client.groups(json!({ "Sales": [] }));
}

#[test]
fn a_group_lives_through_entras_cycle() {
    let world = world();
    let client = Client::start(&world);
    let missing = "/Groups?excludedAttributes=members&filter=displayName+eq+%22Payroll%22";
    assert_eq!(client.get(missing).is(200).json()["totalResults"], 0);
    let made = client.call("POST", "/Groups", json!({
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0", "displayName": "Payroll", "meta": { "resourceType": "Group" },
    }));
    let id = made.is(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/Groups/{id}");
    client.groups(json!({ "Payroll": [] }));
    let users: Vec<String> = ["a@x", "b@x", "c@x", "d@x"]
        .map(|name| client.user(name))
        .to_vec();
    let add = |op: &str, ids: &[&String]| {
        let value: Value = ids
            .iter()
            .map(|id| json!({ "$ref": null, "value": id }))
            .collect();
        json!([{ "op": op, "path": "members", "value": value }])
    };
    let answer = client
        .patch(&path, add("Add", &[&users[0], &users[1]]))
        .is(204);
    assert_eq!(answer.text, "");
    // Twice is as good as once.
    client
        .patch(&path, add("add", &[&users[1], &users[2], &users[3]]))
        .is(204);
    client.groups(json!({ "Payroll": ["a@x", "b@x", "c@x", "d@x"] }));
    let filter = format!("id eq \"{id}\" and members eq \"{}\"", users[0]);
    assert_eq!(client.found("Groups", &filter), [id.as_str()]);
    // Removal in both forms, and of somebody who is no member.
    let by_value = json!([{ "op": "Remove", "path": "members", "value": [{ "value": users[0] }] }]);
    client.patch(&path, by_value.clone()).is(204);
    client.patch(&path, by_value).is(204);
    let by_filter = format!("members[value eq \"{}\"]", users[1]);
    client
        .patch(&path, json!([{ "op": "remove", "path": by_filter }]))
        .is(204);
    assert!(client.found("Groups", &filter).is_empty());
    client.groups(json!({ "Payroll": ["c@x", "d@x"] }));
    // What is ambiguous removes nobody.
    for value in [json!(null), json!([{ "display": "c@x" }])] {
        let unclear = json!([{ "op": "Remove", "path": "members", "value": value }]);
        let error = client.patch(&path, unclear).is(400).json();
        assert_eq!(error["scimType"], "invalidValue");
    }
    let read = client
        .get(&format!("{path}?excludedAttributes=members"))
        .is(200)
        .json();
    assert_eq!(
        (read["displayName"].as_str(), read.get("members")),
        (Some("Payroll"), None)
    );
    let rename = json!([{ "op": "Replace", "path": "displayName", "value": "Wages" }]);
    client.patch(&path, rename).is(204);
    client.groups(json!({ "Wages": ["c@x", "d@x"] }));
    client
        .patch(&path, json!([{ "op": "Remove", "path": "members" }]))
        .is(204);
    client.groups(json!({ "Wages": [] }));
    client.send(client.request("DELETE", &path)).is(204);
    client.send(client.request("DELETE", &path)).is(404);
    client.groups(json!({}));
}
