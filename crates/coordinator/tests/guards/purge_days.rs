//! What can go wrong with the purge of a day: other policy versions, a crash between plan and signature, a day that ends
//! with work under way, a clock that was ahead, holds whose reach changes. Nothing of it erases more, ends a day silently, or
//! holds other requests up.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use gallra_coordinator::contracts::End;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_coordinator::policies::StoredPolicy;
use gallra_model::Day;
use gallra_model::hold::Level;
use gallra_model::permit::Denial;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::{About, JobState};
use gallra_model::target::Inventory;
use gallra_store::{Txn, keys};

use crate::purge::{offer, purges, signed, the_purge};
use crate::site::{ENDED, Site, agent, id};

/// Another version that does the same.
fn another(site: &Site) -> StoredPolicy {
    site.policy(|text| text.replace("WebOne AB\"", "WebOne 2 AB\""))
}

async fn ends(site: &Site, service: &str, customer: &str) -> gallra_model::RequestId {
    site.sells(service, customer).await;
    let end = End { service: id(service), ended: ENDED, version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended").request.expect("a request")
}

#[tokio::test]
async fn an_unsigned_version_stops_the_purges_of_a_signed_one_even_if_it_would_do_the_same() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    assert!(!site.core.apply_policy(another(&site), None).await.expect("in order").purges);
    leader::run_due(&site.core).await.expect("followed");
    assert!(site.view(&request).await.request.facts.needs_approval);
    assert!(site.core.offer(&job.id()).await.is_ok());
    let (_, job) = the_purge(&site).await;
    assert_ne!(site.stored(&request, &job.id()).await.state, JobState::Ready);
}

#[tokio::test]
async fn one_that_has_begun_stops_under_another_version() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    site.ask(&job.id()).await.expect("permitted");
    let digest = another(&site).parse().expect("in order").digest();
    site.core.apply_policy(another(&site), Some(&site.signed_purges(digest))).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert_eq!(site.core.stopped(&job.id()).await.expect("reads"), Some(Denial::Stale));
    assert!(site.view(&request).await.request.facts.legal_review, "until the next day, which has its own");
}

#[tokio::test]
async fn a_signed_version_reaches_the_purge_that_waited_under_an_unsigned_one() {
    let site = Site::new(&["logs"]).await;
    leader::run_due(&site.core).await.expect("opened");
    let digest = another(&site).parse().expect("in order").digest();
    site.core.apply_policy(another(&site), Some(&site.signed_purges(digest))).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    let (request, _) = the_purge(&site).await;
    assert!(!site.view(&request).await.request.facts.needs_approval);
}

#[tokio::test]
async fn a_signature_that_a_crash_left_unused_is_found_within_minutes() {
    let site = Site::new(&["logs"]).await;
    leader::run_due(&site.core).await.expect("opened");
    // What a kill between the policy's commit and what follows leaves.
    let digest = site.core.policy_digest().await.expect("reads");
    let cause = site.core.check_purge_cause(&site.signed_purges(digest), &digest).await.expect("good");
    let stored = StoredPolicy { cause: Some(cause), ..site.policy(str::to_owned) };
    let txn = Txn::new()
        .put(keys::policy(&digest), serde_json::to_vec(&stored).expect("encodes"))
        .put(keys::meta_policy(), serde_json::to_vec(&digest).expect("encodes"));
    site.core.store.commit(txn).await.expect("commits");
    let site = site.restarted().await;
    let (request, _) = the_purge(&site).await;
    site.advance("2026-04-01T10:15:00Z").await;
    assert!(!site.view(&request).await.request.facts.needs_approval);
}

