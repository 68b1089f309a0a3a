//! A coordinator that is put back from a backup, with real processes: what came after it is lost and said so, nothing is erased before
//! somebody has looked, no generation comes twice, and a log that went back is stopped until another goes on.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::site::{programs, wait_for};
use gallra_model::time::instant_of;
use gallra_store_etcd::testing::{Cluster, Lifetime};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::clock_service_client::ClockServiceClient;

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

/// What `gallra doctor` says of one part, and its exit code.
fn doctor(story: &Story, part: &str) -> (Option<i32>, String) {
    let output = run("gallra", &story.site.profile(), &["doctor", "--output", "json"]);
    let found: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let of_part = found.as_array().expect("a list").iter().filter(|one| one["part"] == part);
    let lines = of_part.map(|one| format!("{}: {}\n", one["severity"].as_str().unwrap_or_default(), one["what"]));
    (output.status.code(), lines.collect())
}

/// The stopped coordinator's program.
fn coordinator(story: &Story, words: &[&str]) -> Output {
    let dir = story.site.path("coordinator");
    run("gallra-coordinator", &story.site.profile(), &[words, &["--dir", &dir.display().to_string()]].concat())
}

fn does(story: &Story, words: &[&str]) -> String {
    let output = coordinator(story, words);
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn refused(story: &Story, words: &[&str], why: &str) {
    let output = coordinator(story, words);
    assert!(!output.status.success() && said(&output).contains(why), "{words:?}: {}", said(&output));
}

/// The stopped coordinator's program, killed at a point; nothing can be served then.
fn killed(story: &Story, point: &str, words: &[&str], unserved: &str) {
    let dir = story.site.path("coordinator");
    let died = Command::new(programs().expect("the programs").join("gallra-coordinator"))
        .args(words)
        .arg("--dir")
        .arg(dir)
        .env("GALLRA_CRASH_AT", point)
        .output()
        .expect("it runs");
    assert_eq!(died.status.signal(), Some(9), "{point} was never passed: this round proves nothing: {}", said(&died));
    refused(story, &["serve", "--demonstration-clock", &story.site.now().to_string()], unserved);
}

/// A backup of the stopped coordinator, carried away.
fn carried(story: &Story) -> String {
    let made = PathBuf::from(does(story, &["backup"]).trim_end());
    let to = story.folder.path().join("carried.redb");
    std::fs::copy(made, &to).expect("copies");
    to.display().to_string()
}

async fn files_only(etcd: String) -> Story {
    let story = Story::begin(|options| {
        options.etcd = etcd;
        options.backups = false;
        options.without =
            ["mail", "register-service", "register-contact", "register-invoices"].map(str::to_owned).to_vec();
    });
    story.await.expect("a site")
}

/// Moves the clock to a day on which the leaver's files are long due, and gives whatever may go its time to go.
async fn long_due(story: &mut Story, days: i32) {
    let to = instant_of(day(2026, 2, 28), 22, 30).expect("a literal");
    let to = to + std::time::Duration::from_secs(u64::try_from(days).expect("forward") * 86_400);
    let mut clock = ClockServiceClient::new(story.site.channel().expect("a connection"));
    // Answers that work is left, where that may not be done.
    let _ = clock.advance_clock(v1::AdvanceClockRequest { to: to.to_string(), wait_seconds: 5 }).await;
    story.site.time_passes(to);
}

async fn back(story: &mut Story) {
    story.site.start_coordinator().await.expect("it starts");
    story.site.wait_connected().await.expect("the agent is back");
}

#[tokio::test]
async fn a_restored_store_erases_nothing_before_somebody_has_looked_and_is_never_of_an_old_generation() {
    let mut story = files_only(String::new()).await;
    let web = story.site.provider.web(&story.leaver);
    story.end_and_settle().await.expect("a request");
    let (code, store) = doctor(&story, "store");
    assert!(code == Some(0) && store.starts_with("ok: \"embedded"), "{code:?} {store}");
    story.site.stop_coordinator().await.expect("stops");
    let backup = carried(&story);
    back(&mut story).await;
    // On somebody without a request: no plan follows it, so that nothing more is signed and only the stop can be in the way below.
    gallra(&story, &["hold", "place", "--service", &story.stayer.service, "--ground", "a suit is filed"]);
    refused(&story, &["restore", "--from", &backup], "stop it first");
    story.site.stop_coordinator().await.expect("stops");

    let foretold = does(&story, &["restore", "--dry-run", "--from", &backup]);
    for word in
        ["generation 1 becomes 2", "holds that are new or otherwise in the store of now: 1\n", "nothing was changed"]
    {
        assert!(foretold.contains(word), "{word}: {foretold}");
    }
    back(&mut story).await;
    assert_eq!(gallra(&story, &["hold", "list"]).as_array().map(Vec::len), Some(1), "a dry run changes nothing");
    story.site.stop_coordinator().await.expect("stops");
    does(&story, &["restore", "--from", &backup]);
    back(&mut story).await;
    assert_eq!(
        gallra(&story, &["hold", "list"]).as_array().map(Vec::len),
        Some(0),
        "the hold is gone with the restore"
    );
    assert_eq!(
        gallra(&story, &["log", "show"])["stopped"],
        "",
        "nothing was signed since: only the stop is in the way"
    );
    let stop = gallra(&story, &["stop", "--show"]);
    assert_eq!((stop["halted"].as_bool(), stop["by"].as_str()), (Some(true), Some("restore")), "{stop}");
    assert!(stop["reason"].as_str().is_some_and(|reason| reason.contains("compare holds")), "{stop}");
    let (code, found) = doctor(&story, "stop");
    assert!(code == Some(7) && found.starts_with("critical: \"pulled by restore"), "{code:?} {found}");

    // Once more the same backup, and the one that was moved aside: each has a generation of its own.
    story.site.stop_coordinator().await.expect("stops");
    // The first try is cut off between the store of before and the new one; the next one counts on from what it had promised.
    killed(&story, "restore_aside", &["restore", "--from", &backup], "the store cannot be opened");
    assert!(does(&story, &["restore", "--from", &backup]).contains("becomes 4"));
    let aside = std::fs::read_dir(story.site.path("coordinator")).expect("lists").filter_map(Result::ok);
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("store-replaced-")).count();
    assert_eq!(aside, 2, "the stores of before are kept");
    // By hand, as a file: it is of an older generation than agents have seen.
    let store = story.site.path("coordinator/store/store.redb");
    let good = std::fs::read(&store).expect("reads");
    std::fs::copy(&backup, &store).expect("copies");
    let clock = story.site.now().to_string();
    refused(&story, &["serve", "--demonstration-clock", &clock], "put back by hand");
    std::fs::write(&store, good).expect("writes");

    back(&mut story).await;
    long_due(&mut story, 0).await;
    assert!(web.exists(), "erased before anybody has looked");
    gallra(&story, &["start", "--reason", "holds were compared"]);
    long_due(&mut story, 1).await;
    wait_for("the files to go", async || (!web.exists()).then_some(())).await.expect("only the stop was in the way");
    assert!(story.site.provider.web(&story.stayer).exists());

    // A month is over, and its key epoch with it.
    story.site.stop_coordinator().await.expect("stops");
    refused(&story, &["restore", "--from", &backup], "its key epoch has turned");
}

