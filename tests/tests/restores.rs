//! Restores (decision 8): old data that comes back in place, with real processes and a real repository, and the coordinator
//! down. Who was erased since goes again, from trees, mail and register; everybody else stays to the byte.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::people::Person;
use gallra_cli::demo::site::{Site, programs, wait_for};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::suppression_service_client::SuppressionServiceClient;

/// The live targets that the leaver is erased from, and what of the host's data each is.
const TARGETS: [(&str, &str); 3] = [("www", "srv/www"), ("mail", "srv/mail"), ("register-service", "srv/register.db")];

/// When the routine saved everything, with the leaver in it.
const TAKEN: &str = "2026-01-04T02:00:00Z";

fn restored(site: &Site, dir: &Path, target: &str, more: &[&str]) -> Output {
    command(site, dir, target, more).output().expect("gallra-agent runs")
}

fn command(site: &Site, dir: &Path, target: &str, more: &[&str]) -> Command {
    let mut command = Command::new(programs().expect("the programs").join("gallra-agent"));
    command
        .args(["restored", "--accept-simulated-clock", "--output", "json", "--taken", TAKEN, "--target", target])
        .arg("--dir")
        .arg(dir)
        .arg("--config")
        .arg(site.path("agent.toml"))
        .args(more);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn subjects(output: &Output) -> serde_json::Value {
    let restored: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an object");
    restored["subjects"].clone()
}

async fn entries(story: &Story) -> Vec<v1::Suppression> {
    let mut client = SuppressionServiceClient::new(story.site.channel().expect("a channel"));
    let all = client.list_suppressions(v1::ListSuppressionsRequest::default()).await.expect("entries");
    all.into_inner().suppressions
}

/// Waits until the agent's list on its disk has so many lines.
async fn wait_for_lines(site: &Site, lines: usize) {
    let list = site.path("agent/privileged/suppression/list");
    let there = async || (std::fs::read_to_string(&list).ok()?.lines().count() >= lines).then_some(());
    wait_for("the agent to have its suppression list", there).await.expect("its list");
}

/// A site whose only copies are from before the leaver was erased, and whose agent knows of the erasure.
async fn erased() -> Story {
    let mut story = Story::begin(|_| {}).await.expect("a site");
    story.advance(day(2026, 1, 4), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists(), "erased");
    let entries = entries(&story).await;
    assert_eq!(entries.iter().map(|entry| entry.state.as_str()).collect::<Vec<_>>(), ["in-force"; 3]);
    wait_for_lines(&story.site, 3).await;
    story
}

/// The old copy is put back over what is there.
fn restore_in_place(story: &Story) {
    for (_, path) in TARGETS {
        story.site.routine.restore_newest(&story.site.path(path), Path::new("/")).expect("a restore");
    }
}

fn there(story: &Story, person: &Person) -> [bool; 3] {
    let provider = &story.site.provider;
    // The hosted address stands in the register's mailbox rows, and in nobody else's.
    let pages = std::fs::read(provider.register()).expect("the register");
    let row = pages.windows(person.hosted.len()).any(|window| window == person.hosted.as_bytes());
    [provider.web(person).exists(), provider.mail(person).exists(), row]
}

/// The receipts' files that a restore left.
fn receipts(dir: &Path) -> Vec<PathBuf> {
    let place = std::fs::read_dir(dir.join("privileged/restores")).expect("receipts");
    place.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some()).collect()
}

#[tokio::test]
async fn an_old_copy_that_is_restored_with_the_coordinator_down_brings_nobody_back() {
    let mut story = erased().await;
    let before = story.site.provider.everything_of(&story.stayer).expect("the stayer's");
    story.site.stop_coordinator().await.expect("stops");
    story.site.stop_agent().await.expect("stops");
    restore_in_place(&story);
    assert_eq!(there(&story, &story.leaver), [true; 3], "the copy brought the leaver back");
    let dir = story.site.path("agent");
    for (target, _) in TARGETS {
        let dry = restored(&story.site, &dir, target, &["--dry-run"]);
        assert_eq!((dry.status.code(), &subjects(&dry)["matched"]), (Some(3), &1.into()), "{}", said(&dry));
    }
    assert_eq!(there(&story, &story.leaver), [true; 3], "a dry run touches nothing");
    for (target, _) in TARGETS {
        let done = restored(&story.site, &dir, target, &[]);
        assert_eq!(done.status.code(), Some(0), "{target}: {}", said(&done));
        let subjects = subjects(&done);
        assert_eq!((&subjects["matched"], &subjects["erased"]), (&1.into(), &1.into()), "{target}: {subjects}");
        assert_eq!(subjects["others_before"], subjects["others_after"], "{target}: {subjects}");
    }
    assert_eq!(there(&story, &story.leaver), [false; 3]);
    assert_eq!(story.site.provider.everything_of(&story.stayer).expect("the stayer's"), before, "the look-alike");
    assert_receipts_verify(&dir);
    // The agent goes on as if nothing had happened: its journal stands after every erasure.
    story.site.start_coordinator().await.expect("starts");
    story.site.start_agent().await.expect("starts");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
}

