//! Jobs through offer, permit and receipt a second, and whole requests from the end of a contract to the last receipt.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gallra_flow::permit::Asking;
use gallra_model::copy::CopyListing;
use gallra_model::job::{Action, JobSpec};
use gallra_model::outcome::Counts;
use gallra_model::permit::{Denial, Permit};
use gallra_model::receipt::{Receipt, Tally, Verdict};
use gallra_model::target::TargetKind;
use gallra_model::{Clock, Digest, Instant, JobId, Nonce};
use tokio::sync::Semaphore;

use crate::counted::written_again;
use crate::ends::{sold, taken, until, waiting};
use crate::figures::{Outcome, at_once, bench, computed, load, now, say, spread};
use crate::host::{Host, agent};

/// What one job took.
pub(crate) struct Times {
    offered: Duration,
    permitted: Duration,
    stored: Duration,
}

/// What the played agent computes, and what the coordinator computes for signatures: nanoseconds.
#[derive(Default)]
pub(crate) struct Signatures {
    agents: AtomicU64,
    coordinators: AtomicU64,
}

impl Signatures {
    fn add(to: &AtomicU64, took: Duration) {
        to.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// One job as an agent takes it. Nothing where it is not to be had now.
async fn one(host: &Host, job: JobId, signatures: &Signatures) -> Outcome<Option<Times>> {
    loop {
        let mut moves = host.core.ledger.moves();
        let began = now();
        let Some(offer) = host.core.offer(&job).await? else { return Ok(None) };
        let offered = now();
        let asking = Asking {
            agent: agent()?,
            job,
            spec: Digest::of(offer.as_bytes()),
            nonce: Nonce::from_bytes([7; 16]),
            permitted_on_this_stream: false,
            going_on: None,
        };
        match host.core.ask(&asking).await? {
            Err(Denial::NotLogged) => {
                let _ = tokio::time::timeout(Duration::from_millis(500), moves.changed()).await;
            }
            Err(Denial::Raced | Denial::Stale) => {}
            Err(_) => return Ok(None),
            Ok(envelope) => {
                let permitted = now();
                let (permit, _) = gallra_proof::permit::open(&envelope, &host.core.permits.verifying())?;
                let spec: JobSpec = serde_json::from_str(&offer)?;
                let receipt = gallra_proof::receipt::sign(
                    &said_of(&spec, &permit, host.core.time.now()),
                    spec.again,
                    &host.evidence,
                )?;
                let signed = now();
                Signatures::add(&signatures.agents, signed - permitted);
                host.core.take_receipt(&agent()?, &receipt).await?;
                let stored = now();
                // The same once more, beside: what of the coordinator's computing was signing the permit and checking the receipt.
                gallra_proof::permit::sign(&permit, &host.core.permits)?;
                gallra_proof::receipt::open(&receipt, &host.evidence.verifying())?;
                Signatures::add(&signatures.coordinators, stored.elapsed());
                let (offered, permitted) = (offered - began, permitted - offered);
                return Ok(Some(Times { offered, permitted, stored: stored - signed }));
            }
        }
    }
}

/// Does the jobs of a request that are due, until none is.
pub(crate) async fn inspected(host: &Arc<Host>, request: &gallra_model::RequestId) -> Outcome<()> {
    until("it is planned", async || host.counted.planned() > 0).await?;
    let signatures = Signatures::default();
    for job in host.core.ready_jobs(&agent()?).await? {
        one(host, job, &signatures).await?;
    }
    until("it waits", async || {
        let view = gallra_coordinator::state::load(&*host.core.store, request).await;
        view.is_ok_and(|loaded| loaded.view.request.wake.is_some_and(|wake| wake > host.core.time.now()))
    })
    .await
}

/// What an agent says that did its job and found nothing to say.
pub(crate) fn said_of(spec: &JobSpec, permit: &Permit, at: Instant) -> Receipt {
    let count = |action| u64::from(spec.action == action);
    let counts = Counts { erased: count(Action::Erase), absent: count(Action::Confirm), ..Counts::default() };
    // Only a backup target is asked about copies, and none of this one's holds anything of anybody.
    let listing = spec.question.as_ref().map(|_| CopyListing {
        repository: Digest::of(b"repository"),
        listed: at,
        run_under_way: false,
        copies: Vec::new(),
        reclaimed: None,
    });
    Receipt {
        commitment: permit.commitment,
        previous: None,
        job: spec.job,
        attempt: permit.attempt,
        agent: spec.agent.clone(),
        target: spec.target.clone(),
        kind: if listing.is_some() { TargetKind::Restic } else { TargetKind::Files },
        action: spec.action,
        pseudonym: spec.pseudonym,
        spec: permit.spec,
        permit: None,
        instance: Some(Digest::of(b"inode")),
        verdict: Verdict::Done,
        code: None,
        hint: String::new(),
        counts,
        before: Tally::default(),
        after: Tally::default(),
        checks: Vec::new(),
        older_than: None,
        listing,
        kept: None,
        started: at,
        finished: at,
        clock: Clock::Simulated,
        software: String::new(),
    }
}

/// The agent, which has so many jobs in hand at once, until it is told that there will be no more.
async fn works(
    host: Arc<Host>,
    callers: usize,
    signatures: Arc<Signatures>,
    over: impl Fn() -> bool,
) -> Outcome<Vec<Times>> {
    let (room, begun) = (Arc::new(Semaphore::new(callers)), Arc::new(Mutex::new(BTreeSet::new())));
    let mut ready = host.core.store.watch(gallra_store::keys::ready_of(&agent()?));
    let mut tasks = tokio::task::JoinSet::new();
    let mut times = Vec::new();
    while !over() {
        for job in host.core.ready_jobs(&agent()?).await? {
            if !begun.lock().unwrap_or_else(PoisonError::into_inner).insert(job) {
                continue;
            }
            let permit = Arc::clone(&room).acquire_owned().await?;
            let (host, signatures, begun) = (Arc::clone(&host), Arc::clone(&signatures), Arc::clone(&begun));
            tasks.spawn(async move {
                let done = one(&host, job, &signatures).await;
                if !matches!(done, Ok(Some(_))) {
                    begun.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
                }
                drop(permit);
                done
            });
            while let Some(done) = tasks.try_join_next() {
                times.extend(done??);
            }
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), ready.next()).await;
        while let Some(done) = tasks.try_join_next() {
            times.extend(done??);
        }
    }
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok(times)
}

/// Jobs of requests that are planned beforehand.
pub(crate) async fn measure(host: &Arc<Host>, engine: &str, callers: usize, many: usize) -> Outcome<()> {
    let ends = waiting(sold(host, &format!("job{callers}"), many).await?);
    let theirs = Arc::clone(host);
    let tell = move |n| {
        let (host, ends) = (Arc::clone(&theirs), Arc::clone(&ends));
        async move { host.ends(taken(&ends, n)?).await }
    };
    let requests = at_once(many, 16, tell).await?;
    until("all are planned", async || host.counted.planned() >= many).await?;
    drop(host.counted.taken());
    measured(host, &format!("{engine}/jobs-{callers}-callers"), callers, async |_| Ok(requests)).await
}

/// Whole requests, from the end to the final proof: so many are told at once, the next when one is over. `what` says of which jobs.
pub(crate) async fn requests(host: &Arc<Host>, what: &str, callers: usize, many: usize) -> Outcome<()> {
    let ends = waiting(sold(host, &format!("req{callers}"), many).await?);
    drop(host.counted.taken());
    let theirs = Arc::clone(host);
    let name = format!("{what}-{callers}-callers");
    let whole = Arc::new(Mutex::new(Vec::new()));
    let spent = Arc::clone(&whole);
    let time = tokio::spawn(time_passes(Arc::clone(host), callers));
    let outcome = measured(host, &name, callers, async move |_| {
        at_once(many, callers, move |n| {
            let (host, ends, spent) = (Arc::clone(&theirs), Arc::clone(&ends), Arc::clone(&spent));
            async move {
                let began = now();
                let request = host.ends(taken(&ends, n)?).await?;
                let mut moved = host.core.store.watch(gallra_store::keys::jobs_of(&request));
                while !host.is_done(&request).await? {
                    let _ = tokio::time::timeout(Duration::from_secs(1), moved.next()).await;
                }
                spent.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
                Ok(request)
            }
        })
        .await
    })
    .await;
    time.abort();
    say(&format!("  {name}: a whole request {}", spread(&whole.lock().unwrap_or_else(PoisonError::into_inner))));
    outcome
}

/// The look again after the last copy went is due ten minutes after it: a demonstration's clock moves on. A request waits for it once,
/// or twice where there are copies, which only one caller alone would notice; and each time the loops look at what has come due.
async fn time_passes(host: Arc<Host>, callers: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(if callers == 1 { 25 } else { 100 }));
    loop {
        tick.tick().await;
        let on = host.core.time.now().checked_add(jiff::SignedDuration::from_mins(11));
        if on.is_ok_and(|on| host.core.time.advance(on).is_ok()) {
            host.core.wake.notify_one();
        }
    }
}

