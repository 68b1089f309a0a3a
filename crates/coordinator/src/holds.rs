//! Holds: a stop on erasure at one of six levels, until somebody else releases it (decision 14). A hold's record and its
//! place on the guard are one transaction with the guard's bump, so a permit sees it or loses to it (I1). Nothing else
//! remembers that a hold lies somewhere: whoever asks reads the guards. Holds carry references, never an identifier.

mod expire;
mod follow;
mod review;

use gallra_model::contract::{Contract, Customer};
use gallra_model::hold::{Hold, Level, MAX_HOLDS_AT_ONE_LEVEL, Release};
use gallra_model::request::{JobRecord, JobState, Request};
use gallra_model::time::day_of;
use gallra_model::{ContractId, CustomerId, Day, HoldId, RequestId};
use gallra_store::{Entry, KeyPrefix, Txn, keys};

use crate::core::{Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::{guards, state};

pub(crate) use follow::note as look_again;

/// Longest ground or reason, in characters.
pub const MAX_WORDS: usize = 500;

/// Why a hold is placed, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Why<'a> {
    /// The ground in words; names nobody.
    pub ground: &'a str,
    /// The same as a word that the policy in force lists.
    pub on: Option<&'a str>,
    /// Last local day on which it lies by itself.
    pub until: Option<Day>,
}

impl<'a> From<&'a str> for Why<'a> {
    /// Words alone: it lies until somebody releases it.
    fn from(ground: &'a str) -> Self {
        Self { ground, on: None, until: None }
    }
}

/// A hold as it was placed.
pub struct Placed {
    /// The hold.
    pub hold: Hold,
    /// Jobs that it covers, that change data, and that had their permit before: they stop at their next item, and what they
    /// have done by then is done.
    pub begun: usize,
}

impl Core {
    /// Places a hold. From when this returns no permit is given for what it covers.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for the ground or the last day, [`CoreError::NotFound`] where there is nothing at this level,
    /// [`CoreError::Precondition`] where too many holds lie there.
    pub async fn place_hold(
        &self,
        level: Level,
        why: impl Into<Why<'_>>,
        review: Option<Day>,
        by: &str,
    ) -> Result<Placed, CoreError> {
        let why: Why<'_> = why.into();
        words("ground", why.ground)?;
        let now = self.time.now();
        if why.until.is_some_and(|until| until <= day_of(now)) {
            return Err(CoreError::Invalid("until: the last day of a hold lies in the future".into()));
        }
        if let Some(word) = why.on {
            self.must_be_a_ground(word).await?;
        }
        self.must_exist(&level).await?;
        let hold = Hold {
            id: HoldId::at(now, random()?),
            level,
            ground: why.ground.trim().to_owned(),
            on: why.on.map(str::to_owned),
            placed_by: by.to_owned(),
            placed: now,
            review,
            expires: why.until,
            reviews: Vec::new(),
            earlier_reviews: 0,
            released: None,
        };
        until_committed!(self.try_place(&hold))?;
        // Read after the commit: a permit that was given before it is seen here, and after it none is given.
        let begun = self.begun_under(&hold.level).await?;
        self.wake.notify_one();
        tracing::info!(hold = %hold.id, by, begun, "a hold was placed");
        Ok(Placed { hold, begun })
    }

    async fn try_place(&self, hold: &Hold) -> Result<(), CoreError> {
        // Whatever its value, a final proof that was made without this hold expects the version that it replaces.
        let txn = Txn::new().create(keys::hold(&hold.id), encode(hold)?).put(keys::guard_any_hold(), encode(&hold.id)?);
        let txn = match expire::key_of(hold)? {
            Some(expiry) => txn.put(expiry, Vec::new()),
            None => txn,
        };
        let txn = follow::note(txn, &hold.id)?;
        let txn = guards::change(&*self.store, txn, guards::key_of(&hold.level), |guard| {
            if guard.holds.len() >= MAX_HOLDS_AT_ONE_LEVEL {
                let text = format!("at most {MAX_HOLDS_AT_ONE_LEVEL} holds lie at one level: release one first");
                return Err(CoreError::Precondition(text));
            }
            guard.holds.insert(hold.id);
            Ok(())
        })
        .await?;
        self.store.commit(txn).await?;
        Ok(())
    }

    /// A word that nobody's rules know as a ground would say of a hold what is not so.
    async fn must_be_a_ground(&self, word: &str) -> Result<(), CoreError> {
        let policy = self.policy().await?;
        let mut known: Vec<String> = policy.hold_grounds().map(|(_, ground)| ground.to_string()).collect();
        known.sort_unstable();
        known.dedup();
        if known.iter().any(|ground| ground == word) {
            return Ok(());
        }
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(CoreError::Invalid(format!("on: no ground of holds in the policy in force, which lists: {known}")))
    }

