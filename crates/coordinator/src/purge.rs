//! Rolling purges: one request a local day, without a subject, for whatever is too old by the policy's own rules. Opens it,
//! has it stand on the approver's signature on the policy version, and says whose items stay: those of everybody under a
//! hold. The newest day's request takes over what an earlier one did not get done, so at most one is open. Owns no date: what
//! is too old is the planner's.

use std::sync::PoisonError;

use gallra_flow::request::Input;
use gallra_flow::view::View;
use gallra_model::cause::Backing;
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::hold::{Hold, Level};
use gallra_model::job::Purge;
use gallra_model::plan::Step;
use gallra_model::request::{About, Approvals, PolicyApproval, Request};
use gallra_model::selector::Selector;
use gallra_model::target::{Scope, TargetInfo};
use gallra_model::time::day_of;
use gallra_model::{ContractId, CustomerId, Day, Instant, Nonce, RequestId, SubjectId};
use gallra_policy::calendar::daily_sweep;
use gallra_store::keys::{self, What};
use gallra_store::{Entry, Txn};
use jiff::SignedDuration;

use crate::contracts::only;
use crate::core::{Along, Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::{guards, state};

/// Whose items one purge may be told to leave, since an offer is one message: more stop the purge.
const MAX_PRESERVED: usize = 10_000;

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
    /// age. The day before's is closed in the same transaction, with a last word on what came of it. Returns how many
    /// requests were opened.
    ///
    /// # Errors
    /// The store's.
    pub async fn open_purge(&self) -> Result<usize, CoreError> {
        let now = self.time.now();
        let today = day_of(now);
        let out_of_range = |error: gallra_policy::CalendarError| CoreError::Precondition(error.to_string());
        if now < daily_sweep(today).map_err(out_of_range)? {
            return Ok(0);
        }
        let (_, newest) = self.newest().await?;
        if newest.is_some_and(|newest| newest.day >= today) {
            return Ok(0);
        }
        let unconcerned = || self.unconcerned.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = |since: Instant| now.duration_since(since) >= SignedDuration::from_mins(LOOK_AGAIN_MINUTES);
        if unconcerned().is_some_and(|(day, since)| day == today && !rested(since)) {
            return Ok(0);
        }
        let inventories = self.inventories().await?;
        let policy = self.policy().await?;
        if !gallra_planner::purge::concerns(&policy, &inventories, today).map_err(out_of_range)? {
            *unconcerned() = Some((today, now));
            return Ok(0);
        }
        until_committed!(self.try_open(today))
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

    async fn try_open(&self, today: Day) -> Result<usize, CoreError> {
        let (entry, newest) = self.newest().await?;
        if newest.is_some_and(|newest| newest.day >= today) {
            return Ok(0);
        }
        let seal = SubjectId::at(self.time.now(), random()?);
        let request = self.blank_request(About::Purge { day: today, seal })?;
        let secret = Nonce::from_bytes(random()?);
        let txn = self.seal_new(Txn::new(), &seal, What::Request(request.id), &secret)?;
        let at = keys::meta_purge();
        let word = encode(&Newest { day: today, request: request.id })?;
        let txn = txn.expect_as_read(&at, entry.as_ref()).put(at, word);
        let txn = state::create(txn, &only(request.clone()))?;
        match newest {
            Some(before) => self.close_and(&before.request, txn).await?,
            None => drop(self.store.commit(txn).await?),
        }
        tracing::info!(request = %request.id, day = %today, "a rolling purge was opened");
        self.wake.notify_one();
        Ok(1)
    }

    /// Commits a transaction together with the end of the purge of the day before: what of it has not begun is dropped, what
    /// has begun is stopped by its guard, and its salt is destroyed.
    async fn close_and(&self, before: &RequestId, txn: Txn) -> Result<(), CoreError> {
        let view = state::load(&*self.store, before).await?.view;
        if view.request.done.is_some() || view.request.facts.cancelled {
            self.store.commit(txn).await?;
            return Ok(());
        }
        let txn = guards::bump(&*self.store, txn, keys::guard_request(before)).await?;
        let txn = self.forget(&view, txn).await?;
        self.apply(before, &Input::Superseded, |_| Ok(Along { txn: txn.clone(), receipt: None })).await?;
        Ok(())
    }

    /// Has a purge stand on the signature of its plan's policy version, once somebody gave one.
    ///
    /// # Errors
    /// The store's.
    pub async fn approve_purge(&self, id: &RequestId) -> Result<(), CoreError> {
        let entry = self.store.get(&keys::request(id)).await?.ok_or(CoreError::NotFound("request"))?;
        let request: Request = decode("request", &entry.value)?;
        let (Some(policy), Some(_)) = (request.planned_under, request.about.purge_day()) else { return Ok(()) };
        let known = request.approvals.policy.as_ref().is_some_and(|signed| signed.policy == policy);
        if known || request.done.is_some() || request.facts.cancelled {
            return Ok(());
        }
        let Some(cause) = self.purge_cause(&policy).await? else { return Ok(()) };
        let signed = PolicyApproval { policy, approval: cause.approval };
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
        let preserve = self.held_selectors(info).await?;
        Ok(Some(Purge { older_than, policy: plan.policy, preserve }))
    }

    /// Everybody under a hold of their own, in the words of a target; in one order, so that the same holds make the same
    /// offer. Holds on a category, a target or everything stop the purge itself. Whose identifiers are destroyed has
    /// nothing left that could be told from others'.
    async fn held_selectors(&self, info: &TargetInfo) -> Result<Vec<Selector>, CoreError> {
        let mut selectors = Vec::new();
        for hold in self.list_holds(false).await? {
            for selector in self.selectors_of(&hold, info).await? {
                if !selectors.contains(&selector) {
                    selectors.push(selector);
                }
            }
            if selectors.len() > MAX_PRESERVED {
                let text = format!("more than {MAX_PRESERVED} are held: the purge waits until fewer are");
                return Err(CoreError::Precondition(text));
            }
        }
        Ok(selectors)
    }

    async fn selectors_of(&self, hold: &Hold, info: &TargetInfo) -> Result<Vec<Selector>, CoreError> {
        match &hold.level {
            Level::Global | Level::Category { .. } | Level::Target { .. } => Ok(Vec::new()),
            Level::Customer { customer } => self.selectors_of_customer(customer, info).await,
            Level::Contract { contract } => self.selectors_of_contract(contract, info).await,
            Level::Request { request } => {
                let entry = self.store.get(&keys::request(request)).await?.ok_or(CoreError::NotFound("request"))?;
                let request: Request = decode("request", &entry.value)?;
                let Some(parties) = request.about.parties() else { return Ok(Vec::new()) };
                // What the request is about may be the customer's: then all of the customer's stays.
                match request.anchors.customer_ended {
                    Some(_) => self.selectors_of_customer(&parties.customer, info).await,
                    None => self.selectors_of_contract(&parties.contract, info).await,
                }
            }
        }
    }

    async fn selectors_of_customer(&self, id: &CustomerId, info: &TargetInfo) -> Result<Vec<Selector>, CoreError> {
        let Some(entry) = self.store.get(&keys::customer(id)).await? else { return Ok(Vec::new()) };
        let customer: Customer = decode("customer", &entry.value)?;
        if info.scope == Scope::Customer {
            return Ok(self.customer_selector(&customer).await?.into_iter().collect());
        }
        let mut all = Vec::new();
        for contract in &customer.contracts {
            all.extend(self.selectors_of_contract(contract, info).await?);
        }
        Ok(all)
    }

    async fn selectors_of_contract(&self, id: &ContractId, info: &TargetInfo) -> Result<Vec<Selector>, CoreError> {
        let Some(entry) = self.store.get(&keys::contract(id)).await? else { return Ok(Vec::new()) };
        let contract: Contract = decode("contract", &entry.value)?;
        match info.scope {
            // A target that knows customers only keeps all of the customer's: more than was asked, and never less.
            Scope::Customer => {
                let entry = self.store.get(&keys::customer(&contract.customer)).await?;
                let entry = entry.ok_or(CoreError::NotFound("customer"))?;
                Ok(self.customer_selector(&decode("customer", &entry.value)?).await?.into_iter().collect())
            }
            Scope::Contract => {
                let identity = self.open::<ContractIdentity>(&contract.subject, What::Contract(contract.id)).await;
                Ok(unless_destroyed(identity)?
                    .map(|identity| Selector { service: Some(identity.service), ..Selector::default() })
                    .into_iter()
                    .collect())
            }
        }
    }

    async fn customer_selector(&self, customer: &Customer) -> Result<Option<Selector>, CoreError> {
        let identity = self.open::<CustomerIdentity>(&customer.subject, What::Customer(customer.id)).await;
        let selector = |identity: CustomerIdentity| Selector { customer: Some(identity.number), ..Selector::default() };
        Ok(unless_destroyed(identity)?.map(selector))
    }
}

fn unless_destroyed<T>(opened: Result<T, CoreError>) -> Result<Option<T>, CoreError> {
    match opened {
        Ok(value) => Ok(Some(value)),
        Err(CoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
