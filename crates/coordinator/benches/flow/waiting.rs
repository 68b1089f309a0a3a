//! Many requests that wait: what a look at what is due takes, how long after a start the first job is dispatched, memory and disk. They
//! are written straight into the store, as copies of one that the core planned, with ids of their own; nothing that waits is looked
//! into before its day.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gallra_coordinator::layout::Layout;
use gallra_coordinator::{leader, opening, state};
use gallra_model::request::{JobRecord, JobState};
use gallra_model::{AgentName, JobId, RequestId};
use gallra_store::txn::{MAX_TXN_BYTES, MAX_TXN_OPS};
use gallra_store::{Embedded, Entry, Key, Store, Txn, keys};

use crate::figures::{Outcome, at_once, computed, load, memory, now, say, within};
use crate::host::{Host, NOW, On, agent, files};
use crate::jobs;

/// Names the directory that a process of this program is to open.
pub(crate) const OPENS: &str = "GALLRA_BENCH_OPENS";

/// A request's entries, and the ids in them that a copy has of its own.
struct Template {
    entries: Vec<Entry>,
    request: RequestId,
    jobs: Vec<JobId>,
    /// Its jobs that wait.
    waiting: usize,
    due: gallra_model::Instant,
}

/// A coordinator with one request that waits and one that has a job to do at once; closed again.
async fn begun(disk: &Path) -> Outcome<(tempfile::TempDir, Template)> {
    let host = Arc::new(Host::new(&On::Embedded, disk, vec![files("www")?]).await?);
    let [late, early] = ["late", "early"];
    for service in [late, early] {
        host.sells(service).await?;
    }
    let waits = host.ends_on("2026-03-31".parse()?, late).await?;
    jobs::inspected(&host, &waits).await?;
    host.ends(host.end(early)?).await?;
    crate::ends::until("both are planned", async || host.counted.planned() >= 2).await?;
    let store = &*host.core.store;
    let view = state::load(store, &waits).await?.view;
    let due = view.request.wake.ok_or("a request that waits for nothing")?;
    let mut entries = vec![store.get(&keys::request(&waits)).await?.ok_or("no request")?];
    entries.extend(state::entries(store, &keys::plans_of(&waits)).await?);
    entries.extend(state::entries(store, &keys::jobs_of(&waits)).await?);
    entries.extend(state::entries(store, &keys::receipts_of(&waits)).await?);
    entries.extend(store.get(&keys::timer(due, &waits)).await?);
    let jobs: Vec<JobId> = view.jobs.iter().map(JobRecord::id).collect();
    for job in &jobs {
        entries.extend(store.get(&keys::job_request(job)).await?);
    }
    let waiting = view.jobs.iter().filter(|job| job.state == JobState::Waiting).count();
    let template = Template { entries, request: waits, jobs, waiting, due };
    Ok((host.close().await?, template))
}

impl Template {
    /// The nth copy: due on one of a thousand days, one job in the dispatch index of one of a hundred agents.
    fn copy(&self, n: u128) -> Outcome<Vec<(Key, Vec<u8>)>> {
        let request = RequestId::from_bytes((n << 32).to_be_bytes());
        let mut names = vec![(self.request.to_string(), request.to_string())];
        for (at, job) in self.jobs.iter().enumerate() {
            names.push((job.to_string(), JobId::from_bytes(((n << 32) + at as u128 + 1).to_be_bytes()).to_string()));
        }
        let renamed = |text: &str| names.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        let mut all = Vec::with_capacity(self.entries.len() + 1);
        let due = self.due.checked_add(jiff::SignedDuration::from_hours(24 * i64::try_from(n % 1000)?))?;
        for entry in &self.entries {
            let key = match keys::parse_timer(&entry.key) {
                Some(_) => keys::timer(due, &request),
                None => Key::parse(&renamed(entry.key.as_str()))?,
            };
            all.push((key, renamed(std::str::from_utf8(&entry.value)?).into_bytes()));
        }
        let agent: AgentName = format!("waiting{}", n % 100).parse()?;
        let job = JobId::from_bytes(((n << 32) + 1).to_be_bytes());
        all.push((keys::ready(&agent, due, &job), serde_json::to_vec(&request)?));
        Ok(all)
    }
}

