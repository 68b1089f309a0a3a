//! Ends, settlements and resumptions as they are told: `flow::contract` says what all words come to, and here contract and
//! requests are changed until they are that. Each change is one transaction with the bump of both guards (I1). A change of
//! what somebody may have acted on already is refused, with the reason: billing tells it again, or a person looks.

use gallra_flow::cancel::has_begun;
use gallra_flow::contract::{Standing, Word, standing, take};
use gallra_model::Day;
use gallra_model::contract::{Contract, ContractState};
use gallra_model::plan::Anchors;
use gallra_model::request::{Approvals, Request};
use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_store::keys::{self, What};
use gallra_store::{Entry, Txn};

use super::{End, only};
use crate::causes::{Brought, Ends};
use crate::core::{Core, merge, until_committed};
use crate::error::{CoreError, encode};
use crate::state;

/// Changes that one word can lead to: an end is taken back, another one opens, and is settled.
const CHANGES: u32 = 4;

/// One word, as it came.
#[derive(Clone, Copy)]
struct Told<'a> {
    service: &'a ExternalId,
    /// 0: one more than the last.
    version: u64,
    word: Word,
    cause: Option<&'a Brought>,
}

impl Core {
    /// Takes an end: opens a request, or corrects the last day of one that has not begun.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`]; [`CoreError::Precondition`] where data has begun to go by another day.
    pub async fn end_contract(&self, end: &End) -> Result<Contract, CoreError> {
        let word = Word::Ended(end.ended);
        self.told_all(Told { service: &end.service, version: end.version, word, cause: end.cause.as_ref() }).await
    }

    /// Takes a settlement: the request gets a plan with dates.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`], [`CoreError::Precondition`].
    pub async fn settle_contract(
        &self,
        service: &ExternalId,
        settled: Day,
        version: u64,
    ) -> Result<Contract, CoreError> {
        self.told_all(Told { service, version, word: Word::Settled(settled), cause: None }).await
    }

    /// Takes a resumption (`resume.rs`).
    pub(crate) async fn told_resumed(&self, service: &ExternalId, version: u64) -> Result<Contract, CoreError> {
        self.told_all(Told { service, version, word: Word::Resumed, cause: None }).await
    }

    async fn told_all(&self, told: Told<'_>) -> Result<Contract, CoreError> {
        let contract = self.take_word(told).await?;
        self.metrics.event(match told.word {
            Word::Ended(_) => "ended",
            Word::Settled(_) => "settled",
            Word::Resumed => "resumed",
            Word::Moved => "moved",
        });
        Ok(contract)
    }

    async fn take_word(&self, told: Told<'_>) -> Result<Contract, CoreError> {
        for _ in 0..CHANGES {
            let contract = until_committed!(self.try_told(told))?;
            // A crash before this is so leaves a word unanswered: whoever told it tells it again, and it goes on here.
            if as_it_stands(&contract) == standing(&contract.words) {
                return Ok(contract);
            }
        }
        Err(CoreError::Busy)
    }

    async fn try_told(&self, told: Told<'_>) -> Result<Contract, CoreError> {
        let (entry, mut contract) = self.find_contract(told.service).await?;
        contract.words = contract.known_words();
        let version = if told.version == 0 { contract.version.saturating_add(1) } else { told.version };
        let repeats = told.version == 0 && is_so(&contract, told.word)?;
        let news = take(&contract.words, version, told.word).filter(|_| !repeats);
        if let Some(words) = news {
            self.may_be_told(&contract, version, told.word)?;
            contract.words = words;
            contract.version = contract.version.max(version);
        }
        let (now, then) = (as_it_stands(&contract), standing(&contract.words));
        let cause = told.cause.filter(|_| news.is_some());
        match (now, then) {
            _ if now == then => {
                if news.is_some() {
                    self.commit_event(Txn::new().replace(&entry, encode(&contract)?), &contract).await?;
                }
                Ok(contract)
            }
            (Standing::Active, Standing::Ended { ended, .. }) => self.open_end(&entry, contract, ended, cause).await,
            (_, Standing::Active) => self.take_back(&entry, contract).await,
            (_, Standing::Ended { ended, settled }) => self.correct(&entry, contract, (ended, settled), cause).await,
        }
    }

