//! The two outlets of a process: lines on stderr, always, and spans to a collector, where one is configured. Owns the bounds of what
//! waits for it (I10).

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::export::Told;
use crate::ids::Ids;
use crate::span::TARGET;

/// Spans that wait for the collector: some hundred bytes each. What comes on top is dropped.
const MOST_WAITING: usize = 4_096;
/// Spans in one message.
const MOST_A_BATCH: usize = 512;
/// How long a span waits for others.
const EVERY: Duration = Duration::from_secs(2);
/// How long a collector may take to be connected to.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take for one batch.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of a process may be held up by it.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The standard's name of the address, where the configuration file says none.
const STANDARD: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where spans go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// `http://host:port` on the same host, else `https://host:port`: OTLP over gRPC.
    pub endpoint: String,
    /// Who vouches for its certificate, PEM. Needed for https.
    pub authority: Option<String>,
}

impl Collector {
    /// The configured one, else the one in `OTEL_EXPORTER_OTLP_ENDPOINT`, else none.
    pub fn configured(endpoint: Option<String>, authority: Option<String>) -> Option<Self> {
        let standard = || std::env::var(STANDARD).ok();
        let endpoint = endpoint.or_else(standard).filter(|endpoint| !endpoint.is_empty())?;
        Some(Self { endpoint, authority })
    }
}

/// The outlets cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// The address is none, or cannot be dialled as it says.
    #[error("telemetry.otlp: {0}: expected http://HOST:PORT, or https://HOST:PORT with telemetry.authority")]
    Address(String),
    /// The library refused.
    #[error("telemetry.otlp: {0}")]
    Exporter(String),
    /// There are outlets already.
    #[error("log lines are set up already")]
    Twice,
}

/// The outlets of a process that runs. [`Telemetry::end`] hands over what waits.
#[must_use = "spans that wait are handed over by its end"]
#[derive(Debug)]
pub struct Telemetry(Option<SdkTracerProvider>);

/// Lines on stderr alone, by `RUST_LOG` or from `info` on.
///
/// # Errors
/// [`OutletError::Twice`].
pub fn to_stderr() -> Result<(), OutletError> {
    Registry::default().with(lines()).try_init().map_err(|_| OutletError::Twice)
}

/// Lines on stderr, and spans of `service` to a collector. Inside a runtime, which has to be driven for as long as spans are made.
/// The collector is dialled when there is something to say, and need not be there.
///
/// # Errors
/// [`OutletError`]; then nothing is set up.
pub fn with_collector(service: &'static str, version: &'static str, to: &Collector) -> Result<Telemetry, OutletError> {
    let exporter = SpanExporter::builder().with_tonic().with_channel(endpoint(to)?.connect_lazy()).build();
    let exporter = Told::new(exporter.map_err(|error| OutletError::Exporter(error.to_string()))?);
    let bounds = BatchConfigBuilder::default()
        .with_max_queue_size(MOST_WAITING)
        .with_max_export_batch_size(MOST_A_BATCH)
        .with_scheduled_delay(EVERY)
        .build();
    // Nothing is detected: a host's name is not ours to tell.
    let resource = Resource::builder_empty()
        .with_attributes([KeyValue::new("service.name", service), KeyValue::new("service.version", version)])
        .build();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Ids::default())
        .with_resource(resource)
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(bounds).build())
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("gallra"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        // Ours alone: a span of another library, or a log line's text, may say anything.
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET));
    Registry::default().with(lines()).with(spans).try_init().map_err(|_| OutletError::Twice)?;
    Ok(Telemetry(Some(provider)))
}

fn lines<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let not_ours = filter_fn(|metadata| metadata.target() != TARGET);
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(filter.and(not_ours))
}

fn endpoint(to: &Collector) -> Result<Endpoint, OutletError> {
    let wrong = || OutletError::Address(to.endpoint.clone());
    let endpoint = Endpoint::from_shared(to.endpoint.clone()).map_err(|_| wrong())?;
    let endpoint = endpoint.connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN);
    match (endpoint.uri().scheme_str(), &to.authority) {
        (Some("http"), None) => Ok(endpoint),
        (Some("https"), Some(authority)) => {
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
            endpoint.tls_config(tls).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

impl Telemetry {
    /// Of a process that has no collector.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Hands over what waits, and waits for it for two seconds at most. The runtime goes on meanwhile.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(END_WITHIN));
        // Lost then: what they told of is in the store and in the log.
        if !matches!(tokio::time::timeout(END_WITHIN, ending).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the collector did not take the last spans in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(address: &str, authority: Option<&str>) -> Result<Endpoint, OutletError> {
        endpoint(&Collector { endpoint: address.to_owned(), authority: authority.map(str::to_owned) })
    }

    #[test]
    fn an_address_says_whether_it_is_encrypted_and_who_vouches_for_it() {
        assert!(dial("http://127.0.0.1:4317", None).is_ok());
        for (address, authority) in [
            ("", None),
            ("127.0.0.1:4317", None),
            ("ftp://127.0.0.1:4317", None),
            ("https://collector.example:4317", None),
            ("http://127.0.0.1:4317", Some("PEM")),
        ] {
            assert!(matches!(dial(address, authority), Err(OutletError::Address(_))), "{address}");
        }
    }
}
