//! What each stop covers, who may lift it, and what goes on afterwards.

use gallra_coordinator::error::CoreError;
use gallra_coordinator::{guards, leader};
use gallra_flow::remains::{Reached, Remains};
use gallra_flow::request::Input;
use gallra_model::contract::ContractState;
use gallra_model::hold::Level;
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::{JobState, RequestState};
use gallra_store::keys;

use crate::site::{ENDED, Leaving, Site, agent, id};

fn target(name: &str) -> Level {
    Level::Target { agent: agent(), target: name.parse().expect("a literal name") }
}

#[tokio::test]
async fn a_hold_on_one_target_leaves_the_others_of_the_request_alone() {
    let site = Site::new(&["www", "old"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let placed = site.core.place_hold(target("www"), "a dispute", None, "anna").await.expect("placed");
    let erases = site.jobs(&leaving.request, Action::Erase).await;
    assert_eq!(erases.len(), 2);
    for job in &erases {
        let expected = (job.step.target.as_str() == "www").then_some(Denial::Held);
        assert_eq!(site.ask(&job.id()).await.err(), expected);
    }
    let stored = site.view(&leaving.request).await.request;
    assert!(!stored.facts.held, "the guards alone remember a hold");
    let moved = site.core.move_request(&leaving.request, &Input::Tick).await.expect("moves");
    assert!(moved.request.facts.held, "whoever reads the request sees it");
    site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
    let held = erases.iter().find(|job| job.step.target.as_str() == "www").expect("a job");
    site.ask(&held.id()).await.expect("permitted again");
}

#[tokio::test]
async fn a_hold_is_released_once_and_by_somebody_else_and_covers_something() {
    let site = Site::new(&["www"]).await;
    let missing = site.core.place_hold(target("wwww"), "a dispute", None, "anna").await.err();
    assert!(matches!(missing, Some(CoreError::NotFound(_))), "a hold on nothing would protect nothing");
    for ground in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let refused = site.core.place_hold(target("www"), ground, None, "anna").await.err();
        assert!(matches!(refused, Some(CoreError::Invalid(_))));
    }
    let hold = site.core.place_hold(target("www"), "a dispute", None, "anna").await.expect("placed").hold;
    let own = site.core.release_hold(&hold.id, "mine", "anna").await.err();
    assert!(matches!(own, Some(CoreError::Precondition(_))), "who placed it does not release it");
    let first = site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    let again = site.core.release_hold(&hold.id, "other words", "cecilia").await.expect("answered");
    assert_eq!(first, again);
    assert!(site.core.list_holds(false).await.expect("reads").is_empty());
    assert_eq!(site.core.list_holds(true).await.expect("reads"), [first]);
}

#[tokio::test]
async fn a_resumption_says_what_is_gone_what_was_saved_and_what_is_still_under_way() {
    let site = Site::new(&["mail", "old", "www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let erases = site.jobs(&leaving.request, Action::Erase).await;
    let of = |name: &str| erases.iter().find(|job| job.step.target.as_str() == name).expect("a job").id();
    site.ask(&of("mail")).await.expect("permitted");
    site.report(&leaving.request, &of("mail"), Verdict::Done, None).await;
    site.ask(&of("www")).await.expect("permitted");
    let said = async |version| {
        let resumed = site.core.resume_contract(&id("anna.example"), version).await.expect("resumed");
        let one = |(request, one): &(_, Remains)| {
            assert_eq!(*request, leaving.request);
            (one.target.to_string(), one.reached, one.counts.erased)
        };
        resumed.remains.iter().map(one).collect::<Vec<_>>()
    };
    let row = |target: &str, reached, erased| (target.to_owned(), reached, erased);
    let (gone, saved) = (row("mail", Reached::Done, 1), row("old", Reached::Untouched, 0));
    let first = said(0).await;
    assert_eq!(first, [gone.clone(), saved.clone(), row("www", Reached::UnderWay, 0)]);
    site.report(&leaving.request, &of("www"), Verdict::Unknown, Some(Code::Interrupted)).await;
    leader::run_due(&site.core).await.expect("moved");
    // The same again, when the receipt is there.
    assert_eq!(said(0).await, [gone, saved, row("www", Reached::Unknown, 0)]);
}

/// Lets the agent erase and confirm, until only what a last look finds is missing.
async fn erased(site: &Site, leaving: &Leaving) {
    site.ask(&leaving.erase.id()).await.expect("permitted");
    site.report(&leaving.request, &leaving.erase.id(), Verdict::Done, None).await;
    let confirm = site.jobs(&leaving.request, Action::Confirm).await.remove(0).id();
    site.ask(&confirm).await.expect("permitted");
    site.report(&leaving.request, &confirm, Verdict::Done, None).await;
    site.advance("2026-04-01T10:20:00Z").await;
}

async fn last_look(site: &Site, leaving: &Leaving) {
    let last = site.jobs(&leaving.request, Action::Confirm).await.pop().expect("a last look").id();
    site.ask(&last).await.expect("looking is never held");
    site.report(&leaving.request, &last, Verdict::Done, None).await;
}

#[tokio::test]
async fn no_proof_is_final_while_a_hold_lies_and_one_is_at_once_when_it_is_released() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    erased(&site, &leaving).await;
    let customer = Level::Customer { customer: leaving.contract.customer };
    let hold = site.core.place_hold(customer, "a dispute", None, "anna").await.expect("placed").hold;
    last_look(&site, &leaving).await;
    let held = site.view(&leaving.request).await.request;
    assert_eq!(held.state, RequestState::AwaitingCopies, "nothing but the hold is open");
    site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Done);
}

#[tokio::test]
async fn without_a_hold_the_same_proof_is_final() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    erased(&site, &leaving).await;
    last_look(&site, &leaving).await;
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Done);
    let late = site.core.resume_contract(&id("anna.example"), 0).await.err();
    assert!(matches!(late, Some(CoreError::NotFound(_))), "what is erased and forgotten is not resumed");
}

