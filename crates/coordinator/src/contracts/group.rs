//! One customer, under however many numbers: what has to be known of all of them before anything is concluded from "the last
//! contract" ([decision record 0023]). Whoever concludes anything writes the head's record in the same transaction, so that of
//! two events under any two of the numbers one sees the other (I8). Refuses to know words, plans and guards.
//!
//! [decision record 0023]: ../../../../docs/decisions/0023-two-numbers-one-customer.md

use gallra_model::contract::{Contract, ContractState, Customer, MAX_CONTRACTS, MAX_NUMBERS};
use gallra_model::plan::Anchors;
use gallra_model::{ContractId, CustomerId, Day, RequestId};
use gallra_store::{Entry, Txn, keys};

use super::{only, take_back_end};
use crate::core::{Core, merge};
use crate::error::{CoreError, decode, encode};
use crate::state;

/// One of the numbers, as it was read.
pub(crate) struct Number {
    entry: Entry,
    pub(crate) customer: Customer,
    /// In the order of the record.
    pub(crate) contracts: Vec<Contract>,
    /// Whether what names it is there: nothing is opened for, or taken back from, a number that is forgotten.
    pub(crate) known: bool,
}

impl Number {
    /// The request that carries its end, where somebody is left whose end it is.
    pub(crate) fn ending(&self) -> Option<RequestId> {
        self.customer.ending.filter(|_| self.known)
    }

    /// The contract that a request about the customer alone names, for look-up: the one that ended last.
    fn newest(&self) -> Result<&Contract, CoreError> {
        self.contracts.iter().max_by_key(|contract| contract.ended).ok_or(CoreError::NotFound("contract"))
    }
}

/// All numbers of one customer, the head first.
pub(crate) struct Group {
    numbers: Vec<Number>,
}

impl Group {
    pub(crate) fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    pub(crate) fn numbers_mut(&mut self) -> &mut [Number] {
        &mut self.numbers
    }

    /// One of its numbers.
    ///
    /// # Errors
    /// [`CoreError::NotFound`].
    pub(crate) fn number(&self, id: &CustomerId) -> Result<&Number, CoreError> {
        self.numbers.iter().find(|number| number.customer.id == *id).ok_or(CoreError::NotFound("customer"))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// [`CoreError::NotFound`].
    pub(crate) fn number_mut(&mut self, id: &CustomerId) -> Result<&mut Number, CoreError> {
        self.numbers.iter_mut().find(|number| number.customer.id == *id).ok_or(CoreError::NotFound("customer"))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = CustomerId> {
        self.numbers.iter().map(|number| number.customer.id)
    }

    pub(crate) fn has(&self, id: &CustomerId) -> bool {
        self.number(id).is_ok()
    }

    /// The contracts of all its numbers.
    pub(crate) fn contracts(&self) -> impl Iterator<Item = &Contract> + Clone {
        self.numbers.iter().flat_map(|number| &number.contracts)
    }

    /// All of them but one.
    pub(crate) fn siblings(&self, of: &ContractId) -> impl Iterator<Item = &Contract> + Clone {
        self.contracts().filter(move |contract| contract.id != *of)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.contracts().any(|contract| contract.state == ContractState::Active)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.contracts().all(|contract| contract.state == ContractState::Settled)
    }

    /// The customer's last day and settlement, where all has ended.
    pub(crate) fn days(&self) -> (Option<Day>, Option<Day>) {
        customers_days(self.contracts())
    }

    /// Has a contract stand as it will, for what is concluded from all.
    pub(crate) fn put(&mut self, contract: &Contract) {
        let all = self.numbers.iter_mut().flat_map(|number| &mut number.contracts);
        for one in all.filter(|one| one.id == contract.id) {
            one.clone_from(contract);
        }
    }

    /// Has the time before a move stand in the place of the contract that goes on.
    ///
    /// # Errors
    /// [`CoreError::NotFound`].
    pub(crate) fn leave(&mut self, contract: &ContractId, part: &Contract) -> Result<(), CoreError> {
        let number = self.number_mut(&part.customer)?;
        number.customer.contracts.iter_mut().filter(|id| **id == *contract).for_each(|id| *id = part.id);
        number.contracts.iter_mut().filter(|one| one.id == *contract).for_each(|one| one.clone_from(part));
        Ok(())
    }

    /// Adds a contract to one of the numbers.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where the customer has too many.
    pub(crate) fn add(&mut self, to: &CustomerId, contract: ContractId) -> Result<(), CoreError> {
        if self.contracts().count() >= MAX_CONTRACTS {
            return Err(too_many_contracts());
        }
        self.number_mut(to)?.customer.contracts.push(contract);
        Ok(())
    }

    /// Takes another group in: its numbers are this one's from now on, whatever they were merged into before.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where it would be too large.
    pub(crate) fn take_in(&mut self, other: Self) -> Result<(), CoreError> {
        if self.numbers.len() + other.numbers.len() > MAX_NUMBERS {
            return Err(CoreError::Precondition(format!(
                "at most {MAX_NUMBERS} numbers are one customer: move the contracts of those that can be spared \
                 (`gallra contract move`) before they are merged"
            )));
        }
        if self.contracts().count() + other.contracts().count() > MAX_CONTRACTS {
            return Err(too_many_contracts());
        }
        let head = self.numbers.first().ok_or(CoreError::NotFound("customer"))?.customer.id;
        for mut number in other.numbers {
            number.customer.merged_into = Some(head);
            number.customer.merged = Vec::new();
            self.number_mut(&head)?.customer.merged.push(number.customer.id);
            self.numbers.push(number);
        }
        Ok(())
    }

    /// Writes what changed of the numbers' records, and the head's in any case; the others are to be as they were read.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn write(&self, mut txn: Txn) -> Result<Txn, CoreError> {
        for (at, number) in self.numbers.iter().enumerate() {
            let (entry, value) = (&number.entry, encode(&number.customer)?);
            let is_written = at == 0 || value != entry.value;
            txn = if is_written { txn.replace(entry, value) } else { txn.expect_as_read(&entry.key, Some(entry)) };
        }
        Ok(txn)
    }
}

/// Last day and settlement of a customer whose contracts all ended: the latest of theirs.
pub(crate) fn customers_days<'c>(contracts: impl Iterator<Item = &'c Contract> + Clone) -> (Option<Day>, Option<Day>) {
    let all = contracts.clone().all(|contract| contract.state == ContractState::Settled);
    let settled = contracts.clone().filter_map(|contract| contract.settled).max();
    (contracts.filter_map(|contract| contract.ended).max(), settled.filter(|_| all))
}

