//! Contract events: started, ended, settled. Versioned per contract: a late or doubled event is answered with the present
//! state and does no harm. An end opens a request in the same transaction, so what was acknowledged is never lost (I8).

use gallra_flow::view::View;
use gallra_model::contract::{Contract, ContractIdentity, ContractState, Customer, CustomerIdentity, MAX_CONTRACTS};
use gallra_model::plan::Anchors;
use gallra_model::request::{Facts, Request, RequestState};
use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_model::{ContractId, CustomerId, Day, Nonce, RequestId, SubjectId};
use gallra_store::keys::{self, IndexKind, What};
use gallra_store::{Entry, StoreError, Txn};

use crate::core::{Core, MAX_TRIES, random};
use crate::error::{CoreError, decode, encode};
use crate::guards;
use crate::state;

/// Most addresses hosted under one service that are indexed.
pub const MAX_ADDRESSES: usize = 64;

/// A sale.
pub struct Start {
    /// Service id.
    pub service: ExternalId,
    /// Customer number.
    pub customer: ExternalId,
    /// Hosted addresses.
    pub addresses: Vec<ExternalId>,
    /// First day.
    pub started: Day,
    /// The event's version; 0 is one more than the last.
    pub version: u64,
}

/// Repeats an optimistic change until it is the one that wins.
macro_rules! until_committed {
    ($body:expr) => {{
        for _ in 0..MAX_TRIES {
            match $body.await {
                Err(CoreError::Store(StoreError::Conflict { .. })) => {}
                done => return done,
            }
        }
        Err(CoreError::Busy)
    }};
}

impl Core {
    /// Takes a sale.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] when the service is another customer's.
    pub async fn start_contract(&self, start: &Start) -> Result<Contract, CoreError> {
        until_committed!(self.try_start(start))
    }

