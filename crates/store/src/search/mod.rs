//! Offline search: is a text anywhere in the live entries of a closed store, sealed values included? And, [`search_files`],
//! in any file under a folder, old pages and copies included?
//!
//! Owns the answer to "nothing is left" and, just as much, to "the search would have found it": the demonstration runs it
//! before an erasure too, where it must hit. Reads with every key that is on disk, all epochs. Upholds I12's check, and
//! changes nothing.

mod encodings;
mod files;
mod needles;
pub(crate) mod pages;

use std::collections::BTreeMap;
use std::path::Path;

use crate::embedded::{ClosedStore, FILE_NAME};
use crate::key::Key;
use crate::keyring::{Keyring, SubjectKey};
use crate::keys::Family;
use crate::store::StoreError;

pub use files::{FileFound, search_files};
pub use needles::Needles;

/// What was found in one family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Entries looked at.
    pub entries: u64,
    /// Sealed values that some key on disk opened, and that were searched inside.
    pub sealed_opened: u64,
    /// Sealed values and wrapped keys that no key on disk opens.
    pub sealed_unreadable: u64,
    /// Entries with at least one needle in their key, their value, or what their value holds.
    pub hits: u64,
}

/// What was found, by family; entries whose key the schema does not know stand under none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Families that have entries.
    pub families: BTreeMap<Option<Family>, Found>,
}

impl Report {
    /// The sum of all families.
    pub fn total(&self) -> Found {
        self.families.values().fold(Found::default(), |sum, found| Found {
            entries: sum.entries + found.entries,
            sealed_opened: sum.sealed_opened + found.sealed_opened,
            sealed_unreadable: sum.sealed_unreadable + found.sealed_unreadable,
            hits: sum.hits + found.hits,
        })
    }

    /// What was found in one family.
    pub fn of(&self, family: Family) -> Found {
        self.families.get(&Some(family)).copied().unwrap_or_default()
    }
}

/// Searches the store in `dir` with the keys of `keyring`.
///
/// # Errors
/// [`StoreError::InUse`] while a process has the store open; others when it cannot be read.
pub fn search(dir: &Path, keyring: &Keyring, needles: &Needles) -> Result<Report, StoreError> {
    let store = ClosedStore::open(&dir.join(FILE_NAME))?;
    let keys = SubjectKeys::collect(&store, keyring)?;
    let mut report = Report::default();
    store.each(|key, value| {
        let key_or_none = Key::from_bytes(key).ok();
        let family = key_or_none.as_ref().and_then(Family::of);
        let found = report.families.entry(family).or_default();
        found.entries += 1;
        let mut hit = needles.in_bytes(key) || needles.in_value(value);
        match (family, &key_or_none) {
            (Some(Family::Sealed), Some(name)) => match keys.open(name, value) {
                Some(plain) => {
                    found.sealed_opened += 1;
                    hit |= needles.in_value(&plain);
                }
                None => found.sealed_unreadable += 1,
            },
            (Some(Family::SubjectKey), Some(name)) if keyring.unwrap_subject(name, value).is_err() => {
                found.sealed_unreadable += 1;
            }
            _ => {}
        }
        found.hits += u64::from(hit);
    })?;
    Ok(report)
}

/// Every subject's key that the store has wrapped and the key directory can unwrap.
#[derive(Default)]
struct SubjectKeys {
    by_subject: BTreeMap<String, Vec<SubjectKey>>,
}

impl SubjectKeys {
    fn collect(store: &ClosedStore, keyring: &Keyring) -> Result<Self, StoreError> {
        let mut keys = Self::default();
        store.each(|key, value| keys.add(keyring, key, value))?;
        Ok(keys)
    }

    /// Tries the keys of the subject that the name says, then all others: "no key opens it" must be meant.
    fn open(&self, name: &Key, sealed: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let own = name.segments().nth(2).and_then(|subject| self.by_subject.get(subject));
        let all = own.into_iter().chain(self.by_subject.values()).flatten();
        all.into_iter().find_map(|key| key.open(name, sealed).ok())
    }
}

#[cfg(test)]
mod tests;
