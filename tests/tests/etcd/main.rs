//! The whole coordinator when its etcd is in trouble: taken back, full, without a member, with certificates that ran out. Real
//! processes, real etcd, and what an operator would type.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

mod certificates;
mod faults;
mod figures;
mod load;
mod taken_back;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gallra_cli::demo::site::{programs, wait_for};
use gallra_model::time::instant_of;
use gallra_store_etcd::testing::{Cluster, Issued, Lifetime};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::v1::contract_service_client::ContractServiceClient;

/// Where the files of `[etcd]` lie, beside a site.
fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("etcd-{name}.pem"))
}

/// Gives a coordinator its certificate, in the place of another.
fn show(folder: &Path, client: &Issued) {
    std::fs::write(file(folder, "certificate"), &client.certificate).expect("writes");
    std::fs::write(file(folder, "key"), &client.key).expect("writes");
}

/// `[etcd]` for a cluster, whose certificates are written beside the site.
fn section(cluster: &Cluster, folder: &Path, more: &str) -> String {
    show(folder, &cluster.authority().issue("gallra", Lifetime::Now));
    std::fs::write(file(folder, "authority"), cluster.authority().certificate()).expect("writes");
    let files = ["authority", "certificate", "key"].map(|name| format!("{name} = {:?}\n", file(folder, name)));
    format!("[etcd]\nendpoints = {:?}\n{}{more}", cluster.endpoints(), files.concat())
}

/// A site whose state is in etcd: files only, since what is erased is not the point.
async fn begun(etcd: String, coordinator: &str) -> Story {
    let story = Story::begin(|options| {
        options.etcd = etcd;
        let left_out = ["mail", "register-service", "register-contact", "register-invoices"];
        options.without = left_out.map(str::to_owned).to_vec();
        options.backups = false;
        options.coordinator = coordinator.to_owned();
    });
    story.await.expect("a site")
}

fn run(program: &str, profile: &Path, words: &[&str]) -> Output {
    let program = programs().expect("the programs").join(program);
    Command::new(program).args(words).env("GALLRA_PROFILE", profile).output().expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `gallra` prints as an operator.
fn gallra(story: &Story, words: &[&str]) -> serde_json::Value {
    let output = run("gallra", &story.site.profile(), &[words, &["--output", "json"]].concat());
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

/// What `gallra doctor` says of one part, with what to do, and its exit code.
fn doctor(story: &Story, part: &str) -> (Option<i32>, String) {
    let output = run("gallra", &story.site.profile(), &["doctor", "--output", "json"]);
    let found: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let of_part = found.as_array().expect("a list").iter().filter(|one| one["part"] == part);
    let line = |one: &serde_json::Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {} {} ({})\n", text("severity"), text("what"), text("where"), text("next"))
    };
    (output.status.code(), of_part.map(line).collect())
}

/// Waits until `gallra doctor` says this of a part.
async fn doctor_says(story: &Story, part: &str, words: &[&str]) {
    let mut last = String::new();
    let found = wait_for("gallra doctor", async || {
        last = doctor(story, part).1;
        // So that the bound is looked at, however long that took.
        tokio::task::yield_now().await;
        words.iter().all(|word| last.contains(word)).then_some(())
    });
    found.await.unwrap_or_else(|_| panic!("{part}: {words:?} in: {last}"));
}

/// The stopped coordinator's program.
fn coordinator(story: &Story, words: &[&str]) -> Output {
    let dir = story.site.path("coordinator");
    run("gallra-coordinator", &story.site.profile(), &[words, &["--dir", &dir.display().to_string()]].concat())
}

/// Moves the clock to so many days after the leaver's data are long due, and gives whatever may go its time to go.
async fn long_due(story: &mut Story, days: u64) {
    let to = instant_of(day(2026, 2, 28), 22, 30).expect("a literal") + Duration::from_secs(days * 86_400);
    let mut clock = ClockServiceClient::new(story.site.channel().expect("a connection"));
    // Answers that work is left, where that may not be done.
    let _ = clock.advance_clock(v1::AdvanceClockRequest { to: to.to_string(), wait_seconds: 5 }).await;
    story.site.time_passes(to);
}

async fn back(story: &mut Story) {
    story.site.start_coordinator().await.expect("it starts");
    story.site.wait_connected().await.expect("the agent is back");
}

/// Tells of one more sale.
async fn tell_again(story: &Story) -> Result<(), tonic::Status> {
    let started = v1::StartContractRequest {
        service: "again.example".to_owned(),
        customer: "800001".to_owned(),
        addresses: Vec::new(),
        started: "2026-01-02".to_owned(),
        version: 1,
        identifiers: Vec::new(),
    };
    ContractServiceClient::new(story.site.channel().expect("runs")).start_contract(started).await.map(drop)
}
