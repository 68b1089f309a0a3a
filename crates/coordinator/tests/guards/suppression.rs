//! Suppression entries: one for every erasure, in the transaction of its receipt; what holds, lifts and resumptions add; and
//! a coordinator that was restored counts on.

use gallra_coordinator::error::CoreError;
use gallra_coordinator::suppression::Stored;
use gallra_model::hold::Level;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::selector::Selector;
use gallra_model::suppression::{Item, Month, first_sequence};
use gallra_proof::suppression::open;

use crate::site::{Leaving, Site, agent, id};

async fn entries(site: &Site, service: Option<&str>) -> Vec<Stored> {
    let selector = Selector { service: service.map(id), ..Selector::default() };
    let found = site.core.list_suppressions(None, &selector).await.expect("lists");
    found.into_iter().map(|(_, stored)| stored).collect()
}

async fn lines(site: &Site) -> Vec<(u64, Item)> {
    site.core.suppressions_after(&agent(), 0).await.expect("lines")
}

/// Erases what a leaving contract has on its only target.
async fn erase(site: &Site, leaving: &Leaving) {
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    site.report(&leaving.request, &job, Verdict::Done, None).await;
}

#[tokio::test]
async fn every_erasure_leaves_one_entry_that_knows_its_subject_and_nobody_else() {
    let site = Site::new(&["www"]).await;
    // Neither name can stand in a digest, a key or a signature by chance: no hex or base64 has a dot or a hyphen.
    let leaving = site.leaves("anna.example", "kund-1001").await;
    assert!(entries(&site, None).await.is_empty(), "an inspection leaves none");
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    site.report(&leaving.request, &job, Verdict::Failed, Some(Code::Target)).await;
    assert!(entries(&site, None).await.is_empty(), "nor does a failure");
    site.core.move_request(&leaving.request, &gallra_flow::request::Input::Retry(job)).await.expect("retried");
    erase(&site, &leaving).await;
    let [stored] = entries(&site, None).await.try_into().expect("one entry");
    assert_eq!(stored.request, Some(leaving.request));
    assert_eq!(entries(&site, Some("anna.example")).await.len(), 1);
    assert!(entries(&site, Some("anna.example.org")).await.is_empty(), "a look-alike");
    // What the agent is told opens under the permit key, and carries the key that made the tag.
    let (sequence, item) = lines(&site).await.remove(0);
    assert_eq!(sequence, first_sequence(1));
    let (line, key) = site.core.suppression_line(&agent(), (sequence, 0), item).expect("signs");
    let (line, _) = open(&line, &site.core.permits.verifying()).expect("opens");
    let Item::Entry(entry) = line.item else { panic!("an entry") };
    let key = key.expect("a key");
    let selector = Selector { service: Some(id("anna.example")), ..Selector::default() };
    assert_eq!((key.tag(&agent(), &entry.target, &selector), key.name()), (Some(entry.tag), entry.key));
    assert_eq!(entry.month, Month::of(site.core.time.now()));
    let kept = serde_json::to_string(&stored).expect("JSON");
    assert!(!kept.contains("anna.example") && !kept.contains("kund-1001"), "{kept}");
    // The salt opens nothing by itself: what lies in the store is not what the offer carried.
    let salt = entry.cause.as_ref().and_then(|cause| cause.salt).expect("a salt");
    let offered = gallra_model::Nonce::from_bytes([3; 16]);
    assert!(salt != offered && key.veil(&entry.id, salt) == offered);
}

#[tokio::test]
async fn holds_cover_entries_and_a_lift_is_on_record() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    erase(&site, &leaving).await;
    assert!(!site.core.follow_suppressions(&agent()).await.expect("looks"), "nothing to say");
    let level = Level::Contract { contract: leaving.contract.id };
    let placed = site.core.place_hold(level, "a dispute", None, "ada").await.expect("placed");
    assert!(site.core.follow_suppressions(&agent()).await.expect("looks"));
    assert!(!site.core.follow_suppressions(&agent()).await.expect("looks"), "said once (I6)");
    site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
    assert!(site.core.follow_suppressions(&agent()).await.expect("looks"));
    let held: Vec<bool> = lines(&site)
        .await
        .into_iter()
        .filter_map(|(_, item)| if let Item::Hold { held, .. } = item { Some(held) } else { None })
        .collect();
    assert_eq!(held, [true, false]);
    let [stored] = entries(&site, None).await.try_into().expect("one entry");
    let entry = stored.entry().expect("an entry").id;
    assert!(matches!(site.core.lift_suppression(&entry, " ", "bertil").await, Err(CoreError::Invalid(_))));
    let unknown = gallra_model::SuppressionId::from_bytes([0; 16]);
    assert!(matches!(site.core.lift_suppression(&unknown, "why", "bertil").await, Err(CoreError::NotFound(_))));
    for by in ["bertil", "cecilia"] {
        let (_, lifted) = site.core.lift_suppression(&entry, "she came back", by).await.expect("lifted");
        assert_eq!(lifted.lifted.expect("a lift").by, "bertil", "the first stays on record");
    }
    let lifts = lines(&site).await.into_iter().filter(|(_, item)| matches!(item, Item::Lift(_))).count();
    assert_eq!(lifts, 1);
    assert!(site.view(&leaving.request).await.request.facts.reopened);
}

#[tokio::test]
async fn a_coordinator_that_knows_less_than_an_agent_counts_on_from_there() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    erase(&site, &leaving).await;
    let further = first_sequence(1) + 40;
    site.core.adopt_suppressions(&agent(), further).await.expect("adopts");
    site.core.adopt_suppressions(&agent(), 0).await.expect("a new agent changes nothing");
    let second = site.leaves("bo.example", "1002").await;
    erase(&site, &second).await;
    let sequences: Vec<u64> = lines(&site).await.into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(sequences, [first_sequence(1), further + 1]);
}

#[tokio::test]
async fn what_was_erased_of_a_contract_that_is_resumed_does_not_go_again() {
    let site = Site::new(&["mail", "www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    erase(&site, &leaving).await;
    site.core.resume_contract(&id("anna.example"), 0).await.expect("resumed in the middle");
    assert!(site.core.follow_suppressions(&agent()).await.expect("looks"));
    let last = lines(&site).await.pop().expect("a line").1;
    assert!(matches!(last, Item::Hold { held: true, .. }), "{last:?}");
}
