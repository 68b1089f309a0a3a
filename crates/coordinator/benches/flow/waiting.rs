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
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing::{Cluster, Lifetime};

use crate::figures::{Outcome, at_once, computed, load, memory, now, say, within};
use crate::host::{Host, NOW, On, agent, files};
use crate::jobs;

/// The cell that the first coordinator on a cluster of the tests gets.
const FIRST_CELL: &str = "cell-0";
/// Names the directory that a process of this program is to open.
pub(crate) const OPENS: &str = "GALLRA_BENCH_OPENS";

/// A request's entries, and the ids in them that a copy has of its own.
pub(crate) struct Template {
    entries: Vec<Entry>,
    request: RequestId,
    jobs: Vec<JobId>,
    /// Its jobs that wait.
    waiting: usize,
    due: gallra_model::Instant,
}

/// Whom a copy's first job is offered to, and from when on; unset for a copy that waits, one job of which is in the dispatch index of one
/// of a hundred agents that never come.
pub(crate) type Offered = Option<(AgentName, gallra_model::Instant)>;

/// A coordinator with one request that waits and one that has a job to do at once; closed again.
async fn begun(disk: &Path, on: &On, targets: usize) -> Outcome<(tempfile::TempDir, Template)> {
    let targets: Outcome<Vec<_>> = (0..targets).map(|n| files(&format!("www{n}"))).collect();
    let host = Arc::new(Host::new(on, disk, targets?).await?);
    let [late, early] = ["late", "early"];
    for service in [late, early] {
        host.sells(service).await?;
    }
    let waits = host.ends_on("2026-03-31".parse()?, late).await?;
    jobs::inspected(&host, &waits).await?;
    host.ends(host.end(early)?).await?;
    crate::ends::until("both are planned", async || host.counted.planned() >= 2).await?;
    let template = Template::of(&host, &waits).await?;
    Ok((host.close().await?, template))
}

/// The same with a request that is planned, and whose first jobs are to be done.
pub(crate) async fn planned(disk: &Path) -> Outcome<(tempfile::TempDir, Template)> {
    let host = Arc::new(Host::new(&On::Embedded, disk, vec![files("www")?]).await?);
    host.sells("late").await?;
    let request = host.ends_on("2026-03-31".parse()?, "late").await?;
    crate::ends::until("it is planned", async || host.counted.planned() > 0).await?;
    let template = Template::of(&host, &request).await?;
    Ok((host.close().await?, template))
}

impl Template {
    async fn of(host: &Host, request: &RequestId) -> Outcome<Self> {
        let store = &*host.core.store;
        let view = state::load(store, request).await?.view;
        let due = view.request.wake.ok_or("a request that waits for nothing")?;
        let mut entries = vec![store.get(&keys::request(request)).await?.ok_or("no request")?];
        entries.extend(state::entries(store, &keys::plans_of(request)).await?);
        entries.extend(state::entries(store, &keys::jobs_of(request)).await?);
        entries.extend(state::entries(store, &keys::receipts_of(request)).await?);
        entries.extend(store.get(&keys::timer(due, request)).await?);
        let jobs: Vec<JobId> = view.jobs.iter().map(JobRecord::id).collect();
        for job in &jobs {
            entries.extend(store.get(&keys::job_request(job)).await?);
        }
        let waiting = view.jobs.iter().filter(|job| job.state == JobState::Waiting).count();
        Ok(Self { entries, request: *request, jobs, waiting, due })
    }

    /// The nth copy: due on one of a thousand days.
    fn copy(&self, n: u128, offered: &Offered) -> Outcome<Vec<(Key, Vec<u8>)>> {
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
            let value = renamed(std::str::from_utf8(&entry.value)?);
            let job = serde_json::from_str::<JobRecord>(&value).ok().filter(|job| job.state == JobState::Ready);
            match (job, offered) {
                (Some(mut job), Some((agent, from))) => {
                    (job.step.agent, job.due) = (agent.clone(), *from);
                    all.push((keys::ready(agent, *from, &job.id()), serde_json::to_vec(&request)?));
                    all.push((key, serde_json::to_vec(&job)?));
                }
                _ => all.push((key, value.into_bytes())),
            }
        }
        if offered.is_none() {
            let agent: AgentName = format!("waiting{}", n % 100).parse()?;
            let job = JobId::from_bytes(((n << 32) + 1).to_be_bytes());
            all.push((keys::ready(&agent, due, &job), serde_json::to_vec(&request)?));
        }
        Ok(all)
    }
}

