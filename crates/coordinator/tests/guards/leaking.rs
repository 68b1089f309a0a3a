//! What would show who a request is about is not signed, and what an agent signed that does is kept and not taken: the request
//! stays open, says which field it was, and no proof has it (I5, I12).

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_coordinator::leaks::Noted;
use gallra_coordinator::state;
use gallra_model::contract::{Contract, ContractIdentity};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::JobState;
use gallra_model::{Nonce, RequestId};
use gallra_store::Txn;
use gallra_store::keys::{Family, What};

use crate::seen::{Logged, carry_out, goes_on, seen};
use crate::site::{Site, id, info};

fn said(noted: &[Noted]) -> Vec<(&str, &str, &str)> {
    noted.iter().map(|one| (one.statement.as_str(), one.field.as_str(), one.kind.as_str())).collect()
}

async fn leaks(site: &Site, request: &RequestId) -> Vec<Noted> {
    site.core.leaks(request).await.expect("reads")
}

#[tokio::test]
async fn a_receipt_that_shows_the_service_in_any_spelling_is_kept_sealed_and_not_taken() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    let spelled: [(&str, String); 5] = [
        ("anna-0.example", "/srv/Anna-0.Example/mail: permission denied".to_owned()),
        ("anna-1.example", format!("stat {}: no such file", STANDARD.encode("/srv/anna-1.example/mail"))),
        ("anna-2.example", format!("key {}", hex::encode("anna-2.example"))),
        ("anna-3.example", "anna-3.example".chars().rev().collect()),
        // printf anna-4.example | md5sum
        ("anna-4.example", "object 942ef390e115596931c9d15e0b796311 is in use".to_owned()),
    ];
    for (place, (service, hint)) in spelled.iter().enumerate() {
        let leaving = site.leaves(service, &format!("kund-{place}")).await;
        let job = leaving.erase.id();
        site.ask(&job).await.expect("permitted");
        for _ in 0..2 {
            let done = (Verdict::Done, None);
            let digest = site.report_hint(&leaving.request, &job, done, hint).await;
            let noted = leaks(&site, &leaving.request).await;
            assert_eq!(said(&noted), [("receipt", "predicate.hint", "service")], "{hint}");
            assert_eq!(noted[0].receipt, Some(digest));
        }
        assert_eq!(site.job(&leaving).await.state, JobState::Begun, "nothing follows from it");
        let stored = state::receipts(&*site.core.store, &leaving.request).await.expect("reads");
        assert_eq!(stored.len(), 1, "the inspection's");
        let log = logged.text();
        assert!(
            log.contains("a receipt is not taken") && !log.contains(hint.as_str()) && !log.contains(service),
            "{log}"
        );
        assert!(!goes_on(&site, &leaving.request).await, "the request stays open");
        assert!(site.core.proofs(&leaving.request).await.expect("reads").iter().all(|proof| !proof.stage.is_final()));
    }
    let (_site, found) = seen(site, &spelled.each_ref().map(|(service, _)| *service)).await;
    // Each contract's identity, and each receipt but the one with a digest, which the search cannot turn back.
    assert_eq!((found.of(Family::Sealed).hits, found.total().hits), (9, 9), "sealed, and nowhere else: {found:?}");
}

#[tokio::test]
async fn what_goes_on_from_such_a_receipt_makes_no_final_proof() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "kund-1001").await;
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    let stopped = (Verdict::Failed, Some(Code::Stopped));
    let digest = site.report_hint(&leaving.request, &job, stopped, "stopped in anna.example").await;
    // The agent's next statement about the job names the one before it.
    site.stopped(&leaving).await;
    assert_eq!(site.job(&leaving).await.state, JobState::Ready, "an honest statement is taken");
    assert!(!goes_on(&site, &leaving.request).await, "the request stays open");
    let view = site.view(&leaving.request).await;
    let left: Vec<_> = view.current_jobs().filter(|job| job.state != JobState::Succeeded).collect();
    assert!(left.is_empty(), "all else that a proof waits for is there: {left:?}");
    let proofs = site.core.proofs(&leaving.request).await.expect("reads");
    assert!(proofs.iter().all(|proof| !proof.stage.is_final()), "the chain has a gap: {proofs:?}");
    let gap = site.core.gap(&view).await.expect("reads");
    assert!(gap.is_some_and(|gap| gap.contains("web1") && gap.contains("does not follow")), "and whoever asks is told");
    assert!(proofs.iter().flat_map(|proof| &proof.evidence).all(|piece| piece.digest != digest), "nor is it in one");
    assert_eq!(said(&leaks(&site, &leaving.request).await), [("receipt", "predicate.hint", "service")]);
}

#[tokio::test]
async fn a_plan_that_would_show_the_service_is_not_signed_and_the_request_says_so() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["anna-mail"]).await;
    site.sells("anna-mail", "kund-1001").await;
    let (_, request) = site.ends_only("anna-mail", "kund-1001").await;
    let noted = leaks(&site, &request).await;
    assert_eq!(said(&noted), [("plan", "predicate.notes[0].target", "service")]);
    assert_eq!(site.view(&request).await.request.plan, None);
    site.advance("2026-04-02T10:00:00Z").await;
    assert_eq!(leaks(&site, &request).await, noted, "said once");
    assert_eq!(logged.text().matches("a statement is not signed").count(), 1);
    assert!(!logged.text().contains("anna-mail"), "the name is nobody's to read");
    site.reports(vec![info("www")]).await;
    assert!(site.core.replan(&request).await.expect("planned"));
    assert_eq!(leaks(&site, &request).await, []);
}

/// Has a contract be known by another service id.
async fn renamed(site: &Site, contract: &Contract, service: &str) {
    let identity = ContractIdentity {
        service: id(service),
        addresses: Vec::new(),
        uses: Vec::new(),
        holder: None,
        identifiers: Vec::new(),
        salt: Nonce::from_bytes([9; 16]),
    };
    let what = What::Contract(contract.id);
    let txn = site.core.seal_more(Txn::new(), &contract.subject, what, &identity).await.expect("sealed");
    site.core.store.commit(txn).await.expect("commits");
}

#[tokio::test]
async fn a_proof_that_would_show_the_service_is_not_signed_until_it_does_not() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "kund-1001").await;
    let (_, contract) = site.core.find_contract(&id("anna.example")).await.expect("known");
    // A category is in the proof, and in no receipt.
    renamed(&site, &contract, "customer-data").await;
    assert!(!goes_on(&site, &leaving.request).await, "the request stays open");
    assert_eq!(said(&leaks(&site, &leaving.request).await), [("proof", "predicate.targets[0].category", "service")]);
    assert!(site.core.proofs(&leaving.request).await.expect("reads").is_empty());
    renamed(&site, &contract, "anna.example").await;
    carry_out(&site, &leaving.request).await;
    assert_eq!(leaks(&site, &leaving.request).await, []);
}
