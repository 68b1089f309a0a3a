//! Addresses of a subject: which offers carry them and which never do, until when, what is refused, and what is left of them
//! (decisions 10 and 13, I12).

use std::path::Path;
use std::sync::Arc;

use gallra_coordinator::addresses::Told;
use gallra_coordinator::error::CoreError;
use gallra_model::job::{Action, JobSpec};
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::JobRecord;
use gallra_model::selector::{AddressUse, Selector};
use gallra_model::target::{Scope, TargetInfo, TargetKind};
use gallra_model::{Digest, Instant, Nonce, RequestId};
use gallra_store::keys::Family;
use gallra_store::search::{Needles, search_files};
use gallra_store::{Entry, Keyring};

use crate::race::{Offsets, Tally, race};
use crate::site::{Site, id, info};

/// Rounds of the race, each of a contract of its own.
const ROUNDS: u32 = 60;

const MINE: &str = "192.0.2.77";

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

fn told(service: &str, address: &str, from: &str, until: Option<&str>) -> Told {
    let time = Some((at(from), until.map(at)));
    Told { service: id(service), address: address.parse().expect("a literal"), time }
}

fn portal(scope: Scope) -> TargetInfo {
    TargetInfo { kind: TargetKind::AccessLog, scope, by_address: true, ..info("portal") }
}

async fn site(scope: Scope) -> Site {
    let site = Site::new(&["www"]).await;
    site.reports(vec![info("www"), portal(scope)]).await;
    site
}

async fn offered(site: &Site, job: &JobRecord) -> (JobSpec, String) {
    let offer = site.core.offer(&job.id()).await.expect("reads").expect("an offer");
    (serde_json::from_str(&offer).expect("a job"), offer)
}

async fn job(site: &Site, request: &RequestId, target: &str, action: Action) -> JobRecord {
    let jobs = site.jobs(request, action).await;
    jobs.into_iter().find(|job| job.step.target.as_str() == target).expect("a job of the plan")
}

async fn selector(site: &Site, request: &RequestId) -> Selector {
    offered(site, &job(site, request, "portal", Action::Erase).await).await.0.selector
}

#[tokio::test]
async fn only_a_target_that_is_searched_by_addresses_is_offered_any_and_only_in_the_contracts_time() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    site.sells("bo.example", "1002").await;
    let words = [
        told("anna.example", MINE, "2026-01-05T00:00:00Z", None),
        told("anna.example", "::ffff:192.0.2.78", "2026-01-05T00:00:00Z", Some("2026-03-05T00:00:00Z")),
        told("bo.example", "192.0.2.99", "2026-01-05T00:00:00Z", None),
    ];
    for word in &words {
        site.core.record_address(word).await.expect("taken");
    }
    let leaving = site.ends("anna.example", "1001").await;
    let uses = selector(&site, &leaving.request).await.addresses;
    let theirs = |address: &str, until: &str| AddressUse {
        address: address.parse().expect("a literal"),
        from: at("2026-01-05T00:00:00Z"),
        until: Some(at(until)),
    };
    // Nobody ended the first: it ends with the last day, 31 January in Stockholm.
    assert_eq!(uses, [theirs(MINE, "2026-01-31T23:00:00Z"), theirs("192.0.2.78", "2026-03-05T00:00:00Z")]);
    let (www, text) = offered(&site, &job(&site, &leaving.request, "www", Action::Erase).await).await;
    assert!(www.selector.addresses.is_empty() && www.selector.service.is_some() && !text.contains("192.0.2"));
}

#[tokio::test]
async fn what_is_told_twice_late_or_wrong_is_told_once_or_refused() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    let record = async |word: &Told| site.core.record_address(word).await.map(|(_, known)| known);
    let open = told("anna.example", MINE, "2026-01-05T00:00:00Z", None);
    let closed = told("anna.example", MINE, "2026-01-05T00:00:00Z", Some("2026-01-09T00:00:00Z"));
    for word in [&open, &open, &closed, &open, &closed] {
        assert_eq!(record(word).await.expect("taken"), 1);
    }
    let withdrawn = Told { time: None, ..told("anna.example", MINE, "2026-01-05T00:00:00Z", None) };
    assert_eq!(record(&withdrawn).await.expect("taken"), 0);
    assert_eq!(record(&withdrawn).await.expect("taken"), 0, "twice is once");
    let nobodys = told("anna.example", "127.0.0.1", "2026-01-05T00:00:00Z", None);
    let backwards = told("anna.example", MINE, "2026-01-05T00:00:00Z", Some("2026-01-05T00:00:00Z"));
    for bad in [nobodys, backwards] {
        let refusal = record(&bad).await.expect_err("refused");
        assert!(matches!(&refusal, CoreError::Invalid(text) if !text.contains("192.0.2") && !text.contains("127.0")));
    }
    let unknown = told("anna.example.org", MINE, "2026-01-05T00:00:00Z", None);
    assert!(matches!(record(&unknown).await, Err(CoreError::NotFound(_))));
    let leaving = site.ends("anna.example", "1001").await;
    let late = told("anna.example", MINE, "2026-02-01T00:00:00Z", None);
    assert!(matches!(record(&late).await, Err(CoreError::Precondition(_))), "nobody would say when it ends");
    assert!(selector(&site, &leaving.request).await.addresses.is_empty());
}

