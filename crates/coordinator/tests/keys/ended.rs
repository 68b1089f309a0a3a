//! Keys that end between manifests: what was signed before stands, what is signed later does not (forgery F16, both halves).

use gallra_coordinator::error::CoreError;
use gallra_coordinator::signing::Ending;
use gallra_model::Digest;
use gallra_model::manifest::{Entered, KeyEvent, KeyFile, KeyRole};
use gallra_model::receipt::Verdict;
use gallra_proof::payload::Opened;

use crate::ceremony::{
    Pair, anchor, confirmed, done, key_file, leaves, look, next, proof, replace, sequence, submit, verified,
};
use crate::site::{Site, agent};

fn event(entered: &Entered) -> KeyEvent {
    let opened: Opened<KeyEvent> = gallra_proof::payload::read("key event", &entered.envelope).expect("an event");
    opened.predicate
}

/// The key file with the event that ended a key at another position.
fn moved(file: &KeyFile, index: u64) -> String {
    let mut file = file.clone();
    for entered in &mut file.events {
        if !matches!(event(entered), KeyEvent::Enrolled { .. }) {
            entered.index = index;
        }
    }
    file.events.sort_by_key(|entered| entered.index);
    serde_json::to_string(&file).expect("JSON") + "\n"
}

/// Where the log has what a proof stands on.
fn first_receipt(proof: &str) -> u64 {
    let file: serde_json::Value = serde_json::from_str(proof).expect("JSON");
    let statements = file.get("statements").and_then(serde_json::Value::as_array).expect("statements");
    let indexes = statements.iter().filter_map(|entry| entry.get("index")?.as_u64());
    indexes.min().expect("a receipt")
}

