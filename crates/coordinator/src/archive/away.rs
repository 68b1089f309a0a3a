//! Moves one request's records out of the store, and back. Owns the order: first nobody writes them any more, then the file is on the
//! disk, then one transaction names it and removes the first of them, then the rest go; back again the other way round, the pointer last.
//! Each transaction expects the pointer as it was read, so that of two who move the same request one goes on.

use gallra_model::{Digest, RequestId};
use gallra_store::txn::{MAX_TXN_BYTES, MAX_TXN_OPS};
use gallra_store::{Entry, Expect, KeyPrefix, Revision, Store, StoreError, Txn, keys};

use super::file::{self, Records};
use super::{Archive, Away, Pointer, folder};
use crate::core::random;
use crate::error::CoreError;
use crate::state;

/// Records removed in one transaction: each is expected as it was read, and the pointer beside them.
const BATCH: usize = MAX_TXN_OPS - 1;
/// Tries to put records back while others do the same.
const MAX_TRIES: usize = 16;

/// What became of a request that may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It left.
    Yes,
    /// It stays: something of it is younger, or somebody was faster.
    Not,
}

/// A request's pointer.
///
/// # Errors
/// The store's; one that cannot be read.
pub(super) async fn pointer(store: &dyn Store, id: &RequestId) -> Result<Option<(Entry, Pointer)>, StoreError> {
    let Some(entry) = store.get(&keys::archived(id)).await? else { return Ok(None) };
    let pointer = opened(&entry)?;
    Ok(Some((entry, pointer)))
}

/// What a pointer's entry says.
///
/// # Errors
/// One that cannot be read.
pub(super) fn opened(entry: &Entry) -> Result<Pointer, StoreError> {
    serde_json::from_slice(&entry.value).map_err(|_| StoreError::Archive {
        hint: format!("{} in the store is damaged, or of a newer version of this program", entry.key),
    })
}

fn written(pointer: &Pointer) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(pointer).map_err(|error| StoreError::Archive { hint: error.to_string() })
}

impl Archive {
    /// Moves a request's records into a file, if all of them may go. `row` is the request's own as it was read, `before` its pointer,
    /// where an earlier try was cut off.
    ///
    /// # Errors
    /// The store's, the disk's; the records are in the store then, or in the file that the store names.
    pub(super) async fn put_away(
        &self,
        store: &dyn Store,
        (id, row, before): (&RequestId, &Entry, Option<&Entry>),
        may_go: impl Fn(&Records) -> Result<bool, CoreError>,
    ) -> Result<Left, CoreError> {
        let at = keys::archived(id);
        let lock = Txn::new().expect_as_read(&row.key, Some(row)).expect_as_read(&at, before);
        match store.commit(lock.put(at.clone(), written(&Pointer::Leaving)?)).await {
            Err(StoreError::Conflict { .. }) => return Ok(Left::Not),
            done => done?,
        };
        self.forget_open(id);
        gallra_crash::point("archive_locked");
        match self.write_down(store, id, may_go).await {
            Ok(Some(left)) => Ok(left),
            // It stays. An error is told after the records can be written again.
            stays => {
                self.put_back(store, id).await?;
                stays.map(|_| Left::Not)
            }
        }
    }

