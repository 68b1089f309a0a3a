//! What else names somebody, as billing tells it: sealed with the identity that it belongs to, for commitments and for the leak
//! scan (`docs/formats/subject-v1.md`, section 3). Owns whose each kind is; indexes nothing, so that nobody is found by it. Handles
//! identifiers in clear for the moment, as `people` does, and logs none. Upholds I12: they are destroyed with the identity.

use gallra_model::contract::{Contract, ContractIdentity, CustomerIdentity};
use gallra_model::selector::{ExternalId, ToldIdentifier};
use gallra_proof::subject::{Identifier, Kind, MAX_IDENTIFIERS};
use gallra_store::Txn;
use gallra_store::keys::{self, What};

use crate::core::{Core, until_committed};
use crate::error::CoreError;

/// Most told of one customer and one contract together: a request's other two are its customer number and its service id.
pub const MAX_TOLD: usize = MAX_IDENTIFIERS - 2;

/// What billing says of a contract and its customer.
pub struct ToldOf {
    /// The service id.
    pub service: ExternalId,
    /// The customer number that the contract has: what is a person's is not to be told of another.
    pub customer: ExternalId,
    /// What names them.
    pub identifiers: Vec<Identifier>,
}

/// Whether a kind stays with a customer whose contract goes to another one.
const fn is_customers(kind: Kind) -> bool {
    match kind {
        Kind::CustomerNumber | Kind::PersonalNumber | Kind::OrganisationNumber | Kind::Email => true,
        Kind::Service | Kind::Domain | Kind::Ip => false,
    }
}

/// As it is sealed.
fn sealed(identifier: &Identifier) -> ToldIdentifier {
    ToldIdentifier::new(identifier.kind().word(), identifier.expose())
}

/// What is sealed, read again. What no longer reads as its kind is left out: nothing is committed to in two spellings.
pub(crate) fn read(told: &[ToldIdentifier]) -> impl Iterator<Item = Identifier> + '_ {
    told.iter().filter_map(|told| Identifier::new(told.kind().parse().ok()?, told.expose()).ok())
}

/// Adds what is new; whether anything was.
fn add(into: &mut Vec<ToldIdentifier>, told: impl Iterator<Item = ToldIdentifier>) -> bool {
    let before = into.len();
    for one in told {
        if !into.contains(&one) {
            into.push(one);
        }
    }
    into.len() > before
}

/// Takes what is a customer's out of what a contract has when it goes to another one: its IP addresses.
pub(crate) fn leaves(of_contract: &mut Vec<ToldIdentifier>) -> Vec<ToldIdentifier> {
    let (leaves, stays) = of_contract.drain(..).partition(|told| told.kind() == Kind::Ip.word());
    *of_contract = stays;
    leaves
}

/// Gives what left to the customer that had the contract.
pub(crate) fn stay_with(of_customer: &mut CustomerIdentity, left: Vec<ToldIdentifier>) -> Result<(), CoreError> {
    add(&mut of_customer.identifiers, left.into_iter());
    if of_customer.identifiers.len() > MAX_TOLD { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> CoreError {
    CoreError::Precondition(format!("at most {MAX_TOLD} identifiers are told of a customer and one contract together"))
}

impl Core {
    /// Records what names a contract and its customer. What is on record already changes nothing.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Invalid`] for a customer number or a service id, which are told as such;
    /// [`CoreError::Precondition`] where the contract is another customer's, or where they would be more than [`MAX_TOLD`].
    pub async fn record_identifiers(&self, told: &ToldOf) -> Result<Contract, CoreError> {
        // As with addresses: a move takes some of them along.
        let _alone = self.recording.lock().await;
        until_committed!(self.try_tell(told))
    }

    async fn try_tell(&self, told: &ToldOf) -> Result<Contract, CoreError> {
        let as_such = |one: &Identifier| matches!(one.kind(), Kind::CustomerNumber | Kind::Service);
        if told.identifiers.iter().any(as_such) {
            return Err(CoreError::Invalid("identifiers: a customer number and a service id are told as such".into()));
        }
        let (_, contract) = self.find_contract(&told.service).await?;
        let customer = self.find_customer(&told.customer).await?.map(|(_, customer)| customer);
        let customer = customer
            .filter(|customer| customer.id == contract.customer)
            .ok_or_else(|| CoreError::Precondition("customer: the contract is another customer's".into()))?;
        let (of_customer, of_contract) = (What::Customer(customer.id), What::Contract(contract.id));
        let entries = [keys::sealed(&customer.subject, of_customer), keys::sealed(&contract.subject, of_contract)];
        let mut txn = Txn::new();
        for at in entries {
            txn = txn.expect_as_read(&at, self.store.get(&at).await?.as_ref());
        }
        let mut whose: CustomerIdentity = self.open(&customer.subject, of_customer).await?;
        let mut identity: ContractIdentity = self.open(&contract.subject, of_contract).await?;
        let (theirs, its): (Vec<_>, Vec<_>) = told.identifiers.iter().partition(|one| is_customers(one.kind()));
        let customers_news = add(&mut whose.identifiers, theirs.into_iter().map(sealed));
        let contracts_news = add(&mut identity.identifiers, its.into_iter().map(sealed));
        if whose.identifiers.len() + identity.identifiers.len() > MAX_TOLD {
            return Err(too_many());
        }
        if customers_news {
            txn = self.seal_again(txn, &customer.subject, of_customer, &whose).await?;
        }
        if contracts_news {
            txn = self.seal_again(txn, &contract.subject, of_contract, &identity).await?;
        }
        if customers_news || contracts_news {
            self.store.commit(txn).await?;
        }
        Ok(contract)
    }

    /// The same along with a sale: a late copy of one, of a contract that is another customer's by now, tells nothing.
    ///
    /// # Errors
    /// As [`Core::record_identifiers`].
    pub async fn record_identifiers_of_sale(&self, told: &ToldOf) -> Result<(), CoreError> {
        let (_, contract) = self.find_contract(&told.service).await?;
        let customer = self.find_customer(&told.customer).await?;
        if customer.is_none_or(|(_, customer)| customer.id != contract.customer) {
            return Ok(());
        }
        self.record_identifiers(told).await.map(drop)
    }
}
