//! Many agents' streams on one coordinator process: memory a stream, computing while nothing happens, and one job to each. Every
//! agent has a connection of its own, as in production: who calls is in the connection's certificate.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gallra_coordinator::error::encode;
use gallra_coordinator::jobs::AgentRecord;
use gallra_coordinator::layout::Layout;
use gallra_identity::{Authority, CallerRole};
use gallra_model::journal::JournalMark;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::target::Inventory;
use gallra_model::{AgentName, Digest, Instant};
use gallra_proof::key::SigningKey;
use gallra_store::{Embedded, Store as _, Txn, keys};
use gallra_wire::session::{request_of, to_agent};
use gallra_wire::v1;
use gallra_wire::v1::agent_service_client::AgentServiceClient;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use jiff::SignedDuration;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::figures::{Outcome, load, memory, now, say, spread};
use crate::host::{NOW, files, made};

/// Names the directory that a process of this program is to serve.
pub(crate) const SERVES: &str = "GALLRA_BENCH_SERVES";

/// A coordinator process like any other, in this program.
pub(crate) async fn serve(dir: PathBuf) -> Outcome<()> {
    let at: Instant = NOW.parse()?;
    Ok(gallra_coordinator::serve::run(&Layout::new(dir), Some(at)).await?)
}

fn name(n: usize) -> Outcome<AgentName> {
    Ok(format!("host{n}").parse()?)
}

fn evidence(n: usize) -> SigningKey {
    SigningKey::from_seed(Digest::of(&n.to_be_bytes()).as_bytes())
}

fn inventory(n: usize) -> Outcome<Inventory> {
    Ok(Inventory { agent: name(n)?, evidence_key: evidence(n).verifying().to_hex(), targets: vec![files("www")?] })
}

/// Registers agents as enrolment would, without its statements in the log.
async fn registered(dir: &Path, many: usize) -> Outcome<()> {
    let store = Embedded::open(&Layout::new(dir).path("store"))?;
    for n in 0..many {
        let agent = AgentRecord {
            name: name(n)?,
            evidence_key: evidence(n).verifying().to_hex(),
            certificate: Digest::of(b"unread").to_string(),
            joined: NOW.parse()?,
        };
        store.commit(Txn::new().put(keys::agent(&agent.name), encode(&agent)?)).await?;
    }
    Ok(())
}

async fn started(dir: &Path) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .env(SERVES, dir)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?)
}

/// A stream that has been welcomed, and both its ends.
struct Open {
    to: mpsc::Sender<v1::SessionRequest>,
    from: tonic::Streaming<v1::SessionResponse>,
}

async fn opened(authority: &Authority, address: &str, n: usize) -> Outcome<Open> {
    let (at, day) = (gallra_coordinator::clock::real_now(), SignedDuration::from_hours(24));
    let credential = authority.issue(CallerRole::Agent, name(n)?.as_str(), at, day)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.certificate_pem()))
        .identity(Identity::from_pem(credential.cert_pem, credential.key_pem));
    let channel: Channel = Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.connect().await?;
    let (to, outgoing) = mpsc::channel(16);
    for word in [
        ToCoordinator::Hello { inventory: inventory(n)?, generation: 1, credits: 8 },
        ToCoordinator::Journal { mark: JournalMark::start(), now: NOW.parse()? },
        ToCoordinator::Checkpoint { note: None },
    ] {
        to.send(request_of(&word)).await?;
    }
    let mut from = AgentServiceClient::new(channel).session(ReceiverStream::new(outgoing)).await?.into_inner();
    let first = from.message().await?.ok_or("the stream ended")?;
    if !matches!(to_agent(first)?, ToAgent::Welcome { .. }) {
        return Err("no welcome".into());
    }
    Ok(Open { to, from })
}

