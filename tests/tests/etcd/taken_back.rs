//! F11 of the proof's forgeries: etcd put back from an old snapshot, by hand and without a word to us. Who kept more than the store
//! knows says so, each alone; then nothing is signed or erased, and the documented way leads back to work.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gallra_cli::demo::site::{programs, wait_for};
use gallra_store_etcd::testing::{Cluster, PutBack};
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};
use gallra_wire::v1;

use super::{back, begun, coordinator, doctor, doctor_says, gallra, long_due, run, said, section};

const WITNESS: &str = "witness.test.example/w1";

/// Somebody else's witness; its process ends with it.
struct Witness(Child);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a witness; what coordinator.toml says of it.
fn witness_made(dir: &Path, listen: &str) -> String {
    let dir = dir.display().to_string();
    let made = run("gallra-coordinator", Path::new("/"), &["witness", "init", "--dir", &dir, "--name", WITNESS]);
    assert!(made.status.success(), "{}", said(&made));
    let key = String::from_utf8(made.stdout).expect("text");
    format!("[[log.witness]]\nname = \"auditor\"\nurl = \"http://{listen}\"\nkey = {:?}\n", key.trim_end())
}

/// Has it know the site's log, and starts it.
fn witness_started(story: &Story, dir: &Path, listen: &str) -> Witness {
    let key = std::fs::read_to_string(story.site.path("coordinator/log.vkey")).expect("the public key");
    let dir = dir.display().to_string();
    let added =
        run("gallra-coordinator", Path::new("/"), &["witness", "add-log", "--dir", &dir, "--key", key.trim_end()]);
    assert!(added.status.success(), "{}", said(&added));
    let mut child = Command::new(programs().expect("the programs").join("gallra-coordinator"))
        .args(["witness", "run", "--listen", listen, "--dir", &dir])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("witness ready"));
    assert!(ready, "the witness does not start");
    std::thread::spawn(move || lines.for_each(drop));
    Witness(child)
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string()
}

/// The newest checkpoint in the agent's journal, by its number of entries.
fn agent_keeps(story: &Story) -> Option<u64> {
    let journal = std::fs::read_to_string(story.site.path("agent/privileged/journal")).ok()?;
    let records = journal.lines().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        record["checkpoint"].as_str()?.lines().nth(1)?.parse().ok()
    });
    records.max()
}

fn entries(story: &Story) -> u64 {
    gallra(story, &["log", "show"])["signed_size"].as_u64().expect("a number")
}

/// Nothing is signed, permitted or planned, and whoever looks is told so; `heard` is who noticed.
async fn assert_noticed(story: &Story, (request, before): (&str, u64), heard: &str) {
    let stopped = wait_for("the log to stop", async || {
        gallra(story, &["log", "show"])["stopped"].as_str().filter(|why| !why.is_empty()).map(str::to_owned)
    });
    let why = stopped.await.expect("stopped");
    assert!(why.contains(heard), "{heard}: {why}");
    let (code, log) = doctor(story, "log");
    assert!(code == Some(7) && log.starts_with("critical: stopped") && log.contains("docs/log.md"), "{code:?} {log}");
    let shown = gallra(story, &["request", "show", request]);
    assert!(shown["facts"].as_array().expect("facts").iter().any(|fact| fact == "log_stopped"), "{shown}");
    let person = run("gallra", &story.site.profile(), &["request", "show", request]);
    assert!(said(&person).contains("the log is stopped"), "{}", said(&person));
    // A checkpoint of before may be shown again: it is one, and says nothing new.
    assert!(entries(story) <= before, "nothing is signed");
}

