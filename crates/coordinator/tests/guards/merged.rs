//! What a hold covers once two numbers are one customer, and when each number is forgotten (I1, I12).

use std::sync::Arc;

use gallra_coordinator::contracts::{End, Move};
use gallra_coordinator::{guards, leader};
use gallra_model::hold::Level;
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::request::{JobRecord, Request, RequestState};
use gallra_model::{Day, RequestId};
use gallra_store::{Txn, keys};

use crate::merging::{is_consistent, merge, site};
use crate::moving::{customer, record, settled, to};
use crate::purge::{offer, signed, the_purge};
use crate::race::{Offsets, Tally, race};
use crate::site::{Site, id, info};

/// Rounds of a race, each of customers of its own.
const ROUNDS: u32 = 60;

async fn on(site: &Site, number: &str) -> Level {
    Level::Customer { customer: customer(site, number).await.id }
}

/// The erasing job of a contract's own data, planned and inspected.
async fn erases(site: &Site, service: &str, number: &str) -> JobRecord {
    site.leaves(service, number).await.erase
}

#[tokio::test]
async fn a_hold_on_either_number_stops_the_erasure_of_both_until_it_is_released() {
    for merged_first in [true, false] {
        for (held, other) in [("1001", "1002"), ("1002", "1001")] {
            let site = site().await;
            site.sells("stays.example", held).await;
            let job = erases(&site, "a.example", other).await;
            // The end that went with it is taken back, so that the plan is another one.
            if merged_first {
                merge(&site, "1001", "1002").await.expect("merged");
            }
            let placed = site.core.place_hold(on(&site, held).await, "a dispute", None, "anna").await.expect("placed");
            if !merged_first {
                merge(&site, "1001", "1002").await.expect("merged");
            }
            leader::run_due(&site.core).await.expect("planned");
            let request = site.core.find_contract(&id("a.example")).await.expect("known").1.request.expect("a request");
            let view = site.view(&request).await;
            assert!(guards::is_held(&*site.core.store, &view).await.expect("reads"), "it shows");
            let plan = view.plan.expect("a plan");
            assert_eq!(plan.holds.iter().map(|one| one.hold).collect::<Vec<_>>(), [placed.hold.id], "its plan says so");
            site.inspects(&request).await;
            let again = site.jobs(&request, Action::Erase).await.remove(0);
            assert_ne!(again.id(), job.id());
            assert_eq!(
                site.ask(&again.id()).await.expect_err("held"),
                Denial::Held,
                "{held}, merged first: {merged_first}"
            );
            assert_eq!(site.core.stopped(&again.id()).await.expect("reads"), Some(Denial::Held));
            site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
            leader::run_due(&site.core).await.expect("planned");
            let free = site.jobs(&request, Action::Erase).await.remove(0).id();
            if site.jobs(&request, Action::Inspect).await.iter().any(|job| job.attempt == 0) {
                site.inspects(&request).await;
            }
            site.ask(&free).await.expect("permitted");
            let again = site.core.place_hold(on(&site, held).await, "another", None, "anna").await.expect("placed");
            assert_eq!(again.begun, 1, "what has begun under the other number is told");
        }
    }
}

#[tokio::test]
async fn a_plan_that_nothing_else_changes_says_what_holds_it_since_the_merge() {
    let site = site().await;
    site.sells("stays.example", "1001").await;
    site.sells("b.example", "1002").await;
    let leaving = site.leaves("a.example", "1001").await;
    let placed = site.core.place_hold(on(&site, "1002").await, "a dispute", None, "anna").await.expect("placed");
    leader::run_due(&site.core).await.expect("looked at");
    merge(&site, "1002", "1001").await.expect("merged");
    leader::run_due(&site.core).await.expect("planned anew");
    let plan = site.view(&leaving.request).await.plan.expect("a plan");
    assert_eq!(plan.holds.iter().map(|one| one.hold).collect::<Vec<_>>(), [placed.hold.id]);
}

#[tokio::test]
async fn a_hold_covers_what_went_to_another_customer_under_a_number_that_was_merged_later() {
    let site = site().await;
    site.sells("anna.example", "1001").await;
    site.sells("more.example", "1001").await;
    site.sells("f.example", "1003").await;
    site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let leaving = site.ends("anna.example", "1002").await;
    merge(&site, "1001", "1003").await.expect("merged");
    let placed = site.core.place_hold(on(&site, "1003").await, "a dispute", None, "anna").await.expect("placed");
    assert_eq!(site.ask(&leaving.erase.id()).await.expect_err("held"), Denial::Held, "it is from that customer's time");
    site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
    // And no contract is moved out of a hold on the other number.
    site.core.place_hold(on(&site, "1003").await, "a dispute", None, "anna").await.expect("placed");
    let out = Move { service: id("more.example"), ..to("1002") };
    let refused = site.core.move_contract(&out).await.err().expect("refused").to_string();
    assert!(refused.contains("hold"), "{refused}");
}

