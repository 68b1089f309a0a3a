//! Keys of a request and all that hangs on it, so that one range reads, and one sweep removes, each part.

use gallra_model::{AgentName, CopyId, Digest, JobId, ObligationId, RequestId};

use super::Family;
use crate::key::{Key, KeyPrefix};

fn part(family: Family, request: &RequestId) -> KeyPrefix {
    family.under(&[&request.to_string()])
}

/// One request.
pub fn request(id: &RequestId) -> Key {
    requests().key(&id.to_string())
}

/// What [`request`] put in.
pub fn parse_request(key: &Key) -> Option<RequestId> {
    requests().rest(key)?.parse().ok()
}

/// All requests, oldest first.
pub fn requests() -> KeyPrefix {
    Family::Request.prefix()
}

/// One plan of a request; numbers count from 1.
pub fn plan(request: &RequestId, number: u32) -> Key {
    plans_of(request).key(&format!("{number:08x}"))
}

/// A request's plans, in order of numbers.
pub fn plans_of(request: &RequestId) -> KeyPrefix {
    part(Family::Plan, request)
}

/// One job of a request.
pub fn job(request: &RequestId, job: &JobId) -> Key {
    jobs_of(request).key(&job.to_string())
}

/// A request's jobs.
pub fn jobs_of(request: &RequestId) -> KeyPrefix {
    part(Family::Job, request)
}

/// Request and job of a job's key; none for another key.
pub fn parse_job(key: &Key) -> Option<(RequestId, JobId)> {
    let (request, job) = Family::Job.prefix().rest(key)?.split_once('/')?;
    Some((request.parse().ok()?, job.parse().ok()?))
}

/// From an open job to its request.
pub fn job_request(job: &JobId) -> Key {
    Family::JobRequest.prefix().key(&job.to_string())
}

/// An open job of an agent.
pub fn job_of_agent(agent: &AgentName, job: &JobId) -> Key {
    jobs_of_agent(agent).key(&job.to_string())
}

/// An agent's open jobs.
pub fn jobs_of_agent(agent: &AgentName) -> KeyPrefix {
    Family::JobAgent.under(&[agent.as_str()])
}

/// One receipt, by the digest of its payload: the same receipt sent twice is one entry (I6).
pub fn receipt(request: &RequestId, digest: &Digest) -> Key {
    receipts_of(request).key(&digest.to_string())
}

/// A request's receipts.
pub fn receipts_of(request: &RequestId) -> KeyPrefix {
    part(Family::Receipt, request)
}

/// What an agent said of one restore, by the digest of its payload: the same said twice is one entry (I6).
pub fn restore(request: &RequestId, digest: &Digest) -> Key {
    restores_of(request).key(&digest.to_string())
}

/// What agents said of restores that brought back what a request had erased.
pub fn restores_of(request: &RequestId) -> KeyPrefix {
    part(Family::Restore, request)
}

/// One copy that can hold what a request is about.
pub fn copy(request: &RequestId, copy: &CopyId) -> Key {
    copies_of(request).key(&copy.to_string())
}

/// A request's copies.
pub fn copies_of(request: &RequestId) -> KeyPrefix {
    part(Family::Copy, request)
}

/// What a request leaves behind.
pub fn obligation(request: &RequestId, handle: &ObligationId) -> Key {
    obligations_of(request).key(&handle.to_string())
}

/// All that a request leaves behind.
pub fn obligations_of(request: &RequestId) -> KeyPrefix {
    part(Family::Obligation, request)
}

/// One proof of a request; sequences count from 1.
pub fn proof(request: &RequestId, sequence: u32) -> Key {
    proofs_of(request).key(&format!("{sequence:08x}"))
}

/// A request's proofs, in order of issue.
pub fn proofs_of(request: &RequestId) -> KeyPrefix {
    part(Family::Proof, request)
}

/// Who a request is about, and what was asked.
pub fn asked(request: &RequestId) -> Key {
    Family::Asked.prefix().key(&request.to_string())
}

/// A statement that a proof of a request stands on, by the digest of its payload.
pub fn statement(request: &RequestId, digest: &Digest) -> Key {
    statements_of(request).key(&digest.to_string())
}

/// The copy set that was signed last for a request.
pub fn copy_set(request: &RequestId) -> Key {
    statements_of(request).key("copy-set")
}

/// All such statements of a request.
pub fn statements_of(request: &RequestId) -> KeyPrefix {
    part(Family::Statement, request)
}

/// Families of which each key is one request's alone, and which leave the store together when it is finished. What others are found
/// by, or what is looked for among many requests (the request itself, jobs' index, obligations, claim references), is not among them.
pub const LEAVING: [Family; 8] = [
    Family::Plan,
    Family::Job,
    Family::Receipt,
    Family::Restore,
    Family::Copy,
    Family::Proof,
    Family::Asked,
    Family::Statement,
];

/// Whose a key is, or the beginning of keys, where it is of a family that leaves the store ([`LEAVING`]); none for another one.
pub fn leaving(text: &str) -> Option<RequestId> {
    let mut segments = text.split('/');
    let (_schema, word, id) = (segments.next()?, segments.next()?, segments.next()?);
    let prefix = LEAVING.iter().find(|family| family.word() == word)?.prefix();
    if text.starts_with(prefix.as_str()) { id.parse().ok() } else { None }
}

/// Where a request's records are that left the store.
pub fn archived(request: &RequestId) -> Key {
    archived_all().key(&request.to_string())
}

/// All requests whose records left the store, oldest first.
pub fn archived_all() -> KeyPrefix {
    Family::Archived.prefix()
}

/// Whose records a key of [`archived`] is about; none for another key.
pub fn parse_archived(key: &Key) -> Option<RequestId> {
    archived_all().rest(key)?.parse().ok()
}
