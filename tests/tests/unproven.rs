//! What is not proven stays interim and says which target (I5): an agent that is offline, a target that may only be
//! observed, a disk that is not mounted. No backups here, so that nothing else keeps the proof from being final.

use gallra_testkit::{Story, day};
use gallra_wire::v1;

/// Plays until a day after the erasure's day and gives the request as it stands then.
async fn after_the_day(story: &mut Story, request: &str) -> v1::Request {
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    story.request(request).await.expect("the request")
}

async fn assert_interim(story: &Story, request: &v1::Request, unproven: &[&str]) {
    assert_eq!(request.unproven, unproven);
    assert!(request.done.is_empty(), "the request must stay open");
    assert!(request.facts.contains(&"overdue".to_owned()), "lateness must show: {:?}", request.facts);
    let (_, _, stage) = story.newest_proof(&request.id).await.expect("an interim proof");
    assert_eq!(stage, v1::Stage::Interim);
}

#[tokio::test]
async fn an_offline_agent_leaves_every_target_unproven() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    story.site.stop_agent().await.expect("the agent stops");
    let request = after_the_day(&mut story, &request).await;
    assert_interim(
        &story,
        &request,
        &[
            "web1/www: no-receipt",
            "web1/mail: no-receipt",
            "web1/register-service: no-receipt",
            "web1/register-contact: no-receipt",
            "web1/register-invoices: no-receipt",
        ],
    )
    .await;
    assert!(story.site.provider.web(&story.leaver).exists());
}

#[tokio::test]
async fn a_target_in_observe_mode_is_not_touched_and_named() {
    let mut story = Story::begin(|options| {
        options.backups = false;
        options.observe = vec!["mail".to_owned()];
    })
    .await
    .expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let request = after_the_day(&mut story, &request).await;
    assert_interim(&story, &request, &["web1/mail: observe-mode"]).await;
    assert!(story.site.provider.mail(&story.leaver).exists(), "observe mode touches nothing");
    assert!(!story.site.provider.web(&story.leaver).exists(), "the other targets are erased");
}

#[tokio::test]
async fn a_disk_that_is_not_mounted_is_never_absent() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let (mounted, away) = (story.site.path("srv/www"), story.site.path("srv-www-away"));
    std::fs::rename(&mounted, &away).expect("the disk goes away");
    std::fs::create_dir(&mounted).expect("an empty mount point stays");
    let missing = after_the_day(&mut story, &request).await;
    assert_interim(&story, &missing, &["web1/www: sentinel-missing"]).await;

    std::fs::remove_dir(&mounted).expect("the mount point");
    std::fs::rename(&away, &mounted).expect("the disk is mounted again");
    story.advance(day(2026, 3, 4), 12, 0).await.expect("the clock moves");
    story.advance(day(2026, 3, 5), 12, 0).await.expect("the clock moves");
    let done = story.request(&request).await.expect("the request");
    assert_eq!(done.unproven, Vec::<String>::new());
    assert!(!done.done.is_empty(), "once the disk is back the request finishes by itself");
    assert!(!story.site.provider.web(&story.leaver).exists());
}
