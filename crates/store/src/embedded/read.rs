//! Reading, of an open store and of a closed one. Owns pages and their bounds; each read sees one committed moment.

use std::path::Path;

use redb::{ReadOnlyDatabase, ReadableDatabase, ReadableTable};

use super::error;
use super::file::{self, ENTRIES};
use crate::key::{Key, KeyRange};
use crate::store::{Entry, MAX_PAGE_BYTES, MAX_PAGE_ENTRIES, Page, StoreError};
use crate::txn::Revision;

/// The entry of a key.
pub(super) fn get(db: &impl ReadableDatabase, key: &Key) -> Result<Option<Entry>, redb::Error> {
    let entries = db.begin_read()?.open_table(ENTRIES)?;
    let found = entries.get(key.as_bytes())?;
    Ok(found.map(|found| entry(key.clone(), found.value())))
}

/// The first entries of a range.
pub(super) fn range(db: &impl ReadableDatabase, range: &KeyRange, limit: usize) -> Result<Page, redb::Error> {
    let mut page = Page::default();
    if range.is_empty() {
        return Ok(page);
    }
    let limit = limit.clamp(1, MAX_PAGE_ENTRIES);
    let entries = db.begin_read()?.open_table(ENTRIES)?;
    let mut bytes = 0;
    for found in entries.range(range.start().as_bytes()..range.end().as_bytes())? {
        let (key, value) = found?;
        let key = stored_key(key.value())?;
        if page.entries.len() == limit || bytes > MAX_PAGE_BYTES {
            page.more = Some(key);
            break;
        }
        let entry = entry(key, value.value());
        bytes += entry.value.len();
        page.entries.push(entry);
    }
    Ok(page)
}

fn entry(key: Key, (version, value): (u64, &[u8])) -> Entry {
    Entry { key, value: value.to_vec(), version: Revision(version) }
}

fn stored_key(bytes: &[u8]) -> Result<Key, redb::Error> {
    Key::from_bytes(bytes).map_err(|_| redb::Error::Corrupted("a key that is not printable".to_owned()))
}

/// A store that no process has open, for [`crate::search`]: nothing in the file is changed.
pub(crate) struct ClosedStore {
    db: ReadOnlyDatabase,
}

impl ClosedStore {
    /// Opens the file of a store, or a copy of one.
    pub(crate) fn open(file: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: file::open_read_only(file)? })
    }

    /// Hands over every entry, in the order of keys. Whatever the key: a search must not miss what the schema forbids.
    pub(crate) fn each(&self, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let all = || -> Result<(), redb::Error> {
            for found in self.db.begin_read()?.open_table(ENTRIES)?.iter()? {
                let (key, value) = found?;
                each(key.value(), value.value().1);
            }
            Ok(())
        };
        let mut all = all;
        all().map_err(|source| error::failed("reading all entries", source))
    }
}
