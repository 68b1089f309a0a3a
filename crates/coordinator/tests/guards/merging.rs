//! Two numbers that turn out to be one customer: whose end it is, what takes it back, what is refused, in whatever order it is
//! told (I1, I6, I8).

use gallra_coordinator::contracts::{End, Merge, Merged, Move};
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_model::Day;
use gallra_model::contract::{Contract, ContractState, Customer, MAX_NUMBERS};
use gallra_model::hold::Level;
use gallra_model::job::Action;
use gallra_model::plan::Anchors;
use gallra_model::request::Request;
use gallra_model::target::{Scope, TargetInfo};
use gallra_store::keys;

use crate::moving::{customer, known, settled, to};
use crate::site::{ENDED, Site, id, info};

type Days = (Option<Day>, Option<Day>);

pub(crate) fn day(day: i8) -> Day {
    Day::constant(2026, 1, day)
}

/// A site with a place for the contract's data and one for the customer's own.
pub(crate) async fn site() -> Site {
    let site = Site::new(&[]).await;
    let logins = TargetInfo { scope: Scope::Customer, id: "logins".parse().expect("a literal name"), ..info("logs") };
    site.reports(vec![info("www"), logins]).await;
    site
}

pub(crate) async fn merge(site: &Site, old: &str, into: &str) -> Result<Merged, CoreError> {
    site.core.merge_customers(&Merge { customer: id(old), into: id(into), dry_run: false, by: "anna".into() }).await
}

