//! The log's files for anybody (`docs/formats/log-v1.md`, section 7): `GET /checkpoint` and `GET /tile/…`.
//!
//! Owns which paths there are, in their one spelling, and how long each may be kept. Refuses to know where the files are.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gallra_log::tile::Tile;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;

use crate::server::{Handler, Reply, nothing, of, only, text};

/// A full tile never changes: a year is the longest that caches honour.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// What a partial tile holds never changes either, but a wider one takes its place and it may go.
const FOR_AN_HOUR: &str = "public, max-age=3600";
/// The newest checkpoint is asked for each time.
const NOT_KEPT: &str = "no-cache";

/// What a log has published.
#[async_trait]
pub trait Published: Send + Sync + 'static {
    /// The newest note, whole; nothing where none was signed yet.
    ///
    /// # Errors
    /// [`Unavailable`] where it cannot be read now: never for "there is none".
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable>;

    /// A file by its path, `tile/0/x001/234` or `tile/entries/000.p/7`: always a path of a tile in its one spelling. Nothing where
    /// the log has no such tile.
    ///
    /// # Errors
    /// As [`Published::checkpoint`].
    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Unavailable>;
}

/// A file that is there cannot be read now. Says why, for the log's operator; the caller is told nothing of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

#[async_trait]
impl<P: Published> Published for Arc<P> {
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        self.as_ref().checkpoint().await
    }

    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.as_ref().file(path).await
    }
}

/// Serves what a log has published.
#[derive(Debug)]
pub struct Tiles<P>(pub P);

#[async_trait]
impl<P: Published> Handler for Tiles<P> {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        // Nothing here has a query; whoever sends one means something else.
        let path = request.uri().path().strip_prefix('/').filter(|_| request.uri().query().is_none());
        let Some((path, tile)) = path.and_then(file) else { return nothing() };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return only("GET, HEAD");
        }
        let (found, kind, keep) = match tile {
            None => (self.0.checkpoint().await, "text/plain; charset=utf-8", NOT_KEPT),
            Some(tile) => {
                let keep = if tile.partial.is_none() { FOR_GOOD } else { FOR_AN_HOUR };
                (self.0.file(path).await, "application/octet-stream", keep)
            }
        };
        match found {
            Ok(Some(bytes)) => {
                let mut reply = of(StatusCode::OK, kind, Bytes::from(bytes));
                reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
                reply
            }
            Ok(None) => nothing(),
            Err(error) => {
                tracing::error!(path, "a file of the log cannot be served: {error}");
                text(StatusCode::SERVICE_UNAVAILABLE, "the log cannot be read now: try again later\n")
            }
        }
    }
}

/// The path, and the tile that it is one of; no tile for the checkpoint.
fn file(path: &str) -> Option<(&str, Option<Tile>)> {
    if path == "checkpoint" {
        return Some((path, None));
    }
    path.parse().ok().map(|tile| (path, Some(tile)))
}
