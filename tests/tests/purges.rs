//! Rolling purges with real processes: one request a day without a subject, one receipt a run, one statement a day; nothing
//! goes before an approver signed the policy version, and what belongs to somebody under a hold stays.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::provider::{statement_of, verify};
use gallra_testkit::{Story, day};

const LOGS: &str = r#"
[[target]]
id = "visits"
category = "access-logs"
role = "controller"
scope = "contract"
mode = "act"

[target.access-log]
root = "@dir@/srv/logs"
logs = ["access.log"]
format = "vhost-combined"
subject_by = "host"
hosts = ["{service}", "www.{service}"]
youngest_purge_age_days = 180
"#;

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn visit(host: &str, time: &str) -> String {
    format!("{host}:443 192.0.2.7 - - [{time} +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"curl\"\n")
}

const OLD: &str = "03/Mar/2025:10:00:00";
const YOUNG: &str = "20/Dec/2025:10:00:00";

struct Purges {
    story: Story,
}

impl Purges {
    /// A site whose log has an old and a young line of each customer, and of a stranger.
    async fn begin() -> Self {
        let story = Story::begin(|options| {
            options.backups = false;
            options.more = LOGS.to_owned();
            std::fs::create_dir_all(options.dir.join("srv/logs")).expect("a folder");
            std::fs::write(options.dir.join("srv/logs/access.log"), visit("other.example", YOUNG)).expect("a log");
        })
        .await
        .expect("a site");
        let purges = Self { story };
        for time in [OLD, YOUNG] {
            for host in ["solrosen.example", "www.solrosen.example.org", "other.example"] {
                purges.visited(host, time);
            }
        }
        purges
    }

    fn visited(&self, host: &str, time: &str) {
        let path = self.story.site.path("srv/logs/access.log");
        let log = std::fs::read_to_string(&path).expect("a log") + &visit(host, time);
        std::fs::write(path, log).expect("a log");
    }

    /// Lines of a host that are old.
    fn old_lines(&self, host: &str) -> usize {
        let log = std::fs::read_to_string(self.story.site.path("srv/logs/access.log")).expect("a log");
        log.lines().filter(|line| line.starts_with(&format!("{host}:")) && line.contains(OLD)).count()
    }

    fn young_lines(&self) -> usize {
        let log = std::fs::read_to_string(self.story.site.path("srv/logs/access.log")).expect("a log");
        log.lines().filter(|line| line.contains(YOUNG)).count()
    }

    /// The purge of a day, as `gallra request list` shows it.
    fn of_day(&self, day: &str) -> serde_json::Value {
        let all = json(&gallra(&self.story.site.profile(), &["request", "list"]));
        let all = all.as_array().expect("a list").clone();
        let mut of_day = all.into_iter().filter(|request| request["day"] == day);
        let found = of_day.next().unwrap_or_else(|| panic!("no purge of {day}"));
        assert!(of_day.next().is_none(), "one request a day");
        assert_eq!((&found["kind"], &found["subject"]), (&"purge".into(), &"".into()));
        found
    }

    fn receipts(&self, purge: &serde_json::Value) -> Vec<serde_json::Value> {
        let id = purge["id"].as_str().expect("a reference");
        let all = json(&gallra(&self.story.site.profile(), &["receipt", "list", id]));
        all.as_array().expect("a list").clone()
    }

    fn sign(&self) -> serde_json::Value {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/webone.toml");
        let key = self.story.site.path("cause.key");
        let words = ["policy", "apply", pack.to_str().expect("text"), "--cause-key", key.to_str().expect("text")];
        json(&gallra(&self.story.site.approver(), &words))
    }

    /// The one statement of a day's purge, and what a stranger makes of it.
    async fn statement(&self, purge: &serde_json::Value) -> (serde_json::Value, String) {
        let id = purge["id"].as_str().expect("a reference");
        let (proof, key, _) = self.story.newest_proof(id).await.expect("a statement");
        let said = statement_of(&proof).expect("a statement");
        assert_eq!(said["sequence"], 1, "one statement a day");
        (said, verify(&proof, &key))
    }
}

fn facts(request: &serde_json::Value) -> Vec<&str> {
    request["facts"].as_array().expect("a list").iter().filter_map(serde_json::Value::as_str).collect()
}

