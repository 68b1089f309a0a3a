//! The ledger's stored values: the head and the signed notes, as JSON; tiles and bundles are the bytes that are published.
//! Upholds that a head which does not make its own root is not read.

use gallra_log::rollback::Head;
use gallra_log::tree::{Hash, Range};
use gallra_model::Instant;
use gallra_store::{Entry, keys};
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::{CoreError, decode};

/// The tree as it was committed: its right edge is enough to append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredHead {
    /// Which log's.
    pub(super) origin: String,
    /// Leaves.
    pub(super) size: u64,
    /// The root, in base64.
    pub(super) root: String,
    /// The roots of the complete subtrees, from the left, in base64.
    pub(super) peaks: Vec<String>,
    /// When it was appended to last.
    pub(super) appended: Instant,
}

impl StoredHead {
    pub(super) fn of(origin: &str, range: &Range, appended: Instant) -> Self {
        Self {
            origin: origin.to_owned(),
            size: range.size(),
            root: range.root().to_string(),
            peaks: range.peaks().iter().map(ToString::to_string).collect(),
            appended,
        }
    }

    /// The right edge.
    ///
    /// # Errors
    /// [`CoreError::Unreadable`] where its hashes are none, or make another root.
    pub(super) fn range(&self) -> Result<Range, CoreError> {
        let peaks: Option<Vec<Hash>> = self.peaks.iter().map(|hash| hash.parse().ok()).collect();
        let range = peaks.and_then(|peaks| Range::new(self.size, peaks));
        range.filter(|range| range.root().to_string() == self.root).ok_or_else(|| CoreError::Unreadable {
            what: "log head",
            why: "its right edge does not make its root".to_owned(),
        })
    }

    /// Size and root.
    ///
    /// # Errors
    /// As [`StoredHead::range`].
    pub(super) fn head(&self) -> Result<Head, CoreError> {
        let range = self.range()?;
        Ok(Head { size: range.size(), root: range.root() })
    }
}

/// A checkpoint as it was signed, with the cosignatures that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Leaves of the tree that it is about.
    pub size: u64,
    /// The note, as it is handed out.
    pub note: String,
    /// When it was signed, by the coordinator's clock. Nobody else's word.
    pub at: Instant,
}

impl Ledger {
    /// The stored head and its entry; the empty tree where there is none yet.
    pub(super) async fn head(&self) -> Result<(Option<Entry>, StoredHead), CoreError> {
        let entry = self.store.get(&keys::ledger_head(&self.tree)).await?;
        let head = match &entry {
            Some(entry) => decode("log head", &entry.value)?,
            None => StoredHead::of(self.origin.as_str(), &Range::default(), Instant::UNIX_EPOCH),
        };
        Ok((entry, head))
    }

    /// The signed note of the tree of one size.
    pub(super) async fn signed(&self, size: u64) -> Result<Option<(Entry, Signed)>, CoreError> {
        let Some(entry) = self.store.get(&keys::ledger_note(&self.tree, size)).await? else { return Ok(None) };
        let signed = decode("log note", &entry.value)?;
        Ok(Some((entry, signed)))
    }

    /// The newest note in the store.
    pub(super) async fn newest(&self) -> Result<Option<Signed>, CoreError> {
        let Some(entry) = self.store.get(&keys::ledger_newest(&self.tree)).await? else { return Ok(None) };
        let size = decode("newest size of the log", &entry.value)?;
        let signed = self
            .signed(size)
            .await?
            .ok_or(CoreError::Unreadable { what: "log note", why: "the newest one is not there".to_owned() })?;
        Ok(Some(signed.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_one_that_does_not_make_its_root_is_refused() {
        let mut range = Range::default();
        for number in 0..7_u8 {
            range.append(Hash::leaf(&[number]), |_, _| ()).unwrap();
        }
        let stored = StoredHead::of("log.example/1", &range, Instant::UNIX_EPOCH);
        assert_eq!(stored.range().unwrap(), range);
        let spoiled = [
            StoredHead { size: 6, ..stored.clone() },
            StoredHead { root: Hash::EMPTY.to_string(), ..stored.clone() },
            StoredHead { peaks: stored.peaks.iter().rev().cloned().collect(), ..stored.clone() },
            StoredHead { peaks: vec!["x".to_owned(); 3], ..stored },
        ];
        for head in spoiled {
            assert!(matches!(head.range(), Err(CoreError::Unreadable { .. })), "{head:?}");
        }
    }
}
