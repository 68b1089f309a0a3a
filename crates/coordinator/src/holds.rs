//! Holds: a stop on erasure at one of six levels, until somebody else releases it (decision 14). A hold's record and its
//! place on the guard are one transaction with the guard's bump, so a permit sees it or loses to it (I1). Nothing else
//! remembers that a hold lies somewhere: whoever asks reads the guards. Holds carry references, never an identifier.

use gallra_flow::request::Input;
use gallra_model::contract::{Contract, Customer};
use gallra_model::hold::{Hold, Level, MAX_HOLDS_AT_ONE_LEVEL, Release};
use gallra_model::request::{JobRecord, JobState, Request, RequestState};
use gallra_model::{ContractId, Day, HoldId, RequestId};
use gallra_store::{KeyPrefix, Txn, keys};

use crate::core::{Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::{guards, state};

/// Longest ground or reason, in characters.
pub const MAX_WORDS: usize = 500;

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
    /// [`CoreError::Invalid`] for the ground, [`CoreError::NotFound`] where there is nothing at this level,
    /// [`CoreError::Precondition`] where too many holds lie there.
    pub async fn place_hold(
        &self,
        level: Level,
        ground: &str,
        review: Option<Day>,
        by: &str,
    ) -> Result<Placed, CoreError> {
        words("ground", ground)?;
        self.must_exist(&level).await?;
        let now = self.time.now();
        let hold = Hold {
            id: HoldId::at(now, random()?),
            level,
            ground: ground.trim().to_owned(),
            placed_by: by.to_owned(),
            placed: now,
            review,
            expires: None,
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

    /// Releases a hold. Who placed it may not. What waited for it goes on: jobs by the streams' watches, a final proof here.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`] for the reason, [`CoreError::Precondition`] for the person.
    pub async fn release_hold(&self, id: &HoldId, reason: &str, by: &str) -> Result<Hold, CoreError> {
        words("reason", reason)?;
        let (hold, now) = until_committed!(self.try_release(id, reason.trim(), by))?;
        if now {
            tracing::info!(hold = %hold.id, by, "a hold was released");
            for request in self.requests_of(&hold.level).await? {
                self.consider_again(&request).await;
            }
        }
        Ok(hold)
    }

    /// The hold, and whether it was this call that released it.
    async fn try_release(&self, id: &HoldId, reason: &str, by: &str) -> Result<(Hold, bool), CoreError> {
        let entry = self.store.get(&keys::hold(id)).await?.ok_or(CoreError::NotFound("hold"))?;
        let mut hold: Hold = decode("hold", &entry.value)?;
        if hold.released.is_some() {
            return Ok((hold, false));
        }
        if hold.placed_by == by {
            return Err(CoreError::Precondition("who placed a hold does not release it: ask another approver".into()));
        }
        hold.released = Some(Release { by: by.to_owned(), at: self.time.now(), reason: reason.to_owned() });
        // Suppression lists follow what lies anywhere by this one key.
        let txn = Txn::new().replace(&entry, encode(&hold)?).put(keys::guard_any_hold(), encode(&hold.id)?);
        let txn = guards::change(&*self.store, txn, guards::key_of(&hold.level), |guard| {
            guard.holds.remove(&hold.id);
            Ok(())
        });
        self.store.commit(txn.await?).await?;
        Ok((hold, true))
    }

    /// Looks at a request whose final proof a hold may have kept back. One that fails is looked at within a day anyway.
    async fn consider_again(&self, request: &RequestId) {
        let waits = async {
            let view = state::load(&*self.store, request).await?.view;
            let waits = view.request.state == RequestState::AwaitingCopies && !view.request.facts.cancelled;
            if waits { self.move_request(request, &Input::Tick).await.map(drop) } else { Ok(()) }
        };
        if let Err(error) = waits.await {
            tracing::warn!(%request, %error, "a request could not be looked at after a release");
        }
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
        let under = |job: &&JobRecord| {
            let covered = match level {
                Level::Category { category } => job.step.category == *category,
                Level::Target { agent, target } => job.step.agent == *agent && job.step.target == *target,
                Level::Global | Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => true,
            };
            covered && job.state == JobState::Begun && job.step.action.changes()
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
        let mut begun = 0;
        for id in requests {
            begun += state::load(&*self.store, &id).await?.view.jobs.iter().filter(under).count();
        }
        Ok(begun)
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
                let entry = self.store.get(&keys::customer(customer)).await?.ok_or(CoreError::NotFound("customer"))?;
                let customer: Customer = decode("customer", &entry.value)?;
                self.requests_of_contracts(&customer.contracts, customer.ending).await
            }
            Level::Global | Level::Category { .. } | Level::Target { .. } => {
                self.open_requests(|request| !request.facts.cancelled).await
            }
        }
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
