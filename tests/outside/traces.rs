//! Traces, as a collector gets them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

use crate::settings::{Portal, Settings, Source};
use crate::world::{SECRETS, World};

/// A collector that takes everything: its address, and the bodies of what it took.
fn collector() -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (taken, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut first = String::new();
            stream.read_line(&mut first).expect("a request");
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).expect("a header");
                let line = line.trim().to_ascii_lowercase();
                if let Some(bytes) = line.strip_prefix("content-length:") {
                    length = bytes.trim().parse().expect("a number");
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let body = String::from_utf8(body).expect("JSON");
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.get_mut().write_all(answer.as_bytes()).expect("sent");
            if taken.send((first.trim().to_owned(), body)).is_err() {
                return;
            }
        }
    });
    (address, bodies)
}

fn company() -> World {
    let portal = Portal::new("directory", "remove").from(&["entra"]);
    World::small(Settings::new(vec![Source::entra()], vec![portal]))
}

#[test]
fn a_run_is_a_trace_of_its_parts_without_anybody_in_it() {
    let world = company();
    let (address, bodies) = collector();
    let ended = world
        .command(&["sync"])
        .env("ROSTERD__LOG__TRACES", address)
        .output();
    assert_eq!(ended.expect("it runs").status.code(), Some(0));
    let (request, body) = bodies.recv().expect("it was sent before the command ended");
    assert_eq!(request, "POST /v1/traces HTTP/1.1");
    let sent: Value = serde_json::from_str(&body).expect("JSON");
    let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
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
