//! Restores: what agents say of them is entered once for the request whose erasure the copy undid, and said in its proof, also of a
//! request that is long done and whose subject is forgotten; what nobody can place is refused, and shows (I5).

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::time::Duration;

use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::issue::StoredProof;
use gallra_coordinator::joining::Joining;
use gallra_coordinator::restores::{MOST_RESTORES, Refusal, StoredRestore};
use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::proof::Stage;
use gallra_model::receipt::Verdict;
use gallra_model::request::RequestState;
use gallra_model::restore::Restore;
use gallra_model::selector::Selector;
use gallra_model::statement::Type;
use gallra_model::target::TargetKind;
use gallra_model::{Clock, Digest, RequestId};
use gallra_proof::key::SigningKey;
use gallra_store::{Txn, keys};
use gallra_verify::{Outcome, Question, Trust, Verdict as Verified, verify};

use crate::seen::{Logged, carry_out};
use crate::site::{Leaving, Site, agent, id};

const SERVICE: &str = "anna-svensson.example";
const NUMBER: &str = "kund-1001";

/// What the agent would say now of the newest erasure of a request.
async fn restore(site: &Site, request: &RequestId) -> Restore {
    let lines = site.core.list_suppressions(Some(*request), &Selector::default()).await.expect("lists");
    let entry = lines.last().and_then(|(_, stored)| stored.entry()).expect("an entry");
    let now = site.core.time.now();
    Restore {
        entry: entry.digest().expect("JSON"),
        agent: agent(),
        target: entry.target.clone(),
        kind: TargetKind::Files,
        taken: "2026-01-05T02:00:00Z".parse().expect("a literal"),
        counts: Counts { erased: 3, ..Counts::default() },
        released: true,
        started: now,
        finished: now,
        clock: Clock::Simulated,
        software: "gallra-agent 0.1.0".to_owned(),
    }
}

async fn take(site: &Site, said: &Restore) -> Result<(), Refusal> {
    site.core.take_restore(&agent(), &site.says(said)).await.expect("an answer").1
}

async fn newest(site: &Site, request: &RequestId) -> StoredProof {
    site.core.proofs(request).await.expect("reads").pop().expect("a proof")
}

/// What a stranger makes of the newest proof, and its statements' types in the file's order.
async fn verified(site: &Site, request: &RequestId) -> (Verified, Vec<Type>) {
    let proof = newest(site, request).await;
    let bytes = site.file(request, &proof).await;
    let trust = Trust::parse(&site.core.issuer.now().public_pem()).expect("keys");
    let types = proof.evidence.iter().map(|piece| piece.statement).collect();
    (verify(&bytes, &trust, &Question::default()), types)
}

/// A request whose final proof is issued, and the entry's digest in what its agent would say.
async fn done(site: &Site) -> (Leaving, Restore) {
    let leaving = site.leaves(SERVICE, NUMBER).await;
    carry_out(site, &leaving.request).await;
    let said = restore(site, &leaving.request).await;
    assert_eq!(newest(site, &leaving.request).await.stage, Stage::Final);
    (leaving, said)
}

