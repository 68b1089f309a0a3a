//! A contract that goes on under another customer: what goes along and what stays, what is refused, and its races (I1, I6, I11).

use std::sync::Arc;

use gallra_coordinator::addresses::Told;
use gallra_coordinator::contracts::{End, Move, Moved};
use gallra_coordinator::error::CoreError;
use gallra_coordinator::{leader, state};
use gallra_model::contract::{Contract, ContractState, Customer};
use gallra_model::hold::Level;
use gallra_model::job::{Action, JobSpec};
use gallra_model::selector::{AddressUse, Selector};
use gallra_model::target::{Scope, TargetInfo, TargetKind};
use gallra_model::{Day, Instant, Nonce, RequestId};
use gallra_store::keys::{Family, What};
use gallra_store::{Txn, keys};

use crate::purge::{offer, signed, the_purge};
use crate::site::{ENDED, STARTED, Site, id, info};

/// The last day under the earlier customer.
pub(crate) const ON: Day = Day::constant(2026, 1, 20);
/// Where it is over in Stockholm.
pub(crate) const OVER: &str = "2026-01-20T23:00:00Z";
pub(crate) const FROM: &str = "2026-01-05T00:00:00Z";
pub(crate) const MINE: &str = "192.0.2.77";
/// Rounds of a race, each of a contract of its own.
const ROUNDS: u32 = 60;

pub(crate) fn to(customer: &str) -> Move {
    Move { service: id("anna.example"), customer: id(customer), on: ON, settled: None, version: 0 }
}

pub(crate) fn settled(day: i8) -> Option<Day> {
    Some(Day::constant(2026, 1, day))
}

/// A site with the service's data, its log, and a log of the customer's own, the two searched by addresses.
pub(crate) async fn site() -> Site {
    let site = Site::new(&[]).await;
    let log = |name: &str, category: &str, scope| TargetInfo {
        kind: TargetKind::AccessLog,
        category: category.parse().expect("a literal word"),
        scope,
        by_address: true,
        ..info(name)
    };
    let logins = log("logins", "access-logs", Scope::Customer);
    site.reports(vec![info("www"), log("portal", "customer-data", Scope::Contract), logins]).await;
    site.sells("anna.example", "1001").await;
    site
}

pub(crate) async fn known(site: &Site, service: &str) -> Contract {
    site.core.find_contract(&id(service)).await.expect("known").1
}

pub(crate) async fn customer(site: &Site, number: &str) -> Customer {
    site.core.find_customer(&id(number)).await.expect("reads").expect("known").1
}

pub(crate) async fn record(site: &Site, service: &str, from: &str) -> Result<(), CoreError> {
    let time = Some((from.parse().expect("a literal"), None));
    let told = Told { service: id(service), address: MINE.parse().expect("a literal"), time };
    site.core.record_address(&told).await.map(drop)
}

/// What the offer to erase a request's data in a target names; none where its plan does not touch the target.
pub(crate) async fn selector(site: &Site, request: &RequestId, target: &str) -> Option<Selector> {
    let jobs = site.jobs(request, Action::Erase).await;
    let job = jobs.iter().find(|job| job.step.target.as_str() == target)?;
    let offer = site.core.offer(&job.id()).await.expect("reads").expect("an offer");
    let spec: JobSpec = serde_json::from_str(&offer).expect("a job");
    Some(spec.selector)
}

fn anchors(view: &gallra_flow::view::View) -> (Option<Day>, Option<Day>, Option<Day>, Option<Day>) {
    let anchors = view.request.anchors;
    (anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled)
}

