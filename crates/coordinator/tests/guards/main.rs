//! Whatever stops an act, raced against the permit for it, on a real store and through the coordinator's real paths
//! (decision 3, I1): each round has exactly one winner, the loser is told so, and both are on record.

mod addresses;
mod archived;
mod arrivals;
mod claims;
mod holders;
mod holding;
mod identifiers;
mod instructed;
mod instructions;
mod leaking;
mod leaps;
mod merged;
mod merging;
mod merging_races;
mod moved_on;
mod moving;
mod purge;
mod purge_days;
mod purge_hours;
mod race;
mod renewals;
mod restores;
mod rules;
mod seen;
#[allow(dead_code, reason = "each test program uses its own part of it")]
mod site;
mod suppression;
mod together;
mod told_again;
mod unsettled;
mod versions;

use std::sync::Arc;

use gallra_coordinator::guards;
use gallra_model::hold::{Hold, Level};
use gallra_model::permit::Denial;
use gallra_model::request::JobState;

use race::{Offsets, Tally, race};
use site::{Leaving, Site, id};

/// Rounds of the great race, and how many contracts share them: a receipt is looked at beside all that its request has.
const ROUNDS: u32 = 10_000;
const LANES: u32 = 40;
/// Rounds of every other race.
const FEW: u32 = 300;
/// What a hold can lie on.
const LEVELS: usize = 6;

/// Rounds of one hold, placed and released, against the asking of one job.
async fn hold_rounds(site: &Arc<Site>, leaving: &Leaving, level: &Level, rounds: u32, seed: u64) -> Tally {
    let (mut offsets, mut tally) = (Offsets::new(seed), Tally::default());
    let (job, asking) = (leaving.erase.id(), site.asking(&leaving.erase.id()).await);
    for round in 0..rounds {
        let before = site.job(leaving).await;
        assert_eq!(before.state, JobState::Ready);
        let place = site.core.place_hold(level.clone(), "a dispute", None, "anna");
        let (answer, placed) = race(site, asking.clone(), &mut offsets, &mut tally, place).await;
        let placed = placed.expect("a hold is always taken");
        let after = site.job(leaving).await;
        // Exactly one winner, told to both: the hold's answer counts the permit, or the asking is denied.
        match answer {
            Ok(_) => assert_eq!((placed.begun, after.state, after.attempt), (1, JobState::Begun, before.attempt + 1)),
            Err(denial) => {
                assert!(matches!(denial, Denial::Held | Denial::Raced), "{denial:?}");
                assert_eq!((placed.begun, after.state, after.attempt), (0, JobState::Ready, before.attempt));
            }
        }
        // The hold is on record whoever was first, and from here on nothing is permitted.
        assert!(lies(site, &placed.hold).await);
        if round % 16 == 0 {
            assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::Held));
            assert_eq!(site.core.ask(&asking).await.expect("an answer").expect_err("held"), Denial::Held);
        }
        let released = site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
        assert!(released.released.is_some() && !lies(site, &placed.hold).await);
        if after.state == JobState::Begun {
            site.stopped(leaving).await;
        }
    }
    tally
}

async fn lies(site: &Site, hold: &Hold) -> bool {
    let (_, guard) = guards::one(&*site.core.store, &guards::key_of(&hold.level)).await.expect("reads");
    guard.holds.contains(&hold.id)
}