#[tokio::test]
async fn what_a_host_refused_for_want_of_the_right_signature_is_free_when_it_is_signed_anew() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    site.report(&request, &job.id(), Verdict::Refused, Some(Code::BadCause)).await;
    assert_eq!(site.stored(&request, &job.id()).await.state, JobState::Waiting);
    let digest = site.core.policy_digest().await.expect("reads");
    site.core.time.advance("2026-04-01T10:01:00Z".parse().expect("a literal")).expect("forward");
    site.core.apply_policy(site.policy(str::to_owned), Some(&site.signed_purges(digest))).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert_eq!(site.stored(&request, &job.id()).await.state, JobState::Ready);
}

#[tokio::test]
async fn what_ends_after_its_day_was_closed_is_said_all_the_same() {
    let site = signed().await;
    let (first, job) = the_purge(&site).await;
    site.ask(&job.id()).await.expect("permitted");
    site.advance("2026-04-02T10:00:00Z").await;
    assert_eq!(site.core.proofs(&first).await.expect("reads").len(), 1);
    site.report(&first, &job.id(), Verdict::Done, None).await;
    let proofs = site.core.proofs(&first).await.expect("reads");
    let unproven: Vec<_> = proofs.iter().map(|proof| proof.unproven.len()).collect();
    assert_eq!(unproven, [1, 0], "the second says what went");
}

#[tokio::test]
async fn a_day_on_which_nothing_could_be_purged_says_so() {
    let site = Site::new(&["logs"]).await;
    let entry = site.core.store.get(&keys::inventory(&agent())).await.expect("reads").expect("reported");
    let mut inventory: Inventory = serde_json::from_slice(&entry.value).expect("an inventory");
    inventory.targets[0].purges = false;
    let txn = Txn::new().put(entry.key, serde_json::to_vec(&inventory).expect("encodes"));
    site.core.store.commit(txn).await.expect("commits");
    leader::run_due(&site.core).await.expect("opened");
    let first = purges(&site).await.remove(0);
    site.advance("2026-04-02T10:00:00Z").await;
    let proofs = site.core.proofs(&first.id).await.expect("reads");
    assert_eq!(proofs.len(), 1);
    let key = gallra_verify::Trust::parse(&site.core.issuer.now().public_pem()).expect("a key");
    let verdict =
        gallra_verify::verify(&site.file(&first.id, &proofs[0]).await, &key, &gallra_verify::Question::default());
    assert_eq!(verdict.conclusion(), "VALID interim until unknown");
    assert!(verdict.checks.iter().any(|check| check.text.contains("not-purged")), "{:?}", verdict.checks);
}

#[tokio::test]
async fn an_open_purge_is_closed_when_the_policy_has_none_any_more() {
    let site = signed().await;
    let (request, _) = the_purge(&site).await;
    let none = site.policy(|text| {
        let without = text.replace(
            "{ from = \"customer_settled\", period = \"6 months\" }, { from = \"record\", period = \"6 months\" }",
            "{ from = \"customer_settled\", period = \"6 months\" }",
        );
        assert_ne!(without, text);
        without
    });
    site.core.apply_policy(none, None).await.expect("in order");
    site.advance("2026-04-02T10:00:00Z").await;
    assert!(site.view(&request).await.request.facts.cancelled);
    assert_eq!(purges(&site).await.len(), 1, "and none is opened");
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_ends_no_purges() {
    let site = signed().await;
    let entry = site.core.store.get(&keys::meta_purge()).await.expect("reads").expect("opened");
    let mut newest: serde_json::Value = serde_json::from_slice(&entry.value).expect("JSON");
    newest["day"] = serde_json::json!(Day::constant(2031, 1, 1).to_string());
    let txn = Txn::new().put(keys::meta_purge(), serde_json::to_vec(&newest).expect("encodes"));
    site.core.store.commit(txn).await.expect("commits");
    site.advance("2026-04-02T10:00:00Z").await;
    assert_eq!(purges(&site).await.len(), 2);
}

#[tokio::test]
async fn a_purge_that_cannot_be_closed_well_holds_nobody_up() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    // Its salt's key is gone: a damaged or partly restored store.
    let About::Purge { seal, .. } = site.view(&request).await.request.about else { panic!("a purge") };
    let key = site.core.keyring.find_subject(&*site.core.store, &seal).await.expect("reads").expect("there");
    site.core.store.commit(Txn::new().delete(key.key)).await.expect("commits");
    assert!(site.core.offer(&job.id()).await.expect("reads").is_none());
    let other = ends(&site, "z.example", "77").await;
    site.advance("2026-04-02T10:00:00Z").await;
    assert!(site.view(&other).await.request.plan.is_some(), "others go on");
    assert_eq!(purges(&site).await.len(), 2);
}

