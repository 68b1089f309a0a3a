//! Moves: a contract goes on under another customer. What the service stores goes along; what is the earlier customer's own
//! stays, and so do the IP addresses until that day. The time before stays with the earlier customer as an ended contract
//! without identifiers, so that its end and settlement count for that one. Refused while a hold lies on either side (I1),
//! since it would be escaped, and while anything is unclear.

use gallra_flow::contract::{Word, take};
use gallra_model::contract::{Came, Contract, ContractState, MAX_MOVES, Said, Words};
use gallra_model::request::JobState;
use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_model::{ContractId, Day, RequestId, SubjectId};
use gallra_store::{Entry, Txn, keys};

use super::{Number, is_old};
use crate::core::{Core, merge, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::{guards, state};

/// A move, as it is told.
pub struct Move {
    /// Service id.
    pub service: ExternalId,
    /// Customer number under which it goes on; known or new.
    pub customer: ExternalId,
    /// Last local day under the customer so far.
    pub on: Day,
    /// Day on which that one's last invoice for it was settled, where it is.
    pub settled: Option<Day>,
    /// The event's version; 0 is one more than the last.
    pub version: u64,
}

/// What came of it.
pub struct Moved {
    /// The contract as it stands.
    pub contract: Contract,
    /// The time before it, under the earlier customer.
    pub part: Option<Contract>,
    /// The request that carries the earlier customer's end, where this was its last contract.
    pub ending: Option<RequestId>,
}

impl Core {
    /// Takes a move. The same again, with the day of settlement, settles the time before it.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Invalid`] for the days; [`CoreError::Precondition`] where a hold lies on the
    /// contract or on either customer, the contract has ended, or data that belongs to either is being erased.
    pub async fn move_contract(&self, told: &Move) -> Result<Moved, CoreError> {
        // It hands addresses over.
        let _recording = self.recording.lock().await;
        until_committed!(self.try_move(told))
    }

    async fn try_move(&self, told: &Move) -> Result<Moved, CoreError> {
        let (entry, mut contract) = self.find_contract(&told.service).await?;
        contract.words = contract.known_words();
        let known = self.find_customer(&told.customer).await?;
        let is_there = known.as_ref().is_some_and(|(_, customer)| customer.id == contract.customer);
        if let Some(came) = contract.came.filter(|came| is_there && came.on == told.on) {
            return self.settle_part(&entry, contract, came, told).await;
        }
        if told.version != 0 && told.version <= contract.words.since {
            return self.as_moved(contract).await;
        }
        self.may_move(&contract, told, is_there).await?;
        let version = if told.version == 0 { contract.version.saturating_add(1) } else { told.version };
        // An end that is newer than this one would have been taken under the wrong customer.
        contract.words = take(&contract.words, version, Word::Moved).ok_or(CoreError::Busy)?;
        contract.version = contract.version.max(version);
        let earlier = contract.customer;
        let mut old = self.group_of(&earlier).await?;
        let part = self.part_of(&contract, told)?;
        let txn = self.leave_addresses(Txn::new(), &contract, &old.number(&earlier)?.customer, told.on).await?;
        old.leave(&contract.id, &part)?;
        let known = known.map(|(_, customer)| customer.id);
        let within = known.filter(|customer| old.has(customer));
        let (arrival, customer) = match (within, known) {
            (Some(customer), _) => {
                old.add(&customer, contract.id)?;
                (Txn::new(), customer)
            }
            (None, Some(customer)) => (self.join_customer(&customer, contract.id).await?, customer),
            (None, None) => self.new_customer(&told.customer, contract.id)?,
        };
        contract.customer = customer;
        contract.came = Some(Came { part: part.id, on: told.on });
        contract.earlier.push(earlier);
        contract.cancelled = Vec::new();
        let mut txn =
            merge(txn, arrival).replace(&entry, encode(&contract)?).create(keys::contract(&part.id), encode(&part)?);
        // Somebody whose last contract goes away has ended with it, unless it stays that one's under another number.
        let mut place = None;
        if within.is_none() && !old.is_active() {
            let (counted, its) = self.brake(self.open_ends(txn, &mut old)?).await?;
            (txn, place) = (counted, Some(its));
        }
        txn = old.write(txn)?;
        let whose = guards::numbers_of(&*self.store, &customer).await?.into_iter().chain(old.ids());
        let mut bumped: Vec<_> = whose.map(|id| keys::guard_customer(&id)).collect();
        bumped.push(keys::guard_contract(&contract.id));
        bumped.sort_unstable();
        bumped.dedup();
        for guard in &bumped {
            txn = guards::bump_whom(&*self.store, txn, guard.clone()).await?;
        }
        // Read after the guards that the transaction expects: a hold that comes meanwhile is seen here, or makes it fail.
        for guard in &bumped {
            self.must_be_free(guard).await?;
        }
        let committed = self.store.commit(txn).await.map_err(CoreError::from);
        if let Some(place) = place {
            place.keep_unless_refused(&committed);
        }
        committed?;
        gallra_crash::point("before_ack");
        self.wake.notify_one();
        tracing::info!(contract = %contract.id, from = %earlier, to = %customer, "a contract goes on under another customer");
        let ending = old.number(&earlier)?.customer.ending;
        Ok(Moved { contract, part: Some(part), ending })
    }

    /// Takes the settlement of the time before a move by its reference: once the contract is forgotten under its new
    /// customer, nobody can name its service.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Invalid`] for a contract that has a service id of its own, and for the day;
    /// [`CoreError::Precondition`] for a day in the future, or another one than was told.
    pub async fn settle_time_before(&self, part: &ContractId, settled: Day) -> Result<Contract, CoreError> {
        until_committed!(self.try_settle_time_before(part, settled))
    }

    async fn try_settle_time_before(&self, id: &ContractId, settled: Day) -> Result<Contract, CoreError> {
        let entry = self.store.get(&keys::contract(id)).await?.ok_or(CoreError::NotFound("contract"))?;
        let mut part: Contract = decode("contract", &entry.value)?;
        let (Some(on), true) = (part.ended, part.went.is_some()) else {
            return Err(CoreError::Invalid("contract: only the time before a move; else name the service".into()));
        };
        if part.state == ContractState::Settled {
            if part.settled == Some(settled) {
                return Ok(part);
            }
            return Err(CoreError::Precondition("settled: another day was told, and counts".into()));
        }
        self.is_settlement(on, Some(settled))?;
        self.settle_in(Txn::new(), &entry, &mut part, Some(settled)).await?;
        tracing::info!(contract = %part.id, "the time before a move is settled");
        Ok(part)
    }

    async fn may_move(&self, contract: &Contract, told: &Move, is_there: bool) -> Result<(), CoreError> {
        let not_yet = |text: &str| Err(CoreError::Precondition(text.into()));
        if is_there {
            return Err(CoreError::Invalid("to-customer: the contract is that customer's already".into()));
        }
        if contract.state != ContractState::Active {
            return not_yet("only an active contract moves: if it goes on, report its resumption first");
        }
        if is_old(contract, told.version) {
            return not_yet("a newer event is known: the move came too late to be put before it");
        }
        if contract.earlier.len() >= MAX_MOVES {
            return Err(CoreError::Precondition(format!("a contract moves at most {MAX_MOVES} times: sell it anew")));
        }
        if contract.first_day().is_none_or(|first| told.on < first) {
            return Err(CoreError::Invalid("on: the contract began later, or came to this customer later".into()));
        }
        if told.on > day_of(self.time.now()) {
            return not_yet("on: a day in the future is not known yet");
        }
        self.is_settlement(told.on, told.settled)?;
        if let Some(came) = contract.came
            && self.part(&came).await?.1.state != ContractState::Settled
        {
            return not_yet(
                "the settlement of its earlier move is open: report that first, by the same move with --settled",
            );
        }
        for id in &contract.cancelled {
            self.must_be_free(&keys::guard_request(id)).await?;
            if state::load(&*self.store, id).await?.view.jobs.iter().any(|job| job.state == JobState::Begun) {
                return not_yet("an act on its data that was taken back has not ended: wait for its receipt");
            }
        }
        Ok(())
    }

    fn is_settlement(&self, on: Day, settled: Option<Day>) -> Result<(), CoreError> {
        if settled.is_some_and(|settled| settled < on) {
            return Err(CoreError::Invalid("settled: before the contract moved".into()));
        }
        if settled.is_some_and(|settled| settled > day_of(self.time.now())) {
            return Err(CoreError::Precondition("settled: a day in the future is not known yet".into()));
        }
        Ok(())
    }

    async fn must_be_free(&self, guard: &gallra_store::Key) -> Result<(), CoreError> {
        if guards::one(&*self.store, guard).await?.1.holds.is_empty() {
            return Ok(());
        }
        Err(CoreError::Precondition(
            "a hold lies on the contract, on what was taken back of it, or on one of the two customers: moving would take \
             its data out of the hold; have it released first"
                .into(),
        ))
    }

    /// The time before the move, as an ended contract of the earlier customer's.
    fn part_of(&self, contract: &Contract, told: &Move) -> Result<Contract, CoreError> {
        let now = self.time.now();
        let said = |version, day| Said { version, day };
        Ok(Contract {
            id: ContractId::at(now, random()?),
            // A reference of its own, under which nothing is sealed.
            subject: SubjectId::at(now, random()?),
            version: contract.version,
            words: Words {
                since: 0,
                ended: Some(said(contract.version, told.on)),
                settled: told.settled.map(|day| said(contract.version.saturating_add(1), day)),
            },
            state: if told.settled.is_some() { ContractState::Settled } else { ContractState::Ended },
            started: contract.first_day().unwrap_or(contract.started),
            ended: Some(told.on),
            settled: told.settled,
            request: None,
            // What was taken back of it was this customer's: `resume.rs` tells what came of it.
            went: Some(contract.id),
            ..contract.clone()
        })
    }

    async fn part(&self, came: &Came) -> Result<(Entry, Contract), CoreError> {
        let entry = self.store.get(&keys::contract(&came.part)).await?.ok_or(CoreError::NotFound("contract"))?;
        let part = decode("contract", &entry.value)?;
        Ok((entry, part))
    }

    async fn as_moved(&self, contract: Contract) -> Result<Moved, CoreError> {
        let Some(came) = contract.came else { return Ok(Moved { contract, part: None, ending: None }) };
        let part = self.part(&came).await?.1;
        let (_, old, _) = self.customer_and_siblings(&part).await?;
        Ok(Moved { contract, part: Some(part), ending: old.ending })
    }

    /// The settlement of the time before a move that is known.
    async fn settle_part(
        &self,
        entry: &Entry,
        mut contract: Contract,
        came: Came,
        told: &Move,
    ) -> Result<Moved, CoreError> {
        let (part_entry, mut part) = self.part(&came).await?;
        if part.state == ContractState::Settled && told.settled.is_some() && told.settled != part.settled {
            return Err(CoreError::Precondition(
                "settled: another day is known of the time before the move, and what counts from it may have begun"
                    .into(),
            ));
        }
        if told.settled.is_none() || part.state == ContractState::Settled {
            return self.as_moved(contract).await;
        }
        self.is_settlement(came.on, told.settled)?;
        contract.version = contract.version.max(told.version);
        let txn = Txn::new().replace(entry, encode(&contract)?);
        let ending = self.settle_in(txn, &part_entry, &mut part, told.settled).await?;
        Ok(Moved { contract, part: Some(part), ending })
    }

    /// Settles the time before a move, and changes the requests for the earlier customer's end; gives the one of that number.
    async fn settle_in(
        &self,
        txn: Txn,
        part_entry: &Entry,
        part: &mut Contract,
        settled: Option<Day>,
    ) -> Result<Option<RequestId>, CoreError> {
        part.state = ContractState::Settled;
        part.settled = settled;
        part.words.settled = settled.map(|day| Said { version: part.version.saturating_add(1), day });
        let mut old = self.group_of(&part.customer).await?;
        old.put(part);
        let mut txn = old.write(txn.replace(part_entry, encode(part)?))?;
        for ending in old.numbers().iter().filter_map(Number::ending) {
            let loaded = state::load(&*self.store, &ending).await?;
            let mut next = loaded.view.clone();
            if next.request.done.is_none() {
                let anchors = &mut next.request.anchors;
                (anchors.customer_ended, anchors.customer_settled) = old.days();
                next.request.wake = Some(self.time.now());
            }
            txn = merge(txn, state::save(&*self.store, &loaded, &next).await?);
        }
        let txn = self.forget_settled(txn, &old).await?;
        self.commit_event(txn, part).await?;
        Ok(old.number(&part.customer)?.customer.ending)
    }
}
