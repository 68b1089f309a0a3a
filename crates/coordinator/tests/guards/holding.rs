//! What a hold says of itself, how it ends without anybody's word, and what goes on afterwards (I1).

use std::sync::Arc;

use gallra_coordinator::clock::Time;
use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::holds::Why;
use gallra_coordinator::{guards, leader, state};
use gallra_flow::clock::Standing;
use gallra_model::hold::{EXPIRY, Hold, Level, MAX_REVIEWS};
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::{JobState, Request, RequestState};
use gallra_model::{Day, RequestId};
use gallra_store::{Txn, keys};
use jiff::{SignedDuration, ToSpan};

use crate::site::{Leaving, Site, agent};

/// Rounds of an expiry against an asking.
const ROUNDS: u32 = 200;

fn of_customer(leaving: &Leaving) -> Level {
    Level::Customer { customer: leaving.contract.customer }
}

fn until(day: Day) -> Why<'static> {
    Why { ground: "a dispute", on: None, until: Some(day) }
}

async fn lies(site: &Site, hold: &Hold) -> bool {
    let (_, guard) = guards::one(&*site.core.store, &guards::key_of(&hold.level)).await.expect("reads");
    guard.holds.contains(&hold.id)
}

#[tokio::test]
async fn a_hold_ends_when_its_last_day_is_over_and_what_is_overdue_runs() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let last = Day::constant(2026, 4, 10);
    let hold = site.core.place_hold(of_customer(&leaving), until(last), None, "anna").await.expect("placed").hold;
    assert_eq!(site.ask(&leaving.erase.id()).await.err(), Some(Denial::Held), "before anybody has planned anew");
    // Until then it is planned like a duty to keep, and nothing is due.
    let held = site.planned(&leaving.request).await;
    assert_eq!(held.step.earliest, Some(Day::constant(2026, 4, 11)));
    let plan = site.view(&leaving.request).await.plan.expect("a plan");
    assert_eq!(plan.holds.iter().map(|held| (held.hold, held.expires)).collect::<Vec<_>>(), [(hold.id, Some(last))]);
    // Summer time: the day is over at ten in the evening, UTC.
    site.advance("2026-04-10T21:59:59.999Z").await;
    assert!(lies(&site, &hold).await);
    site.core.time.advance("2026-04-10T22:00:00Z".parse().expect("a literal")).expect("forward");
    let any = site.core.store.get(&keys::guard_any_hold()).await.expect("reads").expect("there").version;
    assert!(site.ask(&held.id()).await.is_err(), "until somebody has seen that the day is over");
    leader::run_due(&site.core).await.expect("a pass");
    assert!(!lies(&site, &hold).await);
    let told = site.core.store.get(&keys::guard_any_hold()).await.expect("reads").expect("there").version;
    assert_ne!(any, told, "suppression lists follow what lies by this key");
    let ended = site.core.list_holds(true).await.expect("reads").remove(0).released.expect("ended");
    assert_eq!((ended.by.as_str(), ended.reason.as_str()), (EXPIRY, "its last day, 2026-04-10, is over"));
    // Nobody has to approve or ask for anything: it is planned without the hold, and weeks late.
    let overdue = site.planned(&leaving.request).await;
    assert!(site.view(&leaving.request).await.plan.expect("a plan").holds.is_empty());
    site.ask(&overdue.id()).await.expect("permitted");
    assert_eq!(leader::run_due(&site.core).await.expect("a pass"), 0, "once");
}

