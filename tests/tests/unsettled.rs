//! The weekly list of contracts that ended and that nobody settles, with real processes and the command line.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::process::Command;

use gallra_cli::demo::site::programs;
use gallra_testkit::{Story, day};

fn listed(story: &Story) -> serde_json::Value {
    let output = Command::new(programs().expect("the programs").join("gallra"))
        .args(["request", "list", "--unsettled", "--output", "json"])
        .env("GALLRA_PROFILE", story.site.profile())
        .output()
        .expect("gallra runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains(&story.leaver.service) && !text.contains(&story.leaver.number), "it names nobody");
    serde_json::from_str(&text).expect("JSON on stdout")
}

#[tokio::test]
async fn a_contract_that_nobody_settles_is_listed_weekly_until_somebody_does() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    let request = story.end().await.expect("it ends");
    story.advance(day(2026, 2, 23), 12, 0).await.expect("the clock moves");
    assert_eq!(
        (&listed(&story)["day"], &listed(&story)["listed"]),
        (&"2026-02-23".into(), &0.into()),
        "not a month yet"
    );

    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    let list = listed(&story);
    assert_eq!((&list["day"], &list["listed"]), (&"2026-03-02".into(), &1.into()), "{list:#}");
    let one = &list["contracts"][0];
    assert_eq!((&one["request"], &one["ended"]), (&request.as_str().into(), &"2026-01-31".into()));
    assert_eq!((&one["since"], &one["waited_days"]), (&"2026-02-28".into(), &30.into()));

    story.settle().await.expect("it is settled");
    assert_eq!(listed(&story)["contracts"].as_array().map(Vec::len), Some(0), "who settles drops off");
}