async fn measured(
    host: &Arc<Host>,
    name: &str,
    callers: usize,
    requests: impl AsyncFnOnce(()) -> Outcome<Vec<gallra_model::RequestId>>,
) -> Outcome<()> {
    let signatures = Arc::new(Signatures::default());
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (began, cpu) = (now(), computed());
    let is_over = Arc::clone(&over);
    let over_yet = move || is_over.load(Ordering::Relaxed);
    let working = tokio::spawn(works(Arc::clone(host), callers, Arc::clone(&signatures), over_yet));
    let requests = requests(()).await?;
    for request in &requests {
        until("a request's jobs are done", async || host.is_over(request).await.unwrap_or(false)).await?;
    }
    let took = began.elapsed();
    let computing = computed() - cpu;
    over.store(true, Ordering::Relaxed);
    let times = working.await??;
    let (seen, reads, conflicts) = host.counted.taken();
    let (txns, bytes) = (seen.txns.len(), seen.txns.iter().map(gallra_store::Txn::bytes).sum::<usize>());
    let most = seen.most_read(times.len());
    let (peer, raw) = written_again(&host.peer, seen.txns, callers).await?;
    let jobs = times.len();
    bench(name, "jobs", jobs, (took, peer));
    let all = |of: fn(&Times) -> Duration| spread(&times.iter().map(of).collect::<Vec<_>>());
    let (agents, coordinators) =
        (signatures.agents.load(Ordering::Relaxed), signatures.coordinators.load(Ordering::Relaxed));
    // What was done once more for the measuring is not the coordinator's.
    let own = computing.as_secs_f64() - (agents + coordinators) as f64 / 1e9;
    let each = |what: f64| what / jobs as f64;
    say(&format!(
        "  {name}: {:.1} requests/s of {:.1} jobs; offer {}; permit {}; receipt {}; one raw transaction {}; for each job {:.1} transactions, {} bytes, \
         {:.1} reads ({most}), {:.2} conflicts, {:.2} ms of computing, {:.0}% of it permit and receipt signatures; load {}",
        requests.len() as f64 / took.as_secs_f64(),
        jobs as f64 / requests.len() as f64,
        all(|times| times.offered),
        all(|times| times.permitted),
        all(|times| times.stored),
        spread(&raw),
        each(txns as f64),
        bytes / jobs,
        each(reads as f64),
        each(conflicts as f64),
        each(own * 1e3),
        coordinators as f64 / 1e7 / own,
        load(),
    ));
    Ok(())
}