/// Seconds of computing of a process so far.
fn computed_by(pid: &str) -> Outcome<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(')').ok_or("no stat")?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(2).filter_map(|tick| tick.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

pub(crate) async fn measure(disk: &Path, many: usize) -> Outcome<()> {
    let folder = tempfile::tempdir_in(disk)?;
    let dir = folder.path().join("coordinator");
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let enrol = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    made(&dir, &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{enrol}")).await?;
    registered(&dir, many).await?;
    let authority = Arc::new(authority(&dir)?);
    let child = started(&dir).await?;
    let pid = child.id().ok_or("it ended")?.to_string();
    let address = format!("https://127.0.0.1:{port}");
    let began = now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if began.elapsed().as_secs() > 30 {
            return Err("it does not listen".into());
        }
    }
    // What the first connections make once is not a stream's.
    let few = (many / 20).max(10);
    let mut streams = open_all(&authority, &address, 0..few).await?;
    let few_ends = ended(&dir, &address, &pid, 0).await?;
    let before = settled(&pid).await?;
    let (began, cpu) = (now(), computed_by(&pid)?);
    streams.extend(open_all(&authority, &address, few..many).await?);
    let (took, cpu) = (began.elapsed(), computed_by(&pid)? - cpu);
    let after = settled(&pid).await?;
    let more = (many - few) as u64;
    say(&format!(
        "streams: {many} open; resident {after} kB, {before} kB with {few}: {:.1} kB a stream; each opened within {:.2} ms of computing, {:.1} s for all; load {}",
        (after - before) as f64 / more as f64,
        cpu * 1e3 / more as f64,
        took.as_secs_f64(),
        load(),
    ));
    let (began, cpu) = (now(), computed_by(&pid)?);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let idle = (computed_by(&pid)? - cpu) / began.elapsed().as_secs_f64();
    say(&format!("streams: {:.1} ms of computing a second while nothing happens (30 s); load {}", idle * 1e3, load()));
    let many_ends = ended(&dir, &address, &pid, 100).await?;
    say(&format!(
        "streams: the end of a contract takes {:.1} ms of computing with {few} streams open, {:.1} ms with {many}; load {}",
        few_ends * 1e3,
        many_ends * 1e3,
        load(),
    ));
    one_job_each(&dir, &address, streams).await?;
    drop(child);
    Ok(())
}

fn authority(dir: &Path) -> Outcome<Authority> {
    let text = std::fs::read_to_string(dir.join("authority.pem"))?;
    let at = text.find("-----BEGIN CERTIFICATE-----").ok_or("no certificate")?;
    let (key, cert) = text.split_at(at);
    Ok(Authority::from_pem(cert, key)?)
}

async fn open_all(authority: &Arc<Authority>, address: &str, which: std::ops::Range<usize>) -> Outcome<Vec<Open>> {
    let room = Arc::new(Semaphore::new(16));
    let mut tasks = tokio::task::JoinSet::new();
    for n in which {
        let (authority, address, permit) =
            (Arc::clone(authority), address.to_owned(), Arc::clone(&room).acquire_owned().await?);
        tasks.spawn(async move {
            let stream = opened(&authority, &address, n).await;
            drop(permit);
            stream
        });
    }
    let mut open = Vec::new();
    while let Some(stream) = tasks.join_next().await {
        open.push(stream??);
    }
    Ok(open)
}

/// Resident memory once it no longer grows.
async fn settled(pid: &str) -> Outcome<u64> {
    let mut last = memory(pid, "VmRSS")?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let resident = memory(pid, "VmRSS")?;
        if resident.abs_diff(last) < 64 {
            return Ok(resident);
        }
        last = resident;
    }
    Ok(last)
}

/// An operator's connection.
async fn operator(dir: &Path, address: &str) -> Outcome<ContractServiceClient<Channel>> {
    let read = |name: &str| std::fs::read_to_string(dir.join("operator").join(name));
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("authority.pem")?))
        .identity(Identity::from_pem(read("client.pem")?, read("client.key")?));
    Ok(ContractServiceClient::new(Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.connect().await?))
}

async fn sold(client: &mut ContractServiceClient<Channel>, service: &str) -> Outcome<()> {
    let start = v1::StartContractRequest {
        service: service.to_owned(),
        customer: format!("c-{service}"),
        started: "2026-01-02".to_owned(),
        ..v1::StartContractRequest::default()
    };
    Ok(client.start_contract(start).await.map(drop)?)
}

async fn told(client: &mut ContractServiceClient<Channel>, service: &str) -> Outcome<()> {
    let end = v1::EndContractRequest {
        service: service.to_owned(),
        ended: "2026-01-31".to_owned(),
        ..v1::EndContractRequest::default()
    };
    Ok(client.end_contract(end).await.map(drop)?)
}

/// Seconds of the coordinator's computing for one end, whose guards every stream hears of.
async fn ended(dir: &Path, address: &str, pid: &str, from: usize) -> Outcome<f64> {
    const ENDS: usize = 20;
    let mut client = operator(dir, address).await?;
    let services: Vec<String> = (from..from + ENDS).map(|n| format!("s{n}")).collect();
    for service in &services {
        sold(&mut client, service).await?;
    }
    settled(pid).await?;
    let cpu = computed_by(pid)?;
    for service in &services {
        told(&mut client, service).await?;
    }
    settled(pid).await?;
    Ok((computed_by(pid)? - cpu) / ENDS as f64)
}

/// The end of one contract inspects all targets: how long until every agent has its offer.
async fn one_job_each(dir: &Path, address: &str, streams: Vec<Open>) -> Outcome<()> {
    let mut client = operator(dir, address).await?;
    sold(&mut client, "everywhere").await?;
    told(&mut client, "everywhere").await?;
    let many = streams.len();
    let (began, limit) = (now(), Duration::from_secs(90));
    let settle = v1::SettleContractRequest {
        service: "everywhere".to_owned(),
        settled: "2026-01-31".to_owned(),
        ..v1::SettleContractRequest::default()
    };
    client.settle_contract(settle).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for mut stream in streams {
        tasks.spawn(async move {
            let offered = async {
                loop {
                    let word = stream.from.message().await.ok().flatten()?;
                    if matches!(to_agent(word), Ok(ToAgent::Offer { .. })) {
                        return Some(now() - began);
                    }
                }
            };
            let at = tokio::time::timeout(limit, offered).await.ok().flatten();
            // The stream stays open until here.
            drop(stream.to);
            at
        });
    }
    let mut times = Vec::new();
    while let Some(at) = tasks.join_next().await {
        times.extend(at?);
    }
    say(&format!(
        "streams: one request with a job for each agent: {} of {many} have their offer; {}; load {}",
        times.len(),
        spread(&times),
        load()
    ));
    Ok(())
}
