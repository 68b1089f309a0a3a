//! Customers' instructions at the coordinator: what each does to requests and permits, what is refused, who accepts what, and
//! what becomes of them when the customer is forgotten.

use gallra_coordinator::error::CoreError;
use gallra_coordinator::instructions::{Listed, MAX_INSTRUCTIONS, Remover, State};
use gallra_coordinator::{guards, leader};
use gallra_flow::request::Input;
use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::{JobState, RequestState};
use gallra_model::target::TargetInfo;
use gallra_store::keys;

use crate::purge::{offer, signed, the_purge};
use crate::site::{Leaving, Site, id, info};

/// An instruction about one rule.
pub(crate) fn text(name: &str, from: &str, rule: &str, count: &str) -> String {
    format!(
        "id = \"{name}\"\ngiven_by = \"the board\"\ngiven_on = \"2026-01-01\"\nfrom = \"{from}\"\n[[replace]]\n\
         rule = \"{rule}\"\ncount = [{count}]\n"
    )
}

/// One about hosted data, which the policy erases a month after the settlement.
pub(crate) fn data(name: &str, from: &str, period: &str) -> String {
    let count = format!("{{ from = \"contract_settled\", period = \"{period}\" }}");
    text(name, from, "webone/customer-data", &count)
}

async fn set(site: &Site, text: &str) -> Result<usize, CoreError> {
    site.core.set_instruction(&id("1001"), text, "anna").await.map(|set| set.begun)
}

async fn listed(site: &Site) -> Vec<Listed> {
    site.core.list_instructions(&id("1001")).await.expect("listed")
}

/// Accepts the text that stands.
async fn accept(site: &Site, name: &str, by: &str) -> Result<(), CoreError> {
    let all = listed(site).await;
    let digest = all.iter().find(|one| one.id == name).map(|one| one.digest);
    site.core.accept_instruction(&id("1001"), name, digest, by).await.map(drop)
}

/// The last day by which the hosted data goes.
async fn latest(site: &Site, leaving: &Leaving) -> Option<Day> {
    site.jobs(&leaving.request, Action::Erase).await.first().and_then(|job| job.step.latest)
}

#[tokio::test]
async fn an_instruction_replans_at_once_and_what_was_permitted_before_is_no_more() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let other = site.leaves("bert.example", "1002").await;
    let before = site.asking(&leaving.erase.id()).await;
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 2, 28)));
    assert_eq!(set(&site, &data("longer", "2026-02-01", "45 days")).await.expect("taken"), 0);
    let view = site.view(&leaving.request).await;
    assert_eq!(view.plan.as_ref().map(|plan| plan.number), Some(2));
    assert_ne!(view.plan.map(|plan| plan.policy), Some(site.core.policy_digest().await.expect("reads")));
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 3, 17)));
    assert!(!view.request.facts.legal_review);
    assert_eq!(site.core.ask(&before).await.expect("an answer").err(), Some(Denial::Stale));
    site.inspects(&leaving.request).await;
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0).id();
    site.ask(&erase).await.expect("permitted under the instruction");
    // Nobody else's.
    assert_eq!(latest(&site, &other).await, Some(Day::constant(2026, 2, 28)));
    site.ask(&other.erase.id()).await.expect("permitted");
}

#[tokio::test]
async fn the_same_instruction_again_changes_nothing_and_another_text_of_its_id_replaces_it() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let first = data("period", "2026-02-01", "45 days");
    set(&site, &first).await.expect("taken");
    let guard = async || {
        let key = keys::guard_customer(&leaving.contract.customer);
        guards::one(&*site.core.store, &key).await.expect("reads").1
    };
    let count = guard().await.count;
    set(&site, &first).await.expect("taken");
    assert_eq!(guard().await.count, count);
    set(&site, &data("period", "2026-02-01", "40 days")).await.expect("taken");
    assert!(guard().await.count > count);
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 3, 12)));
    assert_eq!(listed(&site).await.len(), 1);
    // Between the old one and a new one that waits the standard would hold.
    let gap = set(&site, &data("period", "2026-04-02", "40 days")).await.err();
    assert!(matches!(gap, Some(CoreError::Precondition(_))), "{gap:?}");
    set(&site, &data("period", "2026-04-01", "41 days")).await.expect("it holds from today");
    site.core.remove_instruction(&id("1001"), "period", "anna").await.expect("removed");
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 2, 28)), "the standard again");
    assert_eq!(guard().await.instructed, None);
    let again = site.core.remove_instruction(&id("1001"), "period", "anna").await.err();
    assert!(matches!(again, Some(CoreError::NotFound(_))));
}

