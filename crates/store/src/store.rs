//! The trait that the coordinator is written against, and what its calls return. Knows no engine; upholds decision 5:
//! nothing here needs more than the embedded engine and etcd both give.

use std::fmt;

use async_trait::async_trait;

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::txn::{Revision, Txn, TxnRefused};
use crate::watch::Watch;

/// Most entries in one page, whatever is asked for.
pub const MAX_PAGE_ENTRIES: usize = 1_000;
/// A page ends after the entry that takes its values past this many bytes.
pub const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// One key with its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub key: Key,
    /// What.
    pub value: Vec<u8>,
    /// The revision that last wrote it.
    pub version: Revision,
}

// As with writes: a log line never shows a value.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} @ {}, {} bytes)", self.key, self.version, self.value.len())
    }
}

/// Part of a range, in the order of keys, as it stood at one moment. Two pages are of two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The first key of the range that is not in the page: go on with [`KeyRange::from`]. Unset at the end.
    pub more: Option<Key>,
}

/// Why a call failed. No variant carries a path or a value; keys are free of identifiers and may be shown.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An expectation did not hold; nothing was written. Read again and decide again.
    #[error("conflict at {key}: it changed since it was read; read it again")]
    Conflict {
        /// The first expectation that did not hold.
        key: Key,
    },
    /// The transaction passes a bound; nothing was written.
    #[error(transparent)]
    Refused(#[from] TxnRefused),
    /// The answer was lost: the transaction may have been carried out or not, as a whole. Read before going on.
    #[error("commit of unknown outcome ({hint}); read again before deciding")]
    Uncertain {
        /// What happened, and what to do.
        hint: String,
    },
    /// Another process leads by now; nothing was written.
    #[error("this process no longer leads; nothing was written")]
    Deposed,
    /// Nobody answered in time, or nobody who could; nothing was written.
    #[error("the store cannot be reached: {hint}")]
    Unavailable {
        /// Who was asked, and what was in the way.
        hint: String,
    },
    /// The store is full: it takes removals and answers reads, and nothing else. Nothing was written.
    #[error("the store is full: {hint}")]
    Full {
        /// What to do.
        hint: String,
    },
    /// The store does not let this process in, or the other way round; nothing was written.
    #[error("the store refuses this process: {hint}")]
    Denied {
        /// Which certificate or right, and what to do.
        hint: String,
    },
    /// Another process has the store open.
    #[error("the store is in use by another process; stop that coordinator first")]
    InUse,
    /// The store is closed or its writer has ended; nothing was written.
    #[error("the store is closed; open it again")]
    Closed,
    /// The file is none of ours, or of a version that this program does not read.
    #[error("not a store of this version: {hint}")]
    Format {
        /// What differs, and what to do.
        hint: String,
    },
    /// What left the store for a file beside it cannot be read there. It is not gone as far as anybody knows here.
    #[error("the archive cannot be read: {hint}")]
    Archive {
        /// Which file, what is wrong with it, and what to do.
        hint: String,
    },
    /// The device, the operating system or the engine failed; nothing was written.
    #[error("store failure while {during}: {hint}")]
    Failed {
        /// What was being done.
        during: &'static str,
        /// What the engine said.
        hint: String,
    },
}

/// A store. Cheap calls, safe from any task; every write is a compare-and-swap transaction (decision 4).
#[async_trait]
pub trait Store: Send + Sync {
    /// The entry of a key, as of some moment between call and return.
    ///
    /// # Errors
    /// When the engine cannot read.
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// The first entries of a range: at most `limit`, [`MAX_PAGE_ENTRIES`] and about [`MAX_PAGE_BYTES`], at least one
    /// where there is one.
    ///
    /// # Errors
    /// When the engine cannot read.
    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError>;

    /// Carries out a transaction if all that it expects holds, and returns once it is durable. The revision is that of
    /// the newest write that it can have seen or made: its own where it changed something.
    ///
    /// Dropping the future after the first poll does not take the transaction back.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an expectation does not hold, [`StoreError::Refused`] past the bounds,
    /// [`StoreError::Uncertain`] when the outcome is not known, others when nothing was written.
    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError>;

    /// Tells of keys under a prefix that change from now on. A commit that has returned has been told, on an engine
    /// in the same process; elsewhere it follows.
    fn watch(&self, prefix: KeyPrefix) -> Watch;
}
