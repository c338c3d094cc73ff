//! Requests over many connections at once, as fast as they are answered. A client that does
//! nothing but write a request and read its answer, so that it is not what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request: method, path, body.
pub type Request = (&'static str, String, String);

/// How it went.
pub struct Load {
    pub per_second: f64,
    pub median: Duration,
    pub p99: Duration,
}

/// Sends `count` requests over `connections`, and checks the status of each answer.
pub async fn run(
    address: &str,
    token: &str,
    connections: usize,
    count: u64,
    status: u16,
    request: impl Fn(u64) -> Request + Send + Sync + 'static,
) -> anyhow::Result<Load> {
    let next = Arc::new(AtomicU64::new(0));
    let request = Arc::new(request);
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (next, request) = (next.clone(), request.clone());
        let (address, token) = (address.to_owned(), token.to_owned());
        workers.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(64 * 1024);
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, anyhow::Error>(took);
                }
                let (method, path, body) = request(number);
                let text = format!(
                    "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let sent = Instant::now();
                stream.write_all(text.as_bytes()).await?;
                let got = answer(&mut stream, &mut buffer).await?;
                took.push(sent.elapsed());
                if got != status {
                    let answer = String::from_utf8_lossy(&buffer).into_owned();
                    bail!("{method} {path} was answered {got}: {answer}");
                }
            }
        });
    }
    let mut took = Vec::new();
    while let Some(worker) = workers.join_next().await {
        took.extend(worker??);
    }
    let elapsed = began.elapsed();
    took.sort_unstable();
    Ok(Load {
        per_second: count as f64 / elapsed.as_secs_f64(),
        median: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
    })
}

/// Reads one answer into `buffer`, whole; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
    };
    let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
    let status = text.get(9..12).context("a status")?.parse()?;
    let length: usize = match text.split_once("content-length: ") {
        Some((_, rest)) => rest.split("\r\n").next().context("a length")?.parse()?,
        None => 0,
    };
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
    }
    Ok(status)
}
