//! A collector, OTLP over gRPC: one of our own that keeps what it was sent as bytes and as spans, and another program.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use gallra_cli::demo::site::wait_for;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// One that listens.
pub(crate) struct Collector {
    endpoint: String,
    kept: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

struct Service(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// One that takes whatever is sent.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Arc::default();
        let service = TraceServiceServer::new(Service(Arc::clone(&kept)));
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
        Self { endpoint, kept }
    }

    /// `http://host:port`.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// All that was sent so far.
    pub(crate) fn seen(&self) -> Seen {
        let messages = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = messages.iter().map(prost::Message::encode_to_vec).collect();
        Seen { messages, bytes }
    }
}

/// Another program that listens, and writes what it hears into a file.
pub(crate) struct Rotel {
    child: Child,
    grpc: SocketAddr,
    heard: PathBuf,
}

impl Rotel {
    /// Starts it; what it hears goes into `heard`.
    pub(crate) async fn start(program: OsString, heard: PathBuf) -> Self {
        let port = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|on| on.local_addr()).expect("a port");
        let (grpc, http) = (port(), port());
        let file = File::create(&heard).expect("a file");
        let child = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &grpc.to_string(), "--otlp-http-endpoint", &http.to_string()])
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("a file"))
            .stdout(file)
            .spawn()
            .expect("rotel starts");
        let there = async || tokio::net::TcpStream::connect(grpc).await.ok();
        wait_for("rotel", there).await.expect("rotel listens");
        Self { child, grpc, heard }
    }

    /// `http://host:port`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Ends it, and gives what it wrote.
    pub(crate) async fn heard(mut self) -> Vec<u8> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("it is told");
        wait_for("rotel's end", async || self.child.try_wait().expect("it can be waited for")).await.expect("it ends");
        std::fs::read(&self.heard).expect("what it wrote")
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was received.
pub(crate) struct Seen {
    messages: Vec<ExportTraceServiceRequest>,
    bytes: Vec<Vec<u8>>,
}

impl Seen {
    /// The messages' bytes.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.iter().map(Vec::as_slice)
    }

    /// All spans.
    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        let resources = self.messages.iter().flat_map(|message| &message.resource_spans);
        resources.flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans)
    }

    /// The spans of one trace.
    pub(crate) fn of(&self, trace: [u8; 16]) -> impl Iterator<Item = &Span> {
        self.spans().filter(move |span| span.trace_id == trace)
    }

    /// The spans of one program.
    pub(crate) fn by(&self, service: &str) -> Vec<&Span> {
        let resources = self.messages.iter().flat_map(|message| &message.resource_spans);
        let named = |attributes: &[KeyValue]| attributes.iter().any(|pair| text(pair.value.as_ref()) == service);
        let of = resources.filter(|of| of.resource.as_ref().is_some_and(|resource| named(&resource.attributes)));
        of.flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans).collect()
    }

    /// Every key and value that was said of a resource, a span, a link or an event.
    pub(crate) fn said(&self) -> Vec<(String, String)> {
        let resources = self.messages.iter().flat_map(|message| &message.resource_spans);
        let mut pairs: Vec<&KeyValue> =
            resources.filter_map(|of| of.resource.as_ref()).flat_map(|of| &of.attributes).collect();
        for span in self.spans() {
            pairs.extend(&span.attributes);
            pairs.extend(span.links.iter().flat_map(|link| &link.attributes));
            pairs.extend(span.events.iter().flat_map(|event| &event.attributes));
            assert!(span.trace_state.is_empty() && span.status.as_ref().is_none_or(|status| status.message.is_empty()));
        }
        pairs.into_iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("a value of a form that nothing of ours has: {other:?}"),
    }
}

/// A request's id as a trace's.
pub(crate) fn id_of(request: &str) -> [u8; 16] {
    u128::from_str_radix(request, 16).expect("an id").to_be_bytes()
}
