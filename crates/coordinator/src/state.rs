//! One request's records in the store, and back: loads a `View`, and writes the difference to the next one. The request's
//! own record is expected and written in every transaction, so two writers of one request never both win.

use std::collections::BTreeMap;

use gallra_flow::view::View;
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::request::{Facts, JobState, Request};
use gallra_model::{Digest, JobId, RequestId};
use gallra_store::txn::{MAX_TXN_BYTES, MAX_TXN_OPS};
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Store, Txn, keys};

use crate::error::{CoreError, decode, encode};

/// Operations kept free in a request's transaction for guards, receipts and the forgetting of identifiers.
const SPARE_OPS: usize = 40;
/// Entries read at once.
const PAGE: usize = 500;

/// A request as it was read.
pub struct Loaded {
    /// The record's entry, whose version the next write expects.
    entry: Entry,
    /// All of it.
    pub view: View,
    /// The current plan as it was signed.
    pub plan: Option<Envelope>,
}

/// Reads a request and all that hangs on it.
///
/// # Errors
/// [`CoreError::NotFound`], or the store's.
pub async fn load(store: &dyn Store, id: &RequestId) -> Result<Loaded, CoreError> {
    let entry = store.get(&keys::request(id)).await?.ok_or(CoreError::NotFound("request"))?;
    let request: Request = decode("request", &entry.value)?;
    let plan = async {
        match request.plan {
            None => Ok(None),
            Some(plan) => load_plan(store, id, plan.number).await.map(Some),
        }
    };
    // At once: on an engine across a network each is a round trip. The record was read before them all, so whatever changes
    // meanwhile makes the next write fail.
    let [jobs, copies, obligations] = [keys::jobs_of(id), keys::copies_of(id), keys::obligations_of(id)];
    let (plan, jobs, copies, obligations) = tokio::try_join!(
        plan,
        all(store, &jobs, "job"),
        all(store, &copies, "copy"),
        all(store, &obligations, "obligation"),
    )?;
    let view = View { jobs, copies, obligations, plan: plan.as_ref().map(|(_, plan)| plan.clone()), request };
    Ok(Loaded { entry, view, plan: plan.map(|(envelope, _)| envelope) })
}

/// Reads one plan with its signed bytes.
///
/// # Errors
/// [`CoreError::NotFound`], or the store's.
pub async fn load_plan(store: &dyn Store, request: &RequestId, number: u32) -> Result<(Envelope, Plan), CoreError> {
    let entry = store.get(&keys::plan(request, number)).await?.ok_or(CoreError::NotFound("plan"))?;
    let envelope: Envelope = decode("plan", &entry.value)?;
    let opened = gallra_proof::plan::read(&envelope).map_err(|error| CoreError::Crypto(error.to_string()))?;
    Ok((envelope, opened.predicate))
}

/// Reads every value under a prefix.
///
/// # Errors
/// The store's, or an unreadable value.
pub async fn all<T: serde::de::DeserializeOwned>(
    store: &dyn Store,
    prefix: &KeyPrefix,
    what: &'static str,
) -> Result<Vec<T>, CoreError> {
    entries(store, prefix).await?.iter().map(|entry| decode(what, &entry.value)).collect()
}

/// Reads every entry under a prefix, page by page.
///
/// # Errors
/// The store's.
pub async fn entries(store: &dyn Store, prefix: &KeyPrefix) -> Result<Vec<Entry>, CoreError> {
    let mut found = Vec::new();
    let mut range = Some(prefix.range());
    while let Some(next) = range {
        let page = store.range(&next, PAGE).await?;
        found.extend(page.entries);
        range = page.more.map(|more| next.starting_at(&more));
    }
    Ok(found)
}

/// The request that a job belongs to.
///
/// # Errors
/// [`CoreError::NotFound`], or the store's.
pub async fn request_of(store: &dyn Store, job: &JobId) -> Result<RequestId, CoreError> {
    let entry = store.get(&keys::job_request(job)).await?.ok_or(CoreError::NotFound("job"))?;
    decode("job index", &entry.value)
}

