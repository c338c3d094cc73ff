//! Who may come in, and what is remembered of it.

use serde_json::json;

use super::{Client, SOURCE, USER, token, world};
use crate::served::Served;

#[test]
fn a_token_opens_its_own_source_as_long_as_it_is_good() {
    let mut world = world();
    world.settings.more = format!("{SOURCE}\n[sources.second]\nkind = \"scim\"\n");
    world.settings.portals[0].sources = vec!["push", "second"];
    world.rewrite();
    let client = Client::start(&world);
    let get = |source: &str, token: &str| {
        let path = format!("/scim/{source}/v2/Users");
        let request = client.served.request("GET", &path);
        let request = if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        };
        client.send(request)
    };
    get("push", &client.token).is(200);
    for (source, token) in [
        ("push", ""),
        ("push", "wrong"),
        ("second", &client.token),
        ("third", &client.token),
    ] {
        let refused = get(source, token).is(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    }
    let second = token(&world, "second");
    get("second", &second).is(200);
    get("push", &second).is(401);

    // A new one, and the old one goes on for a while.
    let rotate = |overlap: &str| {
        let arguments = [
            "token",
            "rotate",
            "--source",
            "push",
            "--overlap",
            overlap,
            "--format",
            "json",
        ];
        world.json(&arguments)["token"].as_str().unwrap().to_owned()
    };
    let new = rotate("1h");
    get("push", &new).is(200);
    get("push", &client.token).is(200);
    let last = rotate("0s");
    get("push", &new).is(401);
    get("push", &client.token).is(401);
    get("push", &last).is(200);
    let list = world.json(&["token", "list", "--source", "push", "--format", "json"]);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1);
    client.served.wait_for("the token's use is noted", |_| {
        let list = world.json(&["token", "list", "--source", "push", "--format", "json"]);
        list[0]["last_used_at"].is_string().then_some(())
    });
    let said = world
        .run(&["token", "list", "--source", "push"])
        .ends_with(0);
    assert!(!said.out.contains(&last));
    let id = list[0]["id"].as_str().unwrap();
    world
        .run(&["token", "revoke", "--source", "push", id])
        .ends_with(0);
    get("push", &last).is(401);
    let short = world.json(&[
        "token",
        "create",
        "--source",
        "push",
        "--expires",
        "1ms",
        "--format",
        "json",
    ]);
    assert!(short["expires_at"].is_string());
    client.served.wait_for("it expires", |_| {
        (get("push", short["token"].as_str().unwrap()).status == 401).then_some(())
    });

    // Who guesses is told to wait, in whole seconds, and who knows is let in.
    let good = token(&world, "push");
    let limited = client.served.wait_for("there is a limit", |_| {
        let answer = get("push", "guess");
        (answer.status == 429).then_some(answer)
    });
    assert!(limited.header("retry-after").parse::<u64>().unwrap() <= 61);
    get("push", &good).is(200);

    let check = world.run(&["check"]).ends_with(0);
    assert!(check.out.contains("/scim/push/v2, with"), "{}", check.out);
    world.json(&[
        "token", "revoke", "--source", "push", "--all", "--format", "json",
    ]);
    let check = world.run(&["check"]).ends_with(1);
    assert!(
        check.out.contains("rosterd token create --source push"),
        "{}",
        check.out
    );
    world
        .run(&["token", "create", "--source", "nobody"])
        .ends_with(2);
    assert!(!client.served.service.log().contains(&good));
}

#[test]
fn the_inspector_shows_what_is_done_and_not_to_whom() {
    let mut world = world();
    let client = Client::start(&world);
    let jane = json!({ "schemas": [USER], "userName": "jane@contoso.com", "password": "hidden" });
    client.call("POST", "/Users", jane.clone()).is(201);
    client.call("POST", "/Users", jane).is(409);
    // A client that has the wrong token is seen as well.
    let wrong = client
        .served
        .request("GET", "/scim/push/v2/Users")
        .bearer_auth("wrong");
    client.send(wrong).is(401);
    let arguments = ["scim", "log", "--source", "push", "--format", "json"];
    let shown = world.run(&arguments).ends_with(0);
    for secret in ["jane", "contoso", "hidden", &client.token] {
        assert!(!shown.out.contains(secret), "{}", shown.out);
    }
    let shown = shown.json();
    assert_eq!(shown.as_array().unwrap().len(), 3);
    assert_eq!(shown[2]["status"], 401);
    assert_eq!(
        (&shown[1]["status"], &shown[1]["method"]),
        (&json!(409), &json!("POST"))
    );
    assert!(shown[1]["answer"].as_str().unwrap().contains("uniqueness"));
    let text = world
        .run(&["scim", "log", "--source", "push", "--last", "1"])
        .ends_with(0);
    assert!(text.out.contains("GET /Users → 401"), "{}", text.out);

    // Where the settings say so, with what was said; but never a password.
    client.served.stop();
    world.run(&arguments).ends_with(2);
    world.settings.more = format!("{SOURCE}\n[sources.push.log]\nbodies = true\n");
    world.rewrite();
    let client = Client {
        served: Served::start(&world),
        token: client.token,
    };
    let joan = json!({ "schemas": [USER], "userName": "joan", "password": "hidden" });
    client.call("POST", "/Users", joan).is(201);
    let shown = world.run(&arguments).ends_with(0);
    assert!(
        shown.out.contains("joan") && !shown.out.contains("hidden"),
        "{}",
        shown.out
    );
}

#[test]
fn the_console_shows_what_the_inspector_knows() {
    let world = world();
    let client = Client::start(&world);
    client.user("jane@contoso.com");
    // Logged in as a browser is.
    let login = client.served.request("POST", "/login");
    let answer = client
        .served
        .send(login.form(&[("admin_token", crate::served::TOKEN)]))
        .is(303);
    let cookie = answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let page = client
        .served
        .request("GET", "/clients")
        .header("cookie", cookie);
    let page = client.served.send(page).is(200);
    assert!(page.text.contains("POST /Users"), "{}", page.text);
    assert!(page.text.contains("/scim/push/v2"), "{}", page.text);
    assert!(!page.text.contains("jane"), "{}", page.text);
}
