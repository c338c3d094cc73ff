//! Whatever a client sends that makes no sense gets a SCIM error of the right kind, and leaves
//! nothing behind.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, USER, world};

#[test]
fn nonsense_is_refused_and_leaves_nothing() {
    let world = world();
    let client = Client::start(&world);
    let id = client.user("there");
    bodies(&client, &id);
    queries(&client);
    paths(&client, &id);
    connections(&client);
    let list = client.get("/Users").is(200).json();
    assert_eq!(list["totalResults"], 1, "{list}");
    assert_eq!(
        client.get(&format!("/Users/{id}")).is(200).header("etag"),
        "W/\"1\""
    );
}

#[track_caller]
fn refused(client: &Client, request: reqwest::RequestBuilder, status: u16, scim_type: &str) {
    let error = client.send(request).is(status).json();
    let expected = match scim_type {
        "" => Value::Null,
        scim_type => json!(scim_type),
    };
    assert_eq!(error["scimType"], expected, "{error}");
}

fn bodies(client: &Client, id: &str) {
    let scim = |method: &str, path: &str, body: Vec<u8>| {
        let request = client.request(method, path);
        request
            .header("content-type", "application/scim+json")
            .body(body)
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        b"{".to_vec(),
        b"nonsense".to_vec(),
        b"{\"userName\": \"\xff\xfe\"}".to_vec(),
        deep.into_bytes(),
        b"[]".to_vec(),
        b"null".to_vec(),
        Vec::new(),
    ] {
        refused(client, scim("POST", "/Users", body), 400, "invalidSyntax");
    }
    let text = client
        .request("POST", "/Users")
        .header("content-type", "text/plain")
        .body("{}");
    refused(client, text, 415, "");
    let large = vec![b' '; 50 * 1024 * 1024];
    refused(client, scim("POST", "/Users", large), 413, "");
    let user = |more: Value| {
        let mut user = json!({ "schemas": [USER], "userName": "x" });
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        user.to_string().into_bytes()
    };
    for more in [
        json!({ "schemas": ["urn:nothing"] }),
        json!({ "schemas": "urn:nothing" }),
        json!({ "userName": null }),
        json!({ "userName": { "value": "x" } }),
        json!({ "active": "perhaps" }),
        json!({ "emails": [["x"]] }),
        json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
        json!({ "name": 1 }),
    ] {
        refused(
            client,
            scim("POST", "/Users", user(more)),
            400,
            "invalidValue",
        );
    }
    let both = user(json!({ "USERNAME": "y" }));
    refused(client, scim("POST", "/Users", both), 400, "invalidSyntax");
    refused(
        client,
        scim("POST", "/Users", user(json!({ "userName": "THERE" }))),
        409,
        "uniqueness",
    );
    let member = json!({ "schemas": [super::GROUP], "displayName": "g", "members": [{ "value": "nobody" }] });
    refused(
        client,
        scim("POST", "/Groups", member.to_string().into()),
        400,
        "invalidValue",
    );
    let path = format!("/Users/{id}");
    for (operation, scim_type) in [
        (json!({ "op": "move", "path": "title" }), "invalidSyntax"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "add", "path": "title" }), "invalidValue"),
        (
            json!({ "op": "replace", "path": "emails[type", "value": 1 }),
            "invalidPath",
        ),
        (
            json!({ "op": "replace", "path": "id", "value": "other" }),
            "mutability",
        ),
        (
            json!({ "op": "replace", "path": "groups", "value": [] }),
            "mutability",
        ),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (
            json!({ "op": "replace", "path": "emails[value co \"zz\"].type", "value": "x" }),
            "noTarget",
        ),
        (
            json!({ "op": "replace", "path": "active", "value": [1, 2] }),
            "invalidValue",
        ),
    ] {
        // The first operation would be fine, and is not done either.
        let operations = json!([{ "op": "add", "path": "title", "value": "half" }, operation]);
        let body = json!({ "schemas": [super::PATCH], "Operations": operations });
        refused(
            client,
            scim("PATCH", &path, body.to_string().into()),
            400,
            scim_type,
        );
    }
    let wrong = json!({ "schemas": [USER], "Operations": [{ "op": "remove", "path": "title" }] });
    refused(
        client,
        scim("PATCH", &path, wrong.to_string().into()),
        400,
        "invalidValue",
    );
}

fn queries(client: &Client) {
    for filter in [
        "userName",
        "userName+zz+1",
        "(",
        "nothing+eq+1",
        "active+gt+true",
        "name+eq+1",
    ] {
        refused(
            client,
            client.request("GET", &format!("/Users?filter={filter}")),
            400,
            "invalidFilter",
        );
    }
    for query in [
        "startIndex=x",
        "count=1.5",
        "sortOrder=up",
        "attributes=a&excludedAttributes=b",
    ] {
        refused(
            client,
            client.request("GET", &format!("/Users?{query}")),
            400,
            "invalidValue",
        );
    }
    refused(
        client,
        client.request("GET", "/Users?sortBy=nothing"),
        400,
        "invalidPath",
    );
    for filter in [
        "a".repeat(1024 * 1024),
        "(".repeat(10_000),
        "title pr or ".repeat(2000),
    ] {
        let request = client.request("POST", "/Users/.search");
        let request = request.header("content-type", "application/json");
        let body = json!({ "filter": filter }).to_string();
        refused(client, request.body(body), 400, "invalidFilter");
    }
    // What is not known in a query is not asked for.
    client.get("/Users?aadOptscim062020&nothing=1").is(200);
    client.get("/Users?startIndex=-5&count=-1").is(200);
}

fn paths(client: &Client, id: &str) {
    for path in [
        "/Users/..%2f..%2fetc%2fpasswd",
        "/Users/%00",
        "/Users/%0d%0aX-Injected:%201",
        "/Users/%F0%9F%92%A9",
        "/Groups/nobody",
        "/Users/a/b/c",
    ] {
        let answer = client.get(path);
        assert_eq!(answer.header("x-injected"), "");
        answer.is(404);
    }
    // Another source's client has no business here, whether or not there is such a source.
    for source in ["other", "..", "%2e%2e"] {
        let path = format!("/scim/{source}/v2/Users/{id}");
        let request = client
            .served
            .request("GET", &path)
            .bearer_auth(&client.token);
        let status = client.served.send(request).status;
        assert!(status == 401 || status == 404, "{source}: {status}");
    }
}

/// What HTTP clients do not do.
fn connections(client: &Client) {
    let address = client
        .served
        .base
        .strip_prefix("http://")
        .expect("an address");
    let open = || {
        let stream = TcpStream::connect(address).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        stream
    };
    let head = |length: usize| {
        format!(
            "POST /scim/push/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/scim+json\r\ncontent-length: {length}\r\n\r\n",
            client.token
        )
    };
    // Half of a body, and then nothing: it is told so, and nothing is made of the half.
    let mut slow = open();
    slow.write_all(head(1000).as_bytes()).unwrap();
    slow.write_all(b"{\"schemas\": [").unwrap();
    // Half of a body, and the client is gone.
    let mut gone = open();
    gone.write_all(head(1000).as_bytes()).unwrap();
    gone.write_all(b"{\"schemas\"").unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    gone.read_to_string(&mut answer).ok();
    assert!(!answer.contains(" 201 "), "{answer}");
    let mut answer = [0; 512];
    let read = slow.read(&mut answer).expect("an answer in time");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // A token that would be a header of its own.
    let mut split = open();
    split
        .write_all(
            b"GET /scim/push/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\rb\r\n\r\n",
        )
        .unwrap();
    let mut answer = [0; 64];
    let read = split.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
