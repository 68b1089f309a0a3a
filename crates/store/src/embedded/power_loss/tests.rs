//! Power that goes at any write: what was acknowledged is there whole, what was not is there whole or not at all (I8). And
//! the same test over a disk that never flushes, where it must fail: else it would prove nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::key::{Key, KeyPrefix};
use crate::store::Store;
use crate::txn::{Revision, Txn};
use crate::watch::Change;

const WRITERS: u64 = 6;
const COMMITS_EACH: u64 = 12;
/// Powers cut, each at another change; and ways of losing, tried for each.
const CUTS: u64 = 40;
const LOSSES: u64 = 3;

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

/// What was acknowledged, by name: the revision, and how large the value is.
type Acknowledged = BTreeMap<String, (Revision, usize)>;

/// Several writers, so that groups form. Each transaction has parts in two places and replaces one of its writer's own.
async fn work(store: Arc<Embedded>) -> Acknowledged {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut acknowledged = Acknowledged::new();
            for n in 0..COMMITS_EACH {
                let name = format!("{writer}-{n}");
                let size = 50 + as_usize((writer * 31 + n * 977) % 9_000);
                let txn = Txn::new()
                    .create(key(&format!("first/{name}")), vec![1; size])
                    .create(key(&format!("second/{name}")), size.to_string())
                    .put(key(&format!("count/{writer}")), n.to_string());
                match store.commit(txn).await {
                    Ok(revision) => acknowledged.insert(name, (revision, size)),
                    Err(_) => break,
                };
            }
            acknowledged
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

/// Runs the work until the power goes at `cut`, and says what was acknowledged before.
async fn until_cut(cut: Option<u64>, flushes: bool) -> (Disk, Acknowledged) {
    let disk = Disk::new();
    let store = Arc::new(Embedded::create_on(disk.clone()).expect("makes"));
    if !flushes {
        disk.stop_flushing();
    }
    if let Some(cut) = cut {
        disk.cut_after(cut);
    }
    let acknowledged = work(Arc::clone(&store)).await;
    drop(store);
    (disk, acknowledged)
}

async fn all(store: &Embedded, prefix: &str) -> Result<BTreeMap<String, (Revision, Vec<u8>)>, String> {
    let mut range = KeyPrefix::parse(prefix).expect("a prefix").range();
    let mut found = BTreeMap::new();
    loop {
        let page = store.range(&range, 100).await.map_err(|error| error.to_string())?;
        let entries = page.entries.into_iter();
        found.extend(entries.map(|e| (e.key.as_str().replacen(prefix, "", 1), (e.version, e.value))));
        match page.more {
            Some(more) => range = range.starting_at(&more),
            None => return Ok(found),
        }
    }
}

/// What is wrong with what is found after the power came back.
async fn check(disk: Disk, acknowledged: &Acknowledged) -> Result<(), String> {
    let store = Embedded::open_on(disk).map_err(|error| format!("does not open: {error}"))?;
    let (first, second) = (all(&store, "first/").await?, all(&store, "second/").await?);
    let counts = all(&store, "count/").await?;
    for (name, (version, value)) in &first {
        let half = second.get(name).ok_or(format!("{name} is there in part"))?;
        if half.0 != *version || half.1 != value.len().to_string().as_bytes() {
            return Err(format!("{name} is of two moments"));
        }
    }
    if let Some(name) = second.keys().find(|name| !first.contains_key(*name)) {
        return Err(format!("{name} is there in part"));
    }
    for (name, (revision, size)) in acknowledged {
        let (version, value) = first.get(name).ok_or(format!("{name} was acknowledged and is lost"))?;
        if version != revision || value.len() != *size {
            return Err(format!("{name} is not what was acknowledged"));
        }
    }
    for name in first.keys() {
        let (writer, n) = name.split_once('-').ok_or("a name")?;
        let count: u64 =
            counts.get(writer).and_then(|(_, v)| String::from_utf8_lossy(v).parse().ok()).ok_or("a count")?;
        if count < n.parse().map_err(|_| "a number")? {
            return Err(format!("the count of writer {writer} went back"));
        }
    }
    goes_on(&store, acknowledged).await
}

/// Revisions and watches go on from what was acknowledged.
async fn goes_on(store: &Embedded, acknowledged: &Acknowledged) -> Result<(), String> {
    let mut watch = store.watch(KeyPrefix::parse("after/").expect("a prefix"));
    let next = store.commit(Txn::new().create(key("after/1"), "x")).await.map_err(|error| error.to_string())?;
    if acknowledged.values().any(|(revision, _)| *revision >= next) {
        return Err(format!("revision {next} was given before"));
    }
    match watch.try_next() {
        Some(Change::Keys(keys)) if keys == [key("after/1")] => Ok(()),
        other => Err(format!("the watch was told {other:?}")),
    }
}

/// All that is found wrong over many cuts and losses.
async fn problems(flushes: bool) -> Vec<String> {
    let (whole, acknowledged) = until_cut(None, flushes).await;
    assert_eq!(as_u64(acknowledged.len()), WRITERS * COMMITS_EACH, "without a cut all is acknowledged");
    let mut problems = Vec::new();
    let mut dice = Dice(7);
    for cut in (0..CUTS).map(|_| as_u64(dice.below(as_usize(whole.changes())))) {
        let (disk, acknowledged) = until_cut(Some(cut), flushes).await;
        for seed in 0..LOSSES {
            let (after, acknowledged) = (disk.after_power_loss(seed * 1_000 + cut), acknowledged.clone());
            // On a file that no flush put in order the engine may panic, which is as good as not opening.
            let checked = tokio::spawn(async move { check(after, &acknowledged).await }).await;
            let outcome = checked.unwrap_or_else(|_| Err("does not open: a panic".to_owned()));
            problems.extend(outcome.err().map(|why| format!("cut {cut}, seed {seed}: {why}")));
        }
    }
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_goes_at_any_write_takes_nothing_that_was_acknowledged() {
    let problems = problems(true).await;
    assert!(problems.is_empty(), "{} problems, such as {:#?}", problems.len(), problems.first());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_never_flushes_is_found_out() {
    let problems = problems(false).await;
    let lost = problems.iter().filter(|why| why.contains("lost") || why.contains("open")).count();
    assert!(lost > 10, "{lost} of {} runs show that nothing was flushed", CUTS * LOSSES);
}

#[test]
fn the_disk_keeps_what_was_flushed_and_tears_the_rest() {
    let disk = Disk::new();
    disk.set_len(4_096).expect("sets");
    disk.write(0, &[1; 4_096]).expect("writes");
    disk.sync_data().expect("flushes");
    disk.write(100, &[2; 2_000]).expect("writes");
    disk.set_len(8_192).expect("sets");
    let (mut whole, mut torn, mut lengths) = (0, 0, BTreeSet::new());
    for seed in 0..200 {
        let after = disk.after_power_loss(seed);
        lengths.insert(after.len().expect("a length"));
        let mut bytes = vec![0; 4_096];
        after.read(0, &mut bytes).expect("reads");
        assert!(bytes[..100].iter().chain(&bytes[2_100..]).all(|byte| *byte == 1), "what was flushed stays");
        for sector in bytes[..2_048].chunks(512) {
            let new = sector.iter().filter(|byte| **byte == 2).count();
            assert!([0, 412, 512].contains(&new), "a sector arrives whole or not at all");
        }
        let arrived = bytes.iter().filter(|byte| **byte == 2).count();
        whole += u32::from(arrived == 2_000);
        torn += u32::from(arrived > 0 && arrived < 2_000);
    }
    assert!(whole > 10 && torn > 10, "{whole} whole, {torn} torn");
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [4_096, 8_192]);
}
