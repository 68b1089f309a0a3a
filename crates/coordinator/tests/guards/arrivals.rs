//! Versioned events in whatever order they arrive, doubled and late ones among them: contracts, dates and open requests are
//! the same in the end, and nothing of the customer's own is planned to change before the last contract has ended and all are
//! settled (I1, I6).

use std::collections::VecDeque;

use gallra_coordinator::contracts::End;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_model::Day;
use gallra_model::contract::{Contract, ContractState};
use gallra_model::permit::Denial;
use gallra_model::plan::Anchors;
use gallra_model::target::{Scope, TargetInfo};

use crate::site::{ENDED, Site, id, info};

/// Arrivals of each history that are tried.
const ARRIVALS: u64 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    End(i8),
    Settle(i8),
    Resume,
}

/// Which of the customer's contracts, the version, and what is said.
type Event = (usize, u64, Word);

/// One contract that is resumed and ends anew, and one that ends in between.
const TWICE: &[Event] = &[
    (0, 2, Word::End(10)),
    (0, 3, Word::Settle(12)),
    (1, 2, Word::End(15)),
    (0, 4, Word::Resume),
    (1, 3, Word::Settle(18)),
    (0, 5, Word::End(20)),
    (0, 6, Word::Settle(25)),
];
/// Three contracts, one of them corrected and unsettled in the end, one resumed and active.
const OPEN: &[Event] = &[
    (0, 2, Word::End(10)),
    (1, 2, Word::End(11)),
    (0, 3, Word::Settle(12)),
    (0, 4, Word::End(14)),
    (2, 2, Word::End(16)),
    (1, 3, Word::Settle(18)),
    (2, 3, Word::Resume),
];
/// All end, one is corrected after it was settled, and settled anew.
const CORRECTED: &[Event] = &[
    (0, 2, Word::End(10)),
    (0, 3, Word::Settle(12)),
    (1, 2, Word::End(13)),
    (0, 4, Word::End(17)),
    (1, 3, Word::Settle(19)),
    (0, 5, Word::Settle(20)),
];

fn day(day: i8) -> Day {
    Day::constant(2026, 1, day)
}

fn service(customer: &str, contract: usize) -> String {
    format!("{contract}.{customer}.example")
}

async fn tell(site: &Site, customer: &str, (contract, version, word): Event) -> Result<Contract, CoreError> {
    let service = id(&service(customer, contract));
    match word {
        Word::End(ended) => site.core.end_contract(&End { service, ended: day(ended), version, cause: None }).await,
        Word::Settle(settled) => site.core.settle_contract(&service, day(settled), version).await,
        Word::Resume => site.core.resume_contract(&service, version).await.map(|resumed| resumed.contract),
    }
}

/// What is the same whatever the order.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    contracts: Vec<(ContractState, Option<Day>, Option<Day>, u64)>,
    /// The dates of each contract's own open request.
    own: Vec<Option<(Option<Day>, Option<Day>)>>,
    /// The customer's dates, in however many open requests they are.
    customer: Vec<(Option<Day>, Option<Day>)>,
}

/// Looks at everything, and at what is planned for the customer's own target on the way.
async fn outcome(site: &Site, customer: &str, contracts: usize) -> Outcome {
    let mut found = Vec::new();
    for contract in 0..contracts {
        found.push(site.core.find_contract(&id(&service(customer, contract))).await.expect("known").1);
    }
    let (_, of) = site.core.find_customer(&id(customer)).await.expect("reads").expect("known");
    let mine = |request: &gallra_model::request::Request| {
        request.about.parties().is_some_and(|parties| parties.customer == of.id) && !request.facts.cancelled
    };
    let (mut own, mut customers, mut touched) = (vec![None; contracts], Vec::new(), 0);
    for request in site.core.open_requests(mine).await.expect("reads") {
        let view = site.view(&request).await;
        let Anchors { contract_ended, contract_settled, customer_ended, customer_settled, .. } = view.request.anchors;
        let at = found.iter().position(|contract| contract.request == Some(request));
        if let Some(own) = at.and_then(|at| own.get_mut(at)) {
            *own = Some((contract_ended, contract_settled));
        } else {
            assert_eq!((of.ending, contract_ended), (Some(request), None), "an open request that nobody knows");
        }
        if customer_ended.is_some() {
            customers.push((customer_ended, customer_settled));
        }
        let steps = view.plan.iter().flat_map(|plan| &plan.steps);
        touched += steps.filter(|step| step.target.as_str() == "register" && step.action.changes()).count();
    }
    let all = found.iter().all(|contract| contract.state == ContractState::Settled);
    assert_eq!(touched > 0, all, "the customer's own data: {found:?}");
    let contracts = found.into_iter().map(|one| (one.state, one.ended, one.settled, one.version)).collect();
    Outcome { contracts, own, customer: customers }
}