#[tokio::test]
async fn placing_and_releasing_plan_anew_what_has_not_begun_and_leave_what_has() {
    let site = Site::new(&["www"]).await;
    let (waits, runs) = (site.leaves("a.example", "1").await, site.leaves("b.example", "2").await);
    site.ask(&runs.erase.id()).await.expect("permitted");
    let planned = async |leaving: &Leaving| {
        leader::run_due(&site.core).await.expect("a pass");
        let plan = site.view(&leaving.request).await.plan.expect("a plan");
        (plan.number, plan.holds.iter().map(|held| held.hold).collect::<Vec<_>>())
    };
    for (number, level) in (2..).step_by(2).zip([Level::Global, of_customer(&waits)]) {
        let hold = site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed").hold;
        assert_eq!(planned(&waits).await, (number, vec![hold.id]));
        let erase = site.planned(&waits.request).await;
        assert_eq!(site.ask(&erase.id()).await.err(), Some(Denial::Held), "a plan permits nothing under a hold");
        site.core.review_hold(&hold.id, "looked", Some(Day::constant(2026, 5, 1)), "bertil").await.expect("reviewed");
        site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
        assert_eq!(planned(&waits).await, (number + 1, vec![]));
        assert_eq!(planned(&runs).await, (1, vec![]), "what has begun keeps its plan");
    }
    let overdue = site.planned(&waits.request).await;
    site.ask(&overdue.id()).await.expect("what is overdue runs");
}

#[tokio::test]
async fn a_hold_that_was_released_before_its_last_day_does_not_end_again() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let why = until(Day::constant(2026, 4, 10));
    let hold = site.core.place_hold(of_customer(&leaving), why, None, "anna").await.expect("placed").hold;
    let own = site.core.release_hold(&hold.id, "mine", "anna").await.err();
    assert!(matches!(own, Some(CoreError::Precondition(_))), "a last day lets nobody release their own hold");
    let released = site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    site.advance("2026-05-01T10:00:00Z").await;
    assert_eq!(site.core.list_holds(true).await.expect("reads"), [released]);
    let left = keys::holds_expired(site.core.time.now());
    assert!(site.core.store.range(&left, 10).await.expect("reads").entries.is_empty(), "nothing is looked at again");
}