    /// What no word may say, whenever it comes.
    fn may_be_told(&self, contract: &Contract, version: u64, word: Word) -> Result<(), CoreError> {
        match word {
            Word::Ended(ended) if contract.first_day().is_none_or(|first| ended < first) => {
                Err(CoreError::Invalid("ended: the contract began later, or came to this customer later".into()))
            }
            Word::Settled(settled) => {
                let Some(end) = contract.words.ended else {
                    let text = "the contract has not ended: report its end first";
                    return Err(CoreError::Precondition(text.into()));
                };
                if settled < end.day && version > end.version {
                    return Err(CoreError::Invalid("settled: before the contract ended".into()));
                }
                if settled > day_of(self.time.now()) {
                    return Err(CoreError::Precondition("settled: a day in the future is not known yet".into()));
                }
                Ok(())
            }
            Word::Ended(_) | Word::Resumed | Word::Moved => Ok(()),
        }
    }

    async fn open_end(
        &self,
        entry: &Entry,
        mut contract: Contract,
        ended: Day,
        cause: Option<&Brought>,
    ) -> Result<Contract, CoreError> {
        let mut group = self.group_of(&contract.customer).await?;
        let last = group.siblings(&contract.id).all(|other| other.state != ContractState::Active);
        // The customer's end goes with the last contract's where both wait for the same settlement; else it is a request of
        // its own, so that neither holds the other up. Of other numbers of the customer it always is.
        let together = last && group.siblings(&contract.id).all(|other| other.state == ContractState::Settled);
        let customer_ended = group.siblings(&contract.id).filter_map(|other| other.ended).chain([ended]).max();
        let customer = group.number(&contract.customer)?.customer.clone();
        let of_contract = Anchors { contract_ended: Some(ended), ..Anchors::default() };
        let of_both = Anchors { customer_ended, ..of_contract };
        let mut own = self.new_request(&contract, &customer, if together { of_both } else { of_contract })?;
        let mut sealed = Txn::new();
        let ends = Ends { contract: &contract.clone(), customer: &customer };
        let cause = match cause {
            None => None,
            Some(brought) => Some(self.check_cause(brought, ends, (true, Some(ended))).await?),
        };
        if let Some(cause) = &cause {
            (sealed, own.approvals) = self.back(sealed, (&own.id, &own.anchors), ends, cause).await?;
        }
        contract.state = ContractState::Ended;
        contract.ended = Some(ended);
        contract.request = Some(own.id);
        group.put(&contract);
        let mut txn = state::create(Txn::new().replace(entry, encode(&contract)?), &only(own.clone()))?;
        let mut ending = together.then_some(own.id);
        if last && !together {
            let mut end = self.new_request(&contract, &customer, Anchors { customer_ended, ..Anchors::default() })?;
            if let Some(cause) = &cause {
                (sealed, end.approvals) = self.back(sealed, (&end.id, &end.anchors), ends, cause).await?;
            }
            ending = Some(end.id);
            txn = state::create(txn, &only(end))?;
        }
        if last {
            group.number_mut(&customer.id)?.customer.ending = ending;
            txn = self.open_ends(txn, &mut group)?;
        }
        // Written even when unchanged: of two contracts that end at once, one must see the other.
        txn = merge(group.write(txn)?, sealed);
        let (txn, place) = self.brake(txn).await?;
        let committed = self.commit_event(txn, &contract).await;
        place.keep_unless_refused(&committed);
        committed.map(|()| contract)
    }

