//! What the RFC offers beyond what Entra and Okta use.

use serde_json::{Value, json};

use super::{Client, GROUP, USER, world};

#[test]
fn the_protocol_is_whole() {
    let world = world();
    let client = Client::start(&world);
    discovery(&client);
    versions(&client);
    lists(&client);
    bulk(&client);
    extensions(&client);
}

fn discovery(client: &Client) {
    let config = client.get("/ServiceProviderConfig").is(200).json();
    for feature in ["patch", "bulk", "filter", "sort", "etag"] {
        assert_eq!(config[feature]["supported"], true, "{feature}");
    }
    assert_eq!(config["changePassword"]["supported"], false);
    assert_eq!(config["pagination"]["cursor"], true);
    let schemas = client.get("/Schemas").is(200).json();
    assert_eq!(schemas["totalResults"], 4);
    for schema in schemas["Resources"].as_array().unwrap() {
        let id = schema["id"].as_str().unwrap();
        let one = client.get(&format!("/Schemas/{id}")).is(200).json();
        assert_eq!(one, *schema);
        assert!(!one.to_string().contains("null"));
    }
    let types = client.get("/ResourceTypes").is(200).json();
    assert_eq!(types["totalResults"], 2);
    client.get("/ResourceTypes/User").is(200);
    client.get("/ResourceTypes/Thing").is(404);
    client.get("/Schemas?filter=id+pr").is(403);
    for method in ["GET", "PUT", "POST", "DELETE"] {
        client.send(client.request(method, "/Me")).is(501);
    }
    client.get("/Nothing").is(404);
    let wrong = client.send(client.request("DELETE", "/Users"));
    assert_eq!(wrong.header("allow"), "GET, POST");
    wrong.is(405);
}

fn versions(client: &Client) {
    let made = client.call(
        "POST",
        "/Users",
        json!({ "schemas": [USER], "userName": "etag" }),
    );
    let tag = made.header("etag").to_owned();
    let location = made.header("location").to_owned();
    let made = made.is(201).json();
    assert_eq!(made["meta"]["version"], tag.as_str());
    assert_eq!(made["meta"]["location"], location.as_str());
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert!(location.ends_with(&path));
    let cached = client.request("GET", &path).header("if-none-match", &tag);
    let cached = client.send(cached).is(304);
    assert_eq!(
        (cached.text.as_str(), cached.header("etag")),
        ("", tag.as_str())
    );
    let title = |title: &str| {
        json!({ "Operations": [{ "op": "add", "path": "title", "value": title }] }).to_string()
    };
    let send = |method: &str, tag: &str, body: String| {
        let request = client.request(method, &path).header("if-match", tag);
        client.send(
            request
                .header("content-type", "application/json; charset=utf-8")
                .body(body),
        )
    };
    let changed = send("PATCH", &tag, title("A")).is(200);
    assert_ne!(changed.header("etag"), tag);
    send("PATCH", &tag, title("B")).is(412);
    send("PATCH", "*", title("C")).is(200);
    send("DELETE", &tag, String::new()).is(412);
    let same = send("PATCH", "*", title("C")).is(200);
    let read = client.get(&path).is(200);
    assert_eq!(read.header("etag"), same.header("etag"));
    send("DELETE", read.header("etag"), String::new()).is(204);
}