#[tokio::test]
async fn no_hold_ends_by_a_clock_that_is_doubted() {
    let mut site = Site::new(&["www"]).await;
    let now = site.core.time.now();
    Arc::get_mut(&mut site.core).expect("nobody else holds it").time = Time::watched(now).into();
    let leaving = site.leaves("anna.example", "1001").await;
    let why = until(Day::constant(2026, 4, 2));
    let hold = site.core.place_hold(of_customer(&leaving), why, None, "anna").await.expect("placed").hold;
    // Over by a clock that is believed; but before anybody looks it leaps again.
    let over = now + SignedDuration::from_hours(24 * 3);
    site.core.time.advance(over).expect("forward");
    site.core.time.heard(&agent(), Some(over));
    site.core.time.gone(&agent());
    assert_eq!(site.core.time.look().1, Standing::Trusted);
    let leapt = over + SignedDuration::from_hours(24 * 7);
    site.core.time.advance(leapt).expect("forward");
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(site.core.expire_holds().await.expect("a pass"), 0);
    assert!(lies(&site, &hold).await, "nobody knows what day it is");
    site.core.confirm_clock(leapt, "the machine was away", "anna").await.expect("the same");
    leader::run_due(&site.core).await.expect("a pass");
    assert!(!lies(&site, &hold).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_expiry_and_a_permit_the_permit_never_comes_first() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    let asking = site.asking(&leaving.erase.id()).await;
    let (mut permits, mut denials) = (0, 0);
    for round in 0..ROUNDS {
        let last = gallra_model::time::day_of(site.core.time.now()).checked_add(1.day()).expect("a day");
        let hold = site.core.place_hold(of_customer(&leaving), until(last), None, "anna").await.expect("placed").hold;
        let over = site.core.time.now() + SignedDuration::from_hours(48);
        site.core.time.advance(over).expect("forward");
        let (core, asking) = (Arc::clone(&site.core), asking.clone());
        let asked = tokio::spawn(async move {
            for _ in 0..round * 7 % 64 {
                tokio::task::yield_now().await;
            }
            core.ask(&asking).await.expect("an answer")
        });
        assert_eq!(site.core.expire_holds().await.expect("a pass"), 1);
        assert!(!lies(&site, &hold).await);
        match asked.await.expect("ends") {
            Ok(_) => {
                permits += 1;
                site.stopped(&leaving).await;
            }
            Err(denial) => {
                assert!(matches!(denial, Denial::Held | Denial::Raced), "{denial:?}");
                assert_eq!(site.job(&leaving).await.state, JobState::Ready);
                denials += 1;
            }
        }
    }
    assert!(permits > 0 && denials > 0, "no race: {permits} permits, {denials} denials");
}

#[tokio::test]
async fn a_ground_is_a_word_of_the_policy_or_none_and_a_last_day_lies_ahead() {
    let site = Site::new(&["www"]).await;
    let place = async |on, until| {
        let why = Why { ground: "an order", on, until };
        site.core.place_hold(Level::Global, why, None, "anna").await.map(|placed| placed.hold)
    };
    for word in ["legal-claim", "Preservation-Order", "dispute", ""] {
        let Err(CoreError::Invalid(text)) = place(Some(word), None).await else { panic!("{word} is taken") };
        assert!(text.contains("preservation-order"), "{text}");
    }
    assert_eq!(place(Some("preservation-order"), None).await.expect("taken").on.as_deref(), Some("preservation-order"));
    let today = Day::constant(2026, 4, 1);
    for past in [today, today.yesterday().expect("a day"), Day::constant(1, 1, 1)] {
        assert!(matches!(place(None, Some(past)).await, Err(CoreError::Invalid(_))), "{past}");
    }
    assert!(matches!(place(None, Some(Day::MAX)).await, Err(CoreError::Invalid(_))), "no instant ends that day");
    assert!(place(None, Some(Day::constant(2026, 4, 2))).await.is_ok());
    assert_eq!(site.core.list_holds(true).await.expect("reads").len(), 2, "what is refused leaves nothing");
}

#[tokio::test]
async fn a_review_is_due_on_its_day_and_stays_on_record() {
    let site = Site::new(&["www"]).await;
    let day = |day| Day::constant(2026, 4, day);
    let hold = site.core.place_hold(Level::Global, "a dispute", Some(day(5)), "anna").await.expect("placed").hold;
    site.core.place_hold(Level::Global, "another", None, "anna").await.expect("placed");
    let due = async || site.core.due_holds().await.expect("reads").len();
    site.advance("2026-04-04T21:59:59Z").await;
    assert_eq!(due().await, 0);
    site.advance("2026-04-04T22:00:00Z").await;
    assert_eq!(due().await, 1, "the 5th has begun in Stockholm");
    let (_, before) = guards::one(&*site.core.store, &keys::guard_global()).await.expect("reads");
    for (note, next) in [("", None), ("two\nlines", None), ("looked", Some(day(5)))] {
        let refused = site.core.review_hold(&hold.id, note, next, "bertil").await.err();
        assert!(matches!(refused, Some(CoreError::Invalid(_))), "{note:?} {next:?}");
    }
    let reviewed = site.core.review_hold(&hold.id, "still open", Some(day(20)), "bertil").await.expect("reviewed");
    let review = reviewed.reviews.first().expect("on record");
    assert_eq!((review.by.as_str(), review.note.as_str(), review.next), ("bertil", "still open", Some(day(20))));
    assert_eq!(due().await, 0);
    site.advance("2026-04-20T10:00:00Z").await;
    assert_eq!(due().await, 1);
    let (_, after) = guards::one(&*site.core.store, &keys::guard_global()).await.expect("reads");
    assert_eq!(before, after, "a review stops nothing and lets nothing go");
    for _ in 0..MAX_REVIEWS {
        site.core.review_hold(&hold.id, "looked", None, "bertil").await.expect("reviewed");
    }
    assert_eq!(due().await, 0, "no further one is planned");
    site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    let all = site.core.list_holds(true).await.expect("reads");
    let kept = all.iter().find(|one| one.id == hold.id).expect("on record");
    assert_eq!((kept.reviews.len(), kept.earlier_reviews), (MAX_REVIEWS, 1));
    let late = site.core.review_hold(&hold.id, "looked", None, "bertil").await.err();
    assert!(matches!(late, Some(CoreError::Precondition(_))));
}

/// Everything but the final proof is done, and a hold on everything keeps that back.
async fn only_held(site: &Site) -> (Leaving, Hold) {
    let leaving = site.leaves("anna.example", "1001").await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    site.report(&leaving.request, &leaving.erase.id(), Verdict::Done, None).await;
    let confirm = site.jobs(&leaving.request, Action::Confirm).await.remove(0).id();
    site.ask(&confirm).await.expect("permitted");
    site.report(&leaving.request, &confirm, Verdict::Done, None).await;
    site.advance("2026-04-01T10:20:00Z").await;
    let why = until(Day::constant(2026, 4, 2));
    let hold = site.core.place_hold(Level::Global, why, None, "anna").await.expect("placed").hold;
    let last = site.jobs(&leaving.request, Action::Confirm).await.pop().expect("a last look").id();
    site.ask(&last).await.expect("looking is never held");
    site.report(&leaving.request, &last, Verdict::Done, None).await;
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::AwaitingCopies);
    (leaving, hold)
}