#[tokio::test]
async fn a_restore_after_the_final_proof_amends_it_once_though_it_is_sent_twice() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let code: gallra_proof::subject::ClaimCode =
        site.core.show_code(&leaving.request, "olle").await.expect("a code").0.parse().expect("a code");
    site.core.code_delivered(&leaving.request, "olle").await.expect("delivered");
    carry_out(&site, &leaving.request).await;
    let said = restore(&site, &leaving.request).await;
    let before = site.view(&leaving.request).await.request;
    let (ended, proofs) = (before.done, before.proofs + 1);
    // Months later, when contract, customer and their keys are gone.
    site.advance("2026-09-15T10:00:00Z").await;
    assert!(matches!(site.core.find_contract(&id(SERVICE)).await, Err(CoreError::NotFound(_))));
    let said = Restore { started: site.core.time.now(), finished: site.core.time.now(), ..said };
    let mut stored = Vec::new();
    for day in ["2026-09-15T11:00:00Z", "2026-09-16T11:00:00Z"] {
        site.advance(day).await;
        assert_eq!(take(&site, &said).await, Ok(()));
        stored.push(site.core.restores(&leaving.request).await.expect("reads"));
        let request = site.view(&leaving.request).await.request;
        assert_eq!((request.state, request.done, request.proofs), (RequestState::Done, ended, proofs));
        assert_eq!((request.facts.came_back, request.facts.amending, request.wake), (false, false, None));
    }
    assert!(stored[0] == stored[1] && stored[0].len() == 1, "its turn in the log is the first one's: {stored:?}");
    let (verdict, types) = verified(&site, &leaving.request).await;
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
    let told = verdict.told.expect("valid");
    assert!(told.amendment && told.restores.len() == 1, "{told:?}");
    assert_eq!(types.last(), Some(&Type::Restore));
    // Whoever has the code fetches what was added, and not what was said before.
    let (request, picked) = site.core.pick_up(&code.pickup()).await.expect("picked up");
    assert_eq!((request, picked.sequence, picked.stage), (leaving.request, proofs, Stage::Amendment));
    // A restart changes nothing of it.
    let site = site.restarted().await;
    assert_eq!(take(&site, &said).await, Ok(()));
    assert_eq!(site.view(&leaving.request).await.request.proofs, proofs);
}

#[tokio::test]
async fn what_came_back_and_is_not_gone_again_makes_an_interim_proof_and_shows_until_it_is() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    let (leaving, said) = done(&site).await;
    site.advance("2026-10-15T10:00:00Z").await;
    let now = site.core.time.now();
    let left = Counts { failed: 1, ..Counts::default() };
    let failed = Restore { released: false, counts: left, started: now, finished: now, ..said.clone() };
    assert_eq!(take(&site, &failed).await, Ok(()));
    let request = site.view(&leaving.request).await.request;
    assert_eq!((request.state, request.facts.came_back, request.facts.amending), (RequestState::Done, true, true));
    assert!(logged.text().contains("not all of it is gone again"), "{}", logged.text());
    let proof = newest(&site, &leaving.request).await;
    assert_eq!((proof.sequence, proof.stage, proof.until), (request.proofs, Stage::Interim, None));
    let (verdict, _) = verified(&site, &leaving.request).await;
    assert!(matches!(verdict.outcome, Outcome::Interim { .. }), "{verdict:#?}");
    let checks: Vec<&str> = verdict.checks.iter().map(|check| check.text.as_str()).collect();
    assert!(checks.iter().any(|text| text.contains("what a restore brought back")), "{checks:#?}");
    // By this entry the host erases it again: it is not dropped, however long ago the request was done.
    assert!(!site.core.follow_suppressions(&agent()).await.expect("looks"));
    // It is looked at every day, and the same is not signed again.
    site.advance("2026-10-17T10:00:00Z").await;
    assert_eq!(site.view(&leaving.request).await.request.proofs, proof.sequence);

    let now = site.core.time.now();
    let again = Restore { started: now, finished: now, ..said };
    assert_eq!(take(&site, &again).await, Ok(()));
    let request = site.view(&leaving.request).await.request;
    assert_eq!((request.facts.came_back, request.facts.amending, request.wake), (false, false, None));
    let (verdict, types) = verified(&site, &leaving.request).await;
    assert!(matches!(verdict.outcome, Outcome::Final { .. }) && verdict.told.is_some_and(|told| told.amendment));
    let restores = types.iter().filter(|kind| **kind == Type::Restore).count();
    assert_eq!(
        (restores, site.core.restores(&leaving.request).await.expect("reads").len()),
        (1, 2),
        "what failed is on record"
    );
    assert!(site.core.follow_suppressions(&agent()).await.expect("looks"), "its time is over: now it is dropped");
    // Both sides have forgotten the entry, and whose it was is known: a host may tell of a restore late.
    assert!(site.core.list_suppressions(None, &Selector::default()).await.expect("lists").is_empty());
    let late = Restore { taken: "2026-01-06T02:00:00Z".parse().expect("a literal"), ..again };
    assert_eq!(take(&site, &late).await, Ok(()));
    assert_eq!(newest(&site, &leaving.request).await.stage, Stage::Amendment);
}