#[tokio::test]
async fn one_that_strays_far_waits_for_another_person_and_nothing_is_erased_meanwhile() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let standard = site.asking(&leaving.erase.id()).await;
    set(&site, &data("sooner", "2026-02-01", "1 week")).await.expect("taken");
    let [one] = listed(&site).await.try_into().expect("one");
    assert_eq!((one.state, one.set_by.as_str(), one.accepted), (State::LegalReview, "anna", None));
    let [deviation] = one.replaced.try_into().expect("one");
    assert_eq!((deviation.rule.as_str(), deviation.turn.as_str()), ("webone/customer-data", "shorter"));
    assert!(deviation.legal_review && !deviation.warns.is_empty());
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    site.inspects(&leaving.request).await;
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0);
    assert_eq!(erase.step.latest, Some(Day::constant(2026, 2, 7)), "what it would be is shown");
    assert_eq!(site.ask(&erase.id()).await.err(), Some(Denial::NotApproved), "not by it");
    assert_eq!(site.core.ask(&standard).await.expect("an answer").err(), Some(Denial::Stale), "nor by the standard");
    assert!(site.view(&leaving.request).await.request.facts.legal_review, "still");

    let own = accept(&site, "sooner", "anna").await.err();
    assert!(matches!(own, Some(CoreError::Precondition(_))), "who set it does not accept it");
    let none = accept(&site, "none", "bertil").await.err();
    assert!(matches!(none, Some(CoreError::NotFound(_))));
    accept(&site, "sooner", "bertil").await.expect("accepted");
    accept(&site, "sooner", "cecilia").await.expect("again does no harm");
    let [one] = listed(&site).await.try_into().expect("one");
    assert_eq!((one.state, one.accepted.map(|(by, _)| by).as_deref()), (State::InForce, Some("bertil")));
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    site.ask(&erase.id()).await.expect("permitted");
}

#[tokio::test]
async fn what_is_accepted_is_the_text_that_was_looked_at_and_nothing_in_advance() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    set(&site, &data("period", "2026-02-01", "45 days")).await.expect("taken");
    let early = accept(&site, "period", "bertil").await.err();
    assert!(matches!(&early, Some(CoreError::Precondition(why)) if why.contains("nothing to accept")), "{early:?}");
    set(&site, &data("period", "2026-02-01", "2 months")).await.expect("taken");
    let looked_at = Some(listed(&site).await.remove(0).digest);
    set(&site, &data("period", "2026-02-01", "1 week")).await.expect("taken");
    for digest in [looked_at, None] {
        let refused = site.core.accept_instruction(&id("1001"), "period", digest, "bertil").await.err();
        assert!(
            matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("instruction list")),
            "{refused:?}"
        );
    }
    assert!(site.view(&leaving.request).await.request.facts.legal_review, "nobody looked at this text");
    accept(&site, "period", "bertil").await.expect("the text that stands");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
}

