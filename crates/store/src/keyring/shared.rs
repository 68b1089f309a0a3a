//! Index entries that several subjects share. Upholds that whoever changes one has read all that is under any epoch, and
//! that afterwards it is under the current one only, so that a turning moves all of it or nothing.

use super::{Keyring, blind};
use crate::key::Key;
use crate::keys::{self, IndexKind};
use crate::store::{Entry, Store, StoreError};
use crate::txn::{Expect, Txn};

/// A shared index entry as it was read.
#[derive(Debug)]
pub struct Shared {
    /// Its name under each epoch that is here, the current one's first, and what stands there.
    read: Vec<(Key, Option<Entry>)>,
    fence: Key,
}

impl Keyring {
    /// Reads a shared index entry. Of two who add to one while an epoch begins, the later must begin to read after the earlier
    /// has committed: their transactions may not meet.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_shared(&self, store: &dyn Store, kind: IndexKind, value: &str) -> Result<Shared, StoreError> {
        self.learn(store).await?;
        let held = self.held();
        let fence = keys::meta_closed_epoch(held.current.epoch);
        let names: Vec<_> = held.newest_first().map(|keys| blind::index(keys, kind, value)).collect();
        let mut read = Vec::with_capacity(names.len());
        for name in names {
            let entry = store.get(&name).await?;
            read.push((name, entry));
        }
        Ok(Shared { read, fence })
    }
}

impl Shared {
    /// What stands there, newest first.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.read.iter().filter_map(|(_, entry)| entry.as_ref()).map(|entry| entry.value.as_slice())
    }

    /// Writes another value instead, or none. The transaction fails if anything of it changed since it was read, or its epoch
    /// is closed.
    #[must_use]
    pub fn replace_in(self, txn: Txn, value: Option<Vec<u8>>) -> Txn {
        let mut txn = txn.expect(self.fence, Expect::Absent);
        let mut value = value;
        for (name, entry) in self.read {
            txn = txn.expect_as_read(&name, entry.as_ref());
            txn = match (value.take(), entry) {
                (Some(value), _) => txn.put(name, value),
                (None, Some(_)) => txn.delete(name),
                (None, None) => txn,
            };
        }
        txn
    }
}
