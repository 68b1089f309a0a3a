//! Whose address it is already: no two customers have one on record at the same time, since the erasure of one would take
//! the lines of the other (decision 10). Owns the blind index of addresses in use; logs nothing and names nobody, neither in
//! a refusal nor in the index: that lists random tokens, each destroyed with its contract's identifiers (decision 12).

use core::net::IpAddr;
use std::collections::BTreeSet;

use gallra_flow::address::{self, Refused};
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::selector::AddressUse;
use gallra_model::{ContractId, CustomerId, Nonce};
use gallra_store::Txn;
use gallra_store::keys::{self, IndexKind, What};

use crate::core::{Core, random};
use crate::error::{CoreError, decode, encode};

/// Contracts that may have one address on record, one after the other: each is opened when a further one comes.
const MAX_HOLDERS: usize = 256;

/// Entries of one kind that are taken out of the index in the transaction that forgets a contract, which has other things to
/// write. What is left of more finds nobody, and goes when the key epoch turns.
pub(crate) const TAKEN_OUT: usize = 4;

/// Lists of addresses that are written under the current epoch in the transaction of a move.
const WRITTEN_ANEW: usize = 16;

/// Whom a random token of the index stands for.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Holder {
    /// A contract.
    Contract(ContractId),
    /// A customer whose contract went on under another one: its addresses until then.
    Customer {
        /// The customer.
        customer: CustomerId,
    },
}

impl Core {
    /// Adds a contract to those that have this address on record. Every writer waits for the one before
    /// ([`gallra_store::Keyring::find_shared`]).
    ///
    /// # Errors
    /// [`CoreError::Precondition`] when another customer has it for a part of that time, or the store's.
    pub(crate) async fn claim_use(
        &self,
        mut txn: Txn,
        contract: &Contract,
        identity: &mut ContractIdentity,
        told: &[AddressUse],
    ) -> Result<Txn, CoreError> {
        let own = match identity.holder {
            Some(own) => own,
            None => {
                let own = Nonce::from_bytes(random()?);
                txn = self.keyring.claim_index(txn, IndexKind::Holder, &own.to_string(), encode(&contract.id)?);
                *identity.holder.insert(own)
            }
        };
        for address in told.iter().map(|used| used.address.to_canonical()).collect::<BTreeSet<_>>() {
            let shared = self.keyring.find_shared(&*self.store, IndexKind::UsedAddress, &address.to_string()).await?;
            let mut holders = vec![own];
            for other in listed(shared.values())?.into_iter().filter(|other| *other != own) {
                let Some((customer, uses)) = self.uses_of_holder(&other).await? else { continue };
                if customer != contract.customer && address::collide(told, &uses) {
                    return Err(Refused::Taken.into());
                }
                holders.push(other);
            }
            if holders.len() > MAX_HOLDERS {
                return Err(CoreError::Precondition(format!(
                    "more than {MAX_HOLDERS} contracts have this address on record: wait until some are erased"
                )));
            }
            txn = shared.replace_in(txn, Some(encode(&holders)?));
        }
        Ok(txn)
    }

    /// When addresses are on record as a contract's, and whose it is. None of one that is forgotten.
    async fn uses_of_holder(&self, holder: &Nonce) -> Result<Option<(CustomerId, Vec<AddressUse>)>, CoreError> {
        let index = self.keyring.find(&*self.store, IndexKind::Holder, &holder.to_string()).await?;
        let Some(index) = index else { return Ok(None) };
        let id = match decode("index", &index.value)? {
            Holder::Contract(id) => id,
            Holder::Customer { customer } => return self.former_uses(&customer).await,
        };
        let entry = self.store.get(&keys::contract(&id)).await?.ok_or(CoreError::NotFound("contract"))?;
        let contract: Contract = decode("contract", &entry.value)?;
        if self.keyring.find_subject(&*self.store, &contract.subject).await?.is_none() {
            return Ok(None);
        }
        Ok(Some((contract.customer, self.uses_of(&contract).await?)))
    }