fn too_many_contracts() -> CoreError {
    CoreError::Precondition(format!("a customer has at most {MAX_CONTRACTS} contracts"))
}

impl Core {
    /// All numbers of a customer, and their contracts. Read the records first: whatever changes after that makes the
    /// transaction fail that [`Group::write`] is in.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn group_of(&self, id: &CustomerId) -> Result<Group, CoreError> {
        let mut head = self.record_of(id).await?;
        while let Some(into) = head.1.merged_into {
            head = self.record_of(&into).await?;
        }
        let mut records = vec![head];
        for other in records.first().map(|(_, head)| head.merged.clone()).unwrap_or_default() {
            records.push(self.record_of(&other).await?);
        }
        let mut numbers = Vec::with_capacity(records.len());
        for (entry, customer) in records {
            let known = self.keyring.find_subject(&*self.store, &customer.subject).await?.is_some();
            let mut contracts = Vec::with_capacity(customer.contracts.len());
            for id in &customer.contracts {
                let entry = self.store.get(&keys::contract(id)).await?.ok_or(CoreError::NotFound("contract"))?;
                contracts.push(decode("contract", &entry.value)?);
            }
            numbers.push(Number { entry, customer, contracts, known });
        }
        Ok(Group { numbers })
    }

    async fn record_of(&self, id: &CustomerId) -> Result<(Entry, Customer), CoreError> {
        let entry = self.store.get(&keys::customer(id)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer = decode("customer", &entry.value)?;
        Ok((entry, customer))
    }

    /// Opens the customer's end under every number that has no request for it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn open_ends(&self, mut txn: Txn, group: &mut Group) -> Result<Txn, CoreError> {
        let (customer_ended, customer_settled) = group.days();
        let anchors = Anchors { customer_ended, customer_settled, ..Anchors::default() };
        for number in group.numbers.iter_mut().filter(|number| number.known && number.customer.ending.is_none()) {
            let ending = self.new_request(number.newest()?, &number.customer, anchors)?;
            number.customer.ending = Some(ending.id);
            txn = state::create(txn, &only(ending))?;
        }
        Ok(txn)
    }

    /// Takes the customer's end back under every number, as long as nothing of any has begun: somebody who was leaving stays.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where something has, or the store's.
    pub(crate) async fn take_back_ends(&self, mut txn: Txn, group: &mut Group) -> Result<Txn, CoreError> {
        for number in &mut group.numbers {
            let Some(ending) = number.ending() else { continue };
            let loaded = state::load(&*self.store, &ending).await?;
            let next = take_back_end(&loaded.view, self.time.now())?;
            txn = merge(txn, state::save(&*self.store, &loaded, &next).await?);
            txn = self.drop_customers_backing(txn, &number.customer, &ending);
            number.customer.ending = None;
        }
        Ok(txn)
    }
}