/// The transaction that turns a loaded request into the next view. New jobs of a large plan that do not fit are written
/// ahead: until the request's record names their plan, nobody sees them.
///
/// # Errors
/// The store's, for what is written ahead.
pub async fn save(store: &dyn Store, loaded: &Loaded, next: &View) -> Result<Txn, CoreError> {
    let before = records(&loaded.view)?;
    let after = records(next)?;
    let mut txn = Txn::new().replace(&loaded.entry, encode(&as_stored(&next.request))?);
    let mut ahead = Txn::new();
    for (key, value) in &after {
        if before.get(key) == Some(value) {
            continue;
        }
        if txn.has_room(SPARE_OPS, MAX_TXN_BYTES / 4) {
            txn = txn.put(key.clone(), value.clone());
        } else {
            if !ahead.has_room(1, value.len() + key.as_bytes().len()) || ahead.writes().len() >= MAX_TXN_OPS {
                store.commit(std::mem::take(&mut ahead)).await?;
            }
            ahead = ahead.put(key.clone(), value.clone());
        }
    }
    if !ahead.writes().is_empty() {
        store.commit(ahead).await?;
    }
    for key in before.keys().filter(|key| !after.contains_key(key)) {
        txn = txn.delete(key.clone());
    }
    Ok(txn)
}

/// The transaction that creates a request.
///
/// # Errors
/// Never in practice.
pub fn create(txn: Txn, view: &View) -> Result<Txn, CoreError> {
    let mut txn = txn.create(keys::request(&view.request.id), encode(&as_stored(&view.request))?);
    for (key, value) in records(view)? {
        txn = txn.put(key, value);
    }
    Ok(txn)
}

/// A request as its record holds it: whether a hold covers it is the guards' to remember, and nobody else's.
fn as_stored(request: &Request) -> Request {
    Request { facts: Facts { held: false, ..request.facts }, ..request.clone() }
}

/// Every record of a view but the request's own and the plan, which never changes.
fn records(view: &View) -> Result<BTreeMap<Key, Vec<u8>>, CoreError> {
    let id = &view.request.id;
    let mut records = BTreeMap::new();
    for job in &view.jobs {
        records.insert(keys::job(id, &job.id()), encode(job)?);
        records.insert(keys::job_request(&job.id()), encode(id)?);
        let current = Some(job.plan) == view.request.plan;
        if current && matches!(job.state, JobState::Ready | JobState::Begun) {
            records.insert(keys::ready(&job.step.agent, job.due, &job.id()), encode(id)?);
        }
    }
    for copy in &view.copies {
        records.insert(keys::copy(id, &copy.copy), encode(copy)?);
    }
    for obligation in &view.obligations {
        records.insert(keys::obligation(id, &obligation.handle), encode(obligation)?);
    }
    if let Some(wake) = view.request.wake {
        records.insert(keys::timer(wake, id), Vec::new());
    }
    Ok(records)
}

/// A receipt as it is stored.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredReceipt {
    /// When it was stored, on the coordinator's clock.
    pub stored: gallra_model::Instant,
    /// SHA-256 of its payload.
    pub digest: Digest,
    /// How many of the request were stored before it: those of one job stand in the order in which they were said.
    #[serde(default)]
    pub number: u32,
    /// Whether it moved its request. One that did not (no permit was given for it, or it fits no job) is kept for an
    /// auditor, and is no evidence in a proof.
    pub taken: bool,
    /// The signed bytes.
    pub envelope: Envelope,
}

/// A request's receipts in the order in which they were stored.
///
/// # Errors
/// The store's.
pub async fn receipts(store: &dyn Store, request: &RequestId) -> Result<Vec<StoredReceipt>, CoreError> {
    let mut receipts: Vec<StoredReceipt> = all(store, &keys::receipts_of(request), "receipt").await?;
    receipts.sort_by_key(|receipt| (receipt.stored, receipt.number, receipt.digest));
    Ok(receipts)
}

/// Used by callers that scan an index.
pub fn page_size() -> usize {
    PAGE
}

/// Makes a key range out of a prefix, for readers that page.
pub fn whole(prefix: &KeyPrefix) -> KeyRange {
    prefix.range()
}
