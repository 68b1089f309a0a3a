//! Commits a second on etcd with 1, 16 and 128 callers that each wait for their answer, on one member and on three, beside the
//! bare client writing the same bytes in the same transaction to the same cluster. The figures of
//! `docs/decisions/0035-etcd-engine.md` come from here. Owns the clock; upholds nothing. All members share this machine's cores and
//! disk. `cargo bench -p gallra-store-etcd`; `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Client, Compare, CompareOp, TxnOp};
use gallra_store::{Key, Store as _, Txn};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing::Cluster;

const VALUE_BYTES: usize = 200;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long each figure is measured.
fn span() -> Duration {
    Duration::from_secs(if std::env::var_os("GALLRA_BENCH_FULL").is_some() { 10 } else { 2 })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    for members in [1, 3] {
        let cluster = Cluster::start(members);
        let store = Arc::new(Etcd::create(&cluster.config()).await?);
        // One member, as the store asks one.
        let raw = cluster.raw_member(0).await;
        for callers in [1, 16, 128] {
            // Before and after, since disk and cores are others' too.
            let bare = |run: u32| {
                let raw = raw.clone();
                move |key| put(raw.clone(), format!("bare/{callers}/{run}/{key}"))
            };
            let theirs = Arc::clone(&store);
            let before = measure(callers, bare(1)).await?;
            let ours =
                measure(callers, move |key| commit(Arc::clone(&theirs), format!("bench/{callers}/{key}"))).await?;
            let after = measure(callers, bare(2)).await?;
            let rate = |times: &[Duration]| times.len() as f64 / span().as_secs_f64();
            let peer = (rate(&before) + rate(&after)) / 2.0;
            let name = format!("store-etcd/{members}-members-{callers}-callers");
            println!("{name}: {}; bare: {}", spread(ours.clone()), spread([before, after].concat()));
            println!("bench {name} {:.0} commits/s peer {peer:.0} ratio {:.2}", rate(&ours), peer / rate(&ours));
        }
    }
    Ok(())
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    format!("half within {:.2} ms, 99 of 100 within {:.2} ms", at(50), at(99))
}

async fn commit(store: Arc<Etcd>, key: String) -> Outcome<()> {
    store.commit(Txn::new().create(Key::parse(&key)?, vec![0; VALUE_BYTES])).await?;
    Ok(())
}

async fn put(client: Client, key: String) -> Outcome<()> {
    let txn = etcd_client::Txn::new()
        .when([Compare::create_revision(key.clone(), CompareOp::Equal, 0)])
        .and_then([TxnOp::put(key, vec![0; VALUE_BYTES], None)]);
    if client.kv_client().txn(txn).await?.succeeded() { Ok(()) } else { Err("a key was there".into()) }
}

async fn measure<F>(callers: u32, write: impl Fn(String) -> F + Clone + Send + 'static) -> Outcome<Vec<Duration>>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    let until = Instant::now() + span();
    let calls = (0..callers).map(|caller| {
        let write = write.clone();
        async move {
            let mut times = Vec::new();
            for n in 0u64.. {
                let began = Instant::now();
                if began >= until {
                    break;
                }
                write(format!("{n:016x}/{caller:08x}")).await?;
                times.push(began.elapsed());
            }
            Outcome::Ok(times)
        }
    });
    // Each on a task of its own, as in a coordinator.
    let tasks: Vec<_> = calls.map(spawn).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(times)
}

fn spawn<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(call)
}
