//! The emergency stop and a hold against a real, slow act: within 5 seconds nothing more goes, what is left stays, and once
//! it is lifted the act goes on and the proof counts everything once. And an act that lasts longer than its permit: it asks on,
//! and comes to rest where nobody answers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gallra_cli::demo::site::{programs, wait_for};
use gallra_model::Instant;
use gallra_model::time::instant_of;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::v1::job_service_client::JobServiceClient;
use gallra_wire::v1::receipt_service_client::ReceiptServiceClient;
use tokio::time::Instant as Moment;

/// What `gallra stop` promises where the agent's stream lives.
const HALTED_WITHIN: Duration = Duration::from_secs(5);
/// More than the driver has in hand between two askings, many times over.
const FILES: usize = 3_000;
/// What the host's admin allows: the act takes ten seconds.
const A_SECOND: u32 = 300;
/// The same, where a coordinator starts again in its middle: half a minute.
const FEW_A_SECOND: u32 = 100;

fn gallra(story: &Story, words: &[&str]) -> serde_json::Value {
    let output = Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", story.site.profile())
        .output()
        .expect("gallra runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn count(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.filter_map(Result::ok).map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

fn evening() -> Instant {
    instant_of(day(2026, 2, 28), 22, 30).expect("a literal")
}

/// A story on the evening when the leaver's files are due, in the middle of an act that is slow.
async fn in_the_act() -> (Story, String, tokio::task::JoinHandle<()>) {
    in_an_act_of(60, A_SECOND).await
}

/// The same, where one permit lasts so many seconds, and so many items go a second.
async fn in_an_act_of(seconds: u32, a_second: u32) -> (Story, String, tokio::task::JoinHandle<()>) {
    let mut story = Story::begin(|options| {
        options.backups = false;
        options.without =
            ["mail", "register-service", "register-contact", "register-invoices"].map(str::to_owned).to_vec();
        options.items_per_second = Some(a_second);
        options.longest_act_seconds = Some(seconds);
    })
    .await
    .expect("a site");
    for number in 0..FILES {
        let file = story.site.provider.web(&story.leaver).join(format!("page-{number}.html"));
        std::fs::write(file, format!("page {number} of somebody who leaves")).expect("a file");
    }
    let request = story.end_and_settle().await.expect("a request");
    let to = evening().to_string();
    let mut clock = ClockServiceClient::new(story.site.channel().expect("a connection"));
    let advancing = tokio::spawn(async move {
        let _ = clock.advance_clock(v1::AdvanceClockRequest { to, wait_seconds: 60 }).await;
    });
    let www = story.site.path("srv/www");
    let whole = count(&www);
    wait_for("the act", async || (count(&www) + FILES / 10 < whole).then_some(())).await.expect("files go");
    (story, request, advancing)
}

/// Waits until nothing goes any more, and says how long after `since` the last file went.
async fn at_rest(www: &Path, since: Moment) -> Duration {
    let (mut left, mut last) = (count(www), since);
    let quiet = Duration::from_secs(2);
    wait_for("rest", async || {
        let now = count(www);
        if now != left {
            (left, last) = (now, Moment::now());
        }
        (last.elapsed() > quiet).then_some(())
    })
    .await
    .expect("it comes to rest");
    last.duration_since(since)
}

async fn goes_on_to_the_end(mut story: Story, request: &str) {
    story.advance(day(2026, 2, 28), 23, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists());
    assert!(story.site.provider.web(&story.stayer).exists());
    let (proof, _, stage) = story.newest_proof(request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final, "{:?}", story.request(request).await);
    let statement = gallra_testkit::provider::statement_of(&proof).expect("a statement");
    let erased = statement.pointer("/targets/0/counts/erased").and_then(serde_json::Value::as_u64).expect("a count");
    // Every page, and the six entries that a site has from its sale, each once.
    assert_eq!(erased, FILES as u64 + 6);
}

#[tokio::test]
async fn a_stop_halts_a_running_act_within_five_seconds_and_start_lets_it_go_on() {
    let (story, request, advancing) = in_the_act().await;
    let www = story.site.path("srv/www");
    let since = Moment::now();
    gallra(&story, &["stop", "--reason", "a drill"]);
    let took = at_rest(&www, since).await;
    assert!(took < HALTED_WITHIN, "the last file went {took:?} after the stop");
    assert!(count(&www) > FILES / 4, "the act went on to its end: {} files are left", count(&www));
    advancing.await.expect("ends");
    gallra(&story, &["start", "--reason", "the drill is over"]);
    goes_on_to_the_end(story, &request).await;
}

#[tokio::test]
async fn a_hold_on_the_customer_stops_a_running_act_and_its_release_lets_it_go_on() {
    let (story, request, advancing) = in_the_act().await;
    let www = story.site.path("srv/www");
    let since = Moment::now();
    let hold = gallra(&story, &["hold", "place", "--customer", &story.leaver.number, "--ground", "a legal claim"]);
    let took = at_rest(&www, since).await;
    assert!(took < HALTED_WITHIN, "the last file went {took:?} after the hold");
    assert!(count(&www) > FILES / 4, "the act went on to its end: {} files are left", count(&www));
    advancing.await.expect("ends");
    let stands = story.request(&request).await.expect("the request");
    assert!(stands.facts.contains(&"held".to_owned()), "{:?}", stands.facts);
    let id = hold.pointer("/hold/id").and_then(serde_json::Value::as_str).expect("an id").to_owned();
    release(&story, &id).await;
    goes_on_to_the_end(story, &request).await;
}

/// Seconds of a permit that an act of ten seconds outlasts several times.
const SHORT: u32 = 2;

/// How often the erasure was begun, and the verdicts of its receipts.
async fn attempts(story: &Story, request: &str) -> (u32, Vec<String>) {
    let channel = story.site.channel().expect("a connection");
    let mut jobs = JobServiceClient::new(channel.clone());
    let asked = v1::ListJobsRequest { request: request.to_owned() };
    let jobs = jobs.list_jobs(asked).await.expect("jobs").into_inner().jobs;
    let begun = jobs.iter().filter(|job| job.action == "erase").map(|job| job.attempt).sum();
    let asked = v1::ListReceiptsRequest { request: request.to_owned() };
    let receipts =
        ReceiptServiceClient::new(channel).list_receipts(asked).await.expect("receipts").into_inner().receipts;
    (begun, receipts.into_iter().filter(|receipt| receipt.action == "erase").map(|receipt| receipt.verdict).collect())
}

#[tokio::test]
async fn an_act_that_outlasts_its_permit_several_times_ends_as_one_attempt() {
    let (story, request, advancing) = in_an_act_of(SHORT, A_SECOND).await;
    advancing.await.expect("ends");
    assert_eq!(attempts(&story, &request).await, (1, vec!["done".to_owned()]));
    goes_on_to_the_end(story, &request).await;
}

#[tokio::test]
async fn an_act_comes_to_rest_within_its_permit_when_the_coordinator_is_killed_and_goes_on_when_it_is_back() {
    let (mut story, request, advancing) = in_an_act_of(SHORT, A_SECOND).await;
    let www = story.site.path("srv/www");
    let since = Moment::now();
    kill(&mut story).await;
    let took = at_rest(&www, since).await;
    // And what the driver has in hand.
    assert!(
        took < Duration::from_secs(SHORT.into()) + Duration::from_secs(1),
        "the last file went {took:?} after the kill"
    );
    assert!(count(&www) > FILES / 4, "the act went on to its end: {} files are left", count(&www));
    advancing.await.expect("ends");
    start_again(&mut story).await;
    goes_on_to_the_end(story, &request).await;
}

#[tokio::test]
async fn a_hold_stops_an_act_after_the_coordinator_was_killed_and_is_back() {
    let (mut story, request, advancing) = in_an_act_of(60, FEW_A_SECOND).await;
    let www = story.site.path("srv/www");
    kill(&mut story).await;
    advancing.await.expect("ends");
    start_again(&mut story).await;
    let before = count(&www);
    wait_for("the act", async || (count(&www) < before).then_some(())).await.expect("it goes on meanwhile");
    let since = Moment::now();
    let hold = gallra(&story, &["hold", "place", "--customer", &story.leaver.number, "--ground", "a legal claim"]);
    let took = at_rest(&www, since).await;
    assert!(took < HALTED_WITHIN, "the last file went {took:?} after the hold");
    assert!(count(&www) > FILES / 4, "the act went on to its end: {} files are left", count(&www));
    let id = hold.pointer("/hold/id").and_then(serde_json::Value::as_str).expect("an id").to_owned();
    release(&story, &id).await;
    goes_on_to_the_end(story, &request).await;
}

async fn start_again(story: &mut Story) {
    story.site.time_passes(evening());
    story.site.start_coordinator().await.expect("it starts again");
    story.site.wait_connected().await.expect("they find each other again");
}

/// Kills the coordinator by its id.
async fn kill(story: &mut Story) {
    let (coordinator, _) = story.site.pids();
    let id = coordinator.expect("it runs").to_string();
    assert!(Command::new("kill").args(["-KILL", &id]).status().expect("kill runs").success());
    let ended = wait_for("its end", async || story.site.ended().ok().filter(|ended| !ended.is_empty())).await;
    assert_eq!(ended.expect("it ends").len(), 1);
}

/// By somebody else than who placed it.
async fn release(story: &Story, id: &str) {
    use gallra_testkit::caller::{Who, connect};
    let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
    let address = client.split('"').nth(1).expect("an address").to_owned();
    let who = Who::Role(gallra_identity::CallerRole::Approver);
    let channel = connect(&story.site.path("coordinator"), &address, who).await.expect("a connection");
    let request = v1::ReleaseHoldRequest { id: id.to_owned(), reason: "the claim is settled".to_owned() };
    v1::hold_service_client::HoldServiceClient::new(channel).release_hold(request).await.expect("released");
}