/// Notes of holds whose requests are not all looked at.
async fn notes(site: &Site) -> usize {
    state::entries(&*site.core.store, &keys::hold_changes()).await.expect("reads").len()
}

#[tokio::test]
async fn the_leader_looks_at_every_request_page_by_page_and_goes_on_after_a_restart() {
    let site = Site::new(&["www"]).await;
    let (leaving, hold) = only_held(&site).await;
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(notes(&site).await, 0);
    // More requests than one page, all of them older than the one that waits.
    let request = site.view(&leaving.request).await.request;
    for number in 0_u16..600 {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let id = RequestId::from_bytes(id);
        let closed = Request { id, done: Some(request.received), ..request.clone() };
        let txn = Txn::new().create(keys::request(&id), encode(&closed).expect("encodes"));
        site.core.store.commit(txn).await.expect("commits");
    }
    site.core.release_hold(&hold.id, "settled", "bertil").await.expect("released");
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::AwaitingCopies);
    assert_eq!(site.core.follow_holds().await.expect("a page"), 1);
    assert_eq!((notes(&site).await, site.view(&leaving.request).await.request.done), (1, None), "the first page");
    let site = site.restarted().await;
    leader::run_due(&site.core).await.expect("a pass");
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Done);
    assert_eq!(notes(&site).await, 0);
}

#[tokio::test]
async fn a_final_proof_that_a_hold_kept_back_is_made_when_the_hold_expires() {
    let site = Site::new(&["www"]).await;
    let (leaving, _) = only_held(&site).await;
    // Looked at a minute before, so that nobody else looks at it for a day.
    site.advance("2026-04-02T21:59:00Z").await;
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::AwaitingCopies);
    site.advance("2026-04-02T22:00:00Z").await;
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Done);
}

#[tokio::test]
async fn a_policy_that_does_the_same_lets_a_plan_go_on_that_was_made_under_a_hold() {
    let site = Site::new(&["www", "shop"]).await;
    let leaving = site.leaves("a.example", "1").await;
    let shop = Level::Target { agent: agent(), target: "shop".parse().expect("a literal name") };
    site.core.place_hold(shop, until(Day::constant(2026, 5, 15)), None, "ada").await.expect("placed");
    leader::run_due(&site.core).await.expect("followed");
    site.inspects(&leaving.request).await;
    let erases = site.jobs(&leaving.request, Action::Erase).await;
    let www =
        erases.iter().find(|job| job.step.target.as_str() == "www" && job.plan.number == 2).expect("planned anew");
    site.ask(&www.id()).await.expect("permitted");
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Running);
    let same = site.policy(|text| text.replace("WebOne AB\"", "Another AB\""));
    site.core.apply_policy(same, None).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review, "the rules do the same, held or not");
    let longer = site.policy(|text| text.replacen("period = \"1 month\"", "period = \"2 months\"", 1));
    site.core.apply_policy_to(longer, None, true).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
}
