//! Merges: two numbers turn out to be one customer. Contracts, identifiers, keys and instructions stay under the number that
//! they have, since data on targets is stored by it; what is concluded from all contracts, and what a hold covers, is one
//! customer's from then on ([decision record 0023]). It makes nothing sooner, and never comes apart again (I1).
//!
//! [decision record 0023]: ../../../../docs/decisions/0023-two-numbers-one-customer.md

use std::collections::BTreeSet;

use gallra_flow::cancel::has_begun;
use gallra_model::contract::{Contract, ContractState, Customer, MergedBy};
use gallra_model::plan::Anchors;
use gallra_model::selector::ExternalId;
use gallra_model::{ContractId, CustomerId, HoldId, RequestId};
use gallra_store::{Key, StoreError, Txn, keys};

use super::group::Group;
use super::take_back_end;
use super::told::of_the_customer;
use crate::core::{Core, merge, until_committed};
use crate::error::CoreError;
use crate::{guards, holds, state};

/// Holds whose requests are looked at by the leader at once, since they cover more than before. What a further one covers is
/// stopped as well, and planned anew within a day.
const LOOKED_AT: usize = 16;

/// A merge, as it is told.
pub struct Merge {
    /// The number that turned out to be somebody known.
    pub customer: ExternalId,
    /// The number of that one.
    pub into: ExternalId,
    /// Only say what it would come to.
    pub dry_run: bool,
    /// Who says so: the name in the caller's certificate.
    pub by: String,
}

/// What came of it.
pub struct Merged {
    /// All numbers of the one customer by reference, the head first.
    pub numbers: Vec<CustomerId>,
    /// Whether they were one before.
    pub again: bool,
    /// The requests whose customer's end becomes later, or is taken back.
    pub later: Vec<Later>,
}

/// One number's end that is not what it was.
pub struct Later {
    /// Whose.
    pub customer: CustomerId,
    /// The request that carried it.
    pub before: RequestId,
    /// The request that carries it now; none where the customer has not ended after all.
    pub request: Option<RequestId>,
    /// The customer's dates before.
    pub was: Anchors,
    /// And now.
    pub is: Anchors,
}

/// A customer number as it is shown.
pub struct Shown {
    /// Its record.
    pub customer: Customer,
    /// All numbers of the one customer, the head first.
    pub numbers: Vec<CustomerId>,
    /// Active contracts under this number.
    pub active: usize,
    /// Active contracts under all.
    pub active_of_all: usize,
}

