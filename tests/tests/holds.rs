//! A hold with a last day and reviews, against running processes: what is due for a review shows, and after the last day what is
//! overdue runs by itself.

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::{Story, day};
use serde_json::Value;

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

#[tokio::test]
async fn a_hold_is_reviewed_and_ends_by_itself_after_its_last_day() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let operator = story.site.profile();
    let number = story.leaver.number.clone();
    let place = |on: &str, until: &str| {
        let words = ["hold", "place", "--customer", &number, "--ground", "a letter from the police"];
        let more = ["--on", on, "--review", "2026-02-10", "--until", until];
        gallra(&operator, &[words.as_slice(), &more].concat())
    };
    let unknown = place("because", "2026-03-02");
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(2) && said.contains("preservation-order"), "the words there are: {said}");
    assert_eq!(place("preservation-order", "2026-01-31").status.code(), Some(2), "a last day that is today");
    let placed = json(&place("preservation-order", "2026-03-02"));
    let hold = placed["hold"]["id"].as_str().expect("a reference").to_owned();
    assert_eq!((&placed["hold"]["on"], &placed["hold"]["until"]), (&"preservation-order".into(), &"2026-03-02".into()));
    let due = || json(&gallra(&operator, &["hold", "list", "--due"]));
    let facts = async |story: &Story| story.request(&request).await.expect("the request").facts;
    assert_eq!(due(), serde_json::json!([]));

    story.advance(day(2026, 2, 10), 9, 0).await.expect("the clock moves");
    assert_eq!(due()[0]["id"], hold.as_str());
    assert!(facts(&story).await.contains(&"hold_review_due".to_owned()));
    let shown = json(&gallra(&operator, &["request", "show", &request]));
    assert_eq!(shown["holds"], serde_json::json!([hold]));
    let past = gallra(&operator, &["hold", "review", &hold, "--note", "still open", "--next", "2026-02-10"]);
    assert_eq!(past.status.code(), Some(2));
    let review = ["hold", "review", &hold, "--note", "still open", "--next", "2026-03-20"];
    let reviewed = json(&gallra(&operator, &review));
    assert_eq!((&reviewed["review"], &reviewed["reviews"][0]["note"]), (&"2026-03-20".into(), &"still open".into()));
    assert_eq!(due(), serde_json::json!([]));
    assert!(!facts(&story).await.contains(&"hold_review_due".to_owned()));

    // Its erasure is due on 28 February; the hold's last day is 2 March.
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 23, 59).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists(), "held to the end of the day");
    assert!(facts(&story).await.contains(&"held".to_owned()));
    story.advance(day(2026, 3, 3), 0, 1).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists(), "what is overdue runs");
    assert!(!facts(&story).await.contains(&"held".to_owned()));
    let all = json(&gallra(&operator, &["hold", "list", "--all"]));
    assert_eq!((&all[0]["released_by"], &all[0]["placed_by"]), (&"expiry".into(), &placed["hold"]["placed_by"]));
}
