//! Two sequencers on one store, crashes between the steps, and who vouches.

use std::collections::BTreeMap;
use std::sync::Arc;

use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::ledger::{Ledger, Vouch, enqueue};
use gallra_log::checkpoint::Checkpoint;
use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Kind, Note, Signature, Signer};
use gallra_store::{Store as _, Txn, keys};

use crate::between::{Before, Between};
use crate::place::{Place, at, entry, leaf, now, opened};

/// All notes of a store, opened: size and root.
async fn signed(place: &Place) -> BTreeMap<u64, Checkpoint> {
    let page = place.store().range(&keys::ledger_notes(&keys::Tree::First).range(), 1_000).await.expect("reads");
    assert!(page.more.is_none());
    let note = |bytes: &[u8]| -> gallra_coordinator::ledger::Signed { serde_json::from_slice(bytes).expect("JSON") };
    let all = page.entries.iter().map(|entry| note(&entry.value));
    all.map(|signed| (signed.size, opened(&signed.note, place.ledger().public()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_sequencers_none_ever_signs_a_second_tree_of_one_size() {
    const ENTRIES: u64 = 1_500;
    let place = Arc::new(Place::new().await);
    std::fs::create_dir(place.path("other")).expect("made");
    let other = Arc::new(place.ledger_on(place.store(), "other").await.expect("opens"));
    let mut heads: Vec<(u64, String)> = Vec::new();
    let (mine, theirs) = (Arc::clone(&place), Arc::clone(&other));
    let one = tokio::spawn(async move { race(mine.ledger(), ENTRIES).await });
    let two = tokio::spawn(async move { race(&theirs, ENTRIES).await });
    for chunk in 0..ENTRIES / 10 {
        place.wait(chunk * 10..chunk * 10 + 10).await;
    }
    for handed_out in [one.await.expect("ends"), two.await.expect("ends")] {
        assert!(!handed_out.is_empty());
        heads.extend(handed_out);
    }
    let mut roots: BTreeMap<u64, String> = BTreeMap::new();
    for (size, note) in heads {
        let root = opened(&note, place.ledger().public()).root.to_string();
        assert_eq!(roots.entry(size).or_insert_with(|| root.clone()), &root, "two roots at {size}");
    }
    assert!(place.stopped().is_none() && other.is_stopped().is_none());
    assert_eq!(place.ledger().committed().await.expect("reads").0, ENTRIES);
    for number in 0..ENTRIES {
        assert!(place.ledger().position(&leaf(number)).await.expect("reads").is_some(), "{number} has no place");
    }
    let all = signed(&place).await;
    for (size, root) in roots {
        assert_eq!(all.get(&size).map(|checkpoint| checkpoint.root.to_string()), Some(root), "handed out, not kept");
    }
}

#[tokio::test]
async fn whoever_is_slower_at_a_step_reads_again_and_signs_nothing_else() {
    // Between the head and what waits (agents are looked at before), before the batch is committed, and before the note is.
    for step in [Before::Range(1), Before::Commit(0), Before::Commit(1)] {
        let place = Place::new().await;
        place.log([0]).await;
        std::fs::create_dir(place.path("other")).expect("made");
        place.wait([1, 2]).await;
        let (store, faster) =
            (Arc::clone(place.store()), place.ledger_on(place.store(), "other").await.expect("opens"));
        let (third, fourth) = (enqueue(Txn::new(), &entry(3), at(3)), enqueue(Txn::new(), &entry(4), at(4)));
        let meanwhile = async move {
            store.commit(third).await.expect("committed");
            faster.pass(now()).await.expect("a pass");
            assert_eq!(faster.position(&leaf(3)).await.expect("reads"), Some(3));
            assert_eq!(faster.checkpoint().expect("published").size, 4);
            // Left for the slower one.
            store.commit(fourth).await.expect("committed");
        };
        let between = Arc::new(Between::new(place.store(), step, meanwhile));
        std::fs::create_dir(place.path("slower")).expect("made");
        let slower = place.ledger_on(&between, "slower").await.expect("opens");
        slower.pass(now()).await.expect("a pass");
        assert!(between.is_over(), "nothing came in between");
        slower.pass(now()).await.expect("a pass");
        assert_eq!((slower.is_stopped(), slower.checkpoint().expect("published").size), (None, 5), "{step:?}");
        let sizes: Vec<u64> = signed(&place).await.into_keys().collect();
        assert_eq!(sizes, [1, 4, 5], "of the tree of three no note is kept");
        assert_eq!(slower.position(&leaf(4)).await.expect("reads"), Some(4));
    }
}

/// Passes until the tree has so many leaves; gives each note that was handed out.
async fn race(ledger: &Ledger, until: u64) -> Vec<(u64, String)> {
    let mut handed_out: Vec<(u64, String)> = Vec::new();
    // Many times what it takes: a log that forks never gets there.
    for _ in 0..100_000 {
        if handed_out.last().is_some_and(|(size, _)| *size >= until) {
            break;
        }
        match ledger.pass(now()).await {
            Ok(_) | Err(CoreError::Busy) => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(ledger.is_stopped(), None);
        let newest = ledger.checkpoint().map(|signed| (signed.size, signed.note));
        if let Some(newest) = newest.filter(|newest| handed_out.last() != Some(newest)) {
            handed_out.push(newest);
        }
        tokio::task::yield_now().await;
    }
    handed_out
}

#[tokio::test]
async fn an_older_coordinator_appends_nothing() {
    let place = Place::new().await;
    place.log([1]).await;
    let raise = Txn::new().put(keys::meta_generation(), encode(&2_u64).expect("JSON"));
    place.store().commit(raise).await.expect("committed");
    place.wait([2]).await;
    let error = place.ledger().pass(now()).await.expect_err("fenced");
    assert!(error.to_string().contains("a newer coordinator"), "{error}");
    assert_eq!(place.ledger().committed().await.expect("reads").0, 1);
}

/// Undoes what a crash after the commit would not have done: the note, and the pointer to it.
async fn forget_note(place: &Place, size: u64, before: Option<u64>) {
    let txn = Txn::new().delete(keys::ledger_note(&keys::Tree::First, size));
    let txn = match before {
        Some(before) => txn.put(keys::ledger_newest(&keys::Tree::First), encode(&before).expect("JSON")),
        None => txn.delete(keys::ledger_newest(&keys::Tree::First)),
    };
    place.store().commit(txn).await.expect("committed");
}

#[tokio::test]
async fn what_was_committed_and_not_signed_is_signed_after_the_start_and_is_the_same() {
    for (first, before) in [(true, None), (false, Some(3))] {
        let mut place = Place::new().await;
        if !first {
            place.log([0, 1, 2]).await;
        }
        let kept = place.path("log/published");
        let older = std::fs::read(&kept).ok();
        place.log([10, 11]).await;
        let (note, size) = (place.note(), place.published().expect("published").size);
        forget_note(&place, size, before).await;
        match older {
            Some(older) => std::fs::write(&kept, older).expect("written"),
            None => std::fs::remove_file(&kept).expect("removed"),
        }
        place.reopen().await;
        assert!(place.ledger().checkpoint().is_none(), "nothing is handed out before a pass");
        place.pass().await;
        assert_eq!(place.note(), note, "the same bytes");
        assert_eq!(std::fs::read_to_string(&kept).expect("kept"), note);
    }
}

#[tokio::test]
async fn a_note_that_was_stored_and_not_kept_beside_is_kept_before_it_is_handed_out() {
    let mut place = Place::new().await;
    place.log([1, 2]).await;
    let (note, kept) = (place.note(), place.path("log/published"));
    std::fs::remove_file(&kept).expect("removed");
    place.reopen().await;
    place.pass().await;
    assert_eq!((place.note(), std::fs::read_to_string(&kept).expect("kept")), (note.clone(), note));
}

#[tokio::test]
async fn a_note_that_cannot_be_kept_is_handed_to_nobody() {
    let place = Place::new().await;
    place.wait([1]).await;
    std::fs::remove_dir(place.path("log")).expect("removed");
    assert!(place.ledger().pass(now()).await.is_err());
    assert!(place.ledger().checkpoint().is_none());
    assert!(place.ledger().tile("tile/0/000.p/1").await.expect("reads").is_none());
    std::fs::create_dir(place.path("log")).expect("made");
    place.pass().await;
    assert_eq!(place.published().expect("published").size, 1);
    // Nor is anything of a tree that is committed and signed, and not published.
    place.wait([2]).await;
    std::fs::rename(place.path("log"), place.path("elsewhere")).expect("moved");
    assert!(place.ledger().pass(now()).await.is_err());
    assert_eq!(place.ledger().committed().await.expect("reads").0, 2);
    assert_eq!(place.published().expect("published").size, 1);
    for path in ["tile/0/000.p/2", "tile/entries/000.p/2"] {
        assert!(place.ledger().tile(path).await.expect("reads").is_none(), "{path}");
    }
    assert!(place.ledger().entry(1).await.expect("reads").is_none());
    assert!(place.ledger().first_holding(1).await.expect("reads").is_none());
}

/// A witness that answers at once, or signs with the log's own name.
struct Witness {
    key: Signer,
    public: Key,
    spoiled: bool,
}

#[async_trait::async_trait]
impl Vouch for Witness {
    async fn vouch(&self, ledger: &Ledger, note: &Note) -> Vec<Signature> {
        assert!(ledger.checkpoint().is_none_or(|published| published.note != note.to_string()), "published before");
        let checkpoint: Checkpoint = note.unverified_text().parse().expect("a checkpoint");
        if self.spoiled {
            return note.unverified_signatures().to_vec();
        }
        vec![cosign(&checkpoint, 1_700_000_000, &self.key).expect("signs")]
    }
}

fn witness(spoiled: bool) -> Witness {
    let key = Signer::from_seed("witness.test/w1", Kind::Witness, &[9; 32]).expect("a key");
    Witness { public: key.public().clone(), key, spoiled }
}

#[tokio::test]
async fn who_vouches_is_asked_before_the_note_goes_out_and_is_in_it() {
    let place = Place::new().await;
    let (witness, later) = (witness(false), Signer::from_seed("late.test/w1", Kind::Witness, &[8; 32]).expect("a key"));
    let keys = [witness.public.clone(), later.public().clone()];
    place.ledger().set_vouch(Arc::new(witness));
    place.log([1, 2]).await;
    let cosigned = |note: &str| {
        let note: Note = note.parse().expect("a note");
        Checkpoint::open(&note, place.ledger().public(), &keys).expect("opens").witnesses.len()
    };
    assert_eq!(cosigned(&place.note()), 1);
    // Another one comes when the note is out.
    let line = cosign(&place.published().expect("published"), 1_700_000_001, &later).expect("signs");
    place.ledger().add_signatures(2, &[line]).await.expect("added");
    assert_eq!(cosigned(&place.note()), 2);
    assert_eq!(cosigned(&place.ledger().first_holding(0).await.expect("reads").expect("there").note), 2);
}

#[tokio::test]
async fn a_line_in_the_logs_own_name_is_not_added_and_holds_nothing_up() {
    let place = Place::new().await;
    place.ledger().set_vouch(Arc::new(witness(true)));
    place.log([1]).await;
    assert_eq!(place.published().expect("published").size, 1);
    let own = place.note().parse::<Note>().expect("a note").unverified_signatures().to_vec();
    assert!(matches!(place.ledger().add_signatures(1, &own).await, Err(CoreError::Invalid(_))));
}
