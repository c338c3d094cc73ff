//! The loop against a listener that plays one canned answer after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;

use super::*;

/// Answers one request a connection: the nth with the nth text, the last one ever after.
pub(crate) async fn canned(answers: Vec<String>) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let answer = answers[n.min(answers.len() - 1)].clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => seen.extend_from_slice(&buffer[..n]),
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (url, asked)
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn call() -> Call<'static> {
    Call {
        what: "the list",
        bucket: "",
        policy: Policy {
            attempts: 3,
            ..Policy::default()
        },
        signer: None,
    }
}

async fn get(answers: Vec<String>) -> (Result<u64, HttpError>, usize, Duration) {
    let (url, asked) = canned(answers).await;
    let http = Http::open(Options::default()).unwrap();
    let request = http.client().get(url).build().unwrap();
    let started = Instant::now();
    let result = http
        .execute(&request, call(), |answer| {
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
        })
        .await;
    assert_eq!(http.requests() as usize, asked.load(Ordering::SeqCst));
    (result, asked.load(Ordering::SeqCst), started.elapsed())
}

#[tokio::test]
async fn a_fault_a_page_of_html_and_a_cut_body_are_tried_again() {
    let html = answer("200 OK", "", "<html>sign in</html>");
    let cut = answer("200 OK", "", "4242").replace("length: 4", "length: 9");
    for fault in [answer("503 No", "", ""), html, cut] {
        let (result, asked, _) = get(vec![fault, answer("200 OK", "", "42")]).await;
        assert_eq!((result.unwrap(), asked), (42, 2));
    }
}

#[tokio::test]
async fn faults_that_go_on_end_with_an_error_that_a_later_run_may_not_have() {
    let (result, asked, _) = get(vec![answer("500 No", "", "")]).await;
    let error = result.unwrap_err();
    assert!(error.worth_retrying());
    assert_eq!(asked, 3);
    assert!(error.to_string().starts_with("the list: 127.0.0.1:"));
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let (result, asked, _) = get(vec![answer("403 No", "", "why")]).await;
    let error = result.unwrap_err();
    assert_eq!(asked, 1);
    assert!(!error.worth_retrying());
    assert_eq!(error.status().unwrap().body.as_ref(), b"why");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = answer("302 Found", "location: http://127.0.0.1:9/\r\n", "");
    let (result, asked, _) = get(vec![moved]).await;
    assert_eq!(result.unwrap_err().status().unwrap().status, 302);
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    let slow = answer("429 Slow", "retry-after: 0.6\r\n", "");
    let (result, asked, took) = get(vec![slow, answer("200 OK", "", "1")]).await;
    assert_eq!((result.unwrap(), asked), (1, 2));
    assert!(took >= Duration::from_millis(600), "{took:?}");
}

#[tokio::test]
async fn a_pause_longer_than_the_ceiling_ends_the_call_and_nothing_is_sent_early() {
    let slow = answer("429 Slow", "retry-after: 900\r\n", "");
    let (result, asked, _) = get(vec![slow]).await;
    let error = result.unwrap_err();
    assert!(matches!(
        error,
        HttpError::Throttled {
            wait_seconds: 900,
            ..
        }
    ));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() {
    let http = Http::open(Options::default()).unwrap();
    let request = http
        .client()
        .get("http://127.0.0.1:1/x?secret=s")
        .build()
        .unwrap();
    let error = http
        .execute(&request, call(), |_| Ok(()))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot reach 127.0.0.1:1: "), "{error}");
    assert!(!error.contains("secret"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let (url, _) = canned(vec![answer("200 OK", "", &"9".repeat(5000))]).await;
    let http = Http::open(Options::default()).unwrap();
    let request = http.client().get(url).build().unwrap();
    let mut call = call();
    call.policy.body_limit = 4096;
    let result = http.execute(&request, call, |_| Ok(())).await;
    assert!(matches!(result, Err(HttpError::TooLarge { .. })));
}