#[tokio::test]
async fn what_an_approver_accepted_is_neither_removed_nor_replaced_by_one_operator_alone() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    set(&site, &data("keeps", "2026-02-01", "1 year")).await.expect("taken");
    accept(&site, "keeps", "bertil").await.expect("accepted");
    let remove =
        async |approver| site.core.remove_instruction(&id("1001"), "keeps", Remover { name: "cilla", approver }).await;
    let refused = async || matches!(remove(false).await.err(), Some(CoreError::Precondition(_)));
    assert!(refused().await);
    // One that does what the standard does would let it go as well.
    set(&site, &data("keeps", "2026-02-01", "1 month")).await.expect("taken");
    let [one] = listed(&site).await.try_into().expect("one");
    assert_eq!((one.state, one.accepted), (State::LegalReview, None));
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    set(&site, &data("keeps", "2026-02-01", "32 days")).await.expect("taken");
    assert_eq!(listed(&site).await[0].state, State::LegalReview, "nor in two steps");
    assert!(refused().await, "nor so");
    site.inspects(&leaving.request).await;
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0).id();
    assert_eq!(site.ask(&erase).await.err(), Some(Denial::NotApproved));
    assert!(remove(true).await.is_ok(), "an approver");
    site.inspects(&leaving.request).await;
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0).id();
    site.ask(&erase).await.expect("the standard again");
}

#[tokio::test]
async fn one_that_strays_far_and_is_removed_leaves_the_standard() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    // Its day has not come, and nothing is erased all the same.
    set(&site, &data("later", "2026-05-01", "1 year")).await.expect("taken");
    assert_eq!(site.ask(&leaving.erase.id()).await.err(), Some(Denial::NotApproved));
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    site.core.remove_instruction(&id("1001"), "later", "anna").await.expect("removed");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    site.ask(&leaving.erase.id()).await.expect("permitted");
}

#[tokio::test]
async fn one_whose_day_has_not_come_waits_and_from_midnight_on_no_permit_is_given_without_it() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    set(&site, &data("later", "2026-04-03", "59 days")).await.expect("taken");
    assert_eq!(listed(&site).await[0].state, State::Waiting);
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 2, 28)));
    let mut asking = site.asking(&leaving.erase.id()).await;
    site.core.ask(&asking).await.expect("an answer").expect("permitted under the standard");
    site.stopped(&leaving).await;
    // The last minute of the day before, and the first of its own: the leader has not passed yet.
    let at = |text: &str| text.parse().expect("a literal instant");
    site.core.time.advance(at("2026-04-02T21:59:00Z")).expect("forward");
    asking.permitted_on_this_stream = false;
    site.core.ask(&asking).await.expect("an answer").expect("permitted under the standard");
    site.stopped(&leaving).await;
    site.core.time.advance(at("2026-04-02T22:00:00Z")).expect("forward");
    assert_eq!(site.core.ask(&asking).await.expect("an answer").err(), Some(Denial::Stale));
    leader::run_due(&site.core).await.expect("moved");
    assert_eq!(listed(&site).await[0].state, State::InForce);
    // It had begun: somebody has to look.
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
}

#[tokio::test]
async fn what_has_begun_stops_for_one_that_does_something_else_and_goes_on_when_that_is_removed() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    assert_eq!(set(&site, &data("longer", "2026-02-01", "45 days")).await.expect("taken"), 1, "told of what had begun");
    let view = site.view(&leaving.request).await;
    assert!(view.request.facts.legal_review && view.plan.is_some_and(|plan| plan.number == 1));
    assert_eq!(site.core.stopped(&leaving.erase.id()).await.expect("reads"), Some(Denial::Stale));
    site.stopped(&leaving).await;
    assert_eq!(site.ask(&leaving.erase.id()).await.err(), Some(Denial::Stale));
    site.core.remove_instruction(&id("1001"), "longer", "anna").await.expect("removed");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    site.ask(&leaving.erase.id()).await.expect("permitted again");
    // One that does the same lets it go on at once.
    set(&site, &data("same", "2026-02-01", "1 month")).await.expect("taken");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    assert_eq!(site.core.stopped(&leaving.erase.id()).await.expect("reads"), None);
}

