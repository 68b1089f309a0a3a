//! What others see of a coordinator that runs: its health, its figures, and what its refusals say to programs. None of it names anybody.

use std::collections::BTreeSet;
use std::time::Duration;

use gallra_identity::CallerRole;
use gallra_store::search::Needles;
use gallra_testkit::caller::{Who, connect};
use gallra_testkit::{Story, day};
use gallra_wire::{details, v1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use v1::contract_service_client::ContractServiceClient;

/// Longest wait; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(20);

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

async fn page(address: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}

/// The value of one figure.
fn figure(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next())
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {page}"))
}

#[tokio::test]
async fn figures_say_what_happened_and_name_nobody() {
    let address = free_port();
    let mut story = Story::begin(|options| {
        options.backups = false;
        options.coordinator = format!("[metrics]\nlisten = \"{address}\"\n");
    })
    .await
    .expect("a site");
    let before = page(&address).await;
    assert_eq!(figure(&before, "gallra_requests{state=\"running\"}"), 0.0);
    story.end_and_settle().await.expect("ended and settled");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the day of its erasure");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the day after, with its proof");
    let text = page(&address).await;
    for (name, least) in [
        ("gallra_contract_events_total{kind=\"ended\"}", 1.0),
        ("gallra_offers_total", 3.0),
        ("gallra_askings_total{answer=\"permitted\"}", 3.0),
        ("gallra_receipts_total{verdict=\"done\"}", 3.0),
        ("gallra_agents{state=\"connected\"}", 1.0),
        ("gallra_store_seconds_count{call=\"commit\"}", 10.0),
        ("gallra_leads", 1.0),
    ] {
        assert!(figure(&text, name) >= least, "{name}: {text}");
    }
    let (leaver, stayer) = (&story.leaver, &story.stayer);
    let texts = [&leaver.service, &leaver.hosted, &leaver.name, &leaver.canary, &stayer.hosted, &stayer.name];
    assert!(!Needles::new(texts.map(String::as_str)).in_bytes(text.as_bytes()), "an identifier is on the page");
    // Every figure is explained, and nothing is explained that is not there.
    let told: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let document = include_str!("../../docs/metrics.md");
    let named = document.lines().filter_map(|line| line.strip_prefix("| `gallra_")?.split(['`', '{']).next());
    let named: BTreeSet<String> = named.map(|name| format!("gallra_{}", name.trim_end_matches("_total"))).collect();
    assert_eq!(told, named.iter().map(String::as_str).collect(), "docs/metrics.md");
}

#[tokio::test]
async fn every_caller_may_ask_for_health_and_sees_it_end() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
    let address = client.split('"').nth(1).expect("an address").to_owned();
    let coordinator = story.site.path("coordinator");
    let mut watched = Vec::new();
    for role in CallerRole::ALL {
        let channel = connect(&coordinator, &address, Who::Role(role)).await.expect("it connects");
        let service = "gallra.v1.ContractService".to_owned();
        let mut health = HealthClient::new(channel);
        let mut stream = health.watch(HealthCheckRequest { service }).await.expect("any role may").into_inner();
        let said = tokio::time::timeout(PATIENCE, async {
            while let Some(said) = stream.message().await.expect("it goes on") {
                if said.status == ServingStatus::Serving as i32 {
                    return true;
                }
            }
            false
        });
        assert!(said.await.expect("in time"), "{role:?}");
        watched.push(stream);
    }
    story.site.stop_coordinator().await.expect("ends");
    for mut stream in watched {
        let ended = tokio::time::timeout(PATIENCE, async {
            loop {
                match stream.message().await {
                    Ok(Some(said)) if said.status == ServingStatus::Serving as i32 => {}
                    Ok(Some(_) | None) | Err(_) => return,
                }
            }
        });
        ended.await.expect("a watcher is told of the end");
    }
}

#[tokio::test]
async fn a_refusal_says_to_programs_which_field_and_which_state() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let mut contracts = ContractServiceClient::new(story.site.channel().expect("runs"));
    let service = story.leaver.service.clone();
    let settle = |settled: &str| v1::SettleContractRequest {
        service: service.clone(),
        settled: settled.to_owned(),
        version: 2,
        ..Default::default()
    };
    let wrong = contracts.settle_contract(settle("yesterday")).await.expect_err("no day");
    assert_eq!((wrong.code(), details::reason(&wrong).as_deref()), (Code::InvalidArgument, Some("INVALID_FIELD")));
    let early = contracts.settle_contract(settle("2026-01-02")).await.expect_err("it has not ended");
    assert_eq!((early.code(), details::reason(&early).as_deref()), (Code::FailedPrecondition, Some("STATE")));
    for refused in [wrong, early] {
        let bytes = [refused.details(), refused.message().as_bytes()].concat();
        assert!(!Needles::new([service.as_str()]).in_bytes(&bytes), "a refusal quotes what was sent");
    }
}