pub(crate) async fn end(site: &Site, service: &str, ended: Day) -> Contract {
    let end = End { service: id(service), ended, version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended")
}

async fn settle(site: &Site, service: &str, settled: Day) {
    site.core.settle_contract(&id(service), settled, 0).await.expect("settled");
}

/// The customer's dates in the request for a number's end; none while it has none.
async fn days(site: &Site, number: &str) -> Option<Days> {
    let ending = customer(site, number).await.ending?;
    let Anchors { customer_ended, customer_settled, .. } = site.view(&ending).await.request.anchors;
    Some((customer_ended, customer_settled))
}

fn is_end(request: &Request) -> bool {
    !request.facts.cancelled && request.anchors.customer_ended.is_some()
}

/// Open requests in which a customer has ended.
async fn ends(site: &Site) -> usize {
    site.core.open_requests(is_end).await.expect("reads").len()
}

/// After any event: the customer's end is open under every number exactly where no contract of any is active, and no request
/// carries one that its number does not know.
pub(crate) async fn is_consistent(site: &Site, numbers: &[&str]) {
    let (mut all, mut contracts) = (Vec::<Customer>::new(), Vec::<Contract>::new());
    for number in numbers {
        let of = customer(site, number).await;
        for contract in &of.contracts {
            let entry = site.core.store.get(&keys::contract(contract)).await.expect("reads").expect("there");
            contracts.push(serde_json::from_slice(&entry.value).expect("a contract"));
        }
        all.push(of);
    }
    let active = contracts.iter().any(|contract| contract.state == ContractState::Active);
    let settled = contracts.iter().all(|contract| contract.state == ContractState::Settled);
    let ended = contracts.iter().filter_map(|contract| contract.ended).max();
    let of_all = contracts.iter().filter_map(|contract| contract.settled).max().filter(|_| settled);
    for (number, of) in numbers.iter().zip(&all) {
        let expected = if active { None } else { Some((ended, of_all)) };
        assert_eq!(days(site, number).await, expected, "{number}: {contracts:?}");
        let is_its = |one: &Request| one.about.parties().is_some_and(|parties| parties.customer == of.id);
        let mine = site.core.open_requests(|one| is_end(one) && is_its(one)).await.expect("reads");
        assert_eq!(mine, of.ending.as_slice(), "{number}");
    }
}

#[tokio::test]
async fn the_customer_ends_with_the_last_contract_of_all_numbers_and_then_under_each() {
    let site = site().await;
    for (service, number) in [("a.example", "1001"), ("b.example", "1002"), ("b2.example", "1002")] {
        site.sells(service, number).await;
    }
    let merged = merge(&site, "1001", "1002").await.expect("merged");
    let (old, new) = (customer(&site, "1001").await, customer(&site, "1002").await);
    assert_eq!((merged.numbers, merged.again), (vec![new.id, old.id], false));
    assert_eq!((old.merged_into, new.merged, new.merged_into), (Some(new.id), vec![old.id], None));
    assert_eq!(known(&site, "a.example").await.customer, old.id, "a contract stays under its number");
    for (service, ended) in [("a.example", 10), ("b.example", 12)] {
        end(&site, service, day(ended)).await;
        settle(&site, service, day(ended)).await;
        is_consistent(&site, &["1001", "1002"]).await;
        assert_eq!(ends(&site).await, 0, "{service}");
    }
    let own = end(&site, "b2.example", day(11)).await.request;
    is_consistent(&site, &["1001", "1002"]).await;
    assert_eq!(days(&site, "1001").await, Some((Some(day(12)), None)), "not its own last day");
    assert_eq!(customer(&site, "1002").await.ending, own, "both wait for the same settlement");
    settle(&site, "b2.example", day(20)).await;
    is_consistent(&site, &["1001", "1002"]).await;
    leader::run_due(&site.core).await.expect("planned");
    for number in ["1001", "1002"] {
        assert_eq!(days(&site, number).await, Some((Some(day(12)), Some(day(20)))));
        let ending = customer(&site, number).await.ending.expect("its end");
        let jobs = site.jobs(&ending, Action::Erase).await;
        let logins = jobs.iter().find(|job| job.step.target.as_str() == "logins").expect("its own data");
        let offer = site.core.offer(&logins.id()).await.expect("reads").expect("an offer");
        assert!(offer.contains(&format!("\"{number}\"")), "by its own number");
    }
    // A newer end of one corrects the day of all, and unsettles all.
    let later = End { service: id("b2.example"), ended: day(25), version: 9, cause: None };
    site.core.end_contract(&later).await.expect("corrected");
    is_consistent(&site, &["1001", "1002"]).await;
    assert_eq!(days(&site, "1001").await, Some((Some(day(25)), None)));
}

#[tokio::test]
async fn a_sale_and_a_resumption_under_either_number_take_the_end_of_both_back() {
    for (number, other) in [("1001", "1002"), ("1002", "1001")] {
        let site = site().await;
        site.sells("s1001.example", "1001").await;
        site.sells("s1002.example", "1002").await;
        merge(&site, "1001", "1002").await.expect("merged");
        let both = [number, other];
        let end_all = async || {
            for service in ["s1001.example", "s1002.example"] {
                if known(&site, service).await.state == ContractState::Active {
                    site.ends_only(service, &service[1..5]).await;
                }
            }
            is_consistent(&site, &both).await;
            assert_eq!(ends(&site).await, 2);
        };
        end_all().await;
        site.core.resume_contract(&id(&format!("s{number}.example")), 0).await.expect("resumed");
        is_consistent(&site, &both).await;
        assert_eq!(ends(&site).await, 0, "{number} resumed");
        end_all().await;
        site.sells(&format!("new.{number}.example"), number).await;
        is_consistent(&site, &both).await;
        assert_eq!(ends(&site).await, 0, "{number} bought again");
    }
}

#[tokio::test]
async fn what_has_begun_under_one_number_refuses_a_sale_under_the_other_and_a_resumption_stops_it() {
    let site = site().await;
    site.sells("a.example", "1001").await;
    site.sells("b.example", "1002").await;
    merge(&site, "1001", "1002").await.expect("merged");
    site.ends_only("a.example", "1001").await;
    let (b, _) = site.ends_only("b.example", "1002").await;
    let of_a = customer(&site, "1001").await.ending.expect("its end");
    site.core.approve_request(&of_a, &site.cause("a.example", "1001")).await.expect("signed");
    site.advance("2026-12-01T10:00:00Z").await;
    let erase = site.planned(&of_a).await;
    site.ask(&erase.id()).await.expect("permitted");
    let start = gallra_coordinator::contracts::Start {
        service: id("c.example"),
        customer: id("1002"),
        addresses: vec![],
        started: day(2),
        version: 0,
    };
    let refused = site.core.start_contract(&start).await.err();
    assert!(matches!(refused, Some(CoreError::Precondition(_))), "{refused:?}");
    let resumed = site.core.resume_contract(&id("b.example"), 0).await.expect("resumed");
    assert!(resumed.begun && resumed.cancelled.contains(&of_a), "{:?}", resumed.cancelled);
    assert!(resumed.cancelled.contains(&b.request.expect("its request")));
    assert!(site.view(&of_a).await.request.facts.cancelled);
    is_consistent(&site, &["1001", "1002"]).await;
}

#[tokio::test]
async fn a_merge_takes_back_the_end_of_whoever_left_while_the_other_stays() {
    for (old, into) in [("1001", "1002"), ("1002", "1001")] {
        let site = site().await;
        site.sells("b.example", "1002").await;
        let leaving = site.leaves("a.example", "1001").await;
        let merged = merge(&site, old, into).await.expect("merged");
        let [later] = merged.later.as_slice() else { panic!("one end was open") };
        assert_eq!((later.before, later.request, later.was.customer_ended), (leaving.request, None, Some(ENDED)));
        is_consistent(&site, &["1001", "1002"]).await;
        let request = site.view(&leaving.request).await.request;
        assert_eq!(request.anchors.contract_ended, Some(ENDED), "the contract has ended all the same");
        assert_eq!((request.approvals.service.is_some(), request.approvals.customer), (true, None));
        leader::run_due(&site.core).await.expect("planned anew");
        let targets: Vec<_> = site.jobs(&leaving.request, Action::Erase).await;
        assert!(targets.iter().all(|job| job.step.target.as_str() == "www"), "nothing of the customer's own");
        assert!(!targets.is_empty());
    }
}

#[tokio::test]
async fn two_that_ended_are_one_end_the_later_and_no_contract_waits_for_the_other() {
    let site = site().await;
    let leaving = site.leaves("a.example", "1001").await;
    site.sells("b.example", "1002").await;
    end(&site, "b.example", day(20)).await;
    leader::run_due(&site.core).await.expect("planned");
    let merged = merge(&site, "1001", "1002").await.expect("merged");
    assert_eq!(merged.later.len(), 2);
    is_consistent(&site, &["1001", "1002"]).await;
    assert_eq!(days(&site, "1001").await, Some((Some(ENDED), None)), "the other owes");
    assert_eq!(days(&site, "1002").await, Some((Some(ENDED), None)), "the later of the two");
    let of_contract = site.view(&leaving.request).await.request;
    assert_eq!(of_contract.anchors.customer_ended, None);
    let own = site.planned(&leaving.request).await;
    site.ask(&own.id()).await.expect("what the service stores waits for nobody");
    settle(&site, "b.example", day(22)).await;
    is_consistent(&site, &["1001", "1002"]).await;
    for number in ["1001", "1002"] {
        assert_eq!(days(&site, number).await, Some((Some(ENDED), Some(ENDED))), "all are settled");
        let ending = customer(&site, number).await.ending.expect("its end");
        assert_eq!(site.view(&ending).await.request.approvals.customer, None, "to be signed for anew");
    }
}

#[tokio::test]
async fn of_two_that_owe_on_the_same_day_neither_holds_the_others_service_up() {
    let site = site().await;
    for (service, number) in [("a.example", "1001"), ("b.example", "1002")] {
        site.sells(service, number).await;
        end(&site, service, ENDED).await;
    }
    merge(&site, "1001", "1002").await.expect("merged");
    settle(&site, "a.example", ENDED).await;
    leader::run_due(&site.core).await.expect("planned");
    let own = known(&site, "a.example").await.request.expect("its request");
    assert!(!site.view(&own).await.request.facts.unsettled, "it waits for its own settlement alone");
    is_consistent(&site, &["1001", "1002"]).await;
}

#[tokio::test]
async fn what_is_being_erased_is_merged_with_nobody() {
    let site = site().await;
    let leaving = site.leaves("a.example", "1001").await;
    site.sells("b.example", "1002").await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let before = (customer(&site, "1001").await, customer(&site, "1002").await);
    for (old, into) in [("1001", "1002"), ("1002", "1001")] {
        let refused = merge(&site, old, into).await.err();
        assert!(matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("being erased")), "{refused:?}");
    }
    assert!(matches!(merge(&site, "1002", "1002").await.err(), Some(CoreError::Invalid(_))));
    assert!(matches!(merge(&site, "1009", "1002").await.err(), Some(CoreError::NotFound(_))));
    assert!(matches!(merge(&site, "1002", "1009").await.err(), Some(CoreError::Precondition(_))));
    assert_eq!((customer(&site, "1001").await, customer(&site, "1002").await), before);
    // As soon as its contract goes on after all, they are one.
    site.core.resume_contract(&id("a.example"), 0).await.expect("resumed");
    merge(&site, "1001", "1002").await.expect("merged");
}

