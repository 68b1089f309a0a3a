//! Setting, removing and accepting an instruction. Each is one transaction with the bump of the customer's guard; then the
//! customer's requests are looked at at once.

use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_model::{CustomerId, Digest, RequestId};
use gallra_policy::Instruction;
use gallra_policy::instruction::{Turn, record_turn};

use super::{Accepted, FILE, MAX_INSTRUCTION_BYTES, MAX_INSTRUCTIONS, State, StoredInstruction, with_all};
use crate::core::{Core, until_committed};
use crate::error::CoreError;
use crate::state;

/// What came of a change.
pub struct Set {
    /// Whose it is.
    pub customer: CustomerId,
    /// Its id.
    pub id: String,
    /// Jobs that change this customer's data and had their permit before: they stop at their next item.
    pub begun: usize,
}

/// Who removes an instruction.
#[derive(Debug, Clone, Copy)]
pub struct Remover<'a> {
    /// The name in the caller's certificate.
    pub name: &'a str,
    /// Whether that certificate is an approver's.
    pub approver: bool,
}

impl<'a> From<&'a str> for Remover<'a> {
    /// An operator.
    fn from(name: &'a str) -> Self {
        Self { name, approver: false }
    }
}

impl Core {
    /// Sets an instruction; one of the same id is replaced. From when this returns no permit is given under what held before.
    /// One that replaces what an approver accepted waits for an approver, however little it strays.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem of the text, or where the policy does not let it in;
    /// [`CoreError::NotFound`] for the customer; [`CoreError::Precondition`] where it cannot be carried out for one customer,
    /// or there are too many.
    pub async fn set_instruction(&self, number: &ExternalId, text: &str, by: &str) -> Result<Set, CoreError> {
        if text.len() > MAX_INSTRUCTION_BYTES {
            return Err(CoreError::Invalid(format!("instruction: at most {MAX_INSTRUCTION_BYTES} bytes")));
        }
        let read = Instruction::parse(FILE, text).map_err(|refused| CoreError::Invalid(refused.to_string()))?;
        let customer = self.customer_numbered(number).await?;
        self.put_in_force().await?;
        let changed = until_committed!(self.try_set(&customer, (&read, text), by))?;
        self.follow_change(customer, read.id, changed, by, "set").await
    }

    /// Whether anything changed.
    async fn try_set(
        &self,
        customer: &CustomerId,
        (read, text): (&Instruction, &str),
        by: &str,
    ) -> Result<bool, CoreError> {
        let known = self.known_instructions(customer).await?;
        let before = known.all.iter().find(|one| one.id == read.id);
        if before.is_some_and(|before| before.text == text) {
            return Ok(false);
        }
        let (now, today) = (self.time.now(), day_of(self.time.now()));
        if before.is_some_and(|before| before.holds_on(today)) && read.from > today {
            return Err(CoreError::Precondition(format!(
                "the instruction {} holds now and this one would from {}: between them the standard would. Set it on that \
                 day, or with from = \"{today}\"",
                read.id, read.from
            )));
        }
        let mut stored = StoredInstruction {
            id: read.id.clone(),
            text: text.to_owned(),
            from: read.from,
            set_by: by.to_owned(),
            set_at: now,
            large: false,
            accepted: None,
            replaces_accepted: before.is_some_and(StoredInstruction::is_an_approvers),
        };
        let mut all: Vec<_> = known.all.iter().filter(|one| one.id != read.id).cloned().collect();
        if all.len() >= MAX_INSTRUCTIONS {
            return Err(CoreError::Precondition(format!(
                "a customer has at most {MAX_INSTRUCTIONS} instructions: remove one, or give their periods in one"
            )));
        }
        // One person alone does not undo what two have given.
        stored.large = self.must_fit(&all, read).await? || stored.replaces_accepted;
        all.push(stored);
        self.store.commit(self.keep_instructions(&known, &all).await?).await?;
        Ok(true)
    }

    /// Whether the policy in force lets an instruction in beside the others, and the purges can do as it says; and whether it
    /// strays far.
    async fn must_fit(&self, others: &[StoredInstruction], read: &Instruction) -> Result<bool, CoreError> {
        let standard = self.policy().await?;
        let refused = |refused: gallra_policy::Refused| CoreError::Invalid(refused.to_string());
        // By itself first: a contradiction with the others is theirs to tell.
        let alone = standard.with(read).map_err(refused)?;
        with_all(&standard, others.iter())?.policy.with(read).map_err(refused)?;
        let deviations = alone.instructions().last().map(|last| last.replaced.as_slice()).unwrap_or_default();
        for deviation in deviations {
            match record_turn(&standard, &alone, &deviation.rule) {
                // One customer's lines can be left where everybody's old ones go.
                Turn::Same | Turn::Longer => {}
                Turn::New | Turn::Shorter | Turn::Otherwise => {
                    return Err(CoreError::Precondition(format!(
                        "{}: records leave by their own age in one sweep for everybody, which can leave one customer's lines \
                         and cannot take them sooner or by another count: count from the contract's or the customer's end, \
                         and leave the record's period as the policy has it, or longer",
                        deviation.rule
                    )));
                }
            }
        }
        Ok(deviations.iter().any(|deviation| deviation.legal_review))
    }