/// Etcd is put back once more, and the coordinator comes up on it with what lies beside it, or on another machine.
async fn once_more(story: &mut Story, cluster: &mut Cluster, snapshot: &Path, beside: bool) {
    story.site.stop_coordinator().await.expect("stops");
    cluster.put_back(snapshot, PutBack::TheSame);
    let log = story.site.path("coordinator/log");
    for kept in ["published", "contrary"] {
        let _ = std::fs::remove_file(log.join(kept));
    }
    if beside {
        std::fs::copy(story.folder.path().join("last.note"), log.join("published")).expect("copies");
    }
    story.site.start_coordinator().await.expect("it starts: nothing tells it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_etcd_that_was_put_back_by_hand_is_noticed_by_whoever_kept_more_and_the_way_back_leads_to_a_proof() {
    let (mut cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let (listen, auditor) = (free_address(), folder.path().join("witness"));
    let etcd = section(&cluster, folder.path(), "lease_seconds = 2\n");
    let mut story = begun(etcd, &witness_made(&auditor, &listen)).await;
    let witness = witness_started(&story, &auditor, &listen);
    let web = story.site.provider.web(&story.leaver);
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    let request = story.end().await.expect("a request");
    let planned = wait_for("a plan in the log", async || story.plan(&request).await.ok().map(|_| entries(&story)));
    planned.await.expect("planned");
    let snapshot = cluster.snapshot();
    let before = entries(&story);
    // Acknowledged, signed, and told to everybody; then etcd forgets it.
    story.settle().await.expect("settled");
    wait_for("the agent to keep more", async || agent_keeps(&story).filter(|kept| *kept > before)).await.expect("told");
    let published = std::fs::read_to_string(story.site.path("coordinator/log/published")).expect("kept");
    std::fs::write(story.folder.path().join("last.note"), published).expect("writes");

    // Under the running coordinator: it believes nothing any more, for good.
    cluster.put_back(&snapshot, PutBack::TheSame);
    doctor_says(&story, "store", &["critical", "went back to an earlier revision", "stop all coordinators"]).await;
    let refused = run("gallra", &story.site.profile(), &["request", "show", &request]);
    assert!(!refused.status.success() && said(&refused).contains("went back"), "{}", said(&refused));

    // Under one that is started then, each of those who kept more is enough.
    story.site.stop_agent().await.expect("stops");
    once_more(&mut story, &mut cluster, &snapshot, false).await;
    assert_noticed(&story, (&request, before), "heard from the witness auditor").await;
    drop(witness);
    once_more(&mut story, &mut cluster, &snapshot, false).await;
    story.site.start_agent().await.expect("the agent is back");
    assert_noticed(&story, (&request, before), "heard from web1").await;
    once_more(&mut story, &mut cluster, &snapshot, true).await;
    story.site.wait_connected().await.expect("the agent is back");
    assert_noticed(&story, (&request, before), "the log was seen with").await;
    let size = entries_committed(&story);
    story.settle().await.expect("an event is taken, and signs nothing");
    long_due(&mut story, 0).await;
    assert!(web.exists(), "nothing is permitted that is not in the log");
    assert_eq!(entries_committed(&story), size, "nothing is appended");

    adopted(&mut story, "generation 1 becomes 2").await;
    assert_noticed(&story, (&request, before), "the log was seen with").await;
    assert_eq!(gallra(&story, &["stop", "--show"])["by"], "restore");
    succeed(&mut story).await;
    back(&mut story).await;
    assert_eq!(gallra(&story, &["log", "show"])["stopped"], "");
    long_due(&mut story, 1).await;
    assert!(web.exists(), "erased before anybody has looked");
    gallra(&story, &["start", "--reason", "holds were compared"]);
    let mut days = 1;
    let done = wait_for("a final proof", async || {
        days += 1;
        long_due(&mut story, days).await;
        let (proof, key, stage) = story.newest_proof(&request).await.ok()?;
        (stage == v1::Stage::Final).then_some((proof, key))
    });
    let done = done.await;
    let (proof, key) = done.unwrap_or_else(|_| panic!("{}", gallra(&story, &["request", "show", &request])));
    assert!(!web.exists());
    let told = verify(&proof, &key);
    assert!(told.contains("VALID final"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_came_back_as_another_cluster_is_refused_until_it_is_adopted() {
    let (mut cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = begun(section(&cluster, folder.path(), "lease_seconds = 2\n"), "").await;
    let web = story.site.provider.web(&story.leaver);
    let request = story.end_and_settle().await.expect("a request");
    let snapshot = cluster.snapshot();
    // A running coordinator notices; a later one does not come up.
    cluster.put_back(&snapshot, PutBack::Another);
    doctor_says(&story, "store", &["critical", "another cluster answers", "stop all coordinators"]).await;
    story.site.stop_coordinator().await.expect("stops");
    let clock = story.site.now().to_string();
    let refused = coordinator(&story, &["serve", "--demonstration-clock", &clock]);
    assert!(!refused.status.success() && said(&refused).contains("another cluster"), "{}", said(&refused));
    adopted(&mut story, "generation 1 becomes 2").await;
    // Nothing was signed since the snapshot: nothing but the stop is in the way.
    assert_eq!(gallra(&story, &["log", "show"])["stopped"], "");
    long_due(&mut story, 0).await;
    assert!(web.exists(), "erased before anybody has looked");
    gallra(&story, &["start", "--reason", "holds were compared"]);
    long_due(&mut story, 1).await;
    wait_for("the files to go", async || (!web.exists()).then_some(())).await.expect("only the stop was in the way");
    long_due(&mut story, 2).await;
    let (_, _, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final);
}

/// Entries that have their place, signed or not.
fn entries_committed(story: &Story) -> u64 {
    gallra(story, &["log", "show"])["size"].as_u64().expect("a number")
}

/// `restore --adopt`, once nobody is there any more, and a start.
async fn adopted(story: &mut Story, words: &str) {
    story.site.stop_coordinator().await.expect("stops");
    let done = wait_for("the leases to run out", async || {
        let output = coordinator(story, &["restore", "--adopt"]);
        let waits = said(&output).contains("a coordinator works");
        (!waits).then(|| (output.status.success(), said(&output)))
    });
    let (done, told) = done.await.expect("nobody is there");
    assert!(done && told.contains(words), "{told}");
    back(story).await;
}

/// `docs/log.md`, section 4: the log that went back ends at the newest checkpoint that was handed out, and another goes on.
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
    gallra("key export --out keys.json");
    gallra(&format!("key create --for log --out {}", dir.join("log-2").display()));
    let log = format!("--log log.test.example/2={}", dir.join("log-2.pub").display());
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
    let words = ["log", "succeed", "--succession", &at("succession-1.json"), "--manifest", &at("manifest-1.json")];
    let output = coordinator(story, &[&words[..], &["--demonstration-clock", &clock]].concat());
    assert!(output.status.success(), "{}", said(&output));
}
