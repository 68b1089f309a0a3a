//! The list of contracts that ended and that nobody settles (`webone/unsettled`): made by the leader's pass when the policy says
//! that one is due, kept until the next, and read without those who settled or resumed since. References and dates only
//! (decision 12), in pages (I10). Owns no date: which day's list is due, and who is on it, is the policy's.

use gallra_model::contract::{Contract, ContractState, Customer};
use gallra_model::time::day_of;
use gallra_model::{ContractId, Day, Instant, RequestId};
use gallra_policy::{CalendarError, Policy};
use gallra_store::{Entry, KeyRange, Txn, keys};

use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};

/// Contracts on one page of the list, and read at once.
const PAGE: usize = 500;

/// Pages of an older list that are removed in one transaction.
const REMOVED_AT_ONCE: usize = 100;

/// The newest list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Whose it is.
    pub day: Day,
    /// When it was made.
    pub made: Instant,
    /// How many were on it.
    pub count: u64,
    /// On so many pages.
    pub pages: u32,
}

/// One contract on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsettled {
    /// The contract.
    pub contract: ContractId,
    /// The request that its end opened; of the time before a move, the one for the earlier customer's end.
    pub request: RequestId,
    /// Its last day.
    pub ended: Day,
    /// The day from which it is listed.
    pub since: Day,
}

/// A page of the newest list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The list; none was made yet, or the policy asks for none.
    pub list: Option<List>,
    /// Those of the page who have neither settled nor resumed since.
    pub contracts: Vec<Unsettled>,
    /// The next page's number.
    pub more: Option<u32>,
}

fn out_of_range(error: CalendarError) -> CoreError {
    CoreError::Precondition(error.to_string())
}

