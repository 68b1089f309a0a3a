//! Policy versions at the coordinator: one waits for its day, two of one name and day are refused, a longer period does not
//! reach a contract that had ended unless an approver says so, and what a version would do is told before it is applied.

use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_coordinator::policies::changes::Change;
use gallra_coordinator::policies::{MAX_WAITING, Standing, StoredPolicy};
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::{Day, Digest, RequestId};
use gallra_store::keys;

use crate::site::{Site, id};

/// The shipped policy with another period for hosted data (a month as shipped), and a first day.
fn version(site: &Site, period: &str, from: Option<&str>) -> StoredPolicy {
    let head = from.map_or_else(String::new, |day| format!("valid_from = \"{day}\"\n"));
    site.policy(|text| format!("{head}{}", text.replacen("period = \"1 month\"", &format!("period = \"{period}\""), 1)))
}

async fn latest(site: &Site, request: &RequestId) -> Option<Day> {
    site.jobs(request, Action::Erase).await.first().and_then(|job| job.step.latest)
}

async fn apply(site: &Site, policy: StoredPolicy, reach: bool) -> Result<Option<Day>, CoreError> {
    let applied = site.core.apply_policy_to(policy, None, reach).await?;
    leader::run_due(&site.core).await.expect("followed");
    Ok(applied.waits_for)
}

async fn standings(site: &Site) -> Vec<(Standing, Option<Day>, bool)> {
    let all = site.core.list_policies().await.expect("reads");
    all.iter().map(|known| (known.standing, known.since, known.reaches_ended)).collect()
}

#[tokio::test]
async fn a_longer_period_does_not_reach_who_had_ended_and_a_shorter_one_does() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let (month, week) = (Day::constant(2026, 2, 28), Day::constant(2026, 2, 7));
    assert_eq!(latest(&site, &leaving.request).await, Some(month));
    apply(&site, version(&site, "2 months", None), false).await.expect("in order");
    assert_eq!(latest(&site, &leaving.request).await, Some(month), "it had ended");
    site.ask(&leaving.erase.id()).await.expect("permitted under what had been promised");
    site.stopped(&leaving).await;

    let bert = site.leaves("bert.example", "1002").await;
    assert_eq!(latest(&site, &bert.request).await, Some(month), "reported late, and ended before all the same");
    apply(&site, version(&site, "1 week", None), false).await.expect("in order");
    assert_eq!(latest(&site, &bert.request).await, Some(week), "a shorter one reaches");
    assert!(site.view(&leaving.request).await.request.facts.legal_review, "its data had begun to go");
    // Longer again: what was promised between stays.
    apply(&site, version(&site, "1 month", None), false).await.expect("in order");
    assert_eq!(latest(&site, &bert.request).await, Some(week));
    assert_eq!(site.view(&bert.request).await.plan.map(|plan| plan.number), Some(2), "nothing to plan anew");
    site.inspects(&bert.request).await;
    let erase = site.jobs(&bert.request, Action::Erase).await.remove(0).id();
    site.ask(&erase).await.expect("permitted under the rules that reach it");
}

#[tokio::test]
async fn an_approver_can_let_a_longer_period_reach_who_had_ended_also_afterwards() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let longer = version(&site, "2 months", None);
    apply(&site, longer.clone(), false).await.expect("in order");
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 2, 28)));
    let asking = site.asking(&leaving.erase.id()).await;
    let applied = site.core.apply_policy_to(longer.clone(), None, true).await.expect("in order");
    assert_eq!(
        site.core.ask(&asking).await.expect("an answer").err(),
        Some(Denial::Stale),
        "nobody has looked at it yet"
    );
    leader::run_due(&site.core).await.expect("followed");
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 3, 31)));
    let today = Some(Day::constant(2026, 4, 1));
    let all = standings(&site).await;
    assert_eq!(
        all,
        [(Standing::Past, None, false), (Standing::Past, today, false), (Standing::InForce, today, true)],
        "both are on record"
    );
    // Once more is nothing more.
    apply(&site, longer.clone(), true).await.expect("in order");
    apply(&site, longer, false).await.expect("in order");
    assert_eq!(standings(&site).await, all);
    assert_eq!(site.core.policy_digest().await.expect("reads"), applied.policy.digest());
}

#[tokio::test]
async fn a_policy_waits_for_its_day_and_from_midnight_on_no_permit_is_given_without_it() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let first = site.core.policy_digest().await.expect("reads");
    let day = Day::constant(2026, 4, 3);
    let waits = apply(&site, version(&site, "1 week", Some("2026-04-03")), false).await.expect("in order");
    assert_eq!(waits, Some(day));
    assert_eq!(site.core.policy_digest().await.expect("reads"), first);
    assert_eq!(standings(&site).await, [(Standing::InForce, None, false), (Standing::Waiting, Some(day), false)]);
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 2, 28)));
    let site = site.restarted().await;
    assert_eq!(standings(&site).await.len(), 2, "it waits on after a restart");
    let asking = site.asking(&leaving.erase.id()).await;
    let at = |text: &str| text.parse().expect("a literal instant");
    site.core.time.advance(at("2026-04-02T21:59:00Z")).expect("forward");
    assert_eq!(site.core.stopped(&leaving.erase.id()).await.expect("reads"), None);
    // Midnight in Stockholm, and the leader has not passed.
    site.core.time.advance(at("2026-04-02T22:00:00Z")).expect("forward");
    assert_eq!(site.core.ask(&asking).await.expect("an answer").err(), Some(Denial::Stale));
    leader::run_due(&site.core).await.expect("moved");
    assert_ne!(site.core.policy_digest().await.expect("reads"), first);
    assert_eq!(standings(&site).await, [(Standing::Past, None, false), (Standing::InForce, Some(day), false)]);
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 2, 7)), "a shorter one reaches");
}

