//! Copies of the store as it stood at one moment, into a fresh file: backups, and the store's own file made anew.
//!
//! A fresh file holds nothing but what is live: no freed page with a value that was removed, nothing wrapped under a key that
//! is gone (I12). Upholds that a copy counts only after it was read back and compared, entry by entry.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::error;
use super::file::{self, COUNTERS, ENTRIES, REVISION};
use crate::store::StoreError;
use crate::txn::Revision;

/// Entries, and bytes of values, that one transaction of a copy carries: what the engine holds in memory for it.
const BATCH_ENTRIES: usize = 10_000;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A copy that was read back and found equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Entries in it.
    pub entries: u64,
    /// The newest revision in it.
    pub revision: Revision,
}

/// Makes a verified copy under the name `to`, which appears whole or not at all; one that is there already is replaced.
pub(super) fn back_up(from: &impl ReadableDatabase, to: &Path) -> Result<Copied, StoreError> {
    let failed = |source: redb::Error| error::failed("backing the store up", source);
    let snapshot = from.begin_read().map_err(|source| failed(source.into()))?;
    let draft = draft_of(to);
    let copy = fresh(&draft).map_err(failed)?;
    fill(&snapshot, &copy).map_err(failed)?;
    drop(copy);
    // Through another opening than the one that wrote, from the file.
    let again = file::builder().open_read_only(&draft).map_err(|source| failed(source.into()))?;
    let copied = compare(&snapshot, &again).map_err(failed)?;
    drop(again);
    put_in_place(&draft, to).map_err(|source| error::io("naming the backup", &source))?;
    Ok(copied)
}

/// The name that a copy has until it is whole.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// An empty store file; a draft that a crash left is thrown away.
pub(super) fn fresh(draft: &Path) -> Result<Database, redb::Error> {
    match fs::remove_file(draft) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(redb::Error::Io(source)),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(draft)?;
    let db = file::builder().create_file(file)?;
    file::lay_out(&db)?;
    Ok(db)
}

/// Gives a durable file its name, durably.
pub(super) fn put_in_place(draft: &Path, path: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, path)?;
    sync_parent(path)
}

/// Makes a name in its directory durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Copies every entry and the revision, in batches.
pub(super) fn fill(from: &ReadTransaction, to: &Database) -> Result<(), redb::Error> {
    let entries = from.open_table(ENTRIES)?;
    let mut all = entries.iter()?.peekable();
    while all.peek().is_some() {
        let write = to.begin_write()?;
        {
            let mut copy = write.open_table(ENTRIES)?;
            let (mut count, mut bytes) = (0, 0);
            while count < BATCH_ENTRIES
                && bytes < BATCH_BYTES
                && let Some(entry) = all.next()
            {
                let (key, value) = entry?;
                let (version, value) = value.value();
                copy.insert(key.value(), (version, value))?;
                count += 1;
                bytes += value.len();
            }
        }
        write.commit()?;
    }
    let mut write = to.begin_write()?;
    // Read without a repair, and by who may not write: as after a group.
    write.set_quick_repair(true);
    write.open_table(COUNTERS)?.insert(REVISION, revision(from)?)?;
    Ok(write.commit()?)
}

/// Reads both to their ends, side by side.
pub(super) fn compare(from: &ReadTransaction, copy: &impl ReadableDatabase) -> Result<Copied, redb::Error> {
    let differs = || redb::Error::Corrupted("the copy differs from the store".to_owned());
    let read = copy.begin_read()?;
    let (ours, theirs) = (from.open_table(ENTRIES)?, read.open_table(ENTRIES)?);
    let (mut ours, mut theirs) = (ours.iter()?, theirs.iter()?);
    let mut entries = 0;
    loop {
        match (ours.next().transpose()?, theirs.next().transpose()?) {
            (None, None) => break,
            (Some(one), Some(other)) if one.0.value() == other.0.value() && one.1.value() == other.1.value() => {
                entries += 1;
            }
            _ => return Err(differs()),
        }
    }
    let revision = revision(from)?;
    if self::revision(&read)? == revision {
        Ok(Copied { entries, revision: Revision(revision) })
    } else {
        Err(differs())
    }
}

fn revision(read: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(read.open_table(COUNTERS)?.get(REVISION)?.map_or(0, |value| value.value()))
}
