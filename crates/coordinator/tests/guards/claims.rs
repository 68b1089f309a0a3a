//! Claim codes: shown to whoever hands them over, destroyed when they were delivered, after 30 days to the day, or with their
//! request; and what they are for, the final proof months after everybody in it was forgotten (I12).

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use gallra_coordinator::claims::How;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_model::proof::{ProofFile, Requested, Stage};
use gallra_model::{Day, RequestId};
use gallra_proof::payload::{self, Opened};
use gallra_proof::subject::{ClaimCode, Identifier, Kind};
use gallra_store::keys::{self, Family};
use gallra_verify::{Question, Trust, verify};

use crate::seen::{Logged, carry_out, seen};
use crate::site::{Site, id};

const SERVICE: &str = "anna-svensson.example";
const NUMBER: &str = "kund-1001";

async fn code(site: &Site, request: &RequestId) -> ClaimCode {
    site.core.show_code(request, "olle").await.expect("a code").0.parse().expect("a code")
}

fn refused<T: std::fmt::Debug>(answer: Result<T, CoreError>, why: &str) {
    match answer {
        Err(CoreError::Precondition(text)) if text.contains(why) => {}
        other => panic!("{other:?} instead of {why:?}"),
    }
}

#[tokio::test]
async fn a_code_is_shown_until_it_is_delivered_and_never_again() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let claim = site.core.claim(&leaving.request).await.expect("reads").expect("a code");
    assert_eq!((claim.until, claim.shown, claim.ended), (Day::constant(2026, 5, 1), 0, None));
    refused(site.core.code_delivered(&leaving.request, "olle").await, "nobody was shown");
    let shown = code(&site, &leaving.request).await;
    assert_eq!(code(&site, &leaving.request).await, shown, "the same again");
    assert_eq!(logged.text().matches("a claim code was shown").count(), 2);
    let text = shown.expose();
    let (site, found) = seen(site, &[&text]).await;
    assert_eq!((found.of(Family::Sealed).hits, found.total().hits), (1, 1), "sealed, and nowhere else");

    site.core.code_delivered(&leaving.request, "olle").await.expect("delivered");
    site.core.code_delivered(&leaving.request, "olle").await.expect("again does no harm");
    let claim = site.core.claim(&leaving.request).await.expect("reads").expect("on record");
    assert_eq!(claim.ended.map(|ended| ended.how), Some(How::Delivered));
    refused(site.core.show_code(&leaving.request, "olle").await, "was delivered on 2026-04-01");
    refused(site.core.pick_up(&shown.pickup()).await.map(drop), "no proof yet");
    let (_site, found) = seen(site, &[&text, &text.replace('-', "")]).await;
    assert_eq!(found.total().hits, 0, "{found:?}");
    assert_eq!(found.of(Family::ClaimDue).entries, 0);
    assert_eq!(found.of(Family::Pickup).entries, 1, "what it is for stays");
    let log = logged.text();
    assert!(log.contains("a claim code was delivered") && log.contains("olle"), "{log}");
    for secret in [&text, &text.replace('-', ""), &shown.pickup(), &shown.opening(1).expose(), SERVICE, NUMBER] {
        assert!(!log.contains(secret), "logged");
    }
}

#[tokio::test]
async fn a_code_that_nobody_delivers_is_destroyed_when_the_thirtieth_day_begins() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let shown = code(&site, &leaving.request).await;
    // Summer time: midnight in Stockholm is 22:00 in UTC.
    site.advance("2026-04-30T21:59:59Z").await;
    assert_eq!(code(&site, &leaving.request).await, shown);
    site.advance("2026-04-30T22:00:00Z").await;
    let claim = site.core.claim(&leaving.request).await.expect("reads").expect("on record");
    assert_eq!(claim.ended.map(|ended| ended.how), Some(How::Expired));
    refused(site.core.show_code(&leaving.request, "olle").await, "destroyed on 2026-05-01");
    refused(site.core.code_delivered(&leaving.request, "olle").await, "destroyed on 2026-05-01");
    let (_site, found) = seen(site, &[&shown.expose()]).await;
    assert_eq!((found.total().hits, found.of(Family::ClaimDue).entries), (0, 0));
    assert_eq!(found.of(Family::Sealed).sealed_unreadable, 0, "nor is it left sealed");
}

#[tokio::test]
async fn a_request_that_is_taken_back_takes_its_code_and_its_reference_along() {
    let site = Site::new(&["www"]).await;
    site.sells(SERVICE, NUMBER).await;
    for delivered in [false, true] {
        let leaving = site.ends(SERVICE, NUMBER).await;
        let shown = code(&site, &leaving.request).await;
        if delivered {
            site.core.code_delivered(&leaving.request, "olle").await.expect("delivered");
        }
        site.core.resume_contract(&id(SERVICE), 0).await.expect("resumed");
        // At once, and not only when the leader has passed.
        refused(site.core.show_code(&leaving.request, "olle").await, "taken back");
        assert!(matches!(site.core.pick_up(&shown.pickup()).await, Err(CoreError::NotFound("pick-up reference"))));
        leader::run_due(&site.core).await.expect("moved");
        let claim = site.core.claim(&leaving.request).await.expect("reads").expect("on record");
        assert_eq!((claim.ended.map(|ended| ended.how), claim.is_sealed()), (Some(How::Withdrawn), false));
        assert!(site.core.store.get(&keys::pickup(&shown.pickup())).await.expect("reads").is_none());
        assert!(matches!(site.core.pick_up(&shown.pickup()).await, Err(CoreError::NotFound("pick-up reference"))));
    }
    let (_site, found) = seen(site, &["nothing"]).await;
    assert_eq!((found.of(Family::ClaimDue).entries, found.of(Family::Pickup).entries), (0, 0));
}

