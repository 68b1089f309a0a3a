//! Who is behind the references: seals identifiers, finds by blind index, opens for the moment of an offer, and forgets
//! (decision 12). The only file of the coordinator that handles identifiers in clear; it logs nothing.

use gallra_flow::view::View;
use gallra_model::cause::{Backing, Cause};
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::request::{About, Parties};
use gallra_model::selector::{ExternalId, Selector};
use gallra_model::target::Scope;
use gallra_model::{AgentName, Nonce, Pseudonym, RequestId, SubjectId};
use gallra_planted::Bug;
use gallra_store::keys::{self, IndexKind, What};
use gallra_store::{Entry, SubjectKey, Txn};

use crate::contracts::{Group, Number};
use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::holders::TAKEN_OUT;
use crate::state;

/// Whose end a request carries.
fn parties(view: &View) -> Result<&Parties, CoreError> {
    view.request.about.parties().ok_or(CoreError::NotFound("subject: a purge has none"))
}

/// The requests about a number's contracts and its end.
fn requests_of(number: &Number) -> impl Iterator<Item = RequestId> {
    number.contracts.iter().filter_map(|contract| contract.request).chain(number.customer.ending)
}

fn crypto(error: impl std::fmt::Display) -> CoreError {
    CoreError::Crypto(error.to_string())
}

