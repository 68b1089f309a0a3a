//! Entries, places, proofs and tiles of one log that only grows.

use std::time::Duration;

use gallra_coordinator::ledger::enqueue;
use gallra_log::evidence::Evidence;
use gallra_log::tile::{Kind, Tile, Tiles, changed, changed_entries, unbundle};
use gallra_log::tree::{Hash, check_consistency, check_inclusion, root_at};
use gallra_store::{Store as _, Txn, keys};

use crate::place::{Place, at, entry, leaf, now, opened};

/// Over two levels of tiles, with a right edge of every kind.
const MANY: u64 = 3_000;

#[tokio::test]
async fn thousands_of_entries_have_their_places_in_the_order_in_which_they_came() {
    let mut place = Place::new().await;
    place.wait(0..MANY).await;
    assert_eq!(place.pass().await, 3_000);
    place.reopen().await;
    assert_eq!(place.pass().await, 0);
    let checkpoint = place.published().expect("published again after a start");
    assert_eq!(checkpoint.size, MANY);
    for number in [0, 1, 255, 256, 257, 1_500, MANY - 1] {
        assert_eq!(place.ledger().position(&leaf(number)).await.expect("reads"), Some(number));
        assert_eq!(place.ledger().entry(number).await.expect("reads"), Some(entry(number).to_string()));
        let path = place.ledger().inclusion(number, MANY).await.expect("a proof");
        assert_eq!(check_inclusion(&path, number, MANY, &leaf(number), &checkpoint.root), Ok(()));
    }
    assert_eq!(place.ledger().position(&leaf(MANY)).await.expect("reads"), None);
    assert_eq!(place.ledger().entry(MANY).await.expect("reads"), None);
    assert!(place.ledger().inclusion(MANY, MANY).await.is_err());
    assert!(place.ledger().inclusion(0, MANY + 1).await.is_err(), "no such tree");
}

#[tokio::test]
async fn every_checkpoint_is_the_beginning_of_every_later_one() {
    let mut place = Place::new().await;
    let (mut notes, mut next) = (Vec::new(), 0);
    for more in [1, 1, 54, 100, 100, 1, 300, 2] {
        place.log(next..next + more).await;
        next += more;
        notes.push(place.published().expect("published"));
        place.reopen().await;
        place.pass().await;
    }
    assert_eq!(notes.iter().map(|note| note.size).collect::<Vec<_>>(), [1, 2, 56, 156, 256, 257, 557, 559]);
    for (at, old) in notes.iter().enumerate() {
        for new in &notes[at..] {
            let path = place.ledger().consistency(old.size, new.size).await.expect("a proof");
            assert_eq!(check_consistency(&path, (old.size, &old.root), (new.size, &new.root)), Ok(()));
        }
    }
}

#[tokio::test]
async fn an_entry_is_entered_once_however_often_it_is_said() {
    let place = Place::new().await;
    let twice = enqueue(enqueue(Txn::new(), &entry(1), now()), &entry(1), now());
    assert_eq!(twice.writes().len(), 1, "in one transaction");
    place.store().commit(twice).await.expect("committed");
    place.store().commit(enqueue(Txn::new(), &entry(1), at(5))).await.expect("committed");
    place.store().commit(enqueue(Txn::new(), &entry(2), at(6))).await.expect("committed");
    assert_eq!(place.pass().await, 2, "waiting twice");
    place.store().commit(enqueue(Txn::new(), &entry(1), at(7))).await.expect("committed");
    assert_eq!(place.pass().await, 0, "in the log already");
    assert_eq!(place.ledger().waiting().await.expect("reads"), 0, "and it waits no more");
    assert_eq!(place.published().expect("published").size, 2);
    assert_eq!(place.ledger().position(&leaf(1)).await.expect("reads"), Some(0));
}

#[tokio::test]
async fn an_idle_log_signs_nothing_and_writes_nothing() {
    let place = Place::new().await;
    assert_eq!(place.pass().await, 0);
    assert!(place.ledger().checkpoint().is_none(), "there is nothing to sign");
    place.log([1]).await;
    let (note, before) = (place.note(), place.store().commit(Txn::new()).await.expect("committed"));
    place.pass().await;
    assert_eq!(place.note(), note);
    assert_eq!(place.store().commit(Txn::new()).await.expect("committed"), before, "something was written");
}

#[tokio::test]
async fn the_first_checkpoint_with_a_leaf_is_found_and_is_evidence_of_it() {
    let place = Place::new().await;
    place.log([0, 1, 2]).await;
    place.log([3, 4]).await;
    place.log([5]).await;
    for (index, size) in [(0, 3), (2, 3), (3, 5), (4, 5), (5, 6)] {
        let signed = place.ledger().first_holding(index).await.expect("reads").expect("held");
        assert_eq!(signed.size, size, "{index}");
        let path = place.ledger().inclusion(index, size).await.expect("a proof");
        let evidence = Evidence { unverified_extra: None, index, path, note: signed.note.parse().expect("a note") };
        assert!(evidence.check(&leaf(index), place.ledger().public(), &[]).is_ok());
        assert!(evidence.check(&leaf(index + 1), place.ledger().public(), &[]).is_err());
    }
    assert!(place.ledger().first_holding(6).await.expect("reads").is_none());
    assert!(place.ledger().first_holding(u64::MAX).await.expect("reads").is_none());
}

