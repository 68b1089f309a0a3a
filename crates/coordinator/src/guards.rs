//! The six guards (decision 3): one each for everything, a category, a target, a customer, a contract and a request.
//! Where the contract was under other customers before, theirs are read, too: what is stored is from their time as well. And
//! with each customer's those of its other numbers, which its guard names: a hold on one covers all of one customer's.
//! Whatever could stand in the way of an act raises the guard at its own level in the same transaction, and what lies there
//! (holds, the emergency stop) is in the same value: a permit expects all six as they were read before the facts were, so one
//! of the two always loses. Knows nothing of who may place what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::future::try_join_all;
use gallra_flow::view::View;
use gallra_model::hold::{Guard, Instructed, Level, Restraint};
use gallra_model::job::Action;
use gallra_model::plan::Step;
use gallra_model::request::Request;
use gallra_model::{CustomerId, HoldId};
use gallra_planted::Bug;
use gallra_store::{Entry, Key, Store, Txn, keys};

use crate::error::{CoreError, decode, encode};

/// The six guards of one job, as read.
pub struct Read {
    guards: Vec<One>,
    /// Which of them is the present customer's.
    customer: Option<Key>,
    /// A purge only: the newest hold anywhere.
    any_hold: Option<Option<Entry>>,
}

/// One guard as it was read: where it lies, its entry for the expectation, and what it says.
type One = (Key, Option<Entry>, Guard);

/// Where the six guards of a job lie; a purge is nobody's, and has four. Who is one with the customer is theirs to say.
fn levels_of(request: &Request, step: &Step) -> Vec<Key> {
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

/// Reads guards, and with each those of whoever is one with its customer. Each is read once, so that whom it names as one
/// with it is what the transaction expects.
async fn gather(store: &dyn Store, from: impl IntoIterator<Item = Key>) -> Result<Vec<One>, CoreError> {
    let mut found: Vec<One> = Vec::with_capacity(6);
    let mut left: Vec<Key> = from.into_iter().collect();
    while !left.is_empty() {
        let mut new: Vec<Key> = Vec::with_capacity(left.len());
        for key in left.drain(..) {
            if !new.contains(&key) && found.iter().all(|(known, _, _)| *known != key) {
                new.push(key);
            }
        }
        // At once: on an engine across a network each is a round trip.
        let read = try_join_all(new.iter().map(|key| one(store, key))).await?;
        left.extend(read.iter().flat_map(|(_, guard)| guard.with.iter().map(keys::guard_customer)));
        found.extend(new.into_iter().zip(read).map(|(key, (entry, guard))| (key, entry, guard)));
    }
    Ok(found)
}

/// The holds that lie on the guards of a request that all of its jobs share: the global one, and its parties' and its own.
///
/// # Errors
/// The store's.
pub async fn holds_shared_by(store: &dyn Store, request: &Request) -> Result<BTreeSet<HoldId>, CoreError> {
    let all = gather(store, of_request(request).into_iter().chain([keys::guard_global()])).await?;
    Ok(all.into_iter().flat_map(|(_, _, guard)| guard.holds).collect())
}

/// Which guards a stream watches for a job. Any hold at all can concern a purge: it may be on somebody whose items it has to
/// leave.
///
/// # Errors
/// The store's.
pub async fn watched(store: &dyn Store, request: &Request, step: &Step) -> Result<Vec<Key>, CoreError> {
    let any = (step.action == Action::Purge).then(keys::guard_any_hold);
    let own = gather(store, levels_of(request, step)).await?;
    Ok(own.into_iter().map(|(key, _, _)| key).chain(any).collect())
}

/// Whether a hold lies on a guard of a job. What was read before is not read again.
///
/// # Errors
/// The store's.
pub async fn lies_on(
    store: &dyn Store,
    (request, step): (&Request, &Step),
    seen: &mut BTreeMap<Key, Guard>,
) -> Result<bool, CoreError> {
    let (mut left, mut looked) = (VecDeque::from(levels_of(request, step)), BTreeSet::new());
    while let Some(key) = left.pop_front() {
        let guard = match seen.get(&key) {
            Some(guard) => guard.clone(),
            None => one(store, &key).await?.1,
        };
        if !guard.holds.is_empty() {
            return Ok(true);
        }
        if looked.insert(key.clone()) {
            left.extend(guard.with.iter().map(keys::guard_customer));
        }
        seen.insert(key, guard);
    }
    Ok(false)
}

/// The numbers that are one customer with this one, itself among them.
///
/// # Errors
/// The store's.
pub async fn numbers_of(store: &dyn Store, customer: &CustomerId) -> Result<BTreeSet<CustomerId>, CoreError> {
    let with = one(store, &keys::guard_customer(customer)).await?.1.with;
    Ok(with.into_iter().chain([*customer]).collect())
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
    let guards = gather(store, levels_of(request, step)).await?;
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
            held: self.guards.iter().any(|(_, _, guard)| !guard.holds.is_empty())
                && !gallra_planted::is(Bug::HoldGuardSkipped),
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
    let mut all: BTreeSet<Key> = of_request(request).into_iter().chain([keys::guard_global()]).collect();
    all.extend(view.current_jobs().flat_map(|job| levels_of(request, &job.step)));
    Ok(gather(store, all).await?.into_iter().flat_map(|(_, _, guard)| guard.holds).collect())
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
    let txn = if concerns_purges { tell_of_holds(txn)? } else { txn };
    bump(store, txn, guard).await
}

/// Has whoever follows every hold look anew, once in a transaction.
///
/// # Errors
/// Never in practice.
pub fn tell_of_holds(txn: Txn) -> Result<Txn, CoreError> {
    let at = keys::guard_any_hold();
    let told = txn.writes().iter().any(|write| *write.key() == at);
    // Its version counts, whatever the value.
    Ok(if told { txn } else { txn.put(at, encode(&())?) })
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