    /// Releases a hold. Who placed it may not. What waited for it goes on: jobs by the streams' watches, a final proof here,
    /// plans by the leader.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`] for the reason, [`CoreError::Precondition`] for the person.
    pub async fn release_hold(&self, id: &HoldId, reason: &str, by: &str) -> Result<Hold, CoreError> {
        words("reason", reason)?;
        let (hold, now) = until_committed!(self.try_release(id, reason.trim(), by))?;
        if now {
            tracing::info!(hold = %hold.id, by, "a hold was released");
            if !follow::concerns_many(&hold.level) {
                for request in self.requests_of(&hold.level).await? {
                    self.consider_again(&request).await;
                }
            }
            self.wake.notify_one();
        }
        Ok(hold)
    }

    /// The hold, and whether it was this call that released it.
    async fn try_release(&self, id: &HoldId, reason: &str, by: &str) -> Result<(Hold, bool), CoreError> {
        let (entry, hold) = self.hold(id).await?;
        if hold.released.is_some() {
            return Ok((hold, false));
        }
        if hold.placed_by == by {
            return Err(CoreError::Precondition("who placed a hold does not release it: ask another approver".into()));
        }
        let release = Release { by: by.to_owned(), at: self.time.now(), reason: reason.to_owned() };
        Ok((self.end_hold(&entry, hold, release).await?, true))
    }

    /// Takes a hold off, in one transaction with its guard's bump.
    async fn end_hold(&self, entry: &Entry, mut hold: Hold, release: Release) -> Result<Hold, CoreError> {
        hold.released = Some(release);
        // Suppression lists follow what lies anywhere by this one key.
        let txn = Txn::new().replace(entry, encode(&hold)?).put(keys::guard_any_hold(), encode(&hold.id)?);
        let txn = match expire::key_of(&hold)? {
            Some(expiry) => txn.delete(expiry),
            None => txn,
        };
        let txn = follow::note(txn, &hold.id)?;
        let txn = guards::change(&*self.store, txn, guards::key_of(&hold.level), |guard| {
            guard.holds.remove(&hold.id);
            Ok(())
        });
        self.store.commit(txn.await?).await?;
        Ok(hold)
    }

    /// One hold, as it was read.
    async fn hold(&self, id: &HoldId) -> Result<(Entry, Hold), CoreError> {
        let entry = self.store.get(&keys::hold(id)).await?.ok_or(CoreError::NotFound("hold"))?;
        let hold = decode("hold", &entry.value)?;
        Ok((entry, hold))
    }

