//! Contract events: what starts a contract, and what all of them share. Versioned per contract: a late or doubled event does no
//! harm, in whatever order they arrive (`flow::contract`). An end opens a request in the same transaction, so what was
//! acknowledged is never lost (I8).

mod group;
mod merged;
mod moved;
mod told;

use gallra_flow::view::View;
use gallra_model::contract::{Contract, ContractIdentity, ContractState, Customer, CustomerIdentity, Words};
use gallra_model::plan::Anchors;
use gallra_model::request::{About, Approvals, Facts, Parties, Request, RequestState};
use gallra_model::selector::ExternalId;
use gallra_model::{ContractId, CustomerId, Day, Nonce, RequestId, SubjectId};
use gallra_store::keys::{self, IndexKind, What};
use gallra_store::{Entry, Txn};

use crate::causes::Brought;
use crate::core::{Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::{guards, traces};

pub(crate) use group::{Group, Number};
pub use merged::{Later, Merge, Merged, Shown};
pub use moved::{Move, Moved};

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

/// An end.
pub struct End {
    /// Service id.
    pub service: ExternalId,
    /// Last day.
    pub ended: Day,
    /// The event's version; 0 is one more than the last.
    pub version: u64,
    /// The signature without which nothing is erased; it may come later.
    pub cause: Option<Brought>,
}

impl Core {
    /// Takes a sale.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] when the service is another customer's, or has ended, or its customer is being erased.
    pub async fn start_contract(&self, start: &Start) -> Result<Contract, CoreError> {
        until_committed!(self.try_start(start))
    }

    async fn try_start(&self, start: &Start) -> Result<Contract, CoreError> {
        if start.addresses.len() > MAX_ADDRESSES {
            return Err(CoreError::Invalid(format!("addresses: at most {MAX_ADDRESSES}")));
        }
        let known = self.find_customer(&start.customer).await?;
        match self.find_contract(&start.service).await {
            Ok((_, contract)) => {
                return started_already(contract, known.as_ref().map(|(_, customer)| customer.id), start);
            }
            Err(CoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let version = self.version_after_closed(&start.service, start.version).await?;
        let now = self.time.now();
        let id = ContractId::at(now, random()?);
        let subject = SubjectId::at(now, random()?);
        let salt = Nonce::from_bytes(random()?);
        let (txn, customer) = match known {
            Some((_, customer)) => {
                let txn = self.join_customer(&customer.id, id).await?;
                (guards::bump_whom(&*self.store, txn, keys::guard_customer(&customer.id)).await?, customer.id)
            }
            None => self.new_customer(&start.customer, id)?,
        };
        let contract = Contract {
            id,
            customer,
            subject,
            version,
            words: Words { since: version, ..Words::default() },
            state: ContractState::Active,
            started: start.started,
            ended: None,
            settled: None,
            request: None,
            cancelled: Vec::new(),
            came: None,
            earlier: Vec::new(),
            went: None,
        };
        let identity = ContractIdentity {
            service: start.service.clone(),
            addresses: start.addresses.clone(),
            uses: Vec::new(),
            holder: None,
            identifiers: Vec::new(),
            salt,
        };
        let mut txn = self.seal_new(txn, &subject, What::Contract(id), &identity)?;
        txn = txn.create(keys::contract(&id), encode(&contract)?);
        txn = self.keyring.claim_index(txn, IndexKind::ServiceId, start.service.expose(), encode(&id)?);
        for address in &start.addresses {
            txn = self.keyring.put_index(txn, IndexKind::Address, address.expose(), encode(&id)?);
        }
        self.store.commit(txn).await?;
        self.wake.notify_one();
        Ok(contract)
    }

    fn new_customer(&self, number: &ExternalId, contract: ContractId) -> Result<(Txn, CustomerId), CoreError> {
        let now = self.time.now();
        let customer = Customer {
            id: CustomerId::at(now, random()?),
            subject: SubjectId::at(now, random()?),
            contracts: vec![contract],
            ending: None,
            merged_into: None,
            merged: Vec::new(),
            merged_by: None,
        };
        let identity = CustomerIdentity {
            number: number.clone(),
            former: Vec::new(),
            former_incomplete: false,
            holders: Vec::new(),
            identifiers: Vec::new(),
            salt: Nonce::from_bytes(random()?),
        };
        let txn = self.seal_new(Txn::new(), &customer.subject, What::Customer(customer.id), &identity)?;
        let txn = txn.create(keys::customer(&customer.id), encode(&customer)?);
        let txn = self.keyring.claim_index(txn, IndexKind::CustomerNumber, number.expose(), encode(&customer.id)?);
        Ok((txn, customer.id))
    }

    /// Adds a contract to a known customer. Somebody who was leaving stays: the customer's own end is taken back under all of
    /// its numbers, as long as nothing of any has begun.
    async fn join_customer(&self, customer: &CustomerId, contract: ContractId) -> Result<Txn, CoreError> {
        let mut group = self.group_of(customer).await?;
        let txn = self.take_back_ends(Txn::new(), &mut group).await?;
        group.add(customer, contract)?;
        group.write(txn)
    }

    pub(crate) fn new_request(
        &self,
        contract: &Contract,
        customer: &Customer,
        anchors: Anchors,
    ) -> Result<Request, CoreError> {
        let parties = Parties { subject: customer.subject, customer: customer.id, contract: contract.id };
        let request = self.blank_request(About::End(parties))?;
        // What is the customer's own was never anybody else's.
        let earlier = if anchors.contract_ended.is_some() { contract.earlier.clone() } else { Vec::new() };
        Ok(Request { facts: Facts { unsettled: true, ..Facts::default() }, anchors, earlier, ..request })
    }

    /// A request that was just received, and is due to be looked at.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn blank_request(&self, about: About) -> Result<Request, CoreError> {
        let now = self.time.now();
        Ok(Request {
            id: RequestId::at(now, random()?),
            about,
            earlier: Vec::new(),
            received: now,
            state: RequestState::Received,
            facts: Facts::default(),
            anchors: Anchors::default(),
            approvals: Approvals::default(),
            plan: None,
            planned_under: None,
            live_confirmed: None,
            copies_closed: None,
            copies_gone: None,
            proofs: 0,
            proof_content: None,
            wake: Some(now),
            done: None,
        })
    }

    /// Commits a contract's event with the bump of the guards that it moves.
    pub(crate) async fn commit_event(&self, txn: Txn, contract: &Contract) -> Result<(), CoreError> {
        let txn = guards::bump_whom(&*self.store, txn, keys::guard_contract(&contract.id)).await?;
        let txn = guards::bump_whom(&*self.store, txn, keys::guard_customer(&contract.customer)).await?;
        let opened = traces::opened_by(&txn);
        self.store.commit(txn).await?;
        traces::opened(&opened);
        gallra_crash::point("before_ack");
        self.wake.notify_one();
        Ok(())
    }

    /// A contract's customer and the customer's other contracts.
    ///
    /// # Errors
    /// The store's.
    pub async fn customer_and_siblings(
        &self,
        contract: &Contract,
    ) -> Result<(Entry, Customer, Vec<Contract>), CoreError> {
        let entry =
            self.store.get(&keys::customer(&contract.customer)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer: Customer = decode("customer", &entry.value)?;
        let mut siblings = Vec::with_capacity(customer.contracts.len());
        for id in customer.contracts.iter().filter(|id| **id != contract.id) {
            let entry = self.store.get(&keys::contract(id)).await?.ok_or(CoreError::NotFound("contract"))?;
            siblings.push(decode("contract", &entry.value)?);
        }
        Ok((entry, customer, siblings))
    }
}

/// Answers a sale of a service that is known: the same one again does no harm, anything else is refused.
fn started_already(contract: Contract, customer: Option<CustomerId>, start: &Start) -> Result<Contract, CoreError> {
    // A copy of the sale from before a move: it is where it is.
    let late = start.version != 0 && contract.came.is_some() && start.version <= contract.known_words().since;
    if late {
        return Ok(contract);
    }
    if customer != Some(contract.customer) {
        return Err(CoreError::Precondition("the service id belongs to another customer".into()));
    }
    let again = contract.state == ContractState::Active || is_old(&contract, start.version);
    if again {
        return Ok(contract);
    }
    // To answer "yes" would let the running request erase what was just sold.
    Err(CoreError::Precondition(
        "the service ended and its data is being erased: sell it under another service id, or after its request is done".into(),
    ))
}

/// The customer's end, taken back from the request that carries it.
pub(crate) fn take_back_end(view: &View, now: gallra_model::Instant) -> Result<View, CoreError> {
    let mut next = view.clone();
    let request = &mut next.request;
    if request.done.is_some() {
        return Ok(next);
    }
    if request.state >= RequestState::Running {
        return Err(CoreError::Precondition(
            "the customer's data is being erased: sell under another customer number, or after the request is done"
                .into(),
        ));
    }
    request.anchors.customer_ended = None;
    request.anchors.customer_settled = None;
    request.approvals.customer = None;
    // A request that was about nothing else has nothing left to do, and says so.
    request.facts.cancelled |= request.anchors.contract_ended.is_none();
    request.wake = Some(now);
    Ok(next)
}

pub(crate) fn only(request: Request) -> View {
    View { request, plan: None, jobs: Vec::new(), copies: Vec::new(), obligations: Vec::new() }
}

pub(crate) fn is_old(contract: &Contract, version: u64) -> bool {
    version != 0 && version <= contract.version
}
