//! The search hits before and misses after, and says what it could not read.

use gallra_model::{CustomerId, RequestId, SubjectId};
use tempfile::TempDir;

use super::*;
use crate::keys::{self, IndexKind, What};
use crate::{Embedded, Store, Txn};

const ADDRESS: &str = "ada@example.org";

struct Place {
    dir: TempDir,
    keyring: Keyring,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let keyring = Keyring::create(&dir.path().join("keys")).expect("makes");
        drop(Embedded::create(&dir.path().join("store")).expect("makes"));
        Self { dir, keyring }
    }

    async fn commit(&self, txn: Txn) {
        let store = Embedded::open(&self.dir.path().join("store")).expect("opens");
        store.commit(txn).await.expect("commits");
    }

    fn search(&self) -> Report {
        search(&self.dir.path().join("store"), &self.keyring, &Needles::new([ADDRESS])).expect("searches")
    }
}

fn subject(byte: u8) -> SubjectId {
    SubjectId::from_bytes([byte; 16])
}

fn sealed_at(byte: u8) -> Key {
    keys::sealed(&subject(byte), What::Customer(CustomerId::from_bytes([byte; 16])))
}

#[tokio::test]
async fn destroying_the_wrapped_key_alone_ends_what_can_be_found() {
    let place = Place::new();
    let (key, wrapped) = place.keyring.new_subject(&subject(1)).expect("makes");
    let (other, others_wrapped) = place.keyring.new_subject(&subject(2)).expect("makes");
    let txn = Txn::new()
        .put(wrapped.key.clone(), wrapped.value)
        .put(others_wrapped.key, others_wrapped.value)
        .put(sealed_at(1), key.seal(&sealed_at(1), format!("{{\"a\":\"{ADDRESS}\"}}").as_bytes()).expect("seals"))
        .put(sealed_at(2), other.seal(&sealed_at(2), b"bo@example.org").expect("seals"))
        .put(place.keyring.index(IndexKind::Address, ADDRESS), "x");
    place.commit(txn).await;
    place.keyring.begin_epoch().expect("begins");

    let before = place.search();
    assert_eq!(before.of(Family::Sealed), Found { entries: 2, sealed_opened: 2, sealed_unreadable: 0, hits: 1 });
    assert_eq!(before.total().hits, 1, "neither the index nor the wrapped keys tell");

    place.commit(Txn::new().delete(wrapped.key)).await;
    let after = place.search();
    assert_eq!(after.of(Family::Sealed), Found { entries: 2, sealed_opened: 1, sealed_unreadable: 1, hits: 0 });
    assert_eq!(after.of(Family::SubjectKey).entries, 1);
}

#[tokio::test]
async fn what_was_not_sealed_is_found_wherever_it_stands() {
    let place = Place::new();
    let request = keys::request(&RequestId::from_bytes([1; 16]));
    let stray = Key::parse(&format!("stray/{ADDRESS}")).expect("a key");
    place.commit(Txn::new().put(request, format!("to {ADDRESS}")).put(stray, "")).await;
    let report = place.search();
    assert_eq!(report.of(Family::Request).hits, 1);
    assert_eq!(report.families.get(&None).map(|found| found.hits), Some(1), "in a key that no family has");
}

#[tokio::test]
async fn an_open_store_is_not_searched() {
    let place = Place::new();
    let _open = Embedded::open(&place.dir.path().join("store")).expect("opens");
    let outcome = search(&place.dir.path().join("store"), &place.keyring, &Needles::new([ADDRESS]));
    assert!(matches!(outcome, Err(StoreError::InUse)));
}