    /// Settles an end, takes a settlement back, or moves its days: of the contract's request, and of the one that carries the
    /// customer's end.
    async fn correct(
        &self,
        entry: &Entry,
        mut contract: Contract,
        (ended, settled): (Day, Option<Day>),
        cause: Option<&Brought>,
    ) -> Result<Contract, CoreError> {
        let Some(own) = contract.request else {
            return Err(CoreError::Precondition("the contract has not ended: report its end first".into()));
        };
        let mut group = self.group_of(&contract.customer).await?;
        let customer = group.number(&contract.customer)?.customer.clone();
        let ends = Ends { contract: &contract.clone(), customer: &customer };
        let another_day = contract.ended != Some(ended);
        let cause = match cause.filter(|_| another_day) {
            None => None,
            Some(brought) => Some(self.check_cause(brought, ends, (true, Some(ended))).await?),
        };
        contract.state = if settled.is_some() { ContractState::Settled } else { ContractState::Ended };
        (contract.ended, contract.settled) = (Some(ended), settled);
        group.put(&contract);
        let of_customer = group.days();
        let mut txn = group.write(Txn::new().replace(entry, encode(&contract)?))?;
        let mut sealed = Txn::new();
        let endings: Vec<_> = group.numbers().iter().filter_map(|of| Some((of.ending()?, &of.customer))).collect();
        let own_end = [(own, &customer)].into_iter();
        for (id, whose) in own_end.chain(endings.iter().copied().filter(|(ending, _)| *ending != own)) {
            let loaded = state::load(&*self.store, &id).await?;
            let mut next = loaded.view.clone();
            let request = &mut next.request;
            if id == own {
                (request.anchors.contract_ended, request.anchors.contract_settled) = (Some(ended), settled);
            }
            if endings.iter().any(|(ending, _)| *ending == id) {
                (request.anchors.customer_ended, request.anchors.customer_settled) = of_customer;
            }
            if corrects(&loaded.view.request.anchors, &request.anchors) && has_begun(&loaded.view) {
                return Err(too_late());
            }
            let of_others = id != own;
            let customers_day = loaded.view.request.anchors.customer_ended != request.anchors.customer_ended;
            // Another contract's request may carry the customer's end: its own service was signed for by somebody else.
            let about = if of_others { of_the_customer(&request.anchors) } else { request.anchors };
            match &cause {
                Some(_) if of_others && !customers_day => {}
                Some(cause) if whose.id == customer.id => {
                    let (with, backed) = self.back(sealed, (&id, &about), ends, cause).await?;
                    let service = request.approvals.service.take().filter(|_| of_others).or(backed.service);
                    request.approvals = Approvals { service, ..backed };
                    sealed = with;
                }
                // What was signed was signed for another last day.
                None if another_day && !of_others => sealed = drop_signed(sealed, request, ends),
                Some(_) | None if customers_day && of_others => {
                    request.approvals.customer = None;
                    sealed = sealed.delete(keys::sealed(&whose.subject, What::Request(id)));
                }
                Some(_) | None => {}
            }
            request.wake = Some(self.time.now());
            txn = merge(txn, state::save(&*self.store, &loaded, &next).await?);
        }
        let txn = self.forget_settled(merge(txn, sealed), &group).await?;
        self.commit_event(txn, &contract).await?;
        Ok(contract)
    }
}

/// The customer's days alone.
pub(super) fn of_the_customer(anchors: &Anchors) -> Anchors {
    Anchors { contract_ended: None, contract_settled: None, ..*anchors }
}

/// Whether a day that was known is another one now, or none.
fn corrects(before: &Anchors, after: &Anchors) -> bool {
    let moved = |before: Option<Day>, after: Option<Day>| before.is_some() && before != after;
    moved(before.contract_ended, after.contract_ended)
        || moved(before.contract_settled, after.contract_settled)
        || moved(before.customer_ended, after.customer_ended)
        || moved(before.customer_settled, after.customer_settled)
}

fn too_late() -> CoreError {
    CoreError::Precondition(
        "data is being erased by the days that were told before: if it is to stop, report the resumption first".into(),
    )
}

fn drop_signed(txn: Txn, request: &mut Request, ends: Ends<'_>) -> Txn {
    request.approvals = Approvals::default();
    txn.delete(keys::sealed(&ends.contract.subject, What::Request(request.id)))
        .delete(keys::sealed(&ends.customer.subject, What::Request(request.id)))
}

/// Where a contract stands by its record.
fn as_it_stands(contract: &Contract) -> Standing {
    match (contract.state, contract.ended) {
        (ContractState::Ended | ContractState::Settled, Some(ended)) => {
            Standing::Ended { ended, settled: contract.settled }
        }
        _ => Standing::Active,
    }
}

/// Whether a word without a version says what is so already. Another day than the one that is known may be a correction or
/// an old word told again: nobody guesses which.
fn is_so(contract: &Contract, word: Word) -> Result<bool, CoreError> {
    let same = |known: Option<Day>, day: Day| match known {
        Some(known) if known != day => Err(CoreError::Precondition(format!(
            "{known} is the day that is known: to correct it, tell the event with its version"
        ))),
        _ => Ok(true),
    };
    match word {
        Word::Ended(day) if contract.state != ContractState::Active => same(contract.ended, day),
        Word::Settled(day) if contract.state == ContractState::Settled => same(contract.settled, day),
        Word::Ended(_) | Word::Settled(_) => Ok(false),
        Word::Resumed | Word::Moved => Ok(contract.state == ContractState::Active),
    }
}
