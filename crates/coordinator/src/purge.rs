//! Rolling purges: one request a local day, from its daily sweep to the next day's, without a subject, for whatever is too old
//! by the policy's own rules. Opens it, has it stand on the approver's signature on the policy version, and says whose items
//! stay: those of everybody under a hold. The newest day's request takes over what an earlier one did not get done, and which
//! days' sweeps those were, so at most one is open. Owns no date: what is too old is the planner's.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use gallra_flow::cancel::cancel;
use gallra_flow::request::Input;
use gallra_flow::view::View;
use gallra_model::cause::Backing;
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::hold::Level;
use gallra_model::job::Purge;
use gallra_model::plan::Step;
use gallra_model::request::{About, Approvals, JobState, PolicyApproval, Request};
use gallra_model::selector::Selector;
use gallra_model::target::{Scope, TargetInfo};
use gallra_model::time::day_of;
use gallra_model::{ContractId, CustomerId, Day, Instant, Nonce, RequestId, SubjectId};
use gallra_planner::purge::Sweeps;
use gallra_policy::Policy;
use gallra_policy::calendar::daily_sweep;
use gallra_store::keys::{self, What};
use gallra_store::{Entry, StoreError, Txn};
use jiff::SignedDuration;

use crate::contracts::only;
use crate::core::{Along, Core, merge, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::jobs::MAX_OFFER_BYTES;
use crate::{guards, state, traces};

/// Whose items one purge may be told to leave, since an offer is one message: more stop the purge.
const MAX_PRESERVED: usize = 10_000;

/// How long that may be as JSON, in bytes: each may have hundreds of addresses. Leaves room for the rest of the offer.
const MAX_PRESERVED_BYTES: usize = MAX_OFFER_BYTES / 3 * 2;

/// How long it is not looked again whether a purge concerns any target, in minutes: reading every inventory has its price.
const LOOK_AGAIN_MINUTES: i64 = 10;

/// The newest purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    day: Day,
    request: RequestId,
}

impl Core {
    /// Opens the purge of today, once its sweep has come, where the policy lets records of any target leave by their own
    /// age. An older one is closed in the same transaction, with a last word on what came of it; also where today has none.
    /// Returns how many requests were opened or closed.
    ///
    /// # Errors
    /// The store's.
    pub async fn open_purge(&self) -> Result<usize, CoreError> {
        let now = self.time.now();
        let today = day_of(now);
        let out_of_range = |error: gallra_policy::CalendarError| CoreError::Precondition(error.to_string());
        let (_, newest) = self.newest().await?;
        if let Some(of_today) = newest.filter(|newest| newest.day == today) {
            return if self.is_overruled(&of_today.request).await? {
                until_committed!(self.try_open(today))
            } else {
                Ok(0)
            };
        }
        if now < daily_sweep(today).map_err(out_of_range)? {
            return Ok(0);
        }
        let unconcerned = || self.unconcerned.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = |since: Instant| now.duration_since(since) >= SignedDuration::from_mins(LOOK_AGAIN_MINUTES);
        if unconcerned().is_some_and(|(day, since)| day == today && !rested(since)) {
            return Ok(0);
        }
        if let Some(ahead) = newest.filter(|newest| newest.day > today) {
            tracing::error!(day = %ahead.day, %today, "the newest purge is of a day to come: this clock was ahead once");
        }
        let inventories = self.inventories().await?;
        let policy = self.policy().await?;
        let sweeps = Sweeps { day: today, since: self.undone_since(newest).await? };
        if gallra_planner::purge::concerns(&policy, &inventories, sweeps).map_err(out_of_range)? {
            return until_committed!(self.try_open(today));
        }
        *unconcerned() = Some((today, now));
        match newest {
            Some(newest) => until_committed!(self.close_and(&newest.request, Txn::new())),
            None => Ok(0),
        }
    }

    async fn newest(&self) -> Result<(Option<Entry>, Option<Newest>), CoreError> {
        let entry = self.store.get(&keys::meta_purge()).await?;
        let newest = entry.as_ref().map(|entry| decode("newest purge", &entry.value)).transpose()?;
        Ok((entry, newest))
    }

