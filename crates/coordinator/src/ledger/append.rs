//! One batch: what waits longest is taken, and in one transaction tiles, bundles, positions and head are written and what waited
//! is removed. The head is expected as it was read, and the generation to be this coordinator's: of two sequencers one wins,
//! and the other reads again (decision 4). Nothing is signed here.

use std::collections::BTreeSet;

use gallra_log::tile::{Kind, Tile};
use gallra_log::tree::Hash;
use gallra_model::Instant;
use gallra_store::keys::Tree;
use gallra_store::{Entry, Key, Txn, keys};

use super::Ledger;
use super::grow::{edge, grow};
use super::record::StoredHead;
use crate::core::until_committed;
use crate::error::{CoreError, encode};

/// Most entries in one transaction. Each is two writes, a position and a removal; beside them there are at most the head, two
/// tiles of the lowest level, one of each of seven more, and two bundles: of 128 that every engine takes.
pub const MOST_A_BATCH: usize = 56;

/// What one transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Batch {
    /// Entries that waited and do not any more, also those that were in the log already.
    pub(super) taken: usize,
    /// Entries that are in the log now.
    pub(super) appended: usize,
}

/// Where a tile or bundle lies.
pub(super) fn key_of(tree: &Tree, tile: &Tile) -> Key {
    match tile.kind {
        Kind::Hashes { level } => keys::ledger_tile(tree, level, tile.index),
        Kind::Entries => keys::ledger_bundle(tree, tile.index),
    }
}

impl Ledger {
    /// Takes one batch, if anything waits.
    pub(super) async fn append(&self, now: Instant) -> Result<Batch, CoreError> {
        until_committed!(self.append_once(now))
    }

    async fn append_once(&self, now: Instant) -> Result<Batch, CoreError> {
        // Read first, and expected: whatever is read after it is at least as new.
        let (read, head) = self.head().await?;
        let waiting = self.store.range(&keys::ledger_waiting().range(), MOST_A_BATCH).await?.entries;
        if waiting.is_empty() {
            return Ok(Batch::default());
        }
        let mut txn = self.fence(Txn::new()).await?.expect_as_read(&keys::ledger_head(&self.tree), read.as_ref());
        let new = self.new_among(&waiting).await?;
        if !new.is_empty() {
            txn = self.with_appended(txn, &head, &new, now).await?;
        }
        let txn = waiting.iter().fold(txn, |txn, entry| txn.delete(entry.key.clone()));
        self.store.commit(txn).await?;
        crate::traces::entered(head.size, &new);
        Ok(Batch { taken: waiting.len(), appended: new.len() })
    }

    /// A coordinator that a newer one has taken over from appends nothing.
    pub(super) async fn fence(&self, txn: Txn) -> Result<Txn, CoreError> {
        let key = keys::meta_generation();
        let entry = self.store.get(&key).await?;
        let generation = entry.as_ref().map_or(Ok(0), |entry| crate::generation::decode(&entry.value))?;
        if generation != self.generation {
            return Err(CoreError::Precondition("a newer coordinator has taken over: this one appends nothing".into()));
        }
        Ok(txn.expect_as_read(&key, entry.as_ref()))
    }

    /// Those that have no place yet, each once.
    async fn new_among<'w>(&self, waiting: &'w [Entry]) -> Result<Vec<(Hash, &'w [u8])>, CoreError> {
        let (mut new, mut met) = (Vec::with_capacity(waiting.len()), BTreeSet::new());
        for entry in waiting {
            let leaf = Hash::leaf(&entry.value);
            if met.insert(leaf) && self.position(&leaf).await?.is_none() {
                new.push((leaf, entry.value.as_slice()));
            }
        }
        Ok(new)
    }

    pub(super) async fn with_appended(
        &self,
        txn: Txn,
        head: &StoredHead,
        new: &[(Hash, &[u8])],
        now: Instant,
    ) -> Result<Txn, CoreError> {
        let mut parts = Vec::new();
        for tile in edge(head.size) {
            // As wide as it was at this size: another sequencer may have gone on meanwhile, and then the commit finds out. A
            // missing one is found missing by `grow`.
            let bytes = self.stored(&tile).await?;
            parts.extend(bytes.map(|bytes| (tile, bytes)));
        }
        let entries: Vec<&[u8]> = new.iter().map(|(_, entry)| *entry).collect();
        let grown = grow(head.range()?, &parts, &entries)?;
        let mut txn =
            txn.put(keys::ledger_head(&self.tree), encode(&StoredHead::of(self.origin.as_str(), &grown.range, now))?);
        for (tile, bytes) in grown.written {
            txn = txn.put(key_of(&self.tree, &tile), bytes);
        }
        for (index, (leaf, _)) in (head.size..).zip(new) {
            txn = txn.put(keys::ledger_at(&self.tree, leaf.as_bytes()), encode(&index)?);
        }
        Ok(txn)
    }
}
