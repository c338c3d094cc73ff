//! Connections that can be torn on purpose.
//!
//! A handler cannot cut a connection by answering; it can by pulling this cord, after which the
//! socket is reset instead of read or written.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections carry a cord.
#[derive(Debug)]
pub struct Door(pub TcpListener);

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    cord: Cord,
}

/// Pulling it resets the connection.
#[derive(Debug, Clone, Default)]
pub struct Cord(Arc<AtomicBool>);

impl Cord {
    /// Resets the connection at its next move.
    pub fn pull(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    // Small answers must not wait for a full packet.
                    let _ = stream.set_nodelay(true);
                    let wire = Wire {
                        stream,
                        cord: Cord::default(),
                    };
                    return (wire, address);
                }
                // Out of descriptors, most likely; others will be closed soon.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Cord {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().cord.clone()
    }
}

impl Wire {
    fn torn(&self) -> Option<io::Error> {
        self.cord
            .0
            .load(Ordering::SeqCst)
            .then(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.torn() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.torn() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.torn() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
