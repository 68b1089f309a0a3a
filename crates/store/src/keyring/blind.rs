//! Keyed hashes: blind indexes that turn with the epoch, pseudonyms and closed references that do not. Upholds that
//! none of them leads back to an identifier for who lacks the key (decisions 12 and 13).

use aws_lc_rs::hmac;
use gallra_model::{AgentName, Pseudonym, RequestId, SubjectId};

use super::epoch::EpochKeys;
use super::secret::Secret;
use super::{Epoch, Keyring, KeyringError};
use crate::key::Key;
use crate::keys::{self, IndexKind};
use crate::txn::{Expect, Txn};

impl Keyring {
    /// The blind index key of an identifier under the current epoch. The value is hashed as it is: whoever wants case
    /// or form to make no difference evens it out first, the same way for writing and for looking up.
    pub fn index(&self, kind: IndexKind, value: &str) -> Key {
        index(&self.held().current, kind, value)
    }

    /// The blind index key of an identifier under one epoch.
    ///
    /// # Errors
    /// [`KeyringError::NoEpoch`].
    pub fn index_in(&self, epoch: Epoch, kind: IndexKind, value: &str) -> Result<Key, KeyringError> {
        self.held().keys(epoch).map(|keys| index(keys, kind, value))
    }

    /// Where an identifier may be indexed, newest epoch first: while an epoch turns, some still are under the old one.
    pub fn indexes(&self, kind: IndexKind, value: &str) -> Vec<Key> {
        self.held().newest_first().map(|keys| index(keys, kind, value)).collect()
    }

    /// Adds an index entry for an identifier that must not be indexed yet, under any epoch that is here. The transaction
    /// fails once the epoch is closed.
    #[must_use]
    pub fn claim_index(&self, txn: Txn, kind: IndexKind, value: &str, id: impl Into<Vec<u8>>) -> Txn {
        let txn = self.indexes(kind, value).into_iter().fold(txn, |txn, key| txn.expect(key, Expect::Absent));
        self.put_index(txn, kind, value, id)
    }

    /// Adds an index entry, over one of the same epoch too. The transaction fails once the epoch is closed.
    #[must_use]
    pub fn put_index(&self, txn: Txn, kind: IndexKind, value: &str, id: impl Into<Vec<u8>>) -> Txn {
        let held = self.held();
        let fence = keys::meta_closed_epoch(held.current.epoch);
        txn.expect(fence, Expect::Absent).put(index(&held.current, kind, value), id)
    }

    /// A subject's name towards one agent: two agents cannot tell that theirs are of one subject.
    pub fn pseudonym(&self, agent: &AgentName, subject: &SubjectId) -> Pseudonym {
        Pseudonym::from_bytes(keyed(&self.pseudonym, agent.as_str(), subject.as_bytes()))
    }

    /// A request's trace towards one agent: follows from the request for good, and two agents cannot tell that theirs are of one
    /// request, though both read its id in the log. The word holds a space, as no agent's name does.
    pub fn trace(&self, agent: &AgentName, request: &RequestId) -> [u8; 16] {
        keyed(&self.pseudonym, &format!("trace {agent}"), request.as_bytes())
    }

    /// What stays of an erased contract, so that a late event cannot reopen it ([`keys::closed`]).
    pub fn closed_reference(&self, service_id: &str) -> [u8; 16] {
        keyed(&self.closed, IndexKind::ServiceId.word(), service_id.as_bytes())
    }
}

pub(super) fn index(keys: &EpochKeys, kind: IndexKind, value: &str) -> Key {
    keys::index(keys.epoch, kind, &keyed(&keys.index, kind.word(), value.as_bytes()))
}

/// The first half of HMAC-SHA256 over a word, a zero byte and a value. No word holds a zero byte, so no two pairs share
/// their bytes.
fn keyed(key: &Secret, word: &str, value: &[u8]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    context.update(word.as_bytes());
    context.update(&[0]);
    context.update(value);
    let tag = context.sign();
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    half
}
