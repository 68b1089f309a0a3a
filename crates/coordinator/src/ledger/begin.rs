//! The first entries of a log that goes on where another ended, and the files of the one that ended. The same entries are the same
//! tree, so that whoever was interrupted begins again; nothing is signed here.

use gallra_log::checkpoint::Checkpoint;
use gallra_log::entry::Entry;
use gallra_log::rollback::{Rollback, Seen};
use gallra_log::tile::{Kind, Tile, WIDTH};
use gallra_model::Instant;
use gallra_store::{Txn, keys};

use super::Ledger;
use super::append::MOST_A_BATCH;
use crate::core::until_committed;
use crate::error::CoreError;

/// How a checkpoint stands to the store's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agrees {
    /// It is of this tree, or of its beginning.
    Same,
    /// It is of a larger tree: the store went back.
    Larger {
        /// Entries in the store.
        ours: u64,
    },
}

impl Ledger {
    /// Whether a checkpoint of this log is of the store's own history.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where it is of another one, or where the store cannot tell.
    pub async fn agrees(&self, checkpoint: &Checkpoint) -> Result<Agrees, CoreError> {
        let (size, root) = (checkpoint.size, checkpoint.root);
        match self.compare(&[Seen { size, root: Some(root) }]).await? {
            Ok(_) => Ok(Agrees::Same),
            Err(Rollback::Ahead { ours, .. }) => Ok(Agrees::Larger { ours }),
            Err(Rollback::Fork { size }) => Err(CoreError::Precondition(format!(
                "the last good checkpoint, of {size} entries, has another root than the store's tree: it is of another history; \
                 name the last one that both have"
            ))),
            // What the store itself signed and still has is its own, whatever became of the tiles.
            Err(damaged @ Rollback::Damaged { .. }) => {
                let signed = self.signed(size).await?.map(|(_, signed)| self.opened(&signed.note)).transpose()?;
                if signed.is_some_and(|signed| signed.root == root) {
                    Ok(Agrees::Same)
                } else {
                    Err(CoreError::Precondition(damaged.to_string()))
                }
            }
        }
    }

    /// Appends these entries to a tree in which there is nothing else. What is there already of them stays; the order is theirs.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where the tree has other entries; the store's.
    pub(crate) async fn begin_with(&self, entries: &[Entry], now: Instant) -> Result<(), CoreError> {
        for chunk in entries.chunks(MOST_A_BATCH) {
            until_committed!(self.begin_once(chunk, now))?;
        }
        for (index, entry) in (0..).zip(entries) {
            if self.position(&entry.leaf()).await? != Some(index) {
                return Err(CoreError::Precondition("the new log begins with other entries than it should".into()));
            }
        }
        let size = self.committed().await?.0;
        if size != entries.len() as u64 {
            return Err(CoreError::Precondition(format!("the new log has {size} entries already")));
        }
        Ok(())
    }

    async fn begin_once(&self, entries: &[Entry], now: Instant) -> Result<(), CoreError> {
        let (read, head) = self.head().await?;
        let texts: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let mut new = Vec::new();
        for (entry, text) in entries.iter().zip(&texts) {
            if self.position(&entry.leaf()).await?.is_none() {
                new.push((entry.leaf(), text.as_bytes()));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let txn = self.fence(Txn::new()).await?.expect_as_read(&keys::ledger_head(&self.tree), read.as_ref());
        self.store.commit(self.with_appended(txn, &head, &new, now).await?).await?;
        Ok(())
    }
}

/// All files of a log's newest published tree, as it serves them: path and bytes.
///
/// # Errors
/// The store's.
pub async fn files(ledger: &Ledger) -> Result<Vec<(String, Vec<u8>)>, CoreError> {
    let Some(published) = ledger.checkpoint() else { return Ok(Vec::new()) };
    let size = published.size;
    let mut files = Vec::new();
    let levels = (0..8_u8).map(|level| (Kind::Hashes { level }, size >> (8 * u32::from(level))));
    for (kind, hashes) in levels.chain([(Kind::Entries, size)]) {
        for index in 0..hashes.div_ceil(WIDTH) {
            let Some(tile) = Tile::at(kind, index, size) else { continue };
            let path = tile.to_string();
            if let Some(bytes) = ledger.tile(&path).await? {
                files.push((path, bytes));
            }
        }
    }
    files.push(("checkpoint".to_owned(), published.note.into_bytes()));
    Ok(files)
}