#[tokio::test]
async fn two_versions_of_one_name_and_first_day_are_refused_and_the_same_one_again_is_not() {
    let site = Site::new(&["www"]).await;
    let week = version(&site, "1 week", Some("2026-07-01"));
    apply(&site, week.clone(), false).await.expect("in order");
    apply(&site, week.clone(), false).await.expect("the same again");
    let double = apply(&site, version(&site, "2 weeks", Some("2026-07-01")), false).await.err();
    assert!(matches!(&double, Some(CoreError::Precondition(why)) if why.contains("2026-07-01")), "{double:?}");
    apply(&site, version(&site, "2 weeks", Some("2026-07-02")), false).await.expect("another day");
    assert_eq!(standings(&site).await.len(), 3);
    // Withdrawn, its day is free again.
    let digest = week.parse().expect("in order").digest();
    let known = site.core.withdraw_policy(&digest, "bertil").await.expect("withdrawn");
    assert_eq!((known.standing, known.since), (Standing::Waiting, Some(Day::constant(2026, 7, 1))));
    assert!(matches!(site.core.withdraw_policy(&digest, "bertil").await.err(), Some(CoreError::NotFound(_))));
    apply(&site, version(&site, "3 weeks", Some("2026-07-01")), false).await.expect("in order");
    site.advance("2026-07-01T10:00:00Z").await;
    let past = apply(&site, version(&site, "4 weeks", Some("2026-07-01")), false).await.err();
    assert!(matches!(past, Some(CoreError::Precondition(_))), "also once it is in force");
    let missed = apply(&site, version(&site, "4 weeks", Some("2026-06-30")), false).await.expect("in order");
    assert_eq!(missed, None, "a day that is past is today");
    assert_eq!(site.core.in_force().await.expect("reads").turn, 2);
}

#[tokio::test]
async fn what_waited_while_nobody_looked_comes_into_force_in_its_order() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    for (period, day) in [("3 weeks", "2026-06-01"), ("1 week", "2026-05-01"), ("2 weeks", "2026-05-15")] {
        apply(&site, version(&site, period, Some(day)), false).await.expect("in order");
    }
    let digest = |period, day| version(&site, period, Some(day)).parse().expect("in order").digest();
    let (two, three) = (digest("2 weeks", "2026-05-15"), digest("3 weeks", "2026-06-01"));
    site.advance("2026-05-20T10:00:00Z").await;
    let in_force = site.core.in_force().await.expect("reads");
    assert_eq!((in_force.digest, in_force.turn, in_force.waiting.len()), (two, 2, 1));
    let days: Vec<_> = standings(&site).await.into_iter().map(|(_, since, _)| since).collect();
    let on = |month, day| Some(Day::constant(2026, month, day));
    assert_eq!(days, [None, on(5, 1), on(5, 15), on(6, 1)]);
    // Applied on the very day before the leader passes: what waited comes first.
    site.core.time.advance("2026-06-01T10:00:00Z".parse().expect("a literal instant")).expect("forward");
    site.core.apply_policy(version(&site, "4 weeks", None), None).await.expect("in order");
    let all = site.core.list_policies().await.expect("reads");
    assert_eq!(all[3].digest, three);
    assert_eq!(all[4].standing, Standing::InForce);
}

#[tokio::test]
async fn so_many_versions_wait_and_no_more() {
    let site = Site::new(&["www"]).await;
    let on = |day: usize| {
        Day::constant(2027, 1, 1)
            .checked_add(jiff::Span::new().days(i64::try_from(day).expect("small")))
            .expect("in range")
    };
    for day in 0..MAX_WAITING {
        site.core.apply_policy(version(&site, "1 week", Some(&on(day).to_string())), None).await.expect("in order");
    }
    let last = version(&site, "1 week", Some(&on(MAX_WAITING - 1).to_string()));
    site.core.apply_policy(last, None).await.expect("the same again");
    let more = site.core.apply_policy(version(&site, "1 week", Some(&on(MAX_WAITING).to_string())), None).await;
    assert!(matches!(more.err(), Some(CoreError::Precondition(_))));
}

async fn changes(site: &Site, policy: &StoredPolicy, reach: bool) -> Vec<Change> {
    let supposed = site.core.suppose(policy, reach).expect("in order");
    let (changes, more) = site.core.changes_under(&supposed, &site.core.all_requests()).await.expect("reads");
    assert!(more.is_none());
    changes
}