#[tokio::test]
async fn the_brake_pulls_the_stop_with_the_end_that_is_one_too_many() {
    let site = Site::braked(&["www"], 2).await;
    let halt = async || site.core.halted().await.expect("reads").halt;
    let job = site.leaves("a.example", "1").await.erase.id();
    site.leaves("b.example", "2").await;
    assert_eq!(halt().await, None);
    let third = site.leaves("c.example", "3").await;
    assert_eq!(halt().await.expect("pulled").by, "brake");
    assert_eq!(third.contract.state, ContractState::Settled, "the end is taken in all the same");
    assert_eq!(site.ask(&job).await.err(), Some(Denial::Halted));
    let (_, before) = guards::one(&*site.core.store, &keys::guard_global()).await.expect("reads");
    site.leaves("d.example", "4").await;
    let (_, after) = guards::one(&*site.core.store, &keys::guard_global()).await.expect("reads");
    assert_eq!(before, after, "once is enough");
    site.core.start("a sale of the company", "bertil").await.expect("started");
    site.ask(&job).await.expect("permitted again");
    site.leaves("e.example", "5").await;
    site.leaves("f.example", "6").await;
    assert_eq!(halt().await, None, "counted anew");
    site.leaves("g.example", "7").await;
    assert!(halt().await.is_some());
    site.core.start("looked at", "bertil").await.expect("started");
    site.leaves("h.example", "8").await;
    site.advance("2026-04-02T10:00:00Z").await;
    site.leaves("i.example", "9").await;
    site.leaves("j.example", "10").await;
    assert_eq!(halt().await, None, "each day has a count of its own");
}

#[tokio::test]
async fn a_resumption_is_answered_twice_alike_and_a_late_end_does_no_harm() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let version = leaving.contract.version;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let first = site.core.resume_contract(&id("anna.example"), version + 1).await.expect("resumed");
    let again = site.core.resume_contract(&id("anna.example"), version + 1).await.expect("answered");
    assert_eq!((&first.contract, first.begun), (&again.contract, true));
    assert!(again.begun && again.contract.state == ContractState::Active);
    let late = site.core.settle_contract(&id("anna.example"), ENDED, version).await.expect("answered");
    assert_eq!(late, first.contract);
    // The act stops, and then the request rests for good.
    site.stopped(&leaving).await;
    leader::run_due(&site.core).await.expect("moved");
    let view = site.view(&leaving.request).await;
    assert!(view.request.facts.cancelled && view.request.wake.is_none() && view.request.done.is_none());
    let over = |job: &JobState| matches!(job, JobState::Succeeded | JobState::Dropped);
    assert!(view.jobs.iter().all(|job| over(&job.state)));
    let anew = site.ends("anna.example", "1001").await;
    assert_ne!(anew.request, leaving.request);
    site.ask(&anew.erase.id()).await.expect("a new end is a new request");
}

