//! A store that went back: it is found by the file beside it, by what an agent keeps, and by an acknowledgement; and whatever
//! was found, nothing is signed until another start.

use gallra_coordinator::error::CoreError;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note, Signer};
use gallra_log::tree::Hash;
use gallra_store::{Store as _, Txn, keys};

use crate::place::{ORIGIN, Place, SEED, agent, leaf, now};

/// A log of four that was copied, grew to seven, and was put back; with the newest note, and without the file beside it if so
/// wanted: as on another machine.
async fn went_back(other_machine: bool) -> (Place, String) {
    let mut place = Place::new().await;
    place.log(0..4).await;
    let copy = place.back_up().await;
    place.pass().await;
    place.log(4..7).await;
    let note = place.note();
    place.restore(&copy).await;
    if other_machine {
        std::fs::remove_file(place.path("log/published")).expect("removed");
    }
    (place, note)
}

/// Nothing is signed or appended, and what waits stays.
async fn assert_stopped(place: &Place, words: &str) {
    let stopped = place.stopped().unwrap_or_else(|| panic!("it signs, and should not: {words}"));
    assert!(stopped.contains(words), "{stopped}");
    let (size, _) = place.ledger().committed().await.expect("reads");
    place.wait([90]).await;
    assert_eq!(place.pass().await, 0);
    assert_eq!(place.ledger().committed().await.expect("reads").0, size);
    assert!(place.ledger().waiting().await.expect("reads") > 0);
    let waits = place.ledger().sequenced(&leaf(90), std::time::Duration::from_secs(60)).await;
    assert!(matches!(waits, Err(CoreError::Precondition(_))), "who waits hears of it at once: {waits:?}");
}

#[tokio::test]
async fn a_store_that_was_put_back_is_found_by_the_file_beside_it() {
    let (place, _) = went_back(false).await;
    // Nobody has to be heard for that.
    place.enrol("web1").await;
    place.pass().await;
    assert_stopped(&place, "was seen with 7 entries and its store has 4").await;
    assert!(place.ledger().checkpoint().is_none());
}

#[tokio::test]
async fn a_store_that_goes_on_on_another_machine_waits_for_an_agent_and_is_found_by_what_it_keeps() {
    let (place, note) = went_back(true).await;
    place.enrol("web1").await;
    place.wait([80]).await;
    assert_eq!(place.pass().await, 0);
    assert_eq!(place.ledger().standing().waits_for, 1, "nobody was heard");
    assert!(place.stopped().is_none());
    place.ledger().heard(&agent("web1"), Some(&note)).await.expect("heard");
    assert_stopped(&place, "was seen with 7 entries and its store has 4").await;
}

#[tokio::test]
async fn it_is_found_by_an_acknowledgement_that_somebody_kept() {
    let (place, note) = went_back(true).await;
    assert_eq!(place.pass().await, 0);
    place.ledger().heard_from("operator", &note).await.expect("heard");
    assert_stopped(&place, "heard from operator").await;
}

#[tokio::test]
async fn what_was_heard_once_is_known_at_the_next_start() {
    let (mut place, note) = went_back(true).await;
    place.ledger().heard_from("operator", &note).await.expect("heard");
    place.reopen().await;
    assert!(place.stopped().is_none(), "nobody looked yet");
    place.pass().await;
    assert_stopped(&place, "was seen with 7 entries").await;
}

#[tokio::test]
async fn a_store_that_went_back_and_on_is_another_history() {
    let (place, note) = went_back(true).await;
    // Nobody is enrolled, so nobody was asked: it goes on, and signs another tree of seven.
    place.log(10..13).await;
    let other = place.published().expect("published");
    assert_eq!(other.size, 7);
    place.ledger().heard(&agent("web1"), Some(&note)).await.expect("heard");
    assert_stopped(&place, "at 7 entries the log was seen with another root").await;
}

#[tokio::test]
async fn it_is_found_later_too_by_a_smaller_tree_of_the_other_history() {
    let (place, note) = went_back(true).await;
    place.log(10..20).await;
    place.ledger().heard_from("operator", &note).await.expect("heard");
    assert_stopped(&place, "at 7 entries the log was seen with another root").await;
}

#[tokio::test]
async fn what_agrees_with_the_store_stops_nothing() {
    let mut place = Place::new().await;
    place.log(0..4).await;
    let older = place.note();
    place.log(4..9).await;
    let newer = place.note();
    place.enrol("web1").await;
    place.reopen().await;
    place.wait([20]).await;
    assert_eq!(place.pass().await, 0, "an agent is enrolled and was not heard");
    assert!(place.ledger().checkpoint().is_none());
    place.ledger().heard(&agent("web1"), Some(&older)).await.expect("heard");
    assert_eq!(place.pass().await, 1);
    place.ledger().heard(&agent("web2"), Some(&newer)).await.expect("heard");
    place.ledger().heard(&agent("web3"), None).await.expect("heard");
    place.ledger().heard_from("operator", &newer).await.expect("heard");
    assert_eq!((place.stopped(), place.published().expect("published").size), (None, 10));
}

