//! Programs of two versions side by side (decision 0042). The store of before, raised by the real coordinator, is part of the gate. With
//! `GALLRA_OLD`, a folder with the programs of an earlier version, those are run beside today's: the long run builds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use gallra_cli::demo::site::{programs, wait_for};
use gallra_store::{Embedded, Schema, Store as _, Txn, keys};
use gallra_store_etcd::testing::{Cluster, Lifetime};
use gallra_store_etcd::{Config, Etcd};
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::doctor_service_client::DoctorServiceClient;

/// Where the programs of an earlier version are.
fn old_programs() -> Option<PathBuf> {
    std::env::var_os("GALLRA_OLD").map(PathBuf::from)
}

/// A site with files only, whose programs are those of a folder.
async fn begun(from: &Path, etcd: String) -> Story {
    let story = Story::begin(|options| {
        options.programs = from.to_owned();
        options.etcd = etcd;
        let left_out = ["mail", "register-service", "register-contact", "register-invoices"];
        options.without = left_out.map(str::to_owned).to_vec();
        options.backups = false;
    });
    story.await.expect("a site")
}

/// What `gallra doctor` says of the store's schema.
async fn schema_finding(story: &Story) -> Option<(v1::Severity, String)> {
    let mut client = DoctorServiceClient::new(story.site.channel().ok()?);
    let findings = client.examine(v1::ExamineRequest {}).await.ok()?.into_inner().findings;
    let found = findings.into_iter().find(|finding| finding.part == "schema")?;
    Some((found.severity(), found.what))
}

async fn is_final(story: &Story, request: &str) {
    let (proof, key, stage) = story.newest_proof(request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final);
    let said = verify(&proof, &key);
    assert!(said.contains("VALID final"), "{said}");
}