    /// Removes an instruction: what it replaced holds again. One that an approver accepted, or that replaced such a one, only an
    /// approver removes: what it kept may go at once.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Precondition`] for the person.
    pub async fn remove_instruction(
        &self,
        number: &ExternalId,
        id: &str,
        by: impl Into<Remover<'_>>,
    ) -> Result<Set, CoreError> {
        let by: Remover<'_> = by.into();
        let customer = self.customer_numbered(number).await?;
        until_committed!(self.try_remove(&customer, id, by))?;
        self.follow_change(customer, id.to_owned(), true, by.name, "removed").await
    }

    async fn try_remove(&self, customer: &CustomerId, id: &str, by: Remover<'_>) -> Result<(), CoreError> {
        let known = self.known_instructions(customer).await?;
        let one = known.all.iter().find(|one| one.id == id).ok_or(CoreError::NotFound("instruction"))?;
        if one.is_an_approvers() && !by.approver {
            return Err(CoreError::Precondition(
                "an approver accepted this instruction, and what it keeps may be erased at once without it: ask an approver \
                 to remove it"
                    .into(),
            ));
        }
        let all: Vec<_> = known.all.iter().filter(|one| one.id != id).cloned().collect();
        self.store.commit(self.keep_instructions(&known, &all).await?).await?;
        Ok(())
    }

    /// Accepts the text of an instruction that strays far, by its digest: requests go on by it. Who set it may not.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Precondition`] for the person, where the text is another one than that which was
    /// looked at, and where nothing waits for an approver.
    pub async fn accept_instruction(
        &self,
        number: &ExternalId,
        id: &str,
        digest: Option<Digest>,
        by: &str,
    ) -> Result<Set, CoreError> {
        let customer = self.customer_numbered(number).await?;
        let changed = until_committed!(self.try_accept(&customer, (id, digest), by))?;
        self.follow_change(customer, id.to_owned(), changed, by, "accepted").await
    }

    /// Whether it was this call that accepted it.
    async fn try_accept(
        &self,
        customer: &CustomerId,
        (id, digest): (&str, Option<Digest>),
        by: &str,
    ) -> Result<bool, CoreError> {
        let known = self.known_instructions(customer).await?;
        let mut all = known.all.clone();
        let one = all.iter_mut().find(|one| one.id == id).ok_or(CoreError::NotFound("instruction"))?;
        // Another text may have come since somebody looked.
        if digest != Some(one.digest()) {
            return Err(CoreError::Precondition(
                "digest: it is not that of the text as it stands: look at what `gallra instruction list` shows now, and \
                 accept that by its digest"
                    .into(),
            ));
        }
        if one.accepted.is_some() {
            return Ok(false);
        }
        if one.set_by == by {
            return Err(CoreError::Precondition(
                "who set an instruction does not accept it: ask another approver".into(),
            ));
        }
        if !one.large && !self.waits_elsewhere(customer, id).await? {
            return Err(CoreError::Precondition("nothing to accept: the instruction does not stray far".into()));
        }
        one.accepted = Some(Accepted { by: by.to_owned(), at: self.time.now() });
        self.store.commit(self.keep_instructions(&known, &all).await?).await?;
        Ok(true)
    }

    /// Whether an instruction that was small when it was set strays far by now, or one of the customer's requests waits for
    /// somebody, by whose rules it may.
    async fn waits_elsewhere(&self, customer: &CustomerId, id: &str) -> Result<bool, CoreError> {
        if self.one_instruction(customer, id).await?.state == State::LegalReview {
            return Ok(true);
        }
        for request in self.requests_of_number(customer).await? {
            if state::load(&*self.store, &request).await?.view.request.facts.legal_review {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn customer_numbered(&self, number: &ExternalId) -> Result<CustomerId, CoreError> {
        Ok(self.find_customer(number).await?.ok_or(CoreError::NotFound("customer"))?.1.id)
    }

    /// Looks at the customer's requests after a change.
    async fn follow_change(
        &self,
        customer: CustomerId,
        id: String,
        changed: bool,
        by: &str,
        how: &'static str,
    ) -> Result<Set, CoreError> {
        // Read after the commit: a permit that was given before it is seen here, and after it none is given.
        let begun = self.begun_under_number(&customer).await?;
        if changed {
            tracing::info!(%customer, by, begun, how, "a customer's instructions changed");
            self.replan_customer(&customer).await;
            self.wake.notify_one();
        }
        Ok(Set { customer, id, begun })
    }

    /// Plans a customer's requests anew. What fails here is planned when its timer comes, and permits nothing until then.
    pub(crate) async fn replan_customer(&self, customer: &CustomerId) {
        let each = async {
            for request in self.requests_of_number(customer).await? {
                self.replan_or_log(&request).await;
            }
            Ok::<_, CoreError>(())
        };
        if let Err(error) = each.await {
            tracing::warn!(%customer, %error, "a customer's requests could not be looked at");
        }
    }

    async fn replan_or_log(&self, request: &RequestId) {
        if let Err(error) = self.replan(request).await {
            tracing::warn!(%request, %error, "no plan could be made under the customer's instructions");
        }
    }
}