#[tokio::test]
async fn what_is_too_old_goes_daily_once_the_policy_version_is_signed() {
    let mut purges = Purges::begin().await;
    purges.story.advance(day(2026, 1, 3), 12, 0).await.expect("the clock moves");
    let waiting = purges.of_day("2026-01-03");
    assert_eq!((facts(&waiting), &waiting["state"]), (vec!["needs_approval"], &"planned".into()));
    assert_eq!(purges.old_lines("other.example"), 1, "nobody has signed");

    assert_eq!(purges.sign()["purges"], true);
    purges.story.advance(day(2026, 1, 3), 12, 5).await.expect("the clock moves");
    let done = purges.of_day("2026-01-03");
    assert_eq!((&done["state"], &done["proofs"]), (&"done".into(), &1.into()), "{done:#}");
    assert_eq!(done["approved_by"][0]["of"], "policy");
    for host in ["solrosen.example", "www.solrosen.example.org", "other.example"] {
        assert_eq!(purges.old_lines(host), 0, "{host}");
    }
    assert_eq!(purges.young_lines(), 4, "what is young stays, whoever's it is");
    let (said, verdict) = purges.statement(&done).await;
    assert_eq!(verdict, "VALID final");
    assert!(said.get("subject").is_none(), "it is about nobody");
    assert_eq!(said["targets"][0]["counts"]["erased"], 3);
    let receipts =
        json(&gallra(&purges.story.site.profile(), &["receipt", "list", done["id"].as_str().expect("text")]));
    assert_eq!(receipts.as_array().map(Vec::len), Some(1), "one receipt a run: {receipts:#}");

    // A day on which nothing is too old has its statement, too.
    purges.story.advance(day(2026, 1, 4), 12, 0).await.expect("the clock moves");
    let quiet = purges.of_day("2026-01-04");
    assert_eq!(quiet["state"], "done");
    let (said, verdict) = purges.statement(&quiet).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["counts"]["absent"]), ("VALID final", &1.into()));
}

#[tokio::test]
async fn what_belongs_to_somebody_under_a_hold_stays_until_it_is_released() {
    let mut purges = Purges::begin().await;
    let (operator, approver) = (purges.story.site.profile(), purges.story.site.approver());
    let number = purges.story.leaver.number.clone();
    let placed = json(&gallra(&operator, &["hold", "place", "--customer", &number, "--ground", "a dispute"]));
    purges.sign();
    purges.story.advance(day(2026, 1, 3), 12, 0).await.expect("the clock moves");
    assert_eq!(purges.old_lines("solrosen.example"), 1, "held");
    assert_eq!(purges.old_lines("www.solrosen.example.org"), 0, "a look-alike is not");
    assert_eq!(purges.old_lines("other.example"), 0);
    let held = purges.of_day("2026-01-03");
    let (said, verdict) = purges.statement(&held).await;
    assert_eq!(verdict, "VALID interim until unknown");
    assert_eq!(said["targets"][0]["why"], "held");
    let receipt = &purges.receipts(&held)[0];
    assert_eq!((&receipt["erased"], &receipt["retained"]), (&2.into(), &1.into()), "{receipt:#}");
    let file = std::fs::read_to_string(purges.story.folder.path().join("proof.json")).expect("a file");
    assert!(!file.contains(&number) && !file.contains("solrosen"), "whose items stay is nobody's to read");

    let hold = placed["hold"]["id"].as_str().expect("a reference");
    json(&gallra(&approver, &["hold", "release", hold, "--reason", "settled"]));
    purges.story.advance(day(2026, 1, 4), 12, 0).await.expect("the clock moves");
    assert_eq!(purges.old_lines("solrosen.example"), 0, "the next day's purge takes it");
    let after = purges.of_day("2026-01-04");
    assert_eq!(after["state"], "done");
    assert!(facts(&purges.of_day("2026-01-03")).contains(&"cancelled"), "the day before is closed");
}

#[tokio::test]
async fn a_day_on_which_the_agent_was_away_is_closed_as_what_it_is() {
    let mut purges = Purges::begin().await;
    purges.sign();
    purges.story.advance(day(2026, 1, 2), 12, 0).await.expect("the clock moves");
    purges.story.site.stop_agent().await.expect("the agent stops");
    purges.visited("other.example", OLD);
    purges.story.advance(day(2026, 1, 3), 12, 0).await.expect("the clock moves");
    assert_eq!(purges.of_day("2026-01-03")["state"], "approved");
    purges.story.advance(day(2026, 1, 4), 12, 0).await.expect("the clock moves");
    let missed = purges.of_day("2026-01-03");
    assert!(facts(&missed).contains(&"cancelled"));
    let (said, verdict) = purges.statement(&missed).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["why"]), ("VALID interim until unknown", &"no-receipt".into()));

    purges.story.site.start_agent().await.expect("the agent starts");
    purges.story.advance(day(2026, 1, 4), 12, 30).await.expect("the clock moves");
    assert_eq!(purges.of_day("2026-01-04")["state"], "done", "the next day's reaches all that was missed");
    assert_eq!(purges.old_lines("other.example"), 0);
}
