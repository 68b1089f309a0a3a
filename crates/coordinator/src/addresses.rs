//! When IP addresses were a subject's: taken from billing, sealed with the contract's identifiers, put into offers for the
//! targets that are searched by nothing else (decisions 10 and 13). Handles them in clear for that moment, like `people.rs`,
//! and logs none. What a word comes to is `gallra_flow::address`'s; nothing here decides it.

use core::net::IpAddr;
use std::collections::BTreeSet;

use gallra_flow::address::{self, MAX_OFFERED, Refused, Term};
use gallra_flow::view::View;
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity, MAX_MOVED_AWAY};
use gallra_model::request::{JobRecord, Parties};
use gallra_model::selector::{AddressUse, ExternalId};
use gallra_model::target::{Scope, TargetKind};
use gallra_model::time::start_of;
use gallra_model::{Day, Instant};
use gallra_store::Txn;
use gallra_store::keys::{self, What};

use crate::core::{Core, merge, until_committed};
use crate::error::{CoreError, decode};
use crate::{state, told};

/// What billing says of an address.
pub struct Told {
    /// Whose: the service id.
    pub service: ExternalId,
    /// The address.
    pub address: IpAddr,
    /// From when, and until when; none takes back everything that was said of this address.
    pub time: Option<(Instant, Option<Instant>)>,
}

impl From<Refused> for CoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Nobodys | Refused::Backwards => Self::Invalid(refused.to_string()),
            Refused::Early
            | Refused::Late
            | Refused::Shortens
            | Refused::Taken
            | Refused::Reopens
            | Refused::TooMany => Self::Precondition(refused.to_string()),
        }
    }
}

impl Core {
    /// Records, ends or withdraws a use. Gives the contract and how many uses are on record.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Invalid`] and [`CoreError::Precondition`] as [`Refused`] says, or when the logs
    /// are being searched already.
    pub async fn record_address(&self, told: &Told) -> Result<(Contract, usize), CoreError> {
        // One at a time: whoever records an address must see who did before (`holders.rs`).
        let _alone = self.recording.lock().await;
        until_committed!(self.try_record(told))
    }

    async fn try_record(&self, told: &Told) -> Result<(Contract, usize), CoreError> {
        let (entry, contract) = self.find_contract(&told.service).await?;
        let mut identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
        let uses = match told.time {
            None => address::withdraw(&identity.uses, told.address),
            Some((from, until)) => {
                let used = AddressUse { address: told.address, from, until };
                address::record(&identity.uses, &used, term_of(&contract)?)?
            }
        };
        let known = uses.len();
        if uses == identity.uses {
            if told.time.is_none() {
                self.must_not_be_left(&contract, told.address).await?;
            }
            return Ok((contract, known));
        }
        // The contract's record is written unchanged: of two words at once, one must see the other.
        let txn = Txn::new().replace(&entry, entry.value.clone());
        let txn = self.before_any_search(txn, &contract).await?;
        let txn = match told.time {
            None => match &identity.holder {
                Some(holder) => self.release_use(txn, holder, told.address).await?,
                None => txn,
            },
            Some((from, until)) => {
                let used = AddressUse { address: told.address.to_canonical(), from, until };
                let used = address::closed(&[used], end_of(&contract)?);
                self.claim_use(txn, &contract, &mut identity, &used).await?
            }
        };
        identity.uses = uses;
        let txn = self.seal_again(txn, &contract.subject, What::Contract(contract.id), &identity).await?;
        self.commit_event(txn, &contract).await?;
        Ok((contract, known))
    }

    /// Refuses to call an address taken back that stayed with an earlier customer when the contract moved: that one's end is
    /// searched by it. Which of that one's contracts it came from is not on record, so that it is left to a person.
    async fn must_not_be_left(&self, contract: &Contract, address: IpAddr) -> Result<(), CoreError> {
        let mut came = contract.came;
        while let Some(before) = came {
            let entry = self.store.get(&keys::contract(&before.part)).await?.ok_or(CoreError::NotFound("contract"))?;
            let part: Contract = decode("contract", &entry.value)?;
            let over = end_of(&part)?;
            let former = self.former_uses(&part.customer).await?.map(|(_, uses)| uses).unwrap_or_default();
            let mut of_address = former.iter().filter(|used| used.address == address.to_canonical());
            if of_address.any(|used| over.is_none_or(|over| used.from < over)) {
                return Err(CoreError::Precondition(
                    "the address is on record until the contract moved, and stayed with the earlier customer, whose end is \
                     searched by it: it can no longer be withdrawn; if it was never theirs, place a hold on that customer"
                        .into(),
                ));
            }
            came = part.came;
        }
        Ok(())
    }

