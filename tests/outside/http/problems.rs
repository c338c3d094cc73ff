//! Whatever does not fit is answered with a problem document, and says what would.

use std::collections::BTreeSet;

use serde_json::json;

use super::world;
use crate::served::{Served, TOKEN, refused};
use crate::world::World;

/// What is built on the metrics names none that is not there.
const ALERTS: &str = include_str!("../../../docs/alerts.yml");
const DASHBOARD: &str = include_str!("../../../docs/grafana-dashboard.json");

#[test]
fn what_does_not_fit_is_a_problem() {
    let world = world();
    let served = Served::start(&world);
    only_the_token_comes_in(&served);
    routes_and_methods(&served);
    bodies(&served);
    queries(&served);
    request_ids(&served);
    without_a_token(&served);
}

fn only_the_token_comes_in(served: &Served) {
    for path in [
        "/api/v1/status",
        "/api/v1/openapi.json",
        "/api/nothing",
        "/api",
    ] {
        for token in ["", "wrong", "sim-admin-toke", "sim-admin-tokens"] {
            let mut request = served.request("GET", path);
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            let answer = served.send(request);
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer realm=\"rosterd\""
            );
            answer.problem(401);
        }
    }
    let basic = served
        .request("POST", "/api/v1/sync")
        .basic_auth("admin", Some(TOKEN));
    served.send(basic).problem(401);
}

fn routes_and_methods(served: &Served) {
    served.get("/api/v1/nothing").problem(404);
    served.get("/api/nothing").problem(404);
    let detail = served.send(served.request("GET", "/nothing")).problem(404);
    assert!(detail.contains("/nothing"), "{detail}");
    let answer = served.call("DELETE", "/api/v1/sync", None);
    assert_eq!(answer.header("allow"), "POST");
    answer.problem(405);
    let answer = served.send(served.request("POST", "/healthz"));
    assert!(answer.header("allow").contains("GET"));
    answer.problem(405);
}

fn bodies(served: &Served) {
    let post = |kind: &str, body: String| {
        let request = served.request("POST", "/api/v1/sync").bearer_auth(TOKEN);
        served.send(request.header("content-type", kind).body(body))
    };
    let json = "application/json";
    post(json, "{".into()).problem(400);
    post(json, "{\"full\": true} tail".into()).problem(400);
    post(json, "\u{0}".into()).problem(400);
    post(json, "[]".into()).problem(422);
    post(json, "{\"full\": \"yes\"}".into()).problem(422);
    let detail = post(json, "{\"fool\": true}".into()).problem(422);
    assert!(
        detail.contains("`fool`") && detail.contains("`full`"),
        "{detail}"
    );
    let detail = post("text/plain", "{}".into()).problem(415);
    assert!(detail.contains("application/json"), "{detail}");
    let large = format!("{{\"users\": [\"{}\"]}}", "x".repeat(1024 * 1024));
    post(json, large).problem(413);

    let ask = |body| served.call("POST", "/api/v1/sync", Some(body));
    let detail = ask(json!({ "sources": ["entry"] })).problem(422);
    assert!(detail.contains("no source 'entry'"), "{detail}");
    assert!(detail.contains("there is entra, okta"), "{detail}");
    ask(json!({ "full": true, "users": ["a"] })).problem(422);
    ask(json!({ "users": [" "] })).problem(422);
    ask(json!({ "groups": vec!["g"; 1001] })).problem(422);
}

fn queries(served: &Served) {
    for path in [
        "/api/v1/runs?limit=0",
        "/api/v1/runs?limit=1001",
        "/api/v1/runs?limit=many",
        "/api/v1/runs?after=01",
        "/api/v1/portals/mdm/accounts?limit=-1",
        "/api/v1/portals/mdm/devices?page=2",
        "/api/v1/explain/%ff",
    ] {
        served.get(path).problem(400);
    }
}

fn request_ids(served: &Served) {
    let answer = served.send(served.request("GET", "/healthz"));
    assert_eq!(answer.header("x-request-id").len(), 26);
    for (given, kept) in [
        ("proxy-1.a_B", true),
        ("a b", false),
        (&*"x".repeat(65), false),
    ] {
        let request = served.request("GET", "/api/v1/status").bearer_auth(TOKEN);
        let answer = served.send(request.header("x-request-id", given));
        assert_eq!(answer.header("x-request-id") == given, kept, "{given}");
    }
    served
        .get("/api/v1/explain/somebody@example.com")
        .problem(404);
    served.wait_for("the log", |served| {
        let said = served.service.log();
        said.contains("GET /api/v1/explain/{key} 404").then_some(())
    });
    assert!(served.service.log().contains("proxy-1.a_B"));
    assert!(
        !served.service.log().contains("somebody"),
        "the log names no people"
    );
}

