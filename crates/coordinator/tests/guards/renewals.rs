//! The same stops, raced against the permit of an act that is under way and asks for another minute: either the minute was
//! given before the stop, or it is denied.

use std::sync::Arc;

use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::JobState;
use gallra_store::{Revision, keys};

use crate::race::{Offsets, Tally, race};
use crate::site::{Leaving, Site, id};
use crate::{FEW, levels};

/// A contract whose erasure is being carried out.
async fn acting(site: &Site, leaving: &Leaving) {
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let job = site.job(leaving).await;
    assert_eq!((job.state, job.renewals), (JobState::Begun, 0));
}

/// When the job's record, and when the newest of its guards was written, in the order of the store's commits.
async fn order(site: &Site, leaving: &Leaving) -> (Revision, Revision) {
    let version = async |key| site.core.store.get(&key).await.expect("reads").map(|entry| entry.version);
    let job = version(keys::job(&leaving.request, &leaving.erase.id())).await.expect("a job");
    let mut newest = Revision(0);
    for key in site.core.guards_of(&leaving.erase.id()).await.expect("reads").expect("a job") {
        newest = newest.max(version(key).await.unwrap_or_default());
    }
    (job, newest)
}

/// One round: the renewal, raced against a stop. Fails unless the two are in an order that both answers fit.
async fn round<S>(
    site: &Arc<Site>,
    leaving: &Leaving,
    (offsets, tally): (&mut Offsets, &mut Tally),
    stop: impl Future<Output = S>,
    denials: &[Denial],
) -> S {
    let before = site.job(leaving).await;
    let written = order(site, leaving).await.0;
    let asking = site.asking_on(&leaving.erase.id(), before.attempt).await;
    let (answer, stopped) = race(site, asking.clone(), offsets, tally, stop).await;
    let after = site.job(leaving).await;
    let (job, guard) = order(site, leaving).await;
    assert_eq!((after.state, after.attempt), (JobState::Begun, before.attempt), "it is the same attempt");
    match answer {
        Ok(_) => {
            assert_eq!(after.renewals, before.renewals + 1);
            assert!(job < guard, "another minute was given after the stop: {job} after {guard}");
        }
        Err(denial) => {
            assert!(denials.contains(&denial), "{denial:?}");
            assert_eq!((after.renewals, job), (before.renewals, written), "a denial leaves no trace");
        }
    }
    // Whoever was first: from here on there is no further minute.
    let next = site.core.ask(&asking).await.expect("an answer").expect_err("stopped");
    assert!(denials.contains(&next), "{next:?}");
    stopped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hold_and_another_minute_one_is_first_at_every_level() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    acting(&site, &leaving).await;
    let (mut offsets, mut tally) = (Offsets::new(500), Tally::default());
    for level in levels(&leaving) {
        for _ in 0..FEW / 3 {
            let place = site.core.place_hold(level.clone(), "a dispute", None, "anna");
            let at = (&mut offsets, &mut tally);
            let placed = round(&site, &leaving, at, place, &[Denial::Held]).await.expect("always taken");
            assert_eq!(placed.begun, 1, "its answer counts the act, whoever was first");
            site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
        }
    }
    tally.assert_both_orders(6 * (FEW / 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stop_and_another_minute_one_is_first() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    acting(&site, &leaving).await;
    let (mut offsets, mut tally) = (Offsets::new(600), Tally::default());
    for _ in 0..FEW {
        let stop = site.core.stop("a leak", "anna");
        let at = (&mut offsets, &mut tally);
        let halted = round(&site, &leaving, at, stop, &[Denial::Halted]).await.expect("always taken");
        assert_eq!(halted.begun, 1);
        site.core.start("found", "bertil").await.expect("started");
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_resumption_and_another_minute_one_is_first() {
    let site = Arc::new(Site::new(&["www"]).await);
    let mut leaving = site.leaves("anna.example", "1001").await;
    let (mut offsets, mut tally) = (Offsets::new(700), Tally::default());
    for _ in 0..FEW {
        acting(&site, &leaving).await;
        let service = id("anna.example");
        let resume = site.core.resume_contract(&service, 0);
        let at = (&mut offsets, &mut tally);
        let denials = [Denial::Cancelled, Denial::Stale];
        let resumed = round(&site, &leaving, at, resume, &denials).await.expect("always taken");
        assert!(resumed.begun);
        leaving = site.ends("anna.example", "1001").await;
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_policy_and_another_minute_one_is_first() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    acting(&site, &leaving).await;
    let (mut offsets, mut tally) = (Offsets::new(800), Tally::default());
    for round_number in 0..FEW {
        let policy = site.policy(|text| text.replace("WebOne AB\"", &format!("WebOne {round_number} AB\"")));
        let apply = site.core.apply_policy(policy.clone(), None);
        let at = (&mut offsets, &mut tally);
        let applied = round(&site, &leaving, at, apply, &[Denial::Stale]).await.expect("always taken");
        assert_eq!(applied.begun, 1);
        site.core.follow_policy().await.expect("looked at");
        assert_eq!(site.core.stopped(&leaving.erase.id()).await.expect("reads"), None);
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test]
async fn another_minute_is_for_the_attempt_that_has_begun_and_for_the_agent_that_carries_it_out() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let job = leaving.erase.id();
    let ask_on = async |attempt| {
        let asking = site.asking_on(&job, attempt).await;
        site.core.ask(&asking).await.expect("an answer")
    };
    assert_eq!(ask_on(1).await.err(), Some(Denial::Begun), "nothing has begun");
    acting(&site, &leaving).await;
    let envelope = ask_on(1).await.expect("another minute");
    let (permit, _) = gallra_proof::permit::open(&envelope, &site.core.permits.verifying()).expect("signed");
    assert_eq!((permit.job, permit.attempt), (job, 1));
    assert_eq!(ask_on(2).await.err(), Some(Denial::Begun), "another attempt");
    let mut foreign = site.asking_on(&job, 1).await;
    foreign.agent = "web2".parse().expect("a name");
    assert_eq!(site.core.ask(&foreign).await.expect("an answer").err(), Some(Denial::Foreign));
    let mut changed = site.asking_on(&job, 1).await;
    changed.spec = gallra_model::Digest::of(b"another offer");
    assert_eq!(site.core.ask(&changed).await.expect("an answer").err(), Some(Denial::Stale));
    site.stopped(&leaving).await;
    assert_eq!(ask_on(1).await.err(), Some(Denial::Begun), "its receipt is stored");
}

/// The coordinator was started anew, and has published nothing yet: what comes of an act that was permitted before is taken.
#[tokio::test]
async fn what_was_permitted_before_a_start_is_taken_before_the_log_goes_on() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let site = site.restarted().await;
    assert!(site.core.ledger.checkpoint().is_none(), "nothing is published before the first pass");
    site.report(&leaving.request, &leaving.erase.id(), Verdict::Done, None).await;
    assert_eq!(site.job(&leaving).await.state, JobState::Succeeded);
}
