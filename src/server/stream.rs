//! Answers that are written on a thread of their own and sent while they are written: however
//! large a plan or a portal is, only a few chunks of it are in memory.
//!
//! The store blocks, so everything that reads it comes through here. An answer that fails
//! before its first chunk is a problem; one that fails later breaks the connection off, so
//! that half a document never looks like a whole one.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::problem::Problem;

/// What is gathered before it is sent.
const CHUNK: usize = 32 * 1024;

/// How many chunks may wait for a slow reader.
const WAITING: usize = 4;

/// How long a reader may take nothing before the answer is given up. The thread is needed.
const STALL: Duration = Duration::from_secs(30);

type Chunk = Result<Bytes, Problem>;

/// Does what blocks, away from the threads that serve.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(cause) => Err(Problem::ours(&cause)),
    }
}

/// JSON, as `write` writes it.
pub async fn json(
    write: impl FnOnce(&mut dyn Write) -> Result<(), Problem> + Send + 'static,
) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    answer(StatusCode::OK, headers, write).await
}

/// An answer with a body that `write` writes.
pub async fn answer(
    status: StatusCode,
    mut headers: HeaderMap,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Problem> + Send + 'static,
) -> Response {
    let (sender, mut chunks) = mpsc::channel::<Chunk>(WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe {
            chunk: Vec::with_capacity(CHUNK),
            sender: sender.clone(),
            runtime,
        };
        let written = write(&mut pipe).and_then(|()| {
            pipe.flush()
                .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the reader is gone"))
        });
        if let Err(problem) = written {
            // Nobody may be reading any more.
            pipe.send(Err(problem)).ok();
        }
    });
    let first = match chunks.recv().await {
        Some(Ok(first)) => first,
        Some(Err(problem)) => return problem.into_response(),
        None => Bytes::new(),
    };
    let rest = stream::unfold((Some(first), chunks), |(first, mut chunks)| async move {
        let chunk = match first {
            Some(first) => Ok(first),
            None => chunks
                .recv()
                .await?
                .map_err(|problem| io::Error::other(problem.detail)),
        };
        Some((chunk, (None, chunks)))
    });
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    (status, headers, Body::from_stream(rest)).into_response()
}

struct Pipe {
    chunk: Vec<u8>,
    sender: mpsc::Sender<Chunk>,
    runtime: Handle,
}

impl Pipe {
    fn send(&self, chunk: Chunk) -> io::Result<()> {
        let sent = self
            .runtime
            .block_on(timeout(STALL, self.sender.send(chunk)));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.chunk.is_empty() {
            true => Ok(()),
            false => {
                let next = Vec::with_capacity(CHUNK);
                let chunk = std::mem::replace(&mut self.chunk, next);
                self.send(Ok(chunk.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(answer: Response) -> Result<Vec<u8>, axum::Error> {
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
        Ok(body.to_vec())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_answer_is_whole_and_in_order() {
        let numbers: Vec<u8> = (0..1_000_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let written = numbers.clone();
        let answer = json(move |out| {
            for part in written.chunks(777) {
                out.write_all(part).unwrap();
            }
            Ok(())
        });
        assert_eq!(sent(answer.await).await.unwrap(), numbers);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_early_failure_is_a_problem_and_a_late_one_breaks_off() {
        let fail = || Err(Problem::not_there("it is not there"));
        let early = json(move |out| {
            out.write_all(b"{").unwrap();
            fail()
        });
        assert_eq!(early.await.status(), StatusCode::NOT_FOUND);
        let late = json(move |out| {
            out.write_all(&[b' '; 2 * CHUNK]).unwrap();
            fail()
        });
        let late = late.await;
        assert_eq!(late.status(), StatusCode::OK);
        assert!(sent(late).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_written_for_a_reader_who_is_gone() {
        let (ended, told) = tokio::sync::oneshot::channel();
        let answer = json(move |out| {
            let mut written = Ok(());
            while written.is_ok() {
                written = out.write_all(&[b' '; CHUNK]);
            }
            ended.send(written.unwrap_err().kind()).unwrap();
            Ok(())
        });
        drop(answer.await);
        assert_eq!(told.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
