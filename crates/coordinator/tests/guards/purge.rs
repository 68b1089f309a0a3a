//! Rolling purges at the coordinator: one request a day, nothing without a signature on the very policy version, and holds
//! raced against the permit: whoever comes first is told of the other, and what is held is named in the next offer.

use std::sync::Arc;

use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_model::hold::Level;
use gallra_model::job::{Action, JobSpec};
use gallra_model::permit::Denial;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::{JobRecord, JobState, Request, RequestState};
use gallra_model::{Day, Digest, RequestId};
use gallra_store::keys;

use crate::FEW;
use crate::race::{Offsets, Tally, race};
use crate::site::{Site, id};

const TODAY: Day = Day::constant(2026, 4, 1);

pub(crate) async fn purges(site: &Site) -> Vec<Request> {
    let page = site.core.store.range(&keys::requests().range(), 100).await.expect("reads");
    let all = page.entries.iter().map(|entry| serde_json::from_slice::<Request>(&entry.value).expect("a request"));
    all.filter(|request| request.about.purge_day().is_some()).collect()
}

pub(crate) async fn the_purge(site: &Site) -> (RequestId, JobRecord) {
    let all = purges(site).await;
    let newest = all.last().expect("a purge").id;
    (newest, site.jobs(&newest, Action::Purge).await.remove(0))
}

/// A site with one log and a customer, whose purge of today is planned and signed for.
pub(crate) async fn signed() -> Site {
    let site = Site::new(&["logs"]).await;
    site.sells("anna.example", "1001").await;
    let policy = site.policy(str::to_owned);
    let digest = site.core.policy_digest().await.expect("reads");
    site.core.apply_policy(policy, Some(&site.signed_purges(digest))).await.expect("in order");
    leader::run_due(&site.core).await.expect("opened");
    site
}

pub(crate) async fn offer(site: &Site, job: &JobRecord) -> JobSpec {
    let offer = site.core.offer(&job.id()).await.expect("reads").expect("an offer");
    serde_json::from_str(&offer).expect("an offer")
}

#[tokio::test]
async fn a_day_has_one_purge_and_it_waits_for_a_signature_on_its_own_policy_version() {
    let site = Site::new(&["logs"]).await;
    leader::run_due(&site.core).await.expect("opened");
    leader::run_due(&site.core).await.expect("looked again");
    let all = purges(&site).await;
    assert_eq!(all.iter().map(|request| request.about.purge_day()).collect::<Vec<_>>(), [Some(TODAY)]);
    let (request, job) = the_purge(&site).await;
    assert_eq!(job.step.older_than.map(|cut| cut.to_string()).as_deref(), Some("2025-10-01T22:00:00Z"));
    assert!(site.view(&request).await.request.facts.needs_approval);
    assert_ne!(site.stored(&request, &job.id()).await.state, JobState::Ready);

    let policy = site.policy(str::to_owned);
    let other = site.core.apply_policy(policy.clone(), Some(&site.signed_purges(Digest::of(b"other")))).await;
    assert!(matches!(other.err(), Some(CoreError::Invalid(_))), "signed for another version");
    let digest = site.core.policy_digest().await.expect("reads");
    site.core.apply_policy(policy, Some(&site.signed_purges(digest))).await.expect("in order");
    let view = site.view(&request).await;
    assert_eq!(view.request.state, RequestState::Approved, "it goes on at once");
    assert_eq!(offer(&site, &job).await.purge.map(|purge| purge.policy), Some(digest));

    // Another version of the rules: what was signed for is not that.
    let longer = site.policy(|text| text.replacen("period = \"6 months\" }]", "period = \"7 months\" }]", 1));
    let applied = site.core.apply_policy(longer, None).await.expect("in order");
    assert!(!applied.purges);
    leader::run_due(&site.core).await.expect("followed");
    assert!(site.view(&request).await.request.facts.needs_approval);
}