#[tokio::test]
async fn what_an_agent_signed_before_its_key_was_revoked_stands_and_later_words_do_not() {
    let mut site = Site::new(&["www"]).await;
    let anna = done(&site, "anna.example", "1001").await;
    let berta = leaves(&site, "berta.example", "1002").await;
    sequence(&site).await;
    site.ask(&berta.erase.id()).await.expect("permitted");
    let late = site.receipt(&berta.request, &berta.erase.id(), Verdict::Done, None).await;
    let before = proof(&site, &anna.request).await;

    let ended = site.core.end_key(&site.evidence(), Ending::Revoked, "bertil").await.expect("revoked");
    assert_eq!(site.core.end_key(&site.evidence(), Ending::Revoked, "bertil").await.expect("the same"), ended);
    let other = site.core.end_key(&site.evidence(), Ending::Retired, "bertil").await;
    assert!(matches!(other, Err(CoreError::Precondition(_))), "it ended already");

    let (keys, file) = key_file(&site).await;
    assert_eq!(verified(&before, &keys).0, 0, "{}", verified(&before, &keys).1);
    let after = proof(&site, &anna.request).await;
    assert_eq!(verified(&after, &keys).0, 0, "fetched later");
    // Had it been revoked before it signed, the same proof would be worth nothing.
    let (code, line) = verified(&before, &moved(&file, first_receipt(&before) - 1));
    assert_eq!(code, 25, "{line}");

    let refused = site.core.take_receipt(&agent(), &late).await.err();
    assert!(matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("has ended")), "{refused:?}");
    assert!(site.core.check_key_of(&agent()).await.is_err());
    site.joins_again(90, &["www"]).await;
    site.core.check_key_of(&agent()).await.expect("the new key counts");
    let refused = site.core.take_receipt(&agent(), &late).await.err();
    assert!(matches!(refused, Some(CoreError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn of_a_compromised_key_nothing_counts_from_that_position_on() {
    let site = Site::new(&["www"]).await;
    let anna = done(&site, "anna.example", "1001").await;
    let old = proof(&site, &anna.request).await;
    let (_, file) = key_file(&site).await;
    let size = site.core.ledger.committed().await.expect("reads").0;
    let beyond = site.core.end_key(&site.evidence(), Ending::Compromised(size + 1), "bertil").await;
    assert!(matches!(beyond, Err(CoreError::Invalid(_))));
    site.core.end_key(&site.evidence(), Ending::Compromised(size), "bertil").await.expect("said");
    let (keys, _) = key_file(&site).await;
    assert_eq!(verified(&old, &keys).0, 0, "all of it is from before");
    let from = first_receipt(&old);
    site.core.end_key(&site.evidence(), Ending::Compromised(from), "bertil").await.expect("said again, worse");
    let (keys, after) = key_file(&site).await;
    assert_eq!(verified(&old, &keys).0, 25, "{}", verified(&old, &keys).1);
    assert_eq!(after.events.len(), file.events.len() + 2);
}

#[tokio::test]
async fn keys_that_a_manifest_ends_are_not_ended_by_an_event() {
    let site = Site::new(&["www"]).await;
    let anna = done(&site, "anna.example", "1001").await;
    let old = proof(&site, &anna.request).await;
    let known = site.core.known_keys().await.expect("keys");
    for role in [KeyRole::Root, KeyRole::Log, KeyRole::Issuer] {
        let key = known.values().find(|known| known.key.role == role).expect("one").key.keyid;
        let refused = site.core.end_key(&key, Ending::Revoked, "bertil").await;
        assert!(matches!(refused, Err(CoreError::Precondition(_))), "{role:?}: {refused:?}");
    }
    let unknown = site.core.end_key(&Digest::of(b"nobody's"), Ending::Revoked, "bertil").await;
    assert!(matches!(unknown, Err(CoreError::NotFound(_))));

    // An earlier issuer's key that somebody had, from before the proof: then it is worth nothing; from its last day on: untouched.
    let issuer = Pair::of(70);
    issuer.install(&site, "issuer-2");
    let manifest = next(&site, |manifest| replace(manifest, KeyRole::Issuer, issuer.listed(KeyRole::Issuer))).await;
    let index = submit(&site, &manifest, &[&Pair::first_root(&site)]).await.expect("taken").index.expect("entered");
    let earlier = known.values().find(|known| known.key.role == KeyRole::Issuer).expect("one").key.keyid;
    site.core.end_key(&earlier, Ending::Compromised(index), "bertil").await.expect("said");
    let (keys, _) = key_file(&site).await;
    assert_eq!(verified(&old, &keys).0, 0, "{}", verified(&old, &keys).1);
    // Whoever has the anchor alone does not learn of it: the file ends with its proof.
    let (anchor, fetched) = (anchor(&site).await, proof(&site, &anna.request).await);
    assert_eq!(verified(&fetched, &anchor).0, 0, "{}", verified(&fetched, &anchor).1);
    site.core.end_key(&earlier, Ending::Compromised(2), "bertil").await.expect("said");
    let (keys, _) = key_file(&site).await;
    assert_eq!(verified(&old, &keys).0, 25, "{}", verified(&old, &keys).1);
    let fetched = proof(&site, &anna.request).await;
    assert_eq!(verified(&fetched, &anchor).0, 0, "{}", verified(&fetched, &anchor).1);
    assert_eq!(verified(&fetched, &keys).0, 25, "{}", verified(&fetched, &keys).1);
}

#[tokio::test]
async fn what_only_a_compromised_key_says_makes_no_proof_final() {
    let mut site = Site::new(&["www"]).await;
    let anna = confirmed(&site, "anna.example", "1001").await;
    let size = site.core.ledger.committed().await.expect("reads").0;
    // Of all that the agent said nothing counts, from the request on.
    site.core.end_key(&site.evidence(), Ending::Compromised(2), "bertil").await.expect("said");
    assert!(size > 2);
    site.joins_again(90, &["www"]).await;
    look(&site, &anna).await;
    let request = site.view(&anna.request).await.request;
    assert!(request.done.is_none(), "it stays open: {:?}", request.state);
    let proofs = site.core.proofs(&anna.request).await.expect("reads");
    assert!(proofs.iter().all(|proof| !proof.stage.is_final()), "{proofs:?}");
}
