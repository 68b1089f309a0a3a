//! The six guards (decision 3): one each for everything, a category, a target, a customer, a contract and a request.
//! Where the contract was under other customers before, theirs are read, too: what is stored is from their time as well.
//! Whatever could stand in the way of an act raises the guard at its own level in the same transaction, and what lies there
//! (holds, the emergency stop) is in the same value: a permit expects all six as they were read before the facts were, so one
//! of the two always loses. Knows nothing of who may place what.

use std::collections::BTreeSet;

use gallra_flow::view::View;
use gallra_model::HoldId;
use gallra_model::hold::{Guard, Instructed, Level, Restraint};
use gallra_model::job::Action;
use gallra_model::plan::Step;
use gallra_model::request::Request;
use gallra_store::{Entry, Key, Store, Txn, keys};

use crate::error::{CoreError, decode, encode};

/// The six guards of one job, as read.
pub struct Read {
    guards: Vec<(Key, Option<Entry>, Guard)>,
    /// Which of them is the present customer's.
    customer: Option<Key>,
    /// A purge only: the newest hold anywhere.
    any_hold: Option<Option<Entry>>,
}

/// Where the six guards of a job lie; a purge is nobody's, and has four.
pub fn keys_of(request: &Request, step: &Step) -> Vec<Key> {
    let mut all =
        vec![keys::guard_global(), keys::guard_category(&step.category), keys::guard_target(&step.agent, &step.target)];
    all.extend(of_request(request));
    all
}

/// Where those guards of a request lie that all of its jobs share, but the global one.
fn of_request(request: &Request) -> Vec<Key> {
    let parties = request.about.parties();
    let parties = parties.map(|who| [keys::guard_customer(&who.customer), keys::guard_contract(&who.contract)]);
    let mut all: Vec<Key> = parties.into_iter().flatten().chain([keys::guard_request(&request.id)]).collect();
    for earlier in request.earlier.iter().map(keys::guard_customer) {
        // A contract may come back to a customer.
        if !all.contains(&earlier) {
            all.push(earlier);
        }
    }
    all
}

/// Where the guards of a request lie that all of its jobs share: the global one, and its parties' and its own.
pub fn shared_by(request: &Request) -> Vec<Key> {
    of_request(request).into_iter().chain([keys::guard_global()]).collect()
}

/// Which guards a stream watches for a job. Any hold at all can concern a purge: it may be on somebody whose items it has to
/// leave.
pub fn watched(request: &Request, step: &Step) -> Vec<Key> {
    let any = (step.action == Action::Purge).then(keys::guard_any_hold);
    keys_of(request, step).into_iter().chain(any).collect()
}

/// Where the guard of a level lies.
pub fn key_of(level: &Level) -> Key {
    match level {
        Level::Global => keys::guard_global(),
        Level::Category { category } => keys::guard_category(category),
        Level::Target { agent, target } => keys::guard_target(agent, target),
        Level::Customer { customer } => keys::guard_customer(customer),
        Level::Contract { contract } => keys::guard_contract(contract),
        Level::Request { request } => keys::guard_request(request),
    }
}

/// Reads a job's guards. To be called *before* the facts that the permit rests on are read.
///
/// # Errors
/// The store's.
pub async fn read(store: &dyn Store, request: &Request, step: &Step) -> Result<Read, CoreError> {
    let mut guards = Vec::with_capacity(6);
    for key in keys_of(request, step) {
        let (entry, guard) = one(store, &key).await?;
        guards.push((key, entry, guard));
    }
    let any_hold = if step.action == Action::Purge { Some(store.get(&keys::guard_any_hold()).await?) } else { None };
    let customer = request.about.parties().map(|who| keys::guard_customer(&who.customer));
    Ok(Read { guards, customer, any_hold })
}

impl Read {
    /// Lets the transaction fail when one of them moved.
    pub fn expect(&self, txn: Txn) -> Txn {
        let txn = self.guards.iter().fold(txn, |txn, (key, entry, _)| txn.expect_as_read(key, entry.as_ref()));
        match &self.any_hold {
            Some(any) => txn.expect_as_read(&keys::guard_any_hold(), any.as_ref()),
            None => txn,
        }
    }

    /// What they say together.
    pub fn restraint(&self) -> Restraint {
        Restraint {
            held: self.guards.iter().any(|(_, _, guard)| !guard.holds.is_empty()),
            halted: self.guards.iter().any(|(_, _, guard)| guard.halt.is_some()),
            review: self.instructed().is_some_and(|instructed| instructed.review),
        }
    }

    /// Which of the customer's instructions hold; only the present customer's guard says so.
    pub fn instructed(&self) -> Option<Instructed> {
        let own = self.guards.iter().find(|(key, _, _)| Some(key) == self.customer.as_ref());
        own.and_then(|(_, _, guard)| guard.instructed)
    }
}

/// One guard, and its entry for the expectation; a guard that was never raised is the empty one.
///
/// # Errors
/// The store's.
pub async fn one(store: &dyn Store, key: &Key) -> Result<(Option<Entry>, Guard), CoreError> {
    let entry = store.get(key).await?;
    let guard = entry.as_ref().map_or(Ok(Guard::default()), |entry| decode("guard", &entry.value))?;
    Ok((entry, guard))
}

/// Whether a hold lies on any guard of a request: those of all its current jobs, and its own where it has none yet.
///
/// # Errors
/// The store's.
pub async fn is_held(store: &dyn Store, view: &View) -> Result<bool, CoreError> {
    Ok(!held_by(store, view).await?.is_empty())
}

/// The open holds that lie on those guards.
///
/// # Errors
/// The store's.
pub async fn held_by(store: &dyn Store, view: &View) -> Result<BTreeSet<HoldId>, CoreError> {
    let request = &view.request;
    let mut all: BTreeSet<Key> = shared_by(request).into_iter().collect();
    all.extend(view.current_jobs().flat_map(|job| keys_of(request, &job.step)));
    let mut holds = BTreeSet::new();
    for key in all {
        holds.extend(one(store, &key).await?.1.holds);
    }
    Ok(holds)
}

/// Adds the bump of one guard to a transaction. What lies on it stays.
///
/// # Errors
/// The store's.
pub async fn bump(store: &dyn Store, txn: Txn, guard: Key) -> Result<Txn, CoreError> {
    change(store, txn, guard, |_| Ok(())).await
}

/// Adds the bump of one guard, as [`bump`]. Where a hold or an instruction lies on it, whoever has to know whose lines stay
/// looks anew: who is held, or keeps its lines longer, has more to its name than before.
///
/// # Errors
/// The store's.
pub async fn bump_whom(store: &dyn Store, txn: Txn, guard: Key) -> Result<Txn, CoreError> {
    let (_, lies) = one(store, &guard).await?;
    let concerns_purges = !lies.holds.is_empty() || lies.instructed.is_some();
    // Its version counts, whatever the value.
    let txn = if concerns_purges { txn.put(keys::guard_any_hold(), encode(&lies.count)?) } else { txn };
    bump(store, txn, guard).await
}

/// Adds the bump of one guard to a transaction, with a change of what lies on it.
///
/// # Errors
/// The store's, or the change's own.
pub async fn change(
    store: &dyn Store,
    txn: Txn,
    key: Key,
    change: impl FnOnce(&mut Guard) -> Result<(), CoreError> + Send,
) -> Result<Txn, CoreError> {
    let (entry, mut guard) = one(store, &key).await?;
    guard.count += 1;
    change(&mut guard)?;
    Ok(txn.expect_as_read(&key, entry.as_ref()).put(key, encode(&guard)?))
}
