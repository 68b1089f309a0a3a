//! The whole coordinator under load, on the embedded store and on etcd of one and three members, each figure beside the bare store
//! that writes the same in the same run. Owns the clock; upholds nothing. The figures of `docs/measurements/load-*.md` come from here.
//! `cargo bench -p gallra-coordinator --bench flow -- [PART]... [--on DIR]`; without parts, `ends jobs requests` on `embedded`.
//! Parts: `ends`, `jobs`, `requests`, `waiting`, `streams`, `burst`, the last three with numbers of how many; engines: `embedded`, `etcd1`, `etcd3`. `GALLRA_BENCH_FULL=1` measures longer.
#![allow(missing_docs, reason = "a program of its own")]

mod burst;
mod counted;
mod ends;
mod figures;
mod host;
mod jobs;
mod streams;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use figures::Outcome;
use gallra_store_etcd::testing::{Cluster, Options};
use host::{Host, On, backups, files};

/// Of a request that waits in masses: twelve, as a provider's plans have.
const TARGETS: usize = 12;
/// What etcd's makers advise at most.
const QUOTA: u64 = 8 << 30;
const CALLERS: [usize; 3] = [1, 16, 128];

#[tokio::main]
async fn main() -> Outcome<()> {
    if let Some(dir) = std::env::var_os(streams::SERVES) {
        return streams::serve(dir.into()).await;
    }
    if let Some(dir) = std::env::var_os(waiting::OPENS) {
        return waiting::open(dir.into()).await;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let disk = words.iter().position(|word| word == "--on").and_then(|at| words.get(at + 1));
    let disk = disk.map_or_else(std::env::temp_dir, PathBuf::from);
    let is = |word: &str| words.iter().any(|given| given == word);
    let full = std::env::var_os("GALLRA_BENCH_FULL").is_some();
    let parts = ["ends", "jobs", "requests", "waiting", "streams", "burst"];
    let none = !parts.iter().any(|part| is(part));
    let loads = none || ["ends", "jobs", "requests"].iter().any(|part| is(part));
    for engine in ["embedded", "etcd1", "etcd3"] {
        let unsaid = !["embedded", "etcd1", "etcd3"].iter().any(|engine| is(engine));
        if !loads || !is(engine) && !(unsaid && (engine == "embedded" || full)) {
            continue;
        }
        let on = match engine {
            "etcd1" => On::Etcd(Box::new(Cluster::start(1))),
            "etcd3" => On::Etcd(Box::new(Cluster::start(3))),
            _ => On::Embedded,
        };
        for callers in CALLERS {
            let many = if full { 2_000 } else { 40 + callers * 4 };
            for part in ["ends", "jobs", "requests"] {
                if !none && !is(part) {
                    continue;
                }
                if part == "requests" {
                    requests(&on, &disk, engine, (callers, many)).await?;
                    continue;
                }
                let host = Arc::new(Host::new(&on, &disk, vec![files("www")?]).await?);
                match part {
                    "ends" => ends::measure(&host, engine, callers, many).await?,
                    _ => jobs::measure(&host, engine, callers, many).await?,
                }
                host.stop().await;
            }
        }
    }
    // How many, in the order in which they are named; else what takes a minute, or what the design asks for.
    let given: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = |short: &[usize], long: &[usize]| {
        let sizes = if full { long } else { short };
        if given.is_empty() { sizes.to_vec() } else { given.clone() }
    };
    if is("waiting") && !is("etcd1") {
        waiting::measure(&disk, (&On::Embedded, "embedded"), TARGETS, &sizes(&[1_000, 10_000], &[10_000, 10_000_000]))
            .await?;
    }
    if is("waiting") && is("etcd1") {
        let on = On::Etcd(Box::new(Cluster::start_with(&Options { quota_bytes: Some(QUOTA), ..Options::of(1) })));
        waiting::measure(&disk, (&on, "etcd1"), TARGETS, &sizes(&[1_000, 10_000], &[10_000, 1_000_000])).await?;
    }
    for many in sizes(&[200], &[10_000]).into_iter().filter(|_| is("streams")) {
        streams::measure(&disk, many).await?;
    }
    for many in sizes(&[10_000], &[1_000_000]).into_iter().filter(|_| is("burst")) {
        burst::measure(&disk, many).await?;
    }
    Ok(())
}

/// Plans of four jobs and of six: a finished request never has five. Files that go have four (inspect, erase, confirm, and confirm once
/// the copies are gone), and their backups two (inspect, observe).
async fn requests(on: &On, disk: &Path, engine: &str, (callers, many): (usize, usize)) -> Outcome<()> {
    let four = vec![files("www")?];
    let six = vec![files("www")?, backups("repo", "www")?];
    for (jobs, targets) in [(4, four), (6, six)] {
        let host = Arc::new(Host::new(on, disk, targets).await?);
        jobs::requests(&host, &format!("{engine}/requests-of-{jobs}-jobs"), callers, many).await?;
        host.stop().await;
    }
    Ok(())
}