#[tokio::test]
async fn a_purge_that_is_stopped_again_and_again_has_a_short_statement() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    for _ in 0..40 {
        site.ask(&job.id()).await.expect("permitted");
        site.report(&request, &job.id(), Verdict::Failed, Some(Code::Stopped)).await;
    }
    site.advance("2026-04-02T10:00:00Z").await;
    let proof = site.core.proofs(&request).await.expect("reads").remove(0);
    assert_eq!(proof.evidence.len(), 40, "each names the one before it: leaving one out would show");
}

#[tokio::test]
async fn a_purge_itself_cannot_be_held_since_tomorrows_is_another() {
    let site = signed().await;
    let (request, _) = the_purge(&site).await;
    let refused = site.core.place_hold(Level::Request { request }, "a court order", None, "anna").await;
    assert!(matches!(refused.err(), Some(CoreError::Precondition(_))));
}

#[tokio::test]
async fn a_hold_on_a_request_covers_all_of_its_customers_whatever_becomes_of_the_request() {
    let site = signed().await;
    ends(&site, "b.example", "1001").await;
    let end = End { service: id("anna.example"), ended: ENDED, version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended");
    let (_, customer) = site.core.find_customer(&id("1001")).await.expect("reads").expect("known");
    let request = customer.ending.expect("the customer's own end");
    site.core.place_hold(Level::Request { request }, "a dispute", None, "anna").await.expect("placed");
    let (_, job) = the_purge(&site).await;
    assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 2);
    site.sells("c.example", "1001").await;
    assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 3, "the end was taken back");
}

#[tokio::test]
async fn a_contract_that_joins_a_held_customer_stops_the_purge_that_did_not_know_of_it() {
    let site = signed().await;
    let (_, contract) = site.core.find_contract(&id("anna.example")).await.expect("sold");
    let level = Level::Customer { customer: contract.customer };
    site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
    let (_, job) = the_purge(&site).await;
    let asking = site.asking(&job.id()).await;
    let any = async || site.core.store.get(&keys::guard_any_hold()).await.expect("reads").map(|entry| entry.version);
    let before = any().await;
    site.sells("imported.example", "1001").await;
    assert_ne!(any().await, before, "whoever watches holds looks again");
    assert_eq!(site.core.ask(&asking).await.expect("an answer").err(), Some(Denial::Stale));
}

#[tokio::test]
async fn a_contract_that_joins_a_customer_whose_instruction_keeps_lines_stops_it_too() {
    let site = signed().await;
    let count = "{ from = \"customer_settled\", period = \"6 months\" }, { from = \"record\", period = \"8 months\" }";
    let longer = crate::instructions::text("logs", "2026-02-01", "webone/access-logs", count);
    site.core.set_instruction(&id("1001"), &longer, "anna").await.expect("taken");
    let (_, job) = the_purge(&site).await;
    assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 1);
    let asking = site.asking(&job.id()).await;
    let any = async || site.core.store.get(&keys::guard_any_hold()).await.expect("reads").map(|entry| entry.version);
    let before = any().await;
    site.sells("imported.example", "1001").await;
    assert_ne!(any().await, before, "whoever watches holds looks again");
    assert_eq!(site.core.ask(&asking).await.expect("an answer").err(), Some(Denial::Stale));
    assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 2);
}