/// What anybody finds who is given the proof and something of the subject's.
fn each_identifier_opens_alone(site: &Site, proof: &[u8], code: &ClaimCode) {
    let trust = Trust::parse(&site.core.issuer.now().public_pem()).expect("keys");
    let asked = |question: Question| verify(proof, &trust, &question).exit_code(&[]);
    let shows = |number: u8, opens: u8, what: &str| {
        let text = format!("{number}:{}:{what}", code.opening(opens).expose());
        asked(Question { openings: vec![text.parse().expect("an opening")], ..Question::default() })
    };
    let (customer, service) = (format!("customer-number={NUMBER}"), format!("service={SERVICE}"));
    assert_eq!((shows(1, 1, &customer), shows(2, 2, &service)), (0, 0));
    for wrong in [
        shows(1, 2, &customer),
        shows(2, 1, &service),
        shows(2, 2, &customer),
        shows(1, 1, &service),
        shows(1, 1, "customer-number=kund-1002"),
        shows(2, 2, &format!("domain={SERVICE}")),
        shows(3, 3, &service),
    ] {
        assert_eq!(wrong, 26, "the evidence does not show that");
    }
    let with_code = |code: &ClaimCode| {
        let identifiers = vec![customer.parse().expect("an identifier"), service.parse().expect("an identifier")];
        let code = Some(code.expose().parse().expect("a code"));
        asked(Question { identifiers, code, ..Question::default() })
    };
    assert_eq!((with_code(code), with_code(&ClaimCode::from_bytes([7; 20]))), (0, 26));
}

#[tokio::test]
async fn months_after_everybody_is_forgotten_the_code_picks_up_the_final_proof_and_opens_it() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let shown = code(&site, &leaving.request).await;
    site.core.code_delivered(&leaving.request, "olle").await.expect("delivered");
    carry_out(&site, &leaving.request).await;
    site.advance("2026-12-01T10:00:00Z").await;
    assert!(matches!(site.core.find_contract(&id(SERVICE)).await, Err(CoreError::NotFound(_))));
    assert!(site.core.find_customer(&id(NUMBER)).await.expect("reads").is_none());

    let (request, proof) = site.core.pick_up(&shown.pickup()).await.expect("picked up");
    assert_eq!((request, proof.stage), (leaving.request, Stage::Final));
    let bytes = site.file(&request, &proof).await;
    each_identifier_opens_alone(&site, &bytes, &shown);
    let file: ProofFile = serde_json::from_slice(&bytes).expect("a proof");
    let opened: Opened<gallra_model::proof::Proof> = payload::read("proof", &file.proof.envelope).expect("reads");
    let asked: Opened<Requested> = payload::read("request", &file.request.envelope).expect("reads");
    assert_eq!(asked.predicate.pickup, Some(shown.pickup()));
    let new = |kind, text: &str| Identifier::new(kind, text).expect("a literal");
    let (number, service) = (new(Kind::CustomerNumber, NUMBER), new(Kind::Service, SERVICE));
    let commitments: Vec<_> = opened.subject.iter().map(|subject| subject.digest.sha256).collect();
    assert_eq!(commitments, [shown.opening(1).commitment(&number), shown.opening(2).commitment(&service)]);
    // Each alone, and nothing else: not the other, nor a neighbour, nor with what opens the other.
    for other in [&service, &new(Kind::CustomerNumber, "kund-1002"), &new(Kind::Service, NUMBER)] {
        assert!(!commitments.contains(&shown.opening(1).commitment(other)));
    }
    assert!(!commitments.contains(&shown.opening(2).commitment(&number)));

    for guess in [ClaimCode::from_bytes([7; 20]).pickup(), "0".repeat(32)] {
        assert!(matches!(site.core.pick_up(&guess).await, Err(CoreError::NotFound("pick-up reference"))));
    }
    for text in ["", "../request", &shown.pickup()[1..], &format!("{}g", &shown.pickup()[1..]), &shown.expose()] {
        assert!(matches!(site.core.pick_up(text).await, Err(CoreError::Invalid(_))), "{text}");
    }
    let openings = [shown.opening(1).expose(), shown.opening(2).expose()];
    let words = [&shown.expose(), &openings[0], &openings[1], SERVICE, NUMBER];
    assert!(words.iter().all(|word| !logged.text().contains(*word)), "logged");
    let (_site, found) = seen(site, &words).await;
    assert_eq!(found.total().hits, 0, "{found:?}");
}