impl Core {
    /// Shows a customer by number.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn show_customer(&self, number: &ExternalId) -> Result<Shown, CoreError> {
        let (_, customer) = self.find_customer(number).await?.ok_or(CoreError::NotFound("customer"))?;
        let group = self.group_of(&customer.id).await?;
        let active = |contract: &&Contract| contract.state == ContractState::Active;
        let active_of_all = group.contracts().filter(active).count();
        let active = group.number(&customer.id)?.contracts.iter().filter(active).count();
        Ok(Shown { numbers: group.ids().collect(), active, active_of_all, customer })
    }

    /// Takes a merge. Two that are one already stay so.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for one number twice; [`CoreError::NotFound`]; [`CoreError::Precondition`] where either
    /// customer's own data is being erased, where nothing was sold under the number into which, or where they would be too many.
    pub async fn merge_customers(&self, told: &Merge) -> Result<Merged, CoreError> {
        let merged = until_committed!(self.try_merge(told))?;
        if !merged.again && !told.dry_run {
            gallra_crash::point("before_ack");
            self.wake.notify_one();
            let (head, numbers) = (merged.numbers.first(), merged.numbers.len());
            tracing::info!(?head, numbers, by = told.by, "two customers turned out to be one");
        }
        Ok(merged)
    }

    async fn try_merge(&self, told: &Merge) -> Result<Merged, CoreError> {
        if told.customer == told.into {
            return Err(CoreError::Invalid("into: the same number".into()));
        }
        let (_, old) = self.find_customer(&told.customer).await?.ok_or(CoreError::NotFound("customer"))?;
        let (_, new) = self.find_customer(&told.into).await?.ok_or_else(|| {
            CoreError::Precondition("into: nothing was sold under that number, or all of it is erased".into())
        })?;
        let mut group = self.group_of(&new.id).await?;
        if group.has(&old.id) {
            return Ok(Merged { numbers: group.ids().collect(), again: true, later: Vec::new() });
        }
        let other = self.group_of(&old.id).await?;
        // Merged by somebody else between the two readings.
        if let Some(both) = other.ids().find(|id| group.has(id)) {
            return Err(StoreError::Conflict { key: keys::customer(&both) }.into());
        }
        let was_head = other.ids().next();
        group.take_in(other)?;
        if let Some(was_head) = was_head {
            let by = MergedBy { by: told.by.clone(), at: self.time.now() };
            group.number_mut(&was_head)?.customer.merged_by = Some(by);
        }
        let (txn, later) = self.one_end(&mut group).await?;
        let txn = self.one_guard(group.write(txn)?, &group).await?;
        if !told.dry_run {
            self.store.commit(txn).await?;
        }
        Ok(Merged { numbers: group.ids().collect(), again: false, later })
    }

    /// Takes the ends of the two back where one of them has an active contract; else has them be one end, the later.
    async fn one_end(&self, group: &mut Group) -> Result<(Txn, Vec<Later>), CoreError> {
        let (active, (customer_ended, customer_settled)) = (group.is_active(), group.days());
        let is = if active {
            Anchors::default()
        } else {
            Anchors { customer_ended, customer_settled, ..Anchors::default() }
        };
        let (mut txn, mut later) = (Txn::new(), Vec::new());
        let ends: Vec<_> = group.numbers().iter().filter_map(|of| Some((of.customer.id, of.ending()?))).collect();
        for (id, ending) in ends {
            let loaded = state::load(&*self.store, &ending).await?;
            if has_begun(&loaded.view) {
                return Err(begun());
            }
            let of_contract = loaded.view.request.anchors.contract_ended.is_some();
            let contract = loaded.view.request.about.parties().map(|parties| parties.contract);
            let waits = group.contracts().any(|one| Some(one.id) != contract && one.state != ContractState::Settled);
            let was = of_the_customer(&loaded.view.request.anchors);
            if was == is && !(of_contract && waits) {
                continue;
            }
            // A contract's own end waits for no other contract: the customer's goes on by itself.
            let apart = active || of_contract;
            if apart {
                txn = self.must_lie_free(txn, &ending, contract).await?;
            }
            let mut next = if apart { take_back_end(&loaded.view, self.time.now())? } else { loaded.view.clone() };
            if !apart {
                (next.request.anchors.customer_ended, next.request.anchors.customer_settled) =
                    (is.customer_ended, is.customer_settled);
                next.request.wake = Some(self.time.now());
            }
            let number = group.number_mut(&id)?;
            // What was signed was signed for another last day.
            if apart || was.customer_ended != is.customer_ended {
                next.request.approvals.customer = None;
                txn = self.drop_customers_backing(txn, &number.customer, &ending);
            }
            if apart {
                number.customer.ending = None;
            }
            txn = merge(txn, state::save(&*self.store, &loaded, &next).await?);
            later.push(Later { customer: id, before: ending, request: None, was, is });
        }
        if !active {
            txn = self.open_ends(txn, group)?;
        }
        for one in &mut later {
            one.request = group.number(&one.customer)?.customer.ending;
        }
        Ok((txn, later))
    }

    /// Refuses to set the customer's end apart from a request under a hold on it or on its contract: what goes on by itself would not
    /// be covered any more. Raises those guards, so that a hold that comes meanwhile makes the merge look again.
    async fn must_lie_free(
        &self,
        mut txn: Txn,
        ending: &RequestId,
        contract: Option<ContractId>,
    ) -> Result<Txn, CoreError> {
        let guards = [Some(keys::guard_request(ending)), contract.map(|contract| keys::guard_contract(&contract))];
        for at in guards.into_iter().flatten() {
            txn = guards::change(
                &*self.store,
                txn,
                at,
                |guard| {
                    if guard.holds.is_empty() { Ok(()) } else { Err(held()) }
                },
            )
            .await?;
        }
        Ok(txn)
    }

    /// Has each number's guard name the others, so that from now on every permit reads all of them; raises them all.
    async fn one_guard(&self, mut txn: Txn, group: &Group) -> Result<Txn, CoreError> {
        let all: BTreeSet<CustomerId> = group.ids().collect();
        let mut holds: BTreeSet<HoldId> = BTreeSet::new();
        for id in &all {
            let at: Key = keys::guard_customer(id);
            let others = all.iter().filter(|other| *other != id).copied().collect();
            txn = guards::change(&*self.store, txn, at, |guard| {
                holds.extend(&guard.holds);
                guard.with = others;
                Ok(())
            })
            .await?;
        }
        // What lies on one of them covers more than before: whoever leaves somebody's lines, or is about to say that all is
        // gone, looks anew.
        if !holds.is_empty() {
            txn = guards::tell_of_holds(txn)?;
        }
        for hold in holds.iter().take(LOOKED_AT) {
            txn = holds::look_again(txn, hold)?;
        }
        Ok(txn)
    }
}

fn held() -> CoreError {
    CoreError::Precondition(
        "a hold lies on the request for one customer's end, or on its contract: the merge would take that customer's own data out \
         of it; place the hold on the customer instead, have the other released, and tell the merge again"
            .into(),
    )
}

fn begun() -> CoreError {
    CoreError::Precondition(
        "the data of one of the two customers is being erased, and what is gone is not brought back: tell the merge again when \
         its request is done, if both numbers are known then"
            .into(),
    )
}
