//! Addresses of a subject: which offers carry them and which never do, until when, what is refused, and what is left of them
//! (decisions 10 and 13, I12).

use std::path::Path;
use std::sync::Arc;

use gallra_coordinator::addresses::Told;
use gallra_coordinator::contracts::End;
use gallra_coordinator::error::CoreError;
use gallra_model::hold::Level;
use gallra_model::job::{Action, JobSpec};
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::JobRecord;
use gallra_model::selector::{AddressUse, Selector};
use gallra_model::target::{Scope, TargetInfo, TargetKind};
use gallra_model::{Day, Digest, Instant, Nonce, RequestId};
use gallra_store::keys::{Family, What};
use gallra_store::search::{Needles, search_files};
use gallra_store::{Entry, Keyring, Txn};
use jiff::SignedDuration;

use crate::purge::{signed, the_purge};
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
    let theirs = |address: &str| AddressUse {
        address: address.parse().expect("a literal"),
        from: at("2026-01-05T00:00:00Z"),
        until: Some(at("2026-01-31T23:00:00Z")),
    };
    // Nobody ended the first, the second was told in advance: they end with the last day, 31 January in Stockholm.
    assert_eq!(uses, [theirs(MINE), theirs("192.0.2.78")]);
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
    let last_year = told("anna.example", MINE, "2025-01-05T00:00:00Z", Some("2026-01-20T00:00:00Z"));
    assert!(matches!(record(&last_year).await, Err(CoreError::Precondition(_))), "before the contract began");
    assert_eq!(record(&closed).await.expect("taken"), 1);
    let sooner = told("anna.example", MINE, "2026-01-05T00:00:00Z", Some("2026-01-07T00:00:00Z"));
    assert!(matches!(record(&sooner).await, Err(CoreError::Precondition(_))), "a correction would be lost");
    for word in [&withdrawn, &sooner] {
        record(word).await.expect("taken");
    }
    record(&withdrawn).await.expect("taken");
    let unknown = told("anna.example.org", MINE, "2026-01-05T00:00:00Z", None);
    assert!(matches!(record(&unknown).await, Err(CoreError::NotFound(_))));
    let leaving = site.ends("anna.example", "1001").await;
    for (from, until) in [
        ("2026-02-01T00:00:00Z", None),
        ("2026-02-01T00:00:00Z", Some("2026-02-02T00:00:00Z")),
        ("2026-01-05T00:00:00Z", Some("2026-02-02T00:00:00Z")),
    ] {
        let late = told("anna.example", MINE, from, until);
        assert!(matches!(record(&late).await, Err(CoreError::Precondition(_))), "after the last day: {from}");
    }
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
    for (service, customer, address) in [("anna.example", "1001", MINE), ("bo.example", "1002", "192.0.2.5")] {
        site.sells(service, customer).await;
        site.core.record_address(&told(service, address, "2026-01-05T00:00:00Z", None)).await.expect("taken");
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
    let forget = site.core.forget(&view, Txn::new()).await.expect("forgets");
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
async fn what_ended_with_a_contract_stays_ended_when_the_contract_is_resumed() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    site.core.record_address(&told("anna.example", MINE, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    let first = End { service: id("anna.example"), ended: Day::constant(2026, 1, 20), version: 0, cause: None };
    site.core.end_contract(&first).await.expect("ended");
    site.core.resume_contract(&id("anna.example"), 0).await.expect("resumed");
    // Meanwhile it was somebody else's for a day.
    let again = told("anna.example", MINE, "2026-01-22T00:00:00Z", None);
    assert_eq!(site.core.record_address(&again).await.expect("taken").1, 2);
    let leaving = site.ends("anna.example", "1001").await;
    let uses = selector(&site, &leaving.request).await.addresses;
    let times: Vec<_> = uses.iter().map(|used| (used.from, used.until.expect("an end"))).collect();
    let theirs = [("2026-01-05T00:00:00Z", "2026-01-20T23:00:00Z"), ("2026-01-22T00:00:00Z", "2026-01-31T23:00:00Z")];
    assert_eq!(times, theirs.map(|(from, until)| (at(from), at(until))));
}

#[tokio::test]
async fn an_erasure_that_has_no_address_is_not_permitted_and_one_may_still_come() {
    let site = site(Scope::Contract).await;
    site.sells("anna.example", "1001").await;
    let word = told("anna.example", MINE, "2026-01-05T00:00:00Z", None);
    site.core.record_address(&word).await.expect("taken");
    let leaving = site.ends("anna.example", "1001").await;
    let erase = job(&site, &leaving.request, "portal", Action::Erase).await;
    let withdrawn = Told { time: None, ..told("anna.example", MINE, "2026-01-05T00:00:00Z", None) };
    site.core.record_address(&withdrawn).await.expect("taken");
    let denial = site.ask(&erase.id()).await.expect_err("nothing to look for");
    assert_eq!(serde_json::to_value(denial).expect("JSON"), "no-address");
    assert_eq!(site.stored(&leaving.request, &erase.id()).await.attempt, 0);
    // What the files' target erases is told by the service, and goes on.
    let www = job(&site, &leaving.request, "www", Action::Erase).await;
    site.ask(&www.id()).await.expect("permitted");
    site.core.record_address(&word).await.expect("not too late");
    site.ask(&erase.id()).await.expect("permitted");
}

/// Seals so many times of an address with a customer, each of a second of its own, as contracts leave them that are erased.
async fn leaves_former(site: &Site, customer: &str, times: i64) {
    let (_, found) = site.core.find_customer(&id(customer)).await.expect("reads").expect("a customer");
    let nth = |n| at("2026-01-05T00:00:00Z") + SignedDuration::from_secs(n);
    let former: Vec<_> = (0..times)
        .map(|n| AddressUse {
            address: MINE.parse().expect("a literal"),
            from: nth(2 * n),
            until: Some(nth(2 * n + 1)),
        })
        .collect();
    let identity =
        serde_json::json!({ "number": customer, "former": former, "salt": Nonce::from_bytes([6; 16]).to_string() });
    let sealed = site.core.seal_more(Txn::new(), &found.subject, What::Customer(found.id), &identity).await;
    site.core.store.commit(sealed.expect("sealed")).await.expect("commits");
}

async fn forgets(site: &Site, service: &str, customer: &str) {
    let leaving = site.ends(service, customer).await;
    let view = site.view(&leaving.request).await;
    let forget = site.core.forget(&view, Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("commits");
}

#[tokio::test]
async fn addresses_that_did_not_all_fit_are_never_taken_for_all() {
    let site = site(Scope::Customer).await;
    for service in ["old.example", "older.example", "anna.example"] {
        site.sells(service, "1001").await;
    }
    leaves_former(&site, "1001", 4095).await;
    // Two too many: by the order of addresses, some are lost.
    for address in ["192.0.2.101", "192.0.2.102", "192.0.2.103"] {
        site.core.record_address(&told("old.example", address, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    }
    forgets(&site, "old.example", "1001").await;
    // One that unites many of them: what is left would fit.
    site.core.record_address(&told("older.example", MINE, "2026-01-05T00:00:00Z", None)).await.expect("taken");
    forgets(&site, "older.example", "1001").await;
    let leaving = site.ends("anna.example", "1001").await;
    assert!(selector(&site, &leaving.request).await.addresses.is_empty(), "some were lost, and it says all");
    let erase = job(&site, &leaving.request, "portal", Action::Erase).await;
    assert!(site.ask(&erase.id()).await.is_err());
}

#[tokio::test]
async fn a_purge_that_has_too_much_to_leave_waits_and_holds_nothing_else_up() {
    let site = signed().await;
    site.reports(vec![TargetInfo { by_address: true, ..info("logs") }]).await;
    let (_, purge) = the_purge(&site).await;
    let asking = site.asking(&purge.id()).await;
    let mut holds = Vec::new();
    for (service, customer) in [("bo.example", "1002"), ("cilla.example", "1003"), ("dan.example", "1004")] {
        site.sells(service, customer).await;
        let (_, contract) = site.core.find_contract(&id(service)).await.expect("sold");
        let (from, until) = (at("2026-01-05T00:00:00Z"), Some(at("2026-01-06T00:00:00Z")));
        let uses = vec![AddressUse { address: MINE.parse().expect("a literal"), from, until }; 15_000];
        let salt = Nonce::from_bytes([6; 16]).to_string();
        let identity = serde_json::json!({ "service": service, "uses": uses, "salt": salt });
        let sealed = site.core.seal_more(Txn::new(), &contract.subject, What::Contract(contract.id), &identity).await;
        site.core.store.commit(sealed.expect("sealed")).await.expect("commits");
        let level = Level::Contract { contract: contract.id };
        holds.push(site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed").hold.id);
    }
    let length = async || site.core.offer(&purge.id()).await.expect("no error").map(|offer| offer.len());
    assert_eq!(length().await, None, "bytes, of the 4194304 that a message has");
    assert_eq!(site.core.ask(&asking).await.expect("an answer, so that the stream goes on").err(), Some(Denial::Stale));
    for (hold, offered) in [(&holds[2], false), (&holds[1], true)] {
        site.core.release_hold(hold, "settled", "bertil").await.expect("released");
        assert_eq!(length().await.is_some(), offered, "half of a message is for whoever is held");
    }
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
    let forget = site.core.forget(&view, Txn::new()).await.expect("forgets");
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
        site.core
            .record_address(&told(&service, &format!("198.51.100.{round}"), "2026-01-05T00:00:00Z", None))
            .await
            .expect("taken");
        let leaving = site.ends(&service, &customer).await;
        let erase = job(&site, &leaving.request, "portal", Action::Erase).await;
        let asking = site.asking(&erase.id()).await;
        let word = told(&service, &format!("203.0.113.{round}"), "2026-01-05T00:00:00Z", None);
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
