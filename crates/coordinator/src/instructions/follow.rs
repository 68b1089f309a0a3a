//! What time makes of instructions: one whose first day comes holds from then on. A page of customers at a time, once a day
//! and after a start (I10).

use std::sync::PoisonError;

use gallra_model::CustomerId;
use gallra_model::hold::Instructed;
use gallra_model::target::Category;
use gallra_model::time::day_of;
use gallra_policy::Policy;
use gallra_policy::instruction::{Turn, record_turn};
use gallra_store::keys;

use super::{StoredInstruction, with_all};
use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode};
use crate::policies::is_over;
use crate::state;

impl Core {
    /// Lets instructions hold whose first day has come. Returns of how many customers.
    ///
    /// # Errors
    /// The store's; one customer's trouble is logged, and permits nothing until it is looked at again.
    pub async fn follow_instructions(&self) -> Result<usize, CoreError> {
        let today = day_of(self.time.now());
        let counted = || self.instructed.lock().unwrap_or_else(PoisonError::into_inner);
        if *counted() == Some(today) {
            return Ok(0);
        }
        let (mut changed, mut failed) = (0, false);
        let mut range = Some(keys::all_instructed().range());
        while let Some(next) = range {
            let page = self.store.range(&next, state::page_size()).await?;
            for entry in &page.entries {
                let holds: Instructed = decode("instructions that hold", &entry.value)?;
                let Some(customer) = keys::parse_instructed(&entry.key) else { continue };
                if !is_over(&holds, today) {
                    continue;
                }
                match self.count_instructions_anew(&customer).await {
                    Ok(()) => self.replan_customer(&customer).await,
                    Err(error) => {
                        failed = true;
                        tracing::error!(%customer, %error, "a customer's instructions could not be looked at");
                    }
                }
                changed += 1;
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        if !failed {
            *counted() = Some(today);
        }
        Ok(changed)
    }

    /// Says in the customer's guard which of its instructions hold today.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn count_instructions_anew(&self, customer: &CustomerId) -> Result<(), CoreError> {
        until_committed!(self.try_count_anew(customer))
    }

    async fn try_count_anew(&self, customer: &CustomerId) -> Result<(), CoreError> {
        let known = self.known_instructions(customer).await?;
        self.store.commit(self.keep_instructions(&known, &known.all).await?).await?;
        Ok(())
    }

    /// Customers whose instructions let records of a category leave by their age otherwise than a policy does: a purge leaves
    /// their items. So it does while one of theirs waits for an approver, whatever its day.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn instructed_otherwise(
        &self,
        policy: &std::sync::Arc<Policy>,
        category: &Category,
    ) -> Result<Vec<CustomerId>, CoreError> {
        let today = day_of(self.time.now());
        let (mut found, mut range) = (Vec::new(), Some(keys::all_instructed().range()));
        while let Some(next) = range {
            let page = self.store.range(&next, state::page_size()).await?;
            for customer in page.entries.iter().filter_map(|entry| keys::parse_instructed(&entry.key)) {
                let known = self.known_instructions(&customer).await?;
                let bears = |one: &&StoredInstruction| one.holds_on(today) || one.waits_for_review();
                let otherwise = match with_all(policy, known.all.iter().filter(bears)) {
                    Ok(carried) => differs(policy, &carried.policy, category),
                    // Nobody can say what holds.
                    Err(CoreError::Precondition(_)) => true,
                    Err(error) => return Err(error),
                };
                if otherwise {
                    found.push(customer);
                }
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        Ok(found)
    }
}

fn differs(standard: &Policy, instructed: &Policy, category: &Category) -> bool {
    let replaced = instructed.instructions().iter().flat_map(|applied| &applied.replaced);
    replaced
        .filter(|deviation| deviation.category == *category)
        .any(|deviation| record_turn(standard, instructed, &deviation.rule) != Turn::Same)
}
