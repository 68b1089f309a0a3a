//! Copies that do not go: the provider's pruning stopped, and a keep rule under which a customer's own group never expires.

use gallra_model::target::CopyLife;
use gallra_testkit::{Story, day};
use gallra_wire::v1;

#[tokio::test]
async fn with_pruning_stopped_a_year_later_the_proof_is_interim_and_names_the_copies() {
    let mut story = Story::begin(|options| options.keep_arguments.clear()).await.expect("a site");
    for sunday in [4, 11] {
        story.advance(day(2026, 1, sunday), 3, 0).await.expect("the clock moves");
        story.site.routine.back_up(story.site.now()).expect("a backup");
    }
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    for weeks in [1, 4, 12, 27, 40, 52] {
        story.advance_days(day(2026, 2, 28), weeks * 7).await.expect("the clock moves");
    }
    let stands = story.request(&request).await.expect("the request");
    assert!(stands.done.is_empty());
    assert_eq!(stands.copies_left, 2);
    assert!(stands.facts.contains(&"overdue".to_owned()), "{:?}", stands.facts);
    let copies = story.copies(&request).await.expect("copies");
    assert!(copies.iter().all(|copy| copy.overdue && copy.state() == v1::CopyState::Listed), "{copies:?}");
    let (proof, key, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Interim);
    let statement = gallra_testkit::provider::statement_of(&proof).expect("a statement");
    let named: Vec<_> =
        statement["copies"].as_array().expect("copies").iter().map(|copy| copy["copy"].clone()).collect();
    assert_eq!(named, copies.iter().map(|copy| serde_json::json!(copy.id)).collect::<Vec<_>>());
    assert!(gallra_testkit::provider::verify(&proof, &key).starts_with("VALID interim"));
}

#[tokio::test]
async fn a_group_of_the_customers_own_is_planned_as_never_at_once() {
    let mut story = Story::begin(|options| options.own_group = true).await.expect("a site");
    story.advance(day(2026, 1, 4), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    let request = story.end_and_settle().await.expect("a request");
    let plan = story.plan(&request).await.expect("a plan");
    assert_eq!(plan.backups.iter().map(|backup| backup.life).collect::<Vec<_>>(), [CopyLife::Never]);
    assert!(plan.notes.iter().any(|note| note.code == "copies-never-expire"), "{:?}", plan.notes);
    let copies = story.copies(&request).await.expect("copies");
    assert_eq!(copies.iter().map(|copy| copy.expected.as_str()).collect::<Vec<_>>(), ["never"]);
}
