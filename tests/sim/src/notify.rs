//! Posting to the client's own endpoints over plain HTTP.
//!
//! Just enough HTTP/1.1 for a hook on the same machine; no library client is carried for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a hook may take for the validation handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts a JSON body, on a thread of its own, and forgets about it.
pub fn send(url: &str, body: String) {
    let url = url.to_owned();
    std::thread::spawn(move || post(&url, "application/json; charset=utf-8", &body));
}

/// Asks a hook to repeat a token; gives what it answered with 200 as plain text.
pub fn validate(url: &str, token: &str) -> Option<String> {
    let joint = if url.contains('?') { '&' } else { '?' };
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let url = format!("{url}{joint}validationToken={encoded}");
    // The caller may sit on an async worker; a thread keeps the wait off it where possible.
    std::thread::spawn(move || {
        let (head, body) = post(&url, "text/plain; charset=utf-8", "")?;
        head.contains("content-type: text/plain").then_some(body)
    })
    .join()
    .ok()
    .flatten()
}

/// The head, in small letters, and the body of a 200.
fn post(url: &str, content_type: &str, body: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    if status != "200" {
        return None;
    }
    let head = head.to_ascii_lowercase();
    let body = match head.contains("transfer-encoding: chunked") {
        true => unchunk(body)?,
        false => body.to_owned(),
    };
    Some((head, body))
}

fn unchunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}
