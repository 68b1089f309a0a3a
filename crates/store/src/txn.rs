//! Conditional transactions: what is expected of the store, and what is written if all of it holds. Owns the bounds
//! that make a transaction one that every engine takes (decision 5); knows nothing of how it is applied.

use std::collections::BTreeSet;
use std::fmt;

use crate::key::Key;
use crate::store::Entry;

/// Most expectations, and most writes, in one transaction: etcd's own default (`--max-txn-ops`, 128), which it counts
/// separately for the two, less the two places that are kept for a leader's fence and for the store's schema.
pub const MAX_TXN_OPS: usize = 126;
/// Most bytes of keys and values in one transaction. etcd takes 1.5 MiB with its framing; this leaves room for that.
pub const MAX_TXN_BYTES: usize = 1_500_000;

/// Counts commits that wrote something, store-wide. A key's version is the revision of its last write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What must be so for a transaction to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The key is not there.
    Absent,
    /// The key is there, at any version.
    Present,
    /// The key is there and was last written at this revision.
    Version(Revision),
}

impl Expect {
    /// Whether it holds of a key whose version is this, or that is not there.
    pub fn holds(self, version: Option<Revision>) -> bool {
        match self {
            Self::Absent => version.is_none(),
            Self::Present => version.is_some(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// The key holds this value from now on.
    Put {
        /// Where.
        key: Key,
        /// What.
        value: Vec<u8>,
    },
    /// The key is not there from now on; no harm if it was not before.
    Delete {
        /// Which.
        key: Key,
    },
}

impl Write {
    /// The key that it changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.as_bytes().len() + value.len(),
            Self::Delete { key } => key.as_bytes().len(),
        }
    }
}

// Values may be long and may be sealed: a log line shows where and how much, never what.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({key}, {} bytes)", value.len()),
            Self::Delete { key } => write!(f, "Delete({key})"),
        }
    }
}

/// Why a transaction is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxnRefused {
    /// Too many expectations or writes.
    #[error("transaction of {0} operations; at most {MAX_TXN_OPS} fit, split it")]
    Ops(usize),
    /// Too many bytes.
    #[error("transaction of {0} bytes; at most {MAX_TXN_BYTES} fit, split it")]
    Bytes(usize),
    /// One key is written twice: engines disagree on which write wins.
    #[error("transaction writes {0} twice; write it once")]
    Twice(Key),
}

/// Expectations and writes that stand or fall together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    expects: Vec<(Key, Expect)>,
    writes: Vec<Write>,
    bytes: usize,
    /// Whether the first expectation is a leader's fence, which counts towards no bound.
    fenced: bool,
    /// Whether the first one after that is the store's schema, which counts towards no bound either.
    agreed: bool,
}

impl Txn {
    /// An empty transaction: it does nothing and always succeeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an expectation.
    #[must_use]
    pub fn expect(mut self, key: Key, expect: Expect) -> Self {
        self.bytes += key.as_bytes().len();
        self.expects.push((key, expect));
        self
    }

    /// Expects the key to be as it was read: the same version, or absent still. This is what a permit does with each
    /// guard (decision 3), and what every read-change-write does with what it read.
    #[must_use]
    pub fn expect_as_read(self, key: &Key, read: Option<&Entry>) -> Self {
        self.expect(key.clone(), read.map_or(Expect::Absent, |entry| Expect::Version(entry.version)))
    }

    /// Adds a write.
    #[must_use]
    pub fn put(self, key: Key, value: impl Into<Vec<u8>>) -> Self {
        self.write(Write::Put { key, value: value.into() })
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(self, key: Key) -> Self {
        self.write(Write::Delete { key })
    }

    /// Writes a key that must not be there yet.
    #[must_use]
    pub fn create(self, key: Key, value: impl Into<Vec<u8>>) -> Self {
        self.expect(key.clone(), Expect::Absent).put(key, value)
    }

    /// Writes over an entry that must not have changed since it was read.
    #[must_use]
    pub fn replace(self, read: &Entry, value: impl Into<Vec<u8>>) -> Self {
        self.expect(read.key.clone(), Expect::Version(read.version)).put(read.key.clone(), value)
    }

    /// Expects first of all that the leader key is as it was when the term began ([`crate::election`]). A transaction has one
    /// fence; another takes its place.
    #[must_use]
    pub(crate) fn fenced(mut self, key: Key, revision: Revision) -> Self {
        if std::mem::replace(&mut self.fenced, true) {
            self.expects.remove(0);
        }
        self.expects.insert(0, (key, Expect::Version(revision)));
        self
    }

    /// Expects, before all but a leader's fence, that the store's schema is the one that is known ([`crate::schema`]).
    #[must_use]
    pub(crate) fn agreed(mut self, key: Key, expect: Expect) -> Self {
        let at = usize::from(self.fenced);
        if std::mem::replace(&mut self.agreed, true) {
            self.expects.remove(at);
        }
        self.expects.insert(at, (key, expect));
        self
    }

    /// Operations, as [`MAX_TXN_OPS`] counts them.
    fn ops(&self) -> usize {
        (self.expects.len() - usize::from(self.fenced) - usize::from(self.agreed)).max(self.writes.len())
    }

    fn write(mut self, write: Write) -> Self {
        self.bytes += write.bytes();
        self.writes.push(write);
        self
    }

    /// What is expected.
    pub fn expects(&self) -> &[(Key, Expect)] {
        &self.expects
    }

    /// What is written.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Bytes of keys and values, as [`MAX_TXN_BYTES`] counts them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `ops` more operations of `bytes` in all still fit: how a batch is cut.
    pub fn has_room(&self, ops: usize, bytes: usize) -> bool {
        self.ops() + ops <= MAX_TXN_OPS && self.bytes + bytes <= MAX_TXN_BYTES
    }

    /// Refuses what some engine would refuse, so that all refuse the same.
    ///
    /// # Errors
    /// When a bound is passed or a key is written twice.
    pub fn check(&self) -> Result<(), TxnRefused> {
        let ops = self.ops();
        if ops > MAX_TXN_OPS {
            return Err(TxnRefused::Ops(ops));
        }
        if self.bytes > MAX_TXN_BYTES {
            return Err(TxnRefused::Bytes(self.bytes));
        }
        let mut written = BTreeSet::new();
        match self.writes.iter().find(|write| !written.insert(write.key())) {
            Some(twice) => Err(TxnRefused::Twice(twice.key().clone())),
            None => Ok(()),
        }
    }
}
