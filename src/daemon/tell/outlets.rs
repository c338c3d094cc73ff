//! The ways out of a message: a webhook that it is posted to, a command that reads it.

use std::process::Stdio;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use url::Url;

use super::news::Message;
use crate::config::{self, SecretError, WebhookError};
use crate::http::{self, Call, Http, HttpError, Pacing, Policy, backoff};

/// How often a message is tried at each outlet. Who cannot be reached by then learns of it from
/// the log.
const ATTEMPTS: u32 = 4;

/// How long a webhook may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// How long the command may take: a mail server that greylists is none of its business.
const COMMAND_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// What is wrong with a setting stays in the chain: it is told by its type.
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("'notify.url' {0}")]
    Url(#[from] WebhookError),
    #[error("notifications cannot be posted: {0}")]
    Http(#[from] HttpError),
}

/// Where messages go.
pub struct Outlets {
    webhook: Option<(Http, Url)>,
    command: Vec<String>,
    overdue_after: Duration,
}

impl Outlets {
    pub fn open(settings: &config::Notify) -> Result<Outlets, OutletError> {
        let webhook = match &settings.url {
            Some(url) => {
                let text = url.read()?;
                let url = config::webhook(text.expose().trim())?;
                let http = Http::open(http::Options {
                    timeout: ANSWER_WAIT,
                    concurrency: 1,
                    pacing: Pacing::None,
                    ..http::Options::default()
                })?;
                Some((http, url))
            }
            None => None,
        };
        Ok(Outlets {
            webhook,
            command: settings.command.clone(),
            overdue_after: settings.overdue_after,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.webhook.is_none() && self.command.is_empty()
    }

    pub fn overdue_after(&self) -> Duration {
        self.overdue_after
    }

    /// Carries a message out by every way there is. What fails is logged.
    pub async fn carry_out(&self, message: &Message) {
        let body = serde_json::to_string(message).expect("a message is plain data");
        let event = message.event;
        let failed = |why: String| tracing::error!("nobody was told of {event:?}: {why}");
        if let Some((http, url)) = &self.webhook
            && let Err(error) = post(http, url, body.clone()).await
        {
            failed(error.to_string());
        }
        if let Some((program, arguments)) = self.command.split_first() {
            let mut attempt = 1;
            while let Err(why) = run(program, arguments, &body).await {
                if attempt == ATTEMPTS {
                    failed(format!("'notify.command' {why}"));
                    break;
                }
                tokio::time::sleep(backoff(attempt)).await;
                attempt += 1;
            }
        }
    }
}

async fn post(http: &Http, url: &Url, body: String) -> Result<(), HttpError> {
    let request = http
        .client()
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .build()
        .map_err(|_| HttpError::Setup("the notification cannot be built".into()))?;
    let call = Call {
        what: "the notification of 'notify.url'",
        bucket: "",
        policy: Policy {
            attempts: ATTEMPTS,
            patience: Duration::from_secs(60),
            ceiling: Duration::from_secs(60),
            body_limit: 1 << 20,
        },
        signer: None,
    };
    http.execute(&request, call, |_| Ok(())).await
}

/// Runs the command once, with the message on its standard input.
async fn run(program: &str, arguments: &[String], body: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|cause| format!("cannot be started: {cause}"))?;
    let ended = async {
        if let Some(mut input) = child.stdin.take() {
            // One that does not read its input may still do what it is for.
            input.write_all(body.as_bytes()).await.ok();
        }
        child.wait().await
    };
    match tokio::time::timeout(COMMAND_WAIT, ended).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("ended with {status}")),
        Ok(Err(cause)) => Err(format!("cannot be waited for: {cause}")),
        Err(_) => Err(format!("took longer than {} s", COMMAND_WAIT.as_secs())),
    }
}