#[tokio::test]
async fn a_log_that_went_back_stays_stopped_and_what_is_not_ours_to_read_is_refused() {
    let mut story = files_only(String::new()).await;
    story.site.stop_coordinator().await.expect("stops");
    let backup = carried(&story);
    back(&mut story).await;
    let request = story.end_and_settle().await.expect("a request");
    story.site.stop_coordinator().await.expect("stops");
    let foretold = does(&story, &["restore", "--dry-run", "--from", &backup]);
    assert!(foretold.contains("requests that are new or otherwise in the store of now: 1\n"), "{foretold}");

    // Another installation's, and one with a wrong byte.
    let dir = story.folder.path().join("other");
    let policy = story.site.path("coordinator/policy/webone.toml");
    let (dir, policy) = (dir.display().to_string(), policy.display().to_string());
    let made = run("gallra-coordinator", &story.site.profile(), &["init", "--dir", &dir, "--policy", &policy]);
    assert!(made.status.success(), "{}", said(&made));
    let other = run("gallra-coordinator", &story.site.profile(), &["backup", "--dir", &dir]);
    let other = String::from_utf8(other.stdout).expect("text");
    refused(&story, &["restore", "--from", other.trim_end()], "of another installation");
    let damaged = story.folder.path().join("damaged.redb");
    let mut bytes = std::fs::read(&backup).expect("reads");
    let at = bytes.windows(9).rposition(|part| part == b"v1/meta/e").expect("a key");
    bytes[at + 3] = b'q';
    std::fs::write(&damaged, bytes).expect("writes");
    refused(&story, &["restore", "--from", &damaged.display().to_string()], "cannot be opened");

    does(&story, &["restore", "--from", &backup]);
    back(&mut story).await;
    let stopped = wait_for("the log to say so", async || {
        gallra(&story, &["log", "show"])["stopped"].as_str().filter(|why| !why.is_empty()).map(str::to_owned)
    });
    assert!(stopped.await.expect("stopped").contains("went back"));
    assert!(doctor(&story, "log").1.starts_with("critical: "));
    assert!(story.request(&request).await.is_err(), "the request is lost: billing has to tell it again");
    // With the stop lifted nothing is permitted either.
    gallra(&story, &["start", "--reason", "there were no holds"]);
    story.end().await.expect("told again");
    story.settle().await.expect("told again");
    long_due(&mut story, 0).await;
    let web = story.site.provider.web(&story.leaver);
    assert!(web.exists(), "nothing is permitted that is not in the log");

    // docs/log.md, section 4: the way out, from the newest checkpoint that was handed out.
    succeed(&mut story).await;
    back(&mut story).await;
    assert_eq!(gallra(&story, &["log", "show"])["stopped"], "");
    for days in 1..4 {
        long_due(&mut story, days).await;
    }
    wait_for("the files to go", async || (!web.exists()).then_some(())).await.expect("it goes on in the new log");
}