#[tokio::test]
async fn no_merge_takes_anything_out_of_a_hold_on_a_request_or_a_contract() {
    for of_contract in [false, true] {
        for stays in [false, true] {
            let site = site().await;
            let leaving = site.leaves("a.example", "1001").await;
            site.sells("b.example", "1002").await;
            if !stays {
                end(&site, "b.example", ENDED).await;
            }
            let contract = known(&site, "a.example").await.id;
            let level =
                if of_contract { Level::Contract { contract } } else { Level::Request { request: leaving.request } };
            let hold = site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed").hold;
            let before = (customer(&site, "1001").await, customer(&site, "1002").await);
            let refused = merge(&site, "1001", "1002").await.err();
            assert!(
                matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("a hold lies")),
                "{refused:?}"
            );
            assert_eq!((customer(&site, "1001").await, customer(&site, "1002").await), before);
            site.core.release_hold(&hold.id, "over", "bea").await.expect("released");
            merge(&site, "1001", "1002").await.expect("merged");
            let by = customer(&site, "1001").await.merged_by.expect("kept");
            assert_eq!(by.by, "anna");
            is_consistent(&site, &["1001", "1002"]).await;
        }
    }
}

#[tokio::test]
async fn a_merge_that_is_told_again_changes_nothing_and_groups_have_one_head() {
    let site = site().await;
    for number in 1..=4 {
        site.sells(&format!("s{number}.example"), &number.to_string()).await;
    }
    let dry = Merge { customer: id("1"), into: id("2"), dry_run: true, by: "anna".into() };
    let before = (customer(&site, "1").await, customer(&site, "2").await);
    let numbers = site.core.merge_customers(&dry).await.expect("said").numbers;
    assert_eq!((numbers.len(), (customer(&site, "1").await, customer(&site, "2").await)), (2, before), "only said");
    for (old, into) in [("1", "2"), ("3", "4"), ("1", "3")] {
        assert!(!merge(&site, old, into).await.expect("merged").again, "{old} into {into}");
    }
    let head = customer(&site, "4").await;
    let all = merge(&site, "2", "1").await.expect("answered");
    assert!(all.again && all.numbers.len() == 4 && all.numbers[0] == head.id, "{:?}", all.numbers);
    let stored = site.core.store.get(&keys::customer(&head.id)).await.expect("reads").expect("there").version;
    for (old, into) in [("1", "2"), ("2", "1"), ("3", "2"), ("4", "1")] {
        assert!(merge(&site, old, into).await.expect("answered").again);
    }
    let again = site.core.store.get(&keys::customer(&head.id)).await.expect("reads").expect("there").version;
    assert_eq!(stored, again);
    for number in ["1", "2", "3"] {
        let of = customer(&site, number).await;
        assert_eq!((of.merged_into, of.merged), (Some(head.id), vec![]), "{number}: no chain");
    }
    // Whatever was told before, a restart has it.
    let site = site.restarted().await;
    assert!(merge(&site, "1", "4").await.expect("answered").again);
    for number in 1..=4 {
        end(&site, &format!("s{number}.example"), ENDED).await;
    }
    is_consistent(&site, &["1", "2", "3", "4"]).await;
    assert_eq!(ends(&site).await, 4);
}

