//! One person's address in the provider's own log (decision 10): exactly that person's lines go, in exactly the time in which
//! it was theirs, and everybody else's stay byte for byte (I11). Where no address is on record nothing is claimed (I5).

use std::path::PathBuf;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_store::Keyring;
use gallra_store::search::{Needles, search_files};
use gallra_testkit::provider::{statement_of, verify};
use gallra_testkit::{Story, day};
use gallra_wire::v1;

/// The leaver's from 5 to 20 January, somebody else's before and after.
const OLD: &str = "192.0.2.77";
/// The leaver's from 15 January on, and nobody says until when.
const NEW: &str = "2001:db8::7";

/// The log of the provider's own portal: the customer signs in there, whatever service it is about.
const PORTAL: &str = r#"
[[target]]
id = "portal"
category = "access-logs"
role = "controller"
scope = "customer"
mode = "act"
[target.access-log]
root = "@dir@/srv/portal"
logs = ["access.log"]
format = "combined"
subject_by = "address"
"#;

/// A line of `combined`, in Swedish winter time.
fn visit(address: &str, time: &str) -> String {
    format!("{address} - - [{time} +0100] \"GET /mina-sidor HTTP/1.1\" 200 17 \"-\" \"for {OLD}, {NEW}\"\n")
}

fn mine() -> Vec<String> {
    vec![
        visit(OLD, "05/Jan/2026:00:00:00"),
        visit("::ffff:192.0.2.77", "10/Jan/2026:12:00:00"),
        visit("::FFFF:c000:024d", "12/Jan/2026:12:00:00"),
        visit(NEW, "15/Jan/2026:00:00:00"),
        visit(OLD, "20/Jan/2026:23:59:59"),
        visit("2001:DB8:0:0::0007", "31/Jan/2026:23:59:59"),
    ]
}

fn others() -> Vec<String> {
    vec![
        visit(OLD, "04/Jan/2026:23:59:59"),
        visit("192.0.2.7", "10/Jan/2026:12:00:00"),
        visit("192.0.2.177", "10/Jan/2026:12:00:00"),
        visit("::192.0.2.77", "10/Jan/2026:12:00:00"),
        visit(NEW, "14/Jan/2026:23:59:59"),
        visit("2001:db8::70", "16/Jan/2026:12:00:00"),
        visit("2001:db8::7:0", "16/Jan/2026:12:00:00"),
        visit(OLD, "21/Jan/2026:00:00:00"),
        visit(OLD, "25/Jan/2026:12:00:00"),
        visit(NEW, "01/Feb/2026:00:00:00"),
    ]
}

/// The leaver's and everybody else's lines, mixed.
fn mixed() -> String {
    let (mut mine, mut others) = (mine().into_iter(), others().into_iter());
    let mut lines = String::new();
    loop {
        let (one, other) = (mine.next(), others.next());
        if one.is_none() && other.is_none() {
            return lines;
        }
        lines.extend([one, other].into_iter().flatten());
    }
}

struct Log(PathBuf);

impl Log {
    fn of(story: &Story) -> Self {
        let log = Self(story.site.path("srv/portal"));
        std::fs::create_dir(&log.0).expect("a folder");
        for name in ["access.log", "access.log.1"] {
            std::fs::write(log.0.join(name), mixed()).expect("a log");
        }
        log
    }

    fn holds(&self, lines: &str) {
        for name in ["access.log", "access.log.1"] {
            assert_eq!(std::fs::read_to_string(self.0.join(name)).expect("a log"), lines, "{name}");
        }
    }
}

fn gallra(story: &Story, words: &[&str]) -> Output {
    let mut command = Command::new(programs().expect("the programs").join("gallra"));
    command.args(words).env("GALLRA_PROFILE", story.site.profile()).output().expect("gallra runs")
}

