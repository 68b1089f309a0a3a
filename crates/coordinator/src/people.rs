//! Who is behind the references: seals identifiers, finds by blind index, opens for the moment of an offer, and forgets
//! (decision 12). The only file of the coordinator that handles identifiers in clear; it logs nothing.

use gallra_flow::view::View;
use gallra_model::contract::{Contract, ContractIdentity, ContractState, Customer, CustomerIdentity};
use gallra_model::selector::{ExternalId, Selector};
use gallra_model::target::Scope;
use gallra_model::{AgentName, Nonce, Pseudonym, SubjectId};
use gallra_store::keys::{self, IndexKind, What};
use gallra_store::{Entry, Key, SubjectKey, Txn};

use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::state;

fn crypto(error: impl std::fmt::Display) -> CoreError {
    CoreError::Crypto(error.to_string())
}

impl Core {
    /// The index key of an identifier, in the current epoch.
    pub fn index_key(&self, kind: IndexKind, id: &ExternalId) -> Key {
        self.keyring.index(kind, id.expose())
    }

    /// Finds a contract by its service id.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn find_contract(&self, service: &ExternalId) -> Result<(Entry, Contract), CoreError> {
        let index = self.store.get(&self.index_key(IndexKind::ServiceId, service)).await?;
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
        let Some(index) = self.store.get(&self.index_key(IndexKind::CustomerNumber, number)).await? else {
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
        Ok(txn.create(wrapped.key, wrapped.value).create(at, sealed))
    }

    async fn subject_key(&self, subject: &SubjectId) -> Result<SubjectKey, CoreError> {
        for at in self.keyring.subject_key_names(subject) {
            if let Some(entry) = self.store.get(&at).await? {
                return self.keyring.unwrap_subject(&at, &entry.value).map_err(crypto);
            }
        }
        Err(CoreError::NotFound("subject key: it was destroyed"))
    }

    async fn open<T: serde::de::DeserializeOwned>(&self, subject: &SubjectId, what: What) -> Result<T, CoreError> {
        let key = self.subject_key(subject).await?;
        let at = keys::sealed(subject, what);
        let entry = self.store.get(&at).await?.ok_or(CoreError::NotFound("sealed value: it was destroyed"))?;
        decode("sealed value", &key.open(&at, &entry.value).map_err(crypto)?)
    }

    async fn contract_of(&self, view: &View) -> Result<Contract, CoreError> {
        let entry = self.store.get(&keys::contract(&view.request.contract)).await?;
        decode("contract", &entry.ok_or(CoreError::NotFound("contract"))?.value)
    }

    async fn customer_of(&self, view: &View) -> Result<Customer, CoreError> {
        let entry = self.store.get(&keys::customer(&view.request.customer)).await?;
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
                Ok((Selector { service: Some(identity.service), customer: None }, identity.salt))
            }
            Scope::Customer => {
                let customer = self.customer_of(view).await?;
                let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
                Ok((Selector { service: None, customer: Some(identity.number) }, identity.salt))
            }
        }
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
        let txn = self.forget_customer(view, txn).await?;
        let contract = self.contract_of(view).await?;
        // A request about the customer's own end leaves the contracts to their own requests.
        if contract.request == Some(view.request.id) { self.forget_contract(&contract, txn).await } else { Ok(txn) }
    }

    async fn forget_contract(&self, contract: &Contract, mut txn: Txn) -> Result<Txn, CoreError> {
        let identity: ContractIdentity = self.open(&contract.subject, What::Contract(contract.id)).await?;
        txn = self.destroy(txn, &contract.subject, What::Contract(contract.id));
        txn = txn.delete(self.index_key(IndexKind::ServiceId, &identity.service));
        for address in &identity.addresses {
            txn = self.drop_address(txn, address, contract).await?;
        }
        Ok(txn)
    }

    /// Removes an address from the index, unless another contract hosts it by now.
    async fn drop_address(&self, txn: Txn, address: &ExternalId, contract: &Contract) -> Result<Txn, CoreError> {
        let key = self.index_key(IndexKind::Address, address);
        let owner = self.store.get(&key).await?;
        let owner: Option<gallra_model::ContractId> = owner.map(|entry| decode("index", &entry.value)).transpose()?;
        Ok(if owner == Some(contract.id) { txn.delete(key) } else { txn })
    }

    /// Adds the destruction of what names the customer, once nothing of theirs is open any more. The customer's record is
    /// written, so that of two requests that end at once one sees the other.
    async fn forget_customer(&self, view: &View, mut txn: Txn) -> Result<Txn, CoreError> {
        let contract = self.contract_of(view).await?;
        let (entry, customer, mut contracts) = self.customer_and_siblings(&contract).await?;
        txn = txn.replace(&entry, entry.value.clone());
        contracts.push(contract);
        let requests = contracts.iter().filter_map(|contract| contract.request).chain(customer.ending);
        for id in requests.filter(|id| *id != view.request.id) {
            let other = state::load(&*self.store, &id).await?.view.request;
            if other.done.is_none() && !other.facts.cancelled {
                return Ok(txn);
            }
        }
        if contracts.iter().all(|contract| contract.state == ContractState::Settled) {
            let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(customer.id)).await?;
            txn = self.destroy(txn, &customer.subject, What::Customer(customer.id));
            txn = txn.delete(self.index_key(IndexKind::CustomerNumber, &identity.number));
        }
        Ok(txn)
    }

    fn destroy(&self, txn: Txn, subject: &SubjectId, what: What) -> Txn {
        let names = self.keyring.subject_key_names(subject);
        names.into_iter().fold(txn.delete(keys::sealed(subject, what)), Txn::delete)
    }
}