#[tokio::test]
async fn the_tiles_of_every_size_that_was_published_make_its_root_and_hold_its_entries() {
    let place = Place::new().await;
    let (mut roots, mut next) = (Vec::new(), 0);
    for more in [1, 200, 55, 1, 256, 100] {
        place.log(next..next + more).await;
        next += more;
        let checkpoint = place.published().expect("published");
        roots.push((checkpoint.size, checkpoint.root));
    }
    for (size, root) in roots {
        let mut tiles = Tiles::default();
        for tile in changed(0, size) {
            let bytes = place.ledger().tile(&tile.to_string()).await.expect("reads");
            tiles.insert(&tile, &bytes.unwrap_or_else(|| panic!("{tile} of {size}"))).expect("as wide as its name");
        }
        assert_eq!(root_at(size, &tiles), Ok(root), "{size}");
        let mut leaves = Vec::new();
        for tile in changed_entries(0, size) {
            let bytes = place.ledger().tile(&tile.to_string()).await.expect("reads").expect("a bundle");
            leaves.extend(unbundle(&tile, &bytes).expect("a bundle").into_iter().map(Hash::leaf));
        }
        assert_eq!(leaves, (0..size).map(leaf).collect::<Vec<_>>(), "{size}");
    }
}

#[tokio::test]
async fn no_tile_is_given_that_the_published_tree_has_not() {
    let place = Place::new().await;
    place.log(0..300).await;
    let there = ["tile/0/000", "tile/0/001.p/44", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/001.p/44"];
    let not =
        ["tile/0/001", "tile/0/001.p/45", "tile/0/002.p/1", "tile/1/000.p/2", "tile/2/000.p/1", "tile/entries/001"];
    for path in there {
        assert!(place.ledger().tile(path).await.expect("reads").is_some(), "{path}");
    }
    for path in not.into_iter().chain(["", "checkpoint", "tile/0/1", "tile/64/000", "tile/0/000.p/0", "../issuer.key"])
    {
        assert!(place.ledger().tile(path).await.expect("reads").is_none(), "{path}");
    }
    let width = Tile::at(Kind::Entries, 1, 300).expect("a tile").width();
    assert_eq!(width, 44);
}

#[tokio::test]
async fn who_waits_for_an_entry_hears_of_it_once_it_is_published() {
    let place = Place::new().await;
    place.log([1]).await;
    let soon = Duration::from_millis(1);
    assert_eq!(place.ledger().sequenced(&leaf(2), soon).await.expect("waits"), None, "nobody entered it");
    place.wait([2]).await;
    assert_eq!(place.ledger().sequenced(&leaf(2), soon).await.expect("waits"), None, "it has no place yet");
    let second = leaf(2);
    let waits = place.ledger().sequenced(&second, Duration::from_secs(60));
    let (seen, _) = tokio::join!(waits, place.pass());
    let seen = seen.expect("waits").expect("in time");
    assert_eq!((seen.index, seen.checkpoint.size), (1, 2));
    assert_eq!(opened(&seen.checkpoint.note, place.ledger().public()).size, 2);
    let earlier = place.ledger().sequenced(&leaf(1), soon).await.expect("waits").expect("at once");
    assert_eq!((earlier.index, earlier.checkpoint.size), (0, 2));
}

#[tokio::test]
async fn the_longest_entries_fit_into_the_stores_transactions() {
    use gallra_log::entry::{About, Entry, Kind, MOST_SIGNATURES};
    use gallra_model::{Digest, RequestId};
    let place = Place::new().await;
    let long = |number: u64| {
        let digest = |n: usize| Digest::of(format!("{number} {n}").as_bytes());
        let about = About { kind: Kind::CopyExpiry, request: Some(RequestId::from_bytes([1; 16])), due: None };
        let signatures = (0..MOST_SIGNATURES).map(|n| (digest(n), digest(n + 100))).collect();
        Entry::new(Some(about), digest(200), signatures).expect("an entry")
    };
    for number in 0..600 {
        let txn = enqueue(Txn::new(), &long(number), at(i64::try_from(number).expect("small")));
        place.store().commit(txn).await.expect("committed");
    }
    assert_eq!(place.pass().await, 600);
    let bundle = place.store().get(&keys::ledger_bundle(&keys::Tree::First, 0)).await.expect("reads").expect("there");
    assert!(bundle.value.len() > 600_000, "long ones: {}", bundle.value.len());
}