#[tokio::test]
async fn what_is_not_the_customers_to_give_is_refused_whole() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    let settled = |period: &str| format!("{{ from = \"customer_settled\", period = \"{period}\" }}");
    let record = |period: &str| format!("{}, {{ from = \"record\", period = \"{period}\" }}", settled("12 months"));
    set(&site, &data("period", "2026-02-01", "45 days")).await.expect("taken");
    for (refused, word) in [
        (data("another", "2026-02-01", "40 days"), "contradictory: webone/customer-data"),
        (text("law", "2026-02-01", "law/bookkeeping", &settled("1 year")), "law/bookkeeping is no rule of webone"),
        (text("none", "2026-02-01", "webone/none", &settled("1 year")), "webone has no rule webone/none"),
        (text("other", "2026-02-01", "webone/instruction", &settled("1 year")), "is no rule about a period"),
        (text("age", "2026-02-01", "webone/chat", &record("11 months")), "one sweep for everybody"),
        (text("new-age", "2026-02-01", "webone/contact", &record("7 years")), "one sweep for everybody"),
        ("id = \"x\"".to_owned(), "the key given_by is missing"),
        (format!("{}#{}", data("long", "2026-02-01", "40 days"), "x".repeat(16 * 1024)), "at most 16384 bytes"),
    ] {
        let error = set(&site, &refused).await.expect_err("refused").to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    let both = format!(
        "{}[[replace]]\nrule = \"law/response\"\ncount = [{}]\n",
        text("two", "2026-02-01", "law/bookkeeping", &settled("1 year")),
        settled("1 year")
    );
    let error = set(&site, &both).await.expect_err("refused").to_string();
    assert!(error.contains("law/bookkeeping is no") && error.contains("law/response is no"), "every problem: {error}");
    let unknown = site.core.set_instruction(&id("1003"), &data("x", "2026-02-01", "40 days"), "anna").await.err();
    assert!(matches!(unknown, Some(CoreError::NotFound(_))));
    assert_eq!(listed(&site).await.len(), 1, "what is refused changes nothing");
    // Longer ages are taken: those lines stay in purges.
    set(&site, &text("older", "2026-02-01", "webone/chat", &record("13 months"))).await.expect("taken");
}

#[tokio::test]
async fn a_customer_has_so_many_instructions_and_no_more() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    // Without a row of the policy's: of categories.
    let categories = [
        "tickets",
        "register",
        "history",
        "user-logs",
        "hosted-logs",
        "ip",
        "leftover",
        "marketing",
        "network-logs",
        "notes",
    ];
    let own = [
        ("customer-data", "contract_settled", "1 month"),
        ("contact", "customer_settled", "7 years"),
        ("bookkeeping", "customer_settled", "7 years"),
        ("sweep", "customer_settled", "1 year"),
    ];
    let of_rule = |(rule, from, period): &(&str, &str, &str)| {
        let count = format!("{{ from = \"{from}\", period = \"{period}\" }}");
        text(rule, "2026-02-01", &format!("webone/{rule}"), &count)
    };
    let of_category = |category: &&str| {
        let count = "{ from = \"contract_ended\", period = \"1 year\" }";
        text(category, "2026-02-01", "x", count).replace("rule = \"x\"", &format!("category = \"{category}\""))
    };
    let more = ["own-site-logs", "recipients", "traffic"];
    let all: Vec<_> = categories.iter().chain(&more).map(of_category).chain(own.iter().map(of_rule)).collect();
    assert!(all.len() > MAX_INSTRUCTIONS);
    for one in &all[..MAX_INSTRUCTIONS] {
        set(&site, one).await.expect("taken");
    }
    let error = set(&site, &all[MAX_INSTRUCTIONS]).await.expect_err("one too many");
    assert!(matches!(error, CoreError::Precondition(_)), "{error}");
    set(&site, &all[0].replace("1 year", "11 months")).await.expect("one of them is replaced");
    assert_eq!(listed(&site).await.len(), MAX_INSTRUCTIONS);
}

