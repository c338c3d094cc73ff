//! Connections: taken, served, and ended.
//!
//! What a client can do before it has said anything is bounded here: how many may be
//! connected, how long they may take to say what they want, how much of it is read.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Shared;

/// The most connections at once: well below the 1,024 files that a process may usually open.
/// Who comes beyond waits in the system's queue.
const CONNECTIONS: usize = 512;

/// How long a client may take for the head of a request, or stay without one.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// How long a client may take to agree on TLS.
const TLS_WAIT: Duration = Duration::from_secs(10);

/// The largest head of a request.
const HEAD_BYTES: usize = 32 * 1024;

/// How long requests in hand may take once the server is to stop. The daemon has 10 s in all.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// How long to leave a system alone that cannot take connections: it is out of files, most
/// likely, and asking at once would keep a core busy.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, and then until the requests in hand are done.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    routes: Router,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (ending, end) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let taken = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = &mut stop => break,
            (place, taken) = taken => match taken {
                Ok((stream, _)) => (place, stream),
                Err(cause) => {
                    not_taken(&cause).await;
                    continue;
                }
            },
        };
        let (shared, routes, end) = (shared.clone(), routes.clone(), end.clone());
        connections.spawn(async move {
            let _place = place;
            connection(stream, shared, routes, end).await;
        });
        // Those that ended are let go of.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    ending.send(()).ok();
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(LAST_REQUESTS, all).await.is_err() {
        tracing::warn!("{} connections are cut off", connections.len());
    }
}

async fn not_taken(cause: &io::Error) {
    let theirs = matches!(
        cause.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !theirs {
        tracing::warn!("a connection could not be taken: {cause}");
        sleep(PAUSE).await;
    }
}

async fn connection(stream: TcpStream, shared: Shared, routes: Router, end: watch::Receiver<()>) {
    stream.set_nodelay(true).ok();
    let Some(tls) = shared.access().tls.clone() else {
        return requests(stream, routes, end).await;
    };
    match timeout(TLS_WAIT, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, routes, end).await,
        Ok(Err(cause)) => tracing::debug!("a client and rosterd do not agree on TLS: {cause}"),
        Err(_) => tracing::debug!("a client took too long to agree on TLS"),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    routes: Router,
    mut end: watch::Receiver<()>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = end.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = ended {
        tracing::debug!("a connection broke off: {cause}");
    }
}
