//! `POST /add-checkpoint` (`docs/formats/log-v1.md`, section 9).
//!
//! Owns the path, the method, the body's bound and the statuses. Refuses to know what is decided and stored: a [`Witness`]
//! has done both when it gives a line.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gallra_log::note::Signature;
use gallra_log::witness::{AddCheckpoint, MOST_REQUEST_BYTES, Refusal};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::client::ADD_CHECKPOINT_PATH;
use crate::server::{Handler, Reply, nothing, of, only, text};

/// How long a request's body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Decides, stores and cosigns.
#[async_trait]
pub trait Witness: Send + Sync + 'static {
    /// The line of the cosignature, once the head that it is for is stored. Deciding and storing are one step for each log,
    /// even where the caller does not wait for the end.
    ///
    /// # Errors
    /// [`NotCosigned`]: nothing was signed.
    async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<Signature, NotCosigned>;
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum NotCosigned {
    /// It may not be cosigned.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be stored. Says why, for the witness's operator; the caller is told nothing of it.
    #[error("{0}")]
    Failed(String),
}

/// Serves a witness.
#[derive(Debug)]
pub struct Witnessing<W>(pub W);

#[async_trait]
impl<W: Witness> Handler for Witnessing<W> {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        if request.uri().path() != ADD_CHECKPOINT_PATH || request.uri().query().is_some() {
            return nothing();
        }
        if request.method() != Method::POST {
            return only("POST");
        }
        let body = match read(request.into_body()).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let Ok(asked) = AddCheckpoint::parse(&body) else { return refused(Refusal::Malformed) };
        match self.0.add_checkpoint(asked).await {
            Ok(line) => text(StatusCode::OK, line.to_string()),
            Err(NotCosigned::Refused(why)) => refused(why),
            Err(NotCosigned::Failed(why)) => {
                tracing::error!("a checkpoint could not be cosigned: {why}");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot store it: nothing was cosigned\n")
            }
        }
    }
}

async fn read(body: Incoming) -> Result<Bytes, Reply> {
    let whole = tokio::time::timeout(BODY_WITHIN, Limited::new(body, MOST_REQUEST_BYTES).collect());
    match whole.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refused(Refusal::Malformed)),
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "the request broke off\n")),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "the request came too slowly\n")),
    }
}

fn refused(why: Refusal) -> Reply {
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match why.body() {
        (body, Some(kind)) => of(status, kind, body.into()),
        (body, None) => text(status, body),
    }
}