#[tokio::test]
async fn a_customer_without_an_agreed_period_shows_it_late_until_an_instruction_gives_one() {
    let site = Site::under("netip", &[], u32::MAX).await;
    let hosted = TargetInfo { category: "hosted-logs".parse().expect("a word"), ..info("hosted") };
    site.reports(vec![hosted]).await;
    site.sells("anna.example", "1001").await;
    let (_, request) = site.ends_only("anna.example", "1001").await;
    let facts = site.view(&request).await.request.facts;
    assert!(facts.needs_period && facts.overdue, "visibly late");
    site.inspects(&request).await;
    assert!(site.jobs(&request, Action::Erase).await.is_empty());
    let record = "{ from = \"record\", period = \"3 months\" }";
    let error =
        set(&site, &text("logs", "2026-02-01", "netip/hosted-logs", record)).await.expect_err("no purge does so");
    assert!(error.to_string().contains("one sweep for everybody"), "{error}");
    let ended = "{ from = \"contract_ended\", period = \"1 month\" }";
    set(&site, &text("logs", "2026-02-01", "netip/hosted-logs", ended)).await.expect("taken");
    let view = site.view(&request).await;
    assert!(
        !view.request.facts.needs_period && !view.request.facts.legal_review,
        "a period that is left open is no deviation"
    );
    assert_eq!(view.request.state, RequestState::Approved);
    site.inspects(&request).await;
    let erase = site.jobs(&request, Action::Erase).await.remove(0);
    assert_eq!((erase.step.rule.as_str(), erase.step.latest), ("netip/hosted-logs", Some(Day::constant(2026, 2, 28))));
    site.ask(&erase.id()).await.expect("it goes on");
}

#[tokio::test]
async fn an_instruction_that_a_new_policy_does_not_let_in_stops_its_customers_requests_and_says_so() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    let other = site.leaves("bert.example", "1002").await;
    set(&site, &data("period", "2026-02-01", "45 days")).await.expect("taken");
    let renamed = site.policy(|text| text.replace("webone/customer-data", "webone/hosted"));
    site.core.apply_policy_to(renamed, None, true).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0).id();
    assert!(site.core.stopped(&erase).await.expect("reads").is_some());
    let [one] = listed(&site).await.try_into().expect("one");
    assert!(
        matches!(&one.state, State::Refused(why) if why.contains("webone has no rule webone/customer-data")),
        "{one:?}"
    );
    assert!(!site.view(&other.request).await.request.facts.legal_review);
    // Without it the new policy holds.
    site.core.remove_instruction(&id("1001"), "period", "anna").await.expect("removed");
    let view = site.view(&leaving.request).await;
    assert!(!view.request.facts.legal_review && view.plan.is_some_and(|plan| plan.number == 3));
}

#[tokio::test]
async fn one_about_a_rule_that_is_called_otherwise_by_now_waits_for_somebody_where_that_had_ended() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    set(&site, &data("period", "2026-02-01", "45 days")).await.expect("taken");
    // The old row's promise stays for who had ended, and the new one comes beside it.
    let renamed = || site.policy(|text| text.replace("webone/customer-data", "webone/hosted"));
    let supposed = site.core.suppose(&renamed(), false).expect("in order");
    let told = site.core.changes_under(&supposed, &site.core.all_requests()).await.expect("told").0;
    assert!(told.iter().any(|change| change.refused.contains("webone has no rule webone/customer-data")), "{told:?}");
    site.core.apply_policy_to(renamed(), None, false).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    assert_ne!(site.ask(&leaving.erase.id()).await.err(), None);
    let refused = site.core.replan(&leaving.request).await.err();
    assert!(matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("has no rule")), "{refused:?}");
    // The same the other way round: the new row's instruction does not know of the old row.
    site.core.remove_instruction(&id("1001"), "period", "anna").await.expect("removed");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    let hosted = data("hosted", "2026-02-01", "45 days").replace("webone/customer-data", "webone/hosted");
    set(&site, &hosted).await.expect("taken");
    assert!(site.view(&leaving.request).await.request.facts.legal_review);
    site.inspects(&leaving.request).await;
    let erase = site.jobs(&leaving.request, Action::Erase).await.remove(0).id();
    assert_eq!(site.ask(&erase).await.err(), Some(Denial::NotApproved));
    // Once the new version reaches who had ended, one row is left, and the instruction is about that.
    site.core.apply_policy_to(renamed(), None, true).await.expect("in order");
    leader::run_due(&site.core).await.expect("followed");
    assert!(!site.view(&leaving.request).await.request.facts.legal_review);
    assert_eq!(latest(&site, &leaving).await, Some(Day::constant(2026, 3, 17)));
}

