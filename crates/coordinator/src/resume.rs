//! A contract that goes on after all: its end, and the customer's under every number, are taken back in one transaction
//! with the bump of both guards, so a permit is either given before it or never (I1). What has begun cannot be undone: the
//! answer says so, the rest is cancelled, and the requests stay on record.

use gallra_flow::cancel::{cancel, has_begun};
use gallra_flow::remains::{Remains, remains};
use gallra_model::contract::{Contract, ContractState, Customer};
use gallra_model::plan::Anchors;
use gallra_model::receipt::Receipt;
use gallra_model::request::RequestState;
use gallra_model::selector::ExternalId;
use gallra_model::{RequestId, SubjectId};
use gallra_store::keys::{self, What};
use gallra_store::{Entry, Txn};

use crate::contracts::{only, take_back_end};
use crate::core::{Core, merge};
use crate::error::{CoreError, decode, encode};
use crate::state;

/// What came of a resumption.
pub struct Resumed {
    /// The contract as it stands.
    pub contract: Contract,
    /// The requests that were cancelled, also where the contract has moved since.
    pub cancelled: Vec<RequestId>,
    /// Whether data had begun to go: some of it may be erased, or put aside, already.
    pub begun: bool,
    /// What is gone and what was saved, target by target, as far as receipts say: asked again, it says more.
    pub remains: Vec<(RequestId, Remains)>,
}

impl Core {
    /// Takes a resumption, at any time before the contract's request is done. Addresses that ended with the contract stay
    /// ended: those that are still the subject's are to be recorded again.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Precondition`] when everything is erased.
    pub async fn resume_contract(&self, service: &ExternalId, version: u64) -> Result<Resumed, CoreError> {
        let contract = self.told_resumed(service, version).await?;
        let cancelled = self.cancelled_of(&contract, version).await?;
        let (mut begun, mut all) = (false, Vec::new());
        for id in &cancelled {
            let view = state::load(&*self.store, id).await?.view;
            begun |= has_begun(&view);
            let stored = state::receipts(&*self.store, id).await?;
            let taken = stored.into_iter().filter(|stored| stored.taken);
            let receipts = taken.map(|stored| {
                let opened = gallra_proof::receipt::read(&stored.envelope);
                Ok(opened.map_err(|error| CoreError::Crypto(error.to_string()))?.predicate)
            });
            let receipts = receipts.collect::<Result<Vec<Receipt>, CoreError>>()?;
            all.extend(remains(&view, &receipts).into_iter().map(|one| (*id, one)));
        }
        Ok(Resumed { contract, cancelled, begun, remains: all })
    }

    /// What was taken back of a contract, also by a resumption from before its newest moves that is told again.
    async fn cancelled_of(&self, contract: &Contract, version: u64) -> Result<Vec<RequestId>, CoreError> {
        let mut of = contract.clone();
        while version <= of.known_words().since && of.cancelled.is_empty() {
            let Some(came) = of.came else { break };
            let entry = self.store.get(&keys::contract(&came.part)).await?.ok_or(CoreError::NotFound("contract"))?;
            let part: Contract = decode("contract", &entry.value)?;
            // Its own words begin with the move that ended it.
            of = Contract { words: contract.words, ..part };
        }
        Ok(of.cancelled)
    }

    /// Takes the end of a contract back whose words say that it goes on.
    pub(crate) async fn take_back(&self, entry: &Entry, mut contract: Contract) -> Result<Contract, CoreError> {
        let own = contract.request.ok_or(CoreError::NotFound("request"))?;
        let loaded = state::load(&*self.store, &own).await?;
        if loaded.view.request.done.is_some() {
            return Err(CoreError::Precondition("everything of this contract is erased: sell it anew".into()));
        }
        let mut group = self.group_of(&contract.customer).await?;
        let sealed = self.end_uses(Txn::new(), &contract).await?;
        contract.state = ContractState::Active;
        (contract.ended, contract.settled, contract.request) = (None, None, None);
        contract.cancelled = vec![own];
        let mut txn = state::save(&*self.store, &loaded, &cancel(&loaded.view, self.time.now())).await?;
        // What was signed for an end that is taken back backs nothing any more.
        txn = drop_backing(txn, &contract.subject, &own);
        for number in group.numbers_mut() {
            let Some(ending) = number.ending() else { continue };
            number.customer.ending = None;
            txn = self.drop_customers_backing(txn, &number.customer, &ending);
            if ending != own {
                txn = self.keep_customer(txn, &ending, &number.customer, &mut contract).await?;
            }
        }
        txn = merge(group.write(txn.replace(entry, encode(&contract)?))?, sealed);
        self.commit_event(txn, &contract).await?;
        tracing::info!(contract = %contract.id, request = %own, "a contract was resumed");
        Ok(contract)
    }

    /// Takes the customer's own end out of the request that carries it. Before data has begun to go that is a change of
    /// dates; after, its plan stands, and all of it is cancelled. Where that request was another contract's too, which
    /// did end, a new one carries that on.
    async fn keep_customer(
        &self,
        txn: Txn,
        ending: &RequestId,
        customer: &Customer,
        resumed: &mut Contract,
    ) -> Result<Txn, CoreError> {
        let (loaded, now) = (state::load(&*self.store, ending).await?, self.time.now());
        let request = &loaded.view.request;
        if request.done.is_some() {
            return Ok(txn);
        }
        if request.state < RequestState::Running {
            let next = take_back_end(&loaded.view, now)?;
            return Ok(merge(txn, state::save(&*self.store, &loaded, &next).await?));
        }
        resumed.cancelled.push(*ending);
        let txn = merge(txn, state::save(&*self.store, &loaded, &cancel(&loaded.view, now)).await?);
        if request.anchors.contract_ended.is_none() {
            return Ok(txn);
        }
        let parties = request.about.parties().ok_or(CoreError::NotFound("contract"))?;
        let entry = self.store.get(&keys::contract(&parties.contract)).await?.ok_or(CoreError::NotFound("contract"))?;
        let mut other: Contract = decode("contract", &entry.value)?;
        let anchors = Anchors { customer_ended: None, customer_settled: None, ..request.anchors };
        let successor = self.new_request(&other, customer, anchors)?;
        other.request = Some(successor.id);
        let txn = drop_backing(txn, &other.subject, ending).replace(&entry, encode(&other)?);
        state::create(txn, &only(successor))
    }
}

fn drop_backing(txn: Txn, subject: &SubjectId, request: &RequestId) -> Txn {
    txn.delete(keys::sealed(subject, What::Request(*request)))
}