fn record(story: &Story, words: &[&str]) -> serde_json::Value {
    let words = [&["contract", "address", story.leaver.service.as_str()], words, &["--output", "json"]].concat();
    let output = gallra(story, &words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn begin() -> (Story, Log) {
    let story = Story::begin(|options| {
        options.backups = false;
        options.more = PORTAL.to_owned();
    })
    .await
    .expect("a site");
    let log = Log::of(&story);
    (story, log)
}

/// Files of coordinator, agent and logs in which one of the leaver's addresses can be read with the keys that are there.
async fn readable(story: &mut Story) -> Vec<PathBuf> {
    story.site.stop_agent().await.expect("it ends");
    story.site.stop_coordinator().await.expect("it ends");
    let keyring = Keyring::open(&story.site.path("coordinator/keys")).expect("the keys");
    let needles = Needles::new([OLD, NEW]);
    let mut hits = Vec::new();
    for folder in ["coordinator", "agent", "logs"] {
        let found = search_files(&story.site.path(folder), &keyring, &needles).expect("every file can be read");
        hits.extend(found.into_iter().filter(|(_, found)| found.is_hit()).map(|(path, _)| path));
    }
    story.site.start_coordinator().await.expect("it starts");
    story.site.start_agent().await.expect("it starts");
    hits
}

/// Plays from the settlement until the logs' day, six months later, and the day after.
async fn until_the_day(story: &mut Story) {
    for (month, of_month) in [(2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 30), (7, 31), (8, 1)] {
        story.advance(day(2026, month, of_month), 22, 30).await.expect("the clock moves");
    }
}

#[tokio::test]
async fn the_leavers_lines_go_in_the_leavers_time_and_everybody_elses_stay() {
    let (mut story, log) = begin().await;
    let listed = gallra(&story, &["target", "list"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).matches("by address").count(), 1, "{listed:?}");
    record(&story, &["--ip", OLD, "--from", "2026-01-05"]);
    record(&story, &["--ip", NEW, "--from", "2026-01-15"]);
    // A slip of somebody's fingers, noticed in time.
    assert_eq!(record(&story, &["--ip", "192.0.2.177", "--from", "2026-01-05"])["on_record"], 3);
    assert_eq!(record(&story, &["--ip", "192.0.2.177", "--withdraw"])["on_record"], 2);
    // Billing hears that somebody else has it now.
    let known = record(&story, &["--ip", OLD, "--from", "2026-01-05", "--until", "2026-01-20"]);
    assert_eq!(known["on_record"], 2, "{known}");
    let request = story.end_and_settle().await.expect("a request");
    log.holds(&mixed());
    assert!(
        !readable(&mut story).await.is_empty(),
        "the search is blind, so that its silence later would prove nothing"
    );

    until_the_day(&mut story).await;
    log.holds(&others().concat());
    let (proof, key, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final, "{:?}", story.request(&request).await);
    assert!(verify(&proof, &key).starts_with("VALID final"), "{}", verify(&proof, &key));
    let statement = statement_of(&proof).expect("a statement");
    let targets = statement["targets"].as_array().expect("targets");
    let portal = targets.iter().find(|target| target["target"] == "portal").expect("the portal");
    assert_eq!(portal["counts"]["erased"], 2 * mine().len() as u64, "{portal}");
    assert!(!std::fs::read_to_string(&proof).expect("the proof").contains(OLD));

    for days in [5, 12, 20, 27, 31] {
        story.advance_days(day(2026, 8, 1), days).await.expect("the clock moves");
    }
    assert_eq!(readable(&mut story).await, Vec::<PathBuf>::new(), "they still hold an address of who was erased");
    log.holds(&others().concat());
}

#[tokio::test]
async fn where_no_address_is_on_record_nothing_is_claimed_until_one_is() {
    let (mut story, log) = begin().await;
    let request = story.end_and_settle().await.expect("a request");
    until_the_day(&mut story).await;
    let open = story.request(&request).await.expect("the request");
    assert_eq!(
        (open.unproven.as_slice(), open.done.as_str()),
        (["web1/portal: bad-selector".to_owned()].as_slice(), "")
    );
    assert_eq!(story.newest_proof(&request).await.expect("a proof").2, v1::Stage::Interim);
    log.holds(&mixed());

    let nobodys =
        gallra(&story, &["contract", "address", &story.leaver.service, "--ip", "127.0.0.1", "--from", "2026-01-05"]);
    assert!(
        !nobodys.status.success() && !String::from_utf8_lossy(&nobodys.stderr).contains("127.0.0.1"),
        "{nobodys:?}"
    );
    record(&story, &["--ip", OLD, "--from", "2026-01-05", "--until", "2026-01-20"]);
    record(&story, &["--ip", NEW, "--from", "2026-01-15"]);
    // Refused, it is asked again within a day; then live data is looked at once more.
    for of_month in [2, 3, 4] {
        story.advance(day(2026, 8, of_month), 22, 31).await.expect("the clock moves");
    }
    log.holds(&others().concat());
    let done = story.request(&request).await.expect("the request");
    assert!(!done.done.is_empty() && done.unproven.is_empty(), "{done:?}");
}
