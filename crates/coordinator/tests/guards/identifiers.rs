//! What billing tells of a subject beside its numbers: the proof commits to it, no statement shows it, it stays with whom it
//! names, and it is destroyed with the rest (I12).

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use gallra_coordinator::contracts::Move;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_coordinator::state;
use gallra_coordinator::told::{MAX_TOLD, ToldOf};
use gallra_model::plan::Plan;
use gallra_model::receipt::Verdict;
use gallra_model::target::{Scope, TargetInfo};
use gallra_model::{Day, Digest, RequestId};
use gallra_proof::payload::{self, Opened};
use gallra_proof::subject::{ClaimCode, Identifier, Kind, commitments};
use gallra_store::keys::Family;

use crate::seen::{Logged, carry_out, seen};
use crate::site::{Site, id, info};

const SERVICE: &str = "anna-svensson.example";
const NUMBER: &str = "kund-1001";
/// The tax agency's own example of a personal identity number.
const PERSONAL: &str = "19811218-9876";

fn new(kind: Kind, text: &str) -> Identifier {
    Identifier::new(kind, text).expect("a literal")
}

async fn tell(site: &Site, customer: &str, identifiers: &[Identifier]) -> Result<(), CoreError> {
    let told = ToldOf { service: id(SERVICE), customer: id(customer), identifiers: identifiers.to_vec() };
    site.core.record_identifiers(&told).await.map(drop)
}

/// Whether a request's statements are about exactly these.
async fn is_about(site: &Site, request: &RequestId, identifiers: &[Identifier]) -> bool {
    let code: ClaimCode = site.core.show_code(request, "olle").await.expect("a code").0.parse().expect("a code");
    let plan = state::load(&*site.core.store, request).await.expect("loads").plan.expect("a plan");
    let plan: Opened<Plan> = payload::read("plan", &plan).expect("reads");
    let said: Vec<Digest> = plan.subject.iter().map(|subject| subject.digest.sha256).collect();
    Some(said) == commitments(&code, identifiers)
}

#[tokio::test]
async fn what_is_told_is_committed_to_and_forgotten_with_the_rest() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    site.sells(SERVICE, NUMBER).await;
    let told = [
        new(Kind::PersonalNumber, PERSONAL),
        new(Kind::Email, "Anna.S@Other-Example.org"),
        new(Kind::Domain, "Anna-S.Example"),
        new(Kind::Ip, "2001:DB8:0::77"),
    ];
    tell(&site, NUMBER, &told).await.expect("recorded");
    tell(&site, NUMBER, &told[1..]).await.expect("again does no harm");
    let (site, found) = seen(site, &["198112189876", "Anna.S@other-example.org", "anna-s.example"]).await;
    assert_eq!((found.of(Family::Sealed).hits, found.total().hits), (2, 2), "sealed, and indexed nowhere");
    let leaving = site.ends(SERVICE, NUMBER).await;
    let all = [vec![new(Kind::CustomerNumber, NUMBER), new(Kind::Service, SERVICE)], told.to_vec()].concat();
    assert!(is_about(&site, &leaving.request, &all).await);
    assert!(!is_about(&site, &leaving.request, &all[..5]).await);
    carry_out(&site, &leaving.request).await;
    let words = ["198112189876", "811218-9876", "Anna.S@other-example.org", "anna-s.example", "2001:db8::77"];
    assert!(words.iter().all(|word| !logged.text().contains(word)), "logged");
    let (_site, found) = seen(site, &words).await;
    assert_eq!(found.total().hits, 0, "{found:?}");
}

#[tokio::test]
async fn a_receipt_that_shows_what_was_told_later_is_not_taken() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    tell(&site, NUMBER, &[new(Kind::PersonalNumber, PERSONAL)]).await.expect("recorded");
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    site.report_hint(&leaving.request, &job, (Verdict::Done, None), "row 811218-9876 is locked").await;
    let noted = site.core.leaks(&leaving.request).await.expect("reads");
    assert_eq!((noted.len(), noted[0].kind.as_str()), (1, "personal-number"));
}

#[tokio::test]
async fn what_is_a_persons_stays_with_that_one_when_a_contract_moves() {
    let site = Site::new(&["www"]).await;
    site.reports(vec![info("www"), TargetInfo { scope: Scope::Customer, ..info("crm") }]).await;
    site.sells(SERVICE, NUMBER).await;
    let (person, domain) = (new(Kind::PersonalNumber, PERSONAL), new(Kind::Domain, "anna-s.example"));
    let (mail, ip) = (new(Kind::Email, "anna@other-example.org"), new(Kind::Ip, "192.0.2.77"));
    tell(&site, NUMBER, &[person.clone(), domain.clone(), mail.clone(), ip.clone()]).await.expect("recorded");
    let on = Day::constant(2026, 1, 20);
    let told = Move { service: id(SERVICE), customer: id("kund-1002"), on, settled: Some(on), version: 0 };
    let ending = site.core.move_contract(&told).await.expect("moved").ending.expect("its last contract");
    leader::run_due(&site.core).await.expect("planned");
    let first = [new(Kind::CustomerNumber, NUMBER), person, mail, ip];
    let service = new(Kind::Service, SERVICE);
    assert!(is_about(&site, &ending, &first).await, "the earlier customer keeps what names it");
    let (_, request) = site.ends_only(SERVICE, "kund-1002").await;
    assert!(is_about(&site, &request, &[new(Kind::CustomerNumber, "kund-1002"), service, domain]).await);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_without_being_quoted() {
    let site = Site::new(&["www"]).await;
    site.sells(SERVICE, NUMBER).await;
    let mail = |n: usize| new(Kind::Email, &format!("anna{n}@other-example.org"));
    let many: Vec<_> = (0..=MAX_TOLD).map(mail).collect();
    for (customer, identifiers) in [
        (NUMBER, vec![new(Kind::Service, "other.example")]),
        (NUMBER, vec![new(Kind::CustomerNumber, "kund-1003")]),
        (NUMBER, many.clone()),
        ("kund-1002", vec![mail(1)]),
    ] {
        let refused = tell(&site, customer, &identifiers).await.expect_err("refused");
        assert!(matches!(refused, CoreError::Invalid(_) | CoreError::Precondition(_)), "{refused:?}");
        assert!(!refused.to_string().contains("example") && !refused.to_string().contains("kund-"), "{refused}");
    }
    tell(&site, NUMBER, &many[1..]).await.expect("as many as there may be");
    assert!(tell(&site, NUMBER, &many[..1]).await.is_err(), "and no more");
    let leaving = site.ends(SERVICE, NUMBER).await;
    let all = [&[new(Kind::CustomerNumber, NUMBER), new(Kind::Service, SERVICE)], &many[1..]].concat();
    assert!(is_about(&site, &leaving.request, &all).await, "all of them are committed to");
}
