//! How long nobody is served, and nothing is planned, after each kind of fail-over: figures for `docs/measurements`, taken in the long
//! run only (`GALLRA_LONG`), and no test's limit. From outside: what billing sees, and when a leader plans what it told.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use gallra_cli::demo::site::wait_for;
use gallra_store_etcd::testing::Cluster;
use gallra_testkit::Story;
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use tokio::time::Instant;

use super::{begun, section};

/// Rounds of what needs no site of its own.
const ROUNDS: usize = 7;
/// Rounds of what does.
const SITES: usize = 3;

/// Tells of a contract that ended. The request.
async fn told(story: &Story, number: usize) -> Result<String, tonic::Status> {
    let service = format!("figure{number}.example");
    let mut contracts = ContractServiceClient::new(story.site.channel().expect("a connection"));
    let started = v1::StartContractRequest {
        service: service.clone(),
        customer: format!("9{number:05}"),
        addresses: Vec::new(),
        started: "2026-01-02".to_owned(),
        version: 1,
        identifiers: Vec::new(),
    };
    contracts.start_contract(started).await?;
    let ended = v1::EndContractRequest { service, ended: "2026-01-02".to_owned(), version: 2, cause: None };
    Ok(contracts.end_contract(ended).await?.into_inner().request)
}

/// From a moment on: until an end is acknowledged, and until it is planned.
async fn round(story: &Story, number: usize, from: Instant) -> (Duration, Duration) {
    let request = wait_for("an answer", async || told(story, number).await.ok()).await.expect("answered");
    let acknowledged = from.elapsed();
    let planned = wait_for("a plan", async || story.request(&request).await.ok().filter(|request| request.plan > 0));
    planned.await.expect("planned");
    (acknowledged, from.elapsed())
}

fn row(what: &str, lease: u32, mut rounds: Vec<(Duration, Duration)>) {
    let mut figures = |of: fn(&(Duration, Duration)) -> Duration| {
        rounds.sort_by_key(of);
        let at = |at: usize| rounds.get(at).map_or(0.0, |round| of(round).as_secs_f64());
        format!("{:.2} · {:.2} · {:.2}", at(0), at(rounds.len() / 2), at(rounds.len() - 1))
    };
    let (acknowledged, planned) = (figures(|round| round.0), figures(|round| round.1));
    let rounds = rounds.len();
    let row = format!("figure | {what} | {lease} s | 0.5 s | {rounds} | {acknowledged} | {planned} |");
    writeln!(std::io::stdout(), "{row}").expect("prints");
}

/// A leader that ends, by a kill or by being told to.
async fn leader_ends(folder: &Path, lease: u32, kill: bool) -> (Duration, Duration) {
    let cluster = Cluster::start(1);
    let mut story = begun(section(&cluster, folder, &format!("lease_seconds = {lease}\n")), "").await;
    story.site.start_second().await.expect("a second coordinator");
    story.site.turn_to_second().await.expect("answers");
    round(&story, 0, Instant::now()).await;
    let from = Instant::now();
    if kill {
        story.site.kill_coordinator().expect("killed");
    } else {
        story.site.stop_coordinator().await.expect("stops");
    }
    story.site.turn_to_second().await.expect("answers");
    round(&story, 1, from).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_each_fail_over_takes() {
    if std::env::var_os("GALLRA_LONG").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (what, kill, leases) in
        [("leader killed", true, &[2, 5][..]), ("leader told to stop, until it has ended", false, &[5][..])]
    {
        for lease in leases {
            let mut rounds = Vec::new();
            for _ in 0..SITES {
                rounds.push(leader_ends(folder.path(), *lease, kill).await);
            }
            row(what, *lease, rounds);
        }
    }
    let mut cluster = Cluster::start(3);
    let story = begun(section(&cluster, folder.path(), ""), "").await;
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    round(&story, next(), Instant::now()).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(&story, next(), Instant::now()).await);
    }
    row("nothing, for comparison", 5, rounds);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let leader = cluster.leader().await;
        let from = Instant::now();
        cluster.hand_over(leader, (leader + 1) % 3).await;
        rounds.push(round(&story, next(), from).await);
    }
    row("etcd's leader moved", 5, rounds);
    for leads in [true, false] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let leader = cluster.leader().await;
            let lost = if leads { leader } else { (leader + 1) % 3 };
            let from = Instant::now();
            cluster.kill(lost);
            rounds.push(round(&story, next(), from).await);
            cluster.restart(lost);
        }
        row(if leads { "etcd's leader killed" } else { "another member of etcd killed" }, 5, rounds);
    }
}