#[tokio::test]
async fn lines_of_both_numbers_are_left_by_a_purge_while_one_is_held() {
    let site = signed().await;
    site.reports(vec![info("logs")]).await;
    // It has sold anna.example to 1001.
    site.sells("a.example", "1001").await;
    site.sells("b.example", "1002").await;
    let (_, job) = the_purge(&site).await;
    site.core.place_hold(on(&site, "1002").await, "a dispute", None, "anna").await.expect("placed");
    let any_hold = async || site.core.store.get(&keys::guard_any_hold()).await.expect("reads").expect("there").version;
    let before = any_hold().await;
    merge(&site, "1001", "1002").await.expect("merged");
    assert_ne!(any_hold().await, before, "whoever leaves lines looks anew");
    let preserve = offer(&site, &job).await.purge.expect("a purge").preserve;
    let mut services: Vec<_> = preserve.into_iter().filter_map(|one| one.service).collect();
    services.sort_unstable_by(|one, other| one.expose().cmp(other.expose()));
    assert_eq!(services, [id("a.example"), id("anna.example"), id("b.example")]);
}

#[tokio::test]
async fn events_under_a_hold_on_contract_and_customer_are_taken() {
    let site = site().await;
    site.sells("a.example", "1001").await;
    let contract = site.core.find_contract(&id("a.example")).await.expect("known").1;
    for level in [Level::Contract { contract: contract.id }, Level::Customer { customer: contract.customer }] {
        site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
    }
    let end = End { service: id("a.example"), ended: Day::constant(2026, 1, 10), version: 0, cause: None };
    site.core.end_contract(&end).await.expect("a hold stops no word of billing's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_merge_with_somebody_held_and_a_permit_one_wins() {
    let site = Arc::new(Site::new(&["www"]).await);
    let (mut offsets, mut tally) = (Offsets::new(700), Tally::default());
    for round in 0..ROUNDS {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        // Another contract of its own stays, so that no end of the customer's stands in the way.
        site.sells(&format!("more.{a}"), &a).await;
        site.sells(&b, &b).await;
        let leaving = site.leaves(&a, &a).await;
        site.core.place_hold(on(&site, &b).await, "a dispute", None, "anna").await.expect("placed");
        let (job, asking) = (leaving.erase.id(), site.asking(&leaving.erase.id()).await);
        let merges = merge(&site, &a, &b);
        let (answer, merged) = race(&site, asking.clone(), &mut offsets, &mut tally, merges).await;
        merged.expect("a merge is taken whoever was first");
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::Held | Denial::Raced), "{denial:?}");
        }
        assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::Held), "from here on it is held");
        assert!(site.core.ask(&asking).await.expect("an answer").is_err());
    }
    assert!(tally.permits > 0 && tally.stops > 0, "too one-sided to be a race: {tally:?}");
}

async fn forgotten(site: &Site, number: &str) -> bool {
    site.core.find_customer(&id(number)).await.expect("reads").is_none()
}

/// As if everything of a request were carried out.
async fn forget(site: &Site, request: &RequestId) {
    let view = site.view(request).await;
    let done = Request { state: RequestState::Done, done: Some(site.core.time.now()), ..view.request.clone() };
    let entry = site.core.store.get(&keys::request(request)).await.expect("reads").expect("there");
    let value = serde_json::to_vec(&done).expect("encodes");
    let txn = site.core.forget(&view, Txn::new().replace(&entry, value)).await.expect("forgets");
    site.core.store.commit(txn).await.expect("commits");
}

#[tokio::test]
async fn a_number_is_known_until_the_end_of_all_is_carried_out_under_it() {
    let site = site().await;
    site.sells("a.example", "1001").await;
    site.sells("b.example", "1002").await;
    merge(&site, "1001", "1002").await.expect("merged");
    let (_, own) = site.ends_only("a.example", "1001").await;
    forget(&site, &own).await;
    assert!(!forgotten(&site, "1001").await, "its own data is still there, by that number");
    let (_, both) = site.ends_only("b.example", "1002").await;
    is_consistent(&site, &["1001", "1002"]).await;
    let of_a = customer(&site, "1001").await.ending.expect("its end");
    forget(&site, &of_a).await;
    assert!(forgotten(&site, "1001").await && !forgotten(&site, "1002").await);
    // Somebody who stays after all: nothing is opened for a number that nobody knows any more.
    site.core.resume_contract(&id("b.example"), 0).await.expect("resumed");
    let again = site.ends_only("b.example", "1002").await.1;
    assert_ne!(again, both);
    let open = site.core.open_requests(|one| !one.facts.cancelled && one.anchors.customer_ended.is_some()).await;
    assert!(open.expect("reads").contains(&again));
    forget(&site, &again).await;
    assert!(forgotten(&site, "1002").await);
}

#[tokio::test]
async fn the_last_settlement_forgets_a_number_whose_end_is_carried_out() {
    let site = crate::moving::site().await;
    record(&site, "anna.example", crate::moving::FROM).await.expect("taken");
    site.sells("b.example", "1002").await;
    merge(&site, "1001", "1002").await.expect("merged");
    let (_, own) = site.ends_only("anna.example", "1001").await;
    forget(&site, &own).await;
    let end = End { service: id("b.example"), ended: Day::constant(2026, 1, 10), version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended");
    let of_a = customer(&site, "1001").await.ending.expect("its end");
    // A policy may let the customer's own data go before anything is settled.
    forget(&site, &of_a).await;
    assert!(!forgotten(&site, "1001").await, "the other number owes");
    site.core.settle_contract(&id("b.example"), Day::constant(2026, 1, 20), 0).await.expect("settled");
    assert!(forgotten(&site, "1001").await, "nothing else would forget it");
    assert!(!forgotten(&site, "1002").await);
}
