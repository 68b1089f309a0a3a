//! `grpc.health.v1.Health`: whether this coordinator can do anything for its callers, which is whether its store answers. All
//! services stand on the same store, so all say the same; when it is told to stop, none serves any more. Knows nothing of what is late or
//! stopped: that is for people (`docs/metrics.md`), and no reason to send callers elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use gallra_identity::access;
use gallra_store::keys;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::core::Core;

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(2);
/// How long it may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The service, and what tells it.
pub(crate) fn service() -> (HealthReporter, HealthServer<impl Health>) {
    health_reporter()
}

/// The names of our services, and the empty one, which stands for the whole server.
fn services() -> BTreeSet<&'static str> {
    let named = access::TABLE.iter().filter_map(|(path, _)| path.trim_start_matches('/').split('/').next());
    named.filter(|name| name.starts_with("gallra.")).chain([""]).collect()
}

/// Tells it how things stand, until this coordinator is told to stop.
pub(crate) async fn follow(core: &Core, reporter: HealthReporter) {
    let mut stopping = core.stopping.subscribe();
    let mut said = None;
    loop {
        let status = if *stopping.borrow() { ServingStatus::NotServing } else { look(core).await };
        if said != Some(status) {
            for service in services() {
                reporter.set_service_status(service, status).await;
            }
            said = Some(status);
        }
        if *stopping.borrow() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.changed() => {}
        }
    }
}

async fn look(core: &Core) -> ServingStatus {
    match tokio::time::timeout(ANSWER_WITHIN, core.store.get(&keys::meta_generation())).await {
        Ok(Ok(Some(_))) => ServingStatus::Serving,
        Ok(Ok(None) | Err(_)) | Err(_) => ServingStatus::NotServing,
    }
}