#[tokio::test]
async fn the_service_goes_along_and_what_is_the_customers_own_stays_with_its_end() {
    let site = site().await;
    record(&site, "anna.example", FROM).await.expect("taken");
    let before = known(&site, "anna.example").await;
    let Moved { contract, part, ending } = site.core.move_contract(&to("1002")).await.expect("moved");
    let ending = ending.expect("it was the last contract");
    assert_eq!((contract.id, contract.state), (before.id, ContractState::Active));
    assert_eq!(contract.customer, customer(&site, "1002").await.id);
    let part = part.expect("the time before");
    assert_eq!((part.customer, part.ended, part.settled), (before.customer, Some(ON), None));
    assert_eq!(
        anchors(&site.view(&ending).await),
        (None, None, Some(ON), None),
        "what was owed is open: nobody guesses"
    );
    leader::run_due(&site.core).await.expect("planned");
    assert_eq!(site.jobs(&ending, Action::Erase).await.len(), 0, "it waits for its settlement");
    // The same again, with the settlement; and once more.
    for _ in 0..2 {
        let again = Move { settled: settled(25), ..to("1002") };
        let moved = site.core.move_contract(&again).await.expect("settled");
        assert_eq!((moved.ending, moved.contract.customer), (Some(ending), contract.customer));
    }
    assert_eq!(anchors(&site.view(&ending).await), (None, None, Some(ON), settled(25)));
    // The new customer records what goes on, leaves too, and each request finds its own.
    record(&site, "anna.example", OVER).await.expect("the day after");
    let leaving = site.ends("anna.example", "1002").await;
    leader::run_due(&site.core).await.expect("planned");
    let from = |from: &str, until: &str| {
        let at = |text: &str| text.parse::<Instant>().expect("a literal");
        vec![AddressUse { address: MINE.parse().expect("a literal"), from: at(from), until: Some(at(until)) }]
    };
    let earlier = selector(&site, &ending, "logins").await.expect("the customer's own");
    assert_eq!((earlier.customer, earlier.service), (Some(id("1001")), None));
    assert_eq!(earlier.addresses, from(FROM, OVER));
    for target in ["www", "portal"] {
        assert!(selector(&site, &ending, target).await.is_none(), "{target} went along");
    }
    let hosted = selector(&site, &leaving.request, "portal").await.expect("the service's");
    assert_eq!((hosted.service, hosted.addresses), (Some(id("anna.example")), from(OVER, "2026-01-31T23:00:00Z")));
    let later = selector(&site, &leaving.request, "logins").await.expect("the new customer's own");
    assert_eq!((later.customer, later.addresses), (Some(id("1002")), from(OVER, "2026-01-31T23:00:00Z")));
}

