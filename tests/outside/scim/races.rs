//! Many at once, and a crash in between.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{Client, GROUP, USER, world};
use crate::served::Served;

/// Sends requests at once; their statuses.
fn all_at_once(client: &Client, requests: Vec<reqwest::RequestBuilder>) -> Vec<u16> {
    client.served.block_on(async {
        let sent = requests.into_iter().map(|request| request.send());
        let answers = join_all(sent).await;
        answers
            .into_iter()
            .map(|answer| answer.expect("an answer").status().as_u16())
            .collect()
    })
}

fn json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request
        .header("content-type", "application/scim+json")
        .body(body.to_string())
}

#[test]
fn one_of_many_gets_a_name_and_no_member_is_lost() {
    let world = world();
    let client = Client::start(&world);
    let requests = (0..50).map(|n| {
        let name = if n % 2 == 0 {
            "Same@X.org"
        } else {
            "same@x.ORG"
        };
        json(
            client.request("POST", "/Users"),
            &json!({ "schemas": [USER], "userName": name }),
        )
    });
    let mut statuses = all_at_once(&client, requests.collect());
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(
        statuses[1..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );

    let operations: Vec<Value> = (0..1000)
        .map(|n| {
            json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(),
            "data": { "schemas": [USER], "userName": format!("m{n}") } })
        })
        .collect();
    let made = client
        .call("POST", "/Bulk", json!({ "Operations": operations }))
        .is(200)
        .json();
    let ids: Vec<String> = made["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| {
            o["location"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    let group = client.group("Everybody", &[]);
    let path = format!("/Groups/{group}");
    for part in ids.chunks(100) {
        let requests = part.iter().map(|id| {
            let operation = json!({ "op": "Add", "path": "members", "value": [{ "value": id }] });
            json(
                client.request("PATCH", &path),
                &json!({ "Operations": [operation] }),
            )
        });
        let statuses = all_at_once(&client, requests.collect());
        assert!(statuses.iter().all(|status| *status == 204), "{statuses:?}");
    }
    let members = client.get(&path).is(200).json();
    assert_eq!(members["members"].as_array().unwrap().len(), 1000);
    let mut keys: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
    keys.sort();
    client.groups(json!({ "Everybody": keys }));
}

#[test]
fn what_was_answered_outlives_a_crash() {
    let world = world();
    let mut names = Vec::new();
    let mut token = None;
    for round in 0..4 {
        let client = match token.take() {
            None => Client::start(&world),
            Some(token) => Client {
                served: Served::start(&world),
                token,
            },
        };
        for (name, id) in &names {
            let user = client.get(&format!("/Users/{id}")).is(200).json();
            assert_eq!(user["userName"], *name, "it was answered before the crash");
        }
        // Writes go on until the crash takes the connection away.
        let pid = client.served.service.pid();
        let deadline =
            std::time::Instant::now() + std::time::Duration::from_millis(200 * (round + 1));
        for n in 0..10_000 {
            let name = format!("r{round}-{n}");
            let body = json!({ "schemas": [USER], "userName": name });
            let request = json(client.request("POST", "/Users"), &body);
            let answer = client.served.block_on(async {
                let answer = request.send().await.ok()?;
                answer.json::<Value>().await.ok()
            });
            let Some(answer) = answer else { break };
            names.push((name, answer["id"].as_str().expect("an id").to_owned()));
            if std::time::Instant::now() > deadline {
                let killed = std::process::Command::new("kill")
                    .args(["-9", &pid])
                    .status();
                assert!(killed.expect("kill runs").success());
                break;
            }
        }
        token = Some(client.token.clone());
        client.served.service.kill();
    }
    let client = Client {
        served: Served::start(&world),
        token: token.expect("a token"),
    };
    let list = client.get("/Users?count=1").is(200).json();
    assert!(
        list["totalResults"].as_u64().unwrap() >= names.len() as u64,
        "{list}"
    );
    // What a crash left owed is decided by the next daemon.
    for (name, _) in [&names[0], &names[names.len() - 1]] {
        client.account(name, |account| account.is_some());
    }
    client
        .call(
            "POST",
            "/Groups",
            json!({ "schemas": [GROUP], "displayName": "After" }),
        )
        .is(201);
}
