//! The six guards (decision 3): one counter each for everything, a category, a target, a customer, a contract and a
//! request. Whatever could stand in the way of an act bumps the counter at its own level in the same transaction; a permit
//! expects all six as they were read before the facts were, so one of the two always loses.

use gallra_flow::view::View;
use gallra_model::request::JobRecord;
use gallra_store::{Entry, Key, Store, Txn, keys};

use crate::error::{CoreError, decode, encode};

/// The six guards of one job, as read.
pub struct Read(Vec<(Key, Option<Entry>)>);

/// Reads them. To be called *before* the facts that the permit rests on are read.
///
/// # Errors
/// The store's.
pub async fn read(store: &dyn Store, view: &View, job: &JobRecord) -> Result<Read, CoreError> {
    let step = &job.step;
    let six = [
        keys::guard_global(),
        keys::guard_category(&step.category),
        keys::guard_target(&step.agent, &step.target),
        keys::guard_customer(&view.request.customer),
        keys::guard_contract(&view.request.contract),
        keys::guard_request(&view.request.id),
    ];
    let mut read = Vec::with_capacity(six.len());
    for key in six {
        let entry = store.get(&key).await?;
        read.push((key, entry));
    }
    Ok(Read(read))
}

impl Read {
    /// Lets the transaction fail when one of them moved.
    pub fn expect(&self, txn: Txn) -> Txn {
        self.0.iter().fold(txn, |txn, (key, entry)| txn.expect_as_read(key, entry.as_ref()))
    }

    /// Whether a conflict was about a guard.
    pub fn covers(&self, key: &Key) -> bool {
        self.0.iter().any(|(guard, _)| guard == key)
    }
}

/// Adds the bump of one guard to a transaction.
///
/// # Errors
/// The store's.
pub async fn bump(store: &dyn Store, txn: Txn, guard: Key) -> Result<Txn, CoreError> {
    let entry = store.get(&guard).await?;
    let count: u64 = entry.as_ref().map_or(Ok(0), |entry| decode("guard", &entry.value))?;
    Ok(txn.expect_as_read(&guard, entry.as_ref()).put(guard, encode(&(count + 1))?))
}
