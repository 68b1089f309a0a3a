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

use crate::figures::{Outcome, load, memory, now, say};
use crate::host::{NOW, files};
use crate::{burst, waiting};

/// Names the directory that a process of this program is to serve.
pub(crate) const SERVES: &str = "GALLRA_BENCH_SERVES";

/// A coordinator process like any other, in this program.
pub(crate) async fn serve(dir: PathBuf) -> Outcome<()> {
    let at: Instant = NOW.parse()?;
    Ok(gallra_coordinator::serve::run(&Layout::new(dir), Some(at)).await?)
}

pub(crate) fn name(n: usize) -> Outcome<AgentName> {
    Ok(format!("host{n}").parse()?)
}

pub(crate) fn evidence(n: usize) -> SigningKey {
    SigningKey::from_seed(Digest::of(&n.to_be_bytes()).as_bytes())
}

fn inventory(n: usize) -> Outcome<Inventory> {
    Ok(Inventory { agent: name(n)?, evidence_key: evidence(n).verifying().to_hex(), targets: vec![files("www")?] })
}

/// Registers agents as enrolment would, without its statements in the log.
pub(crate) async fn registered(dir: &Path, many: usize) -> Outcome<()> {
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
pub(crate) struct Open {
    pub(crate) to: mpsc::Sender<v1::SessionRequest>,
    pub(crate) from: tonic::Streaming<v1::SessionResponse>,
}

/// A coordinator that serves, until this is dropped.
pub(crate) struct Served {
    pub(crate) authority: Arc<Authority>,
    pub(crate) address: String,
    pub(crate) pid: String,
    _child: Child,
}

impl Served {
    /// Of a directory that listens on the ports of `made_free`.
    pub(crate) async fn start(dir: &Path) -> Outcome<Self> {
        let listen = Layout::new(dir).config()?.listen;
        let child = started(dir).await?;
        let pid = child.id().ok_or("it ended")?.to_string();
        let began = now();
        while tokio::net::TcpStream::connect(&listen).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if began.elapsed().as_secs() > 60 {
                return Err("it does not listen".into());
            }
        }
        let address = format!("https://{listen}");
        Ok(Self { authority: Arc::new(authority(dir)?), address, pid, _child: child })
    }
}

/// Offers that an agent takes at once.
pub(crate) const CREDITS: u32 = 8;

async fn opened(authority: &Authority, address: &str, n: usize) -> Outcome<Open> {
    let (at, day) = (gallra_coordinator::clock::real_now(), SignedDuration::from_hours(24));
    let credential = authority.issue(CallerRole::Agent, name(n)?.as_str(), at, day)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.certificate_pem()))
        .identity(Identity::from_pem(credential.cert_pem, credential.key_pem));
    let channel: Channel = Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.connect().await?;
    let (to, outgoing) = mpsc::channel(16);
    for word in [
        ToCoordinator::Hello { inventory: inventory(n)?, generation: 1, credits: CREDITS },
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

/// Has a directory listen on ports that are free.
pub(crate) fn listens(dir: &Path) -> Outcome<()> {
    let path = Layout::new(dir).path("coordinator.toml");
    let mut text = std::fs::read_to_string(&path)?;
    for unused in ["127.0.0.1:1", "127.0.0.1:2"] {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        text = text.replace(&format!("{unused}\""), &format!("{free}\""));
    }
    Ok(std::fs::write(&path, text)?)
}

pub(crate) async fn measure(disk: &Path, many: usize) -> Outcome<()> {
    let (folder, template) = waiting::planned(disk).await?;
    let dir = folder.path().join("coordinator");
    listens(&dir)?;
    registered(&dir, many).await?;
    let served = Served::start(&dir).await?;
    let (authority, address, pid) = (&served.authority, &served.address, &served.pid);
    // What the first connections make once is not a stream's.
    let few = (many / 20).max(10);
    let mut streams = open_all(authority, address, 0..few).await?;
    let few_ends = ended(&dir, address, pid, 0).await?;
    let before = settled(pid).await?;
    let (began, cpu) = (now(), computed_by(pid)?);
    streams.extend(open_all(authority, address, few..many).await?);
    let (took, cpu) = (began.elapsed(), computed_by(pid)? - cpu);
    let after = settled(pid).await?;
    let more = (many - few) as u64;
    say(&format!(
        "streams: {many} open; resident {after} kB, {before} kB with {few}: {:.1} kB a stream; each opened within {:.2} ms of computing, {:.1} s for all; load {}",
        (after - before) as f64 / more as f64,
        cpu * 1e3 / more as f64,
        took.as_secs_f64(),
        load(),
    ));
    let (began, cpu) = (now(), computed_by(pid)?);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let idle = (computed_by(pid)? - cpu) / began.elapsed().as_secs_f64();
    say(&format!("streams: {:.1} ms of computing a second while nothing happens (30 s); load {}", idle * 1e3, load()));
    let many_ends = ended(&dir, address, pid, 100).await?;
    say(&format!(
        "streams: the end of a contract takes {:.1} ms of computing with {few} streams open, {:.1} ms with {many}; load {}",
        few_ends * 1e3,
        many_ends * 1e3,
        load(),
    ));
    drop((streams, served));
    one_job_each(&dir, many, Arc::new(template)).await
}

/// A coordinator starts with a job for each agent in its store, all agents come back at once, and each does its one job.
async fn one_job_each(dir: &Path, many: usize, template: Arc<waiting::Template>) -> Outcome<()> {
    {
        let store = waiting::opened_again(&Layout::new(dir).path("store")).await?;
        let offered = |n| Ok(Some((name(n)?, NOW.parse()?)));
        waiting::filled(store, template, 0..many, offered).await?;
    }
    let permits = burst::permits_of(dir)?;
    let served = Served::start(dir).await?;
    let (began, cpu) = (now(), computed_by(&served.pid)?);
    let streams = open_all(&served.authority, &served.address, 0..many).await?;
    let opened = began.elapsed();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, stream) in streams {
        tasks.spawn(burst::drained(n, 1, stream, permits.clone()));
    }
    let mut times = Vec::new();
    while let Some(seen) = tasks.join_next().await {
        times.extend(seen??.times);
    }
    say(&format!(
        "streams: after a start {many} agents came back in {:.1} s, and {} had done one job each after {:.1} s; {:.2} ms of computing each; resident {} kB; load {}",
        opened.as_secs_f64(),
        times.len(),
        began.elapsed().as_secs_f64(),
        (computed_by(&served.pid)? - cpu) * 1e3 / many as f64,
        memory(&served.pid, "VmRSS")?,
        load(),
    ));
    Ok(())
}

fn authority(dir: &Path) -> Outcome<Authority> {
    let text = std::fs::read_to_string(dir.join("authority.pem"))?;
    let at = text.find("-----BEGIN CERTIFICATE-----").ok_or("no certificate")?;
    let (key, cert) = text.split_at(at);
    Ok(Authority::from_pem(cert, key)?)
}

pub(crate) async fn open_all(
    authority: &Arc<Authority>,
    address: &str,
    which: std::ops::Range<usize>,
) -> Outcome<Vec<(usize, Open)>> {
    let room = Arc::new(Semaphore::new(16));
    let mut tasks = tokio::task::JoinSet::new();
    for n in which {
        let (authority, address, permit) =
            (Arc::clone(authority), address.to_owned(), Arc::clone(&room).acquire_owned().await?);
        tasks.spawn(async move {
            let stream = opened(&authority, &address, n).await;
            drop(permit);
            stream.map(|stream| (n, stream))
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
