//! Clients that take their time are let go, and keep nobody else from being served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::world;
use crate::served::{PATIENCE, Served, TOKEN};

/// What comes back until the server hangs up.
fn until_the_end(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut text = Vec::new();
    let begun = Instant::now();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("after {:?}: {error}", begun.elapsed()),
    }
    String::from_utf8(text).expect("it is text")
}

fn address(served: &Served) -> String {
    let address = served.base.strip_prefix("http://");
    address.expect("it is HTTP").to_owned()
}

#[test]
fn slow_clients_are_let_go_and_keep_nobody_waiting() {
    let world = world();
    let served = Served::start(&world);
    let address = address(&served);
    let connect = |text: &str| {
        let mut stream = TcpStream::connect(&address).expect("it takes connections");
        stream.write_all(text.as_bytes()).expect("it takes bytes");
        stream
    };
    let head = format!(
        "POST /api/v1/sync HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
    );
    // One says nothing, many half a head, one a head without its body.
    let silent = connect("");
    let halves: Vec<TcpStream> = (0..50).map(|_| connect("GET /healthz HTT")).collect();
    let bodiless = connect(&format!("{head}content-length: 100\r\n\r\n{{"));
    let begun = Instant::now();
    served.send(served.request("GET", "/healthz")).is(200);
    served.get("/api/v1/status").is(200);
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "others are served meanwhile"
    );

    assert_eq!(until_the_end(silent), "");
    for half in halves {
        let answer = until_the_end(half);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    let answer = until_the_end(bodiless);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(40));
    served.get("/api/v1/status").is(200);
}

#[test]
fn garbage_and_oversized_heads_end_their_connection_only() {
    let world = world();
    let served = Served::start(&world);
    let address = address(&served);
    let large = format!(
        "GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    for text in ["\u{1}\u{2}\u{3}\r\n\r\n", &large] {
        let mut stream = TcpStream::connect(&address).expect("it takes connections");
        // The server may hang up before it has taken everything.
        stream.write_all(text.as_bytes()).ok();
        let answer = until_the_end(stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    served.send(served.request("GET", "/healthz")).is(200);
}