#[tokio::test]
async fn what_a_version_would_do_is_told_before_it_is_applied_and_is_what_it_does() {
    let site = Site::new(&["www"]).await;
    let waits = site.leaves("anna.example", "1001").await;
    let runs = site.leaves("bert.example", "1002").await;
    site.ask(&runs.erase.id()).await.expect("permitted");
    let before = site.core.store.range(&keys::requests().range(), 10).await.expect("reads");
    assert_eq!(changes(&site, &version(&site, "2 months", None), false).await, [], "longer, and both had ended");
    for (policy, reach, day) in [
        (version(&site, "2 months", None), true, Day::constant(2026, 3, 31)),
        (version(&site, "1 week", None), false, Day::constant(2026, 2, 7)),
        (version(&site, "1 week", Some("2026-08-01")), false, Day::constant(2026, 2, 7)),
    ] {
        let told = changes(&site, &policy, reach).await;
        let of =
            |request: &RequestId| told.iter().find(|change| change.request == *request).expect("it changes").clone();
        let (one, two) = (of(&waits.request), of(&runs.request));
        assert_eq!((told.len(), one.stops, two.stops), (2, false, true));
        let [target] = one.targets.try_into().expect("one target");
        let (was, becomes) = (target.before.expect("known"), target.after.expect("known"));
        assert_eq!((was.does, was.latest), ("erase", Some(Day::constant(2026, 2, 28))));
        assert_eq!((becomes.does, becomes.latest), ("erase", Some(day)));
    }
    let after = site.core.store.range(&keys::requests().range(), 10).await.expect("reads");
    assert_eq!(before, after, "nothing was written");
    apply(&site, version(&site, "2 months", None), true).await.expect("in order");
    assert_eq!(latest(&site, &waits.request).await, Some(Day::constant(2026, 3, 31)));
    assert!(site.view(&runs.request).await.request.facts.legal_review);
}

#[tokio::test]
async fn a_version_that_an_instruction_contradicts_is_told_to_stop_that_customers_requests() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let text = "id = \"x\"\ngiven_by = \"the board\"\ngiven_on = \"2026-01-01\"\nfrom = \"2026-02-01\"\n[[replace]]\n\
                rule = \"webone/customer-data\"\ncount = [{ from = \"contract_settled\", period = \"45 days\" }]\n";
    site.core.set_instruction(&id("1001"), text, "anna").await.expect("taken");
    let renamed = site.policy(|text| text.replace("webone/customer-data", "webone/hosted"));
    let [change] = changes(&site, &renamed, true).await.try_into().expect("one");
    assert_eq!(change.request, leaving.request);
    assert!(change.refused.contains("webone has no rule webone/customer-data"), "{}", change.refused);
    let week = version(&site, "1 week", None);
    let [change] = changes(&site, &week, false).await.try_into().expect("one");
    assert!(
        change.stops && change.targets.is_empty(),
        "its period is the instruction's, which strays far from this one"
    );
}

#[tokio::test]
async fn a_request_or_a_guard_that_cannot_be_read_holds_nobody_elses_up() {
    let site = Site::new(&["www"]).await;
    let (damaged, unguarded) = (site.leaves("a.example", "1001").await, site.leaves("b.example", "1002").await);
    let last = site.leaves("c.example", "1003").await;
    let txn = gallra_store::Txn::new()
        .put(keys::request(&damaged.request), b"{".to_vec())
        .put(keys::guard_customer(&unguarded.contract.customer), b"{".to_vec());
    site.core.store.commit(txn).await.expect("commits");
    // It is in force, though nobody can count what had begun.
    let counted = site.core.apply_policy_to(version(&site, "1 week", None), None, false).await.err();
    assert!(matches!(counted, Some(CoreError::Unreadable { .. })), "{counted:?}");
    assert_eq!(site.core.follow_policy().await.expect("followed"), 1);
    assert_eq!(latest(&site, &last.request).await, Some(Day::constant(2026, 2, 7)), "others go on");
    leader::run_due(&site.core).await.expect("a pass");
}

#[tokio::test]
async fn rules_that_were_applied_before_there_were_turns_go_on() {
    let site = Site::new(&["www"]).await;
    let old = version(&site, "2 weeks", None);
    let digest: Digest = old.parse().expect("in order").digest();
    let encode = |value: &dyn erased::Json| value.json();
    let txn =
        gallra_store::Txn::new().put(keys::policy(&digest), encode(&old)).put(keys::meta_policy(), encode(&digest));
    site.core.store.commit(txn).await.expect("commits");
    let leaving = site.leaves("anna.example", "1001").await;
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 2, 14)));
    assert_eq!(standings(&site).await, [(Standing::InForce, None, false)]);
    apply(&site, version(&site, "1 month", None), false).await.expect("in order");
    assert_eq!(latest(&site, &leaving.request).await, Some(Day::constant(2026, 2, 14)), "what held when it ended");
    assert_eq!(standings(&site).await.len(), 2);
}

mod erased {
    /// What is stored as JSON.
    pub(super) trait Json {
        fn json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).expect("JSON")
        }
    }
}
