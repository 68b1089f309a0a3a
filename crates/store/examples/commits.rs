//! Measures group commit: commits a second with 1, 16 and 128 callers that each wait for their answer. The figures of
//! `docs/decisions/0002-embedded-store.md` come from here: `cargo run --release -p gallra-store --example commits -- DIR` (DIR: on which disk).
#![expect(clippy::print_stdout, reason = "a measuring program's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use gallra_store::{Embedded, Key, Store, Txn};

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(5);
const VALUE_BYTES: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let on = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    println!("callers  commits/s  p50 ms  p99 ms");
    for callers in [1, 16, 128] {
        let dir = tempfile::tempdir_in(&on)?;
        let store = Arc::new(Embedded::create(&dir.path().join("store"))?);
        let mut times = measure(&store, callers).await?;
        drop(store);
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
        let rate = times.len() as f64 / SPAN.as_secs_f64();
        println!("{callers:>7}  {rate:>9.0}  {:>6.2}  {:>6.2}", at(50), at(99));
    }
    Ok(())
}

async fn measure(store: &Arc<Embedded>, callers: u32) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let until = Instant::now() + SPAN;
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
