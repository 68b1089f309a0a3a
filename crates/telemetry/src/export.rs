//! The exporter that says what becomes of it: once when a collector takes nothing, once when it takes spans again. Spans that were
//! not taken are dropped; nothing about an erasure depends on them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// An exporter, and whether its last batch was lost.
#[derive(Debug)]
pub(crate) struct Told<E> {
    inner: E,
    failing: AtomicBool,
    lost: AtomicU64,
}

impl<E> Told<E> {
    pub(crate) fn new(inner: E) -> Self {
        Self { inner, failing: AtomicBool::new(false), lost: AtomicU64::new(0) }
    }
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let done = self.inner.export(batch).await;
        match &done {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                tracing::info!(lost, "the collector takes spans again");
            }
            Ok(()) => {}
            Err(error) => {
                self.lost.fetch_add(spans, Ordering::Relaxed);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the collector takes no spans: they are dropped until it does; nothing else waits for it");
                }
            }
        }
        done
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
