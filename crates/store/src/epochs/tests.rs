//! Turning: from a crash at any step it goes on, nobody is lost or unfindable for a moment, and what was destroyed cannot be
//! read from any file by then.

mod crash;
mod forgotten;
mod race;

use std::path::PathBuf;
use std::sync::Arc;

use gallra_model::{CustomerId, SubjectId};
use tempfile::TempDir;

use super::*;
use crate::Embedded;
use crate::search::{FileFound, Needles, search_files};

/// A coordinator's folder: store, keys, backups, and copies that somebody carried elsewhere.
struct Site {
    folder: TempDir,
}

/// What is open while a coordinator runs.
struct Open {
    store: Arc<Embedded>,
    keyring: Keyring,
    effects: OnDisk,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a folder") };
        Keyring::create(&site.path("keys")).expect("makes");
        drop(Embedded::create(&site.path("store")).expect("makes"));
        std::fs::create_dir(site.path("elsewhere")).expect("makes");
        site
    }

    /// Another folder with the same files.
    fn copy(&self) -> Self {
        let copy = Self { folder: tempfile::tempdir().expect("a folder") };
        for folder in ["keys", "store", "backups"] {
            std::fs::create_dir(copy.path(folder)).expect("makes");
            for name in self.names(folder) {
                std::fs::copy(self.path(folder).join(&name), copy.path(folder).join(&name)).expect("copies");
            }
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Open {
        let store = Arc::new(Embedded::open(&self.path("store")).expect("opens"));
        let effects = OnDisk::new(Arc::clone(&store), self.path("backups"));
        Open { store, keyring: Keyring::open(&self.path("keys")).expect("opens"), effects }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    /// What somebody with every file of the folder can read of these words, by file.
    fn search(&self, words: &[&str]) -> Vec<(String, FileFound)> {
        let keyring = Keyring::open(&self.path("keys")).expect("opens");
        let found = search_files(self.folder.path(), &keyring, &Needles::new(words.iter().copied())).expect("searches");
        let relative = |path: PathBuf| path.strip_prefix(self.folder.path()).expect("inside").display().to_string();
        found.into_iter().map(|(path, found)| (relative(path), found)).collect()
    }
}

impl Open {
    fn turning(&self) -> Turning<'_> {
        Turning { store: &*self.store, keyring: &self.keyring, effects: &self.effects, names: &by_number }
    }

    async fn turn(&self, now: Instant) -> Progress {
        self.turning().turn(now, 1_000).await.expect("turns")
    }

    async fn readable(&self, n: u32) -> bool {
        readable(&*self.store, &self.keyring, n).await
    }
}

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn start() -> Instant {
    at("2026-01-01T00:00:00Z")
}

fn after_days(days: i64) -> Instant {
    Instant::from_second(start().as_second() + days * 86_400).expect("an instant")
}

fn subject(n: u32) -> SubjectId {
    SubjectId::from_bytes(id(n))
}

fn id(n: u32) -> [u8; 16] {
    let mut id = [7; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    id
}

fn number(n: u32) -> String {
    format!("customer-{n}@example.org")
}

fn sealed_at(n: u32) -> Key {
    keys::sealed(&subject(n), What::Customer(CustomerId::from_bytes(id(n))))
}

/// In these tests a sealed value is a customer's number.
fn by_number(_: What, plain: &[u8]) -> Vec<(IndexKind, Zeroizing<String>)> {
    vec![(IndexKind::CustomerNumber, Zeroizing::new(String::from_utf8(plain.to_vec()).expect("text")))]
}

fn person(keyring: &Keyring, txn: Txn, n: u32) -> Txn {
    let (key, wrapped) = keyring.new_subject(&subject(n)).expect("makes");
    let sealed = key.seal(&sealed_at(n), number(n).as_bytes()).expect("seals");
    let txn = wrapped.create_in(txn).create(sealed_at(n), sealed);
    keyring.claim_index(txn, IndexKind::CustomerNumber, &number(n), n.to_string())
}

/// Takes everything of a person away, as the end of a request does.
async fn forget(store: &dyn Store, keyring: &Keyring, n: u32) -> Result<(), StoreError> {
    let mut txn = Txn::new().delete(sealed_at(n));
    let index = keyring.find(store, IndexKind::CustomerNumber, &number(n)).await?;
    let key = keyring.find_subject(store, &subject(n)).await?;
    for entry in [index, key].into_iter().flatten() {
        txn = txn.expect_as_read(&entry.key, Some(&entry)).delete(entry.key);
    }
    store.commit(txn).await.map(drop)
}

/// Whether a person is found by number, and what is sealed opens.
async fn readable(store: &dyn Store, keyring: &Keyring, n: u32) -> bool {
    // What was read may be rewrapped before the keys of its epoch are looked up: then again, as a caller does.
    for _ in 0..5 {
        let found = keyring.find(store, IndexKind::CustomerNumber, &number(n)).await.expect("reads");
        let key = keyring.find_subject(store, &subject(n)).await.expect("reads");
        let sealed = store.get(&sealed_at(n)).await.expect("reads");
        let (Some(found), Some(key), Some(sealed)) = (found, key, sealed) else { return false };
        let Ok(key) = keyring.unwrap_subject(&key.key, &key.value) else { continue };
        let plain = key.open(&sealed.key, &sealed.value).expect("opens");
        return plain.as_slice() == number(n).as_bytes() && found.value == n.to_string().as_bytes();
    }
    false
}

#[tokio::test]
async fn a_fresh_store_waits_thirty_days_and_one_of_unknown_age_does_not() {
    let site = Site::new();
    let open = site.open();
    assert_eq!(open.turn(start()).await, Progress::NotDue { seconds: 30 * 86_400 });
    assert_eq!(open.turn(after_days(29)).await, Progress::NotDue { seconds: 86_400 });
    let old = Site::new();
    let open = old.open();
    open.store.commit(person(&open.keyring, Txn::new(), 1)).await.expect("commits");
    assert_eq!(open.turn(start()).await, Progress::Turned { epoch: Epoch::FIRST.next() });
    assert!(open.readable(1).await);
    assert_eq!(open.turn(start()).await, Progress::NotDue { seconds: 30 * 86_400 });
}

#[tokio::test]
async fn a_budget_bounds_what_one_call_does() {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    assert_eq!(open.turning().turn(after_days(30), 1).await.expect("turns"), Progress::Working { due: Due::Now });
    assert_eq!(open.turning().turn(after_days(31), 1).await.expect("turns"), Progress::Working { due: Due::Missed });
    assert_eq!(open.turn(after_days(31)).await, Progress::Turned { epoch: Epoch::FIRST.next() });
}