/// Moves the clock, a day at a time, until a request is done; its proof is final.
async fn done(story: &mut Story, request: &str, mut days: i32) {
    let done = wait_for("the request to be done", async || {
        days += 1;
        story.advance_days(day(2026, 1, 31), days).await.ok()?;
        story.request(request).await.ok().filter(|request| !request.done.is_empty())
    });
    done.await.expect("done");
    is_final(story, request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_before_is_raised_when_it_is_served_unless_it_is_held_back() {
    let mut story = begun(&programs().expect("programs"), String::new()).await;
    assert_eq!(schema_finding(&story).await, Some((v1::Severity::Ok, "1".to_owned())), "a new store is in the newest");
    story.site.stop_agent().await.expect("stops");
    story.site.stop_coordinator().await.expect("stops");
    let folder = story.site.path("coordinator/store");
    {
        let store = Embedded::open(&folder).expect("the store");
        let before = Txn::new().delete(keys::meta_schema()).put(keys::meta_generation(), "1");
        store.commit(before).await.expect("commits");
    }
    let config = story.site.path("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    std::fs::write(&config, format!("schema_at_most = 0\n{text}")).expect("writes");
    story.site.start_coordinator().await.expect("it serves what is older");
    let (severity, what) = schema_finding(&story).await.expect("an answer");
    assert!(severity == v1::Severity::Warning && what.contains("schema_at_most"), "{what}");
    story.site.stop_coordinator().await.expect("stops");
    std::fs::write(&config, &text).expect("writes");
    story.site.start_coordinator().await.expect("starts");
    let raised = wait_for("the schema to be raised", async || {
        schema_finding(&story).await.filter(|(severity, _)| *severity == v1::Severity::Ok)
    });
    assert_eq!(raised.await.expect("raised").1, "1");
    story.site.stop_coordinator().await.expect("stops");
    // There is no way back.
    std::fs::write(&config, format!("schema_at_most = 0\n{text}")).expect("writes");
    let said = refused(&programs().expect("programs"), &story, "coordinator");
    assert!(said.contains("the store's schema is 1") && said.contains("upgrade it"), "{said}");
}

/// What a coordinator says that does not start.
fn refused(from: &Path, story: &Story, dir: &str) -> String {
    let served = Command::new(from.join("gallra-coordinator"))
        .args(["serve", "--demonstration-clock", &story.site.now().to_string(), "--dir"])
        .arg(story.site.path(dir))
        .output()
        .expect("runs");
    assert!(!served.status.success(), "it is refused");
    String::from_utf8_lossy(&served.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_agent_erases_for_a_new_coordinator() {
    let Some(old) = old_programs() else { return };
    let mut story = begun(&programs().expect("programs"), String::new()).await;
    story.site.stop_agent().await.expect("stops");
    story.site.options.programs = old;
    story.site.start_agent().await.expect("the old agent is let in");
    let request = story.end_and_settle().await.expect("a request");
    done(&mut story, &request, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_agent_erases_for_an_old_coordinator() {
    let Some(old) = old_programs() else { return };
    let mut story = begun(&old, String::new()).await;
    story.site.stop_agent().await.expect("stops");
    story.site.options.programs = programs().expect("programs");
    story.site.start_agent().await.expect("the new agent connects");
    let request = story.end_and_settle().await.expect("a request");
    done(&mut story, &request, 30).await;
    // The old store is taken over.
    story.site.stop_coordinator().await.expect("stops");
    story.site.start_coordinator().await.expect("the new one serves the old one's directory");
    let raised = wait_for("the schema to be raised", async || {
        schema_finding(&story).await.filter(|(severity, _)| *severity == v1::Severity::Ok)
    });
    assert_eq!(raised.await.expect("raised").1, "1");
    is_final(&story, &request).await;
}

/// `[etcd]` for a cluster, whose certificates are written beside the site.
fn section(cluster: &Cluster, folder: &Path) -> String {
    let tls = cluster.tls(&cluster.authority().issue("gallra", Lifetime::Now));
    let mut lines = format!("[etcd]\nendpoints = {:?}\n", cluster.endpoints());
    for (name, content) in [("authority", &tls.ca), ("certificate", &tls.certificate), ("key", &tls.key)] {
        let path = folder.join(format!("etcd-{name}.pem"));
        std::fs::write(&path, content).expect("writes");
        lines.push_str(&format!("{name} = {path:?}\n"));
    }
    lines + "lease_seconds = 2\n"
}

/// The longest that a raise waits on several coordinators, and some more.
const RAISED_WITHIN: std::time::Duration = std::time::Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_coordinator_beside_an_old_one_waits_for_it_and_takes_over() {
    let Some(old) = old_programs() else { return };
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = begun(&old, section(&cluster, folder.path())).await;
    story.site.options.programs = programs().expect("programs");
    story.site.start_second().await.expect("a new one beside it");
    story.site.stop_agent().await.expect("stops");
    story.site.start_agent().await.expect("a new agent, which knows of both");
    // The old one leads and the new one follows: planned and inspected.
    let request = story.end_and_settle().await.expect("a request");
    story.advance_days(day(2026, 1, 31), 2).await.expect("the clock moves");
    let first = story.site.channel().expect("a channel");
    story.site.turn_to_second().await.expect("answers");
    let (severity, what) = schema_finding(&story).await.expect("an answer");
    assert!(severity == v1::Severity::Warning && what.starts_with("0, and waits for"), "{what}");
    drop(first);
    story.site.stop_coordinator().await.expect("the old one is told to stop");
    story.site.turn_to_second().await.expect("answers");
    let tls = cluster.tls(&cluster.authority().issue("gallra", Lifetime::Now));
    let config = Config::new(cluster.endpoints(), "main".parse().expect("a cell"), Some(tls)).expect("loopback");
    let store = Etcd::open(&config).await.expect("opens");
    let raised = tokio::time::timeout(RAISED_WITHIN, async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(200));
        while Schema::of(&store).await.expect("reads").0.number != 1 {
            look.tick().await;
        }
    });
    raised.await.expect("the new one raises it once it is alone");
    done(&mut story, &request, 3).await;
    let said = refused(&old, &story, "coordinator");
    assert!(said.contains("a stored generation cannot be read"), "{said}");
}
