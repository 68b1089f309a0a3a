//! A burst: so many jobs of a hundred agents come due within one minute, and a coordinator process of its own drains them over the
//! agents' real streams. Each agent counts what it has in hand beside the credits that it granted, and notes whether what it is offered
//! comes in the order in which it was due. Upholds nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gallra_coordinator::layout::Layout;
use gallra_model::job::JobSpec;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::{Denial, Permit};
use gallra_model::{Digest, Instant, JobId, Nonce};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_wire::session::{request_of, to_agent};
use jiff::SignedDuration;

use crate::figures::{Outcome, load, memory, now, say, spread};
use crate::host::NOW;
use crate::jobs::said_of;
use crate::streams::{self, CREDITS, Open};
use crate::waiting;

const AGENTS: usize = 100;

/// What one agent saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// From an offer to its receipt's acknowledgement.
    pub(crate) times: Vec<Duration>,
    /// The most offers in hand.
    most: usize,
    /// Offers of a job that was due before one that was offered earlier; those that are offered again are none.
    late: usize,
    /// Askings that were denied, and were offered again.
    denied: usize,
}

/// When the nth job is due: within the minute before now, in their order.
fn due(n: usize, many: usize) -> Outcome<Instant> {
    let at: Instant = NOW.parse()?;
    let back = i64::try_from((many - n) * 60_000 / many)?;
    Ok(at.checked_sub(SignedDuration::from_millis(back))?)
}

pub(crate) async fn measure(disk: &Path, many: usize) -> Outcome<()> {
    let (folder, template) = waiting::planned(disk).await?;
    let dir = folder.path().join("coordinator");
    streams::listens(&dir)?;
    streams::registered(&dir, AGENTS).await?;
    let began = now();
    {
        let store = waiting::opened_again(&Layout::new(&dir).path("store")).await?;
        let offered = move |n: usize| Ok(Some((streams::name(n % AGENTS)?, due(n, many)?)));
        waiting::filled(store, Arc::new(template), 0..many, offered).await?;
    }
    say(&format!("burst: {many} jobs written in {:.0} s; load {}", began.elapsed().as_secs_f64(), load()));
    let permits = permits_of(&dir)?;
    let served = streams::Served::start(&dir).await?;
    let began = now();
    let opened = streams::open_all(&served.authority, &served.address, 0..AGENTS).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (n, stream) in opened {
        let mine = (many - n).div_ceil(AGENTS);
        tasks.spawn(drained(n, mine, stream, permits.clone()));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen??;
        all.times.extend(seen.times);
        (all.most, all.late, all.denied) = (all.most.max(seen.most), all.late + seen.late, all.denied + seen.denied);
    }
    let took = began.elapsed();
    say(&format!(
        "burst: {} jobs of {AGENTS} agents drained in {:.1} s, {:.0} jobs/s; an agent has {} in hand at most, and granted {CREDITS}; {} offers out of the order in \
         which they were due; {} askings denied and offered again; from offer to acknowledged receipt {}; most memory {} kB; load {}",
        all.times.len(),
        took.as_secs_f64(),
        all.times.len() as f64 / took.as_secs_f64(),
        all.most,
        all.late,
        all.denied,
        spread(&all.times),
        memory(&served.pid, "VmHWM")?,
        load(),
    ));
    Ok(())
}

/// Who signs permits there.
pub(crate) fn permits_of(dir: &Path) -> Outcome<VerifyingKey> {
    Ok(SigningKey::from_pem(&Layout::new(dir).read("permit.key")?)?.verifying())
}

/// A job in an agent's hands.
struct InHand {
    spec: JobSpec,
    bytes: Digest,
    since: std::time::Instant,
}

/// One agent, until it has done all that is its own.
pub(crate) async fn drained(n: usize, mine: usize, mut stream: Open, permits: VerifyingKey) -> Outcome<Seen> {
    let evidence = streams::evidence(n);
    let (mut seen, mut hand) = (Seen::default(), std::collections::BTreeMap::<JobId, InHand>::new());
    let mut receipts = std::collections::BTreeMap::<Digest, JobId>::new();
    let (mut last, mut tried) = (None, std::collections::BTreeSet::new());
    while seen.times.len() < mine {
        let word = tokio::time::timeout(Duration::from_secs(120), stream.from.message()).await??;
        match to_agent(word.ok_or("the stream ended")?)? {
            ToAgent::Offer { spec, .. } => {
                let bytes = Digest::of(spec.as_bytes());
                let spec: JobSpec = serde_json::from_str(&spec)?;
                let job = spec.job;
                // Ids rise as the jobs are due.
                if tried.insert(job) {
                    seen.late += usize::from(last.is_some_and(|last| last > job));
                    last = Some(job);
                }
                hand.insert(job, InHand { spec, bytes, since: now() });
                seen.most = seen.most.max(hand.len());
                stream.to.send(request_of(&ask(job, bytes))).await?;
            }
            ToAgent::Permitted { permit } => {
                let (permit, _): (Permit, _) = gallra_proof::permit::open(&permit, &permits)?;
                let held = hand.get(&permit.job).ok_or("a permit for nothing")?;
                if permit.spec != held.bytes {
                    return Err("a permit for another offer".into());
                }
                let receipt = said_of(&held.spec, &permit, NOW.parse()?);
                let envelope = gallra_proof::receipt::sign(&receipt, held.spec.again, &evidence)?;
                receipts.insert(gallra_proof::receipt::read(&envelope)?.digest, permit.job);
                stream.to.send(request_of(&ToCoordinator::Receipt { envelope })).await?;
            }
            ToAgent::Denied { job, reason, .. } => {
                if !matches!(reason, Denial::Raced | Denial::NotLogged | Denial::Stale) {
                    return Err(format!("{job} is denied: {reason:?}").into());
                }
                hand.remove(&job);
                seen.denied += 1;
            }
            ToAgent::ReceiptStored { receipt } => {
                let job = receipts.remove(&receipt).ok_or("a receipt that nobody sent")?;
                seen.times.push(hand.remove(&job).ok_or("a job that nobody has")?.since.elapsed());
            }
            ToAgent::Welcome { .. }
            | ToAgent::ClockMoved { .. }
            | ToAgent::RestoreHeard { .. }
            | ToAgent::Order { .. }
            | ToAgent::Withdraw { .. }
            | ToAgent::Suppression { .. } => {}
        }
    }
    Ok(seen)
}

fn ask(job: JobId, spec: Digest) -> ToCoordinator {
    ToCoordinator::AskBegin { job, spec, nonce: Nonce::from_bytes([7; 16]) }
}