#[tokio::test]
async fn a_customer_with_another_contract_stays_and_ends_when_all_is_settled() {
    let site = site().await;
    site.sells("second.example", "1001").await;
    let moved = site.core.move_contract(&to("1002")).await.expect("moved");
    assert_eq!(moved.ending, None);
    let end = End { service: id("second.example"), ended: ENDED, version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended");
    let own = site.core.settle_contract(&id("second.example"), ENDED, 0).await.expect("settled").request;
    let ending = customer(&site, "1001").await.ending.expect("its own end");
    assert_ne!(Some(ending), own, "the time before the move is not settled");
    assert_eq!(anchors(&site.view(&ending).await), (None, None, Some(ENDED), None));
    site.core.move_contract(&Move { settled: settled(25), ..to("1002") }).await.expect("settled");
    assert_eq!(anchors(&site.view(&ending).await), (None, None, Some(ENDED), Some(ENDED)));
    let owner = customer(&site, "1002").await;
    assert_eq!((owner.ending, owner.contracts), (None, vec![moved.contract.id]));
}

#[tokio::test]
async fn an_address_of_before_the_move_is_nobody_elses_until_that_customer_is_forgotten() {
    let site = site().await;
    record(&site, "anna.example", FROM).await.expect("taken");
    site.sells("cleo.example", "1003").await;
    let moved = site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let ending = moved.ending.expect("the last contract");
    let taken = async |service: &str, from: &str| match record(&site, service, from).await {
        Ok(()) => false,
        Err(CoreError::Precondition(_)) => true,
        Err(error) => panic!("{error}"),
    };
    for day in ["2026-04-02T10:00:00Z", "2026-05-10T10:00:00Z", "2026-06-15T10:00:00Z"] {
        site.advance(day).await;
        assert!(taken("anna.example", "2026-01-20T22:59:59Z").await, "{day}: not the contract's time any more");
        assert!(taken("cleo.example", FROM).await, "{day}: the lines of then are the earlier customer's");
    }
    record(&site, "cleo.example", OVER).await.expect("from the day after it is free");
    let withdrawn = Told { service: id("cleo.example"), address: MINE.parse().expect("a literal"), time: None };
    site.core.record_address(&withdrawn).await.expect("taken back");
    let forget = site.core.forget(&site.view(&ending).await, Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("commits");
    assert!(site.core.find_customer(&id("1001")).await.expect("reads").is_none());
    let index = site.core.store.range(&Family::Index.prefix().range(), 1_000).await.expect("reads").entries;
    // Cleo's own token is left, and nobody's who is forgotten.
    assert_eq!(index.iter().filter(|entry| entry.key.as_str().contains("/holder/")).count(), 1);
    assert_eq!(known(&site, "anna.example").await.id, moved.contract.id, "who has it now is known");
    record(&site, "cleo.example", FROM).await.expect("nobody's any more");
}

#[tokio::test]
async fn an_address_from_before_there_was_an_index_stays_with_the_earlier_customer_too() {
    let site = site().await;
    let contract = known(&site, "anna.example").await;
    let uses = vec![AddressUse {
        address: MINE.parse().expect("a literal"),
        from: FROM.parse().expect("a literal"),
        until: None,
    }];
    let salt = Nonce::from_bytes([6; 16]).to_string();
    let identity = serde_json::json!({ "service": "anna.example", "uses": uses, "salt": salt });
    let sealed = site.core.seal_more(Txn::new(), &contract.subject, What::Contract(contract.id), &identity).await;
    site.core.store.commit(sealed.expect("sealed")).await.expect("commits");
    let moved = site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let leaving = site.ends("anna.example", "1002").await;
    let of = async |request: &RequestId, target| selector(&site, request, target).await.expect("a job").addresses.len();
    assert_eq!(of(&moved.ending.expect("the last contract"), "logins").await, 1);
    assert_eq!((of(&leaving.request, "portal").await, of(&leaving.request, "logins").await), (0, 0));
}

#[tokio::test]
async fn no_move_takes_anything_out_of_a_hold() {
    let site = site().await;
    site.sells("bo.example", "1002").await;
    // A part of it was being erased once, and somebody holds what is left of that.
    let leaving = site.ends("anna.example", "1001").await;
    site.core.resume_contract(&id("anna.example"), 0).await.expect("resumed");
    let contract = known(&site, "anna.example").await;
    let levels = [
        Level::Contract { contract: contract.id },
        Level::Customer { customer: contract.customer },
        Level::Customer { customer: customer(&site, "1002").await.id },
        Level::Request { request: leaving.request },
    ];
    for level in levels {
        let hold = site.core.place_hold(level.clone(), "a dispute", None, "anna").await.expect("placed").hold;
        let refused = site.core.move_contract(&to("1002")).await.err();
        assert!(
            matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("hold")),
            "{level:?}: {refused:?}"
        );
        assert_eq!(known(&site, "anna.example").await, contract, "nothing changed");
        site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    }
    site.core.move_contract(&to("1002")).await.expect("moved");
}

#[tokio::test]
async fn what_is_unclear_is_refused_and_changes_nothing() {
    let site = site().await;
    site.sells("gone.example", "1009").await;
    let gone = site.ends("gone.example", "1009").await;
    site.ask(&gone.erase.id()).await.expect("permitted");
    let before = (known(&site, "anna.example").await, customer(&site, "1001").await);
    let later = Day::constant(2026, 4, 2);
    for (told, invalid) in [
        (to("1001"), true),
        (Move { on: STARTED.yesterday().expect("a day"), ..to("1002") }, true),
        (Move { settled: settled(19), ..to("1002") }, true),
        (Move { on: later, ..to("1002") }, false),
        (Move { settled: Some(later), ..to("1002") }, false),
        // Its own data is being erased.
        (to("1009"), false),
    ] {
        let refused = site.core.move_contract(&told).await.err();
        assert_eq!(matches!(refused, Some(CoreError::Invalid(_))), invalid, "{refused:?}");
        assert_eq!(matches!(refused, Some(CoreError::Precondition(_))), !invalid, "{refused:?}");
        assert_eq!((known(&site, "anna.example").await, customer(&site, "1001").await), before);
    }
    let unknown = Move { service: id("nobody.example"), ..to("1002") };
    assert!(matches!(site.core.move_contract(&unknown).await.err(), Some(CoreError::NotFound(_))));
    // An address that is on record from after the day: whose would it be?
    record(&site, "anna.example", OVER).await.expect("taken");
    assert!(matches!(site.core.move_contract(&to("1002")).await.err(), Some(CoreError::Precondition(_))));
    let withdrawn = Told { service: id("anna.example"), address: MINE.parse().expect("a literal"), time: None };
    site.core.record_address(&withdrawn).await.expect("taken back");
    site.core.move_contract(&to("1002")).await.expect("moved");
    // Moved on, while what the first customer owes is open.
    let on = Move { on: Day::constant(2026, 1, 25), ..to("1003") };
    assert!(matches!(site.core.move_contract(&on).await.err(), Some(CoreError::Precondition(_))));
    site.core.move_contract(&Move { settled: settled(22), ..to("1002") }).await.expect("settled");
    assert!(matches!(site.core.move_contract(&Move { on: ON, ..to("1003") }).await.err(), Some(CoreError::Invalid(_))));
    site.core.move_contract(&on).await.expect("moved on");
    let ends = End { service: id("anna.example"), ended: Day::constant(2026, 1, 25), version: 0, cause: None };
    assert!(matches!(site.core.end_contract(&ends).await.err(), Some(CoreError::Invalid(_))), "a day of another one's");
    let ended = site.ends("anna.example", "1003").await;
    let late = site.core.move_contract(&to("1004")).await.err();
    assert!(matches!(late, Some(CoreError::Precondition(_))), "{late:?}");
    assert!(site.view(&ended.request).await.request.anchors.customer_ended.is_some());
}

#[tokio::test]
async fn doubled_and_late_words_about_a_move_do_no_harm() {
    let site = site().await;
    let told = Move { version: 5, ..to("1002") };
    let moved = site.core.move_contract(&told).await.expect("moved");
    for version in [5, 4, 2] {
        let again = site.core.move_contract(&Move { version, ..to("1002") }).await.expect("answered");
        assert_eq!((again.contract, again.ending), (moved.contract.clone(), moved.ending));
    }
    let elsewhere = site.core.move_contract(&Move { version: 5, ..to("1003") }).await.expect("answered");
    assert_eq!(elsewhere.contract, moved.contract, "late: it is where it is");
    assert!(site.core.find_customer(&id("1003")).await.expect("reads").is_none());
    // An end and a resumption from before the move, under the earlier customer.
    let end = End { service: id("anna.example"), ended: Day::constant(2026, 1, 10), version: 3, cause: None };
    assert_eq!(site.core.end_contract(&end).await.expect("answered"), moved.contract);
    assert_eq!(site.core.resume_contract(&id("anna.example"), 4).await.expect("answered").contract, moved.contract);
    assert_eq!(site.core.open_requests(|_| true).await.expect("reads"), moved.ending.as_slice());
    let newer = End { ended: ENDED, version: 6, ..end };
    assert_eq!(site.core.end_contract(&newer).await.expect("ended").state, ContractState::Ended);
}

#[tokio::test]
async fn somebody_who_was_leaving_stays_when_a_contract_comes() {
    let site = site().await;
    site.sells("bo.example", "1002").await;
    let leaving = site.ends("bo.example", "1002").await;
    assert!(site.view(&leaving.request).await.request.anchors.customer_ended.is_some());
    site.core.move_contract(&to("1002")).await.expect("moved");
    assert!(site.view(&leaving.request).await.request.anchors.customer_ended.is_none());
    assert_eq!(customer(&site, "1002").await.ending, None);
}

#[tokio::test]
async fn lines_from_before_the_move_are_left_by_a_purge_while_the_earlier_customer_is_held() {
    let site = signed().await;
    site.reports(vec![TargetInfo { by_address: true, ..info("logs") }]).await;
    site.sells("second.example", "1001").await;
    record(&site, "anna.example", FROM).await.expect("taken");
    site.core.move_contract(&to("1002")).await.expect("moved");
    let (_, job) = the_purge(&site).await;
    let level = Level::Customer { customer: customer(&site, "1001").await.id };
    site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
    let preserve = offer(&site, &job).await.purge.expect("a purge").preserve;
    let of = preserve.iter().find(|one| one.service == Some(id("anna.example"))).expect("what it was known by then");
    let [used] = of.addresses.as_slice() else { panic!("{of:?}") };
    assert_eq!((used.address.to_string(), used.until), (MINE.to_owned(), Some(OVER.parse().expect("a literal"))));
}

#[tokio::test]
async fn a_move_that_ends_a_customer_counts_on_the_brake() {
    let site = Site::braked(&["www"], 1).await;
    for (service, customer) in [("anna.example", "1001"), ("bo.example", "1002"), ("bo2.example", "1002")] {
        site.sells(service, customer).await;
    }
    let halted = async || site.core.halted().await.expect("reads").halt.is_some();
    let of = |service: &str| Move { service: id(service), ..to("2001") };
    for (service, stops) in [("bo.example", false), ("bo2.example", false), ("anna.example", true)] {
        site.core.move_contract(&of(service)).await.expect("taken in all the same");
        assert_eq!(halted().await, stops, "{service}");
    }
}

/// After any race: every contract is in its own customer's list, and in no other's.
async fn is_consistent(site: &Site, numbers: &[&str]) {
    for number in numbers {
        let Some((_, customer)) = site.core.find_customer(&id(number)).await.expect("reads") else { continue };
        let mut active = false;
        for of in &customer.contracts {
            let entry = site.core.store.get(&keys::contract(of)).await.expect("reads").expect("there");
            let contract: Contract = serde_json::from_slice(&entry.value).expect("a contract");
            assert_eq!(contract.customer, customer.id);
            active |= contract.state == ContractState::Active;
        }
        assert_eq!(customer.ending.is_none(), active, "{number}: an end where nothing is active, and only there");
    }
    let all: Vec<Contract> = state::all(&*site.core.store, &keys::contracts(), "contract").await.expect("reads");
    let customers: Vec<Customer> = state::all(&*site.core.store, &keys::customers(), "customer").await.expect("reads");
    let listed: usize = customers.iter().map(|customer| customer.contracts.len()).sum();
    assert_eq!(listed, all.len(), "each in one list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_move_and_an_end_one_is_first_and_both_leave_a_whole_story() {
    let site = Arc::new(Site::new(&["www"]).await);
    let (mut moved, mut ended) = (0, 0);
    for round in 0..ROUNDS {
        let (service, from, to) = (format!("s{round}.example"), format!("a{round}"), format!("b{round}"));
        site.sells(&service, &from).await;
        let told = Move { service: id(&service), customer: id(&to), on: ON, settled: None, version: 0 };
        let (core, end) =
            (Arc::clone(&site.core), End { service: id(&service), ended: ENDED, version: 0, cause: None });
        let ends = tokio::spawn(async move {
            for _ in 0..round * 7 % 64 {
                tokio::task::yield_now().await;
            }
            core.end_contract(&end).await
        });
        let answer = site.core.move_contract(&told).await;
        let end = ends.await.expect("ends").expect("an end is always taken");
        let contract = known(&site, &service).await;
        match answer {
            Ok(_) => {
                moved += 1;
                assert_eq!(contract.customer, customer(&site, &to).await.id);
            }
            Err(CoreError::Precondition(_)) => {
                ended += 1;
                assert_eq!(contract.customer, customer(&site, &from).await.id);
            }
            Err(error) => panic!("{error}"),
        }
        let request = site.view(&end.request.expect("a request")).await.request;
        assert_eq!(request.about.parties().expect("an end").customer, contract.customer, "ended where it was then");
        is_consistent(&site, &[&from, &to]).await;
    }
    assert!(moved > 0 && ended > 0, "no race: {moved} moved first, {ended} ended first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_move_and_a_hold_one_is_first() {
    let site = Arc::new(Site::new(&["www"]).await);
    let (mut moved, mut held) = (0, 0);
    for round in 0..ROUNDS {
        let (service, from, to) = (format!("s{round}.example"), format!("a{round}"), format!("b{round}"));
        site.sells(&service, &from).await;
        site.sells(&format!("t{round}.example"), &to).await;
        let whose = if round % 2 == 0 { &from } else { &to };
        let level = Level::Customer { customer: customer(&site, whose).await.id };
        let told = Move { service: id(&service), customer: id(&to), on: ON, settled: None, version: 0 };
        let core = Arc::clone(&site.core);
        let places = tokio::spawn(async move {
            for _ in 0..round * 11 % 64 {
                tokio::task::yield_now().await;
            }
            core.place_hold(level, "a dispute", None, "anna").await
        });
        let answer = site.core.move_contract(&told).await;
        places.await.expect("ends").expect("a hold is always taken");
        match answer {
            // The hold came after: it lies on who the customer is now.
            Ok(_) => moved += 1,
            Err(CoreError::Precondition(_)) => {
                held += 1;
                assert_eq!(known(&site, &service).await.customer, customer(&site, &from).await.id);
            }
            Err(error) => panic!("{error}"),
        }
        is_consistent(&site, &[&from, &to]).await;
    }
    assert!(moved > 0 && held > 0, "no race: {moved} moved first, {held} held first");
}