/// The levels that a job's permit compares.
fn levels(leaving: &Leaving) -> [Level; LEVELS] {
    let step = &leaving.erase.step;
    [
        Level::Global,
        Level::Category { category: step.category.clone() },
        Level::Target { agent: step.agent.clone(), target: step.target.clone() },
        Level::Customer { customer: leaving.contract.customer },
        Level::Contract { contract: leaving.contract.id },
        Level::Request { request: leaving.request },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hold_and_a_permit_one_wins_in_each_of_ten_thousand_rounds() {
    let site = Arc::new(Site::new(&["www"]).await);
    // All of them first: with each the leader passes, and plans anew what a hold of another lane concerns.
    let mut all = Vec::new();
    for lane in 0..LANES {
        all.push(site.leaves(&format!("s{lane}.example"), &format!("{lane}")).await);
    }
    let mut lanes = tokio::task::JoinSet::new();
    for (lane, leaving) in (0..LANES).zip(all) {
        // The levels that are each lane's own.
        let level = levels(&leaving)[3 + lane as usize % 3].clone();
        let site = Arc::clone(&site);
        lanes.spawn(async move { hold_rounds(&site, &leaving, &level, ROUNDS / LANES, u64::from(lane)).await });
    }
    let tally = lanes.join_all().await.into_iter().fold(Tally::default(), Tally::plus);
    tally.assert_both_orders(ROUNDS);
    assert!(tally.raced > 0, "no round met the permit in its transaction: {tally:?}");
    let holds = site.core.list_holds(true).await.expect("reads");
    assert_eq!(holds.len(), ROUNDS as usize, "every hold is on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hold_and_a_permit_one_wins_at_every_level() {
    let site = Arc::new(Site::new(&["www"]).await);
    for at in 0..LEVELS {
        let leaving = site.leaves(&format!("s{at}.example"), &format!("100{at}")).await;
        let level = levels(&leaving)[at].clone();
        let tally = hold_rounds(&site, &leaving, &level, FEW, 100 + at as u64).await;
        tally.assert_both_orders(FEW);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stop_and_a_permit_one_wins() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    let (job, asking) = (leaving.erase.id(), site.asking(&leaving.erase.id()).await);
    let (mut offsets, mut tally) = (Offsets::new(200), Tally::default());
    for _ in 0..FEW {
        let stop = site.core.stop("a leak", "anna");
        let (answer, halted) = race(&site, asking.clone(), &mut offsets, &mut tally, stop).await;
        let halted = halted.expect("a stop is always taken");
        assert!(halted.halt.is_some());
        assert_eq!(halted.begun, usize::from(answer.is_ok()));
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::Halted | Denial::Raced), "{denial:?}");
        }
        assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::Halted));
        if site.job(&leaving).await.state == JobState::Begun {
            site.stopped(&leaving).await;
        }
        assert!(site.core.start("found", "bertil").await.expect("started").halt.is_none());
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_resumption_and_a_permit_one_wins() {
    let site = Arc::new(Site::new(&["www"]).await);
    let mut leaving = site.leaves("anna.example", "1001").await;
    let (mut offsets, mut tally) = (Offsets::new(300), Tally::default());
    for _ in 0..FEW {
        let asking = site.asking(&leaving.erase.id()).await;
        let service = id("anna.example");
        let resume = site.core.resume_contract(&service, 0);
        let (answer, resumed) = race(&site, asking, &mut offsets, &mut tally, resume).await;
        let resumed = resumed.expect("a resumption is always taken");
        assert_eq!(resumed.begun, answer.is_ok());
        assert_eq!(resumed.contract.cancelled, [leaving.request]);
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::Cancelled | Denial::Raced | Denial::Stale), "{denial:?}");
        }
        assert!(site.view(&leaving.request).await.request.facts.cancelled);
        leaving = site.ends("anna.example", "1001").await;
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_policy_and_a_permit_one_wins() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    let (job, asking) = (leaving.erase.id(), site.asking(&leaving.erase.id()).await);
    let (mut offsets, mut tally) = (Offsets::new(400), Tally::default());
    for round in 0..FEW {
        let policy = site.policy(|text| text.replace("WebOne AB\"", &format!("WebOne {round} AB\"")));
        let apply = site.core.apply_policy(policy.clone(), None);
        let (answer, applied) = race(&site, asking.clone(), &mut offsets, &mut tally, apply).await;
        let applied = applied.expect("a policy in order is always taken");
        assert_eq!(applied.begun, usize::from(answer.is_ok()));
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::Stale | Denial::Raced), "{denial:?}");
        }
        assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::Stale), "planned under another policy");
        if site.job(&leaving).await.state == JobState::Begun {
            site.stopped(&leaving).await;
        }
        // The rules are the same but for the name: the plan goes on under the new one.
        site.core.follow_policy().await.expect("looked at");
        assert_eq!(site.core.stopped(&job).await.expect("reads"), None);
    }
    tally.assert_both_orders(FEW);
}
