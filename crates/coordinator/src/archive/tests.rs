//! What leaves the store is read as before, is written as before, and is never half in one place: on a real store, with more records
//! than a transaction takes.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::fs;
use std::path::PathBuf;

use gallra_model::Instant;
use gallra_store::{Embedded, Expect, Key, Store, Txn};
use tempfile::TempDir;

use super::away::Left;
use super::*;
use crate::error::CoreError;
use crate::state;

/// More than two transactions take.
const RECEIPTS: u32 = 300;

fn mine() -> RequestId {
    RequestId::from_bytes([7; 16])
}

fn receipt(number: u32) -> Key {
    keys::receipt(&mine(), &Digest::of(&number.to_be_bytes()))
}

struct Place {
    dir: TempDir,
    raw: Arc<Embedded>,
    archive: Arc<Archive>,
    /// As every part of the coordinator has it.
    store: WithArchive,
}

impl Place {
    async fn new() -> Self {
        Self::of(RECEIPTS).await
    }

    /// A request with its plan, so many receipts of two kilobytes, and what was asked.
    async fn of(receipts: u32) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let raw = Arc::new(Embedded::create(&dir.path().join("db")).expect("a store"));
        let archive = Archive::at(&dir.path().join("archive"), Some(7), "sha256:a".to_owned());
        let store = WithArchive::new(Arc::clone(&raw) as Arc<dyn Store>, Arc::clone(&archive));
        let row = Txn::new().put(keys::request(&mine()), r#"{"done":"2026-01-01T00:00:00Z"}"#);
        raw.commit(row.put(keys::plan(&mine(), 1), "{}").put(keys::asked(&mine()), "{}")).await.expect("commits");
        let said =
            |number: u32| format!(r#"{{"stored":"2026-01-01T00:00:00Z","text":"{}"}}"#, number.to_string().repeat(700));
        for first in (0..receipts).step_by(100) {
            let some = first..receipts.min(first + 100);
            let txn = some.fold(Txn::new(), |txn, number| txn.put(receipt(number), said(number)));
            raw.commit(txn).await.expect("commits");
        }
        Self { dir, raw, archive, store }
    }

    async fn row(&self) -> Entry {
        self.raw.get(&keys::request(&mine())).await.expect("reads").expect("a request")
    }

    async fn leave(&self) -> Result<Left, CoreError> {
        self.archive.put_away(&self.store, (&mine(), &self.row().await, None), |_| Ok(true)).await
    }

    /// All that somebody reads of the request in this store, page by page.
    async fn all(&self, store: &dyn Store) -> Vec<(Key, Vec<u8>)> {
        let mut all: Vec<Entry> = store.get(&keys::asked(&mine())).await.expect("reads").into_iter().collect();
        for prefix in [keys::plans_of(&mine()), keys::receipts_of(&mine()), keys::proofs_of(&mine())] {
            all.extend(state::entries(store, &prefix).await.expect("reads"));
        }
        all.into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    async fn pointer(&self) -> Option<Pointer> {
        away::pointer(&*self.raw, &mine()).await.expect("reads").map(|(_, pointer)| pointer)
    }

    fn file(&self) -> PathBuf {
        let folder = self.dir.path().join("archive/07070");
        let all: Vec<_> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("reads").path()).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    /// What a caller does who changes a record: reads, writes, and begins anew after a conflict. Gives the number of conflicts.
    async fn change(&self, key: &Key) -> usize {
        for conflicts in 0..4 {
            let read = self.store.get(key).await.expect("reads").expect("a record");
            match self.store.commit(Txn::new().replace(&read, "{\"changed\":true}")).await {
                Err(StoreError::Conflict { .. }) => {}
                done => return done.map(|_| conflicts).expect("commits"),
            }
        }
        panic!("never written");
    }
}

#[tokio::test]
async fn what_left_the_store_is_read_as_before_and_is_not_in_it() {
    let place = Place::new().await;
    let before = place.all(&place.store).await;
    assert_eq!(place.leave().await.expect("leaves"), Left::Yes);
    assert!(place.all(&*place.raw).await.is_empty(), "nothing of it is in the store by itself");
    assert!(matches!(place.pointer().await, Some(Pointer::Away(away)) if !away.clearing));
    assert_eq!(place.all(&place.store).await, before);
    assert_eq!(place.store.get(&receipt(5)).await.expect("reads").expect("there").key, receipt(5));
    assert!(place.store.get(&receipt(RECEIPTS)).await.expect("reads").is_none(), "what never was is not there");
    let small = fs::metadata(place.file()).expect("a file").len();
    let plain: usize = before.iter().map(|(_, value)| value.len()).sum();
    assert!(small * 4 < plain as u64, "packed: {small} of {plain} bytes");
}

#[tokio::test]
async fn whoever_writes_has_it_all_in_the_store_again() {
    for written in [receipt(3), keys::asked(&mine()), keys::request(&mine())] {
        let place = Place::new().await;
        let before = place.all(&place.store).await;
        place.leave().await.expect("leaves");
        assert_eq!(place.change(&written).await, 1, "{written}");
        assert_eq!(place.pointer().await, None);
        let after = place.all(&*place.raw).await;
        assert_eq!(after.len(), before.len());
        let other = |(key, _): &&(Key, Vec<u8>)| *key != written;
        assert!(after.iter().filter(other).eq(before.iter().filter(other)), "{written}: the others are as they were");
        // And leaves again, with what was written.
        assert_eq!(
            place
                .archive
                .put_away(&place.store, (&mine(), &place.row().await, None), |_| Ok(true))
                .await
                .expect("leaves"),
            Left::Yes
        );
        assert_eq!(place.all(&place.store).await, after);
    }
}

#[tokio::test]
async fn a_new_record_without_an_expectation_is_not_put_beside_those_that_left() {
    let place = Place::of(2).await;
    place.leave().await.expect("leaves");
    let put = || Txn::new().put(receipt(9), "{}");
    assert!(matches!(place.store.commit(put()).await, Err(StoreError::Conflict { .. })));
    place.store.commit(put()).await.expect("after it was told so");
    assert_eq!(place.all(&*place.raw).await.len(), 5);
}

/// What is done to a file.
type Damage<'d> = (&'d str, &'d dyn Fn());

#[tokio::test]
async fn a_file_that_is_missing_or_another_one_is_told_with_what_to_do_and_nothing_changes() {
    let place = Place::of(3).await;
    place.leave().await.expect("leaves");
    let (file, good) = (place.file(), fs::read(place.file()).expect("reads"));
    let aside = place.dir.path().join("aside");
    let mut turned = good.clone();
    *turned.last_mut().expect("bytes") ^= 1;
    let damages: [Damage<'_>; 3] = [
        ("missing", &|| fs::rename(&file, &aside).expect("moves")),
        ("turned", &|| fs::write(&file, &turned).expect("writes")),
        ("shorter", &|| fs::write(&file, &good[..good.len() - 1]).expect("writes")),
    ];
    for (what, damage) in damages {
        locked(&place.archive.recent).clear();
        damage();
        let told = |error: StoreError| {
            let text = error.to_string();
            let says = text.contains("put it back from the backup") && text.contains(&mine().to_string());
            assert!(matches!(error, StoreError::Archive { .. }) && says, "{what}: {text}");
        };
        told(place.store.get(&receipt(1)).await.expect_err(what));
        told(place.store.range(&keys::plans_of(&mine()).range(), 10).await.expect_err(what));
        told(place.store.commit(Txn::new().put(receipt(9), "{}")).await.expect_err(what));
        assert!(matches!(place.pointer().await, Some(Pointer::Away(_))), "{what}: it says where it was");
        let looked = look(&*place.raw, &place.archive).await.expect("looks");
        assert_eq!((looked.named, looked.missing), (1, u64::from(what != "turned")), "{what}");
        fs::write(&file, &good).expect("put back");
        assert_eq!(place.all(&place.store).await.len(), 5, "{what}: put back, all is well");
    }
}

#[tokio::test]
async fn who_writes_while_it_leaves_is_first_and_it_stays() {
    let place = Place::of(3).await;
    let before = place.all(&place.store).await;
    // Between the lock and the file: the rule is asked then.
    let asks = |_: &Records| {
        let written = futures_of(place.store.commit(Txn::new().put(receipt(9), "{}")));
        assert!(matches!(written, Err(StoreError::Conflict { .. })), "not while it leaves");
        assert!(futures_of(place.store.commit(Txn::new().put(receipt(9), "{}"))).is_ok(), "and then it is let in");
        Ok(true)
    };
    let left = place.archive.put_away(&place.store, (&mine(), &place.row().await, None), asks).await.expect("goes on");
    assert_eq!((left, place.pointer().await), (Left::Not, None));
    assert_eq!(place.all(&*place.raw).await.len(), before.len() + 1, "all of it is in the store, the new one too");
    // Two who move it: the second finds that it is not as it was read.
    let row = place.row().await;
    place.raw.commit(Txn::new().replace(&row, "{\"done\":\"2026-02-01T00:00:00Z\"}")).await.expect("commits");
    let late = place.archive.put_away(&place.store, (&mine(), &row, None), |_| Ok(true)).await.expect("goes on");
    assert_eq!((late, place.pointer().await), (Left::Not, None));
}

/// Runs to its end within a test's closure that is not asynchronous.
fn futures_of<T: Send>(doing: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let here = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(doing);
        scope.spawn(here).join().expect("no panic")
    })
}