/// Every line of every file opens under the agent's key, and the last says that the data is released.
fn assert_receipts_verify(dir: &Path) {
    let pem = std::fs::read_to_string(dir.join("privileged/evidence.pem")).expect("the key");
    let key = gallra_proof::key::SigningKey::from_pem(&pem).expect("a key").verifying();
    let files = receipts(dir);
    assert_eq!(files.len(), TARGETS.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("reads");
        let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).expect("an envelope")).collect();
        let (last, erasures) = lines.split_last().expect("a restore receipt");
        let (restored, _) = gallra_proof::suppression::open_restored(last, &key).expect("signed");
        let opened = erasures.iter().map(|erasure| gallra_proof::receipt::open(erasure, &key).expect("signed").1);
        assert_eq!((restored.released, restored.receipts), (true, opened.collect::<Vec<_>>()));
    }
}

#[tokio::test]
async fn what_an_approver_lifted_comes_back_and_the_rest_does_not() {
    let mut story = erased().await;
    let www = entries(&story).await.into_iter().find(|entry| entry.target == "www").expect("an entry");
    let gallra = |profile: &Path, words: &[&str]| {
        let mut command = Command::new(programs().expect("the programs").join("gallra"));
        command.args(words).env("GALLRA_PROFILE", profile).output().expect("gallra runs")
    };
    let listed = gallra(&story.site.profile(), &["suppression", "list", "--service", &story.leaver.service]);
    assert!(said(&listed).contains(&www.id) && said(&listed).contains("web1/mail"), "{}", said(&listed));
    let nobody = gallra(&story.site.profile(), &["suppression", "list", "--service", &story.stayer.service]);
    assert!(!said(&nobody).contains(&www.id), "{}", said(&nobody));
    let lift = ["suppression", "lift", &www.id, "--reason", "the customer came back"];
    assert_eq!(gallra(&story.site.profile(), &lift).status.code(), Some(4), "an operator lifts nothing");
    let lifted = gallra(&story.site.approver(), &lift);
    assert!(lifted.status.success() && said(&lifted).contains("demo-approver"), "{}", said(&lifted));
    let request = story.request(&www.request).await.expect("the request");
    assert!(request.facts.contains(&"reopened".to_owned()), "{:?}", request.facts);
    wait_for_lines(&story.site, 4).await;

    story.site.stop_coordinator().await.expect("stops");
    story.site.stop_agent().await.expect("stops");
    restore_in_place(&story);
    for (target, _) in TARGETS {
        let done = restored(&story.site, &story.site.path("agent"), target, &[]);
        assert_eq!(done.status.code(), Some(0), "{target}: {}", said(&done));
        assert_eq!(subjects(&done)["lifted"], u64::from(target == "www"), "{target}");
    }
    assert_eq!(there(&story, &story.leaver), [true, false, false]);
}

