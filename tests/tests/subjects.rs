//! A subject's way through the programs: told by billing, handed a code, the proof picked up with it when nobody knows the
//! subject any more, and one identifier shown alone (I12, I13).

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::{Story, day};
use serde_json::Value;

/// The tax agency's own example of a personal identity number.
const PERSONAL: &str = "personal-number=198112189876";

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[tokio::test]
async fn a_subject_picks_the_proof_up_and_shows_one_identifier_alone() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let profile = story.site.profile();
    let run = |words: &[&str]| gallra(&profile, words);
    let whose = ["contract", "identify", &story.leaver.service, "--customer", &story.leaver.number, "--identifier"];
    let sole_trader = run(&[&whose[..], &["organisation-number=811218-9876"]].concat());
    assert_eq!(sole_trader.status.code(), Some(2));
    assert!(said(&sole_trader).contains("give it as personal-number") && !said(&sole_trader).contains("9876"));
    json(&run(&[&whose[..], &["personal-number=19811218-9876", "--output", "json"]].concat()));

    let request = story.end_and_settle().await.expect("a request");
    let show = || json(&run(&["request", "show", &request, "--output", "json"]));
    assert_eq!((&show()["claim"]["state"], &show()["claim"]["shown"]), (&"waiting".into(), &0.into()));
    let shown = run(&["request", "code", &request, "--output", "json"]);
    assert!(said(&shown).contains("personal data"), "{}", said(&shown));
    let code = json(&shown)["code"].as_str().expect("a code").to_owned();
    assert!(said(&run(&["request", "show", &request])).contains("waits for delivery since"));
    let delivered = json(&run(&["request", "code", &request, "--delivered", "--output", "json"]));
    assert_eq!(delivered["claim"]["state"], "delivered");
    assert_eq!(run(&["request", "code", &request]).status.code(), Some(6), "nobody can show it any more");
    let early = run(&["proof", "get", "--code", &code]);
    assert_eq!(early.status.code(), Some(6), "{}", said(&early));

    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 9, 1), 12, 0).await.expect("the clock moves");
    assert_eq!(run(&["contract", "show", "--service", &story.leaver.service]).status.code(), Some(3), "forgotten");
    let file = story.folder.path().join("picked-up.json");
    let file = file.to_str().expect("a path");
    let got = run(&["proof", "get", "--code", &code, "--out", file]);
    assert!(got.status.success() && !said(&got).contains("interim"), "{}", said(&got));
    let unknown = run(&["proof", "get", "--code", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", said(&unknown));

    let (_, key, _) = story.newest_proof(&request).await.expect("the same proof");
    let key = key.to_str().expect("a path");
    let opened = run(&["subject", "open", "--code", &code, "--identifier", PERSONAL, "--proof", file]);
    assert!(opened.status.success(), "{}", said(&opened));
    let line = String::from_utf8(opened.stdout).expect("text").trim().to_owned();
    let verify = |opening: &str| run(&["verify", file, "--key", key, "--opening", opening]);
    let valid = verify(&line);
    assert!(
        valid.status.success() && said(&valid).contains("the proof is about the personal-number"),
        "{}",
        said(&valid)
    );
    assert!(!said(&valid).contains("198112189876"), "the value is not printed again");
    let another = verify(&line.replace("198112189876", "198112789873"));
    assert_eq!(another.status.code(), Some(26), "{}", said(&another));
    let not_theirs =
        run(&["subject", "open", "--code", &code, "--identifier", "service=stay.example", "--proof", file]);
    assert_eq!(not_theirs.status.code(), Some(3), "{}", said(&not_theirs));
}
