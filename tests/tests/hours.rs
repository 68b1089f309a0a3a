//! A promise in hours with real processes: the provider's own log, in the format that nginx writes unless told otherwise, is
//! swept at each full hour; a line goes at the last sweep that is in time for it, one statement a day says so, and an hour
//! that was missed shows before the next is over.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::Path;
use std::process::Command;

use gallra_cli::demo::site::programs;
use gallra_testkit::provider::{statement_of, verify};
use gallra_testkit::{Story, day};

const LOG: &str = r#"
[[target]]
id = "visits"
category = "ip"
role = "controller"
scope = "customer"
mode = "act"

[target.access-log]
root = "@dir@/srv/logs"
logs = ["access.log"]
format = "combined"
subject_by = "address"
youngest_purge_age = "23 hours"
"#;

/// What the log holds in the end, whatever is swept.
const YOUNG: &str = "03/Jan/2026:23:50:00";

fn visit(time: &str) -> String {
    format!("192.0.2.7 - - [{time} +0000] \"GET /order HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\"\n")
}

struct Hours {
    story: Story,
}

impl Hours {
    async fn begin(times: &[&str]) -> Self {
        let log: String = times.iter().map(|time| visit(time)).collect();
        let story = Story::begin(|options| {
            options.backups = false;
            options.more = LOG.to_owned();
            std::fs::create_dir_all(options.dir.join("srv/logs")).expect("a folder");
            std::fs::write(options.dir.join("srv/logs/access.log"), log).expect("a log");
        })
        .await
        .expect("a site");
        let hours = Self { story };
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/connect2ip.toml");
        let key = hours.story.site.path("cause.key");
        let words = ["policy", "apply", pack.to_str().expect("text"), "--cause-key", key.to_str().expect("text")];
        assert_eq!(hours.gallra(&hours.story.site.approver(), &words)["purges"], true);
        hours
    }

    fn gallra(&self, profile: &Path, words: &[&str]) -> serde_json::Value {
        let output = Command::new(programs().expect("the programs").join("gallra"))
            .args(words)
            .args(["--output", "json"])
            .env("GALLRA_PROFILE", profile)
            .output()
            .expect("gallra runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON on stdout")
    }

    /// The times of the lines that are there.
    fn lines(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.story.site.path("srv/logs/access.log")).expect("a log");
        let time = |line: &str| line.split(['[', ' ']).nth(4).map(str::to_owned).expect("a time");
        log.lines().map(time).collect()
    }

    fn purge_of(&self, day: &str) -> serde_json::Value {
        let all = self.gallra(&self.story.site.profile(), &["request", "list"]);
        let mut of_day = all.as_array().expect("a list").iter().filter(|request| request["day"] == day);
        let found = of_day.next().unwrap_or_else(|| panic!("no purge of {day}")).clone();
        assert!(of_day.next().is_none(), "one request a day");
        found
    }

    fn has(&self, fact: &str) -> bool {
        let purge = self.purge_of("2026-01-03");
        purge["facts"].as_array().expect("a list").iter().any(|known| known == fact)
    }

    async fn at(&mut self, hour: i8, minute: i8) {
        self.story.advance(day(2026, 1, 3), hour, minute).await.expect("the clock moves");
    }
}

#[tokio::test]
async fn each_line_goes_at_the_last_full_hour_before_it_is_a_day_old() {
    let mut hours = Hours::begin(&[
        "02/Jan/2026:11:59:59",
        "02/Jan/2026:12:00:00",
        "02/Jan/2026:12:59:59",
        "02/Jan/2026:13:00:00",
        "02/Jan/2026:14:30:00",
        "02/Jan/2026:20:15:00",
        YOUNG,
    ])
    .await;
    // Noon in Stockholm is 11:00 UTC. What is of 12:00:00 is a day old at 12:00:00, and the next sweep is in time for it.
    hours.at(12, 0).await;
    assert_eq!(hours.lines().len(), 6);
    assert_eq!(hours.lines()[0], "02/Jan/2026:12:00:00");
    hours.at(12, 59).await;
    assert_eq!(hours.lines().len(), 6, "between two sweeps nothing goes");
    hours.at(13, 0).await;
    assert_eq!(hours.lines()[0], "02/Jan/2026:13:00:00", "two more");
    assert!(!hours.has("overdue"));

    // The agent is away for an hour, and the next one shows it.
    hours.story.site.stop_agent().await.expect("the agent stops");
    hours.at(14, 0).await;
    assert!(!hours.has("overdue"), "its hour is not over");
    hours.at(15, 0).await;
    assert!(hours.has("overdue"));
    assert_eq!(hours.lines().len(), 4);
    hours.story.site.start_agent().await.expect("the agent starts");
    hours.at(15, 1).await;
    assert_eq!(hours.lines(), ["02/Jan/2026:20:15:00", YOUNG], "it goes on where it was");
    assert!(!hours.has("overdue"));
    assert_eq!(
        (&hours.purge_of("2026-01-03")["state"], &hours.purge_of("2026-01-03")["proofs"]),
        (&"running".into(), &0.into())
    );

    // The day's last sweep is at two in the morning.
    hours.story.advance(day(2026, 1, 4), 2, 0).await.expect("the clock moves");
    let done = hours.purge_of("2026-01-03");
    assert_eq!((&done["state"], &done["proofs"]), (&"done".into(), &1.into()), "{done:#}");
    assert_eq!(hours.lines(), [YOUNG]);
    let id = done["id"].as_str().expect("a reference");
    let (proof, key, _) = hours.story.newest_proof(id).await.expect("a statement");
    let said = statement_of(&proof).expect("a statement");
    assert_eq!((&said["sequence"], &said["targets"][0]["counts"]["erased"]), (&1.into(), &6.into()));
    assert_eq!(verify(&proof, &key), "VALID final");
    let receipts = hours.gallra(&hours.story.site.profile(), &["receipt", "list", id]);
    assert_eq!(receipts.as_array().map(Vec::len), Some(15), "one a run");

    // The day after goes on with the next hour, and takes the youngest in its turn.
    hours.story.advance(day(2026, 1, 4), 3, 0).await.expect("the clock moves");
    assert_eq!(hours.lines(), [YOUNG]);
    hours.story.advance(day(2026, 1, 5), 0, 0).await.expect("the clock moves");
    assert!(hours.lines().is_empty(), "at 23:00 UTC, fifty minutes before it is a day old");
}
