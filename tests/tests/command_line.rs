//! The command line against a running site: what readers print, and which exit code which mistake has. The codes are a
//! contract (`docs/exit-codes.md`).

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::Story;

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

#[tokio::test]
async fn readers_print_json_with_words_and_mistakes_have_their_codes() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let profile = story.site.profile();
    let run = |words: &[&str]| gallra(&profile, words);

    let requests = json(&run(&["request", "list", "--open", "--output", "json"]));
    assert_eq!(requests[0]["id"], serde_json::json!(request));
    assert_eq!(requests[0]["state"], "approved");
    let targets = json(&run(&["target", "list", "--output", "json"]));
    assert_eq!(targets[0]["kind"], "files");
    assert_eq!(targets[0]["mode"], "act");
    // What the list prints is what an offline preview reads: no coordinator is asked, so none need be there.
    let list = story.folder.path().join("targets.json");
    std::fs::write(&list, targets.to_string()).expect("a file");
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/webone.toml");
    let offline =
        ["plan", "preview", "--policy", pack, "--inventory", &list.display().to_string(), "--ended", "2026-01-31"];
    let with = |more: &[&str]| gallra(&story.folder.path().join("no-profile"), &[&offline[..], more].concat());
    let previewed = json(&with(&["--settled", "2026-01-31", "--output", "json"]));
    let of_all =
        previewed["steps"].as_array().expect("steps").iter().filter(|step| step["action"] == "inspect").count();
    assert_eq!(of_all, targets.as_array().expect("a list").len());
    let page = with(&["--output", "html", "--language", "sv"]);
    assert!(page.status.success() && page.stderr.is_empty(), "{}", String::from_utf8_lossy(&page.stderr));
    assert!(String::from_utf8_lossy(&page.stdout).contains("<html lang=\"sv\">"));
    let jobs = json(&run(&["job", "list", &request, "--output", "json"]));
    assert!(jobs.as_array().expect("a list").iter().any(|job| job["action"] == "erase" && job["state"] == "waiting"));
    let plan = json(&run(&["plan", "show", &request, "--output", "json"]));
    assert_eq!(plan["request"], serde_json::json!(request));
    let contract = json(&run(&["contract", "show", "--service", &story.leaver.service, "--output", "json"]));
    assert_eq!(contract["state"], "settled");
    let agents = json(&run(&["agent", "list", "--output", "json"]));
    assert_eq!((&agents[0]["name"], &agents[0]["connected"]), (&serde_json::json!("web1"), &serde_json::json!(true)));

    let nobody = "0".repeat(32);
    let away = story.folder.path().join("no-profile");
    for (words, code) in [
        (vec!["request", "show", &nobody], 3),
        (vec!["request", "show", "not-an-id"], 2),
        (vec!["request", "frobnicate"], 2),
        (vec!["contract", "end", "--service", "../etc", "--ended", "2026-02-01"], 2),
        (vec!["contract", "end", "--service", "nobody.example", "--ended", "2026-02-01"], 3),
        (vec!["contract", "end", "--service", &story.stayer.service, "--ended", "2026-02-30"], 2),
        (vec!["agent", "invite", "web1"], 6),
        (vec!["plan", "preview"], 2),
        (vec!["plan", "preview", "--request", &nobody], 3),
        (
            vec![
                "plan",
                "preview",
                "--service",
                &story.stayer.service,
                "--ended",
                "2026-02-01",
                "--settled",
                "2026-01-01",
            ],
            2,
        ),
        (vec!["proof", "get", &request], 3),
    ] {
        let output = run(&words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "{words:?} prints data beside its failure");
        assert!(!output.stderr.is_empty(), "{words:?} says nothing");
    }
    assert_eq!(gallra(&away, &["request", "list"]).status.code(), Some(2), "no profile");
    story.site.stop_coordinator().await.expect("it stops");
    assert_eq!(run(&["request", "list"]).status.code(), Some(5), "no coordinator");
}

#[tokio::test]
async fn a_demonstrations_directory_is_never_served_under_the_real_clock() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.site.stop_coordinator().await.expect("it stops");
    let output = Command::new(programs().expect("the programs").join("gallra-coordinator"))
        .args(["serve", "--dir"])
        .arg(story.site.path("coordinator"))
        .output()
        .expect("it runs, and ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("simulated clock"), "{output:?}");
}

#[tokio::test]
async fn a_join_token_works_once() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let invited = gallra(&story.site.profile(), &["agent", "invite", "web2"]);
    let token = String::from_utf8(invited.stdout).expect("text").trim().to_owned();
    let join = |dir: &str| {
        Command::new(programs().expect("the programs").join("gallra-agent"))
            .args(["join", "--dir"])
            .arg(story.folder.path().join(dir))
            .env("GALLRA_JOIN_TOKEN", &token)
            .output()
            .expect("gallra-agent runs")
            .status
            .success()
    };
    assert!(join("first"), "an unused token lets an agent in");
    assert!(!join("second"), "a used one does not");
    let again = gallra(&story.site.profile(), &["agent", "invite", "web2"]);
    assert!(again.status.success(), "a name whose host never opened a session can be given out again");
}

#[test]
fn what_explain_refuses_leaves_stdout_empty_and_says_why() {
    let program = programs().expect("the programs").join("gallra");
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let explain = |pack: &str, words: &[&str]| {
        let file = packs.join(format!("{pack}.toml"));
        Command::new(&program).args(["policy", "explain"]).arg(file).args(words).output().expect("gallra runs")
    };
    for (pack, words, why) in [
        ("netip", vec!["--category", "hosted-logs"], "netip/hosted-logs"),
        ("webone", vec!["--category", "mails"], "unknown category"),
        ("webone", vec!["--category", "mail", "--ended", "2026-02-30"], "--ended"),
        ("webone", vec!["--category", "mail", "--ended", "2026-02-02", "--settled", "2026-02-01"], "--settled"),
        ("webone", vec!["--category", "mail", "--instruction", "no-such-file"], "no-such-file"),
    ] {
        let output = explain(pack, &words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?} prints data beside its refusal");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{words:?}: {output:?}");
    }
    let answer = json(&explain("webone", &["--category", "response", "--received", "2026-11-24", "--output", "json"]));
    let dates = |at: usize| [&answer[at]["planned"], &answer[at]["latest"]].map(|day| day.as_str().map(str::to_owned));
    let expected = ["2026-12-23", "2026-12-24"].map(|day| Some(day.to_owned()));
    assert_eq!((dates(0), dates(2)), (expected.clone(), expected));
    assert!(answer[0]["note"].as_str().is_some_and(|note| note.contains("2026-12-28")), "{answer}");
    assert_eq!((&answer[2]["rule"], &answer[2]["bound"]), (&serde_json::json!("result"), &serde_json::Value::Null));
}