fn lists(client: &Client) {
    for name in ["list-b", "list-a", "list-c"] {
        client.user(name);
    }
    client.group("list-g", &[]);
    let search = |path: &str, body: Value| client.call("POST", path, body);
    let ask = |more: Value| {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": "userName sw \"list-\"", "sortBy": "userName", "attributes": ["userName"],
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let names = |list: &Value| -> Vec<String> {
        let all = list["Resources"].as_array().unwrap().iter();
        all.map(|r| r["userName"].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    let up = search("/Users/.search", ask(json!({}))).is(200).json();
    assert_eq!(names(&up), ["list-a", "list-b", "list-c"]);
    assert_eq!(up["Resources"][0].as_object().unwrap().len(), 3, "{up}");
    let down = search(
        "/.search",
        ask(json!({ "sortOrder": "descending", "startIndex": 2 })),
    );
    let down = down.is(200).json();
    assert_eq!(
        (names(&down), &down["totalResults"]),
        (vec!["list-b".into(), "list-a".into()], &json!(3))
    );
    let both = search(
        "/.search",
        json!({ "filter": "displayName sw \"list-\"", "count": 10 }),
    );
    assert_eq!(both.is(200).json()["totalResults"], 4);
    let none = search("/Users/.search", ask(json!({ "count": 0 })))
        .is(200)
        .json();
    assert_eq!(
        (&none["totalResults"], &none["Resources"]),
        (&json!(3), &json!([]))
    );
    // By cursor: each page names the next, the last one none.
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!(
            "/Users?count=1&filter=userName+sw+%22list-%22&cursor={cursor}"
        ));
        let page = page.is(200).json();
        assert_eq!(page.get("startIndex"), None);
        all.extend(names(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(all, ["list-b", "list-a", "list-c"]);
    let wrong = client
        .get(&format!("/Users?cursor={cursor}"))
        .is(400)
        .json();
    assert_eq!(wrong["scimType"], "invalidCursor");
    let wrong = client.get("/Users?cursor=nonsense").is(400).json();
    assert_eq!(wrong["scimType"], "invalidCursor");
}

fn bulk(client: &Client) {
    let answer = client.call("POST", "/Bulk", json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": {
                "schemas": [GROUP], "displayName": "Bulk", "members": [{ "value": "bulkId:u" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "u", "data": {
                "schemas": [USER], "userName": "bulk" } },
            { "method": "POST", "path": "/Users", "bulkId": "twice", "data": {
                "schemas": [USER], "userName": "BULK" } },
            { "method": "PATCH", "path": "/Users/bulkId:u", "data": { "Operations": [
                { "op": "add", "path": "title", "value": "T" }] } },
            { "method": "GET", "path": "/Users" },
            { "method": "DELETE", "path": "/Groups/bulkId:nobody" },
        ],
    }));
    let answer = answer.is(200).json();
    let outcomes = answer["Operations"].as_array().unwrap();
    let statuses: Vec<&str> = outcomes
        .iter()
        .map(|o| o["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        ["201", "201", "409", "200", "400", "400"],
        "{answer:#}"
    );
    assert_eq!(outcomes[2]["response"]["scimType"], "uniqueness");
    let user = outcomes[1]["location"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let filter = format!("members.value eq \"{user}\"");
    assert_eq!(client.found("Groups", &filter).len(), 1);
    // After so many errors nothing more is tried.
    let fails = json!({ "method": "DELETE", "path": "/Users/nobody" });
    let answer = client.call(
        "POST",
        "/Bulk",
        json!({
            "failOnErrors": 2, "Operations": [fails, fails, fails],
        }),
    );
    assert_eq!(
        answer.is(200).json()["Operations"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let many = vec![fails; 1001];
    client
        .call("POST", "/Bulk", json!({ "Operations": many }))
        .is(413);
}

fn extensions(client: &Client) {
    const URN: &str = "urn:ietf:params:scim:schemas:extension:appspace:2.0:User";
    let made = client.call(
        "POST",
        "/Users",
        json!({
            "schemas": [USER, URN], "userName": "extended", (URN): { "floor": 3, "unknown": "x" },
        }),
    );
    let made = made.is(201).json();
    assert_eq!(made[URN], json!({ "floor": "3" }));
    assert_eq!(made["schemas"], json!([USER, URN]));
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        client.found("Users", &format!("{URN}:floor eq \"3\"")),
        [id.as_str()]
    );
    let path = format!("/Users/{id}?attributes={URN}:site");
    let operation = json!([{ "op": "add", "path": format!("{URN}:site"), "value": "HQ" }]);
    let after = client.patch(&path, operation).is(200).json();
    assert_eq!(after[URN], json!({ "site": "HQ" }));
}