/// Writes copies; how many entries and bytes.
async fn filled(
    store: Arc<dyn Store>,
    template: Arc<Template>,
    copies: std::ops::Range<usize>,
) -> Outcome<(usize, usize)> {
    const COPIES: usize = 200;
    let (from, many) = (copies.start, copies.len().div_ceil(COPIES));
    let end = copies.end;
    let written = at_once(many, 32, move |n| {
        let (store, template) = (Arc::clone(&store), Arc::clone(&template));
        async move {
            let (mut txn, mut entries, mut bytes) = (Txn::new(), 0, 0);
            for copy in (from + n * COPIES)..(from + (n + 1) * COPIES).min(end) {
                for (key, value) in template.copy(copy as u128 + 1)? {
                    entries += 1;
                    bytes += key.as_bytes().len() + value.len();
                    if txn.writes().len() + 1 >= MAX_TXN_OPS || txn.bytes() + value.len() + 1_000 > MAX_TXN_BYTES {
                        store.commit(std::mem::take(&mut txn)).await?;
                    }
                    txn = txn.put(key, value);
                }
            }
            store.commit(txn).await?;
            Outcome::Ok((entries, bytes))
        }
    });
    let written = written.await?;
    Ok(written.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

/// Looks at what is due: the first 256 of timers and of one agent's jobs, on a day on which that many are.
async fn looks(store: &dyn Store, template: &Template) -> Outcome<(f64, f64)> {
    let far = template.due.checked_add(jiff::SignedDuration::from_hours(24 * 2_000))?;
    let agent: AgentName = "waiting7".parse()?;
    let (mut timers, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let began = now();
        store.range(&keys::timers_due(far), 256).await?;
        timers.push(began.elapsed());
        let began = now();
        store.range(&keys::ready_due(&agent, far), 256).await?;
        ready.push(began.elapsed());
    }
    Ok((within(&timers, 50), within(&ready, 50)))
}

/// What a process of its own does: opens everything, and gives the first job to the agent.
pub(crate) async fn open(dir: PathBuf) -> Outcome<()> {
    let began = now();
    drop(Embedded::open(&Layout::new(&dir).path("store"))?);
    let alone = began.elapsed();
    let began = now();
    let core = opening::open(&Layout::new(dir), Some(NOW.parse()?)).await?;
    let opened = began.elapsed();
    // As a stream does, which does not wait for the leader.
    let first = core.ready_jobs(&agent()?).await?.first().copied().ok_or("nothing to do")?;
    core.offer(&first).await?.ok_or("no offer")?;
    let offered = began.elapsed();
    leader::run_due(&core).await?;
    let passed = began.elapsed();
    let again = now();
    leader::run_due(&core).await?;
    say(&format!(
        "the file alone opened and closed {:.0} ms; opened {:.0} ms, first offer {:.0} ms, first pass of the leader over at {:.0} ms, the next takes {:.0} ms; computing {:.0} ms; most memory {} kB",
        ms(alone),
        ms(opened),
        ms(offered),
        ms(passed),
        ms(again.elapsed()),
        ms(computed()),
        memory("self", "VmHWM")?,
    ));
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) async fn measure(disk: &Path, sizes: &[usize]) -> Outcome<()> {
    let (folder, template) = begun(disk).await?;
    let (dir, template) = (folder.path().join("coordinator"), Arc::new(template));
    let file = Layout::new(&dir).path("store").join(gallra_store::embedded::FILE_NAME);
    let mut copies = 0;
    for jobs in sizes {
        let wanted = jobs.div_ceil(template.waiting.max(1));
        let began: Instant = now();
        let (entries, bytes, timers, ready) = {
            let store: Arc<dyn Store> = Arc::new(Embedded::open(&Layout::new(&dir).path("store"))?);
            let (entries, bytes) = filled(Arc::clone(&store), Arc::clone(&template), copies..wanted).await?;
            let (timers, ready) = looks(&*store, &template).await?;
            (entries, bytes, timers, ready)
        };
        let added = wanted - copies;
        copies = wanted;
        let disk = std::fs::metadata(&file)?.len();
        say(&format!(
            "waiting: {} jobs of {copies} requests ({entries} entries, {bytes} bytes written for {added} of them in {:.0} s); first 256 due: \
             timers {timers:.3} ms, jobs of an agent {ready:.3} ms; file {disk} bytes, {:.0} a request; load {}",
            copies * template.waiting,
            began.elapsed().as_secs_f64(),
            disk as f64 / copies as f64,
            load(),
        ));
        for _ in 0..3 {
            let child = tokio::process::Command::new(std::env::current_exe()?)
                .env(OPENS, &dir)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output();
            let done = child.await?;
            say(&format!("waiting: {}{}", String::from_utf8_lossy(&done.stdout).trim(), tail(&done.stderr)));
        }
    }
    Ok(())
}

/// The end of what was complained about.
fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().last().map(|line| format!(" ({line})")).unwrap_or_default()
}
