//! Keys of what is signed about keys, of references that claim codes lead to, and of what was not signed.

use gallra_model::{Digest, Instant, RequestId};

use super::Family;
use super::time::{instant, millis_down, millis_up, number};
use crate::key::{Key, KeyPrefix, KeyRange};

/// One key manifest; versions count from 1.
pub fn key_manifest(version: u32) -> Key {
    key_manifests().key(&format!("{version:08x}"))
}

/// All key manifests, by version.
pub fn key_manifests() -> KeyPrefix {
    Family::KeyManifest.prefix()
}

/// What was said of a key at an instant.
pub fn key_event(at: Instant, keyid: &Digest) -> Key {
    Family::KeyEvent.under(&[&number(millis_down(at))]).key(&keyid.to_string())
}

/// All that was said of keys, oldest first.
pub fn key_events() -> KeyPrefix {
    Family::KeyEvent.prefix()
}

/// That a key signs nothing more: whatever enters something that it signed expects that this is absent.
pub fn key_ended(keyid: &Digest) -> Key {
    keys_ended().key(&keyid.to_string())
}

/// All keys that sign nothing more.
pub fn keys_ended() -> KeyPrefix {
    Family::KeyEnded.prefix()
}

/// The request of a pick-up reference: 32 hex characters (`docs/formats/subject-v1.md`, section 4).
pub fn pickup(reference: &str) -> Key {
    Family::Pickup.prefix().key(reference)
}

/// Destroy the claim code of a request at an instant.
pub fn claim_due(at: Instant, request: &RequestId) -> Key {
    Family::ClaimDue.under(&[&number(millis_up(at))]).key(&request.to_string())
}

/// All claim codes that are to be destroyed by now, soonest first.
pub fn claims_due(now: Instant) -> KeyRange {
    KeyRange::through(&Family::ClaimDue.prefix(), &number(millis_down(now)))
}

/// Instant (to the millisecond) and request of such an entry; none for another key.
pub fn parse_claim_due(key: &Key) -> Option<(Instant, RequestId)> {
    let (at, request) = Family::ClaimDue.prefix().rest(key)?.split_once('/')?;
    Some((instant(at)?, request.parse().ok()?))
}

/// What would be shown by a request's statement of this type.
pub fn leak_of_statement(request: &RequestId, statement: &str) -> Key {
    leaks_of(request).key(statement)
}

/// What is shown by a receipt of a request, by the digest of its payload.
pub fn leak_of_receipt(request: &RequestId, digest: &Digest) -> Key {
    Family::Leak.under(&[&request.to_string(), "receipt"]).key(&digest.to_string())
}

/// All that would show, or shows, somebody in what is said about a request.
pub fn leaks_of(request: &RequestId) -> KeyPrefix {
    Family::Leak.under(&[&request.to_string()])
}
