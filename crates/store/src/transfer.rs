//! Moving a store into another engine, offline and verified. Owns the order that leaves at most one of the two servable from any
//! crash: the source gives its generation up before the target has one, and the target has one only after every entry was read back
//! and compared. Knows no engine; refuses a target that holds anything else.

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::keys::{self, Family};
use crate::store::{Entry, MAX_PAGE_ENTRIES, Store, StoreError};
use crate::txn::{Expect, MAX_TXN_BYTES, MAX_TXN_OPS, Txn};

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Entries that are in the target now.
    pub entries: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the two stores failed.
    #[error("{which}: {error}")]
    Store {
        /// `source` or `target`.
        which: &'static str,
        /// What it said.
        error: StoreError,
    },
    /// The source is no coordinator's store.
    #[error("the source has no generation: it was never initialised, or is not a coordinator's store")]
    NotInitialised,
    /// The target holds something that the source does not.
    #[error("the target has another value at {0}, or one that the source has not: choose an empty one")]
    Different(Key),
    /// The target can be served already.
    #[error("the target has a generation: it is a coordinator's store already")]
    Served,
}

fn source(error: StoreError) -> TransferError {
    TransferError::Store { which: "source", error }
}

fn target(error: StoreError) -> TransferError {
    TransferError::Store { which: "target", error }
}

/// Whether a key is of what a coordinator keeps, and not of those that run.
pub(crate) fn is_kept(key: &Key) -> bool {
    Family::of(key) != Some(Family::Replica) && *key != keys::meta_leader()
}

/// Whether a key is not copied: it says which store is the one that is served.
fn stays(key: &Key) -> bool {
    !is_kept(key) || [keys::meta_generation(), keys::meta_moved()].contains(key)
}

/// All keys there can be.
pub fn everything() -> KeyRange {
    KeyPrefix::of(&["v1"]).range()
}

