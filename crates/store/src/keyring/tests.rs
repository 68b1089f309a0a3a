//! What sealing promises: bound to key, place and epoch; gone with the wrapped key; one pseudonym an agent.

use std::os::unix::fs::PermissionsExt;

use gallra_model::{AgentName, CustomerId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::keys::{IndexKind, What};
use crate::{Store as _, Txn};

fn keyring() -> (TempDir, Keyring) {
    let dir = tempfile::tempdir().expect("a directory");
    let keyring = Keyring::create(&dir.path().join("keys")).expect("makes");
    (dir, keyring)
}

fn subject(byte: u8) -> SubjectId {
    SubjectId::from_bytes([byte; 16])
}

fn place(byte: u8) -> Key {
    keys::sealed(&subject(byte), What::Customer(CustomerId::from_bytes([byte; 16])))
}

#[test]
fn a_value_opens_at_its_place_under_its_key_only() {
    let (_dir, keyring) = keyring();
    let (key, _) = keyring.new_subject(&subject(1)).expect("makes");
    let (other, _) = keyring.new_subject(&subject(1)).expect("makes");
    let sealed = key.seal(&place(1), b"ada@example.org").expect("seals");
    assert_eq!(key.open(&place(1), &sealed).expect("opens").as_slice(), b"ada@example.org");
    assert!(key.open(&place(2), &sealed).is_err(), "another place");
    assert!(other.open(&place(1), &sealed).is_err(), "another key");
    assert_ne!(key.seal(&place(1), b"ada@example.org").expect("seals"), sealed, "a fresh nonce each time");
}

#[test]
fn without_the_wrapped_key_s_record_nothing_opens() {
    let (dir, keyring) = keyring();
    let (key, wrapped) = keyring.new_subject(&subject(1)).expect("makes");
    let sealed = key.seal(&place(1), b"ada").expect("seals");
    drop((key, keyring));
    let keyring = Keyring::open(&dir.path().join("keys")).expect("opens");
    let again = keyring.unwrap_subject(&wrapped.key, &wrapped.value).expect("unwraps");
    assert_eq!(again.open(&place(1), &sealed).expect("opens").as_slice(), b"ada");
    // The record is removed; all that is left are other subjects' records, under any name.
    let (_, foreign) = keyring.new_subject(&subject(2)).expect("makes");
    assert!(keyring.unwrap_subject(&wrapped.key, &foreign.value).is_err());
    let key = keyring.unwrap_subject(&foreign.key, &foreign.value).expect("unwraps");
    assert!(key.open(&place(1), &sealed).is_err());
}

#[test]
fn a_rewrapped_key_outlives_its_old_epoch() {
    let (dir, keyring) = keyring();
    let dir = dir.path().join("keys");
    let (key, old) = keyring.new_subject(&subject(1)).expect("makes");
    let (_, left) = keyring.new_subject(&subject(2)).expect("makes");
    let sealed = key.seal(&place(1), b"ada").expect("seals");
    let next = keyring.begin_epoch().expect("begins");
    let new = keyring.rewrap(&old.key, &old.value, next).expect("rewraps");
    assert_eq!(new.key, keys::subject_key(next, &subject(1)));
    assert_eq!(keyring.subject_key_names(&subject(1)), [new.key.clone(), old.key.clone()]);
    std::fs::remove_file(dir.join(Epoch::FIRST.file())).expect("removes");
    let keyring = Keyring::open(&dir).expect("opens");
    assert_eq!(keyring.epochs(), [next]);
    let key = keyring.unwrap_subject(&new.key, &new.value).expect("unwraps");
    assert_eq!(key.open(&place(1), &sealed).expect("opens").as_slice(), b"ada");
    for gone in [old, left] {
        assert!(matches!(keyring.unwrap_subject(&gone.key, &gone.value), Err(KeyringError::NoEpoch(Epoch::FIRST))));
        assert!(keyring.unwrap_subject(&new.key, &gone.value).is_err(), "nor under the new epoch's name");
    }
}

#[test]
fn destroyed_keys_are_gone_from_disk_and_memory_after_a_crash_too() {
    let (dir, keyring) = keyring();
    let dir = dir.path().join("keys");
    let (_, wrapped) = keyring.new_subject(&subject(1)).expect("makes");
    let first = dir.join(Epoch::FIRST.file());
    let secret = std::fs::read(&first).expect("reads");
    assert!(matches!(keyring.destroy_epoch(Epoch::FIRST), Err(KeyringError::Current(_))), "not the current one");
    keyring.begin_epoch().expect("begins");
    let link = dir.join("same-bytes");
    std::fs::hard_link(&first, &link).expect("links");
    keyring.destroy_epoch(Epoch::FIRST).expect("destroys");
    assert_eq!(std::fs::read(&link).expect("reads"), vec![0; secret.len()], "written over, not only unlinked");
    assert!(keyring.unwrap_subject(&wrapped.key, &wrapped.value).is_err());
    // A crash before the file was written over: its name was taken already, and the directory opens.
    std::fs::write(dir.join("epoch-00000001.key.destroyed"), &secret).expect("writes");
    std::fs::remove_file(link).expect("removes");
    let keyring = Keyring::open(&dir).expect("opens");
    for _ in 0..2 {
        keyring.destroy_epoch(Epoch::FIRST).expect("destroys what is left");
        let mut names = file::names(&dir).expect("lists");
        names.sort();
        assert_eq!(names, ["closed.key", "epoch-00000002.key", "lasting.key"]);
    }
}

#[test]
fn indexes_are_of_their_epoch_and_kind() {
    let (_dir, keyring) = keyring();
    let first = keyring.index(IndexKind::Address, "ada@example.org");
    assert_eq!(first, keyring.index(IndexKind::Address, "ada@example.org"));
    assert_ne!(first, keyring.index(IndexKind::Address, "eda@example.org"));
    let last = |key: &Key| key.segments().last().map(str::to_owned);
    assert_ne!(last(&first), last(&keyring.index(IndexKind::ServiceId, "ada@example.org")));
    keyring.begin_epoch().expect("begins");
    let second = keyring.index(IndexKind::Address, "ada@example.org");
    assert_ne!(last(&first), last(&second));
    assert_eq!(keyring.indexes(IndexKind::Address, "ada@example.org"), [second, first]);
}

#[test]
fn a_pseudonym_is_of_one_agent_and_outlasts_epochs() {
    let (dir, keyring) = keyring();
    let (web, mail): (AgentName, AgentName) = ("web1".parse().expect("a name"), "mail".parse().expect("a name"));
    let name = keyring.pseudonym(&web, &subject(1));
    assert_ne!(name, keyring.pseudonym(&mail, &subject(1)));
    assert_ne!(name, keyring.pseudonym(&web, &subject(2)));
    let closed = keyring.closed_reference("web-1001");
    keyring.begin_epoch().expect("begins");
    let keyring = Keyring::open(&dir.path().join("keys")).expect("opens");
    assert_eq!(keyring.pseudonym(&web, &subject(1)), name);
    assert_eq!(keyring.closed_reference("web-1001"), closed);
}

#[test]
fn key_files_are_their_owner_s_alone_and_never_written_over() {
    let (dir, keyring) = keyring();
    let dir = dir.path().join("keys");
    drop(keyring);
    assert_eq!(dir.metadata().expect("is there").permissions().mode() & 0o777, 0o700);
    assert!(matches!(Keyring::create(&dir), Err(KeyringError::Exists(_))));
    for name in file::names(&dir).expect("lists") {
        let path = dir.join(&name);
        assert_eq!(path.metadata().expect("is there").permissions().mode() & 0o777, 0o600, "{name}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("sets");
        assert!(matches!(Keyring::open(&dir), Err(KeyringError::Exposed(at)) if at == name));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("sets");
        let whole = std::fs::read(&path).expect("reads");
        std::fs::write(&path, whole.split_last().expect("some bytes").1).expect("writes");
        assert!(matches!(Keyring::open(&dir), Err(KeyringError::Malformed(at)) if at == name));
        std::fs::write(&path, whole).expect("writes");
    }
    assert!(Keyring::open(&dir).is_ok());
    for name in [LASTING_FILE, CLOSED_FILE] {
        std::fs::rename(dir.join(name), dir.join("away")).expect("moves");
        assert!(matches!(Keyring::open(&dir), Err(KeyringError::Missing(at)) if at == name));
        std::fs::rename(dir.join("away"), dir.join(name)).expect("moves");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_value_reads_back_and_any_flipped_bit_is_noticed(plain in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let key = SubjectKey::random().expect("makes");
        let mut sealed = key.seal(&place(1), &plain).expect("seals");
        prop_assert_eq!(sealed.len(), plain.len() + seal::SEALED_OVERHEAD_BYTES);
        let opened = key.open(&place(1), &sealed).expect("opens");
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        let at = at.index(sealed.len());
        if let Some(byte) = sealed.get_mut(at) {
            *byte ^= 1 << bit;
        }
        prop_assert!(key.open(&place(1), &sealed).is_err());
        prop_assert!(key.open(&place(1), sealed.split_at(at).0).is_err());
    }
}

#[tokio::test]
async fn who_shares_a_directory_goes_over_when_the_epoch_before_is_closed_and_forgets_what_is_destroyed() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("keys");
    let turns = Keyring::create(&dir).expect("makes");
    let store = crate::Embedded::create(&temp.path().join("store")).expect("a store");
    let shares = Keyring::open(&dir).expect("opens");
    shares.share(&store).await.expect("shares");
    let (first, second) = (Epoch::FIRST, Epoch::FIRST.next());
    let says = async |stage: Option<&str>| {
        let record = match stage {
            None => r#"{"epoch":"00000002","since":"2026-01-01T00:00:00Z","turning":null}"#.to_owned(),
            Some(stage) => format!(
                r#"{{"epoch":"00000001","since":"2026-01-01T00:00:00Z","turning":{{"to":"00000002","began":"2026-01-01T00:00:00Z","stage":"{stage}"}}}}"#
            ),
        };
        store.commit(Txn::new().put(keys::meta_epoch(), record)).await.expect("commits");
        shares.learn(&store).await
    };
    says(Some("key")).await.expect("learns");
    turns.make_epoch(second).expect("makes");
    shares.learn(&store).await.expect("learns");
    assert_eq!(shares.epochs(), [first], "nobody writes under an epoch while others write under the one before");
    let later = Keyring::open(&dir).expect("opens");
    later.share(&store).await.expect("shares");
    assert_eq!(later.epochs(), [first], "not even who comes in the middle");
    says(Some("rewrap")).await.expect("learns");
    assert_eq!(shares.epochs(), [second, first]);
    turns.go_over(second).expect("goes over");
    turns.destroy_epoch(first).expect("destroys");
    says(Some("clean")).await.expect("learns");
    assert_eq!(shares.epochs(), [second], "what is destroyed is not kept in memory");
    says(None).await.expect("learns");
    assert_eq!(shares.epochs(), [second]);
    // A directory that is not the one which the others share has not their keys, and nothing is looked up with others.
    let alone = Keyring::create(&temp.path().join("other")).expect("makes");
    assert!(matches!(alone.share(&store).await, Err(crate::StoreError::Failed { .. })));
    assert!(alone.find(&store, IndexKind::CustomerNumber, "10001").await.is_err());
}
