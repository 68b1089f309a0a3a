//! A copy of another engine's store in a file of this one: what a backup is, wherever the state lives. Upholds, as [`super::copy`], that
//! it counts only after it was read back and compared. The view that is copied must be of one moment.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable};
use tokio::runtime::Handle;

use super::copy::{Copied, draft_of, fresh, put_in_place};
use super::error;
use super::file::{self, COUNTERS, ENTRIES, REVISION};
use crate::store::{Entry, MAX_PAGE_ENTRIES, Store, StoreError};
use crate::transfer::{everything, is_kept};
use crate::txn::Revision;

const DURING: &str = "backing the store up";

/// Makes a verified copy of a view under the name `to`, which appears whole or not at all.
pub(crate) async fn gather(view: Arc<dyn Store>, to: &Path) -> Result<Copied, StoreError> {
    let (to, handle) = (to.to_owned(), Handle::current());
    let gathered = tokio::task::spawn_blocking(move || {
        let draft = draft_of(&to);
        let copy = fresh(&draft).map_err(failed)?;
        let copied = handle.block_on(fill(&*view, &copy))?;
        drop(copy);
        // Through another opening than the one that wrote, from the file.
        let again = file::builder().open_read_only(&draft).map_err(|source| failed(source.into()))?;
        handle.block_on(compare(&*view, &again, copied))?;
        drop(again);
        put_in_place(&draft, &to).map_err(|source| error::io("naming the backup", &source))?;
        Ok(copied)
    });
    gathered.await.map_err(|ended| StoreError::Failed { during: DURING, hint: ended.to_string() })?
}

fn failed(source: redb::Error) -> StoreError {
    error::failed(DURING, source)
}

async fn fill(view: &dyn Store, to: &Database) -> Result<Copied, StoreError> {
    let mut copied = Copied { entries: 0, revision: Revision::default() };
    let mut left = Some(everything());
    while let Some(range) = left {
        let page = view.range(&range, MAX_PAGE_ENTRIES).await?;
        let kept: Vec<Entry> = page.entries.into_iter().filter(|entry| is_kept(&entry.key)).collect();
        copied.entries += kept.len() as u64;
        copied.revision = kept.iter().map(|entry| entry.version).fold(copied.revision, Ord::max);
        write(to, &kept).map_err(failed)?;
        left = page.more.map(|more| range.starting_at(&more));
    }
    let end = || {
        let mut write = to.begin_write()?;
        // Read without a repair, and by who may not write: as after a group.
        write.set_quick_repair(true);
        write.open_table(COUNTERS)?.insert(REVISION, copied.revision.0)?;
        Ok(write.commit()?)
    };
    end().map_err(failed)?;
    Ok(copied)
}

fn write(to: &Database, entries: &[Entry]) -> Result<(), redb::Error> {
    let write = to.begin_write()?;
    {
        let mut copy = write.open_table(ENTRIES)?;
        for entry in entries {
            copy.insert(entry.key.as_bytes(), (entry.version.0, entry.value.as_slice()))?;
        }
    }
    Ok(write.commit()?)
}

/// Reads the view again beside the copy.
async fn compare(view: &dyn Store, copy: &impl ReadableDatabase, copied: Copied) -> Result<(), StoreError> {
    let read = copy.begin_read().map_err(|source| failed(source.into()))?;
    let entries = read.open_table(ENTRIES).map_err(|source| failed(source.into()))?;
    let mut theirs = entries.iter().map_err(|source| failed(source.into()))?;
    let (mut left, mut seen) = (Some(everything()), 0);
    while let Some(range) = left {
        let page = view.range(&range, MAX_PAGE_ENTRIES).await?;
        for entry in page.entries.iter().filter(|entry| is_kept(&entry.key)) {
            let other = theirs.next().transpose().map_err(|source| failed(source.into()))?;
            let same = other.is_some_and(|(key, value)| {
                key.value() == entry.key.as_bytes() && value.value() == (entry.version.0, entry.value.as_slice())
            });
            if !same {
                return Err(differs());
            }
            seen += 1;
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    let nothing_more = theirs.next().is_none();
    if nothing_more && seen == copied.entries { Ok(()) } else { Err(differs()) }
}

fn differs() -> StoreError {
    StoreError::Failed { during: DURING, hint: "the copy differs from the store".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{ClosedStore, Embedded, FILE_NAME};
    use super::*;
    use crate::keys;
    use crate::txn::Txn;

    #[tokio::test]
    async fn a_copy_is_a_store_with_everything_at_its_version() {
        let (from, to) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let store = Embedded::create(from.path()).expect("a store");
        store.commit(Txn::new().put(keys::meta_generation(), "1")).await.expect("commits");
        store.commit(Txn::new().put(keys::meta_leader(), "one").put(keys::meta_clock(), "2")).await.expect("commits");
        let path = to.path().join(FILE_NAME);
        let store: Arc<dyn Store> = Arc::new(store);
        let copied = gather(Arc::clone(&store), &path).await.expect("copies");
        assert_eq!((copied.entries, copied.revision), (2, Revision(2)));
        ClosedStore::open(&path).expect("it is a store");
        let copy = Embedded::open(to.path()).expect("opens");
        for key in [keys::meta_generation(), keys::meta_clock()] {
            assert_eq!(copy.get(&key).await.expect("reads"), store.get(&key).await.expect("reads"), "{key}");
        }
        assert!(copy.get(&keys::meta_leader()).await.expect("reads").is_none(), "nobody leads in a copy");
        let next = copy.commit(Txn::new().put(keys::meta_clock(), "3")).await.expect("commits");
        assert!(next > copied.revision, "revisions go on");
    }
}
