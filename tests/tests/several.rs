//! The whole flow on a real etcd, with one coordinator and with two, of which the leader dies or hands over in the middle.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use gallra_cli::demo::site::wait_for;
use gallra_store::Store as _;
use gallra_store::keys::Family;
use gallra_store_etcd::testing::{Cluster, Lifetime};
use gallra_store_etcd::{Config, Etcd};
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use gallra_wire::v1::receipt_service_client::ReceiptServiceClient;

/// `[etcd]` for a cluster, whose certificates are written beside the site.
fn section(cluster: &Cluster, folder: &Path, lease_seconds: u32) -> String {
    let client = cluster.authority().issue("gallra", Lifetime::Now);
    let tls = cluster.tls(&client);
    let mut lines = format!("[etcd]\nendpoints = {:?}\n", cluster.endpoints());
    for (name, content) in [("authority", &tls.ca), ("certificate", &tls.certificate), ("key", &tls.key)] {
        let path = folder.join(format!("etcd-{name}.pem"));
        std::fs::write(&path, content).expect("writes");
        lines.push_str(&format!("{name} = {path:?}\n"));
    }
    lines + &format!("lease_seconds = {lease_seconds}\n")
}

/// A site whose state is in etcd: files only, since what is erased is not the point.
async fn begun(cluster: &Cluster, folder: &Path, lease_seconds: u32) -> Story {
    let etcd = section(cluster, folder, lease_seconds);
    let story = Story::begin(|options| {
        options.etcd = etcd;
        let left_out = ["mail", "register-service", "register-contact", "register-invoices"];
        options.without = left_out.map(str::to_owned).to_vec();
        options.backups = false;
    });
    story.await.expect("a site")
}

/// How often each job was begun, by its receipts.
async fn receipts(story: &Story, request: &str) -> Vec<(String, String)> {
    let mut client = ReceiptServiceClient::new(story.site.channel().expect("a channel"));
    let asked = v1::ListReceiptsRequest { request: request.to_owned() };
    let all = client.list_receipts(asked).await.expect("receipts").into_inner().receipts;
    all.into_iter().map(|receipt| (receipt.target, receipt.action)).collect()
}

