//! Suppression lists (decision 8): every erasure that settles leaves an entry in the transaction that stores its receipt, so
//! that no restore brings the subject back. Opens an identifier for the moment in which its tag is made, and keeps and logs
//! none. Who lifts, what holds cover and what is needed no longer become further lines; the agent's stream says them all.

mod follow;
mod lift;

use gallra_flow::job::settles;
use gallra_model::cause::Backing;
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::receipt::Receipt;
use gallra_model::suppression::{Entry, Item, Line, Month, MonthKey, first_sequence};
use gallra_model::{AgentName, Instant, RequestId, SuppressionId};
use gallra_planted::Bug;
use gallra_store::{Entry as Record, Txn, keys};
use tokio::sync::{Mutex, MutexGuard};

use crate::core::{Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::restores::Erasure;
use crate::state;

/// Lines read at once for a stream.
const PAGE: usize = 200;

/// Sequences are given one after the other: two receipts at once would only make each other repeat.
static TURN: Mutex<()> = Mutex::const_new(());

/// To be held while a receipt that leaves an entry is taken; none for any other.
pub async fn turn(receipt: &Receipt) -> Option<MutexGuard<'static, ()>> {
    if leaves_entry(receipt) { Some(TURN.lock().await) } else { None }
}

fn leaves_entry(receipt: &Receipt) -> bool {
    receipt.action == Action::Erase && settles(receipt)
}

/// One line as it is stored.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Its sequence.
    pub sequence: u64,
    /// What it says.
    pub item: Item,
    /// Entries: whose erasure it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Entries: whether the newest line about it says that a hold covers it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Entries: who lifted it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// How an entry was lifted.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifted {
    /// The name in the caller's certificate.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why; names nobody.
    pub reason: String,
}

impl Stored {
    fn line(sequence: u64, item: Item) -> Self {
        Self { sequence, item, request: None, held: false, lifted: None }
    }

    /// The entry that it is.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.item {
            Item::Entry(entry) => Some(entry),
            Item::Lift(_) | Item::Hold { .. } | Item::Drop { .. } | Item::Complete { .. } => None,
        }
    }

    /// The entry that it is about.
    fn about(&self) -> Option<SuppressionId> {
        match &self.item {
            Item::Entry(entry) => Some(entry.id),
            Item::Lift(lift) => Some(lift.entry),
            Item::Hold { entry, .. } | Item::Drop { entry } => Some(*entry),
            Item::Complete { .. } => None,
        }
    }
}

/// Lines that are being added to an agent's list in one transaction.
struct Adding<'a> {
    agent: &'a AgentName,
    head: Option<Record>,
    next: u64,
    txn: Txn,
}

impl Adding<'_> {
    fn add(&mut self, line: impl FnOnce(u64) -> Stored) -> Result<(), CoreError> {
        let stored = line(self.next);
        let txn = std::mem::take(&mut self.txn);
        self.txn = txn.create(keys::suppression(self.agent, self.next), encode(&stored)?);
        self.next += 1;
        Ok(())
    }

    fn done(self) -> Result<Txn, CoreError> {
        let key = keys::suppression_head(self.agent);
        Ok(self.txn.expect_as_read(&key, self.head.as_ref()).put(key, encode(&(self.next - 1))?))
    }
}

fn crypto(error: impl std::fmt::Display) -> CoreError {
    CoreError::Crypto(error.to_string())
}