/// Tells events in this order, and again whatever is refused, like billing does. Gives what came of it.
async fn arrive(site: &Site, customer: &str, contracts: usize, events: &[Event]) -> Outcome {
    for contract in 0..contracts {
        site.sells(&service(customer, contract), customer).await;
    }
    let mut waiting: VecDeque<Event> = events.iter().copied().collect();
    let mut refused = 0;
    while refused < waiting.len() {
        let event = waiting.pop_front().expect("one");
        match tell(site, customer, event).await {
            Ok(_) => refused = 0,
            Err(CoreError::Precondition(_)) => {
                waiting.push_back(event);
                refused += 1;
            }
            Err(error) => panic!("{event:?}: {error}"),
        }
        leader::run_due(&site.core).await.expect("a pass");
        outcome(site, customer, contracts).await;
    }
    assert!(waiting.is_empty(), "told for ever, and never taken: {waiting:?}");
    outcome(site, customer, contracts).await
}

/// SplitMix64.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn shuffled(history: &[Event], seed: &mut u64) -> Vec<Event> {
    // Some of them twice.
    let mut events = history.to_vec();
    events.extend(history.iter().filter(|_| random(seed).is_multiple_of(3)));
    for at in (1..events.len()).rev() {
        let other = usize::try_from(random(seed) % (at as u64 + 1)).expect("small");
        events.swap(at, other);
    }
    events
}

/// A site whose agent has a place for the contract's data and one for the customer's own.
async fn site() -> Site {
    let site = Site::new(&[]).await;
    let register = TargetInfo {
        id: "register".parse().expect("a literal name"),
        category: "contact".parse().expect("a literal word"),
        scope: Scope::Customer,
        ..info("www")
    };
    site.reports(vec![info("www"), register]).await;
    site
}

async fn every_order_comes_to_the_same(contracts: usize, history: &[Event]) {
    let site = site().await;
    let in_order = arrive(&site, "in-order", contracts, history).await;
    let mut seed = 1;
    for number in 0..ARRIVALS {
        let events = shuffled(history, &mut seed);
        let customer = format!("c{number}");
        let arrived = arrive(&site, &customer, contracts, &events).await;
        assert_eq!(arrived, in_order, "{events:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_taken_back_and_came_again_is_the_same_in_every_order() {
    every_order_comes_to_the_same(2, TWICE).await;
}

#[tokio::test]
async fn an_unsettled_correction_and_a_resumption_are_the_same_in_every_order() {
    every_order_comes_to_the_same(3, OPEN).await;
}

#[tokio::test]
async fn a_correction_that_is_settled_anew_is_the_same_in_every_order() {
    every_order_comes_to_the_same(2, CORRECTED).await;
}

#[tokio::test]
async fn a_corrected_day_lets_nothing_be_erased_by_the_old_plan_or_signature_and_comes_too_late_after_the_first_permit()
{
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let job = leaving.erase.id();
    let version = leaving.contract.version;
    let end = |ended, version, cause| End { service: id("anna.example"), ended, version, cause };
    let asking = site.asking(&job).await;
    let february = Day::constant(2026, 2, 10);
    let corrected = site.core.end_contract(&end(february, version + 1, None)).await.expect("corrected");
    assert_eq!((corrected.state, corrected.ended, corrected.settled), (ContractState::Ended, Some(february), None));
    assert_eq!(corrected.request, Some(leaving.request));
    // Before the leader has made another plan.
    for answer in
        [site.core.ask(&asking).await.expect("an answer").err(), site.core.stopped(&job).await.expect("reads")]
    {
        assert!(matches!(answer, Some(Denial::Stale | Denial::NotApproved)), "{answer:?}");
    }
    let request = site.view(&leaving.request).await.request;
    assert_eq!((request.approvals.service, request.approvals.customer), (None, None), "signed for another last day");
    leader::run_due(&site.core).await.expect("planned anew");
    let waits = site.view(&leaving.request).await.plan.expect("a plan");
    assert!(waits.steps.iter().all(|step| !step.action.changes()), "unsettled: {waits:?}");
    // The day that was signed for, again, with the signature.
    let signed = site.cause("anna.example", "1001");
    site.core.end_contract(&end(ENDED, version + 2, Some(signed))).await.expect("corrected");
    site.core.settle_contract(&id("anna.example"), ENDED, version + 3).await.expect("settled");
    let again = site.planned(&leaving.request).await;
    site.ask(&again.id()).await.expect("permitted");
    let late = site.core.end_contract(&end(february, version + 4, None)).await.err();
    assert!(matches!(late, Some(CoreError::Precondition(_))), "{late:?}");
    let unchanged = site.core.find_contract(&id("anna.example")).await.expect("known").1;
    assert_eq!((unchanged.ended, unchanged.version), (Some(ENDED), version + 3), "what is refused is not remembered");
}