    /// The part in which nobody writes the records. Nothing, where they stay.
    async fn write_down(
        &self,
        store: &dyn Store,
        id: &RequestId,
        may_go: impl Fn(&Records) -> Result<bool, CoreError>,
    ) -> Result<Option<Left>, CoreError> {
        let Some((locked, Pointer::Leaving)) = pointer(store, id).await? else { return Ok(Some(Left::Not)) };
        let entries = gather(store, id).await?;
        let records: Records = entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        if records.is_empty() || !may_go(&records)? {
            return Ok(None);
        }
        let bytes = match file::pack(id, &records) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(request = %id, %error, "a finished request stays in the store");
                return Ok(None);
            }
        };
        let name = folder::name(id, random()?);
        let mut away = Away {
            file: name.clone(),
            digest: Digest::of(&bytes),
            bytes: bytes.len() as u64,
            clearing: entries.len() > BATCH,
        };
        let folder = self.folder.clone();
        let write = tokio::task::spawn_blocking(move || folder.write(&name, &bytes)).await;
        write.map_err(std::io::Error::other).flatten().map_err(|error| StoreError::Archive {
            hint: format!("a file cannot be written in {}: {error}", self.folder.root().display()),
        })?;
        gallra_crash::point("archive_written");
        let mut batches = entries.chunks(BATCH);
        let first = removal(batches.next().unwrap_or_default());
        let first = first.expect_as_read(&locked.key, Some(&locked));
        let mut version =
            match store.commit(first.put(locked.key.clone(), written(&Pointer::Away(away.clone()))?)).await {
                Err(StoreError::Conflict { .. }) => return Ok(Some(Left::Not)),
                done => done?,
            };
        gallra_crash::point("archive_named");
        for batch in batches {
            let txn = removal(batch).expect(locked.key.clone(), Expect::Version(version));
            match store.commit(txn).await {
                Err(StoreError::Conflict { .. }) => return Ok(Some(Left::Not)),
                done => done?,
            };
        }
        if std::mem::take(&mut away.clearing) {
            version = self.settle(store, id, version, away).await?;
        }
        tracing::debug!(request = %id, records = entries.len(), %version, "a finished request left the store");
        Ok(Some(Left::Yes))
    }

    async fn settle(
        &self,
        store: &dyn Store,
        id: &RequestId,
        version: Revision,
        away: Away,
    ) -> Result<Revision, StoreError> {
        let at = keys::archived(id);
        let txn = Txn::new().expect(at.clone(), Expect::Version(version));
        store.commit(txn.put(at, written(&Pointer::Away(away))?)).await
    }

    /// Removes from the store what a move that was cut off left there beside the file.
    ///
    /// # Errors
    /// The store's, the file's; a conflict where somebody moves the request meanwhile.
    pub(super) async fn clear(&self, store: &dyn Store, id: &RequestId) -> Result<(), StoreError> {
        let Some((entry, Pointer::Away(away))) = pointer(store, id).await? else { return Ok(()) };
        // Read whole once more: nothing is removed for a file that is not there.
        let records = self.read(id, &away).await?;
        let keys: Vec<_> = records.keys().cloned().collect();
        // First, so that somebody who is putting the records back meanwhile ends here, and does not end with what this removes.
        let version = self.settle(store, id, entry.version, Away { clearing: true, ..away.clone() }).await?;
        for batch in keys.chunks(BATCH) {
            let txn = Txn::new().expect(entry.key.clone(), Expect::Version(version));
            store.commit(batch.iter().fold(txn, |txn, key| txn.delete(key.clone()))).await?;
        }
        self.settle(store, id, version, Away { clearing: false, ..away }).await.map(drop)
    }

    /// Puts a request's records back into the store, so that they can be written; nothing where they are there.
    ///
    /// # Errors
    /// The store's; [`StoreError::Archive`] where the file is not as it was written: then all stays as it is.
    pub(crate) async fn put_back(&self, store: &dyn Store, id: &RequestId) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            let Some((entry, pointer)) = pointer(store, id).await? else { return Ok(()) };
            let done = match pointer {
                Pointer::Leaving => {
                    let txn = Txn::new().expect_as_read(&entry.key, Some(&entry));
                    store.commit(txn.delete(entry.key)).await.map(drop)
                }
                Pointer::Away(away) => self.recall(store, id, &entry, away).await,
            };
            match done {
                Err(StoreError::Conflict { .. }) => {}
                done => return done,
            }
        }
        Err(StoreError::Conflict { key: keys::archived(id) })
    }

    async fn recall(&self, store: &dyn Store, id: &RequestId, read: &Entry, away: Away) -> Result<(), StoreError> {
        let records = self.read(id, &away).await?;
        let folder = self.folder.clone();
        let name = away.file.clone();
        // Older backups of the store name it for some weeks yet. One that cannot be touched is there all the same.
        let touched = tokio::task::spawn_blocking(move || folder.touch(&name)).await;
        if let Err(error) = touched.map_err(std::io::Error::other).flatten() {
            tracing::warn!(request = %id, %error, "an archive's file that is left behind may go before backups that name it");
        }
        let mut version = read.version;
        let mut batches = batches(&records);
        let last = batches.pop().unwrap_or_default();
        if !batches.is_empty() {
            version = self.settle(store, id, version, Away { clearing: true, ..away }).await?;
        }
        let at = keys::archived(id);
        for batch in batches {
            store.commit(batch.expect(at.clone(), Expect::Version(version))).await?;
            gallra_crash::point("archive_recalling");
        }
        store.commit(last.expect(at.clone(), Expect::Version(version)).delete(at)).await?;
        tracing::info!(request = %id, "a finished request is in the store again: something is said of it");
        Ok(())
    }
}

/// All records of a request that leave with it.
async fn gather(store: &dyn Store, id: &RequestId) -> Result<Vec<Entry>, CoreError> {
    let mut all: Vec<Entry> = store.get(&keys::asked(id)).await?.into_iter().collect();
    let prefixes: [KeyPrefix; 7] = [
        keys::plans_of(id),
        keys::jobs_of(id),
        keys::receipts_of(id),
        keys::restores_of(id),
        keys::copies_of(id),
        keys::proofs_of(id),
        keys::statements_of(id),
    ];
    for prefix in prefixes {
        all.extend(state::entries(store, &prefix).await?);
    }
    Ok(all)
}

fn removal(entries: &[Entry]) -> Txn {
    entries.iter().fold(Txn::new(), |txn, entry| txn.expect_as_read(&entry.key, Some(entry)).delete(entry.key.clone()))
}

/// Transactions that put all records, each with room for the pointer.
fn batches(records: &Records) -> Vec<Txn> {
    let mut all = vec![Txn::new()];
    for (key, value) in records {
        let bytes = key.as_bytes().len() + value.len() + 2 * gallra_store::key::MAX_KEY_BYTES;
        if !all.last().is_some_and(|txn| txn.writes().len() < BATCH && txn.bytes() + bytes <= MAX_TXN_BYTES) {
            all.push(Txn::new());
        }
        if let Some(last) = all.pop() {
            all.push(last.put(key.clone(), value.clone()));
        }
    }
    all
}