    /// The newest purge's request.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn newest_purge(&self) -> Result<Option<RequestId>, CoreError> {
        Ok(self.newest().await?.1.map(|newest| newest.request))
    }

    /// The first day whose sweeps may not have been carried out, given the newest purge; unset: nobody can say.
    async fn undone_since(&self, newest: Option<Newest>) -> Result<Option<Day>, CoreError> {
        let Some(newest) = newest else { return Ok(None) };
        let Some(entry) = self.store.get(&keys::request(&newest.request)).await? else { return Ok(None) };
        let request: Request = decode("request", &entry.value)?;
        // It did what that version said, and what another says of those days nobody has done.
        let in_force = self.in_force().await?.digest;
        if request.planned_under.is_none_or(|under| under.policy != in_force) {
            return Ok(None);
        }
        Ok(if request.done.is_some() { newest.day.tomorrow().ok() } else { request.about.purge_since() })
    }

    /// Whether a purge has begun under another policy version than the one in force, and has runs to come: these would wait
    /// for the next day, so that its day is opened anew.
    async fn is_overruled(&self, id: &RequestId) -> Result<bool, CoreError> {
        let Some(entry) = self.store.get(&keys::request(id)).await? else { return Ok(false) };
        let request: Request = decode("request", &entry.value)?;
        if !request.facts.legal_review || request.facts.cancelled || request.done.is_some() {
            return Ok(false);
        }
        let (now, loaded) = (self.time.now(), state::load(&*self.store, id).await?);
        Ok(loaded.view.current_jobs().any(|job| job.state == JobState::Waiting && job.step.due > now))
    }

    async fn try_open(&self, today: Day) -> Result<usize, CoreError> {
        let (entry, newest) = self.newest().await?;
        if let Some(of_today) = newest.filter(|newest| newest.day == today)
            && !self.is_overruled(&of_today.request).await?
        {
            return Ok(0);
        }
        let seal = SubjectId::at(self.time.now(), random()?);
        let since = self.undone_since(newest).await?;
        let request = self.blank_request(About::Purge { day: today, since, seal })?;
        let secret = Nonce::from_bytes(random()?);
        let txn = self.seal_new(Txn::new(), &seal, What::Request(request.id), &secret)?;
        let at = keys::meta_purge();
        let word = encode(&Newest { day: today, request: request.id })?;
        let txn = txn.expect_as_read(&at, entry.as_ref()).put(at, word);
        let txn = state::create(txn, &only(request.clone()))?;
        let opened = traces::opened_by(&txn);
        match newest {
            Some(before) => drop(self.close_and(&before.request, txn).await?),
            None => drop(self.store.commit(txn).await?),
        }
        traces::opened(&opened);
        tracing::info!(request = %request.id, day = %today, "a rolling purge was opened");
        self.wake.notify_one();
        Ok(1)
    }

    /// Commits a transaction together with the end of an older purge: what of it has not begun is dropped, what has begun is
    /// stopped by its guard, and its salt is destroyed. Returns how many were closed.
    async fn close_and(&self, before: &RequestId, along: Txn) -> Result<usize, CoreError> {
        let loaded = state::load(&*self.store, before).await?;
        if loaded.view.request.done.is_some() || loaded.view.request.facts.cancelled {
            self.store.commit(along).await?;
            return Ok(0);
        }
        let bumped = guards::bump(&*self.store, along, keys::guard_request(before)).await?;
        let txn = self.forget(&loaded.view, bumped).await?;
        let closed = self
            .apply(before, &Input::Superseded, |_| Ok(Along { txn: txn.clone(), ..Along::default() }))
            .await
            .map(drop);
        match closed {
            Ok(()) => {}
            Err(error @ (CoreError::Busy | CoreError::Store(StoreError::Conflict { .. }))) => return Err(error),
            // A last word that cannot be said, since it is too large or something stored is damaged, must not keep the
            // purges of all days to come from being opened.
            Err(error) => {
                tracing::error!(request = %before, %error, "a purge is closed without a statement on what came of it");
                let next = cancel(&loaded.view, self.time.now());
                self.store.commit(merge(state::save(&*self.store, &loaded, &next).await?, txn)).await?;
            }
        }
        Ok(1)
    }

    /// As [`Core::approve_purge`], of the newest.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn approve_newest_purge(&self) -> Result<(), CoreError> {
        match self.newest_purge().await? {
            Some(purge) => self.approve_purge(&purge).await,
            None => Ok(()),
        }
    }

    /// Has a purge stand on the signature of its plan's policy version, once somebody gave one.
    ///
    /// # Errors
    /// The store's.
    pub async fn approve_purge(&self, id: &RequestId) -> Result<(), CoreError> {
        let entry = self.store.get(&keys::request(id)).await?.ok_or(CoreError::NotFound("request"))?;
        let request: Request = decode("request", &entry.value)?;
        let (Some(policy), Some(_)) = (request.planned_under.map(|under| under.policy), request.about.purge_day())
        else {
            return Ok(());
        };
        if request.done.is_some() || request.facts.cancelled {
            return Ok(());
        }
        let Some(cause) = self.purge_cause(&policy).await? else { return Ok(()) };
        let signed = PolicyApproval { policy, approval: cause.approval };
        // Signed anew by another key is another approval: what a host refused for want of the right one is free again.
        if request.approvals.policy.as_ref() == Some(&signed) {
            return Ok(());
        }
        let approvals = Approvals { policy: Some(signed), ..Approvals::default() };
        self.move_request(id, &Input::Approved(approvals)).await?;
        Ok(())
    }

    /// The signature that a purge's offers carry.
    ///
    /// # Errors
    /// The store's; none is an answer.
    pub(crate) async fn purge_backing(&self, view: &View) -> Result<Option<Backing>, CoreError> {
        let Some(plan) = &view.plan else { return Ok(None) };
        let cause = self.purge_cause(&plan.policy).await?;
        Ok(cause.map(|cause| Backing { envelope: cause.envelope, salt: None }))
    }

    /// What an offer of a purge says: how old, under which policy, and whose items stay.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] when more subjects are held than one offer can name, or the store's.
    pub(crate) async fn purge_of(
        &self,
        view: &View,
        step: &Step,
        info: &TargetInfo,
    ) -> Result<Option<Purge>, CoreError> {
        let (Some(older_than), Some(plan)) = (step.older_than, &view.plan) else { return Ok(None) };
        let preserve = self.held_selectors(info, &self.policy_version(&plan.policy).await?).await?;
        Ok(Some(Purge { older_than, policy: plan.policy, preserve }))
    }

    /// Everybody under a hold of their own, in the words of a target; in one order, so that the same holds make the same
    /// offer. Holds on a category, a target or everything stop the purge itself. Whose identifiers are destroyed has
    /// nothing left that could be told from others'.
    async fn held_selectors(&self, info: &TargetInfo, policy: &Arc<Policy>) -> Result<Vec<Selector>, CoreError> {
        let mut held = self.held().await?;
        // Theirs stay, too, who gave another age than everybody's.
        held.customers.extend(self.instructed_otherwise(policy, &info.category).await?);
        let mut preserved = Preserved::default();
        match info.scope {
            Scope::Customer => {
                for customer in held.customers.iter().chain(&held.of_contracts).collect::<BTreeSet<_>>() {
                    preserved.add(self.selector_of_customer(customer, info).await?)?;
                }
            }
            Scope::Contract => {
                let mut contracts = held.contracts;
                for customer in &held.customers {
                    contracts.extend(self.customer(customer).await?.map(|one| one.contracts).unwrap_or_default());
                    if contracts.len() > MAX_PRESERVED {
                        return Err(too_many());
                    }
                }
                for contract in &contracts {
                    preserved.add(self.selector_of_contract(contract, info).await?)?;
                }
            }
        }
        Ok(preserved.selectors)
    }

    /// Whom holds lie on. One on a request covers all of its customer's: which of them it is about can change.
    async fn held(&self) -> Result<Held, CoreError> {
        let mut held = Held::default();
        for hold in self.list_holds(false).await? {
            match hold.level {
                Level::Global | Level::Category { .. } | Level::Target { .. } => {}
                Level::Customer { customer } => {
                    held.customers.extend(guards::numbers_of(&*self.store, &customer).await?);
                }
                Level::Contract { contract } => {
                    held.contracts.insert(contract);
                    held.of_contracts.extend(self.contract(&contract).await?.map(|one| one.customer));
                }
                Level::Request { request } => {
                    let entry =
                        self.store.get(&keys::request(&request)).await?.ok_or(CoreError::NotFound("request"))?;
                    let request: Request = decode("request", &entry.value)?;
                    held.customers.extend(request.about.parties().map(|parties| parties.customer));
                }
            }
        }
        Ok(held)
    }

    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, CoreError> {
        let entry = self.store.get(&keys::customer(id)).await?;
        entry.map(|entry| decode("customer", &entry.value)).transpose()
    }

    async fn contract(&self, id: &ContractId) -> Result<Option<Contract>, CoreError> {
        let entry = self.store.get(&keys::contract(id)).await?;
        entry.map(|entry| decode("contract", &entry.value)).transpose()
    }

    async fn selector_of_contract(&self, id: &ContractId, info: &TargetInfo) -> Result<Option<Selector>, CoreError> {
        let Some(contract) = self.contract(id).await? else { return Ok(None) };
        if let Some(now) = contract.went {
            return self.selector_of_part(&contract, &now, info).await;
        }
        let identity = self.open::<ContractIdentity>(&contract.subject, What::Contract(contract.id)).await;
        Ok(unless_destroyed(identity)?.map(|identity| Selector {
            service: Some(identity.service),
            customer: None,
            addresses: if info.by_address { identity.uses } else { Vec::new() },
        }))
    }

    /// The time of a contract before it went on under another customer: under its service id, which went along, and under the
    /// addresses that stayed with the customer. That is more than was asked, and all of it stays.
    async fn selector_of_part(
        &self,
        part: &Contract,
        now: &ContractId,
        info: &TargetInfo,
    ) -> Result<Option<Selector>, CoreError> {
        let Some(contract) = self.contract(now).await? else { return Ok(None) };
        let of_contract = self.open::<ContractIdentity>(&contract.subject, What::Contract(contract.id)).await;
        // Once it is forgotten under its new customer, the addresses are all that its earlier one's lines are known by.
        let service = unless_destroyed(of_contract)?.map(|identity| identity.service);
        let Some(customer) = self.customer(&part.customer).await? else { return Ok(None) };
        let of_customer = self.open::<CustomerIdentity>(&customer.subject, What::Customer(customer.id)).await;
        let former = unless_destroyed(of_customer)?.map(|identity| identity.former).unwrap_or_default();
        let addresses = if info.by_address { former } else { Vec::new() };
        let selector = Selector { service, customer: None, addresses };
        Ok(if selector.is_empty() { None } else { Some(selector) })
    }

    async fn selector_of_customer(&self, id: &CustomerId, info: &TargetInfo) -> Result<Option<Selector>, CoreError> {
        let Some(customer) = self.customer(id).await? else { return Ok(None) };
        let identity = self.open::<CustomerIdentity>(&customer.subject, What::Customer(customer.id)).await;
        let Some(identity) = unless_destroyed(identity)? else { return Ok(None) };
        let mut addresses = Vec::new();
        if info.by_address {
            if identity.former_incomplete {
                return Err(CoreError::Precondition(
                    "somebody who is held had more addresses than can be told: the purge waits until they are not"
                        .into(),
                ));
            }
            addresses = identity.former;
            for contract in &customer.contracts {
                let of_contract = self.selector_of_contract(contract, info).await?;
                addresses.extend(of_contract.into_iter().flat_map(|one| one.addresses));
            }
        }
        Ok(Some(Selector { service: None, customer: Some(identity.number), addresses }))
    }
}

/// Whom holds lie on, by reference.
#[derive(Default)]
struct Held {
    customers: BTreeSet<CustomerId>,
    contracts: BTreeSet<ContractId>,
    /// Whose those contracts are: a target that knows customers only leaves all of theirs, more than was asked.
    of_contracts: BTreeSet<CustomerId>,
}

/// Whose items stay, within what an offer takes.
#[derive(Default)]
struct Preserved {
    selectors: Vec<Selector>,
    bytes: usize,
}

impl Preserved {
    fn add(&mut self, selector: Option<Selector>) -> Result<(), CoreError> {
        let Some(selector) = selector else { return Ok(()) };
        self.bytes += encode(&selector)?.len();
        self.selectors.push(selector);
        if self.selectors.len() > MAX_PRESERVED || self.bytes > MAX_PRESERVED_BYTES { Err(too_many()) } else { Ok(()) }
    }
}

fn too_many() -> CoreError {
    CoreError::Precondition("more are held than an offer takes: the purge waits until fewer are".into())
}

fn unless_destroyed<T>(opened: Result<T, CoreError>) -> Result<Option<T>, CoreError> {
    match opened {
        Ok(value) => Ok(Some(value)),
        Err(CoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