#[tokio::test]
async fn an_offer_from_before_an_address_came_is_stale_and_one_that_comes_after_the_search_began_is_refused() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    let leaving = site.ends("anna.example", "1001").await;
    let erase = job(&site, &leaving.request, "portal", Action::Erase).await;
    let stale = site.asking(&erase.id()).await;
    let word = told("anna.example", MINE, "2026-01-05T00:00:00Z", None);
    site.core.record_address(&word).await.expect("taken");
    // What the agent was offered before has no address in it.
    assert_eq!(site.core.ask(&stale).await.expect("an answer").expect_err("denied"), Denial::Stale);

    site.ask(&erase.id()).await.expect("permitted");
    for late in [told("anna.example", "192.0.2.5", "2026-01-05T00:00:00Z", None), Told { time: None, ..word }] {
        assert!(matches!(site.core.record_address(&late).await, Err(CoreError::Precondition(_))));
    }
    site.report(&leaving.request, &erase.id(), Verdict::Done, None).await;
    let late = told("anna.example", "192.0.2.5", "2026-01-05T00:00:00Z", None);
    assert!(matches!(site.core.record_address(&late).await, Err(CoreError::Precondition(_))));
}

#[tokio::test]
async fn an_offers_digest_is_salted_by_what_is_destroyed_with_the_address() {
    let site = site(Scope::Contract).await;
    for (service, customer) in [("anna.example", "1001"), ("bo.example", "1002")] {
        site.sells(service, customer).await;
        site.core.record_address(&told(service, MINE, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    }
    let leaving = site.ends("anna.example", "1001").await;
    let (spec, text) = offered(&site, &job(&site, &leaving.request, "portal", Action::Erase).await).await;
    // Whoever guesses the address, and knows all else, still lacks the salt.
    let guess = JobSpec { salt: Nonce::from_bytes([0; 16]), ..spec.clone() };
    assert_ne!(Digest::of(&serde_json::to_vec(&guess).expect("JSON")), Digest::of(text.as_bytes()));
    let of_nothing = Digest::of_parts(&[b"gallra-job-salt", b"", spec.job.as_bytes()]);
    assert_ne!(spec.salt, Nonce::from_digest(&of_nothing), "made of what a receipt says");
    let salt = spec.salt.to_string();
    for family in Family::ALL {
        let page = site.core.store.range(&family.prefix().range(), 1_000).await.expect("reads");
        let found = |entry: &Entry| entry.value.windows(salt.len()).any(|part| part == salt.as_bytes());
        assert!(!page.entries.iter().any(found), "the salt lies in the store");
    }
}

#[tokio::test]
async fn a_customers_target_is_searched_by_the_addresses_of_contracts_that_are_gone_too() {
    let site = site(Scope::Customer).await;
    for (service, address) in [("old.example", MINE), ("anna.example", "192.0.2.5")] {
        site.sells(service, "1001").await;
        site.core.record_address(&told(service, address, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    }
    let old = site.ends("old.example", "1001").await;
    let view = site.view(&old.request).await;
    let forget = site.core.forget(&view, gallra_store::Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("commits");
    let gone = told("old.example", MINE, "2026-01-05T00:00:00Z", None);
    assert!(matches!(site.core.record_address(&gone).await, Err(CoreError::NotFound(_))), "erased");

    let leaving = site.ends("anna.example", "1001").await;
    let uses = selector(&site, &leaving.request).await.addresses;
    let addresses: Vec<_> = uses.iter().map(|used| used.address.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.5", MINE]);
    assert!(uses.iter().all(|used| used.until == Some(at("2026-01-31T23:00:00Z"))));
}

#[tokio::test]
async fn addresses_outlive_a_turn_of_keys_and_are_gone_with_the_contract() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    site.core.record_address(&told("anna.example", MINE, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    site.advance("2026-05-10T10:00:00Z").await;
    let (site, found) = site.looked_into(files_with_mine).await;
    assert!(found > 0, "the search is blind, so that its silence later would prove nothing");
    let leaving = site.ends("anna.example", "1001").await;
    assert_eq!(selector(&site, &leaving.request).await.addresses.len(), 1, "under the new epoch");
    let view = site.view(&leaving.request).await;
    let forget = site.core.forget(&view, gallra_store::Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("commits");
    for day in ["2026-05-20T10:00:00Z", "2026-06-05T10:00:00Z", "2026-06-10T10:00:00Z"] {
        site.advance(day).await;
    }
    let (_site, left) = site.looked_into(files_with_mine).await;
    assert_eq!(left, 0, "the address is left in a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_word_about_an_address_and_the_permit_to_search_one_wins() {
    let site = Arc::new(site(Scope::Contract).await);
    let (mut offsets, mut tally) = (Offsets::new(300), Tally::default());
    for round in 0..ROUNDS {
        let (service, customer) = (format!("s{round}.example"), format!("{round}"));
        site.sells(&service, &customer).await;
        site.core.record_address(&told(&service, MINE, "2026-01-05T00:00:00Z", None)).await.expect("taken");
        let leaving = site.ends(&service, &customer).await;
        let erase = job(&site, &leaving.request, "portal", Action::Erase).await;
        let asking = site.asking(&erase.id()).await;
        let word = told(&service, "192.0.2.5", "2026-01-05T00:00:00Z", None);
        let recorded = site.core.record_address(&word);
        let (answer, recorded) = race(&site, asking, &mut offsets, &mut tally, recorded).await;
        match answer {
            Ok(_) => assert!(matches!(recorded, Err(CoreError::Precondition(_))), "recorded, and not searched by"),
            Err(denial) => {
                assert!(matches!(denial, Denial::Stale | Denial::Raced), "{denial:?}");
                assert_eq!(recorded.expect("taken").1, 2);
            }
        }
    }
    tally.assert_both_orders(ROUNDS);
}

/// Files in which somebody with all keys that are there finds the address.
fn files_with_mine(root: &Path) -> usize {
    let keyring = Keyring::open(&root.join("keys")).expect("opens");
    let found = search_files(root, &keyring, &Needles::new([MINE])).expect("searches");
    found.iter().filter(|(_, found)| found.is_hit()).count()
}
