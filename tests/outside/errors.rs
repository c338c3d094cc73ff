//! Wrong settings, wrong commands, wrong hosts: one line that says what to do, the right exit
//! code, no secret, and nothing lost.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::settings::{Portal, Settings, Source};
use crate::world::{Said, World, text};

fn world() -> World {
    let portals = vec![Portal::new("store", "remove").named("store")];
    World::small(Settings::new(
        vec![Source::entra(), Source::okta()],
        portals,
    ))
}

/// The settings with one text in place of another.
#[track_caller]
fn with(world: &World, from: &str, to: &str) {
    let text = std::fs::read_to_string(world.config()).expect("the settings are there");
    assert!(text.contains(from), "'{from}' is in {text}");
    std::fs::write(world.config(), text.replace(from, to)).expect("a file");
}

#[track_caller]
fn one_line(said: &Said, words: &[&str]) {
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 1, "{}", said.err);
    for word in words {
        assert!(lines[0].contains(word), "'{word}' is not in: {}", said.err);
    }
}

#[test]
fn wrong_settings_are_refused_with_where_and_what() {
    let world = world();
    for (from, to, words) in [
        ("on_create", "on_crate", &["on_crate", "on_create"][..]),
        ("[safety]", "[safty]", &["safty", "safety"]),
        (
            "nested_groups = true\n\n[sources.okta]",
            "nested_groups = \"yes\"\n\n[sources.okta]",
            &["nested_groups"],
        ),
        (
            "on_deactivate = \"remove\"",
            "on_deactivate = \"disable\"",
            &["on_deactivate", "disable"],
        ),
        (
            "on_deactivate = \"remove\"",
            "on_deactivate = \"explode\"",
            &["on_deactivate", "explode"],
        ),
        (
            "on_create =",
            "default_role = \"viewer\"\non_create =",
            &["default_role"],
        ),
        (
            "on_create =",
            "policy = \"Quarantine\"\non_create =",
            &["policy"],
        ),
        ("target = \"local\"", "target = \"nowhere\"", &["nowhere"]),
        (
            "[\"entra\", \"okta\"]",
            "[\"entra\", \"other\"]",
            &["other"],
        ),
        (
            "client_secret = { env = \"SIM_SECRET\" }",
            "",
            &["entra", "client_secret"],
        ),
        (
            "max_deactivations = 100000",
            "max_deactivations = \"101%\"",
            &["max_deactivations"],
        ),
        (
            "on_create =",
            "deactivate_after = \"soon\"\non_create =",
            &["deactivate_after", "soon"],
        ),
        ("push = [\"*\"]", "push = [\"[\"]", &["push"]),
        (
            "\"title\" = ",
            "\"displayName\" = { template = \"{{ name\" }\n\"title\" = ",
            &["template"],
        ),
        (
            "org_url = \"http://127.0.0.1",
            "org_url = \"http://acme.okta.com",
            &["org_url"],
        ),
        ("[state]", "[state", &["rosterd.toml"]),
    ] {
        world.rewrite();
        with(&world, from, to);
        for command in [&["sync"][..], &["check"], &["config", "show"]] {
            let said = world.run(command).ends_with(2);
            one_line(&said, words);
            assert!(
                said.err.contains("rosterd.toml") || said.err.contains("SIM"),
                "{}",
                said.err
            );
            assert_eq!(said.out, "");
        }
        assert!(
            !world.state().exists(),
            "no store is made for settings that are refused"
        );
    }
}

#[test]
fn every_wrong_setting_is_told_at_once() {
    let world = world();
    with(&world, "on_create", "on_crate");
    with(&world, "nested_groups = true", "nested_groups = 3");
    let said = world.run(&["sync"]).ends_with(2);
    assert_eq!(said.err.lines().count(), 3, "{}", said.err);
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let world = world();
    std::fs::remove_file(world.config()).expect("it was there");
    let said = world.run(&["sync"]).ends_with(2);
    one_line(&said, &["rosterd.toml"]);
}