    /// All holds, oldest first; those that still lie, or released ones too.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_holds(&self, released_too: bool) -> Result<Vec<Hold>, CoreError> {
        let mut holds: Vec<Hold> = state::all(&*self.store, &keys::holds(), "hold").await?;
        holds.retain(|hold| released_too || hold.released.is_none());
        Ok(holds)
    }

    /// A hold on a misspelt target would protect nothing and say that it did.
    async fn must_exist(&self, level: &Level) -> Result<(), CoreError> {
        let there = match level {
            Level::Global => return Ok(()),
            Level::Category { category } => {
                return if gallra_policy::CATEGORIES.contains(&category.as_str()) {
                    Ok(())
                } else {
                    Err(CoreError::NotFound("category: `gallra policy show` lists them"))
                };
            }
            Level::Target { agent, target } => return self.target(agent, target).await.map(drop),
            Level::Customer { customer } => keys::customer(customer),
            Level::Contract { contract } => keys::contract(contract),
            Level::Request { request } => keys::request(request),
        };
        let entry = self.store.get(&there).await?.ok_or(CoreError::NotFound("customer, contract or request"))?;
        if matches!(level, Level::Request { .. })
            && decode::<Request>("request", &entry.value)?.about.purge_day().is_some()
        {
            let text =
                "a purge is one day's, and the next day has its own: hold the category, the target or whom it is about";
            return Err(CoreError::Precondition(text.into()));
        }
        Ok(())
    }

    /// How many jobs at a level change data and have a permit that no receipt has answered yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn begun_under(&self, level: &Level) -> Result<usize, CoreError> {
        let under = |job: &&JobRecord| match level {
            Level::Category { category } => job.step.category == *category,
            Level::Target { agent, target } => job.step.agent == *agent && job.step.target == *target,
            Level::Global | Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => true,
        };
        let mut requests = match level {
            // Every job with a permit is in the dispatch index until a receipt answers it.
            Level::Global | Level::Category { .. } => self.at_work(&keys::ready_all()).await?,
            Level::Target { agent, .. } => self.at_work(&keys::ready_of(agent)).await?,
            // A purge under way may be about to take what this hold covers.
            Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => {
                self.requests_of(level).await?.into_iter().chain(self.newest_purge().await?).collect()
            }
        };
        requests.sort_unstable();
        requests.dedup();
        self.begun_of(&requests, under).await
    }

    /// How many jobs of these requests change data, and have a permit that no receipt has answered yet.
    async fn begun_of(&self, requests: &[RequestId], under: impl Fn(&&JobRecord) -> bool) -> Result<usize, CoreError> {
        let begun = |job: &&JobRecord| under(job) && job.state == JobState::Begun && job.step.action.changes();
        let mut count = 0;
        for id in requests {
            count += state::load(&*self.store, id).await?.view.jobs.iter().filter(begun).count();
        }
        Ok(count)
    }

    /// The same of what one customer number's instructions are about.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn begun_under_number(&self, customer: &CustomerId) -> Result<usize, CoreError> {
        let own = self.requests_of_number(customer).await?;
        let mut all: Vec<_> = own.into_iter().chain(self.newest_purge().await?).collect();
        all.dedup();
        self.begun_of(&all, |_| true).await
    }

    async fn at_work(&self, ready: &KeyPrefix) -> Result<Vec<RequestId>, CoreError> {
        state::all(&*self.store, ready, "dispatch entry").await
    }

    /// The requests that a hold at this level may concern; for the levels of many, all that are open.
    pub(crate) async fn requests_of(&self, level: &Level) -> Result<Vec<RequestId>, CoreError> {
        match level {
            Level::Request { request } => Ok(vec![*request]),
            Level::Contract { contract } => self.requests_of_contracts(&[*contract], None).await,
            Level::Customer { customer } => {
                let mut found = Vec::new();
                for number in guards::numbers_of(&*self.store, customer).await? {
                    found.extend(self.requests_of_number(&number).await?);
                }
                found.sort_unstable();
                found.dedup();
                Ok(found)
            }
            Level::Global | Level::Category { .. } | Level::Target { .. } => {
                self.open_requests(|request| !request.facts.cancelled).await
            }
        }
    }

    /// The requests about one customer number, its contracts' and its own end's.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn requests_of_number(&self, customer: &CustomerId) -> Result<Vec<RequestId>, CoreError> {
        let entry = self.store.get(&keys::customer(customer)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer: Customer = decode("customer", &entry.value)?;
        self.requests_of_contracts(&customer.contracts, customer.ending).await
    }

    async fn requests_of_contracts(
        &self,
        contracts: &[ContractId],
        ending: Option<RequestId>,
    ) -> Result<Vec<RequestId>, CoreError> {
        let mut found: Vec<RequestId> = ending.into_iter().collect();
        for id in contracts {
            let entry = self.store.get(&keys::contract(id)).await?.ok_or(CoreError::NotFound("contract"))?;
            let contract: Contract = decode("contract", &entry.value)?;
            found.extend(contract.request.into_iter().chain(contract.cancelled));
            // What it stored went along to another customer.
            if let Some(went) = contract.went {
                let entry = self.store.get(&keys::contract(&went)).await?.ok_or(CoreError::NotFound("contract"))?;
                let gone_on: Contract = decode("contract", &entry.value)?;
                found.extend(gone_on.request.into_iter().chain(gone_on.cancelled));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Requests that are not done and of which this holds.
    ///
    /// # Errors
    /// The store's.
    pub async fn open_requests(&self, which: impl Fn(&Request) -> bool) -> Result<Vec<RequestId>, CoreError> {
        let all: Vec<Request> = state::all(&*self.store, &keys::requests(), "request").await?;
        Ok(all
            .into_iter()
            .filter(|request| request.done.is_none() && which(request))
            .map(|request| request.id)
            .collect())
    }
}

/// A ground or a reason: somebody reads it later, in a table.
///
/// # Errors
/// [`CoreError::Invalid`].
pub fn words(name: &str, text: &str) -> Result<(), CoreError> {
    let length = text.trim().chars().count();
    if length == 0 || length > MAX_WORDS || text.chars().any(char::is_control) {
        return Err(CoreError::Invalid(format!("{name}: 1 to {MAX_WORDS} characters on one line, naming nobody")));
    }
    Ok(())
}