/// Moves everything that `from` keeps into `to`. Nothing may be served from either meanwhile. `told` hears how many entries were
/// copied so far. Done again after a crash, it goes on.
///
/// # Errors
/// [`TransferError`]; the source is as it was, unless all of it is in the target.
pub async fn transfer(
    from: &dyn Store,
    to: &dyn Store,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<Moved, TransferError> {
    let generation = generation_of(from).await?;
    let moved = copied(from, to, told).await?;
    if let Some(entry) = from.get(&keys::meta_generation()).await.map_err(source)? {
        let gives_up = Txn::new()
            .expect(entry.key.clone(), Expect::Version(entry.version))
            .delete(entry.key)
            .put(keys::meta_moved(), generation.clone());
        from.commit(gives_up).await.map_err(source)?;
    }
    to.commit(Txn::new().create(keys::meta_generation(), generation)).await.map_err(target)?;
    Ok(moved)
}

/// Copies everything that `from` keeps into `to`, and reads it back. The target has no generation afterwards, so that nothing is
/// served from it before somebody gives it one ([`crate::keys::meta_generation`]). Done again after a crash, it goes on.
///
/// # Errors
/// [`TransferError`]; a target that has a generation is refused.
pub async fn put_back(
    from: &dyn Store,
    to: &dyn Store,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<Moved, TransferError> {
    generation_of(from).await?;
    copied(from, to, told).await
}

async fn copied(from: &dyn Store, to: &dyn Store, told: &mut (dyn FnMut(u64) + Send)) -> Result<Moved, TransferError> {
    if to.get(&keys::meta_generation()).await.map_err(target)?.is_some() {
        return Err(TransferError::Served);
    }
    copy(from, to, told).await?;
    compare(from, to).await
}

/// The source's generation, also where a crash came after it was given up.
async fn generation_of(from: &dyn Store) -> Result<Vec<u8>, TransferError> {
    for key in [keys::meta_generation(), keys::meta_moved()] {
        if let Some(entry) = from.get(&key).await.map_err(source)? {
            return Ok(entry.value);
        }
    }
    Err(TransferError::NotInitialised)
}

async fn copy(from: &dyn Store, to: &dyn Store, told: &mut (dyn FnMut(u64) + Send)) -> Result<(), TransferError> {
    let (mut left, mut batch, mut bytes, mut copied) = (Some(everything()), Vec::new(), 0, 0);
    while let Some(range) = left {
        let page = from.range(&range, MAX_PAGE_ENTRIES).await.map_err(source)?;
        for entry in page.entries.into_iter().filter(|entry| !stays(&entry.key)) {
            // Expected and written: the key counts twice.
            let more = 2 * entry.key.as_bytes().len() + entry.value.len();
            if batch.len() == MAX_TXN_OPS || bytes + more > MAX_TXN_BYTES {
                put(to, &batch).await?;
                copied += batch.len() as u64;
                told(copied);
                batch.clear();
                bytes = 0;
            }
            bytes += more;
            batch.push(entry);
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    put(to, &batch).await?;
    told(copied + batch.len() as u64);
    Ok(())
}

fn with(txn: Txn, entry: &Entry) -> Txn {
    txn.create(entry.key.clone(), entry.value.clone())
}

/// Writes a batch, or finds it written.
async fn put(to: &dyn Store, batch: &[Entry]) -> Result<(), TransferError> {
    match to.commit(batch.iter().fold(Txn::new(), with)).await {
        Ok(_) => return Ok(()),
        Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(target(error)),
    }
    for entry in batch {
        match to.get(&entry.key).await.map_err(target)? {
            Some(there) if there.value == entry.value => {}
            Some(there) => return Err(TransferError::Different(there.key)),
            None => {
                to.commit(with(Txn::new(), entry)).await.map_err(target)?;
            }
        }
    }
    Ok(())
}

/// Reads both again, side by side.
async fn compare(from: &dyn Store, to: &dyn Store) -> Result<Moved, TransferError> {
    let (mut ours, mut theirs) = (Walk::of(from, source), Walk::of(to, target));
    let mut moved = Moved::default();
    loop {
        match (ours.next().await?, theirs.next().await?) {
            (None, None) => return Ok(moved),
            (Some(one), Some(other)) if (&one.key, &one.value) == (&other.key, &other.value) => {
                moved.entries += 1;
                moved.bytes += one.value.len() as u64;
            }
            (Some(one), _) | (None, Some(one)) => return Err(TransferError::Different(one.key)),
        }
    }
}

/// A store's entries in order, a page in memory.
struct Walk<'s> {
    store: &'s dyn Store,
    failed: fn(StoreError) -> TransferError,
    page: std::vec::IntoIter<Entry>,
    left: Option<KeyRange>,
}

impl<'s> Walk<'s> {
    fn of(store: &'s dyn Store, failed: fn(StoreError) -> TransferError) -> Self {
        Self { store, failed, page: Vec::new().into_iter(), left: Some(everything()) }
    }

    async fn next(&mut self) -> Result<Option<Entry>, TransferError> {
        loop {
            if let Some(entry) = self.page.find(|entry| !stays(&entry.key)) {
                return Ok(Some(entry));
            }
            let Some(range) = self.left.take() else { return Ok(None) };
            let page = self.store.range(&range, MAX_PAGE_ENTRIES).await.map_err(self.failed)?;
            self.left = page.more.map(|more| range.starting_at(&more));
            self.page = page.entries.into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Embedded;

    fn key(n: u32) -> Key {
        Key::parse(&format!("v1/request/{n:032x}")).expect("a key")
    }

    async fn store(entries: u32) -> (tempfile::TempDir, Embedded) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Embedded::create(dir.path()).expect("a store");
        if entries > 0 {
            let facts = Txn::new().put(keys::meta_generation(), "3").put(keys::meta_leader(), "somebody");
            store.commit(facts.put(keys::replica_alive("x"), "there")).await.expect("commits");
        }
        for n in 0..entries {
            let value = vec![b'v'; if n % 50 == 0 { 400_000 } else { 100 }];
            store.commit(Txn::new().put(key(n), value)).await.expect("commits");
        }
        (dir, store)
    }

    #[tokio::test]
    async fn all_of_it_is_there_and_only_one_of_the_two_can_be_served() {
        let ((_a, from), (_b, to)) = (store(300).await, store(0).await);
        let mut said = Vec::new();
        let moved = transfer(&from, &to, &mut |copied| said.push(copied)).await.expect("moves");
        assert_eq!((moved.entries, said.last(), said.len() > 2), (300, Some(&300), true));
        assert!(moved.bytes > 2_000_000);
        assert!(from.get(&keys::meta_generation()).await.expect("reads").is_none());
        assert_eq!(to.get(&keys::meta_generation()).await.expect("reads").expect("is there").value, b"3");
        for gone in [keys::meta_leader(), keys::replica_alive("x"), keys::meta_moved()] {
            assert!(to.get(&gone).await.expect("reads").is_none(), "{gone}");
        }
        let again = transfer(&from, &to, &mut |_| ()).await;
        assert!(matches!(again, Err(TransferError::Served)), "{again:?}");
    }

    #[tokio::test]
    async fn what_is_put_back_is_whole_and_not_served_before_somebody_says_so() {
        let ((_a, from), (_b, to)) = (store(60).await, store(0).await);
        for _ in 0..2 {
            assert_eq!(put_back(&from, &to, &mut |_| ()).await.expect("copies").entries, 60);
        }
        for there in [&from, &to] {
            let generation = there.get(&keys::meta_generation()).await.expect("reads");
            assert_eq!(generation.is_some(), std::ptr::eq(there, &from), "only the source can be served");
        }
        to.commit(Txn::new().create(keys::meta_generation(), "4")).await.expect("commits");
        assert!(matches!(put_back(&from, &to, &mut |_| ()).await, Err(TransferError::Served)));
    }

    #[tokio::test]
    async fn a_crash_anywhere_is_gone_on_from() {
        let ((_a, from), (_b, to)) = (store(200).await, store(0).await);
        // Some of it was copied; then all of it, and the source has given up.
        to.commit(Txn::new().put(key(1), vec![b'v'; 100]).put(key(199), vec![b'v'; 100])).await.expect("commits");
        copy(&from, &to, &mut |_| ()).await.expect("copies");
        let gives_up = Txn::new().delete(keys::meta_generation()).put(keys::meta_moved(), "3");
        from.commit(gives_up).await.expect("commits");
        assert_eq!(transfer(&from, &to, &mut |_| ()).await.expect("moves").entries, 200);
        assert_eq!(to.get(&keys::meta_generation()).await.expect("reads").expect("is there").value, b"3");
    }

    #[tokio::test]
    async fn a_target_that_holds_anything_else_is_refused_and_the_source_stays_servable() {
        let (_a, from) = store(20).await;
        for (at, value) in [(key(5), "other"), (key(999), "more")] {
            let (_b, to) = store(0).await;
            to.commit(Txn::new().put(at.clone(), value)).await.expect("commits");
            let refused = transfer(&from, &to, &mut |_| ()).await;
            assert!(matches!(&refused, Err(TransferError::Different(key)) if *key == at), "{refused:?}");
            assert!(to.get(&keys::meta_generation()).await.expect("reads").is_none());
        }
        assert!(from.get(&keys::meta_generation()).await.expect("reads").is_some());
        let (_c, empty) = store(0).await;
        let (_d, to) = store(0).await;
        assert!(matches!(transfer(&empty, &to, &mut |_| ()).await, Err(TransferError::NotInitialised)));
    }
}