fn without_a_token(served: &Served) {
    let open = |path: &str| served.send(served.request("GET", path)).is(200);
    assert_eq!(open("/healthz").json(), json!({ "status": "ok" }));
    assert_eq!(open("/readyz").json(), json!({ "status": "ready" }));
    served.sync(json!({ "full": true }));
    let metrics = served.wait_for("the run's numbers", |_| {
        let metrics = open("/metrics");
        metrics
            .text
            .contains("rosterd_actions_total{")
            .then_some(metrics)
    });
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    for line in [
        "rosterd_last_complete_sync_age_seconds{source=\"entra\"} ",
        "rosterd_runs_total{result=\"applied\"} ",
        "rosterd_actions_total{portal=\"dashboard\",op=\"create_account\",outcome=\"done\"} ",
        "rosterd_owed 0",
        "rosterd_quarantined{source=\"okta\"} 0",
        "rosterd_held_plans 0",
        "rosterd_source_requests_total{source=\"entra\"} ",
        "rosterd_run_duration_seconds_bucket{le=\"+Inf\"} ",
        "rosterd_store_bytes ",
        "rosterd_http_requests_total{route=\"/healthz\",method=\"GET\",status=\"200\"} ",
    ] {
        assert!(
            metrics.text.contains(line),
            "{line} is not in\n{}",
            metrics.text
        );
    }
    for file in [ALERTS, DASHBOARD] {
        let words = file.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<&str> = words.filter(|word| word.starts_with("rosterd_")).collect();
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            assert!(
                metrics.text.contains(&format!("\n{name}")),
                "there is no {name}"
            );
        }
    }
}

#[test]
fn without_a_token_the_api_is_closed_or_open_to_this_machine_only() {
    let world = world();
    let closed = Served::with(&world, "");
    let asked = closed.request("GET", "/api/v1/status").bearer_auth("");
    let detail = closed.send(asked).problem(403);
    assert!(detail.contains("server.admin_token"), "{detail}");
    closed.send(closed.request("GET", "/healthz")).is(200);
    assert_eq!(closed.stop(), 0);

    let open = Served::with(&world, "insecure_no_auth = true");
    let ask = || open.request("GET", "/api/v1/status");
    open.send(ask()).is(200);
    open.send(ask().header("host", "rosterd.example"))
        .problem(403);
    open.send(ask().header("origin", "https://evil.example"))
        .problem(403);
}

#[test]
fn a_daemon_that_cannot_serve_says_so_in_one_line() {
    let world = world();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one");
    let ends = |server: &str, code: i32, says: &[&str]| {
        let (found, text) = refused(&world, server);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| says.iter().all(|word| line.contains(word)))
            .collect();
        assert_eq!((found, lines.len()), (code, 1), "{text}");
    };
    ends(
        &format!("listen = \"{address}\""),
        1,
        &["cannot listen on", "the port is taken"],
    );
    let tls = |cert: &str, key: &str| format!("tls = {{ cert = \"{cert}\", key = \"{key}\" }}");
    ends(
        &tls("/nowhere/cert.pem", "/nowhere/key.pem"),
        1,
        &["/nowhere/cert.pem"],
    );
    let garbage = world.home.path().join("garbage.pem");
    std::fs::write(&garbage, "no certificate").expect("it can be written");
    let garbage = garbage.to_string_lossy();
    ends(
        &tls(&garbage, &garbage),
        1,
        &["garbage.pem", "it holds none"],
    );
    ends(
        "listen = \"0.0.0.0:0\"\ninsecure_no_auth = true",
        2,
        &["loopback"],
    );
    let both = "insecure_no_auth = true\nadmin_token = { env = \"SIM_ADMIN_TOKEN\" }";
    ends(both, 2, &["exclude each other"]);
    ends("admin_token = { env = \"NOT_SET\" }", 2, &["NOT_SET"]);
    nothing_is_left_behind(&world);
}

/// A start that failed keeps nothing from the next one.
fn nothing_is_left_behind(world: &World) {
    world.sync(&[]);
    world.quiet();
}
