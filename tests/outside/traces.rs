//! Traces, as a collector gets them.

use std::net::TcpListener;

use crate::receiver::receiver;
use crate::settings::{Portal, Settings, Source};
use crate::world::{SECRETS, World};

fn company() -> World {
    let portal = Portal::new("directory", "remove").from(&["entra"]);
    World::small(Settings::new(vec![Source::entra()], vec![portal]))
}

#[test]
fn a_run_is_a_trace_of_its_parts_without_anybody_in_it() {
    let world = company();
    let (address, taken) = receiver(|_| "200 OK");
    let ended = world
        .command(&["sync"])
        .env("ROSTERD__LOG__TRACES", address)
        .output();
    assert_eq!(ended.expect("it runs").status.code(), Some(0));
    let sent = taken.recv().expect("it was sent before the command ended");
    assert_eq!(sent.request, "POST /v1/traces HTTP/1.1");
    let body = sent.body.to_string();
    let spans = sent.body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .expect("spans");
    let run = spans.iter().find(|span| span["name"] == "run");
    let run = run.expect("the run");
    assert!(body.contains("run.id"), "{body}");
    for part in ["fetch", "decide", "remember", "apply"] {
        let part = spans.iter().find(|span| span["name"] == part).expect(part);
        assert_eq!(part["parentSpanId"], run["spanId"]);
        assert_eq!(part["traceId"], run["traceId"]);
    }
    assert!(!body.contains('@'), "somebody is named: {body}");
    assert!(SECRETS.iter().all(|secret| !body.contains(secret)));
}

#[test]
fn a_collector_that_is_away_is_a_warning_and_not_a_failed_run() {
    let world = company();
    let unused = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let away = format!("http://{}", unused.expect("a port"));
    let ended = world
        .command(&["sync"])
        .env("ROSTERD__LOG__TRACES", away)
        .output()
        .expect("it runs");
    assert_eq!(ended.status.code(), Some(0));
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(log.contains("traces do not arrive at 127.0.0.1"), "{log}");
}
