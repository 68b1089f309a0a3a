//! One `add-checkpoint` and its answer, on a connection of its own.
//!
//! Owns the request's form and what each status means; follows nobody elsewhere (a redirect is a refusal) and tries nothing
//! twice. Refuses to know whether an answer is to be believed: its lines are checked in [`crate::ask`].

use std::io;

use bytes::Bytes;
use gallra_log::witness::{AddCheckpoint, SIZE_TYPE, stale_size};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::address::Address;

/// Behind a witness's address.
pub const ADD_CHECKPOINT_PATH: &str = "/add-checkpoint";

/// Longest answer that is read, in bytes: a few lines, of which a post-quantum one has 5 kB.
pub const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// Most bytes of an answer's headers.
const MOST_HEADER_BYTES: usize = 16 * 1024;

/// What a witness says. Nobody's word yet: the lines are not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: what should be lines of signatures.
    Lines(Bytes),
    /// 409 with a size: the witness's newest head.
    Stale(u64),
    /// 409 without a size: it has cosigned another tree of this size.
    Fork,
    /// Any other status.
    Refused(StatusCode),
    /// Any other status, with a `Retry-After`: what that says, for who asks again.
    Later(StatusCode, String),
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody there, or the connection broke.
    #[error("the witness cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// Not HTTP, or not all of it.
    #[error("the answer is not whole: {0}")]
    Http(#[from] hyper::Error),
    /// Too long, or it broke off.
    #[error("the answer's body broke off, or is longer than {MOST_ANSWER_BYTES} bytes")]
    Body,
    /// The request could not be made of the address.
    #[error("no request can be made for this address: {0}")]
    Request(#[from] http::Error),
}

/// Asks once. Bounded in what is read, not in time: the caller says how long ([`crate::gather()`] does).
///
/// # Errors
/// [`ClientError`] where there is no answer.
pub async fn add_checkpoint(witness: &Address, request: &AddCheckpoint) -> Result<Answer, ClientError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(witness.path(ADD_CHECKPOINT_PATH))
        .header(header::HOST, witness.authority())
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Full::new(Bytes::from(request.to_string())))?;
    let stream = TcpStream::connect((witness.host(), witness.port())).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MOST_HEADER_BYTES).handshake(TokioIo::new(stream)).await?;
    let asked = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await.map_err(|_| ClientError::Body)?;
        Ok(understood(&Response::from_parts(head, ()), body.to_bytes()))
    };
    // The connection moves only while somebody asks it to; when it ends, what was asked knows.
    let driven = async {
        if let Err(error) = connection.await {
            tracing::debug!("a witness's connection broke: {error}");
        }
        std::future::pending().await
    };
    tokio::select! {
        answer = asked => answer,
        () = driven => Err(ClientError::Body),
    }
}

fn understood(head: &Response<()>, body: Bytes) -> Answer {
    match head.status() {
        StatusCode::OK => Answer::Lines(body),
        StatusCode::CONFLICT => {
            let sized = head.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == SIZE_TYPE);
            stale_size(&body).filter(|_| sized).map_or(Answer::Fork, Answer::Stale)
        }
        other => match head.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()) {
            Some(after) => Answer::Later(other, after.to_owned()),
            None => Answer::Refused(other),
        },
    }
}
