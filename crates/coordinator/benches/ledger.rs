//! The log's sequencer: entries a second from waiting to published, beside the bare store that writes exactly the same keys and
//! values in as many transactions, on the same disk in the same run; and how long one entry takes where nothing else waits. The
//! figures of `docs/decisions/0027-log-in-the-store.md` come from here. Owns the clock; upholds nothing.
//! `cargo bench -p gallra-coordinator -- [DIR]` (DIR: on which disk); `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gallra_coordinator::error::encode;
use gallra_coordinator::ledger::{Ledger, Opening, enqueue};
use gallra_log::entry::{About, Entry, Kind};
use gallra_model::{Digest, RequestId};
use gallra_store::txn::Write;
use gallra_store::{Embedded, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch, keys};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Entries that are put in before each transaction is committed: as many as it takes.
const AT_ONCE: usize = 100;

fn is_full() -> bool {
    std::env::var_os("GALLRA_BENCH_FULL").is_some()
}

/// A store that remembers what it was asked to write.
struct Recorded {
    store: Embedded,
    txns: Mutex<Vec<Txn>>,
}

#[async_trait::async_trait]
impl Store for Recorded {
    async fn get(&self, key: &Key) -> Result<Option<gallra_store::Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        self.txns.lock().unwrap_or_else(PoisonError::into_inner).push(txn.clone());
        self.store.commit(txn).await
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

impl Recorded {
    /// What was written since the last call.
    fn taken(&self) -> Vec<Txn> {
        std::mem::take(&mut self.txns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn entry(number: u64) -> Outcome<Entry> {
    let digest = |what: &str| Digest::of(format!("{what} {number}").as_bytes());
    let request = RequestId::from_bytes(u128::from(number).to_be_bytes());
    let about = About { kind: Kind::Receipt, request: Some(request), due: None };
    Ok(Entry::new(Some(about), digest("pae"), vec![(digest("key"), digest("sig"))])?)
}

async fn open(dir: &Path) -> Outcome<(Arc<Recorded>, Ledger)> {
    let folder = dir.join("log");
    std::fs::create_dir(&folder)?;
    let store = Embedded::create(&dir.join("store"))?;
    store.commit(Txn::new().create(keys::meta_generation(), encode(&1_u64)?)).await?;
    let store = Arc::new(Recorded { store, txns: Mutex::default() });
    let opening = Opening {
        store: Arc::clone(&store) as Arc<dyn Store>,
        folder: &folder,
        origin: "log.bench.invalid/1".parse()?,
        seed: [1; 32],
        generation: 1,
        hear_agents: 0,
        tree: keys::Tree::First,
        before: Vec::new(),
    };
    let ledger = Ledger::open(opening).await?;
    Ok((store, ledger))
}

/// Puts in entries and passes until all are published; how long that took, and what was written meanwhile.
async fn passes(store: &Recorded, ledger: &Ledger, entries: u64) -> Outcome<(Duration, Vec<Txn>)> {
    let now = gallra_model::Instant::UNIX_EPOCH;
    for numbers in (0..entries).collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut txn = Txn::new();
        for number in numbers {
            txn = enqueue(txn, &entry(*number)?, now);
        }
        store.commit(txn).await?;
    }
    store.taken();
    let began = Instant::now();
    while ledger.pass(now).await?.more {}
    let took = began.elapsed();
    let size = ledger.checkpoint().map(|signed| signed.size);
    if size != Some(entries) {
        return Err(format!("published {size:?} of {entries}").into());
    }
    Ok((took, store.taken()))
}

/// The same writes, without what is expected, to another store.
async fn written_again(dir: &Path, txns: Vec<Txn>) -> Outcome<Duration> {
    let store = Embedded::create(&dir.join("peer"))?;
    let again = |txn: &Txn| {
        txn.writes().iter().fold(Txn::new(), |txn, write| match write {
            Write::Put { key, value } => txn.put(key.clone(), value.clone()),
            Write::Delete { key } => txn.delete(key.clone()),
        })
    };
    let txns: Vec<Txn> = txns.iter().map(again).collect();
    let began = Instant::now();
    for txn in txns {
        store.commit(txn).await?;
    }
    Ok(began.elapsed())
}

/// One entry at a time, from the commit that has it wait to its checkpoint.
async fn alone(ledger: &Ledger, store: &Recorded, from: u64, many: u64) -> Outcome<Vec<Duration>> {
    let now = gallra_model::Instant::UNIX_EPOCH;
    let mut times = Vec::new();
    for number in from..from + many {
        store.commit(enqueue(Txn::new(), &entry(number)?, now)).await?;
        let began = Instant::now();
        ledger.pass(now).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let on = std::env::args().skip(1).find(|word| word != "--bench").map_or_else(std::env::temp_dir, Into::into);
    let (entries, single) = if is_full() { (100_000, 1_000) } else { (10_000, 200) };
    let dir = tempfile::tempdir_in(&on)?;
    let (store, ledger) = open(dir.path()).await?;
    let (took, txns) = passes(&store, &ledger, entries).await?;
    let bytes: usize = txns.iter().map(Txn::bytes).sum();
    let (commits, peer) = (txns.len(), written_again(dir.path(), txns).await?);
    let rate = |took: Duration| entries as f64 / took.as_secs_f64();
    println!("{entries} entries: {commits} transactions, {} bytes an entry", bytes as u64 / entries);
    println!(
        "bench coordinator/log-entries {:.0} entries/s peer {:.0} ratio {:.2}",
        rate(took),
        rate(peer),
        took.as_secs_f64() / peer.as_secs_f64()
    );
    let times = alone(&ledger, &store, entries, single).await?;
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    println!("one entry alone: half of them published within {:.2} ms, 99 of 100 within {:.2} ms", at(50), at(99));
    Ok(())
}