#[tokio::test]
async fn an_open_request_says_it_in_its_next_interim_proof_and_in_its_final_one() {
    let site = Site::new(&["mail", "www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    site.report(&leaving.request, &job, Verdict::Done, None).await;
    let said = restore(&site, &leaving.request).await;
    site.advance("2026-04-03T10:00:00Z").await;
    let before = newest(&site, &leaving.request).await;
    assert_eq!(before.stage, Stage::Interim);
    assert_eq!(take(&site, &said).await, Ok(()));
    let proof = newest(&site, &leaving.request).await;
    assert_eq!((proof.sequence, proof.stage), (before.sequence + 1, Stage::Interim));
    let (verdict, _) = verified(&site, &leaving.request).await;
    let told = verdict.told.clone().unwrap_or_else(|| panic!("{verdict:#?}"));
    assert_eq!((told.restores.len(), told.amendment), (1, false));
    carry_out(&site, &leaving.request).await;
    let (verdict, _) = verified(&site, &leaving.request).await;
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
    assert_eq!(verdict.told.expect("valid").restores.len(), 1);
    assert!(!site.jobs(&leaving.request, Action::Erase).await.is_empty());
}

/// Another agent of the installation.
async fn joins(site: &Site, name: &str, evidence: &SigningKey) {
    let name = name.parse().expect("a literal name");
    let (token, _) = site.core.invite_agent(&name, Duration::from_secs(60)).await.expect("invited");
    let (_, csr) = gallra_identity::new_csr(name.as_str()).expect("a request for a certificate");
    let joining = Joining { name: &name, evidence: &evidence.verifying(), csr_pem: &csr };
    site.core.join_agent(&token.secret, &joining).await.expect("joined");
}

#[tokio::test]
async fn what_nobody_can_place_is_refused_with_a_reason_and_no_proof_says_it() {
    let (logged, _guard) = Logged::begin();
    let site = Site::new(&["www"]).await;
    let (leaving, said) = done(&site).await;
    let before = site.view(&leaving.request).await.request;
    let other = SigningKey::from_seed(&[9; 32]);
    joins(&site, "web2", &other).await;
    let (web1, web2) = (agent(), "web2".parse().expect("a literal name"));
    let foreign = |said: &Restore| gallra_proof::restore::sign(said, &[], &other).expect("signs");
    let named = Restore { agent: "web2".parse().expect("a literal name"), ..said.clone() };
    let cases = [
        ("another key", &web1, foreign(&said)),
        ("another agent's name", &web1, site.says(&named)),
        ("another agent's entry", &web2, foreign(&named)),
        ("an entry that was never made", &web1, site.says(&Restore { entry: Digest::of(b"made up"), ..said.clone() })),
        ("another target", &web1, site.says(&Restore { target: "mail".parse().expect("a name"), ..said.clone() })),
        ("another clock", &web1, site.says(&Restore { clock: Clock::Real, ..said.clone() })),
        ("another kind", &web1, site.says(&Restore { kind: TargetKind::Maildir, ..said.clone() })),
    ];
    let mut refusals = Vec::new();
    for (what, from, envelope) in cases {
        let (digest, answer) = site.core.take_restore(from, &envelope).await.expect("an answer");
        let Err(refusal) = answer else { panic!("{what} is taken") };
        let line = logged.text();
        assert!(line.contains(&refusal.to_string()) && line.contains(&digest.to_string()), "{what}: {line}");
        refusals.push(refusal);
    }
    assert!(matches!(refusals[0], Refusal::Form(_)), "{refusals:?}");
    let wanted = [Refusal::OtherAgent, Refusal::OtherPlace, Refusal::NoEntry, Refusal::OtherPlace];
    assert_eq!(refusals[1..5], wanted);
    assert_eq!(refusals[5..], [Refusal::OtherClock, Refusal::NoTarget]);
    assert_eq!(site.view(&leaving.request).await.request, before);
    assert_eq!(site.core.restores(&leaving.request).await.expect("reads"), []);
    // What a key signed that has ended is not even looked at.
    let keyid = site.evidence();
    site.core.end_key(&keyid, gallra_coordinator::signing::Ending::Retired, "root").await.expect("ended");
    let refused = site.core.take_restore(&web1, &site.says(&said)).await;
    assert!(matches!(refused, Err(CoreError::Precondition(_))), "{refused:?}");
}

#[tokio::test]
async fn what_a_stolen_key_said_of_a_restore_is_in_no_proof_and_does_not_close_what_it_opened() {
    let mut site = Site::new(&["www"]).await;
    let (leaving, said) = done(&site).await;
    let left = Counts { failed: 1, ..Counts::default() };
    let failed = Restore { released: false, counts: left, ..said.clone() };
    assert_eq!(take(&site, &failed).await, Ok(()));
    site.core.ledger.pass(site.core.time.now()).await.expect("a pass over the log");
    assert_eq!(newest(&site, &leaving.request).await.stage, Stage::Interim);
    // Since before the restore was entered, and after all that the final proof stands on.
    let index = site.core.ledger.committed().await.expect("a head").0 - 2;
    let ending = gallra_coordinator::signing::Ending::Compromised(index);
    site.core.end_key(&site.evidence(), ending, "root").await.expect("ended");
    site.joins_again(5, &["www"]).await;
    site.advance("2026-04-20T10:00:00Z").await;
    let request = site.view(&leaving.request).await.request;
    assert!(request.facts.came_back && request.facts.amending, "{:?}", request.facts);
    let (verdict, types) = verified(&site, &leaving.request).await;
    assert!(!types.contains(&Type::Restore), "nobody believes it: {types:?}");
    assert!(matches!(verdict.outcome, Outcome::Interim { .. }), "and the issuer withholds the last word: {verdict:#?}");
}

#[tokio::test]
async fn what_would_show_somebody_is_in_no_proof_and_is_not_passed_over_either() {
    let site = Site::new(&["mail", "www"]).await;
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted");
    site.report(&leaving.request, &job, Verdict::Done, None).await;
    let said = restore(&site, &leaving.request).await;
    let left = Counts { failed: 1, ..Counts::default() };
    let shows = Restore { released: false, counts: left, software: format!("gallra-agent for {SERVICE}"), ..said };
    assert_eq!(take(&site, &shows).await, Err(Refusal::Shows));
    assert_eq!(take(&site, &shows).await, Err(Refusal::Shows), "again");
    let leaks = site.core.leaks(&leaving.request).await.expect("reads");
    assert_eq!((leaks.len(), leaks[0].field.as_str()), (1, "predicate.software"));
    assert!(site.view(&leaving.request).await.request.facts.came_back);
    assert_eq!(site.core.restores(&leaving.request).await.expect("reads"), []);
}

#[tokio::test]
async fn a_request_has_so_many_restores_and_no_more() {
    let site = Site::new(&["www"]).await;
    let (leaving, said) = done(&site).await;
    assert_eq!(take(&site, &said).await, Ok(()));
    let stored = site.core.restores(&leaving.request).await.expect("reads").remove(0);
    let more: Vec<_> = (1..MOST_RESTORES).collect();
    for some in more.chunks(100) {
        let put = |txn: Txn, number: &usize| {
            let digest = Digest::of(&number.to_le_bytes());
            let value = encode(&StoredRestore { digest, ..stored.clone() }).expect("encodes");
            txn.put(keys::restore(&leaving.request, &digest), value)
        };
        site.core.store.commit(some.iter().fold(Txn::new(), put)).await.expect("commits");
    }
    let again = Restore { counts: Counts { absent: 1, ..Counts::default() }, ..said };
    assert_eq!(take(&site, &again).await, Err(Refusal::TooMany));
}