/// Writes copies; how many entries and bytes.
pub(crate) async fn filled(
    store: Arc<dyn Store>,
    template: Arc<Template>,
    copies: std::ops::Range<usize>,
    offered: impl Fn(usize) -> Outcome<Offered> + Clone + Send + Sync + 'static,
) -> Outcome<(usize, usize)> {
    const COPIES: usize = 200;
    let (from, many) = (copies.start, copies.len().div_ceil(COPIES));
    let end = copies.end;
    let written = at_once(many, 32, move |n| {
        let (store, template, offered) = (Arc::clone(&store), Arc::clone(&template), offered.clone());
        async move {
            let (mut txn, mut entries, mut bytes) = (Txn::new(), 0, 0);
            for copy in (from + n * COPIES)..(from + (n + 1) * COPIES).min(end) {
                for (key, value) in template.copy(copy as u128 + 1, &offered(copy)?)? {
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
    let layout = Layout::new(dir);
    let began = now();
    if layout.config()?.etcd.is_none() {
        drop(Embedded::open(&layout.path("store"))?);
    }
    let alone = began.elapsed();
    let began = now();
    let core = opening::open(&layout, Some(NOW.parse()?)).await?;
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

/// A store, once whoever had it open has let it go.
pub(crate) async fn opened_again(dir: &Path) -> Outcome<Arc<dyn Store>> {
    let began = now();
    loop {
        match Embedded::open(dir) {
            Ok(store) => return Ok(Arc::new(store)),
            Err(error) if began.elapsed().as_secs() > 30 => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Where the copies are.
enum Place {
    File(PathBuf),
    Etcd(Box<gallra_store_etcd::Config>),
}

impl Place {
    async fn store(&self) -> Outcome<Arc<dyn Store>> {
        Ok(match self {
            Self::File(dir) => opened_again(dir).await?,
            Self::Etcd(config) => Arc::new(Etcd::open(config).await?),
        })
    }
}

/// Some thousand jobs, and then more: of requests with this many targets, three jobs each.
pub(crate) async fn measure(disk: &Path, (on, engine): (&On, &str), targets: usize, sizes: &[usize]) -> Outcome<()> {
    let (folder, template) = begun(disk, on, targets).await?;
    let (dir, template) = (folder.path().join("coordinator"), Arc::new(template));
    let layout = Layout::new(&dir);
    let place = match on {
        On::Embedded => Place::File(layout.path("store")),
        On::Etcd(cluster) => Place::Etcd(Box::new(moved_to(&layout, cluster)?)),
    };
    let mut copies = 0;
    for jobs in sizes {
        let wanted = jobs.div_ceil(template.waiting.max(1));
        let began: Instant = now();
        let (entries, bytes, timers, ready) = {
            let store = place.store().await?;
            let none = |_| Outcome::Ok(None);
            let (entries, bytes) = filled(Arc::clone(&store), Arc::clone(&template), copies..wanted, none).await?;
            let (timers, ready) = looks(&*store, &template).await?;
            (entries, bytes, timers, ready)
        };
        let added = wanted - copies;
        copies = wanted;
        let disk = match (&place, on) {
            (Place::File(dir), _) => std::fs::metadata(dir.join(gallra_store::embedded::FILE_NAME))?.len(),
            (Place::Etcd(_), On::Etcd(cluster)) => cluster.file_bytes(0),
            (Place::Etcd(_), On::Embedded) => 0,
        };
        say(&format!(
            "waiting on {engine}: {} jobs of {copies} requests ({entries} entries, {bytes} bytes written for {added} of them in {:.0} s); first 256 due: \
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
            say(&format!(
                "waiting on {engine}: {}{}",
                String::from_utf8_lossy(&done.stdout).trim(),
                tail(&done.stderr)
            ));
        }
    }
    Ok(())
}

/// Has a directory's configuration name the cluster that its state was begun in, as the first cell there.
fn moved_to(layout: &Layout, cluster: &Cluster) -> Outcome<gallra_store_etcd::Config> {
    use std::fmt::Write as _;
    let tls = cluster.tls(&cluster.authority().issue("gallra", Lifetime::Now));
    let path = layout.path("coordinator.toml");
    let text = std::fs::read_to_string(&path)?.replace("cell = \"main\"", "");
    let mut text = format!("cell = {FIRST_CELL:?}\n{text}\n[etcd]\nendpoints = {:?}\n", cluster.endpoints());
    for (name, content) in [("authority", &tls.ca), ("certificate", &tls.certificate), ("key", &tls.key)] {
        let file = layout.path(&format!("etcd-{name}.pem"));
        std::fs::write(&file, content)?;
        writeln!(text, "{name} = {file:?}")?;
    }
    std::fs::write(&path, text)?;
    Ok(gallra_store_etcd::Config::new(cluster.endpoints(), FIRST_CELL.parse()?, Some(tls))?)
}

/// The end of what was complained about.
fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().last().map(|line| format!(" ({line})")).unwrap_or_default()
}
