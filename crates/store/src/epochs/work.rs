//! What a turning does to the store: rewraps keys, moves index entries, removes what is left. Upholds that each batch is one
//! transaction that may be repeated, that entries only move from the old epoch to the new, and that nothing is held in
//! memory but one page (I10).

use gallra_model::SubjectId;
use zeroize::Zeroizing;

use super::{TurnError, Turning};
use crate::key::{Key, KeyPrefix};
use crate::keyring::Epoch;
use crate::keys::{self, Family, IndexKind};
use crate::store::Entry;
use crate::txn::Txn;

/// Keys rewrapped in one transaction: two expectations and two writes each, of at most 128.
const REWRAP_BATCH: usize = 60;
/// Sealed values whose identifiers are indexed before the place is stored.
const SEALED_PAGE: usize = 32;
/// Index entries moved in one transaction, as for keys.
const MOVE_BATCH: usize = 60;
/// Index entries removed in one transaction.
const SWEEP_BATCH: usize = 100;

/// Whether anything is left to do at a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Something, after this key where the stage goes by keys.
    More(Option<Key>),
}

impl Turning<'_> {
    /// Wraps some keys under the new epoch.
    pub(super) async fn rewrap(&self, old: &[Epoch], to: Epoch) -> Result<Left, TurnError> {
        for epoch in old {
            let page = self.store.range(&keys::subject_keys_of(*epoch).range(), REWRAP_BATCH).await?;
            if page.entries.is_empty() {
                continue;
            }
            let mut txn = Txn::new();
            for entry in &page.entries {
                let wrapped = self.keyring.rewrap(&entry.key, &entry.value, to)?;
                // Whoever destroys the key meanwhile wins: the entry is no longer as read.
                txn = txn.expect_as_read(&entry.key, Some(entry)).delete(entry.key.clone());
                txn = txn.create(wrapped.key, wrapped.value);
            }
            self.commit(txn).await?;
            return Ok(Left::More(None));
        }
        Ok(Left::Nothing)
    }

    /// Moves the index entries of some live identifiers to the new epoch.
    pub(super) async fn index(&self, after: Option<&Key>, old: &[Epoch], to: Epoch) -> Result<Left, TurnError> {
        let range = Family::Sealed.prefix().range();
        let range = after.map_or(range.clone(), |after| range.above(after));
        let page = self.store.range(&range, SEALED_PAGE).await?;
        let Some(last) = page.entries.last() else { return Ok(Left::Nothing) };
        let mut txn = Txn::new();
        for sealed in &page.entries {
            for (kind, value) in self.identifiers(sealed).await? {
                for epoch in old {
                    txn = self.move_index(txn, *epoch, to, kind, &value).await?;
                    if txn.writes().len() >= MOVE_BATCH * 2 {
                        self.commit(std::mem::take(&mut txn)).await?;
                    }
                }
            }
        }
        self.commit(txn).await?;
        Ok(Left::More(Some(last.key.clone())))
    }

    /// What a sealed value says somebody is found by. Nothing where its subject's key was destroyed.
    async fn identifiers(&self, sealed: &Entry) -> Result<Vec<(IndexKind, Zeroizing<String>)>, TurnError> {
        let Some((subject, what)) = keys::parse_sealed(&sealed.key) else { return Ok(Vec::new()) };
        let Some(plain) = self.open(&subject, sealed).await? else { return Ok(Vec::new()) };
        Ok((self.names)(what, &plain))
    }

    async fn open(&self, subject: &SubjectId, sealed: &Entry) -> Result<Option<Zeroizing<Vec<u8>>>, TurnError> {
        let Some(key) = self.keyring.find_subject(self.store, subject).await? else { return Ok(None) };
        let opened = self.keyring.unwrap_subject(&key.key, &key.value)?.open(&sealed.key, &sealed.value);
        if opened.is_err() {
            // No key there is opens it: waiting would keep the old epoch's key for ever and gain nothing.
            tracing::error!(key = %sealed.key, "a sealed value does not open; what it names can no longer be found");
        }
        Ok(opened.ok())
    }

    async fn move_index(
        &self,
        txn: Txn,
        from: Epoch,
        to: Epoch,
        kind: IndexKind,
        value: &str,
    ) -> Result<Txn, TurnError> {
        let Some(old) = self.store.get(&self.keyring.index_in(from, kind, value)?).await? else { return Ok(txn) };
        if txn.writes().iter().any(|write| write.key() == &old.key) {
            return Ok(txn);
        }
        let key = self.keyring.index_in(to, kind, value)?;
        let new = self.store.get(&key).await?;
        let txn = txn.expect_as_read(&old.key, Some(&old)).expect_as_read(&key, new.as_ref()).delete(old.key);
        // What stands under the new epoch was written later.
        Ok(if new.is_some() { txn } else { txn.put(key, old.value) })
    }

    /// Removes some of what no live identifier is found by any more.
    pub(super) async fn sweep(&self, old: &[Epoch]) -> Result<Left, TurnError> {
        for epoch in old {
            let page = self.store.range(&keys::indexes_of(*epoch).range(), SWEEP_BATCH).await?;
            if page.entries.is_empty() {
                continue;
            }
            tracing::warn!(entries = page.entries.len(), %epoch, "index entries without a live identifier are removed");
            let txn = page.entries.into_iter().fold(Txn::new(), |txn, entry| txn.delete(entry.key));
            self.commit(txn).await?;
            return Ok(Left::More(None));
        }
        Ok(Left::Nothing)
    }

    /// Whether nothing is wrapped or indexed under these epochs: asked again before their keys are destroyed.
    pub(super) async fn is_empty(&self, old: &[Epoch]) -> Result<bool, TurnError> {
        for epoch in old {
            for prefix in [keys::subject_keys_of(*epoch), keys::indexes_of(*epoch)] {
                if !self.none_under(&prefix).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether nothing is stored under a prefix.
    pub(super) async fn none_under(&self, prefix: &KeyPrefix) -> Result<bool, TurnError> {
        Ok(self.store.range(&prefix.range(), 1).await?.entries.is_empty())
    }

    /// Commits what there is to commit.
    pub(super) async fn commit(&self, txn: Txn) -> Result<(), TurnError> {
        if txn.writes().is_empty() { Ok(()) } else { Ok(self.store.commit(txn).await.map(drop)?) }
    }
}
