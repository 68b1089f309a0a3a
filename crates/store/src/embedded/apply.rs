//! One group of transactions on one engine transaction. Owns conditions and version numbers; upholds that a transaction
//! whose expectations fail leaves nothing behind and does no harm to its neighbours in the group.

use std::collections::BTreeSet;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table};

use super::error;
use super::file::{COUNTERS, ENTRIES, REVISION};
use crate::key::Key;
use crate::store::StoreError;
use crate::txn::{Revision, Txn, Write};

type Entries<'t> = Table<'t, &'static [u8], (u64, &'static [u8])>;

/// What became of a group that is durable.
pub(super) struct Applied {
    /// One for each transaction, in order.
    pub(super) outcomes: Vec<Result<Revision, StoreError>>,
    /// Keys that were written or removed, in order, doubles included.
    pub(super) changed: Vec<Key>,
}

/// Why a whole group failed.
pub(super) enum GroupFailed {
    /// Nothing was written.
    Before(redb::Error),
    /// The last step failed: what was written may be there.
    Committing(redb::Error),
}

impl GroupFailed {
    /// The answer to each member.
    pub(super) fn answer(&self) -> StoreError {
        let (Self::Before(source) | Self::Committing(source)) = self;
        let hint = error::hint(source);
        match self {
            Self::Before(_) => StoreError::Failed { during: "writing", hint },
            Self::Committing(_) => StoreError::Uncertain { hint },
        }
    }
}

/// Carries out a group, each member on what the ones before it left, and makes it durable in one go.
pub(super) fn apply<'t>(db: &Database, group: impl Iterator<Item = &'t Txn>) -> Result<Applied, GroupFailed> {
    let before = |source: redb::Error| GroupFailed::Before(source);
    let mut write = db.begin_write().map_err(|source| before(source.into()))?;
    write.set_durability(Durability::Immediate).map_err(|source| before(source.into()))?;
    // Saves the allocator's state with each commit: opening after a crash takes milliseconds, whatever the size.
    write.set_quick_repair(true);
    let applied = members(&write, group).map_err(before)?;
    if applied.changed.is_empty() {
        // Nothing to make durable: what the answers rest on was durable before.
        write.abort().map_err(|source| before(source.into()))?;
    } else {
        write.commit().map_err(|source| GroupFailed::Committing(source.into()))?;
    }
    Ok(applied)
}

fn members<'t>(write: &redb::WriteTransaction, group: impl Iterator<Item = &'t Txn>) -> Result<Applied, redb::Error> {
    let mut entries = write.open_table(ENTRIES)?;
    let mut counters = write.open_table(COUNTERS)?;
    let first = counters.get(REVISION)?.map_or(0, |value| value.value());
    let mut revision = first;
    let mut applied = Applied { outcomes: Vec::new(), changed: Vec::new() };
    for txn in group {
        let outcome = match failed_expectation(&entries, txn)? {
            Some(key) => Err(StoreError::Conflict { key }),
            None => {
                let changed = carry_out(&mut entries, txn, revision + 1)?;
                revision += u64::from(!changed.is_empty());
                applied.changed.extend(changed);
                Ok(Revision(revision))
            }
        };
        applied.outcomes.push(outcome);
    }
    if revision != first {
        counters.insert(REVISION, revision)?;
    }
    Ok(applied)
}

/// Makes these keys, and the revision, in `to` what they are in `from`. Durable when it returns.
pub(super) fn carry_over(from: &Database, to: &Database, keys: &BTreeSet<Key>) -> Result<(), redb::Error> {
    let read = from.begin_read()?;
    let (entries, counters) = (read.open_table(ENTRIES)?, read.open_table(COUNTERS)?);
    let mut write = to.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    {
        let mut copy = write.open_table(ENTRIES)?;
        for key in keys {
            match entries.get(key.as_bytes())? {
                Some(entry) => copy.insert(key.as_bytes(), entry.value())?,
                None => copy.remove(key.as_bytes())?,
            };
        }
        let revision = counters.get(REVISION)?.map_or(0, |value| value.value());
        write.open_table(COUNTERS)?.insert(REVISION, revision)?;
    }
    Ok(write.commit()?)
}

fn failed_expectation(entries: &Entries<'_>, txn: &Txn) -> Result<Option<Key>, redb::Error> {
    for (key, expect) in txn.expects() {
        let version = entries.get(key.as_bytes())?.map(|found| Revision(found.value().0));
        if !expect.holds(version) {
            return Ok(Some(key.clone()));
        }
    }
    Ok(None)
}

/// Makes the writes and returns the keys that they changed: removing what is not there changes nothing.
fn carry_out(entries: &mut Entries<'_>, txn: &Txn, version: u64) -> Result<Vec<Key>, redb::Error> {
    let mut changed = Vec::with_capacity(txn.writes().len());
    for write in txn.writes() {
        let is_change = match write {
            Write::Put { key, value } => {
                entries.insert(key.as_bytes(), (version, value.as_slice()))?;
                true
            }
            Write::Delete { key } => entries.remove(key.as_bytes())?.is_some(),
        };
        if is_change {
            changed.push(write.key().clone());
        }
    }
    Ok(changed)
}