/// Ends the log that went back by its holder's word. The coordinator is stopped then.
async fn succeed(story: &mut Story) {
    let (folder, dir) = (story.folder.path().to_owned(), story.site.path("coordinator"));
    let gallra = |words: &str| {
        let output = Command::new(programs().expect("the programs").join("gallra"))
            .args(words.split(' '))
            .current_dir(&folder)
            .env("GALLRA_PROFILE", story.site.profile())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{words}: {}", said(&output));
    };
    std::fs::copy(dir.join("log/published"), folder.join("last.note")).expect("copies");
    gallra("key export --out keys.json");
    gallra(&format!("key create --for log --out {}", dir.join("log-2").display()));
    let public = dir.join("log-2.pub");
    let log = format!("--log log.test.example/2={}", public.display());
    gallra(&format!("key manifest edit --keys keys.json {log} --out manifest.json"));
    let from = "--keys keys.json --manifest manifest.json --checkpoint last.note";
    gallra(&format!("log succession create {from} --out succession.json"));
    let root = dir.join("roots/management");
    for (what, file) in [("key manifest", "manifest"), ("log succession", "succession")] {
        gallra(&format!("{what} sign {file}.json --keys keys.json --root {} --out {file}-1.json", root.display()));
    }
    let clock = story.site.now().to_string();
    story.site.stop_coordinator().await.expect("stops");
    let at = |name: &str| folder.join(name).display().to_string();
    let (succession, manifest) = (at("succession-1.json"), at("manifest-1.json"));
    let words =
        ["log", "succeed", "--succession", &succession, "--manifest", &manifest, "--demonstration-clock", &clock];
    does(story, &words);
}