    /// Refuses once an erasure by the addresses on record was permitted: what it came to is counted and proven by them, and
    /// a later word would be in a proof that nothing was looked for under.
    async fn before_any_search(&self, mut txn: Txn, contract: &Contract) -> Result<Txn, CoreError> {
        let customer = self.store.get(&keys::customer(&contract.customer)).await?;
        let customer: Customer = decode("customer", &customer.ok_or(CoreError::NotFound("customer"))?.value)?;
        let requests: BTreeSet<_> = contract.request.into_iter().chain(customer.ending).collect();
        for id in requests {
            let loaded = state::load(&*self.store, &id).await?;
            for job in &loaded.view.jobs {
                if has_searched(job) && self.is_searched_by_address(job).await? {
                    return Err(CoreError::Precondition(
                        "too late: the logs are being searched, or were, by the addresses on record; look for this one by hand"
                            .into(),
                    ));
                }
            }
            // Read and written, so that a permit that is given meanwhile makes this fail.
            txn = merge(txn, state::save(&*self.store, &loaded, &loaded.view).await?);
        }
        Ok(txn)
    }

    async fn is_searched_by_address(&self, job: &JobRecord) -> Result<bool, CoreError> {
        match self.target(&job.step.agent, &job.step.target).await {
            Ok(info) => Ok(info.by_address),
            // No longer reported: it may have been.
            Err(CoreError::NotFound(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The addresses that a target of this scope is searched by: the contract's, or those of all of the customer's contracts.
    /// None where there are more than an offer takes: then the target refuses, and the request stays open.
    ///
    /// # Errors
    /// When the identifiers were destroyed, or the store's.
    pub(crate) async fn addresses(&self, view: &View, scope: Scope) -> Result<Vec<AddressUse>, CoreError> {
        let Parties { contract, customer, .. } =
            view.request.about.parties().ok_or(CoreError::NotFound("subject: a purge has none"))?;
        let entry = self.store.get(&keys::contract(contract)).await?.ok_or(CoreError::NotFound("contract"))?;
        let own: Contract = decode("contract", &entry.value)?;
        let mut uses = Vec::new();
        match scope {
            Scope::Contract => uses = self.uses_of(&own).await?,
            Scope::Customer => {
                let (_, of, siblings) = self.customer_and_siblings(&own).await?;
                let identity: CustomerIdentity = self.open(&of.subject, What::Customer(*customer)).await?;
                if identity.former_incomplete {
                    tracing::warn!(%contract, "addresses of contracts that are erased were more than fit: none are offered");
                    return Ok(Vec::new());
                }
                uses.extend(identity.former);
                for contract in siblings.iter().chain([&own]) {
                    // Whoever is forgotten has left what is needed with the customer (`carry_addresses`).
                    if self.keyring.find_subject(&*self.store, &contract.subject).await?.is_some() {
                        uses.extend(self.uses_of(contract).await?);
                    }
                }
            }
        }
        let uses = address::unite(uses);
        if uses.len() > MAX_OFFERED {
            tracing::warn!(%contract, "more addresses than an offer takes: none are offered");
            return Ok(Vec::new());
        }
        Ok(uses)
    }

    pub(crate) async fn uses_of(&self, contract: &Contract) -> Result<Vec<AddressUse>, CoreError> {
        let identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
        Ok(address::closed(&identity.uses, end_of(contract)?))
    }

    /// Adds, when a contract is resumed, the end of what ended with it until now: meanwhile an address may have become
    /// somebody else's, and the contract's next end says nothing of that. What is still theirs is to be recorded again.
    ///
    /// # Errors
    /// As [`Core::addresses`].
    pub(crate) async fn end_uses(&self, txn: Txn, contract: &Contract) -> Result<Txn, CoreError> {
        let what = What::Contract(contract.id);
        let mut identity: ContractIdentity = self.open(&contract.subject, what).await?;
        let uses = address::closed(&identity.uses, end_of(contract)?);
        if uses == identity.uses {
            return Ok(txn);
        }
        identity.uses = uses;
        self.seal_again(txn, &contract.subject, what, &identity).await
    }

    /// Adds, when a contract goes on under another customer, that its addresses until then stay the earlier one's: among that
    /// one's identifiers, and in the index of who has which. Nobody is searched by them but the earlier customer, and nobody
    /// else may claim them for that time.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where they do not fit, or one is on record beyond that day; as [`Core::addresses`].
    pub(crate) async fn leave_addresses(
        &self,
        txn: Txn,
        contract: &Contract,
        customer: &Customer,
        last: Day,
    ) -> Result<Txn, CoreError> {
        let over = last.tomorrow().and_then(start_of);
        let over = over.map_err(|_| CoreError::Precondition("on: beyond what an instant can say".into()))?;
        let what = What::Contract(contract.id);
        let mut of_contract: ContractIdentity = self.open(&contract.subject, what).await?;
        if of_contract.uses.iter().any(|used| used.from >= over) {
            return Err(CoreError::Precondition(
                "an IP address is on record from a later day: withdraw it, and record it again after the move".into(),
            ));
        }
        let uses = address::closed(&of_contract.uses, Some(over));
        let left = told::leaves(&mut of_contract.identifiers);
        if uses.is_empty() && left.is_empty() {
            return Ok(txn);
        }
        let mut of_customer: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
        told::stay_with(&mut of_customer, left)?;
        if uses.is_empty() {
            let txn = self.seal_again(txn, &contract.subject, what, &of_contract).await?;
            return self.seal_again(txn, &customer.subject, What::Customer(customer.id), &of_customer).await;
        }
        of_customer.former.extend(uses);
        of_customer.former = address::unite(of_customer.former);
        if of_customer.former.len() > MAX_OFFERED || of_customer.holders.len() >= MAX_MOVED_AWAY {
            return Err(CoreError::Precondition(
                "the earlier customer has too many IP addresses on record, or too many contracts went from it".into(),
            ));
        }
        // None where they are on record from before there was an index.
        let txn = match of_contract.holder.take() {
            Some(holder) => {
                of_customer.holders.push(holder);
                self.hand_over_holder(txn, &holder, customer, &of_contract.uses).await?
            }
            None => txn,
        };
        of_contract.uses = Vec::new();
        let txn = self.seal_again(txn, &contract.subject, what, &of_contract).await?;
        self.seal_again(txn, &customer.subject, What::Customer(customer.id), &of_customer).await
    }

    /// Adds, when a contract is forgotten and its customer stays, the contract's addresses to the customer's identifiers, if
    /// some target of the customer's scope is searched by addresses. Else the customer's own end would pass over the lines of
    /// this contract and be called whole.
    ///
    /// # Errors
    /// As [`Core::addresses`].
    pub(crate) async fn carry_addresses(&self, txn: Txn, contract: &Contract) -> Result<Txn, CoreError> {
        let uses = self.uses_of(contract).await?;
        let inventories = self.inventories().await?;
        let mut targets = inventories.iter().flat_map(|inventory| &inventory.targets);
        if uses.is_empty() || !targets.any(|info| info.by_address && info.scope == Scope::Customer) {
            return Ok(txn);
        }
        let (_, customer, _) = self.customer_and_siblings(contract).await?;
        let what = What::Customer(customer.id);
        // As it is read: what billing tells of the customer meanwhile must not be written over (`told.rs`).
        let at = keys::sealed(&customer.subject, what);
        let txn = txn.expect_as_read(&at, self.store.get(&at).await?.as_ref());
        let mut identity: CustomerIdentity = self.open(&customer.subject, what).await?;
        let all = address::unite(identity.former.iter().cloned().chain(uses).collect());
        if all.len() > MAX_OFFERED {
            // Said for good: a later use may unite some of them, and what is left would look whole.
            identity.former_incomplete = true;
        } else {
            identity.former = all;
        }
        self.seal_again(txn, &customer.subject, what, &identity).await
    }
}

/// Whether an erasure of log lines was permitted at least once.
fn has_searched(job: &JobRecord) -> bool {
    job.step.kind == TargetKind::AccessLog && job.step.action.is_irreversible() && job.attempt > 0
}

/// A contract's own time.
fn term_of(contract: &Contract) -> Result<Term, CoreError> {
    let from = contract.first_day().and_then(|day| start_of(day).ok());
    let from = from.ok_or_else(|| CoreError::Precondition("started: beyond what an instant can say".into()))?;
    Ok(Term { from, until: end_of(contract)? })
}

/// The instant in which a contract's last day is over.
fn end_of(contract: &Contract) -> Result<Option<Instant>, CoreError> {
    let Some(day) = contract.ended else { return Ok(None) };
    let end = day.tomorrow().and_then(start_of);
    end.map(Some).map_err(|_| CoreError::Precondition("ended: beyond what an instant can say".into()))
}