#[tokio::test]
async fn a_held_entry_waits_and_a_new_agents_directory_restores_nothing() {
    let mut story = erased().await;
    let mut holds = v1::hold_service_client::HoldServiceClient::new(story.site.channel().expect("a channel"));
    let target = v1::HeldTarget { agent: "web1".to_owned(), target: "mail".to_owned() };
    let covers = Some(v1::place_hold_request::Covers::Target(target));
    let hold = v1::PlaceHoldRequest { covers, ground: "a court asked".to_owned(), ..Default::default() };
    holds.place_hold(hold).await.expect("placed");
    wait_for_lines(&story.site, 4).await;
    story.site.stop_coordinator().await.expect("stops");
    story.site.stop_agent().await.expect("stops");
    restore_in_place(&story);
    let done = restored(&story.site, &story.site.path("agent"), "mail", &[]);
    assert_eq!((done.status.code(), &subjects(&done)["held"]), (Some(0), &1.into()), "{}", said(&done));
    assert!(story.site.provider.mail(&story.leaver).exists());

    // The same host, as it was when it had joined and never connected.
    let fresh = story.site.path("fresh");
    std::fs::create_dir_all(fresh.join("privileged")).expect("makes");
    for file in ["agent.json", "privileged/evidence.pem"] {
        std::fs::copy(story.site.path("agent").join(file), fresh.join(file)).expect("copies");
    }
    let refused = restored(&story.site, &fresh, "www", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("never heard all of its suppression list"), "{}", said(&refused));
    assert!(story.site.provider.web(&story.leaver).exists(), "nothing was touched");
}

#[tokio::test]
async fn once_no_older_copy_is_left_the_list_forgets_on_both_sides() {
    let mut story = Story::begin(|options| {
        options.keep = "{ last = 1 }".to_owned();
        options.keep_arguments = vec!["--keep-last".to_owned(), "1".to_owned()];
    })
    .await
    .expect("a site");
    story.advance(day(2026, 1, 4), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    wait_for_lines(&story.site, 3).await;
    let keys = |story: &Story| {
        let keys = std::fs::read_dir(story.site.path("coordinator/keys")).expect("the keys");
        keys.filter(|entry| entry.as_ref().expect("a key").file_name().to_string_lossy().starts_with("suppression-"))
            .count()
    };
    assert_eq!((entries(&story).await.len(), keys(&story)), (3, 1));
    story.advance(day(2026, 3, 8), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    story.site.routine.prune().expect("pruned");
    for weeks in 1..8 {
        story.advance_days(day(2026, 3, 8), weeks * 7).await.expect("the clock moves");
    }
    assert!(!story.request(&request).await.expect("the request").done.is_empty(), "every copy is gone");
    // A new stream looks at what is needed no longer.
    story.site.stop_agent().await.expect("stops");
    story.site.start_agent().await.expect("starts");
    let list = story.site.path("agent/privileged/suppression/list");
    let short = async || (std::fs::read_to_string(&list).ok()?.lines().count() == 1).then_some(());
    wait_for("the agent to forget", short).await.expect("forgets");
    assert!(!std::fs::read_to_string(&list).expect("reads").contains("\"key\""), "the month's key went too");
    assert_eq!((entries(&story).await.len(), keys(&story)), (0, 0));
}

#[tokio::test]
async fn a_restore_that_is_killed_in_the_middle_is_taken_up_by_the_next_run() {
    let mut story = erased().await;
    story.site.stop_coordinator().await.expect("stops");
    story.site.stop_agent().await.expect("stops");
    restore_in_place(&story);
    let dir = story.site.path("agent");
    for point in ["after_journal", "mid_act", "before_receipt", "restores_kept"] {
        let killed = command(&story.site, &dir, "www", &[]).env("GALLRA_CRASH_AT", point).output().expect("runs");
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&killed.status),
            Some(9),
            "{point}: {}",
            said(&killed)
        );
    }
    let done = restored(&story.site, &dir, "www", &[]);
    assert_eq!((done.status.code(), &subjects(&done)["erased"]), (Some(0), &1.into()), "{}", said(&done));
    let trash = std::fs::read_dir(story.site.path("srv/www/.gallra-trash")).expect("a trash");
    assert_eq!((trash.count(), story.site.provider.web(&story.leaver).exists()), (0, false));
    assert!(!dir.join("privileged/restores/begun-www").exists(), "no id is left on the disk");
    // One that was kept before the last kill, and one of the last run: both are told, and do no harm beside each other.
    let outbox = || std::fs::read_dir(dir.join("privileged/restores/outbox")).expect("an outbox").count();
    assert_eq!(outbox(), 2);
    story.site.start_coordinator().await.expect("starts");
    story.site.start_agent().await.expect("starts");
    wait_for("the restores to be told", async || (outbox() == 0).then_some(())).await.expect("told");
    let www = entries(&story).await.into_iter().find(|entry| entry.target == "www").expect("an entry");
    let request = story.request(&www.request).await.expect("the request");
    assert!(request.restores.len() == 2 && request.restores.iter().all(|restore| restore.gone), "{request:?}");
}
