//! Time stamps of others on the log's checkpoints, with a real coordinator and an authority that `openssl ts` answers for: what a
//! proof is worth with one, and that nothing waits where there is none.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_cli::demo::site::{Options, programs, wait_for};
use gallra_testkit::tsa::{Mood, Tsa};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::log_service_client::LogServiceClient;
use serde_json::Value;

/// Names these authorities' roots in the first manifest, and asks these, in this order.
fn authorities(options: &mut Options, named: &[&Tsa], asked: &[&Tsa]) {
    options.backups = false;
    for (number, tsa) in named.iter().enumerate() {
        options.init.push("--time-authority".to_owned());
        options.init.push(format!("Time {number}={}", tsa.root_pem().display()));
    }
    let urls: Vec<String> = asked.iter().map(|tsa| format!("\"{}\"", tsa.url())).collect();
    options.log = format!("timestamp = [{}]\n", urls.join(", "));
}

async fn log(story: &Story) -> v1::Log {
    let mut client = LogServiceClient::new(story.site.channel().expect("a channel"));
    client.get_log(v1::GetLogRequest {}).await.expect("the log").into_inner()
}

/// Waits until a checkpoint of so many entries is stamped.
async fn all_stamped(story: &Story, entries: u64) -> v1::Log {
    let stamped = wait_for("a time stamp on so much of the log", async || {
        let log = log(story).await;
        (log.stamped_size >= entries).then_some(log)
    });
    stamped.await.expect("stamped")
}

/// A flow without backups, final as soon as the targets were looked at again.
async fn finish(story: &mut Story) -> String {
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    let signed = wait_for("all to be signed", async || {
        let log = log(story).await;
        (log.waiting == 0 && log.signed_size == log.size).then_some(())
    });
    signed.await.expect("signed");
    request
}

async fn restart(story: &mut Story) {
    story.site.stop_coordinator().await.expect("it stops");
    story.site.start_coordinator().await.expect("it starts");
    story.site.wait_connected().await.expect("the agent comes back");
}

fn verify(story: &Story, proof: &Path, further: &[&str]) -> Output {
    let anchor = std::fs::read_to_string(story.site.path("coordinator/anchor")).expect("the anchor");
    let mut command = Command::new(programs().expect("the programs").join("gallra"));
    command.arg("verify").arg(proof).args(["--key", anchor.trim()]).args(further).output().expect("gallra runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn read(proof: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(proof).expect("the proof")).expect("JSON")
}

/// The final proof, whose verdict has this level.
async fn proven(story: &Story, request: &str, level: &str) -> PathBuf {
    let (proof, _, stage) = story.newest_proof(request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final, "{:?}", story.request(request).await);
    let said = verify(story, &proof, &[]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said));
    assert!(text(&said).contains(&format!("level: {level}")), "{}", text(&said));
    proof
}

fn logged(story: &Story) -> String {
    std::fs::read_to_string(story.site.path("logs/coordinator.log")).expect("the coordinator's log")
}

#[tokio::test]
async fn a_stamped_proof_is_a1_and_openssl_agrees_on_the_token() {
    let tsa = Tsa::start().expect("an authority");
    let mut story = Story::begin(|options| authorities(options, &[&tsa], &[&tsa])).await.expect("a site");
    let soon = all_stamped(&story, 1).await;
    assert!(soon.stamped.ends_with('Z'), "stamped soon after the first start: {soon:?}");
    let request = finish(&mut story).await;
    // The next hour has not come on the real clock; a start stamps at once.
    restart(&mut story).await;
    let entries = log(&story).await.size;
    let shown = all_stamped(&story, entries).await;
    assert!(shown.stamped_size > soon.stamped_size);
    let proof = proven(&story, &request, "A1").await;
    assert_eq!(verify(&story, &proof, &["--require", "level=A1"]).status.code(), Some(0));
    assert_eq!(verify(&story, &proof, &["--require", "level=A2"]).status.code(), Some(12), "F06");

    let file = read(&proof);
    let note = file["checkpoints"][0].as_str().expect("a note");
    let (checkpoint, _) = note.split_once("\n\n").expect("text and signatures");
    let at = |name: &str| story.folder.path().join(name);
    std::fs::write(at("checkpoint"), format!("{checkpoint}\n")).expect("written");
    let token = file["timestamps"][0]["token"].as_str().expect("a token");
    std::fs::write(at("token.tst"), STANDARD.decode(token).expect("base64")).expect("written");
    let openssl = |data: &str| {
        let mut command = Command::new("openssl");
        command.args(["ts", "-verify", "-token_in", "-in"]).arg(at("token.tst"));
        command.arg("-data").arg(at(data)).arg("-CAfile").arg(tsa.root_pem()).output().expect("openssl runs")
    };
    assert!(openssl("checkpoint").status.success(), "{}", text(&openssl("checkpoint")));
    std::fs::write(at("other"), format!("{checkpoint}\n\n")).expect("written");
    assert!(!openssl("other").status.success());
    let show = Command::new(programs().expect("the programs").join("gallra"))
        .args(["log", "show", "--output", "json"])
        .env("GALLRA_PROFILE", story.site.profile())
        .output()
        .expect("gallra runs");
    let show: Value = serde_json::from_slice(&show.stdout).expect("JSON");
    assert_eq!(show["stamped"], shown.stamped);
    assert_eq!(show["stamped_size"].as_u64(), Some(shown.stamped_size), "{show}");
}