#[tokio::test]
async fn as_many_agents_are_heard_as_are_configured_and_enrolled() {
    let mut place = Place::new().await;
    for name in ["web1", "web2", "web3"] {
        place.enrol(name).await;
    }
    for (hear_agents, wanted) in [(0, 0), (2, 2), (9, 3)] {
        place.hear_agents = hear_agents;
        place.reopen().await;
        place.wait([u64::from(hear_agents)]).await;
        for heard in 0..wanted {
            assert_eq!(place.pass().await, 0, "{hear_agents} wanted, {heard} heard");
            // The same one again is nobody else.
            for _ in 0..2 {
                place.ledger().heard(&agent(&format!("web{}", heard + 1)), None).await.expect("heard");
            }
        }
        assert_eq!(place.pass().await, 1, "{hear_agents} wanted");
    }
}

#[tokio::test]
async fn nobody_but_the_logs_own_key_stops_it() {
    let place = Place::new().await;
    place.log(0..4).await;
    let forged = |origin: &str, seed: [u8; 32]| {
        let key = Signer::from_seed(origin, Kind::Log, &seed).expect("a key");
        let origin = origin.parse().expect("an origin");
        let checkpoint = Checkpoint { origin, size: 9, root: Hash::leaf(b"x"), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).expect("a note");
        note.sign(checkpoint.sign(&key).expect("signs")).expect("fits");
        note.to_string()
    };
    let (other_key, other_log) = (forged(ORIGIN, [1; 32]), forged("log.other.invalid/1", SEED));
    let larger = place.note().replace("\n4\n", "\n5\n");
    for note in [other_key.as_str(), larger.as_str(), "", "x\n"] {
        assert!(matches!(place.ledger().heard(&agent("web1"), Some(note)).await, Err(CoreError::Invalid(_))), "{note}");
        assert!(matches!(place.ledger().heard_from("operator", note).await, Err(CoreError::Invalid(_))), "{note}");
    }
    assert!(place.ledger().standing().heard.is_empty(), "who shows a forged note is not heard");
    // Of a log that is not this one nothing is said here; the agent is heard, having nothing of ours.
    assert!(matches!(place.ledger().heard_from("operator", &other_log).await, Err(CoreError::Invalid(_))));
    place.ledger().heard(&agent("web1"), Some(&other_log)).await.expect("heard");
    assert_eq!(place.ledger().standing().heard.len(), 1);
    place.log([5]).await;
    assert_eq!((place.stopped(), place.published().expect("published").size), (None, 5));
}

#[tokio::test]
async fn a_tree_without_its_hashes_is_not_signed() {
    let mut place = Place::new().await;
    place.log(0..300).await;
    place.store().commit(Txn::new().delete(keys::ledger_tile(&keys::Tree::First, 0, 0))).await.expect("committed");
    place.log([300]).await;
    assert!(place.stopped().is_none(), "a full tile is needed for neither: the level above has what follows from it");
    place.store().commit(Txn::new().delete(keys::ledger_tile(&keys::Tree::First, 1, 0))).await.expect("committed");
    place.log([301]).await;
    assert!(place.stopped().expect("at the next signature").contains("does not hold the hashes of its own tree"));
    assert_eq!(place.published().expect("the last good one").size, 301);
    place.reopen().await;
    place.pass().await;
    assert_stopped(&place, "does not hold the hashes of its own tree").await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_stops_the_log() {
    let mut place = Place::new().await;
    place.log(0..3).await;
    let head = place.store().get(&keys::ledger_head(&keys::Tree::First)).await.expect("reads").expect("there");
    let text = String::from_utf8(head.value).expect("JSON").replace("\"size\":3", "\"size\":5");
    place.store().commit(Txn::new().put(keys::ledger_head(&keys::Tree::First), text)).await.expect("committed");
    place.wait([9]).await;
    assert_eq!(place.ledger().pass(now()).await.expect("a pass").appended, 0);
    // Two peaks make the same root at 3 and at 5: what shows it is that the last bundle has other entries.
    assert!(place.stopped().expect("stopped").contains("a stored log tile cannot be read"));
    // One that cannot be read at all is stopped from the start, and nothing else is.
    place
        .store()
        .commit(Txn::new().put(keys::ledger_head(&keys::Tree::First), b"{}".to_vec()))
        .await
        .expect("committed");
    place.reopen().await;
    assert!(place.stopped().expect("stopped").contains("a stored log head cannot be read"));
}

#[tokio::test]
async fn a_file_beside_the_store_that_is_not_ours_is_not_passed_over() {
    for text in ["", "something else\n"] {
        let mut place = Place::new().await;
        place.log(0..3).await;
        std::fs::write(place.path("log/published"), text).expect("written");
        place.reopen().await;
        place.pass().await;
        assert_stopped(&place, "log/published does not open").await;
    }
}