async fn is_final(story: &Story, request: &str) {
    let (proof, key, stage) = story.newest_proof(request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final);
    let said = verify(&proof, &key);
    assert!(said.contains("VALID final"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_flow_on_etcd_ends_in_a_proof() {
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = begun(&cluster, folder.path(), 5).await;
    let request = story.end_and_settle().await.expect("a request");
    for days in [31, 60, 61] {
        story.advance_days(day(2026, 1, 31), days).await.expect("the clock moves");
    }
    is_final(&story, &request).await;
    // A store that was moved away is served no more.
    let config = story.site.path("coordinator/coordinator.toml");
    story.site.stop_coordinator().await.expect("stops");
    let text = std::fs::read_to_string(&config).expect("reads");
    let (without, _) = text.split_once("[etcd]").expect("it has a section");
    std::fs::write(&config, without).expect("writes");
    let served =
        std::process::Command::new(gallra_cli::demo::site::programs().expect("programs").join("gallra-coordinator"))
            .args(["serve", "--demonstration-clock", "2026-05-01T00:00:00Z", "--dir"])
            .arg(story.site.path("coordinator"))
            .output()
            .expect("runs");
    let said = String::from_utf8_lossy(&served.stderr);
    assert!(!served.status.success() && said.contains("no generation"), "{said}");
}

/// Moves the clock, a day at a time, until a request is done. Nothing is moved before somebody leads.
async fn done(story: &mut Story, request: &str) {
    let mut days = 30;
    let done = wait_for("the request to be done", async || {
        days += 1;
        story.advance_days(day(2026, 1, 31), days).await.ok()?;
        story.request(request).await.ok().filter(|request| !request.done.is_empty())
    });
    done.await.unwrap_or_else(|late| panic!("{late:#}: {}", logs(story)));
}

/// The end of what the second coordinator and the agent said.
fn logs(story: &Story) -> String {
    let read = |name: &str| std::fs::read_to_string(story.site.path(&format!("logs/{name}.log"))).unwrap_or_default();
    let tail =
        |text: String| text.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    ["second", "agent"].map(|name| format!("\n{name}:\n{}", tail(read(name)))).concat()
}

/// Waits until a coordinator says that the agent is connected, to it or to another one.
async fn connected(story: &Story) {
    let channel = story.site.channel().expect("a channel");
    let there = wait_for("the agent's stream", async || {
        let mut registry = AgentRegistryServiceClient::new(channel.clone());
        let agent = registry.get_agent(v1::GetAgentRequest { name: "web1".to_owned() }).await.ok()?.into_inner();
        agent.connected.then_some(())
    });
    there.await.expect("connected");
}

/// Two coordinators; the agent knows of both, and its stream is at the first one.
async fn two(cluster: &Cluster, folder: &Path, lease_seconds: u32) -> Story {
    let mut story = begun(cluster, folder, lease_seconds).await;
    story.site.start_second().await.expect("a second coordinator");
    story.site.stop_agent().await.expect("stops");
    story.site.start_agent().await.expect("starts, and knows of both");
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_in_the_middle_is_followed_by_the_other_and_nothing_is_done_twice() {
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = two(&cluster, folder.path(), 2).await;
    let request = story.end_and_settle().await.expect("a request");
    story.site.kill_coordinator().expect("killed");
    story.site.turn_to_second().await.expect("answers");
    connected(&story).await;
    done(&mut story, &request).await;
    is_final(&story, &request).await;
    let receipts = receipts(&story, &request).await;
    let erased = receipts.iter().filter(|(_, action)| action == "erase").count();
    assert_eq!(erased, 1, "{receipts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over_long_before_its_lease_is_over() {
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    // A minute: twice as long as anything here is waited for.
    let mut story = two(&cluster, folder.path(), 60).await;
    let request = story.end_and_settle().await.expect("a request");
    story.site.stop_coordinator().await.expect("stops");
    story.site.turn_to_second().await.expect("answers");
    connected(&story).await;
    done(&mut story, &request).await;
    is_final(&story, &request).await;
}

/// What is in the store, by family: entries, and bytes of keys and values.
async fn weight(cluster: &Cluster) -> BTreeMap<&'static str, (u64, u64)> {
    let tls = cluster.tls(&cluster.authority().issue("gallra", Lifetime::Now));
    let config = Config::new(cluster.endpoints(), "main".parse().expect("a cell"), Some(tls)).expect("loopback");
    let store = Etcd::open(&config).await.expect("opens");
    let mut found = BTreeMap::new();
    for family in Family::ALL {
        let mut left = Some(family.prefix().range());
        while let Some(range) = left {
            let page = store.range(&range, 1_000).await.expect("reads");
            for entry in page.entries {
                let (entries, bytes) = found.entry(family.word()).or_insert((0, 0));
                *entries += 1;
                *bytes += (entry.key.as_bytes().len() + entry.value.len()) as u64;
            }
            left = page.more.map(|more| range.starting_at(&more));
        }
    }
    found
}

/// Has finished requests leave etcd for a folder, and its coordinator say so of the installation's folder of keys alike.
async fn archives(story: &mut Story) {
    story.site.stop_coordinator().await.expect("stops");
    let config = story.site.path("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let folder = story.site.path("shared-archive");
    std::fs::write(&config, format!("archive = {folder:?}\n{text}")).expect("writes");
    story.site.start_coordinator().await.expect("starts");
}

/// The figures of decision 0039: what one request of one customer leaves in the store. And of 0041: what stays of it there when it
/// has left for the archive, where its proof is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_finished_request_leaves_in_the_store_is_bounded() {
    let (cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let mut story = begun(&cluster, folder.path(), 5).await;
    archives(&mut story).await;
    let before = weight(&cluster).await;
    let request = story.end_and_settle().await.expect("a request");
    let planned = weight(&cluster).await;
    done(&mut story, &request).await;
    let after = weight(&cluster).await;
    let mut days = 100;
    let left = wait_for("the request to leave the store", async || {
        days += 1;
        story.advance_days(day(2026, 1, 31), days).await.ok()?;
        let now = weight(&cluster).await;
        now.contains_key("archived").then_some(now)
    });
    let archived = left.await.unwrap_or_else(|late| panic!("{late:#}: {}", logs(&story)));
    let since = |late: &BTreeMap<&'static str, (u64, u64)>| {
        let all = late.iter().map(|(family, now)| {
            let then = before.get(family).copied().unwrap_or_default();
            (*family, now.0.saturating_sub(then.0), now.1.saturating_sub(then.1))
        });
        all.filter(|(_, entries, bytes)| (*entries, *bytes) != (0, 0)).collect::<Vec<_>>()
    };
    for (when, late) in [("planned", &planned), ("done", &after), ("archived", &archived)] {
        for (family, entries, bytes) in since(late) {
            writeln!(std::io::stdout(), "{when}: {family}: {entries} entries, {bytes} bytes").expect("prints");
        }
    }
    let bytes = |late| since(late).iter().map(|(_, _, bytes)| bytes).sum::<u64>();
    assert!(bytes(&after) < 400_000, "one target, six jobs: {} bytes", bytes(&after));
    assert!(bytes(&archived) < 20_000, "in the archive: {} bytes are left in the store", bytes(&archived));
    for family in ["plan", "job", "receipt", "proof", "asked", "statement", "copy"] {
        assert_eq!(archived.get(family), before.get(family), "{family}");
    }
    is_final(&story, &request).await;
    assert_eq!(receipts(&story, &request).await.iter().filter(|(_, action)| action == "erase").count(), 1);
}
