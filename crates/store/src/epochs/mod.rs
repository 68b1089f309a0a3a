//! Turning key epochs (decision 12): what was destroyed becomes unreadable everywhere no later than 31 days after (I12).
//!
//! Owns the order in which an old epoch's keys are replaced and destroyed, and what is stored of it (`meta/epoch`).
//! Refuses to know what a sealed value means: whoever calls says by what it is found. Upholds that a turning resumes from
//! any crash, that nothing is unfindable or unreadable while it goes on, and that no key is destroyed before everything
//! live is under the new one *and* in a backup that was read back. `docs/decisions/0011-key-epochs.md`.
//!
//! The leader calls [`Turning::turn`] with each pass; it does a bounded piece of work and says how far it is.

mod due;
mod effects;
mod error;
mod gathered;
mod record;
mod work;

use gallra_model::Instant;
use zeroize::Zeroizing;

use crate::key::Key;
use crate::keyring::{Epoch, Keyring};
use crate::keys::{self, Family, IndexKind, What};
use crate::store::{Entry, Store, StoreError};
use crate::txn::{Expect, Txn};

pub use due::{Due, epoch_due};
pub use effects::{Effects, OnDisk};
pub use error::TurnError;
pub use gathered::Gathered;
pub use record::{EpochRecord, Stage, Turn};

use record::Next;
use work::Left;

/// By what a sealed value's subject is found: the indexes to keep, with the identifiers in the form that is looked up.
pub type Names = dyn Fn(What, &[u8]) -> Vec<(IndexKind, Zeroizing<String>)> + Send + Sync;

/// What a turning needs.
pub struct Turning<'t> {
    /// All state.
    pub store: &'t dyn Store,
    /// The keys.
    pub keyring: &'t Keyring,
    /// Key files, copies, the store's file.
    pub effects: &'t dyn Effects,
    /// By what a sealed value's subject is found.
    pub names: &'t Names,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing to do for so many seconds.
    NotDue {
        /// Until the current epoch is due.
        seconds: i64,
    },
    /// The budget is spent and there is more to do: call again. `due` says how the old epoch stands.
    Working {
        /// Anything past [`Due::Now`] concerns a person.
        due: Due,
    },
    /// The old epoch's keys are destroyed and nothing of it is left; this one is current.
    Turned {
        /// The epoch that is current now.
        epoch: Epoch,
    },
}