/// Of all orders every so manyth is tried: each word comes first, last and between.
const EVERY: usize = 5;

/// What can be told of two customers, in the order in which it happened.
const TOLD: [&str; 5] = ["end a", "settle a", "end b", "settle b", "merge"];

async fn tell(site: &Site, word: &str, round: usize) -> Result<(), CoreError> {
    let (a, b) = (format!("a{round}"), format!("b{round}"));
    let ends = |service: &str, ended| End { service: id(service), ended, version: 2, cause: None };
    match word {
        "end a" => site.core.end_contract(&ends(&a, day(10))).await.map(drop),
        "end b" => site.core.end_contract(&ends(&b, day(12))).await.map(drop),
        "settle a" => site.core.settle_contract(&id(&a), day(20), 3).await.map(drop),
        "settle b" => site.core.settle_contract(&id(&b), day(15), 3).await.map(drop),
        _ => merge(site, &a, &b).await.map(drop),
    }
}

fn orders(left: &[&'static str]) -> Vec<Vec<&'static str>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in left {
        let rest: Vec<_> = left.iter().filter(|one| *one != first).copied().collect();
        all.extend(orders(&rest).into_iter().map(|rest| [vec![*first], rest].concat()));
    }
    all
}

#[tokio::test]
async fn a_merge_comes_to_the_same_wherever_it_arrives_among_ends_and_settlements() {
    let site = site().await;
    for (round, order) in orders(&TOLD).into_iter().step_by(EVERY).enumerate() {
        let numbers = [format!("a{round}"), format!("b{round}")];
        for number in &numbers {
            site.sells(number, number).await;
        }
        let mut waiting: std::collections::VecDeque<_> = order.iter().copied().collect();
        let mut refused = 0;
        while let Some(word) = waiting.pop_front() {
            match tell(&site, word, round).await {
                Ok(()) => refused = 0,
                Err(CoreError::Precondition(_)) => {
                    waiting.push_back(word);
                    refused += 1;
                }
                Err(error) => panic!("{order:?} {word}: {error}"),
            }
            assert!(refused <= waiting.len(), "{order:?}: told for ever, and never taken");
        }
        for number in &numbers {
            assert_eq!(days(&site, number).await, Some((Some(day(12)), Some(day(20)))), "{order:?}");
            let own = known(&site, number).await.request.expect("its request");
            let anchors = site.view(&own).await.request.anchors;
            let expected = if number.starts_with('a') { (10, 20) } else { (12, 15) };
            assert_eq!(
                (anchors.contract_ended, anchors.contract_settled),
                (Some(day(expected.0)), Some(day(expected.1))),
                "{order:?}"
            );
        }
        is_consistent(&site, &[&numbers[0], &numbers[1]]).await;
    }
}

#[tokio::test]
async fn a_contract_that_moves_within_one_customer_ends_nobody_and_out_of_it_ends_all() {
    let site = site().await;
    site.sells("anna.example", "1001").await;
    site.sells("b.example", "1002").await;
    site.ends_only("b.example", "1002").await;
    merge(&site, "1001", "1002").await.expect("merged");
    let moved = site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    assert_eq!(moved.ending, None, "it goes on under a number of the same customer");
    is_consistent(&site, &["1001", "1002"]).await;
    let out = Move { on: day(25), settled: settled(25), ..to("2001") };
    let moved = site.core.move_contract(&out).await.expect("moved");
    assert_eq!(moved.ending, customer(&site, "1002").await.ending);
    is_consistent(&site, &["1001", "1002"]).await;
    assert_eq!(days(&site, "1001").await, Some((Some(ENDED), Some(ENDED))));
    assert_eq!(days(&site, "2001").await, None);
}

#[tokio::test]
async fn as_many_numbers_as_are_let_in_fit_in_every_transaction() {
    let site = site().await;
    let number = |n: usize| format!("n{n}");
    let all: Vec<String> = (0..=MAX_NUMBERS).map(number).collect();
    for one in &all {
        site.sells(one, one).await;
        site.ends_only(one, one).await;
    }
    for one in &all[1..MAX_NUMBERS] {
        merge(&site, one, &all[0]).await.expect("merged");
    }
    let names: Vec<&str> = all[..MAX_NUMBERS].iter().map(String::as_str).collect();
    is_consistent(&site, &names).await;
    let one_more = merge(&site, &all[MAX_NUMBERS], &all[0]).await.err();
    assert!(matches!(&one_more, Some(CoreError::Precondition(why)) if why.contains("at most")), "{one_more:?}");
    // Each end is taken back by one sale of many addresses, and opens again.
    let start = gallra_coordinator::contracts::Start {
        service: id("large.example"),
        customer: id(&all[3]),
        addresses: (0..64).map(|n| id(&format!("info{n}@large.example"))).collect(),
        started: day(2),
        version: 0,
    };
    site.core.start_contract(&start).await.expect("sold");
    is_consistent(&site, &names).await;
    site.ends_only("large.example", &all[3]).await;
    is_consistent(&site, &names).await;
    site.core.resume_contract(&id("large.example"), 0).await.expect("resumed");
    is_consistent(&site, &names).await;
}

#[tokio::test]
async fn an_end_of_two_contracts_that_has_begun_is_made_no_later_by_a_merge() {
    let site = site().await;
    for (service, number) in [("a.example", "1001"), ("a2.example", "1001"), ("b.example", "1002")] {
        site.sells(service, number).await;
    }
    end(&site, "a.example", day(10)).await;
    site.ends_only("a2.example", "1001").await;
    settle(&site, "a.example", day(20)).await;
    let ending = customer(&site, "1001").await.ending.expect("its end, by itself");
    site.advance("2026-12-01T10:00:00Z").await;
    let erase = site.planned(&ending).await;
    site.ask(&erase.id()).await.expect("permitted");
    end(&site, "b.example", day(12)).await;
    let before = site.view(&ending).await.request;
    assert!(matches!(merge(&site, "1001", "1002").await.err(), Some(CoreError::Precondition(_))));
    assert!(matches!(merge(&site, "1002", "1001").await.err(), Some(CoreError::Precondition(_))));
    assert_eq!(site.view(&ending).await.request, before);
}
