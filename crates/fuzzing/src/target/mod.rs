//! The bodies, by what they read. Each takes any bytes and panics where its property does not hold.

pub mod agent;
pub mod files;
pub mod identity;
pub mod logs;
pub mod merkle;
pub mod pipe;
pub mod places;
pub mod policy;
pub mod proof;
pub mod proof_v1;
pub mod question;
pub mod restic;
pub mod signed;
pub mod stored;
pub mod suppression;
pub mod timestamp;
pub mod values;
pub mod wire;
pub mod words;

use gallra_model::selector::{ExternalId, Selector};

/// A selector of these two ids and of nothing else, whatever else selectors can have.
fn selector(service: Option<&ExternalId>, customer: Option<&ExternalId>) -> Selector {
    let ids = serde_json::json!({ "service": service, "customer": customer });
    serde_json::from_value(ids).unwrap_or_else(|why| panic!("a selector of ids alone: {why}"))
}

/// Text out of bytes, as a file or a field has it.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