impl Core {
    /// Finds a contract by its service id.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn find_contract(&self, service: &ExternalId) -> Result<(Entry, Contract), CoreError> {
        let index = self.keyring.find(&*self.store, IndexKind::ServiceId, service.expose()).await?;
        let id = decode("index", &index.ok_or(CoreError::NotFound("contract"))?.value)?;
        let entry = self.store.get(&keys::contract(&id)).await?.ok_or(CoreError::NotFound("contract"))?;
        let contract = decode("contract", &entry.value)?;
        Ok((entry, contract))
    }

    /// Finds a customer by its number. `None`: not known.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_customer(&self, number: &ExternalId) -> Result<Option<(Entry, Customer)>, CoreError> {
        let index = self.keyring.find(&*self.store, IndexKind::CustomerNumber, number.expose()).await?;
        let Some(index) = index else {
            return Ok(None);
        };
        let id = decode("index", &index.value)?;
        let entry = self.store.get(&keys::customer(&id)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer = decode("customer", &entry.value)?;
        Ok(Some((entry, customer)))
    }

    /// Adds a new subject key and one value sealed under it.
    ///
    /// # Errors
    /// When sealing fails.
    pub fn seal_new<T: serde::Serialize>(
        &self,
        txn: Txn,
        subject: &SubjectId,
        what: What,
        value: &T,
    ) -> Result<Txn, CoreError> {
        let (key, wrapped) = self.keyring.new_subject(subject).map_err(crypto)?;
        let at = keys::sealed(subject, what);
        let sealed = key.seal(&at, &encode(value)?).map_err(crypto)?;
        Ok(wrapped.create_in(txn).create(at, sealed))
    }

    async fn subject_key(&self, subject: &SubjectId) -> Result<SubjectKey, CoreError> {
        let entry = self.keyring.find_subject(&*self.store, subject).await?;
        let entry = entry.ok_or(CoreError::NotFound("subject key: it was destroyed"))?;
        self.keyring.unwrap_subject(&entry.key, &entry.value).map_err(crypto)
    }

    /// Opens one sealed value, for the moment.
    pub(crate) async fn open<T: serde::de::DeserializeOwned>(
        &self,
        subject: &SubjectId,
        what: What,
    ) -> Result<T, CoreError> {
        let key = self.subject_key(subject).await?;
        let at = keys::sealed(subject, what);
        let entry = self.store.get(&at).await?.ok_or(CoreError::NotFound("sealed value: it was destroyed"))?;
        decode("sealed value", &key.open(&at, &entry.value).map_err(crypto)?)
    }

    async fn contract_of(&self, view: &View) -> Result<Contract, CoreError> {
        let entry = self.store.get(&keys::contract(&parties(view)?.contract)).await?;
        decode("contract", &entry.ok_or(CoreError::NotFound("contract"))?.value)
    }

    async fn customer_of(&self, view: &View) -> Result<Customer, CoreError> {
        let entry = self.store.get(&keys::customer(&parties(view)?.customer)).await?;
        decode("customer", &entry.ok_or(CoreError::NotFound("customer"))?.value)
    }

    /// Whom a job is about, in the words that a target of this scope needs and no others (decision 13), and the secret that
    /// its jobs are salted from.
    ///
    /// # Errors
    /// When the identifiers were destroyed, or the store's.
    pub async fn selector(&self, view: &View, scope: Scope) -> Result<(Selector, Nonce), CoreError> {
        match scope {
            Scope::Contract => {
                let contract = self.contract_of(view).await?;
                let identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
                Ok((Selector { service: Some(identity.service), customer: None, addresses: Vec::new() }, identity.salt))
            }
            Scope::Customer => {
                let customer = self.customer_of(view).await?;
                let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
                Ok((Selector { service: None, customer: Some(identity.number), addresses: Vec::new() }, identity.salt))
            }
        }
    }

    /// The signature that lets what this request erases of such a target be erased, with the salt of that one id.
    ///
    /// # Errors
    /// The store's; none is an answer.
    pub async fn backing(&self, view: &View, scope: Scope) -> Result<Option<Backing>, CoreError> {
        if view.request.about.purge_day().is_some() {
            return self.purge_backing(view).await;
        }
        let approvals = &view.request.approvals;
        let (subject, approval) = match scope {
            Scope::Contract => (self.contract_of(view).await?.subject, &approvals.service),
            Scope::Customer => (self.customer_of(view).await?.subject, &approvals.customer),
        };
        if approval.is_none() {
            return Ok(None);
        }
        self.open(&subject, What::Request(view.request.id)).await.map(Some)
    }

    /// Whether a cause is about the service of a contract.
    ///
    /// # Errors
    /// When the identifiers were destroyed, or the store's.
    pub async fn is_about_contract(&self, cause: &Cause, salt: &Nonce, contract: &Contract) -> Result<bool, CoreError> {
        let identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
        Ok(cause.is_about_service(&identity.service, salt))
    }

    /// Whether a cause is about a customer.
    ///
    /// # Errors
    /// As [`Core::is_about_contract`].
    pub async fn is_about_customer(&self, cause: &Cause, salt: &Nonce, customer: &Customer) -> Result<bool, CoreError> {
        let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
        Ok(cause.is_about_customer(&identity.number, salt))
    }

    /// Adds one more value, sealed under a subject's key that is there already.
    ///
    /// # Errors
    /// When the key was destroyed, or the store's.
    pub async fn seal_more<T: serde::Serialize>(
        &self,
        txn: Txn,
        subject: &SubjectId,
        what: What,
        value: &T,
    ) -> Result<Txn, CoreError> {
        let at = keys::sealed(subject, what);
        let sealed = self.subject_key(subject).await?.seal(&at, &encode(value)?).map_err(crypto)?;
        Ok(txn.put(at, sealed))
    }

    /// The same for a value that is there. Expects the key as it is read: nothing is left of somebody who is forgotten meanwhile.
    pub(crate) async fn seal_again<T: serde::Serialize>(
        &self,
        txn: Txn,
        subject: &SubjectId,
        what: What,
        value: &T,
    ) -> Result<Txn, CoreError> {
        let key = self.keyring.find_subject(&*self.store, subject).await?;
        let key = key.ok_or(CoreError::NotFound("subject key: it was destroyed"))?;
        let txn = self.seal_more(txn, subject, what, value).await?;
        Ok(txn.expect_as_read(&key.key, Some(&key)))
    }

    /// Adds the destruction of the cause that was signed for a customer's end, when the end is taken back: nobody may find it
    /// later and use it.
    pub fn drop_customers_backing(&self, txn: Txn, customer: &Customer, request: &RequestId) -> Txn {
        txn.delete(keys::sealed(&customer.subject, What::Request(*request)))
    }

    /// The subject's name towards one agent.
    pub fn pseudonym(&self, agent: &AgentName, subject: &SubjectId) -> Pseudonym {
        self.keyring.pseudonym(agent, subject)
    }

    /// Adds the destruction of everything that names the subjects of a request that ended: keys, sealed values, indexes.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, view: &View, txn: Txn) -> Result<Txn, CoreError> {
        if let About::Purge { seal, .. } = &view.request.about {
            // Where it is gone already there is nothing to destroy, and nothing to fail by.
            let there = self.keyring.find_subject(&*self.store, seal).await?.is_some();
            return if there { self.destroy(txn, seal, What::Request(view.request.id)).await } else { Ok(txn) };
        }
        let (txn, stays) = self.forget_customer(view, txn).await?;
        let txn = self.drop_customers_backing(txn, &self.customer_of(view).await?, &view.request.id);
        let contract = self.contract_of(view).await?;
        // A request about the customer's own end leaves the contracts to their own requests.
        if contract.request != Some(view.request.id) {
            return Ok(txn);
        }
        let txn = if stays { self.carry_addresses(txn, &contract).await? } else { txn };
        self.forget_contract(&contract, txn).await
    }

    /// Under whose key what names somebody in a request is sealed: the contract's where it is its own, else the customer's.
    pub(crate) async fn sealing_subject(&self, view: &View) -> Result<SubjectId, CoreError> {
        let contract = self.contract_of(view).await?;
        if contract.request == Some(view.request.id) {
            return Ok(contract.subject);
        }
        Ok(self.customer_of(view).await?.subject)
    }

    /// Adds the removal of receipts that showed a subject: they go with its key.
    async fn drop_evidence(&self, mut txn: Txn, subject: &SubjectId) -> Result<Txn, CoreError> {
        for entry in state::entries(&*self.store, &keys::sealed_of(subject)).await? {
            if matches!(keys::parse_sealed(&entry.key), Some((_, What::Receipt(_)))) {
                txn = txn.delete(entry.key);
            }
        }
        Ok(txn)
    }

    async fn forget_contract(&self, contract: &Contract, mut txn: Txn) -> Result<Txn, CoreError> {
        let identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
        txn = self.destroy(txn, &contract.subject, What::Contract(contract.id)).await?;
        txn = self.drop_evidence(txn, &contract.subject).await?;
        txn = self.close(txn, &identity.service, contract.version)?;
        if let Some(request) = contract.request {
            txn = txn.delete(keys::sealed(&contract.subject, What::Request(request)));
        }
        txn = self.drop_index(txn, IndexKind::ServiceId, identity.service.expose(), &encode(&contract.id)?).await?;
        txn = self.release_all(txn, contract, &identity).await?;
        for address in identity.addresses.iter().take(TAKEN_OUT) {
            txn = self.drop_index(txn, IndexKind::Address, address.expose(), &encode(&contract.id)?).await?;
        }
        Ok(txn)
    }

    /// Removes an identifier from the index, unless it is another's by now.
    pub(crate) async fn drop_index(&self, txn: Txn, kind: IndexKind, id: &str, owner: &[u8]) -> Result<Txn, CoreError> {
        let found = self.keyring.find(&*self.store, kind, id).await?;
        Ok(match found.filter(|entry| entry.value == owner) {
            Some(entry) => txn.expect_as_read(&entry.key, Some(&entry)).delete(entry.key),
            None => txn,
        })
    }

    /// Adds the destruction of what names the customer, once nothing of theirs is open any more; says whether it stays. The
    /// head's record is written, so that of two requests that end at once, or a sale under another number, one sees the other.
    async fn forget_customer(&self, view: &View, txn: Txn) -> Result<(Txn, bool), CoreError> {
        let group = self.group_of(&parties(view)?.customer).await?;
        let txn = group.write(txn)?;
        let number = group.number(&parties(view)?.customer)?;
        let others = requests_of(number).filter(|id| *id != view.request.id);
        for id in others {
            let other = state::load(&*self.store, &id).await?.view.request;
            if other.done.is_none() && !other.facts.cancelled && !gallra_planted::is(Bug::KeyDestroyedTooEarly) {
                return Ok((txn, true));
            }
        }
        // Its number is what the customer's own end will be carried out by, once all numbers' contracts are settled.
        let stays = !group.is_settled() && !gallra_planted::is(Bug::KeyDestroyedTooEarly);
        let txn = if stays { txn } else { self.destroy_customer(txn, &number.customer).await? };
        Ok((txn, stays))
    }

    /// The same of a customer whose last contract is settled after the request for the end is done: nothing else would.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn forget_settled(&self, mut txn: Txn, group: &Group) -> Result<Txn, CoreError> {
        let settled = group.is_settled();
        for number in group.numbers().iter().filter(|_| settled) {
            let Some(ending) = number.ending() else { continue };
            let mut open = false;
            for id in requests_of(number) {
                let request = state::load(&*self.store, &id).await?.view.request;
                open |= request.done.is_none() && (id == ending || !request.facts.cancelled);
            }
            if !open {
                txn = self.drop_customers_backing(txn, &number.customer, &ending);
                txn = self.destroy_customer(txn, &number.customer).await?;
            }
        }
        Ok(txn)
    }

    async fn destroy_customer(&self, mut txn: Txn, customer: &Customer) -> Result<Txn, CoreError> {
        let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
        txn = self.destroy(txn, &customer.subject, What::Customer(customer.id)).await?;
        txn = self.drop_evidence(txn, &customer.subject).await?;
        txn = self.release_customer(txn, customer, &identity).await?;
        // What it told us to do instead names nobody, and is told of to nobody any more.
        txn = txn.delete(keys::instructed(&customer.id));
        txn = txn.delete(keys::sealed(&customer.subject, What::Instructions(customer.id)));
        self.drop_index(txn, IndexKind::CustomerNumber, identity.number.expose(), &encode(&customer.id)?).await
    }

    /// Expects the key as it is read: while an epoch turns it may move to another name, and would be left there.
    pub(crate) async fn destroy(&self, txn: Txn, subject: &SubjectId, what: What) -> Result<Txn, CoreError> {
        let key = self.keyring.find_subject(&*self.store, subject).await?;
        let key = key.ok_or(CoreError::NotFound("subject key: it was destroyed"))?;
        Ok(txn.delete(keys::sealed(subject, what)).expect_as_read(&key.key, Some(&key)).delete(key.key))
    }
}
