//! The agent's privileged half: carries out what `gallra_flow::agent::privileged` decides, one effect after the other.
//! Holds the journal, the drivers, the vault and the evidence key; refuses to know the network and the mTLS key. An
//! effect that fails ends the half: nothing after it is carried out, and the next start reads the journal (I4).

mod act;
mod crash;
mod newer;
mod note;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gallra_flow::agent::privileged::{Effect, Host, Input, Privileged, step};
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::job::JobSpec;
use gallra_model::journal::JournalMark;
use gallra_model::message::{ToCoordinator, ToPrivileged, ToSession};
use gallra_model::target::{Inventory, TargetId, TargetInfo};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_targets::Driver;

use crate::channel::{Closed, Next, PrivilegedEnd};
use crate::clock::{ClockError, Clocks};
use crate::config::Causes;
use crate::journal::{Journal, JournalError};
use crate::outbox::{Outbox, OutboxError};
use crate::suppression::{List, ListError};
use crate::vault::{Vault, VaultError};

/// How often the half looks up when nothing is said to it.
const TICK: Duration = Duration::from_secs(5);

/// Why the half ended.
#[derive(Debug, thiserror::Error)]
pub enum HalfError {
    /// The journal cannot be written or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The suppression list cannot be written.
    #[error(transparent)]
    Suppression(#[from] ListError),
    /// What came of a restore cannot be read or put away.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A handle could not be thrown away.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// No randomness.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A receipt could not be signed.
    #[error("a receipt could not be written: {0}")]
    Receipt(String),
    /// The session ended; not an error of this half.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// One target, opened.
pub struct Target {
    /// What is reported of it.
    pub info: TargetInfo,
    /// Who does it.
    pub driver: Box<dyn Driver>,
}

/// The keys of this half.
pub struct Keys {
    /// Signs receipts.
    pub evidence: SigningKey,
    /// Checks permits.
    pub permit: VerifyingKey,
    /// Check the causes of what is erased.
    pub causes: Causes,
}

/// Where the half's memory is.
pub struct Memory {
    /// The journal.
    pub journal: Journal,
    /// What it held when it was opened.
    pub records: Vec<gallra_flow::agent::record::Record>,
    /// What is kept for later.
    pub vault: Vault,
    /// What a restore must not bring back.
    pub suppression: List,
    /// What came of restores, and was not told yet.
    pub outbox: Outbox,
}

/// What a half is made of.
pub struct Setup {
    /// The host's decisions. `targets` in it is filled from the field below.
    pub host: Host,
    /// The targets, in the order of `agent.toml`.
    pub targets: Vec<Target>,
    /// How long an act may last under one permit.
    pub longest_act: Duration,
    /// Items that an act may erase in a second; unset: no limit.
    pub items_per_second: Option<u32>,
    /// Its keys.
    pub keys: Keys,
    /// Its memory.
    pub memory: Memory,
    /// Where time and randomness come from.
    pub clocks: Clocks,
}

/// The privileged half.
pub struct Half {
    state: Option<Privileged>,
    inventory: Inventory,
    drivers: BTreeMap<TargetId, Box<dyn Driver>>,
    longest_act: Duration,
    items_per_second: Option<u32>,
    keys: Keys,
    memory: Memory,
    clocks: Clocks,
    end: PrivilegedEnd,
    /// Where the journal stood when it was last said on this stream.
    said: Option<JournalMark>,
}

impl Half {
    /// A half that has done nothing yet.
    pub fn new(setup: Setup, end: PrivilegedEnd) -> Self {
        let Setup { mut host, targets, longest_act, items_per_second, keys, memory, clocks } = setup;
        let infos: Vec<TargetInfo> = targets.iter().map(|target| target.info.clone()).collect();
        host.targets = infos.iter().map(|info| (info.id.clone(), (info.kind, info.mode))).collect();
        let inventory =
            Inventory { agent: host.agent.clone(), evidence_key: keys.evidence.verifying().to_hex(), targets: infos };
        let drivers = targets.into_iter().map(|target| (target.info.id, target.driver)).collect();
        let state = Some(Privileged::new(host));
        Self { state, inventory, drivers, longest_act, items_per_second, keys, memory, clocks, end, said: None }
    }

    /// Works until the session ends.
    ///
    /// # Errors
    /// What ended it, if not the session.
    pub fn run(mut self) -> Result<(), HalfError> {
        match self.work() {
            Err(HalfError::Closed(Closed)) => Ok(()),
            other => other,
        }
    }

    fn work(&mut self) -> Result<(), HalfError> {
        let records = std::mem::take(&mut self.memory.records);
        self.take(Input::Restarted(records))?;
        let generation = self.state.as_ref().map_or(0, Privileged::generation);
        self.end.say(&ToSession::Ready { inventory: self.inventory.clone(), generation })?;
        loop {
            match self.end.next(TICK) {
                Next::Message(message) => self.hear(message)?,
                Next::Idle => self.take(Input::Tick)?,
                Next::Malformed => tracing::error!("the session wrote a line that is no message: ignored"),
                Next::Closed => return Ok(()),
            }
        }
    }

    fn hear(&mut self, message: ToPrivileged) -> Result<(), HalfError> {
        if matches!(message, ToPrivileged::Connected { .. }) {
            self.said = None;
            self.say_mark()?;
            // Before the list: the coordinator drops no entry from it while what a restore brought back is there.
            let restores = self.memory.outbox.begin()?;
            self.say_restores(restores)?;
            let through = self.memory.suppression.known().through();
            self.end.say(&ToSession::Say(ToCoordinator::Suppression { through }))?;
        }
        if let ToPrivileged::Suppression { line, key } = &message {
            let now = (self.clocks)()?.now;
            note::listed(self.memory.suppression.take(line, key.as_ref(), now)?);
        } else if let ToPrivileged::RestoreHeard { statement, refused } = &message {
            let restores = self.memory.outbox.heard(*statement, refused.as_deref())?;
            self.say_restores(restores)?;
        } else if let Some(input) = self.input_of(message) {
            self.take(input)?;
        }
        Ok(())
    }

    fn say_restores(&self, restores: Vec<Envelope>) -> Result<(), HalfError> {
        for envelope in restores {
            self.end.say(&ToSession::Say(ToCoordinator::Restore { envelope }))?;
        }
        Ok(())
    }

    /// Takes one input, and whatever its effects answer with.
    fn take(&mut self, input: Input) -> Result<(), HalfError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let moment = (self.clocks)()?;
            let state = self.state.take().ok_or(Closed)?;
            let (state, effects) = step(state, input, &moment);
            self.state = Some(state);
            for effect in effects {
                inputs.extend(self.carry_out(effect)?);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<Option<Input>, HalfError> {
        match effect {
            Effect::Journal(record) => crash::around(&record, || self.memory.journal.append(&record))?,
            Effect::Compact => self.memory.journal.compact()?,
            Effect::Discard(handle) => self.memory.vault.discard(handle)?,
            Effect::Note(note) => note::log(note),
            Effect::Say(message) => self.say(message)?,
            Effect::Act(act) => {
                let outcome = self.act(&act)?;
                crash::acted(&act);
                return Ok(Some(Input::Acted(Box::new(outcome))));
            }
            Effect::Sign(receipt, again) => {
                let wrong = |error: &dyn std::fmt::Display| HalfError::Receipt(error.to_string());
                let envelope =
                    gallra_proof::receipt::sign(&receipt, again, &self.keys.evidence).map_err(|e| wrong(&e))?;
                let digest = gallra_proof::dsse::payload_digest(&envelope).map_err(|e| wrong(&e))?;
                let (job, attempt, done) = (receipt.job, receipt.attempt, receipt.ends_its_job());
                note::signed(&receipt);
                return Ok(Some(Input::Signed { job, attempt, receipt: digest, envelope, done }));
            }
        }
        Ok(None)
    }

    /// Before the first stream there is nobody to tell: the journal has it, and it is said when there is. Where the journal
    /// stands goes before it, so that a permit never follows from a journal that went back.
    fn say(&mut self, message: ToCoordinator) -> Result<(), HalfError> {
        // An asking says what this machine's clock says, too.
        if matches!(message, ToCoordinator::AskBegin { .. }) {
            self.said = None;
        }
        self.say_mark()?;
        Ok(self.end.say(&ToSession::Say(message))?)
    }

    fn say_mark(&mut self) -> Result<(), HalfError> {
        let mark = self.memory.journal.mark();
        if self.said != Some(mark) {
            let now = (self.clocks)()?.now;
            self.end.say(&ToSession::Say(ToCoordinator::Journal { mark, now }))?;
            self.said = Some(mark);
        }
        Ok(())
    }

    /// A message of the session as an input; what cannot be understood is logged and dropped.
    fn input_of(&self, message: ToPrivileged) -> Option<Input> {
        Some(match message {
            ToPrivileged::Connected { generation, clock, now } => Input::Connected { generation, clock, now },
            ToPrivileged::ClockMoved { now } => Input::ClockMoved(now),
            ToPrivileged::Offer { spec } => match serde_json::from_str::<JobSpec>(&spec) {
                Ok(parsed) => {
                    let trusted = parsed.cause.as_ref().and_then(|backing| self.keys.causes.open(&backing.envelope));
                    Input::Offered(Box::new(parsed), Digest::of(spec.as_bytes()), trusted.map(Box::new))
                }
                // The parser's own words may quote the offer, and an offer names a customer.
                Err(_) => {
                    let Some(outline) = newer::outline(&spec) else {
                        tracing::warn!("an offer that is no job of this version: ignored; upgrade gallra-agent");
                        return None;
                    };
                    Input::NotUnderstood(Box::new(outline), Digest::of(spec.as_bytes()))
                }
            },
            ToPrivileged::Permitted { permit } => match gallra_proof::permit::open(&permit, &self.keys.permit) {
                Ok((permit, digest)) => Input::Permitted(Box::new(permit), digest),
                Err(error) => {
                    tracing::warn!(%error, "a permit that does not check");
                    Input::PermitBad(newer::claimed_job(&permit))
                }
            },
            ToPrivileged::Denied { job, nonce, reason } => Input::Denied(job, nonce, reason),
            ToPrivileged::ReceiptStored { receipt } => Input::ReceiptStored(receipt),
            ToPrivileged::Order { order } => match newer::order(&order, &self.keys.permit) {
                Ok(order) => Input::Ordered(Box::new(order)),
                Err(error) => {
                    tracing::warn!(%error, "an order that does not check: ignored");
                    return None;
                }
            },
            ToPrivileged::Withdraw { job } => Input::Withdrawn(job),
            // Taken by the list and by the outbox, not by the machine.
            ToPrivileged::Suppression { .. } | ToPrivileged::RestoreHeard { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests;