#[tokio::test]
async fn an_authority_that_is_away_delays_nothing() {
    let mut tsa = Tsa::start().expect("an authority");
    tsa.is_now(Mood::Slow);
    let mut story = Story::begin(|options| authorities(options, &[&tsa], &[&tsa])).await.expect("a site");
    let request = finish(&mut story).await;
    assert!(tsa.asked() > 0, "it was asked, and does not answer");
    let log = log(&story).await;
    assert_eq!((log.stamped_size, log.stamped.as_str()), (0, ""));
    let proof = proven(&story, &request, "A0").await;
    assert_eq!(read(&proof)["timestamps"], serde_json::json!([]));
    assert_eq!(verify(&story, &proof, &["--require", "level=A1"]).status.code(), Some(12));
    tsa.stop();
    restart(&mut story).await;
    wait_for("a warning", async || logged(&story).contains("cannot be connected to").then_some(()))
        .await
        .expect("told");
    proven(&story, &request, "A0").await;
}

#[tokio::test]
async fn what_the_manifest_does_not_name_is_not_kept_and_the_second_is_asked_where_the_first_is_down() {
    let (named, stranger) = (Tsa::start().expect("an authority"), Tsa::start().expect("an authority"));
    let options = |options: &mut Options| authorities(options, &[&named], &[&stranger]);
    let mut story = Story::begin(options).await.expect("a site");
    let told = "a time stamp was thrown away: ask another authority in coordinator.toml, or submit a key manifest";
    wait_for("an error", async || logged(&story).contains(told).then_some(())).await.expect("told");
    let asked = stranger.asked();
    let request = finish(&mut story).await;
    assert_eq!(log(&story).await.stamped_size, 0);
    assert_eq!(stranger.asked(), asked, "not asked again and again for what nobody believes");
    assert_eq!(read(&proven(&story, &request, "A0").await)["timestamps"], serde_json::json!([]));

    let config = story.site.path("coordinator/coordinator.toml");
    let both = format!("timestamp = [\"{}\", \"{}\"]", stranger.url(), named.url());
    let before = format!("timestamp = [\"{}\"]", stranger.url());
    let changed = std::fs::read_to_string(&config).expect("the configuration").replace(&before, &both);
    std::fs::write(&config, changed).expect("written");
    stranger.is_now(Mood::HangsUp);
    restart(&mut story).await;
    let entries = log(&story).await.size;
    all_stamped(&story, entries).await;
    assert!(stranger.asked() > asked, "the first is asked first");
    proven(&story, &request, "A1").await;
}

#[test]
fn a_root_that_readers_cannot_use_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let pem =
        |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    std::fs::write(at("none.pem"), pem(b"no certificate")).expect("written");
    std::fs::write(at("webone.toml"), include_str!("../../policies/webone.toml")).expect("written");
    std::fs::write(at("law-se.toml"), include_str!("../../policies/law-se.toml")).expect("written");
    let tsa = Tsa::start().expect("an authority");
    let init = |named: &[(&str, &Path)]| {
        let mut command = Command::new(programs().expect("the programs").join("gallra-coordinator"));
        command.args(["init", "--installation", "demo", "--operator", "anna"]);
        command.args(["--listen", "127.0.0.1:1", "--enrol-listen", "127.0.0.1:3"]);
        for (name, file) in named {
            command.arg("--time-authority").arg(format!("{name}={}", file.display()));
        }
        command.arg("--policy").arg(at("webone.toml")).arg("--dir").arg(at("made")).output().expect("it runs")
    };
    let (root, none, away) = (tsa.root_pem(), at("none.pem"), at("away.pem"));
    for (named, why) in [
        (vec![("Time", none.as_path())], "is no certificate that readers of proofs can check time stamps with"),
        (vec![("Time", away.as_path())], "away.pem cannot be read"),
        (vec![("Time", root.as_path()), ("Time", root.as_path())], "Time stands there twice"),
    ] {
        let said = init(&named);
        assert!(!said.status.success() && text(&said).contains(why), "{}", text(&said));
        assert!(!at("made").exists(), "{why}");
    }
    let said = init(&[("Time", root.as_path())]);
    assert!(said.status.success(), "{}", text(&said));
}