#[tokio::test]
async fn a_purge_ends_with_one_statement_and_its_salt_and_the_next_day_has_its_own() {
    let site = signed().await;
    let (request, job) = the_purge(&site).await;
    let seal = match site.view(&request).await.request.about {
        gallra_model::request::About::Purge { seal, .. } => seal,
        gallra_model::request::About::End(_) => panic!("a purge"),
    };
    let asking = site.asking(&job.id()).await;
    site.core.ask(&asking).await.expect("an answer").expect("permitted");
    site.report(&request, &job.id(), Verdict::Done, None).await;
    let done = site.view(&request).await.request;
    assert_eq!((done.state, done.proofs), (RequestState::Done, 1));
    let sealed = site.core.store.range(&keys::sealed_of(&seal).range(), 10).await.expect("reads");
    assert!(sealed.entries.is_empty(), "what its offers were salted with is gone");
    assert_eq!(site.core.ask(&asking).await.expect("an answer").err(), Some(Denial::Begun));
    site.advance("2026-04-02T10:00:00Z").await;
    assert_eq!(purges(&site).await.len(), 2);
}

#[tokio::test]
async fn the_day_before_is_closed_with_a_word_on_what_is_missing() {
    let site = signed().await;
    let (first, job) = the_purge(&site).await;
    site.ask(&job.id()).await.expect("permitted");
    site.advance("2026-04-02T10:00:00Z").await;
    let closed = site.view(&first).await.request;
    assert!(closed.facts.cancelled && closed.done.is_none());
    assert_eq!(closed.proofs, 1, "its one statement says what is missing");
    assert_eq!(site.core.stopped(&job.id()).await.expect("reads"), Some(Denial::Cancelled));
    // What had begun reports, and changes nothing any more.
    site.report(&first, &job.id(), Verdict::Failed, Some(Code::Stopped)).await;
    let (second, next) = the_purge(&site).await;
    assert_ne!(first, second);
    assert!(site.ask(&next.id()).await.is_ok());
}

#[tokio::test]
async fn whoever_is_held_is_named_in_the_offer_in_the_words_of_the_target() {
    let site = signed().await;
    let (_, job) = the_purge(&site).await;
    assert!(offer(&site, &job).await.purge.expect("a purge").preserve.is_empty());
    let (_, contract) = site.core.find_contract(&id("anna.example")).await.expect("sold");
    for level in [Level::Customer { customer: contract.customer }, Level::Contract { contract: contract.id }] {
        let placed = site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
        let preserve = offer(&site, &job).await.purge.expect("a purge").preserve;
        let services: Vec<_> = preserve.iter().map(|one| one.service.as_ref().map(|id| id.expose())).collect();
        assert_eq!((services.as_slice(), preserve[0].customer.is_none()), ([Some("anna.example")].as_slice(), true));
        site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
    }
    // A hold on the category stops all of it.
    let level = Level::Category { category: job.step.category.clone() };
    site.core.place_hold(level, "an order", None, "anna").await.expect("placed");
    assert_eq!(site.ask(&job.id()).await.err(), Some(Denial::Held));
}

/// Rounds on one store: each leaves a released hold behind, and a permit reads them all.
const ROUNDS: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hold_on_somebody_and_a_purges_permit_one_wins() {
    let (mut offsets, mut tally) = (Offsets::new(500), Tally::default());
    for _ in 0..FEW / ROUNDS {
        rounds(&Arc::new(signed().await), &mut offsets, &mut tally).await;
    }
    tally.assert_both_orders(FEW);
}

async fn rounds(site: &Arc<Site>, offsets: &mut Offsets, tally: &mut Tally) {
    let (request, job) = the_purge(site).await;
    let (_, contract) = site.core.find_contract(&id("anna.example")).await.expect("sold");
    for _ in 0..ROUNDS {
        let asking = site.asking(&job.id()).await;
        let place = site.core.place_hold(Level::Customer { customer: contract.customer }, "a dispute", None, "anna");
        let (answer, placed) = race(site, asking, offsets, tally, place).await;
        let placed = placed.expect("a hold is always taken");
        assert_eq!(placed.begun, usize::from(answer.is_ok()), "told to both");
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::Stale | Denial::Raced), "{denial:?}");
        }
        assert_eq!(offer(site, &job).await.purge.expect("a purge").preserve.len(), 1, "named from here on");
        site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
        if site.stored(&request, &job.id()).await.state == JobState::Begun {
            site.report(&request, &job.id(), Verdict::Failed, Some(Code::Stopped)).await;
        }
    }
}