impl Turning<'_> {
    /// Does at most `budget` steps: a step is one page of one transaction, or one effect.
    ///
    /// # Errors
    /// Whatever stopped a step. Nothing is undone and nothing lost by it: the next call goes on where the store says.
    pub async fn turn(&self, now: Instant, budget: usize) -> Result<Progress, TurnError> {
        for _ in 0..budget {
            match self.step(now).await {
                // Somebody changed what was read; the next step reads it again.
                Ok(None) | Err(TurnError::Store(StoreError::Conflict { .. })) => {}
                Ok(Some(done)) => return Ok(done),
                Err(error) => return Err(error),
            }
        }
        let due = self.record().await?.map_or(Due::Now, |(_, record)| epoch_due(record.since, now));
        Ok(Progress::Working { due })
    }

    async fn record(&self) -> Result<Option<(Entry, EpochRecord)>, TurnError> {
        let Some(entry) = self.store.get(&keys::meta_epoch()).await? else { return Ok(None) };
        let record = serde_json::from_slice(&entry.value).map_err(|error| TurnError::Record(error.to_string()))?;
        Ok(Some((entry, record)))
    }

    /// One step. Returns what there is to say once there is nothing to do.
    async fn step(&self, now: Instant) -> Result<Option<Progress>, TurnError> {
        self.keyring.learn(self.store).await?;
        let Some((entry, record)) = self.record().await? else {
            self.first_record(now).await?;
            return Ok(None);
        };
        match record::next(&record, self.keyring.epoch(), now) {
            Next::Wait(seconds) => Ok(Some(Progress::NotDue { seconds })),
            Next::Begin(begun) => {
                self.store_record(Txn::new(), &entry, &begun).await?;
                Ok(None)
            }
            Next::Go(turn) => self.go(&entry, &record, turn).await,
        }
    }

    /// The first record of a store. Where keys are wrapped already their age is not known: then the epoch is due at once.
    async fn first_record(&self, now: Instant) -> Result<(), TurnError> {
        let unused = self.none_under(&Family::SubjectKey.prefix()).await?;
        let since = if unused { now } else { Instant::UNIX_EPOCH };
        let epoch = self.keyring.epochs().last().copied().unwrap_or(Epoch::FIRST);
        let record = EpochRecord { epoch, since, turning: None };
        self.commit(Txn::new().create(keys::meta_epoch(), encode(&record)?)).await
    }

    async fn go(&self, entry: &Entry, record: &EpochRecord, turn: Turn) -> Result<Option<Progress>, TurnError> {
        let to = turn.to;
        let old = self.older_than(to, record.epoch);
        let at = |stage| EpochRecord { turning: Some(Turn { stage, ..turn.clone() }), ..record.clone() };
        match &turn.stage {
            Stage::Key => {
                self.effects.make_key(self.keyring, to).await?;
                let closed = old.iter().fold(Txn::new(), |txn, old| txn.put(keys::meta_closed_epoch(*old), ""));
                self.store_record(closed, entry, &at(Stage::Rewrap)).await?;
                // Not before: of two who claim one identifier under two epochs neither would see the other.
                self.keyring.go_over(to)?;
            }
            Stage::Rewrap => {
                self.keyring.go_over(to)?;
                if self.rewrap(&old, to).await? == Left::Nothing {
                    self.store_record(Txn::new(), entry, &at(Stage::Index { after: None })).await?;
                }
            }
            Stage::Index { after } => {
                let after =
                    after.as_deref().map(Key::parse).transpose().map_err(|e| TurnError::Record(e.to_string()))?;
                let next = match self.index(after.as_ref(), &old, to).await? {
                    Left::Nothing => Stage::Sweep,
                    Left::More(last) => Stage::Index { after: last.map(|key| key.as_str().to_owned()) },
                };
                self.store_record(Txn::new(), entry, &at(next)).await?;
            }
            Stage::Sweep => {
                if self.sweep(&old).await? == Left::Nothing {
                    self.store_record(Txn::new(), entry, &at(Stage::BackUp)).await?;
                }
            }
            Stage::BackUp => {
                self.effects.back_up(self.keyring, to, turn.began).await?;
                self.store_record(Txn::new(), entry, &at(Stage::Destroy)).await?;
            }
            Stage::Destroy => {
                let next = self.destroy(&old).await?;
                self.store_record(Txn::new(), entry, &at(next)).await?;
            }
            Stage::Clean => {
                self.effects.remove_backups_before(to).await?;
                self.store_record(Txn::new(), entry, &at(Stage::Rewrite)).await?;
            }
            Stage::Rewrite => {
                self.effects.rewrite().await?;
                let turned = EpochRecord { epoch: to, since: turn.began, turning: None };
                self.store_record(Txn::new(), entry, &turned).await?;
                return Ok(Some(Progress::Turned { epoch: to }));
            }
        }
        Ok(None)
    }

    /// Destroys the old keys, unless something is still under them: that would be lost.
    async fn destroy(&self, old: &[Epoch]) -> Result<Stage, TurnError> {
        if !self.is_empty(old).await? {
            tracing::error!("something was written under a closed key epoch; it is rewrapped first");
            return Ok(Stage::Rewrap);
        }
        for epoch in old {
            self.effects.destroy_key(self.keyring, *epoch).await?;
        }
        Ok(Stage::Clean)
    }

    /// Every epoch that ends: the one that was current, and whatever else has keys here.
    fn older_than(&self, to: Epoch, current: Epoch) -> Vec<Epoch> {
        let mut old: Vec<Epoch> = self.keyring.epochs();
        old.push(current);
        old.retain(|epoch| *epoch < to);
        old.sort_unstable();
        old.dedup();
        old
    }

    /// Stores how far it is, expecting the record as it was read: of two that turn, one goes on.
    async fn store_record(&self, txn: Txn, read: &Entry, record: &EpochRecord) -> Result<(), TurnError> {
        let txn = txn.expect(read.key.clone(), Expect::Version(read.version));
        self.commit(txn.put(read.key.clone(), encode(record)?)).await
    }
}

fn encode(record: &EpochRecord) -> Result<Vec<u8>, TurnError> {
    serde_json::to_vec(record).map_err(|error| TurnError::Record(error.to_string()))
}

#[cfg(test)]
mod tests;
