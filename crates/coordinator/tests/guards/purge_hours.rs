//! Promises in hours, and sweeps that come once a month, at the coordinator: one request a day whose runs come due one by one,
//! one statement, lateness within the hour, another policy version in the middle of the day, and what was missed is made up for.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use gallra_coordinator::leader;
use gallra_coordinator::policies::StoredPolicy;
use gallra_model::hold::Level;
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::{JobRecord, JobState, Request, RequestState};
use gallra_model::{Day, Instant, RequestId};
use jiff::ToSpan as _;

use crate::purge::{offer, purges};
use crate::site::{Site, id};

/// The shipped policy with a promise in hours about `ip`, and a monthly one about `network-logs`.
fn version(site: &Site, name: &str) -> StoredPolicy {
    site.policy(|text| {
        let text = text.replace("WebOne AB\"", &format!("{name}\""));
        format!(
            "{text}\n[[rule]]\nid = \"webone/ip\"\ncategory = \"ip\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"contract\"\n\
             cites = []\nsweep = \"hourly\"\ncount = [{{ from = \"record\", period = \"24 hours\" }}]\n\n[[rule]]\n\
             id = \"webone/net\"\ncategory = \"network-logs\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"contract\"\ncites = []\n\
             sweep = \"monthly\"\ncount = [{{ from = \"record\", period = \"1 month\", until = \"month-end\" }}]\n"
        )
    })
}

async fn apply(site: &Site, name: &str) {
    let policy = version(site, name);
    let digest = policy.parse().expect("in order").digest();
    site.core.apply_policy(policy, Some(&site.signed_purges(digest))).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
}

async fn signed(targets: &[&str]) -> Site {
    let site = Site::new(targets).await;
    apply(&site, "WebOne").await;
    site
}

async fn newest(site: &Site) -> Request {
    purges(site).await.pop().expect("a purge")
}

async fn runs(site: &Site, request: &RequestId) -> Vec<JobRecord> {
    site.jobs(request, Action::Purge).await
}

async fn ready(site: &Site, request: &RequestId) -> Vec<JobRecord> {
    runs(site, request).await.into_iter().filter(|job| job.state == JobState::Ready).collect()
}

/// The agent does everything that is due.
async fn work(site: &Site, request: &RequestId) {
    for job in ready(site, request).await {
        site.ask(&job.id()).await.expect("permitted");
        site.report(request, &job.id(), Verdict::Done, None).await;
    }
}

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

#[tokio::test]
async fn a_day_in_hours_is_one_request_with_a_run_an_hour_and_one_statement() {
    let site = signed(&["ip", "logs"]).await;
    let purge = newest(&site).await;
    // Noon in Stockholm: of the hours so far the last takes all.
    let hours: Vec<_> =
        runs(&site, &purge.id).await.into_iter().filter(|job| job.step.target.as_str() == "ip").collect();
    assert_eq!((hours.len(), hours[0].step.due), (15, at("2026-04-01T10:00:00Z")));
    assert_eq!(hours[0].step.older_than, Some(at("2026-03-31T11:00:00Z")));
    let last = hours[14].step.due;
    assert_eq!(last, at("2026-04-02T00:00:00Z"));
    assert_eq!(ready(&site, &purge.id).await.len(), 2, "the log's, and this hour's");
    assert_eq!(site.ask(&hours[1].id()).await.err(), Some(Denial::NotDue));
    work(&site, &purge.id).await;
    let mut now = at("2026-04-01T10:00:00Z");
    while now < last {
        assert_eq!(site.view(&purge.id).await.request.state, RequestState::Running);
        assert!(site.core.proofs(&purge.id).await.expect("reads").is_empty(), "not before all of it is done");
        now += 1.hour();
        site.advance(&now.to_string()).await;
        assert_eq!(ready(&site, &purge.id).await.len(), 1, "{now}");
        work(&site, &purge.id).await;
        assert!(!site.view(&purge.id).await.request.facts.overdue, "{now}");
    }
    let done = site.view(&purge.id).await.request;
    assert_eq!((done.state, done.proofs), (RequestState::Done, 1));
    let proof = site.core.proofs(&purge.id).await.expect("reads").remove(0);
    let key = gallra_verify::Trust::parse(&site.core.issuer.now().public_pem()).expect("a key");
    let verdict = gallra_verify::verify(&site.file(&purge.id, &proof).await, &key, &gallra_verify::Question::default());
    assert_eq!(verdict.conclusion(), "VALID final");
    site.advance("2026-04-02T01:00:00Z").await;
    let next = newest(&site).await;
    assert_eq!((purges(&site).await.len(), next.about.purge_day()), (2, Some(Day::constant(2026, 4, 2))));
    assert_eq!(next.about.purge_since(), Some(Day::constant(2026, 4, 2)), "all before is done");
    let first = runs(&site, &next.id).await.remove(0);
    assert_eq!(first.step.older_than, Some(at("2026-04-01T02:00:00Z")), "an hour after the last");
}

