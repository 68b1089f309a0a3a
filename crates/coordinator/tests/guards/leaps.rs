//! A clock that leaps forward, on a real store and through the coordinator's real paths (decision 6): nothing that cannot be
//! undone happens on it until most agents' clocks agree, or an operator does.

use std::sync::Arc;

use gallra_coordinator::clock::{Time, real_now};
use gallra_coordinator::error::CoreError;
use gallra_coordinator::layout::Layout;
use gallra_coordinator::{leader, opening};
use gallra_flow::clock::Standing;
use gallra_model::Instant;
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_store::keys;
use jiff::SignedDuration;

use crate::site::{Site, agent};

/// Longer than a key epoch.
const DAYS: i64 = 60;

/// A site whose clock is watched like a machine's.
async fn watched() -> Site {
    let mut site = Site::new(&["www"]).await;
    let now = site.core.time.now();
    Arc::get_mut(&mut site.core).expect("nobody else holds it").time = Time::watched(now).into();
    site
}

/// Lets the clock leap; gives what was the time before, and what the clock says since.
fn leap(site: &Site) -> (Instant, Instant) {
    let before = site.core.time.now();
    let leapt = before + SignedDuration::from_hours(24 * DAYS);
    site.core.time.advance(leapt).expect("forward");
    (before, leapt)
}

fn is_doubted(site: &Site) -> bool {
    site.core.time.look().1 != Standing::Trusted
}

async fn stored(site: &Site, key: gallra_store::Key) -> Option<Vec<u8>> {
    site.core.store.get(&key).await.expect("reads").map(|entry| entry.value)
}

#[tokio::test]
async fn while_the_clock_is_doubted_nothing_is_erased_and_time_goes_on_from_what_was_believed() {
    let site = watched().await;
    let leaving = site.leaves("anna.example", "1001").await;
    let second = site.leaves("bo.example", "1002").await;
    leader::run_due(&site.core).await.expect("a pass");
    let job = leaving.erase.id();
    site.ask(&job).await.expect("permitted while it is believed");
    let (mark, epoch) = (stored(&site, keys::meta_clock()).await, stored(&site, keys::meta_epoch()).await);
    assert!(mark.is_some() && epoch.is_some());

    let (before, _) = leap(&site);
    assert!(is_doubted(&site));
    assert_eq!(site.ask(&second.erase.id()).await.err(), Some(Denial::Clock));
    let another_minute = site.asking_on(&job, 1).await;
    assert_eq!(site.core.ask(&another_minute).await.expect("an answer").err(), Some(Denial::Clock), "in the middle");
    let passed = site.core.time.now().duration_since(before);
    assert!(passed < SignedDuration::from_mins(5), "{passed}: the leap is not gone by");
    // Looking is evidence, whatever the clock says.
    let look = site.jobs(&second.request, Action::Inspect).await.remove(0).id();
    site.core.move_request(&second.request, &gallra_flow::request::Input::Retry(look)).await.expect("looked at anew");
    site.ask(&look).await.expect("permitted");
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(stored(&site, keys::meta_clock()).await, mark, "a restart would believe it");
    assert_eq!(stored(&site, keys::meta_epoch()).await, epoch, "no key is destroyed");
}

#[tokio::test]
async fn a_key_epoch_that_is_due_waits_for_the_end_of_the_doubt() {
    let site = watched().await;
    leader::run_due(&site.core).await.expect("a pass");
    let now = async || (stored(&site, keys::meta_clock()).await, stored(&site, keys::meta_epoch()).await);
    let (mark, epoch) = now().await;
    // Believed, and due by it; but before anything is done about it the clock leaps again.
    let (_, leapt) = leap(&site);
    site.core.time.heard(&agent(), Some(leapt));
    site.core.time.gone(&agent());
    assert!(!is_doubted(&site));
    let (_, leapt) = leap(&site);
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(now().await, (mark, epoch.clone()), "nothing is written of a clock that is doubted");
    site.core.confirm_clock(leapt, "compared", "anna").await.expect("the same");
    leader::run_due(&site.core).await.expect("a pass");
    assert_ne!(now().await.1, epoch, "it turns");
}

#[tokio::test]
async fn most_agents_clocks_end_the_doubt_and_what_they_said_before_the_leap_does_not() {
    let site = watched().await;
    let leaving = site.leaves("anna.example", "1001").await;
    site.core.time.heard(&agent(), Some(site.core.time.now()));
    let (_, leapt) = leap(&site);
    assert_eq!(site.ask(&leaving.erase.id()).await.err(), Some(Denial::Clock));
    let other = "web2".parse().expect("a name");
    site.core.time.heard(&other, None);
    site.core.time.heard(&agent(), Some(leapt));
    assert!(is_doubted(&site), "one of two");
    site.core.time.gone(&other);
    assert!(!is_doubted(&site));
    site.ask(&leaving.erase.id()).await.expect("permitted");
    assert_eq!(site.core.time.now(), leapt);
}

#[tokio::test]
async fn an_operators_word_ends_the_doubt_if_it_says_the_same_and_is_kept() {
    let site = watched().await;
    let leaving = site.leaves("anna.example", "1001").await;
    let (before, leapt) = leap(&site);
    let wrong = site.core.confirm_clock(before, "my watch", "anna").await.err();
    assert!(matches!(wrong, Some(CoreError::Precondition(_))), "{wrong:?}");
    assert!(matches!(site.core.confirm_clock(leapt, " ", "anna").await, Err(CoreError::Invalid(_))));
    assert!(is_doubted(&site));
    let about = leapt + SignedDuration::from_mins(9);
    site.core.confirm_clock(about, "the machine was away", "anna").await.expect("the same");
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let mark = stored(&site, keys::meta_clock()).await.expect("kept");
    assert_eq!(serde_json::from_slice::<Instant>(&mark).expect("an instant"), leapt);
}

#[tokio::test]
async fn after_a_restart_the_time_away_is_doubted_until_an_agent_says_the_same() {
    let site = watched().await;
    leader::run_due(&site.core).await.expect("a pass");
    let Site { core, folder, .. } = site;
    let believed = core.time.now();
    drop(Arc::into_inner(core).expect("nobody else holds it"));
    // Months later by this machine's own clock.
    let core = opening::open(&Layout::new(folder.path().join("coordinator")), None).await.expect("it opens");
    assert!(core.time.look().1 != Standing::Trusted && core.time.now() < believed + SignedDuration::from_mins(5));
    core.time.heard(&agent(), Some(real_now()));
    assert_eq!(core.time.look().1, Standing::Trusted);
    leader::run_due(&core).await.expect("a pass");
    core.time.gone(&agent());
    drop(core);
    let core = opening::open(&Layout::new(folder.path().join("coordinator")), None).await.expect("it opens");
    assert_eq!(core.time.look().1, Standing::Trusted, "what was believed is remembered");
}