#[tokio::test]
async fn instructions_hold_after_a_restart_and_are_gone_with_the_customer() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    set(&site, &data("period", "2026-02-01", "45 days")).await.expect("taken");
    let site = site.restarted().await;
    assert_eq!(listed(&site).await.len(), 1);
    leader::run_due(&site.core).await.expect("looked at");
    assert_eq!(site.view(&leaving.request).await.plan.map(|plan| plan.number), Some(2), "nothing to plan anew");
    let all = site.core.list_all_instructions(&keys::all_instructed().range()).await.expect("reads").0;
    assert_eq!(all.iter().map(|one| one.customer).collect::<Vec<_>>(), [leaving.contract.customer]);
    site.inspects(&leaving.request).await;
    for action in [Action::Erase, Action::Confirm, Action::Confirm] {
        let open = site.jobs(&leaving.request, action).await;
        let job = open.into_iter().find(|job| job.state == JobState::Ready).expect("a ready job").id();
        site.ask(&job).await.expect("permitted");
        site.report(&leaving.request, &job, Verdict::Done, None).await;
        let next = site.core.time.now().checked_add(jiff::SignedDuration::from_mins(20)).expect("in range");
        site.core.time.advance(next).expect("forward");
        if site.view(&leaving.request).await.request.done.is_none() {
            site.core.move_request(&leaving.request, &Input::Tick).await.expect("moves");
        }
    }
    assert_eq!(site.view(&leaving.request).await.request.state, RequestState::Done);
    let left = site.core.store.range(&keys::all_instructed().range(), 10).await.expect("reads");
    assert!(left.entries.is_empty());
    let subject =
        site.view(&leaving.request).await.request.about.parties().map(|parties| parties.subject).expect("one");
    let sealed = site.core.store.range(&keys::sealed_of(&subject).range(), 10).await.expect("reads");
    assert!(sealed.entries.is_empty());
    assert!(matches!(site.core.list_instructions(&id("1001")).await.err(), Some(CoreError::NotFound(_))));
}

#[tokio::test]
async fn a_purge_leaves_the_lines_of_who_keeps_them_longer_or_whose_word_waits_for_an_approver() {
    let site = signed().await;
    let (_, job) = the_purge(&site).await;
    let before = site.asking(&job.id()).await;
    let preserved = async || offer(&site, &job).await.purge.expect("a purge").preserve.len();
    let logs = |record: &str, settled: &str| {
        let count = format!("{{ from = \"customer_settled\", period = \"{settled}\" }}{record}");
        text("logs", "2026-02-01", "webone/access-logs", &count)
    };
    set(&site, &logs(", { from = \"record\", period = \"6 months\" }", "7 months")).await.expect("taken");
    assert_eq!(preserved().await, 0, "the same age");
    set(&site, &logs(", { from = \"record\", period = \"8 months\" }", "6 months")).await.expect("taken");
    assert_eq!(preserved().await, 1);
    assert_eq!(site.core.ask(&before).await.expect("an answer").err(), Some(Denial::Stale), "a permit would take them");
    set(&site, &logs("", "6 months")).await.expect("taken");
    assert_eq!(listed(&site).await[0].state, State::LegalReview);
    assert_eq!(preserved().await, 1, "by no age at all");
    site.core.remove_instruction(&id("1001"), "logs", "anna").await.expect("removed");
    assert_eq!(preserved().await, 0);
    // Its day has not come, and it waits for an approver.
    set(&site, &logs("", "6 months").replace("2026-02-01", "2026-06-01")).await.expect("taken");
    assert_eq!(preserved().await, 1);
    accept(&site, "logs", "bertil").await.expect("accepted");
    assert_eq!(preserved().await, 0, "until its day the standard holds");
    site.ask(&job.id()).await.expect("permitted");
}
