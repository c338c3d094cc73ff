//! Somebody rosterd posts JSON to: a webhook, a collector of traces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// What was posted and taken.
pub struct Posted {
    /// The request's first line.
    pub request: String,
    pub body: Value,
}

/// Listens at the address it gives. `status` says how each request is answered, counted from
/// nothing; what is answered with 200 is passed on.
pub fn receiver(
    status: impl Fn(usize) -> &'static str + Send + 'static,
) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (take, taken) = channel();
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let posted = read(&mut stream);
            let status = status(count);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                connection: close\r\n\r\n{{}}"
            );
            stream.get_mut().write_all(answer.as_bytes()).ok();
            if status.starts_with("200") && take.send(posted).is_err() {
                return;
            }
        }
    });
    (address, taken)
}

fn read(stream: &mut BufReader<TcpStream>) -> Posted {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line of the head");
        line.trim().to_owned()
    };
    let request = line();
    let mut length = 0;
    loop {
        let header = line().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(bytes) = header.strip_prefix("content-length:") {
            length = bytes.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    let body = serde_json::from_slice(&body).expect("JSON");
    Posted { request, body }
}