#[tokio::test]
async fn a_resumption_takes_the_customers_end_back_from_another_contracts_request() {
    let site = Site::new(&["www"]).await;
    site.sells("first.example", "1001").await;
    site.sells("second.example", "1001").await;
    let first = site.ends("first.example", "1001").await;
    let second = site.ends("second.example", "1001").await;
    assert!(
        site.view(&second.request).await.request.anchors.customer_ended.is_some(),
        "the last end is the customer's"
    );
    site.ask(&second.erase.id()).await.expect("permitted");
    let resumed = site.core.resume_contract(&id("first.example"), 0).await.expect("resumed");
    assert_eq!(resumed.contract.cancelled, [first.request, second.request]);
    assert!(resumed.begun);
    let (_, other) = site.core.find_contract(&id("second.example")).await.expect("known");
    let successor = other.request.expect("a request of its own");
    assert_ne!(successor, second.request);
    let anchors = site.view(&successor).await.request.anchors;
    assert!(anchors.customer_ended.is_none() && anchors.contract_settled.is_some());
}

#[tokio::test]
async fn another_policy_replans_what_has_not_begun_and_stops_what_has() {
    let site = Site::new(&["www"]).await;
    let (waits, runs) = (site.leaves("a.example", "1").await, site.leaves("b.example", "2").await);
    site.ask(&runs.erase.id()).await.expect("permitted");
    let longer = site.policy(|text| text.replacen("period = \"1 month\"", "period = \"2 months\"", 1));
    let applied = site.core.apply_policy_to(longer.clone(), None, true).await.expect("in order");
    assert_eq!(applied.begun, 1);
    assert_eq!(site.core.stopped(&runs.erase.id()).await.expect("reads"), Some(Denial::Stale));
    leader::run_due(&site.core).await.expect("followed");
    let plan = site.view(&waits.request).await.plan.expect("a plan");
    assert_eq!((plan.number, plan.policy), (2, applied.policy.digest()));
    let stopped = site.view(&runs.request).await;
    assert!(stopped.request.facts.legal_review && stopped.plan.is_some_and(|plan| plan.number == 1));
    site.stopped(&runs).await;
    assert_eq!(site.ask(&runs.erase.id()).await.err(), Some(Denial::Stale));
    // The old rules again: the plan is right again.
    site.core.apply_policy(site.policy(str::to_owned), None).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(!site.view(&runs.request).await.request.facts.legal_review);
    site.ask(&runs.erase.id()).await.expect("permitted again");
}

#[tokio::test]
async fn an_applied_policy_holds_after_a_restart() {
    let site = Site::new(&["www"]).await;
    let policy = site.policy(|text| text.replace("WebOne AB\"", "Another AB\""));
    let digest = site.core.apply_policy(policy.clone(), None).await.expect("in order").policy.digest();
    let site = site.restarted().await;
    assert_eq!(site.core.policy().await.expect("reads").digest(), digest);
    let broken = site.policy(|_| "not a pack".to_owned());
    assert!(matches!(site.core.apply_policy(broken.clone(), None).await.err(), Some(CoreError::Invalid(_))));
    assert_eq!(site.core.policy().await.expect("reads").digest(), digest, "what is refused changes nothing");
}

#[tokio::test]
async fn an_order_tells_the_present_state_and_grows_with_each_stop_and_start() {
    let site = Site::new(&["www"]).await;
    assert!(site.core.order().await.expect("reads").is_none(), "nothing to say before the first");
    let key = site.core.permits.verifying();
    let order = async || {
        let (count, envelope) = site.core.order().await.expect("reads").expect("an order");
        let (order, _) = gallra_proof::order::open(&envelope, &key).expect("signed with the permit key");
        assert_eq!(count, order.sequence);
        order
    };
    site.core.stop("a leak", "anna").await.expect("stopped");
    let stop = order().await;
    site.core.start("found", "bertil").await.expect("started");
    let start = order().await;
    assert!(stop.halted && !start.halted && start.is_newer_than(&stop));
    assert_eq!(site.core.halted().await.expect("reads").untold, [agent()], "no stream is open");
}

#[tokio::test]
async fn a_window_that_a_new_policy_moves_is_another_plan() {
    let site = Site::new(&["www"]).await;
    let later = |text: &str| text.replacen("period = \"1 month\"", "period = \"3 months\"", 1);
    site.core.apply_policy_to(site.policy(later), None, true).await.expect("in order");
    let leaving = site.leaves("anna.example", "1001").await;
    let due = async || {
        let plan = site.view(&leaving.request).await.plan.expect("a plan");
        let erase = plan.steps.into_iter().find(|step| step.action == Action::Erase).expect("it is erased");
        (plan.number, erase.due.to_string())
    };
    let (number, before) = due().await;
    assert_eq!(before, "2026-04-30T20:00:00Z");
    let moved = site.policy(|text| later(text).replace("opens = \"22:00\"", "opens = \"23:00\""));
    site.core.apply_policy_to(moved, None, true).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert_eq!(
        due().await,
        (number + 1, "2026-04-30T21:00:00Z".to_owned()),
        "not before the window that holds now opens"
    );
}
