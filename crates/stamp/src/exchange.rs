//! One POST on a connection of its own. Bounds what is read; the time is bounded by whoever waits, and dropping this ends
//! the connection.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::Why;
use crate::address::Address;

/// Longest answer, in bytes: the longest token that anybody believes (timestamp-v1.md, section 1), and what is around it.
const MOST_ANSWER: usize = 66_560;

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// Sends a query, and gives the body of the answer.
pub(crate) async fn post(address: &Address, query: Vec<u8>) -> Result<Bytes, Why> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
    let stream = stream.map_err(|why| Why::Unreachable(why.to_string()))?;
    match &address.tls {
        None => exchange(stream, address, query).await,
        Some((config, name)) => {
            let stream = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
            exchange(stream.map_err(|why| Why::Tls(why.to_string()))?, address, query).await
        }
    }
}

async fn exchange<S>(stream: S, address: &Address, query: Vec<u8>) -> Result<Bytes, Why>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |why: hyper::Error| Why::Broken(why.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this function: a set of tasks takes them down with it.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(&address.path)
        .header(HOST, address.host_field())
        .header(CONTENT_TYPE, QUERY)
        .header(ACCEPT, REPLY)
        .body(Full::new(Bytes::from(query)))
        .map_err(|_| Why::Address("its path cannot be asked for"))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    body(answer).await
}

async fn body(answer: Response<Incoming>) -> Result<Bytes, Why> {
    if answer.status() != StatusCode::OK {
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
        return Err(match after {
            Some(after) => Why::Later { status, after: after.to_owned() },
            None => Why::Status(status),
        });
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(REPLY)) {
        return Err(Why::ContentType);
    }
    match Limited::new(answer.into_body(), MOST_ANSWER).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(why) if why.is::<LengthLimitError>() => Err(Why::TooLong(MOST_ANSWER)),
        Err(why) => Err(Why::Broken(why.to_string())),
    }
}
