//! Connections: how many, how long, how much is read of each. A handler gives one answer to one request.
//!
//! Refuses to know any path. Upholds I10: who connects and says nothing, says it slowly, or reads slowly holds one of a
//! bounded number of connections, for a bounded time.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most connections at once; more wait in the listener's queue. Each holds some tens of kilobytes.
pub const MOST_CONNECTIONS: usize = 256;
/// Most headers of a request, and most bytes of them: browsers and proxies send some 2 kB.
const MOST_HEADERS: usize = 64;
const MOST_HEADER_BYTES: usize = 16 * 1024;
/// How long a connection may take to say its next request.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long the handler may take for an answer, with the reading of a request's body.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection lasts; the answer that is under way then has [`END_WITHIN`] more. At this pace the largest file, a
/// bundle of 1 MiB, still gets through at 10 kB/s.
const CONNECTION_LASTS: Duration = Duration::from_secs(120);
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long answers that are under way may go on after the signal to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait where the system has no connection to give: it has run out of something.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// A whole answer.
pub type Reply = Response<Full<Bytes>>;

/// What answers requests.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request whose body has not been read. May be dropped in the middle when the caller goes.
    async fn answer(&self, request: Request<Incoming>) -> Reply;
}

/// Answers whoever connects, until `until` is there; then what is under way may end within 2 seconds.
pub async fn serve(listener: TcpListener, handler: impl Handler, until: impl Future<Output = ()>) {
    let handler = Arc::new(handler);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(until);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut until => break,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, place, Arc::clone(&handler), stopped.clone()));
    }
    drop(listener);
    stop.send_replace(true);
    // What is left after that is ended with the set.
    let _ = timeout(STOP_WITHIN, async { while connections.join_next().await.is_some() {} }).await;
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(room).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!("no connection can be taken: {error}");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    handler: Arc<H>,
    mut stopped: watch::Receiver<bool>,
) {
    // Small answers would otherwise wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(handler.as_ref(), request).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = over(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            timeout(END_WITHIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection broke: {error}");
    }
    drop(place);
}

/// When a connection has lasted long enough, or all are to end.
async fn over(stopped: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(CONNECTION_LASTS) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

async fn answer(handler: &impl Handler, request: Request<Incoming>) -> Reply {
    let late = |_| text(StatusCode::SERVICE_UNAVAILABLE, "too slow: try again later\n");
    timeout(ANSWER_WITHIN, handler.answer(request)).await.unwrap_or_else(late)
}

/// An answer that people read; nobody keeps it.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = of(status, "text/plain; charset=utf-8", body.into());
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// An answer of a type.
pub(crate) fn of(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// 405, with what there is instead.
pub(crate) fn only(methods: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed here\n");
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    reply
}

/// 404.
pub(crate) fn nothing() -> Reply {
    text(StatusCode::NOT_FOUND, "there is nothing under this path\n")
}