#[tokio::test]
async fn an_hour_that_is_missed_shows_within_the_next_and_the_day_after_takes_it_over() {
    let site = signed(&["ip"]).await;
    let purge = newest(&site).await;
    assert!(!site.view(&purge.id).await.request.facts.overdue);
    site.advance("2026-04-01T11:00:00Z").await;
    assert!(site.view(&purge.id).await.request.facts.overdue, "the next sweep has come");
    work(&site, &purge.id).await;
    assert!(!site.view(&purge.id).await.request.facts.overdue, "made up for");
    site.advance("2026-04-02T00:59:00Z").await;
    assert!(site.view(&purge.id).await.request.facts.overdue);
    site.advance("2026-04-02T01:00:00Z").await;
    let closed = site.view(&purge.id).await.request;
    assert!(closed.facts.cancelled && closed.proofs == 1, "one statement, and it says what is missing");
    let next = newest(&site).await;
    let late = runs(&site, &purge.id).await.iter().filter_map(|job| job.step.older_than).max();
    let first = runs(&site, &next.id).await.remove(0);
    assert_eq!(first.state, JobState::Ready);
    assert!(first.step.older_than > late, "its first run takes all that was left");
}

#[tokio::test]
async fn another_policy_version_in_the_middle_of_the_day_opens_the_rest_of_it_anew() {
    let site = signed(&["ip"]).await;
    let first = newest(&site).await;
    work(&site, &first.id).await;
    site.advance("2026-04-01T11:30:00Z").await;
    apply(&site, "WebOne 2").await;
    let closed = site.view(&first.id).await.request;
    assert!(closed.facts.cancelled && closed.proofs == 1);
    let second = newest(&site).await;
    assert_eq!((purges(&site).await.len(), second.about.purge_day()), (2, first.about.purge_day()));
    let left = runs(&site, &second.id).await;
    assert_eq!((left.len(), left[0].step.older_than), (14, Some(at("2026-03-31T12:00:00Z"))));
    work(&site, &second.id).await;
    assert_eq!(runs(&site, &second.id).await[0].state, JobState::Succeeded, "it goes on at once");
    // And again: each version once, however often somebody looks.
    leader::run_due(&site.core).await.expect("looked");
    assert_eq!(purges(&site).await.len(), 2);
    // Unsigned, nothing goes on, and it is said.
    site.advance("2026-04-01T11:45:00Z").await;
    site.core.apply_policy(version(&site, "WebOne 3"), None).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    let third = newest(&site).await;
    assert_ne!(third.id, second.id);
    assert!(site.view(&third.id).await.request.facts.needs_approval);
    site.advance("2026-04-01T13:00:00Z").await;
    assert!(ready(&site, &third.id).await.is_empty());
}

#[tokio::test]
async fn whoever_is_held_between_two_hours_is_named_in_the_later_ones() {
    let site = signed(&["ip"]).await;
    site.sells("anna.example", "1001").await;
    let purge = newest(&site).await;
    work(&site, &purge.id).await;
    let (_, contract) = site.core.find_contract(&id("anna.example")).await.expect("sold");
    let level = Level::Customer { customer: contract.customer };
    site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
    site.advance("2026-04-01T11:00:00Z").await;
    let job = ready(&site, &purge.id).await.remove(0);
    assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 1);
}

#[tokio::test]
async fn a_monthly_sweep_that_was_missed_is_made_up_for_and_then_rests() {
    let site = signed(&["net"]).await;
    let first = newest(&site).await;
    assert_eq!(runs(&site, &first.id).await.len(), 1, "the first of April");
    site.advance("2026-04-02T10:00:00Z").await;
    let second = newest(&site).await;
    let job = runs(&site, &second.id).await.remove(0);
    assert_eq!(second.about.purge_since(), None, "nobody knows what was done before the first");
    assert_eq!(job.step.older_than, Some(at("2026-03-31T22:00:00Z")), "all of March, as on the first");
    work(&site, &second.id).await;
    assert_eq!(site.view(&second.id).await.request.state, RequestState::Done);
    for day in ["2026-04-03T10:00:00Z", "2026-04-30T10:00:00Z"] {
        site.advance(day).await;
        assert_eq!(purges(&site).await.len(), 2, "no sweep, no request: {day}");
    }
    site.advance("2026-05-02T10:00:00Z").await;
    let third = newest(&site).await;
    assert_eq!(third.about.purge_since(), Some(Day::constant(2026, 4, 3)));
    assert_eq!(runs(&site, &third.id).await.len(), 1, "nobody looked on the first of May");
}

#[tokio::test]
async fn what_was_done_under_another_version_is_not_taken_for_done() {
    let site = signed(&["net"]).await;
    let first = newest(&site).await;
    work(&site, &first.id).await;
    site.advance("2026-04-02T10:00:00Z").await;
    assert_eq!(purges(&site).await.len(), 1, "the month's is done");
    apply(&site, "WebOne 2").await;
    site.advance("2026-04-03T10:00:00Z").await;
    let second = newest(&site).await;
    assert_eq!((purges(&site).await.len(), second.about.purge_since()), (2, None), "nobody can say");
    work(&site, &second.id).await;
    site.advance("2026-04-04T10:00:00Z").await;
    assert_eq!(purges(&site).await.len(), 2, "once");
}

#[tokio::test]
async fn a_promise_that_nothing_carries_out_shows_on_the_request_every_day() {
    let site = signed(&["chat", "logs"]).await;
    for day in ["2026-04-01T10:00:01Z", "2026-04-02T10:00:00Z"] {
        site.advance(day).await;
        let purge = newest(&site).await;
        let view = site.view(&purge.id).await;
        assert!(view.request.facts.unmet);
        assert!(view.plan.expect("a plan").notes[0].text.contains("agent.toml has no youngest_purge_age"));
        work(&site, &purge.id).await;
        assert_ne!(site.view(&purge.id).await.request.state, RequestState::Done, "it stays open");
    }
    let met = signed(&["logs"]).await;
    let purge = newest(&met).await;
    assert!(!met.view(&purge.id).await.request.facts.unmet);
}
