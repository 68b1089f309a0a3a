//! A process that is killed in the middle of its commits loses nothing that it was told is safe (I8), and leaves no
//! transaction half done. The test starts itself again as the process to kill.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gallra_store::{Embedded, Key, KeyPrefix, Store, Txn};

const NAME: &str = "every_acknowledged_commit_survives_a_kill";
const DIRECTORY: &str = "GALLRA_STORE_CRASH_DIRECTORY";
const ROUND: &str = "GALLRA_STORE_CRASH_ROUND";
const WRITERS: u32 = 8;
const ACKNOWLEDGED_AT_LEAST: usize = 150;

#[test]
fn every_acknowledged_commit_survives_a_kill() {
    if let (Ok(dir), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) {
        commit_until_killed(Path::new(&dir), &round);
    }
    let dir = tempfile::tempdir().expect("a directory");
    drop(Embedded::create(dir.path()).expect("makes"));
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        acknowledged.append(&mut killed_round(dir.path(), round));
        check(dir.path(), &acknowledged);
    }
}

/// Starts a child, reads its acknowledgements, kills it in mid-stream, and returns all that it acknowledged.
fn killed_round(dir: &Path, round: u32) -> BTreeSet<String> {
    let mut child: Child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(DIRECTORY, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged = BTreeSet::new();
    let mut killed = false;
    // What the child wrote before it died is still in the pipe, and counts.
    for line in lines {
        let line = line.expect("reads");
        let Some((_, name)) = line.split_once("ack ") else { continue };
        // A line that the kill cut off says nothing.
        if let Some(name) = name.strip_suffix(" .") {
            acknowledged.insert(name.to_owned());
        }
        if acknowledged.len() >= ACKNOWLEDGED_AT_LEAST && !killed {
            child.kill().expect("kills");
            killed = true;
        }
    }
    assert!(killed, "the child ended by itself after {} commits", acknowledged.len());
    child.wait().expect("ends");
    acknowledged
}

fn check(dir: &Path, acknowledged: &BTreeSet<String>) {
    let store = Embedded::open(dir).expect("opens after a kill");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let names = |prefix: &str| runtime.block_on(names(&store, prefix));
    let (first, second) = (names("first/"), names("second/"));
    assert_eq!(first, second, "a transaction was carried out in part");
    let lost: Vec<_> = acknowledged.difference(&first).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
}

async fn names(store: &Embedded, prefix: &str) -> BTreeSet<String> {
    let mut range = KeyPrefix::parse(prefix).expect("a prefix").range();
    let mut names = BTreeSet::new();
    loop {
        let page = store.range(&range, 1_000).await.expect("reads");
        names.extend(page.entries.iter().filter_map(|e| e.key.as_str().strip_prefix(prefix)).map(str::to_owned));
        match page.more {
            Some(more) => range = range.starting_at(&more),
            None => return names,
        }
    }
}

/// The child: several writers, so that groups form, each saying what is safe.
fn commit_until_killed(dir: &Path, round: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let store = Arc::new(Embedded::open(dir).expect("opens"));
    for writer in 0..WRITERS {
        let (store, round) = (Arc::clone(&store), round.to_owned());
        runtime.spawn(async move {
            for n in 0u64.. {
                let name = format!("{round}-{writer}-{n}");
                let key = |part: &str| Key::parse(&format!("{part}/{name}")).expect("a key");
                let txn = Txn::new().create(key("first"), vec![1; 200]).create(key("second"), "2");
                store.commit(txn).await.expect("commits");
                writeln!(std::io::stdout().lock(), "ack {name} .").expect("the parent reads");
            }
        });
    }
    loop {
        std::thread::park();
    }
}
