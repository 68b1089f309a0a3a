//! `GET /metrics`, plain HTTP, where `[metrics] listen` says. Who connects is not asked: the page names nobody, and is for loopback or a
//! network of one's own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gallra_tlog::{Handler, Reply};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::core::Core;

/// Prometheus' text format, in the form that OpenMetrics fixed.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Page(Arc<Core>);

#[async_trait]
impl Handler for Page {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        match (request.uri().path(), request.method()) {
            ("/metrics", &Method::GET) => reply(StatusCode::OK, TEXT, self.0.metrics.page(&self.0).await),
            ("/metrics", _) => reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
            _ => reply(StatusCode::NOT_FOUND, "text/plain", "only /metrics is here\n".to_owned()),
        }
    }
}

fn reply(status: StatusCode, kind: &'static str, text: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// Answers until `until` is there.
pub(crate) async fn serve(listener: TcpListener, core: Arc<Core>, until: impl Future<Output = ()>) {
    gallra_tlog::serve(listener, Page(core), until).await;
}
