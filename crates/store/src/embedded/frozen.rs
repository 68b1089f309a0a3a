//! The file of a store that nobody serves, as a store that takes no writes: what a backup is read by. Nothing in the file is changed,
//! so that a backup that was put back once can be put back again.

use std::path::Path;
use std::{fs, io};

use async_trait::async_trait;
use redb::ReadOnlyDatabase;

use super::{error, file, read};
use crate::key::{Key, KeyPrefix, KeyRange};
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Revision, Txn};
use crate::watch::{Watch, Watches};

/// A store's file, to be read only.
pub struct Frozen {
    db: ReadOnlyDatabase,
    watches: Watches,
}

impl Frozen {
    /// Opens the file of a backup, or of a store that was closed as it should be.
    ///
    /// # Errors
    /// [`StoreError::Format`] for what is none of ours; [`StoreError::InUse`] while a process writes to it; others when it is damaged.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: file::open_read_only(file)?, watches: Watches::default() })
    }

    /// The same, of a copy whose pages were all compared with their checksums: what is read from then on is what was compared. The copy
    /// is made at `scratch` and has no name any more when this returns.
    ///
    /// # Errors
    /// As [`Frozen::open`]; [`StoreError::Failed`] where a page is not what was written, or the copy cannot be made.
    pub fn checked(file: &Path, scratch: &Path) -> Result<Self, StoreError> {
        let copying = |source: io::Error| error::io("copying the backup to check it", &source);
        // What is no store of ours is refused before it is copied.
        drop(Self::open(file)?);
        fs::copy(file, scratch).map_err(copying)?;
        let opened = whole(scratch).and_then(|()| Self::open(scratch));
        fs::remove_file(scratch).map_err(copying)?;
        opened
    }
}

/// Compares every page with its checksum.
fn whole(file: &Path) -> Result<(), StoreError> {
    const DURING: &str = "checking the backup";
    let mut db = file::builder().open(file).map_err(|source| error::failed(DURING, source))?;
    match db.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(StoreError::Failed { during: DURING, hint: "the file is damaged: take another one".to_owned() })
        }
        Err(source) => Err(error::failed(DURING, source)),
    }
}

#[async_trait]
impl Store for Frozen {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        read::get(&self.db, key).map_err(|source| error::failed("reading a key", source))
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        read::range(&self.db, range, limit).map_err(|source| error::failed("reading a range", source))
    }

    async fn commit(&self, _: Txn) -> Result<Revision, StoreError> {
        Err(StoreError::Closed)
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.watches.watch(&prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Embedded, FILE_NAME};
    use super::*;
    use crate::keys;

    #[tokio::test]
    async fn it_reads_what_is_there_takes_nothing_and_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Embedded::create(dir.path()).expect("a store");
        store.commit(Txn::new().put(keys::meta_generation(), "1")).await.expect("commits");
        let copy = dir.path().join("copy.redb");
        store.back_up(&copy).await.expect("copies");
        let before = fs::read(&copy).expect("reads");
        let frozen = Frozen::open(&copy).expect("opens");
        assert_eq!(frozen.get(&keys::meta_generation()).await.expect("reads").expect("is there").value, b"1");
        assert_eq!(frozen.range(&KeyPrefix::of(&["v1"]).range(), 10).await.expect("reads").entries.len(), 1);
        let refused = frozen.commit(Txn::new().put(keys::meta_generation(), "2")).await;
        assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
        drop(frozen);
        assert_eq!(fs::read(&copy).expect("reads"), before);
        assert!(matches!(Frozen::open(&dir.path().join(FILE_NAME)).err(), Some(StoreError::InUse)), "it is written to");
    }

    #[tokio::test]
    async fn a_backup_with_one_wrong_byte_is_refused_and_a_whole_one_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Embedded::create(dir.path()).expect("a store");
        store.commit(Txn::new().put(keys::meta_generation(), vec![b'x'; 3_000])).await.expect("commits");
        let (copy, scratch) = (dir.path().join("copy.redb"), dir.path().join("scratch.redb"));
        store.back_up(&copy).await.expect("copies");
        let frozen = Frozen::checked(&copy, &scratch).expect("opens");
        assert!(!scratch.exists(), "the copy has no name");
        assert_eq!(frozen.get(&keys::meta_generation()).await.expect("reads").expect("is there").value.len(), 3_000);
        let mut bytes = fs::read(&copy).expect("reads");
        let value = bytes.windows(100).position(|part| part == [b'x'; 100]).expect("the value");
        bytes[value + 50] = b'y';
        fs::write(&copy, bytes).expect("writes");
        assert!(Frozen::open(&copy).is_ok(), "without a look at every page nothing is noticed");
        let refused = Frozen::checked(&copy, &scratch).err();
        assert!(matches!(refused, Some(StoreError::Failed { .. })), "{refused:?}");
        assert!(!scratch.exists());
    }
}