#[tokio::test]
async fn what_is_not_to_go_stays_and_can_be_written_at_once() {
    let place = Place::of(3).await;
    let stays = place.archive.put_away(&place.store, (&mine(), &place.row().await, None), |_| Ok(false)).await;
    assert_eq!((stays.expect("looks"), place.pointer().await), (Left::Not, None));
    assert_eq!(place.change(&receipt(1)).await, 0);
    let young: Instant = "2026-01-05T00:00:00Z".parse().expect("a literal");
    let old: Instant = "2026-01-08T00:00:00Z".parse().expect("a literal");
    let said = Records::from([(receipt(1), br#"{"stored":"2026-01-01T00:00:00Z"}"#.to_vec())]);
    assert!(!rule::is_quiet(&said, 7, young).expect("reads") && rule::is_quiet(&said, 7, old).expect("reads"));
}

#[tokio::test]
async fn records_that_a_cut_off_move_left_in_the_store_do_not_count_and_are_cleared() {
    let place = Place::new().await;
    let before = place.all(&place.store).await;
    place.leave().await.expect("leaves");
    // As it is between two transactions of a move, in either direction.
    let Some(Pointer::Away(away)) = place.pointer().await else { panic!("away") };
    let cut = Pointer::Away(Away { clearing: true, ..away });
    let back =
        before.iter().skip(20).take(90).fold(Txn::new(), |txn, (key, value)| txn.put(key.clone(), value.clone()));
    let back = back.put(keys::archived(&mine()), serde_json::to_vec(&cut).expect("JSON"));
    place.raw.commit(back).await.expect("commits");
    assert_eq!(place.all(&place.store).await, before, "all of it, from the file");
    place.archive.clear(&place.store, &mine()).await.expect("clears");
    assert!(place.all(&*place.raw).await.is_empty());
    assert_eq!(place.all(&place.store).await, before);
    assert!(matches!(place.pointer().await, Some(Pointer::Away(away)) if !away.clearing));
}

/// A store that remembers which version of the pointer each transaction expected that removed something.
struct Heard(Arc<Embedded>, Mutex<Vec<Expect>>);

#[async_trait::async_trait]
impl Store for Heard {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn range(&self, range: &gallra_store::KeyRange, limit: usize) -> Result<gallra_store::Page, StoreError> {
        self.0.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<gallra_store::Revision, StoreError> {
        let removes = txn.writes().iter().any(|write| matches!(write, gallra_store::txn::Write::Delete { .. }));
        let pointer = txn.expects().iter().filter(|(key, _)| removes && *key == keys::archived(&mine()));
        locked(&self.1).extend(pointer.map(|(_, expect)| *expect));
        self.0.commit(txn).await
    }

    fn watch(&self, prefix: gallra_store::KeyPrefix) -> gallra_store::Watch {
        self.0.watch(prefix)
    }
}

#[tokio::test]
async fn what_clears_takes_the_pointer_from_whoever_puts_records_back() {
    let place = Place::new().await;
    place.leave().await.expect("leaves");
    let (read, _) = away::pointer(&*place.raw, &mine()).await.expect("reads").expect("away");
    let heard = Heard(Arc::clone(&place.raw), Mutex::default());
    place.archive.clear(&heard, &mine()).await.expect("clears");
    let expected = locked(&heard.1).clone();
    assert!(expected.len() > 2 && !expected.contains(&Expect::Version(read.version)), "{expected:?}");
}

#[tokio::test]
async fn what_was_read_as_open_a_moment_ago_costs_no_look_and_is_forgotten_when_it_leaves() {
    let place = Place::of(3).await;
    let open = Txn::new().put(keys::request(&mine()), "{}");
    place.raw.commit(open).await.expect("commits");
    place.store.get(&keys::request(&mine())).await.expect("reads");
    assert!(place.archive.is_open(&mine()));
    assert_eq!(place.leave().await.expect("leaves"), Left::Yes);
    assert!(!place.archive.is_open(&mine()));
    assert_eq!(place.all(&place.store).await.len(), 5);
}

#[tokio::test]
async fn a_folder_that_is_not_this_store_s_is_told() {
    let place = Place::of(1).await;
    assert_eq!(place.archive.another(&*place.raw).await.expect("looks"), None, "nothing was put anywhere yet");
    place.archive.folder.begin("sha256:b 0123").expect("writes");
    let told = place.archive.another(&*place.raw).await.expect("looks").expect("another one's");
    assert!(told.contains("another installation"), "{told}");
    place.archive.folder.begin("sha256:a 0123").expect("writes");
    assert_eq!(place.archive.another(&*place.raw).await.expect("looks"), None, "ours, before the store knew of it");
    let stored = Txn::new().expect(keys::meta_archive(), Expect::Absent).put(keys::meta_archive(), "\"sha256:a 4567\"");
    place.raw.commit(stored).await.expect("commits");
    let told = place.archive.another(&*place.raw).await.expect("looks").expect("another one's");
    assert!(told.contains("another store"), "{told}");
    fs::remove_file(place.dir.path().join("archive/store")).expect("removes");
    let told = place.archive.another(&*place.raw).await.expect("looks").expect("not mounted");
    assert!(told.contains("mount it") && told.contains("sha256:a 4567"), "{told}");
}