impl Core {
    /// Makes the list that is due now, if one is. Returns whether it did.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_unsettled(&self) -> Result<bool, CoreError> {
        let policy = self.policy().await?;
        let (entry, newest) = self.newest_list().await?;
        let due = policy.unsettled_list(self.time.now(), newest.map(|list| list.day)).map_err(out_of_range)?;
        let Some(day) = due else { return Ok(false) };
        self.remove_lists(newest.as_ref()).await?;
        let (count, pages) = self.write_pages(&policy, day).await?;
        let list = List { day, made: self.time.now(), count, pages };
        // Last, and only if nobody else made one: pages without it are nobody's, and the next list removes them.
        let key = keys::meta_unsettled();
        self.store.commit(Txn::new().expect_as_read(&key, entry.as_ref()).put(key, encode(&list)?)).await?;
        tracing::info!(%day, count, "contracts that ended and are not settled were listed for a decision");
        Ok(true)
    }

    async fn newest_list(&self) -> Result<(Option<Entry>, Option<List>), CoreError> {
        let entry = self.store.get(&keys::meta_unsettled()).await?;
        let list = entry.as_ref().map(|entry| decode("list of unsettled contracts", &entry.value)).transpose()?;
        Ok((entry, list))
    }

    /// Removes the pages of every list but the newest.
    async fn remove_lists(&self, newest: Option<&List>) -> Result<(), CoreError> {
        let kept = newest.map(|list| keys::unsettled_of(list.day));
        let mut range = Some(keys::unsettled().range());
        while let Some(next) = range {
            let page = self.store.range(&next, REMOVED_AT_ONCE).await?;
            let old = page.entries.iter().filter(|entry| kept.as_ref().is_none_or(|kept| !kept.covers(&entry.key)));
            let txn = old.fold(Txn::new(), |txn, entry| txn.delete(entry.key.clone()));
            if !txn.writes().is_empty() {
                self.store.commit(txn).await?;
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        Ok(())
    }

    /// Writes a day's list, page by page, while all contracts are read once. Returns how many are on it, and its pages.
    async fn write_pages(&self, policy: &Policy, day: Day) -> Result<(u64, u32), CoreError> {
        let (mut full, mut count, mut pages) = (Vec::new(), 0, 0);
        let mut range: Option<KeyRange> = Some(keys::contracts().range());
        while let Some(next) = range {
            let page = self.store.range(&next, PAGE).await?;
            for entry in &page.entries {
                let contract: Contract = decode("contract", &entry.value)?;
                let request = self.unsettled_request(&contract).await?;
                full.extend(unsettled(policy, &contract, request, day)?);
            }
            range = page.more.map(|more| next.starting_at(&more));
            while full.len() >= PAGE || (range.is_none() && !full.is_empty()) {
                let on_page: Vec<Unsettled> = full.drain(..full.len().min(PAGE)).collect();
                count += on_page.len() as u64;
                self.store.commit(Txn::new().put(keys::unsettled_page(day, pages), encode(&on_page)?)).await?;
                pages += 1;
            }
        }
        Ok((count, pages))
    }

    /// The request that waits for a contract's settlement. The time before a move has none of its own: the earlier customer's
    /// end, once that is known, and nobody is told of it by any other means.
    async fn unsettled_request(&self, contract: &Contract) -> Result<Option<RequestId>, CoreError> {
        if contract.went.is_none() || !waits(contract) {
            return Ok(contract.request);
        }
        let entry = self.store.get(&keys::customer(&contract.customer)).await?;
        let customer: Customer = decode("customer", &entry.ok_or(CoreError::NotFound("customer"))?.value)?;
        Ok(customer.ending)
    }

    /// A page of the newest list, from 0 on, without those who settled or resumed since.
    ///
    /// # Errors
    /// The store's.
    pub async fn show_unsettled(&self, page: u32) -> Result<Shown, CoreError> {
        let list = self.newest_list().await?.1;
        let nothing = Shown { list, contracts: Vec::new(), more: None };
        let Some(list) = list else { return Ok(nothing) };
        if self.policy().await?.unsettled_every().is_none() {
            return Ok(Shown { list: None, ..nothing });
        }
        if page >= list.pages {
            return Ok(nothing);
        }
        let entry = self.store.get(&keys::unsettled_page(list.day, page)).await?;
        let entry = entry.ok_or(CoreError::NotFound("page of the list"))?;
        let contracts: Vec<Unsettled> = decode("list of unsettled contracts", &entry.value)?;
        let mut left = Vec::with_capacity(contracts.len());
        for one in contracts {
            let now = self.store.get(&keys::contract(&one.contract)).await?;
            let now: Option<Contract> = now.map(|entry| decode("contract", &entry.value)).transpose()?;
            if now.is_some_and(|now| waits(&now) && (now.went.is_some() || now.request == Some(one.request))) {
                left.push(one);
            }
        }
        let more = page.checked_add(1).filter(|next| *next < list.pages);
        Ok(Shown { contracts: left, more, ..nothing })
    }

    /// How many days hosted data has been kept for a contract that ended on a day.
    pub fn waited_days(&self, ended: Day) -> u64 {
        let today = day_of(self.time.now());
        u64::try_from(today.duration_since(ended).as_hours() / 24).unwrap_or(0)
    }

    /// As [`Core::list_unsettled`], within the bound on tries.
    pub(crate) async fn list_unsettled_if_due(&self) -> Result<usize, CoreError> {
        until_committed!(self.list_unsettled()).map(usize::from)
    }
}

fn waits(contract: &Contract) -> bool {
    contract.state == ContractState::Ended
}

/// What the list of a day says of a contract, if it is on it.
fn unsettled(
    policy: &Policy,
    contract: &Contract,
    request: Option<RequestId>,
    day: Day,
) -> Result<Option<Unsettled>, CoreError> {
    let (Some(ended), Some(request), true) = (contract.ended, request, waits(contract)) else {
        return Ok(None);
    };
    let since = policy.unsettled_from(ended).map_err(out_of_range)?;
    let on_it = |since: &Day| *since <= day;
    Ok(since.filter(on_it).map(|since| Unsettled { contract: contract.id, request, ended, since }))
}
