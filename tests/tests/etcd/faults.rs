//! Etcd that is full, forgets history, loses a member or moves its leader, under a coordinator that goes on: nothing that was
//! acknowledged is lost, a refusal says to programs what it is, doctor says what to do, and doing it leads back to work.

use gallra_cli::demo::site::wait_for;
use gallra_store_etcd::testing::{Cluster, Options, Passes, Proxy};
use gallra_testkit::{Story, day};
use gallra_wire::details::reason;
use tonic::Code;

use super::load::Billing;
use super::{begun, doctor_says, long_due, section, tell_again};

const QUOTA: u64 = 16 * 1024 * 1024;

/// What a coordinator may say while its store comes and goes.
const PASSING: [(Code, &str); 4] = [
    (Code::Unavailable, "STORE_UNAVAILABLE"),
    (Code::Unavailable, "DEPOSED"),
    (Code::Aborted, "OUTDATED"),
    (Code::Aborted, "BUSY"),
];

fn revision(cluster: &Cluster) -> String {
    let status = cluster.etcdctl(&["endpoint", "status", "-w", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    status[0]["Status"]["header"]["revision"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_etcd_refuses_and_loses_nothing_and_what_doctor_says_makes_room_again() {
    let cluster = Cluster::start_with(&Options { quota_bytes: Some(QUOTA), ..Options::of(1) });
    let folder = tempfile::tempdir().expect("a folder");
    let mut story = begun(section(&cluster, folder.path(), &format!("quota_bytes = {QUOTA}\n")), "").await;
    let web = story.site.provider.web(&story.leaver);
    story.end_and_settle().await.expect("a request");
    let billing = Billing::of(&story, "full");
    billing.goes_on(3).await;
    // Another cell of the same etcd uses it up.
    let mut raw = cluster.raw().await;
    let mut used = 0;
    while raw.put(format!("other/{used}"), vec![7; 1_000_000], None).await.is_ok() {
        used += 1;
        assert!(used < 40, "a quota of 16 MiB holds no 40 MB");
    }
    let words = ["critical", "takes removals only", "Compact, defragment, disarm", "docs/etcd.md"];
    doctor_says(&story, "store", &words).await;
    let refused = wait_for("a refusal", async || tell_again(&story).await.err());
    let refused = refused.await.expect("full");
    assert_eq!((refused.code(), reason(&refused).as_deref()), (Code::ResourceExhausted, Some("STORE_FULL")));
    assert!(refused.message().contains("docs/etcd.md"), "{refused}");

    // docs/etcd.md, section 3.
    cluster.etcdctl(&["del", "--prefix", "other/"]);
    cluster.etcdctl(&["compact", &revision(&cluster)]);
    cluster.etcdctl(&["defrag"]);
    cluster.etcdctl(&["alarm", "disarm"]);
    billing.goes_on(3).await;
    doctor_says(&story, "store", &["ok: etcd"]).await;
    let told = billing.end().await;
    told.is_kept(&story, &[(Code::ResourceExhausted, "STORE_FULL")]).await;
    assert!(!told.refused.is_empty(), "billing heard of it");
    long_due(&mut story, 0).await;
    long_due(&mut story, 1).await;
    wait_for("the files to go", async || (!web.exists()).then_some(())).await.expect("work goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_lost_and_a_leader_that_moves_cost_nothing_acknowledged() {
    let (mut cluster, folder) = (Cluster::start(3), tempfile::tempdir().expect("a folder"));
    let story = begun(section(&cluster, folder.path(), ""), "").await;
    let billing = Billing::of(&story, "moved");
    billing.goes_on(3).await;
    let leader = cluster.leader().await;
    cluster.hand_over(leader, (leader + 1) % 3).await;
    billing.goes_on(3).await;
    let lost = cluster.leader().await;
    cluster.kill(lost);
    let gone = cluster.endpoint(lost);
    doctor_says(&story, "store", &["warning", &gone, "does not answer", "docs/etcd.md"]).await;
    billing.goes_on(3).await;
    cluster.restart(lost);
    doctor_says(&story, "store", &["ok: etcd"]).await;
    billing.end().await.is_kept(&story, &PASSING).await;
}

/// How often an agent's stream began, at either coordinator.
fn streams(story: &Story) -> usize {
    let read = |name: &str| std::fs::read_to_string(story.site.path(&format!("logs/{name}.log"))).expect("a log");
    ["coordinator", "second"].map(|name| read(name).matches("agent connected").count()).iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_whose_place_in_etcds_history_was_forgotten_looks_again_and_misses_nothing() {
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = begun(section(&cluster, folder.path(), "lease_seconds = 20\n"), "").await;
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    story.site.start_second().await.expect("a second coordinator");
    // The first one comes back behind a connection that can be cut, has the agent's stream, and does not lead.
    story.site.stop_coordinator().await.expect("stops");
    let proxy = Proxy::before(&cluster.endpoint(0)).await;
    let config = story.site.path("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&config).expect("reads").replace(&cluster.endpoint(0), &proxy.endpoint());
    std::fs::write(&config, text).expect("writes");
    story.site.stop_agent().await.expect("stops");
    story.site.start_coordinator().await.expect("it starts");
    let before = streams(&story);
    story.site.start_agent().await.expect("its stream is at the first one");
    // Begun, and not about to: what is cut is a stream.
    wait_for("its stream", async || (streams(&story) > before).then_some(())).await.expect("a stream");
    story.site.turn_to_second().await.expect("answers");
    let began = streams(&story);

    proxy.let_pass(Passes::Nothing);
    let request = story.end().await.expect("the second one takes it");
    let there = wait_for("jobs", async || story.request(&request).await.ok().filter(|request| request.jobs > 0));
    there.await.expect("planned by the second one");
    cluster.etcdctl(&["compact", &revision(&cluster)]);
    proxy.let_pass(Passes::All);
    let inspected =
        wait_for("a job", async || story.request(&request).await.ok().filter(|request| request.jobs_settled > 0));
    inspected.await.expect("the first one offered what was ready meanwhile");
    assert_eq!(streams(&story), began, "no new stream was needed for that");
    let log = std::fs::read_to_string(story.site.path("logs/coordinator.log")).expect("a log");
    assert!(log.contains("etcd forgot what the feed of changes had not heard"), "nothing was forgotten: {log}");
}