    async fn try_start(&self, start: &Start) -> Result<Contract, CoreError> {
        if start.addresses.len() > MAX_ADDRESSES {
            return Err(CoreError::Invalid(format!("addresses: at most {MAX_ADDRESSES}")));
        }
        let known = self.find_customer(&start.customer).await?;
        match self.find_contract(&start.service).await {
            Ok((_, contract)) if known.as_ref().is_some_and(|(_, customer)| customer.id == contract.customer) => {
                return Ok(contract);
            }
            Ok(_) => return Err(CoreError::Precondition("the service id belongs to another customer".into())),
            Err(CoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let now = self.time.now();
        let id = ContractId::at(now, random()?);
        let subject = SubjectId::at(now, random()?);
        let salt = Nonce::from_bytes(random()?);
        let (txn, customer) = self.with_customer(known, start, id)?;
        let contract = Contract {
            id,
            customer,
            subject,
            version: start.version.max(1),
            state: ContractState::Active,
            started: start.started,
            ended: None,
            settled: None,
            request: None,
        };
        let identity = ContractIdentity { service: start.service.clone(), addresses: start.addresses.clone(), salt };
        let mut txn = self.seal_new(txn, &subject, What::Contract(id), &identity)?;
        txn = txn.create(keys::contract(&id), encode(&contract)?);
        txn = txn.create(self.index_key(IndexKind::ServiceId, &start.service), encode(&id)?);
        for address in &start.addresses {
            txn = txn.put(self.index_key(IndexKind::Address, address), encode(&id)?);
        }
        self.store.commit(txn).await?;
        Ok(contract)
    }

    /// Adds the contract to its customer, who may be new.
    fn with_customer(
        &self,
        known: Option<(Entry, Customer)>,
        start: &Start,
        contract: ContractId,
    ) -> Result<(Txn, CustomerId), CoreError> {
        if let Some((entry, mut customer)) = known {
            if customer.contracts.len() >= MAX_CONTRACTS {
                return Err(CoreError::Precondition(format!("a customer has at most {MAX_CONTRACTS} contracts")));
            }
            customer.contracts.push(contract);
            return Ok((Txn::new().replace(&entry, encode(&customer)?), customer.id));
        }
        let now = self.time.now();
        let customer = Customer {
            id: CustomerId::at(now, random()?),
            subject: SubjectId::at(now, random()?),
            contracts: vec![contract],
        };
        let identity = CustomerIdentity { number: start.customer.clone(), salt: Nonce::from_bytes(random()?) };
        let txn = self.seal_new(Txn::new(), &customer.subject, What::Customer(customer.id), &identity)?;
        let txn = txn
            .create(keys::customer(&customer.id), encode(&customer)?)
            .create(self.index_key(IndexKind::CustomerNumber, &start.customer), encode(&customer.id)?);
        Ok((txn, customer.id))
    }

    /// Takes an end: opens a request.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`].
    pub async fn end_contract(&self, service: &ExternalId, ended: Day, version: u64) -> Result<Contract, CoreError> {
        until_committed!(self.try_end(service, ended, version))
    }

    async fn try_end(&self, service: &ExternalId, ended: Day, version: u64) -> Result<Contract, CoreError> {
        let (entry, mut contract) = self.find_contract(service).await?;
        if is_old(&contract, version) || contract.state != ContractState::Active {
            return Ok(contract);
        }
        if ended < contract.started {
            return Err(CoreError::Invalid("ended: the contract began later".into()));
        }
        let now = self.time.now();
        let (customer, siblings) = self.customer_and_contracts(&contract).await?;
        let last = siblings.iter().all(|other| other.id == contract.id || other.state != ContractState::Active);
        let request = Request {
            id: RequestId::at(now, random()?),
            subject: customer.subject,
            customer: customer.id,
            contract: contract.id,
            received: now,
            state: RequestState::Received,
            facts: Facts { unsettled: true, ..Facts::default() },
            anchors: Anchors {
                contract_ended: Some(ended),
                customer_ended: last.then(|| latest_end(&siblings, &contract, ended)),
                ..Anchors::default()
            },
            plan: None,
            live_confirmed: None,
            copies_closed: None,
            copies_gone: None,
            proofs: 0,
            proof_content: None,
            wake: Some(now),
            done: None,
        };
        contract.version = next_version(&contract, version);
        contract.state = ContractState::Ended;
        contract.ended = Some(ended);
        contract.request = Some(request.id);
        let view = View { request, plan: None, jobs: Vec::new(), copies: Vec::new(), obligations: Vec::new() };
        let txn = state::create(Txn::new().replace(&entry, encode(&contract)?), &view)?;
        let txn = guards::bump(&*self.store, txn, keys::guard_contract(&contract.id)).await?;
        self.store.commit(txn).await?;
        self.wake.notify_one();
        Ok(contract)
    }

    /// Takes a settlement: the request gets a plan with dates.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`], [`CoreError::Precondition`].
    pub async fn settle_contract(
        &self,
        service: &ExternalId,
        settled: Day,
        version: u64,
    ) -> Result<Contract, CoreError> {
        until_committed!(self.try_settle(service, settled, version))
    }

    async fn try_settle(&self, service: &ExternalId, settled: Day, version: u64) -> Result<Contract, CoreError> {
        let (entry, mut contract) = self.find_contract(service).await?;
        if is_old(&contract, version) || contract.state == ContractState::Settled {
            return Ok(contract);
        }
        let (Some(ended), Some(id)) = (contract.ended, contract.request) else {
            return Err(CoreError::Precondition("the contract has not ended: report its end first".into()));
        };
        if settled < ended {
            return Err(CoreError::Invalid("settled: before the contract ended".into()));
        }
        if settled > day_of(self.time.now()) {
            return Err(CoreError::Precondition("settled: a day in the future is not known yet".into()));
        }
        let (_, siblings) = self.customer_and_contracts(&contract).await?;
        let all = siblings.iter().all(|other| other.id == contract.id || other.state == ContractState::Settled);
        contract.version = next_version(&contract, version);
        contract.state = ContractState::Settled;
        contract.settled = Some(settled);
        let loaded = state::load(&*self.store, &id).await?;
        let mut next = loaded.view.clone();
        next.request.anchors.contract_settled = Some(settled);
        if all && next.request.anchors.customer_ended.is_some() {
            let last = siblings.iter().filter_map(|other| other.settled).chain([settled]).max();
            next.request.anchors.customer_settled = last;
        }
        next.request.wake = Some(self.time.now());
        let txn = state::save(&*self.store, &loaded, &next).await?.replace(&entry, encode(&contract)?);
        let txn = guards::bump(&*self.store, txn, keys::guard_contract(&contract.id)).await?;
        self.store.commit(txn).await?;
        self.wake.notify_one();
        Ok(contract)
    }

    async fn customer_and_contracts(&self, contract: &Contract) -> Result<(Customer, Vec<Contract>), CoreError> {
        let entry =
            self.store.get(&keys::customer(&contract.customer)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer: Customer = decode("customer", &entry.value)?;
        let mut contracts = Vec::with_capacity(customer.contracts.len());
        for id in &customer.contracts {
            let entry = self.store.get(&keys::contract(id)).await?.ok_or(CoreError::NotFound("contract"))?;
            contracts.push(decode("contract", &entry.value)?);
        }
        Ok((customer, contracts))
    }
}

fn is_old(contract: &Contract, version: u64) -> bool {
    version != 0 && version <= contract.version
}

fn next_version(contract: &Contract, version: u64) -> u64 {
    if version == 0 { contract.version + 1 } else { version }
}

fn latest_end(siblings: &[Contract], ending: &Contract, ended: Day) -> Day {
    siblings
        .iter()
        .filter(|other| other.id != ending.id)
        .filter_map(|other| other.ended)
        .chain([ended])
        .max()
        .unwrap_or(ended)
}
