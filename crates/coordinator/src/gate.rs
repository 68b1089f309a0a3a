//! The gate before every RPC: no certificate, a foreign one or a role that the table does not list gets nothing (I9).
//! Knows no RPC's content.

use std::task::{Context, Poll};

use gallra_identity::access;
use gallra_identity::{Caller, CallerRole};
use gallra_wire::details;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};

/// Wraps the server's services.
#[derive(Clone)]
pub struct GateLayer {
    installation: String,
}

impl GateLayer {
    /// A gate that lets callers of this installation in.
    pub fn new(installation: impl Into<String>) -> Self {
        Self { installation: installation.into() }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate { inner, installation: self.installation.clone() }
    }
}

/// One wrapped service.
#[derive(Clone)]
pub struct Gate<S> {
    inner: S,
    installation: String,
}

type Answer<E> = std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match admit(&request, &self.installation) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Box::pin(self.inner.call(request))
            }
            Err(status) => Box::pin(async move { Ok(status.into_http()) }),
        }
    }
}

fn admit(request: &http::Request<Body>, installation: &str) -> Result<Caller, Status> {
    let certificates = request
        .extensions()
        .get::<TlsConnectInfo<TcpConnectInfo>>()
        .and_then(TlsConnectInfo::peer_certs)
        .ok_or_else(|| Status::unauthenticated("a client certificate is needed"))?;
    let certificate = certificates.first().ok_or_else(|| Status::unauthenticated("a client certificate is needed"))?;
    let caller = Caller::from_der(certificate, installation)
        .map_err(|_| Status::unauthenticated("the client certificate names no caller of this installation"))?;
    let method = request.uri().path();
    if access::allowed(method, caller.role) {
        Ok(caller)
    } else {
        Err(details::not_allowed("this role may not call this"))
    }
}

/// The caller that the gate let in.
///
/// # Errors
/// `UNAUTHENTICATED` when the gate was not passed: a wiring mistake, answered as a refusal.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| Status::unauthenticated("no caller"))
}

/// Whether a caller is an agent, for the one RPC that only agents call.
pub fn is_agent(caller: &Caller) -> bool {
    caller.role == CallerRole::Agent
}