    /// The same of a customer that contracts went from.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn former_uses(
        &self,
        id: &CustomerId,
    ) -> Result<Option<(CustomerId, Vec<AddressUse>)>, CoreError> {
        let entry = self.store.get(&keys::customer(id)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer: Customer = decode("customer", &entry.value)?;
        if self.keyring.find_subject(&*self.store, &customer.subject).await?.is_none() {
            return Ok(None);
        }
        let identity: CustomerIdentity = self.open(&customer.subject, What::Customer(*id)).await?;
        Ok(Some((*id, identity.former)))
    }

    /// Has a contract's token stand for its customer from now on: wherever it is listed, the customer is. Token and lists are
    /// written under the current epoch: a turning that has passed the customer over already would find them by nobody.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where keys turn and the lists are more than one transaction takes, or the store's.
    pub(crate) async fn hand_over_holder(
        &self,
        txn: Txn,
        holder: &Nonce,
        customer: &Customer,
        uses: &[AddressUse],
    ) -> Result<Txn, CoreError> {
        let token = holder.to_string();
        let index = self.keyring.find(&*self.store, IndexKind::Holder, &token).await?;
        let index = index.ok_or(CoreError::NotFound("index of addresses"))?;
        let owner = encode(&Holder::Customer { customer: customer.id })?;
        let mut txn = self.keyring.put_index(txn, IndexKind::Holder, &token, owner);
        txn = txn.expect_as_read(&index.key, Some(&index));
        let names = self.keyring.indexes(IndexKind::Holder, &token);
        if names.first() != Some(&index.key) {
            txn = txn.delete(index.key);
        }
        if names.len() < 2 {
            return Ok(txn);
        }
        let addresses: BTreeSet<_> = uses.iter().map(|used| used.address.to_canonical()).collect();
        if addresses.len() > WRITTEN_ANEW {
            return Err(CoreError::Precondition(
                "keys are turning, and the contract has many IP addresses on record: tell the move again when they have turned"
                    .into(),
            ));
        }
        for address in addresses {
            let shared = self.keyring.find_shared(&*self.store, IndexKind::UsedAddress, &address.to_string()).await?;
            let holders = listed(shared.values())?;
            let holders = if holders.is_empty() { None } else { Some(encode(&holders)?) };
            txn = shared.replace_in(txn, holders);
        }
        Ok(txn)
    }

    /// Takes the tokens of a customer that is forgotten out of the index. What is still listed leads to nobody, since what any
    /// of them stood for is destroyed.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn release_customer(
        &self,
        mut txn: Txn,
        customer: &Customer,
        identity: &CustomerIdentity,
    ) -> Result<Txn, CoreError> {
        let owner = encode(&Holder::Customer { customer: customer.id })?;
        for holder in identity.holders.iter().take(TAKEN_OUT) {
            txn = self.drop_index(txn, IndexKind::Holder, &holder.to_string(), &owner).await?;
        }
        Ok(txn)
    }

    /// Takes a contract out of those that have this address on record.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn release_use(&self, txn: Txn, holder: &Nonce, address: IpAddr) -> Result<Txn, CoreError> {
        let text = address.to_canonical().to_string();
        let shared = self.keyring.find_shared(&*self.store, IndexKind::UsedAddress, &text).await?;
        let left: Vec<_> = listed(shared.values())?.into_iter().filter(|other| other != holder).collect();
        let left = if left.is_empty() { None } else { Some(encode(&left)?) };
        Ok(shared.replace_in(txn, left))
    }

    /// The same of a contract that is forgotten. What its token stood for is destroyed in any case.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn release_all(
        &self,
        mut txn: Txn,
        contract: &Contract,
        identity: &ContractIdentity,
    ) -> Result<Txn, CoreError> {
        let Some(holder) = &identity.holder else { return Ok(txn) };
        txn = self.drop_index(txn, IndexKind::Holder, &holder.to_string(), &encode(&contract.id)?).await?;
        let addresses: BTreeSet<_> = identity.uses.iter().map(|used| used.address).collect();
        for address in addresses.into_iter().take(TAKEN_OUT) {
            txn = self.release_use(txn, holder, address).await?;
        }
        Ok(txn)
    }
}

fn listed<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<BTreeSet<Nonce>, CoreError> {
    let mut all = BTreeSet::new();
    for value in values {
        all.extend(decode::<Vec<Nonce>>("index", value)?);
    }
    Ok(all)
}