/// `[etcd]` for a cluster, whose certificates are written beside the site.
fn section(cluster: &Cluster, folder: &Path) -> String {
    let client = cluster.authority().issue("gallra", Lifetime::Now);
    let tls = cluster.tls(&client);
    let mut lines = format!("[etcd]\nendpoints = {:?}\n", cluster.endpoints());
    for (name, content) in [("authority", &tls.ca), ("certificate", &tls.certificate), ("key", &tls.key)] {
        let path = folder.join(format!("etcd-{name}.pem"));
        std::fs::write(&path, content).expect("writes");
        lines.push_str(&format!("{name} = {path:?}\n"));
    }
    lines + "lease_seconds = 2\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_etcd_another_cell_takes_the_backup_and_a_snapshot_is_adopted_with_a_new_generation() {
    let (mut cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = files_only(section(&cluster, folder.path())).await;
    let web = story.site.provider.web(&story.leaver);
    story.end_and_settle().await.expect("a request");
    story.site.stop_coordinator().await.expect("stops");
    let backup = carried(&story);
    wait_for("the lease to run out", async || {
        let said = said(&coordinator(&story, &["restore", "--from", &backup]));
        (!said.contains("a coordinator works")).then_some(said)
    })
    .await
    .map(|said| assert!(said.contains("holds a store"), "{said}"))
    .expect("nobody works on it");
    let words = ["restore", "--from", &backup, "--cell", "second"];
    killed(&story, "restore_given_up", &words, "no generation");
    let done = does(&story, &words);
    assert!(done.contains("generation 1 becomes 3") && done.contains("cell = \"second\""), "{done}");
    let clock = story.site.now().to_string();
    refused(&story, &["serve", "--demonstration-clock", &clock], "no generation");
    let config = story.site.path("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&config).expect("reads").replace("cell = \"main\"", "cell = \"second\"");
    std::fs::write(&config, text).expect("writes");
    back(&mut story).await;
    assert_eq!(gallra(&story, &["stop", "--show"])["by"], "restore");
    gallra(&story, &["start", "--reason", "holds were compared"]);
    story.site.stop_coordinator().await.expect("stops");

    // As after an etcd snapshot: the store's mark names another cluster.
    let mut raw = cluster.raw().await;
    let mark = "gallra store 1 cluster 00000000000000ff";
    raw.put("gallra/second/", mark, None).await.expect("writes");
    refused(&story, &["serve", "--demonstration-clock", &clock], "another cluster");
    let gone = wait_for("the lease to run out", async || {
        coordinator(&story, &["restore", "--adopt", "--dry-run"]).status.success().then_some(())
    });
    gone.await.expect("nobody works on it");
    // Raised, and not yet this cluster's: nobody can open it, and the next try raises it once more.
    killed(&story, "restore_raised", &["restore", "--adopt"], "another cluster");
    let adopted = wait_for("the lease to run out", async || {
        let output = coordinator(&story, &["restore", "--adopt"]);
        output.status.success().then(|| said(&output))
    });
    let adopted = adopted.await.expect("adopted");
    assert!(adopted.contains("generation 4 becomes 5"), "{adopted}");
    back(&mut story).await;
    assert_eq!(gallra(&story, &["stop", "--show"])["halted"], true);
    long_due(&mut story, 0).await;
    assert!(web.exists(), "erased before anybody has looked");
    assert!(doctor(&story, "store").1.starts_with("ok: "));
    cluster.kill(0);
    let (code, found) = doctor(&story, "store");
    assert!(code == Some(7) && found.starts_with("critical: "), "{code:?} {found}");
}