#[test]
fn wrong_commands_are_usage_errors() {
    let world = world();
    for arguments in [
        &["snyc"][..],
        &["sync", "--fall"],
        &["sync", "--source", "none"],
        &["sync", "--full", "--user", "a@b"],
        &["plan", "--format", "yaml"],
        &["approve"],
        &["--log", "loud", "sync"],
        &[],
    ] {
        let said = world.run(arguments).ends_with(2);
        assert!(!said.err.is_empty());
        assert_eq!(said.out, "", "{arguments:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_nothing_is_touched() {
    let world = world();
    let output = world.command(&["sync"]).env_remove("SIM_SECRET").output();
    let output = output.expect("rosterd starts");
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert!(err.contains("SIM_SECRET") && err.contains("entra"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    with(
        &world,
        "{ env = \"SIM_OKTA_TOKEN\" }",
        "{ file = \"/nowhere/token\" }",
    );
    let said = world.run(&["sync"]).ends_with(2);
    one_line(&said, &["/nowhere/token", "okta"]);
    assert!(!world.state().exists());
}

/// The error of a source that failed, and that nothing else happened.
#[track_caller]
fn refused(world: &World, source: &str, words: &[&str]) {
    let before = world.exports();
    let said = world
        .run(&["sync", "--source", source, "--format", "json"])
        .ends_with(1);
    let plan = said.json();
    assert_eq!(plan["actions"], json!([]), "{plan:#}");
    let error = text(&plan["sources"][source]["error"]);
    for word in words {
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
    assert_eq!(world.exports(), before, "nothing is lost");
    let said = world.run(&["check"]).ends_with(1);
    for word in words {
        assert!(said.out.contains(word), "'{word}' is not in: {}", said.out);
    }
}

#[test]
fn a_wrong_client_secret_names_the_client_and_the_setting() {
    let world = world();
    world.sync(&[]);
    let credentials = json!({"secret": "another"});
    world.control("POST", "graph/credentials", credentials);
    refused(&world, "entra", &["sim-client", "client_secret"]);
}

#[test]
fn a_client_or_tenant_that_is_unknown_is_named() {
    let world = world();
    world.sync(&[]);
    with(
        &world,
        "client_id = \"sim-client\"",
        "client_id = \"no-such-client\"",
    );
    refused(&world, "entra", &["no-such-client"]);
    world.rewrite();
    with(
        &world,
        "tenant = \"contoso.onmicrosoft.com\"",
        "tenant = \"none.onmicrosoft.com\"",
    );
    refused(&world, "entra", &["none.onmicrosoft.com"]);
}

#[test]
fn a_wrong_okta_token_is_named() {
    let world = world();
    world.sync(&[]);
    world.control("POST", "okta/credentials", json!({"token": "another"}));
    refused(&world, "okta", &["API token"]);
}

#[test]
fn an_application_that_is_unknown_is_named() {
    let world = world();
    world.sync(&[]);
    let none = "99999999-2222-3333-4444-555555555555";
    with(&world, rosterd_sim::APP_ID, none);
    refused(&world, "entra", &["`application`"]);
    with(&world, rosterd_sim::OKTA_APP_ID, "0oanone");
    refused(&world, "okta", &["0oanone"]);
}

#[test]
fn a_missing_permission_is_named() {
    let world = world();
    world.sync(&[]);
    for (missing, left) in [
        (
            "User.Read.All",
            ["GroupMember.Read.All", "Application.Read.All"],
        ),
        (
            "GroupMember.Read.All",
            ["User.Read.All", "Application.Read.All"],
        ),
        (
            "Application.Read.All",
            ["User.Read.All", "GroupMember.Read.All"],
        ),
    ] {
        world
            .sim
            .settings(json!({"graph_permissions": left}))
            .expect("a setting");
        world.control("POST", "graph/expire_access_tokens", Value::Null);
        refused(&world, "entra", &[missing]);
    }
}

#[test]
fn a_host_that_is_not_there_is_named() {
    // Each tries for a while before it gives up: side by side.
    std::thread::scope(|scope| {
        for source in ["entra", "okta"] {
            scope.spawn(move || {
                let world = world();
                world.sync(&[]);
                // A port that was free a moment ago.
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
                let place = listener
                    .local_addr()
                    .expect("it has an address")
                    .to_string();
                drop(listener);
                with(&world, &world.sim.base_url(), &format!("http://{place}"));
                refused(&world, source, &[&place]);
            });
        }
    });
}

/// A host that answers every request with the same.
fn host(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let place = format!(
        "http://{}",
        listener.local_addr().expect("it has an address")
    );
    // It ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut seen = Vec::new();
            let mut piece = [0; 4096];
            while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => seen.extend_from_slice(&piece[..length]),
                }
            }
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    place
}

#[test]
fn hosts_that_speak_of_something_else_change_nothing() {
    let bodies = [
        ("<html><body>Sign in, please</body></html>", true),
        ("", false),
        ("[]", true),
        (r#"{"hello": "world"}"#, false),
        (r#"[{"id": 1}]"#, false),
        (
            r#"{"value": 3, "access_token": "t", "token_type": "Bearer", "expires_in": 3600}"#,
            true,
        ),
        (
            r#"{"value": [{"name": 1}], "access_token": "t", "token_type": "Bearer", "expires_in": 3600}"#,
            false,
        ),
    ];
    // Each tries for a while before it gives up: side by side.
    std::thread::scope(|scope| {
        for (body, full) in bodies {
            scope.spawn(move || {
                let world = world();
                world.sync(&[]);
                let before = world.exports();
                with(&world, &world.sim.base_url(), &host(body));
                let mut arguments = vec!["sync", "--format", "json"];
                if full {
                    arguments.push("--full");
                }
                let said = world.run(&arguments).ends_with(1);
                assert_eq!(said.json()["actions"], json!([]), "{body}");
                assert_eq!(world.exports(), before, "{body}");
                world.rewrite();
                world.quiet();
            });
        }
    });
}

#[test]
fn a_second_process_is_told_that_the_store_is_taken() {
    let world = world();
    world.sync(&[]);
    let before = world.exports();
    // The first one waits for an answer while it holds the store.
    world
        .sim
        .settings(json!({"latency_ms": 400}))
        .expect("a setting");
    world.sim.reset_stats();
    let mut first = world
        .command(&["sync", "--full"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    while world.sim.stats().in_flight == 0 && world.sim.stats().requests == 0 {
        std::thread::yield_now();
    }
    let said = world
        .run(&["export", "accounts", "--portal", "store"])
        .ends_with(1);
    let place = world.state();
    one_line(&said, &[place.to_str().expect("a path in UTF-8")]);
    assert!(first.wait().expect("it ends").success());
    assert_eq!(world.exports(), before);
}

#[test]
fn a_store_that_cannot_be_made_is_an_error() {
    let world = world();
    std::fs::write(world.state(), "a file where a directory should be").expect("a file");
    let said = world.run(&["sync"]).ends_with(1);
    one_line(&said, &["state"]);
}

#[test]
fn a_secret_given_as_a_text_is_warned_about_and_not_shown() {
    let world = world();
    with(&world, "{ env = \"SIM_SECRET\" }", "\"sim-secret\"");
    let said = world.run(&["sync"]).ends_with(0);
    assert!(said.err.contains("client_secret"), "{}", said.err);
    world.run(&["config", "show"]).ends_with(0);
    world
        .run(&["--log", "trace", "sync", "--full"])
        .ends_with(0);
}

#[test]
fn a_pipe_that_is_cut_is_no_panic() {
    let world = world();
    world.sync(&[]);
    let arguments = ["export", "accounts", "--portal", "store"];
    let mut running = world
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(running.stdout.take());
    let output = running.wait_with_output().expect("it ends");
    let err = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert!(!err.contains("panicked"), "{err}");
}