impl Core {
    async fn adding<'a>(&self, agent: &'a AgentName, txn: Txn) -> Result<Adding<'a>, CoreError> {
        let head = self.store.get(&keys::suppression_head(agent)).await?;
        let last: u64 = head.as_ref().map_or(Ok(0), |head| decode("suppression head", &head.value))?;
        Ok(Adding { agent, head, next: (last + 1).max(first_sequence(self.generation)), txn })
    }

    /// Adds the entry that a receipt leaves to the transaction that stores it. A receipt is stored whatever becomes of its
    /// entry: identifiers that cannot be opened are an error in the log, not a receipt that is lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn with_suppression(&self, id: &RequestId, receipt: &Receipt, txn: Txn) -> Result<Txn, CoreError> {
        if !leaves_entry(receipt) || gallra_planted::is(Bug::SuppressionLost) {
            return Ok(txn);
        }
        let entry = match self.entry_of(id, receipt).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(txn),
            Err(error @ CoreError::Store(_)) => return Err(error),
            Err(error) => {
                tracing::error!(job = %receipt.job, %error, "an erasure leaves no suppression entry: a restore could bring it back");
                return Ok(txn);
            }
        };
        // Stays when the entry is dropped: an agent that was not connected may tell of a restore only then.
        let erasure = Erasure { request: *id, agent: receipt.agent.clone(), target: receipt.target.clone() };
        let txn = txn.put(keys::suppression_entry(&entry.digest().map_err(crypto)?), encode(&erasure)?);
        let mut adding = self.adding(&receipt.agent, txn).await?;
        adding.add(|sequence| Stored { request: Some(*id), ..Stored::line(sequence, Item::Entry(entry)) })?;
        adding.done()
    }

    async fn entry_of(&self, id: &RequestId, receipt: &Receipt) -> Result<Option<Entry>, CoreError> {
        let view = state::load(&*self.store, id).await?.view;
        let Some(job) = view.job(receipt.job) else { return Ok(None) };
        let scope = self.target(&receipt.agent, &receipt.target).await?.scope;
        let (selector, _) = self.selector(&view, scope).await?;
        let month = Month::of(self.time.now());
        let key = self.keyring.month_key(month).map_err(crypto)?;
        let Some(tag) = key.tag(&receipt.agent, &receipt.target, &selector) else { return Ok(None) };
        let id = SuppressionId::at(self.time.now(), random()?);
        let cause = self.backing(&view, scope).await?;
        Ok(Some(Entry {
            id,
            month,
            key: key.name(),
            tag,
            target: receipt.target.clone(),
            erased: receipt.finished,
            rule: job.step.rule.clone(),
            cause: cause.map(|cause| Backing { salt: cause.salt.map(|salt| key.veil(&id, salt)), ..cause }),
            generation: self.generation,
            clock: receipt.clock,
        }))
    }

    /// The lines of an agent's list after a sequence, some at a time; none when there are no more.
    ///
    /// # Errors
    /// The store's.
    pub async fn suppressions_after(&self, agent: &AgentName, sequence: u64) -> Result<Vec<(u64, Item)>, CoreError> {
        let page = self.store.range(&keys::suppressions_after(agent, sequence), PAGE).await?;
        let lines = page.entries.iter().map(|entry| decode::<Stored>("suppression", &entry.value));
        lines.map(|line| line.map(|line| (line.sequence, line.item))).collect()
    }

    /// One line, signed for this agent after the line that it was told before, and the key that an entry needs.
    ///
    /// # Errors
    /// The signature's, or a key file that cannot be read.
    pub fn suppression_line(
        &self,
        agent: &AgentName,
        (sequence, after): (u64, u64),
        item: Item,
    ) -> Result<(Envelope, Option<MonthKey>), CoreError> {
        let key = match &item {
            Item::Entry(entry) => self.keyring.find_month_key(entry.month).map_err(crypto)?,
            Item::Lift(_) | Item::Hold { .. } | Item::Drop { .. } | Item::Complete { .. } => None,
        };
        let line = Line { agent: agent.clone(), sequence, after, item };
        let signed = gallra_proof::suppression::sign(&line, &self.permits).map_err(crypto)?;
        Ok((signed, key))
    }

    /// Takes an agent's word on how far its list goes: a coordinator that was restored counts on from there. What only told
    /// the agent to forget is forgotten here too, once the agent has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn adopt_suppressions(&self, agent: &AgentName, through: u64) -> Result<(), CoreError> {
        let _turn = TURN.lock().await;
        until_committed!(self.try_adopt(agent, through))
    }

    async fn try_adopt(&self, agent: &AgentName, through: u64) -> Result<(), CoreError> {
        let mut adding = self.adding(agent, Txn::new()).await?;
        let known = self.lines_of(agent).await?;
        let over = known.iter().filter(|(_, line)| line.sequence <= through && matches!(line.item, Item::Drop { .. }));
        let mut txn = std::mem::take(&mut adding.txn);
        let mut any = false;
        for (record, _) in over.take(PAGE / 4) {
            (txn, any) = (txn.delete(record.key.clone()), true);
        }
        adding.txn = txn;
        if adding.next > through && !any {
            return Ok(());
        }
        adding.next = adding.next.max(through + 1);
        self.store.commit(adding.done()?).await?;
        Ok(())
    }

    async fn lines_of(&self, agent: &AgentName) -> Result<Vec<(Record, Stored)>, CoreError> {
        let records = state::entries(&*self.store, &keys::suppressions_of(agent)).await?;
        records.into_iter().map(|record| decode("suppression", &record.value).map(|line| (record, line))).collect()
    }
}
