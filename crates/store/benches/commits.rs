//! Group commit: commits a second with 1, 16 and 128 callers that each wait for their answer, beside a file that gets as
//! many bytes and is flushed each time, on the same disk in the same run. The figures of
//! `docs/decisions/0002-embedded-store.md` come from here. Owns the clock; upholds nothing.
//! `cargo bench -p gallra-store -- [DIR]` (DIR: on which disk); `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gallra_store::{Embedded, Key, Store, Txn};

const VALUE_BYTES: usize = 200;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long each figure is measured.
fn span() -> Duration {
    Duration::from_secs(if std::env::var_os("GALLRA_BENCH_FULL").is_some() { 10 } else { 2 })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let on = std::env::args().skip(1).find(|word| word != "--bench").map_or_else(std::env::temp_dir, Into::into);
    for callers in [1, 16, 128] {
        // Before and after each, since the disk is others' too.
        let before = flushes(&on)?;
        let dir = tempfile::tempdir_in(&on)?;
        let store = Arc::new(Embedded::create(&dir.path().join("store"))?);
        let mut times = measure(&store, callers).await?;
        drop(store);
        let peer = (before + flushes(&on)?) / 2.0;
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
        let rate = times.len() as f64 / span().as_secs_f64();
        println!("{callers} callers: half of the commits within {:.2} ms, 99 of 100 within {:.2} ms", at(50), at(99));
        println!("bench store/commit-{callers}-callers {rate:.0} commits/s peer {peer:.0} ratio {:.2}", peer / rate);
    }
    Ok(())
}

/// Writes with a flush each, a second, to one file that grows.
fn flushes(on: &Path) -> Outcome<f64> {
    let mut file = tempfile::tempfile_in(on)?;
    let (began, mut flushed) = (Instant::now(), 0_u32);
    while began.elapsed() < span() / 2 {
        file.write_all(&[0; VALUE_BYTES])?;
        file.sync_data()?;
        flushed += 1;
    }
    Ok(f64::from(flushed) / began.elapsed().as_secs_f64())
}

async fn measure(store: &Arc<Embedded>, callers: u32) -> Outcome<Vec<Duration>> {
    let until = Instant::now() + span();
    let tasks: Vec<_> = (0..callers).map(|caller| tokio::spawn(call(Arc::clone(store), caller, until))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await?);
    }
    Ok(times)
}

async fn call(store: Arc<Embedded>, caller: u32, until: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0u64.. {
        let began = Instant::now();
        if began >= until {
            break;
        }
        let key = Key::parse(&format!("bench/{n:016x}/{caller:08x}")).expect("of key characters");
        store.commit(Txn::new().create(key, vec![0; VALUE_BYTES])).await.expect("commits");
        times.push(began.elapsed());
    }
    times
}
