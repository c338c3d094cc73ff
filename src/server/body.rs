//! Bodies of requests, within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

/// How much of a body that is too large is read and dropped. A client that is still sending
/// when the connection is closed learns that it was closed, and not why.
const DROPPED_BYTES: u64 = 64 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub enum NoBody {
    TooLarge,
    TooSlow,
    /// The client went away in the middle.
    BrokenOff,
}

/// The whole body, of at most `limit` bytes, that comes within `wait`.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    wait: Duration,
) -> Result<Bytes, NoBody> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let limit = limit as u64;
    // Who asks before sending is told before sending, and who has too much even to drop is not
    // listened to.
    let hopeless = match headers.contains_key(EXPECT) {
        true => limit,
        false => limit + DROPPED_BYTES,
    };
    if announced.is_some_and(|length| length > hopeless) {
        return Err(NoBody::TooLarge);
    }
    match tokio::time::timeout(wait, gather(body, limit)).await {
        Ok(gathered) => gathered,
        Err(_) => Err(NoBody::TooSlow),
    }
}

async fn gather(body: Body, limit: u64) -> Result<Bytes, NoBody> {
    let mut chunks = body.into_data_stream();
    let mut kept = BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| NoBody::BrokenOff)?;
        length += chunk.len() as u64;
        if length <= limit {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
            if length > limit + DROPPED_BYTES {
                break;
            }
        }
    }
    match length <= limit {
        true => Ok(kept.freeze()),
        false => Err(NoBody::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    fn chunks(count: usize) -> Body {
        let chunk = Bytes::from_static(&[b' '; 10]);
        let chunks = std::iter::repeat_n(chunk, count).map(Ok::<_, std::io::Error>);
        Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_whole() {
        let none = HeaderMap::new();
        let whole = read(&none, chunks(10), 100, WAIT).await;
        assert_eq!(whole.map(|body| body.len()), Ok(100));
        let large = read(&none, chunks(11), 100, WAIT).await;
        assert_eq!(large, Err(NoBody::TooLarge));
    }

    #[tokio::test]
    async fn what_is_too_large_is_taken_in_before_it_is_refused() {
        let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let chunk = Bytes::from_static(&[b' '; 10]);
        let chunks = (0..30).map(move |number| {
            told.send(number).ok();
            Ok::<_, std::io::Error>(chunk.clone())
        });
        let body = Body::from_stream(futures::stream::iter(chunks));
        let refused = read(&HeaderMap::new(), body, 100, WAIT).await;
        assert_eq!(refused, Err(NoBody::TooLarge));
        let mut last = None;
        while let Ok(number) = hears.try_recv() {
            last = Some(number);
        }
        assert_eq!(last, Some(29));
    }

    #[tokio::test]
    async fn who_asks_before_sending_is_told_at_once() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("101"));
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            read(&headers, never, 100, WAIT).await,
            Err(NoBody::TooLarge)
        );
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let late = read(&HeaderMap::new(), never, 100, Duration::ZERO).await;
        assert_eq!(late, Err(NoBody::TooSlow));
    }
}
